/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution as matrix products whose operands are read from images as they are needed. A tap that
 * falls into the padding, or between strides, is +0. */
#include "ops/cuda/cuda_gemm.h"

/* Where a pixel of an image of `height` x `width` is. */
struct conv_pixel {
    size_t image, row, column;
};

static __device__ struct conv_pixel locate(size_t pixel, size_t height, size_t width)
{
    const struct conv_pixel found = { pixel / (height * width), pixel / width % height,
                                      pixel % width };
    return found;
}

/* The input pixel under tap (r, s) of output pixel `out`, or NULL in the padding. */
static __device__ const float *input_tap(const struct trn_conv &c, const float *x,
                                         const struct conv_pixel &out, size_t r, size_t s)
{
    const size_t row = out.row * c.window.stride_h + r, column = out.column * c.window.stride_w + s;
    if (row < c.window.padding_h || row - c.window.padding_h >= c.h ||
        column < c.window.padding_w || column - c.window.padding_w >= c.w) {
        return NULL;
    }
    return x + ((out.image * c.h + row - c.window.padding_h) * c.w + column -
                c.window.padding_w) * c.c;
}

/* The output pixel whose tap (r, s) is input pixel `in`, or NULL when there is none. */
static __device__ const float *output_tap(const struct trn_conv &c, const float *dy,
                                          const struct conv_pixel &in, size_t r, size_t s)
{
    const size_t row = in.row + c.window.padding_h, column = in.column + c.window.padding_w;
    if (row < r || (row - r) % c.window.stride_h != 0 || (row - r) / c.window.stride_h >= c.oh ||
        column < s || (column - s) % c.window.stride_w != 0 ||
        (column - s) / c.window.stride_w >= c.ow) {
        return NULL;
    }
    return dy + ((in.image * c.oh + (row - r) / c.window.stride_h) * c.ow +
                 (column - s) / c.window.stride_w) * c.oc;
}

/* k = (r, s, channel) of a pixel: its row in the product. BACKWARD: pixels of the input, channels
 * of the output. */
template <bool BACKWARD> struct conv_taps {
    static constexpr bool K_FIRST = true;
    struct trn_conv c;
    const float *from;
    typedef struct conv_pixel place;
    __device__ place at(size_t row) const
    {
        return BACKWARD ? locate(row, c.h, c.w) : locate(row, c.oh, c.ow);
    }
    __device__ void fetch(const place &pixel, size_t k, size_t end, float v[4]) const
    {
        const size_t channels = BACKWARD ? c.oc : c.c;
        size_t channel = k % channels, tap = k / channels;
        const float *pixel_at = NULL;
        bool known = false;
#pragma unroll
        for (unsigned q = 0; q < 4; q++) {
            v[q] = 0.0f;
            if (k + q >= end) {
                continue;
            }
            if (!known) {
                const size_t r = tap / c.window.kernel_w, s = tap % c.window.kernel_w;
                pixel_at = BACKWARD ? output_tap(c, from, pixel, r, s)
                                    : input_tap(c, from, pixel, r, s);
                known = true;
            }
            if (pixel_at) {
                v[q] = pixel_at[channel];
            }
            if (++channel == channels) {
                channel = 0;
                tap++;
                known = false;
            }
        }
    }
};

/* Column c of the data gradient's product: w[oc][r][s][c], k = (r, s, oc). */
struct filter_columns {
    static constexpr bool K_FIRST = false;
    const float *w;
    size_t oc, taps, channels; /* taps: kernel_h * kernel_w */
    struct place {
        const float *column;
    };
    __device__ struct place at(size_t column) const
    {
        const struct place found = { w + column };
        return found;
    }
    __device__ void fetch(const struct place &place, size_t k, size_t end, float v[4]) const
    {
        size_t filter = k % oc, tap = k / oc;
#pragma unroll
        for (unsigned q = 0; q < 4; q++) {
            v[q] = k + q < end ? place.column[(filter * taps + tap) * channels] : 0.0f;
            if (++filter == oc) {
                filter = 0;
                tap++;
            }
        }
    }
};

/* Column (r, s, channel) of the weight gradient's product, k the output pixel: what that
 * tap of it reads. */
struct input_columns {
    static constexpr bool K_FIRST = false;
    struct trn_conv c;
    const float *x;
    struct place {
        size_t r, s, channel;
    };
    __device__ struct place at(size_t column) const
    {
        const struct place found = { column / c.c / c.window.kernel_w,
                                     column / c.c % c.window.kernel_w, column % c.c };
        return found;
    }
    __device__ void fetch(const struct place &place, size_t k, size_t end, float v[4]) const
    {
        struct conv_pixel pixel = locate(k, c.oh, c.ow);
#pragma unroll
        for (unsigned q = 0; q < 4; q++) {
            v[q] = 0.0f;
            if (k + q < end) {
                const float *from = input_tap(c, x, pixel, place.r, place.s);
                if (from) {
                    v[q] = from[place.channel];
                }
            }
            if (++pixel.column == c.ow) {
                pixel.column = 0;
                if (++pixel.row == c.oh) {
                    pixel.row = 0;
                    pixel.image++;
                }
            }
        }
    }
};

static size_t window_taps(const struct trn_conv *c)
{
    return c->window.kernel_h * c->window.kernel_w;
}

extern "C" enum snap_status trn_cuda_conv_forward(struct trn_backend *backend,
                                                  const struct trn_conv *c, const float *x,
                                                  const float *w, const float *bias, float *y,
                                                  struct snap_error *err)
{
    struct trn_cuda_gemm g = trn_cuda_gemm();
    const struct conv_taps<false> a = { *c, x };
    g.m = c->n * c->oh * c->ow;
    g.n = c->oc;
    g.k = window_taps(c) * c->c;
    g.bias = bias;
    g.out = y;
    /* Column oc is w[oc][k], k = (r, s, c). */
    return trn_cuda_gemm_any(backend, "conv2d", g, a, trn_cuda_by_rows(w, g.k), err);
}

extern "C" enum snap_status trn_cuda_conv_data_gradient(struct trn_backend *backend,
                                                        const struct trn_conv *c,
                                                        const float *dy, const float *w,
                                                        float *dx, struct snap_error *err)
{
    struct trn_cuda_gemm g = trn_cuda_gemm();
    const struct conv_taps<true> a = { *c, dy };
    const struct filter_columns b = { w, c->oc, window_taps(c), c->c };
    g.m = c->n * c->h * c->w;
    g.n = c->c;
    g.k = window_taps(c) * c->oc;
    g.out = dx;
    return trn_cuda_gemm_any(backend, "conv2d, data gradient", g, a, b, err);
}

extern "C" enum snap_status trn_cuda_conv_weight_gradient(struct trn_backend *backend,
                                                          const struct trn_conv *c,
                                                          const float *dy, const float *x,
                                                          float *dw, struct snap_error *err)
{
    struct trn_cuda_gemm g = trn_cuda_gemm();
    const struct trn_cuda_columns_of_k a = { dy, c->oc }; /* row oc is dy[k][oc] */
    const struct input_columns b = { *c, x };
    g.m = c->oc;
    g.n = window_taps(c) * c->c;
    g.k = c->n * c->oh * c->ow;
    g.out = dw;
    return trn_cuda_gemm_any(backend, "conv2d, weight gradient", g, a, b, err);
}
