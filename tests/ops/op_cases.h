/* SPDX-License-Identifier: Apache-2.0 */
/* The operator cases of goldens.txt: operator, shape, seed of the operands. */
#ifndef OP_CASES_H
#define OP_CASES_H

#include "ops/ops.h"

struct op_case {
    char name[120]; /* "matmul_nt m=3 n=5 k=513 bias=1 seed=2" */
    const struct op_kind *kind;
    size_t d[12]; /* the numbers of the name, in order */
    uint64_t seed;
};

/* Results of one case as 32-bit words, in the order of the operator's outputs. */
struct op_words {
    uint32_t *words;
    size_t count, capacity;
};

/* All cases; *count of them, malloc'd. */
struct op_case *op_cases_new(size_t *count);

/* Run on `backend`, or, where it is NULL, by the oracle; the words replace what was there. Aborts
 * when memory ends or an operator fails. */
void op_case_run(const struct op_case *op_case, struct trn_backend *backend,
                 struct op_words *words);

/* Operands: `kind` 0 has full random mantissas and exponents near 1, kind 1 also zeros of both
 * signs, subnormals and large numbers. */
void op_fill(float *values, size_t count, uint64_t *state, int kind);

#endif
