/* SPDX-License-Identifier: Apache-2.0 */
/* A small hash of operators, made when a backend opens: a build or a process in which products are
 * contracted, subnormals flushed, rounding changed or the chunks of DOT another size is refused. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ops/math_functions.h"

#define ROWS ((size_t)3)
#define COLUMNS ((size_t)5)
#define DEPTH ((size_t)1030)
#define EXPECTED UINT64_C(0xd4917709f62f8407)

struct canary {
    float a[ROWS * DEPTH], b[COLUMNS * DEPTH];
    float product[ROWS * COLUMNS], gelu[ROWS * COLUMNS], losses[ROWS], gradient[ROWS * COLUMNS];
    float sum, mean[COLUMNS], var[COLUMNS], unbiased[COLUMNS];
    int32_t labels[ROWS];
};

enum { PLAIN, UNDERFLOW, TIES, KINDS };

/* PLAIN: exponents near 1, but for one value in eight that is subnormal. UNDERFLOW: products that
 * round to subnormals and to zeros of both signs. TIES: next to powers of two, where a second
 * rounding shows. */
static void fill(float *values, size_t count, uint64_t *state, int kind)
{
    static const uint32_t ties[] = { 0x3f800001u, 0x33fffffeu, 0x3f800000u, 0x337fffffu };
    for (size_t i = 0; i < count; i++) {
        uint32_t bits, choice;
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bits = (uint32_t)(*state >> 32) & 0x80ffffffu;
        choice = (uint32_t)(*state >> 28) & 7;
        if (kind == PLAIN) {
            bits += choice == 0 ? 0 : 0x3e800000u;
        } else if (kind == UNDERFLOW) {
            bits += 0x1a000000u;
        } else {
            bits = (bits & 0x80000000u) | ties[choice & 3];
        }
        values[i] = trn_float_of_bits(bits);
    }
}

static uint64_t fnv(uint64_t hash, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int shift = 0; shift < 32; shift += 8) {
            hash = (hash ^ (trn_bits_of_float(values[i]) >> shift & 255)) *
                   UINT64_C(0x100000001b3);
        }
    }
    return hash;
}

static enum snap_status run(struct trn_backend *backend, struct canary *c, struct canary *there,
                            uint64_t *hash, struct snap_error *err)
{
    const struct trn_ops *ops = backend->ops;
    const struct trn_matmul product = { TRN_NT, ROWS, COLUMNS, DEPTH, there->a, there->b, NULL,
                                        there->product };
    const struct trn_cross_entropy loss = { .rows = ROWS, .classes = COLUMNS,
                                            .logits = there->product, .labels = there->labels,
                                            .inverse_batch = 1.0f / 3.0f, .losses = there->losses,
                                            .gradient = there->gradient };
    const struct trn_norm norm = { DEPTH, COLUMNS, 1e-5f };
    enum snap_status status = SNAP_OK;
    uint64_t state = 42;
    for (int kind = KINDS - 1; kind >= PLAIN && status == SNAP_OK; kind--) {
        fill(c->a, ROWS * DEPTH, &state, kind);
        fill(c->b, COLUMNS * DEPTH, &state, kind);
        status = ops->upload(backend, there, c, sizeof(*c), err);
        if (status == SNAP_OK) {
            status = ops->matmul(backend, &product, err);
        }
        if (status == SNAP_OK) {
            status = ops->download(backend, c->product, there->product, sizeof(c->product), err);
        }
        *hash = fnv(*hash, c->product, ROWS * COLUMNS);
    }
    if (status == SNAP_OK) {
        status = ops->gelu_forward(backend, ROWS * COLUMNS, there->a, there->gelu, err);
    }
    if (status == SNAP_OK) {
        status = ops->cross_entropy(backend, &loss, err);
    }
    if (status == SNAP_OK) {
        status = ops->reduce_product(backend, there->a, there->b, ROWS * DEPTH, &there->sum, err);
    }
    if (status == SNAP_OK) {
        status = ops->norm_statistics(backend, &norm, there->b, there->mean, there->var,
                                      there->unbiased, err);
    }
    if (status == SNAP_OK) {
        status = ops->download(backend, c, there, sizeof(*c), err);
    }
    *hash = fnv(*hash, c->gelu, ROWS * COLUMNS);
    *hash = fnv(*hash, c->losses, ROWS);
    *hash = fnv(*hash, c->gradient, ROWS * COLUMNS);
    *hash = fnv(*hash, &c->sum, 1);
    *hash = fnv(*hash, c->mean, COLUMNS);
    *hash = fnv(*hash, c->var, COLUMNS);
    return status;
}

/* The host's own arithmetic, in the thread that opens the backend. */
static bool host_is_ieee(void)
{
    volatile double tiny = 0x1p-1074, one = 1.0, third = 3.0;
    volatile float small = 0x1p-149f;
    return tiny * one == 0x1p-1074 && small + small == 0x1p-148f &&
           one / third == 0x1.5555555555555p-2 && -one / third == -0x1.5555555555555p-2 &&
           one + 0x1.8p-53 == 0x1.0000000000001p+0;
}

enum snap_status trn_backend_canary(struct trn_backend *backend, struct snap_error *err)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    static const int32_t labels[ROWS] = { 4, 0, 2 };
    struct canary *c = calloc(1, sizeof(*c));
    void *memory = NULL;
    enum snap_status status;
    if (!c) {
        return snap_error_set(err, SNAP_NO_MEMORY,
                              "portable-1: check of the arithmetic: out of memory");
    }
    memcpy(c->labels, labels, sizeof(labels));
    status = backend->ops->alloc(backend, sizeof(*c), &memory, err);
    if (status == SNAP_OK) {
        status = run(backend, c, memory, &hash, err);
    }
    if (status == SNAP_OK && (hash != EXPECTED || !host_is_ieee())) {
        status = snap_error_set(err, SNAP_UNSUPPORTED,
                                "portable-1: check of the arithmetic (%s): %016" PRIx64
                                " instead of %016" PRIx64 ": this build or process changes how "
                                "floats are computed (contraction, flushed subnormals, rounding "
                                "mode)", backend->ops->name, hash, EXPECTED);
    }
    backend->ops->release(backend, memory);
    free(c);
    return status;
}
