/* SPDX-License-Identifier: Apache-2.0 */
/* The words of operator cases against goldens.txt. */
#ifndef OP_GOLDEN_H
#define OP_GOLDEN_H

#include "op_cases.h"

void op_golden_hash(const struct op_words *words, char hex[65]);

/* Run the case on `backend`; the test fails, naming `where` and the first word that is not the
 * oracle's, unless the hash is the one that is kept. */
void op_golden_check(const struct op_case *op_case, struct trn_backend *backend,
                     struct op_words *words, const char *where);

#endif
