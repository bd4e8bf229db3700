/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution as matrix products whose operands are read from images as they are needed. A tap that
 * falls into the padding, or between strides, is +0. A place goes from element to element of k by
 * additions: divisions are for where it begins. */
#include <limits.h>

#include "ops/cuda/cuda_gemm.h"

/* Where a pixel of an image of `height` x `width` is. */
struct conv_pixel {
    size_t image;
    int row, column;
};

static __device__ struct conv_pixel locate(size_t pixel, size_t height, size_t width)
{
    const struct conv_pixel found = { pixel / (height * width), (int)(pixel / width % height),
                                      (int)(pixel % width) };
    return found;
}

/* k = (r, s, channel) of a pixel: its row in the product. BACKWARD: pixels of the input, channels
 * of the output. */
template <bool BACKWARD, bool QUADS> struct conv_taps {
    static constexpr bool K_FIRST = true;
    static constexpr unsigned WIDE = QUADS ? 4 : 1;
    struct trn_conv c;
    const float *from;

    struct place {
        const float *image;
        const float *tap; /* the pixel under it, or NULL in the padding or between strides */
        int row, column;  /* of tap (0, 0), which others are below and right of; BACKWARD: above
                           * and left of, before the stride is divided out */
        int r, s, channel;
    };

    __device__ __forceinline__ void find_tap(struct place &place) const
    {
        int row = BACKWARD ? place.row - place.r : place.row + place.r;
        int column = BACKWARD ? place.column - place.s : place.column + place.s;
        bool there = row >= 0 && column >= 0;
        if (BACKWARD && c.window.stride_h != 1) {
            there = there && row % (int)c.window.stride_h == 0;
            row /= (int)c.window.stride_h;
        }
        if (BACKWARD && c.window.stride_w != 1) {
            there = there && column % (int)c.window.stride_w == 0;
            column /= (int)c.window.stride_w;
        }
        there = there && row < (int)(BACKWARD ? c.oh : c.h) &&
                column < (int)(BACKWARD ? c.ow : c.w);
        place.tap = there ? place.image + (row * (int)(BACKWARD ? c.ow : c.w) + column) *
                                              (int)(BACKWARD ? c.oc : c.c)
                          : NULL;
    }

    __device__ struct place at(size_t row, size_t k) const
    {
        const size_t channels = BACKWARD ? c.oc : c.c, tap = k / channels;
        const struct conv_pixel pixel = BACKWARD ? locate(row, c.h, c.w) : locate(row, c.oh, c.ow);
        struct place found;
        found.image = from + pixel.image * (BACKWARD ? c.oh * c.ow * c.oc : c.h * c.w * c.c);
        found.row = BACKWARD ? pixel.row + (int)c.window.padding_h
                             : pixel.row * (int)c.window.stride_h - (int)c.window.padding_h;
        found.column = BACKWARD ? pixel.column + (int)c.window.padding_w
                                : pixel.column * (int)c.window.stride_w - (int)c.window.padding_w;
        found.r = (int)(tap / c.window.kernel_w);
        found.s = (int)(tap % c.window.kernel_w);
        found.channel = (int)(k % channels);
        find_tap(found);
        return found;
    }

    __device__ __forceinline__ void next(struct place &place, float *v) const
    {
        if constexpr (QUADS) {
            const float4 quad =
                place.tap ? *reinterpret_cast<const float4 *>(place.tap + place.channel) : float4();
            v[0] = quad.x;
            v[1] = quad.y;
            v[2] = quad.z;
            v[3] = quad.w;
        } else {
            v[0] = place.tap ? place.tap[place.channel] : 0.0f;
        }
        skip(place, WIDE);
    }

    __device__ __forceinline__ void skip(struct place &place, unsigned count) const
    {
        const int channels = (int)(BACKWARD ? c.oc : c.c);
        place.channel += (int)count;
        if (place.channel < channels) {
            return;
        }
        do {
            place.channel -= channels;
            if (++place.s == (int)c.window.kernel_w) {
                place.s = 0;
                place.r++;
            }
        } while (place.channel >= channels);
        find_tap(place);
    }
};

/* Column c of the data gradient's product: w[oc][r][s][c], k = (r, s, oc). */
struct filter_columns {
    static constexpr bool K_FIRST = false;
    static constexpr unsigned WIDE = 1;
    const float *w;
    size_t oc, taps, channels; /* taps: kernel_h * kernel_w */

    struct place {
        const float *first, *now; /* of the filters: the first, and this one */
        unsigned filter;
    };

    __device__ struct place at(size_t column, size_t k) const
    {
        struct place found;
        found.first = w + k / oc * channels + column;
        found.filter = (unsigned)(k % oc);
        found.now = found.first + found.filter * taps * channels;
        return found;
    }

    __device__ __forceinline__ void next(struct place &place, float *v) const
    {
        *v = *place.now;
        skip(place, 1);
    }

    __device__ __forceinline__ void skip(struct place &place, unsigned count) const
    {
        place.filter += count;
        place.now += count * taps * channels;
        while (place.filter >= (unsigned)oc) {
            place.filter -= (unsigned)oc;
            place.first += channels;
            place.now = place.first + place.filter * taps * channels;
        }
    }
};

/* Column (r, s, channel) of the weight gradient's product, k the output pixel: what that
 * tap of it reads. */
struct input_columns {
    static constexpr bool K_FIRST = false;
    static constexpr unsigned WIDE = 1;
    struct trn_conv c;
    const float *x;

    struct place {
        const float *channel; /* of the image */
        int r, s;             /* of the tap, without padding */
        int row, column;      /* of the output */
    };

    __device__ struct place at(size_t column, size_t k) const
    {
        const size_t tap = column / c.c;
        const struct conv_pixel pixel = locate(k, c.oh, c.ow);
        struct place found;
        found.channel = x + pixel.image * (c.h * c.w * c.c) + column % c.c;
        found.r = (int)(tap / c.window.kernel_w) - (int)c.window.padding_h;
        found.s = (int)(tap % c.window.kernel_w) - (int)c.window.padding_w;
        found.row = pixel.row;
        found.column = pixel.column;
        return found;
    }

    __device__ __forceinline__ void next(struct place &place, float *v) const
    {
        const int row = place.row * (int)c.window.stride_h + place.r;
        const int column = place.column * (int)c.window.stride_w + place.s;
        const bool there = row >= 0 && row < (int)c.h && column >= 0 && column < (int)c.w;
        *v = there ? place.channel[(row * (int)c.w + column) * (int)c.c] : 0.0f;
        skip(place, 1);
    }

    __device__ __forceinline__ void skip(struct place &place, unsigned count) const
    {
        place.column += (int)count;
        while (place.column >= (int)c.ow) {
            place.column -= (int)c.ow;
            if (++place.row == (int)c.oh) {
                place.row = 0;
                place.channel += c.h * c.w * c.c;
            }
        }
    }
};

static size_t window_taps(const struct trn_conv *c)
{
    return c->window.kernel_h * c->window.kernel_w;
}

/* The device counts within an image in int, from the padding before it to that behind it. */
static bool counts_in_int(size_t pixels, size_t outputs, size_t stride, size_t kernel,
                          size_t padding)
{
    const size_t most = INT_MAX / 4;
    return pixels <= most && kernel <= most && padding <= most && outputs <= most / stride;
}

static enum snap_status check_sizes(struct trn_backend *backend, const struct trn_conv *c,
                                    struct snap_error *err)
{
    const struct trn_window *w = &c->window;
    const size_t most = INT_MAX - 64; /* a place may be a step past the last element */
    if (!counts_in_int(c->h, c->oh, w->stride_h, w->kernel_h, w->padding_h) ||
        !counts_in_int(c->w, c->ow, w->stride_w, w->kernel_w, w->padding_w) ||
        (c->h * c->w > 0 && c->c > most / (c->h * c->w)) ||
        (c->oh * c->ow > 0 && c->oc > most / (c->oh * c->ow))) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "device cuda:%d: conv2d: images of %zu x %zu x %zu to %zu x %zu x "
                              "%zu: more than the device's kernels count: make them smaller",
                              trn_cuda_of(backend)->device, c->h, c->w, c->c, c->oh, c->ow,
                              c->oc);
    }
    return SNAP_OK;
}

/* Do the channels of a pixel come in quads? */
static bool pixels_in_quads(const float *from, size_t channels)
{
    return trn_cuda_in_quads(trn_cuda_plain(from, channels), channels);
}

extern "C" enum snap_status trn_cuda_conv_forward(struct trn_backend *backend,
                                                  const struct trn_conv *c, const float *x,
                                                  const float *w, const float *bias, float *y,
                                                  struct snap_error *err)
{
    static const char what[] = "conv2d";
    struct trn_cuda_gemm g = trn_cuda_gemm();
    g.m = c->n * c->oh * c->ow;
    g.n = c->oc;
    g.k = window_taps(c) * c->c;
    g.bias = bias;
    g.out = y;
    const struct trn_cuda_matrix filters = trn_cuda_plain(w, g.k); /* column oc is w[oc][k] */
    const enum snap_status status = check_sizes(backend, c, err);
    if (status != SNAP_OK) {
        return status;
    }
    if (pixels_in_quads(x, c->c) && trn_cuda_in_quads(filters, g.k)) {
        const trn_cuda_found<conv_taps<false, true> > a = { { *c, x } };
        return trn_cuda_gemm_any(backend, what, g, a, trn_cuda_operand<TRN_CUDA_K_QUADS>{ filters },
                                 err);
    }
    const trn_cuda_found<conv_taps<false, false> > a = { { *c, x } };
    return trn_cuda_gemm_any(backend, what, g, a, trn_cuda_operand<TRN_CUDA_K>{ filters }, err);
}

extern "C" enum snap_status trn_cuda_conv_data_gradient(struct trn_backend *backend,
                                                        const struct trn_conv *c,
                                                        const float *dy, const float *w,
                                                        float *dx, struct snap_error *err)
{
    static const char what[] = "conv2d, data gradient";
    const trn_cuda_found<filter_columns> b = { { w, c->oc, window_taps(c), c->c } };
    struct trn_cuda_gemm g = trn_cuda_gemm();
    g.m = c->n * c->h * c->w;
    g.n = c->c;
    g.k = window_taps(c) * c->oc;
    g.out = dx;
    const enum snap_status status = check_sizes(backend, c, err);
    if (status != SNAP_OK) {
        return status;
    }
    if (pixels_in_quads(dy, c->oc)) {
        const trn_cuda_found<conv_taps<true, true> > a = { { *c, dy } };
        return trn_cuda_gemm_any(backend, what, g, a, b, err);
    }
    const trn_cuda_found<conv_taps<true, false> > a = { { *c, dy } };
    return trn_cuda_gemm_any(backend, what, g, a, b, err);
}

extern "C" enum snap_status trn_cuda_conv_weight_gradient(struct trn_backend *backend,
                                                          const struct trn_conv *c,
                                                          const float *dy, const float *x,
                                                          float *dw, struct snap_error *err)
{
    static const char what[] = "conv2d, weight gradient";
    const struct trn_cuda_matrix pixels = trn_cuda_plain(dy, c->oc); /* row oc is dy[k][oc] */
    const trn_cuda_found<input_columns> b = { { *c, x } };
    struct trn_cuda_gemm g = trn_cuda_gemm();
    g.m = c->oc;
    g.n = window_taps(c) * c->c;
    g.k = c->n * c->oh * c->ow;
    g.out = dw;
    const enum snap_status status = check_sizes(backend, c, err);
    if (status != SNAP_OK) {
        return status;
    }
    return pixels_in_quads(dy, c->oc)
               ? trn_cuda_gemm_any(backend, what, g,
                                   trn_cuda_operand<TRN_CUDA_ROW_QUADS>{ pixels }, b, err)
               : trn_cuda_gemm_any(backend, what, g, trn_cuda_operand<TRN_CUDA_ROWS>{ pixels }, b,
                                   err);
}
