/* SPDX-License-Identifier: Apache-2.0 */
/* DOT for all matrix products: which of the equal ways is the fastest, and the launch. */
#ifndef TRN_CUDA_GEMM_H
#define TRN_CUDA_GEMM_H

#include <math.h>

#include "ops/cuda/cuda_gemm_kernel.h"

/* Tiles, named by their side; how many registers and stages each takes is by trial on an H200. A
 * thread has 128, 32 or 16 outputs: the more, the fewer reads of shared memory for a product, and
 * the fewer blocks for a device to share. */
typedef trn_cuda_shape<128, 128, 16, 8, 8, 3, 2> trn_cuda_tile_128;
typedef trn_cuda_shape<64, 64, 8, 4, 16, 3, 4> trn_cuda_tile_64;
typedef trn_cuda_shape<32, 32, 4, 4, 16, 3, 10> trn_cuda_tile_32;

/* Memory that chunks beside each other may take. */
#define TRN_CUDA_MAX_PARTS_BYTES ((size_t)64 << 20)

static inline size_t trn_cuda_chunks(size_t k)
{
    return k / TRN_CUDA_KC + (k % TRN_CUDA_KC != 0);
}

static inline size_t trn_cuda_tiles(const struct trn_cuda_gemm &g, size_t side)
{
    return ((g.m - 1) / side + 1) * ((g.n - 1) / side + 1);
}

struct trn_cuda_way {
    unsigned tile;
    bool split; /* chunks of k beside each other */
};

/* The way that takes the least time. That of a multiprocessor is its blocks times the cost of a
 * tile for each k: relative times, measured on an H200, where a few blocks of small tiles take as
 * long as `floor` ones. Chunks beside each other are written and read once more, by a second
 * kernel: `merge` is what a short one takes, on the scale of cost times k. */
static inline struct trn_cuda_way trn_cuda_fastest(const struct trn_cuda &cuda,
                                                   const struct trn_cuda_gemm &g)
{
    static const struct {
        unsigned tile;
        double cost, floor;
    } costs[] = { { 128, 640, 1 }, { 64, 185, 1.3 }, { 32, 72, 2.3 } };
    const double merge = 26000;
    const size_t chunks = trn_cuda_chunks(g.k);
    const bool can_split = g.pitch == 0 && chunks > 1 && chunks <= TRN_CUDA_MAX_BLOCKS;
    const bool has_room = g.m * g.n <= TRN_CUDA_MAX_PARTS_BYTES / sizeof(float) / chunks;
    struct trn_cuda_way found = { 0, false };
    double least = 0;
    for (const auto &of : costs) {
        if (cuda.ways.tile != 0 && cuda.ways.tile != of.tile) {
            continue;
        }
        const size_t tiles = trn_cuda_tiles(g, of.tile) * (g.pitch == 0 ? 1 : g.products);
        const double each = (double)tiles / cuda.processors, k = (double)g.k;
        const double in_turn = fmax(ceil(each), of.floor) * k * of.cost;
        const double beside =
            fmax(ceil(each * k / TRN_CUDA_KC), of.floor) * TRN_CUDA_KC * of.cost + merge;
        const double times[2] = { in_turn, beside };
        for (int split = 0; split < 2; split++) {
            const bool may = split ? can_split && cuda.ways.split >= 0 &&
                                         (has_room || cuda.ways.split > 0)
                                   : !can_split || cuda.ways.split <= 0;
            if (may && (found.tile == 0 || times[split] < least)) {
                found.tile = of.tile;
                found.split = split != 0;
                least = times[split];
            }
        }
    }
    return found;
}

template <typename SHAPE, typename A, typename B>
static enum snap_status trn_cuda_gemm_run(struct trn_backend *backend, const char *what,
                                          struct trn_cuda_gemm g, const A &a, const B &b,
                                          bool split, struct snap_error *err)
{
    const size_t row_tiles = (g.m - 1) / SHAPE::tile_y + 1;
    const size_t tiles = row_tiles * ((g.n - 1) / SHAPE::tile_x + 1);
    const size_t chunks = trn_cuda_chunks(g.k);
    enum snap_status status = SNAP_OK;
    if (g.pitch == 0) {
        g.pitch = g.n;
        g.products = g.inner = 1;
    }
    if (split) {
        void *scratch;
        status = trn_cuda_scratch(backend, chunks * g.m * g.n * sizeof(float), &scratch, err);
        if (status != SNAP_OK) {
            return status;
        }
        g.parts = static_cast<float *>(scratch);
    }
    if (tiles > 0x7fffffffu || g.products > TRN_CUDA_MAX_BLOCKS) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "device cuda:%d: %s: %zu outputs of %zu x %zu are more than one "
                              "grid covers", trn_cuda_of(backend)->device, what, g.products, g.m,
                              g.n);
    }
    status = trn_cuda_launch(backend, what, trn_cuda_gemm_tiles<SHAPE, A, B>,
                             dim3((unsigned)tiles, (unsigned)g.products,
                                  split ? (unsigned)chunks : 1),
                             dim3(SHAPE::threads), err, g, a, b, row_tiles);
    if (status == SNAP_OK && split) {
        status = trn_cuda_launch_over(backend, what, trn_cuda_gemm_merge, g.m * g.n, err, g,
                                      chunks);
    }
    return status;
}

template <typename A, typename B>
static enum snap_status trn_cuda_gemm_any(struct trn_backend *backend, const char *what,
                                          const struct trn_cuda_gemm &g, const A &a, const B &b,
                                          struct snap_error *err)
{
    if (g.m == 0 || g.n == 0) {
        return SNAP_OK;
    }
    if (g.k == 0) {
        return trn_cuda_launch_over(backend, what, trn_cuda_gemm_merge, g.m * g.n, err, g,
                                    (size_t)0);
    }
    const struct trn_cuda_way way = trn_cuda_fastest(*trn_cuda_of(backend), g);
    switch (way.tile) {
    case 128:
        return trn_cuda_gemm_run<trn_cuda_tile_128>(backend, what, g, a, b, way.split, err);
    case 64:
        return trn_cuda_gemm_run<trn_cuda_tile_64>(backend, what, g, a, b, way.split, err);
    default:
        return trn_cuda_gemm_run<trn_cuda_tile_32>(backend, what, g, a, b, way.split, err);
    }
}

#endif
