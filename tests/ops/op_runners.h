/* SPDX-License-Identifier: Apache-2.0 */
/* How each kind of operator case is run. */
#ifndef OP_RUNNERS_H
#define OP_RUNNERS_H

#include "op_cases.h"

struct op_kind {
    const char *name;
    const char *numbers; /* names of d[], separated by spaces */
    void (*run)(const struct op_case *, struct trn_backend *, struct op_words *);
};

/* Where operands and results lie: malloc and free, unless a backend cannot reach that memory. */
extern void *(*op_memory_new)(size_t size_bytes);
extern void (*op_memory_free)(void *memory);

/* The kind of that name. Aborts when there is none. */
const struct op_kind *op_kind_find(const char *name);

#endif
