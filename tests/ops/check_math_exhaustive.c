/* SPDX-License-Identifier: Apache-2.0 */
/* Every math function on every binary32 input against MPFR, and the hash of every block.
 *
 * usage: check_math_exhaustive [--write] [FUNCTION [FIRST_BLOCK LAST_BLOCK]]
 * Prints TAP, one line a function. --write prints the lines of math_hashes.txt instead.
 *
 * MPFR on 2^32 inputs would take many hours, so glibc's binary64 function y(x) is a filter: where
 * the interval y * (1 +- 2^-40) rounds to one binary32 value, that is the correctly rounded one,
 * provided that the relative error of y is below 2^-40, which is 4096 units in y's last place or
 * more; glibc's manual claims at most 2 for these functions. All other inputs, one in 2^16 or so,
 * go to MPFR, and so does one input in 2^14 whatever the filter says, where the claim itself is
 * checked, with a bound of 2^-45. A binary64 result that is 0 or infinite is taken as it is: it
 * leaves binary32's range by far. MPFR's result is taken at 200 bits rounded down and up; both must
 * round to one value. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include "math_blocks.h"

#define PRECISION_BITS 200

typedef double double_function(double);
typedef int mpfr_function(mpfr_t, mpfr_srcptr, mpfr_rnd_t);

/* In the order of math_functions. */
static const struct reference {
    double_function *in_double;
    mpfr_function *exact;
} references[MATH_FUNCTION_COUNT] = {
    { exp, mpfr_exp }, { log, mpfr_log }, { tanh, mpfr_tanh },
    { sin, mpfr_sin }, { cos, mpfr_cos }, { erf, mpfr_erf },
};

struct tally {
    const struct math_function *function;
    const struct reference *reference;
    mpfr_t x, down, up;
    unsigned long long wrong, asked;
};

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return value != value ? 0x7fc00000u : bits;
}

static void complain(struct tally *tally, uint32_t input, uint32_t got, uint32_t wanted,
                     const char *why)
{
    if (tally->wrong++ < 100) {
        printf("# %s(%08x = %a): got %08x, wanted %08x: %s\n", tally->function->name, input,
               (double)float_of(input), got, wanted, why);
    }
}

static uint32_t ask_mpfr(struct tally *tally, uint32_t input, double filter)
{
    uint32_t low, high;
    tally->asked++;
    mpfr_set_flt(tally->x, float_of(input), MPFR_RNDN);
    tally->reference->exact(tally->down, tally->x, MPFR_RNDD);
    tally->reference->exact(tally->up, tally->x, MPFR_RNDU);
    low = bits_of(mpfr_get_flt(tally->down, MPFR_RNDN));
    high = bits_of(mpfr_get_flt(tally->up, MPFR_RNDN));
    if (low != high) {
        complain(tally, input, low, high, "200 bits do not decide");
    }
    if (isfinite(filter) && filter != 0.0) {
        const double exact = mpfr_get_d(tally->down, MPFR_RNDN);
        if (!(fabs(filter - exact) <= 0x1p-45 * fabs(exact))) {
            complain(tally, input, low, low, "the filter is farther off than 2^-45");
        }
    }
    return low;
}

static void visit(void *arg, uint32_t first, const uint32_t *results)
{
    struct tally *tally = arg;
    double_function *in_double = tally->reference->in_double;
    for (uint32_t i = 0; i < MATH_CHUNK; i++) {
        const uint32_t input = first + i;
        const double y = in_double((double)float_of(input));
        const double margin = 0x1p-40 * y;
        uint32_t wanted = bits_of((float)y);
        if (isfinite(y) && y != 0.0 &&
            bits_of((float)(y - margin)) != bits_of((float)(y + margin))) {
            wanted = ask_mpfr(tally, input, y);
        } else if ((input * 2654435761u) >> 18 == 0 && wanted != ask_mpfr(tally, input, y)) {
            complain(tally, input, results[i], wanted, "the filter decided wrongly");
        }
        if (results[i] != wanted) {
            complain(tally, input, results[i], wanted, "not the nearest");
        }
    }
}

/* All blocks of one function; 0 when nothing is wrong, -1 when the work could not be done. */
static int check_function(struct tally *tally, unsigned first, unsigned last, int write_hashes)
{
    int differ = 0;
    for (unsigned block = first; block <= last; block++) {
        char got[65], kept[65];
        if (math_block_hash(tally->function, block, got, visit, tally) != 0) {
            return -1;
        }
        if (write_hashes) {
            printf("%s %s %02x\n", got, tally->function->name, block);
            continue;
        }
        math_block_expected(tally->function, block, kept);
        if (strcmp(got, kept) != 0) {
            printf("# %s block %02x: hash %s, kept %s\n", tally->function->name, block, got, kept);
            differ = 1;
        }
    }
    return tally->wrong != 0 || differ;
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    unsigned first = 0, last = MATH_BLOCK_COUNT - 1;
    int arg = 1, write_hashes = 0, failures = 0, tests = 0;
    if (arg < argc && strcmp(argv[arg], "--write") == 0) {
        write_hashes = 1;
        arg++;
    }
    if (arg < argc) {
        only = argv[arg++];
    }
    if (arg + 1 < argc) {
        first = (unsigned)strtoul(argv[arg], NULL, 0) & 255;
        last = (unsigned)strtoul(argv[arg + 1], NULL, 0) & 255;
    }
    for (int f = 0; f < MATH_FUNCTION_COUNT; f++) {
        struct tally tally = { .function = &math_functions[f], .reference = &references[f] };
        int wrong;
        if (only && strcmp(only, math_functions[f].name) != 0) {
            continue;
        }
        mpfr_init2(tally.x, 24);
        mpfr_init2(tally.down, PRECISION_BITS);
        mpfr_init2(tally.up, PRECISION_BITS);
        wrong = check_function(&tally, first, last, write_hashes);
        mpfr_clear(tally.x);
        mpfr_clear(tally.down);
        mpfr_clear(tally.up);
        if (wrong < 0) {
            fprintf(stderr, "check_math_exhaustive: out of memory\n");
            return 3;
        }
        tests++;
        failures += wrong;
        if (!write_hashes) {
            printf("%s %d - %s: %llu wrong, %llu asked of MPFR\n", wrong ? "not ok" : "ok", tests,
                   tally.function->name, tally.wrong, tally.asked);
        }
        fflush(stdout);
    }
    if (!write_hashes) {
        printf("1..%d\n", tests);
    }
    mpfr_free_cache();
    return failures != 0;
}
