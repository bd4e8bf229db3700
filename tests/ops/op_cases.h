/* SPDX-License-Identifier: Apache-2.0 */
/* The operator cases of goldens.txt: operator, shape, seed of the operands. */
#ifndef OP_CASES_H
#define OP_CASES_H

#include "ops/ops.h"

struct op_case {
    char name[120]; /* "matmul transpose=1 m=3 n=5 k=513 bias=1 seed=11" */
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

/* What operands look like. */
enum op_flavour {
    OP_PLAIN,          /* full random mantissas, exponents near 1 */
    OP_SPECIAL,        /* also zeros of both signs, subnormals and large numbers */
    OP_UNDERFLOW,      /* so small that products round to zeros of both signs, or to subnormals */
    OP_TIES,           /* next to powers of two: sums that a second rounding would spoil */
    OP_SUBNORMAL_TIES, /* the same where the sums are subnormal */
    OP_FLAVOURS
};

/* The next word of a splitmix64 generator. */
uint64_t op_next_word(uint64_t *state);

void op_fill(float *values, size_t count, uint64_t *state, enum op_flavour flavour);

#endif
