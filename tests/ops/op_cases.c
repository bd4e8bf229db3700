/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "op_cases.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op_runners.h"
#include "ops/math_functions.h"

uint64_t op_next_word(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t special_bits(uint64_t word)
{
    static const uint32_t exponents[] = { 0, 1, 150, 100 };
    const uint32_t mantissa = (word >> 48 & 3) == 0 ? 0 : (uint32_t)word & 0x7fffffu;
    return ((uint32_t)word & 0x80000000u) | exponents[word >> 40 & 3] << 23 | mantissa;
}

static uint32_t tie_bits(uint64_t word, const uint32_t exponents[4])
{
    static const uint32_t mantissas[] = { 0, 1, 2, 3, 0x400000, 0x7ffffd, 0x7ffffe, 0x7fffff };
    return ((uint32_t)word & 0x80000000u) | exponents[word >> 40 & 3] << 23 |
           mantissas[word >> 48 & 7];
}

void op_fill(float *values, size_t count, uint64_t *state, enum op_flavour flavour)
{
    static const uint32_t near_one[] = { 127, 126, 103, 102 };
    /* Products are near 2^-127 and 2^-150. */
    static const uint32_t near_subnormal[] = { 64, 63, 40, 40 };
    for (size_t i = 0; i < count; i++) {
        const uint64_t word = op_next_word(state);
        const uint32_t sign_and_mantissa = (uint32_t)word & 0x807fffffu;
        uint32_t bits = sign_and_mantissa | (121 + ((uint32_t)(word >> 32) & 7)) << 23;
        if (flavour == OP_SPECIAL && (word >> 36 & 3) == 0) {
            bits = special_bits(word);
        } else if (flavour == OP_UNDERFLOW) {
            bits = sign_and_mantissa | (50 + ((uint32_t)(word >> 32) & 7)) << 23;
        } else if (flavour == OP_TIES) {
            bits = tie_bits(word, near_one);
        } else if (flavour == OP_SUBNORMAL_TIES) {
            bits = tie_bits(word, near_subnormal);
        }
        values[i] = trn_float_of_bits(bits);
    }
}

struct case_list {
    struct op_case *cases;
    size_t count, capacity;
};

/* One case for each flavour of operands. */
static void add(struct case_list *list, const char *kind, ...)
{
    for (uint64_t seed = 10; seed < 10 + OP_FLAVOURS; seed++) {
        va_list numbers;
        struct op_case *c;
        const char *name;
        size_t length, i = 0;
        if (list->count == list->capacity) {
            list->capacity = 2 * list->capacity + 64;
            list->cases = realloc(list->cases, list->capacity * sizeof(*list->cases));
            if (!list->cases) {
                abort();
            }
        }
        c = &list->cases[list->count++];
        memset(c, 0, sizeof(*c));
        c->seed = seed;
        c->kind = op_kind_find(kind);
        length = (size_t)snprintf(c->name, sizeof(c->name), "%s", kind);
        va_start(numbers, kind);
        for (name = c->kind->numbers; *name; name += strcspn(name, " "), name += *name == ' ') {
            c->d[i] = va_arg(numbers, size_t);
            length += (size_t)snprintf(c->name + length, sizeof(c->name) - length, " %.*s=%zu",
                                       (int)strcspn(name, " "), name, c->d[i]);
            i++;
        }
        va_end(numbers);
        snprintf(c->name + length, sizeof(c->name) - length, " seed=%d", (int)seed);
    }
}

#define Z(number) ((size_t)(number))

/* Operators over sequences. */
static void add_sequence_cases(struct case_list *list)
{
    static const size_t edges[] = { 1, 31, 32, 33, 511, 512, 513, 1023, 1024, 1025 };
    static const size_t shapes[][4] = {
        { 0, 4, 2, 3 },  { 3, 1, 1, 1 },   { 2, 1, 3, 5 },  { 2, 2, 2, 8 },   { 1, 7, 3, 4 },
        { 2, 15, 1, 16 }, { 3, 16, 2, 17 }, { 1, 17, 3, 33 }, { 2, 64, 2, 15 }, { 1, 65, 1, 513 },
        { 2, 8, 2, 4 },  { 1, 68, 3, 12 },
    };
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        add(list, "layernorm", Z(3), edges[i]);
        add(list, "layernorm", edges[i], Z(7));
        add(list, "embedding", edges[i], Z(5), Z(3), Z(1));
        add(list, "embedding", edges[i], Z(32), Z(33), Z(0));
        add(list, "attention", Z(1), edges[i], i < 4 ? 1 + i % 3 : Z(1), 1 + i % 2);
    }
    add(list, "layernorm", Z(0), Z(9));
    add(list, "layernorm", Z(1), Z(1024 * 1024 + 1));
    add(list, "embedding", Z(0), Z(4), Z(2), Z(1));
    add(list, "embedding", Z(700), Z(256), Z(16), Z(1));
    add(list, "embedding", Z(2049), Z(1), Z(5), Z(1));
    add(list, "embedding", Z(1024 * 128 + 1), Z(1), Z(1), Z(0));
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        add(list, "attention", shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3]);
    }
}

struct op_case *op_cases_new(size_t *count)
{
    static const size_t edges[] = { 0, 1, 31, 32, 33, 511, 512, 513, 1023, 1024, 1025 };
    static const size_t rows[] = { 0, 1, 2, 127, 128, 129, 1024, 16384, 16385 };
    static const size_t tiles[][2] = { { 0, 3 }, { 3, 0 }, { 1, 1 }, { 5, 15 }, { 6, 16 },
                                       { 7, 17 }, { 191, 3 }, { 193, 65 }, { 12, 129 } };
    /* Rows of whole fours, and whole tiles. */
    static const size_t fours[][3] = { { 4, 4, 4 },      { 12, 36, 20 },  { 36, 132, 516 },
                                       { 132, 68, 1028 }, { 128, 128, 40 }, { 128, 128, 37 } };
    static const size_t convs[][11] = {
        { 1, 8, 8, 1, 8, 3, 3, 1, 1, 1, 1 },   { 3, 8, 8, 8, 16, 3, 3, 1, 1, 1, 1 },
        { 2, 7, 9, 3, 5, 3, 3, 2, 2, 1, 1 },   { 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0 },
        { 2, 5, 6, 4, 3, 5, 4, 3, 2, 2, 2 },   { 1, 9, 7, 57, 2, 3, 3, 1, 3, 0, 1 },
        { 5, 11, 12, 2, 3, 2, 5, 1, 2, 0, 2 }, { 0, 4, 4, 2, 2, 3, 3, 1, 1, 1, 1 },
        { 8, 14, 14, 2, 33, 3, 3, 1, 1, 1, 1 }, { 1, 6, 6, 130, 65, 2, 2, 2, 2, 0, 0 },
        { 2, 7, 6, 4, 8, 3, 2, 2, 3, 1, 1 },   { 1, 12, 12, 60, 132, 3, 3, 1, 1, 1, 1 },
    };
    struct case_list list = { NULL, 0, 0 };
    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
            add(&list, "matmul", t, Z(3), Z(5), edges[i], i % 2);
        }
        for (size_t i = 0; i < sizeof(tiles) / sizeof(tiles[0]); i++) {
            add(&list, "matmul", t, tiles[i][0], tiles[i][1], Z(70), i % 2);
        }
        for (size_t i = 0; i < sizeof(fours) / sizeof(fours[0]); i++) {
            add(&list, "matmul", t, fours[i][0], fours[i][1], fours[i][2], i % 2);
        }
        add(&list, "matmul", t, Z(2), Z(3), Z(34 * 512 + 1), t % 2); /* many chunks */
    }
    for (size_t i = 0; i < sizeof(convs) / sizeof(convs[0]); i++) {
        const size_t *c = convs[i];
        add(&list, "conv", c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10]);
        if (c[9] <= c[5] / 2 && c[10] <= c[6] / 2) {
            add(&list, "pool", c[0], c[1], c[2], c[3], c[3], c[5], c[6], c[7], c[8], c[9], c[10]);
        }
    }
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        add(&list, "reduce", edges[i]);
        add(&list, "activation", edges[i]);
        add(&list, "dropout", edges[i], edges[i] * 3, Z(7));
        for (size_t which = 0; which < 4; which++) {
            add(&list, "update", edges[i], which);
        }
        if (edges[i] != 0) {
            add(&list, "cross_entropy", Z(5), edges[i]);
        }
    }
    add(&list, "reduce", Z(63));
    add(&list, "reduce", Z(95));
    add(&list, "reduce", Z(1055));
    add(&list, "reduce", Z(1024 * 1024));
    add(&list, "reduce", Z(1024 * 1024 + 1));
    add(&list, "reduce", Z(3 * 1024 * 1024 + 12345));
    add(&list, "activation", Z(40000));
    add(&list, "dropout", Z(40000), Z(4294967291), Z(4294967295));
    add(&list, "cross_entropy", Z(0), Z(10));
    add(&list, "cross_entropy", Z(300), Z(10));
    add(&list, "update", Z(40000), Z(3));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        add(&list, "columns", rows[i], Z(1));
        add(&list, "columns", rows[i], Z(67));
        if (rows[i] != 0) {
            add(&list, "norm", rows[i], Z(3));
            add(&list, "norm", rows[i], Z(33));
        }
    }
    add(&list, "columns", Z(128 * 128 * 128 + 1), Z(1));
    add_sequence_cases(&list);
    *count = list.count;
    return list.cases;
}

void op_case_run(const struct op_case *op_case, struct trn_backend *backend, struct op_words *words)
{
    words->count = 0;
    op_case->kind->run(op_case, backend, words);
}
