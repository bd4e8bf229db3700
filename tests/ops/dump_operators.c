/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of one table and the functions give, as a line each: a name and a hash. Needs
 * nothing but the C library, so that it can be built for another processor.
 *
 * usage: dump_operators ISA THREADS */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "op_cases.h"
#include "ops/math_functions.h"

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)
#define INPUT_STEP 4099u /* of the arguments' bits */

static const struct {
    const char *name;
    float (*function)(float);
} functions[] = { { "exp", trn_expf }, { "log", trn_logf }, { "tanh", trn_tanhf },
                  { "sin", trn_sinf }, { "cos", trn_cosf }, { "erf", trn_erff } };

static uint64_t add(uint64_t hash, uint32_t word)
{
    return (hash ^ word) * FNV_PRIME;
}

static void dump_function(size_t f)
{
    uint64_t hash = FNV_BASIS;
    uint32_t bits = 0, before;
    do {
        const float y = functions[f].function(trn_float_of_bits(bits));
        hash = add(hash, y != y ? 0x7fc00000u : trn_bits_of_float(y));
        before = bits;
        bits += INPUT_STEP;
    } while (bits > before);
    printf("%016" PRIx64 " %s\n", hash, functions[f].name);
}

int main(int argc, char **argv)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_pool *pool = NULL;
    struct trn_backend *backend = NULL;
    struct op_words words = { 0 };
    struct op_case *cases;
    size_t count;
    if (argc != 3) {
        fprintf(stderr, "usage: dump_operators ISA THREADS\n");
        return 2;
    }
    if (snap_pool_new((unsigned)strtoul(argv[2], NULL, 10), &pool, &err) != SNAP_OK ||
        trn_backend_open(argv[1], pool, &backend, &err) != SNAP_OK) {
        fprintf(stderr, "dump_operators: %s\n", err.text);
        return 4;
    }
    cases = op_cases_new(&count);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = FNV_BASIS;
        op_case_run(&cases[i], backend, &words);
        for (size_t k = 0; k < words.count; k++) {
            hash = add(hash, words.words[k]);
        }
        printf("%016" PRIx64 " %s\n", hash, cases[i].name);
    }
    for (size_t f = 0; f < sizeof(functions) / sizeof(functions[0]); f++) {
        dump_function(f);
    }
    free(cases);
    free(words.words);
    trn_backend_close(backend);
    snap_pool_free(pool);
    return 0;
}
