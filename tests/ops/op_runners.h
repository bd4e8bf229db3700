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

/* The kind of that name. Aborts when there is none. */
const struct op_kind *op_kind_find(const char *name);

#endif
