/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution as matrix products whose operands are read from images as they are needed. A tap
 * that falls into the padding, or between strides, is +0. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include <string.h>

#include "ops/vec.h"

struct operand {
    const struct trn_conv *shape;
    const float *image;  /* read by rows of A or B: x, or dy for the data gradient */
    const float *filter; /* w */
};

/* Where `pixel` of an image of `height` x `width` is. */
struct place {
    size_t image, row, column;
};

static struct place locate(size_t pixel, size_t height, size_t width)
{
    const struct place place = { pixel / (height * width), pixel / width % height, pixel % width };
    return place;
}

/* The input pixel under tap (r, s) of the output pixel at `out`, or NULL in the padding. */
static const float *input_tap(const struct operand *o, struct place out, size_t r, size_t s)
{
    const struct trn_conv *c = o->shape;
    const size_t y = out.row * c->window.stride_h + r;
    const size_t x = out.column * c->window.stride_w + s;
    if (y < c->window.padding_h || y - c->window.padding_h >= c->h || x < c->window.padding_w ||
        x - c->window.padding_w >= c->w) {
        return NULL;
    }
    return o->image + ((out.image * c->h + y - c->window.padding_h) * c->w + x -
                       c->window.padding_w) * c->c;
}

/* The output pixel whose tap (r, s) is the input pixel at `in`, or NULL when there is none. */
static const float *output_tap(const struct operand *o, struct place in, size_t r, size_t s)
{
    const struct trn_conv *c = o->shape;
    const size_t y = in.row + c->window.padding_h, x = in.column + c->window.padding_w;
    if (y < r || (y - r) % c->window.stride_h != 0 || (y - r) / c->window.stride_h >= c->oh ||
        x < s || (x - s) % c->window.stride_w != 0 || (x - s) / c->window.stride_w >= c->ow) {
        return NULL;
    }
    return o->image + ((in.image * c->oh + (y - r) / c->window.stride_h) * c->ow +
                       (x - s) / c->window.stride_w) * c->oc;
}

typedef const float *tap_function(const struct operand *, struct place, size_t r, size_t s);

/* Elements [k0, k0 + depth) of the row that (r, s, channel) make for the pixel at `place`. */
static inline __attribute__((always_inline)) void read_taps(const struct operand *o,
                                                            struct place place, size_t channels,
                                                            tap_function *tap, size_t k0,
                                                            size_t depth, float *out)
{
    size_t done = 0;
    size_t channel = k0 % channels, s = k0 / channels % o->shape->window.kernel_w;
    size_t r = k0 / channels / o->shape->window.kernel_w;
    while (done < depth) {
        const size_t run = channels - channel < depth - done ? channels - channel : depth - done;
        const float *from = tap(o, place, r, s);
        if (from) {
            for (size_t i = 0; i < run; i++) {
                out[done + i] = from[channel + i];
            }
        } else {
            memset(out + done, 0, run * sizeof(float));
        }
        done += run;
        channel = 0;
        if (++s == o->shape->window.kernel_w) {
            s = 0;
            r++;
        }
    }
}

static void read_input_rows(const void *operand, size_t first, size_t count, size_t k0,
                            size_t depth, float *out)
{
    const struct operand *o = operand;
    for (size_t i = 0; i < count; i++) {
        read_taps(o, locate(first + i, o->shape->oh, o->shape->ow), o->shape->c, input_tap, k0,
                  depth, out + i * TRN_KC);
    }
}

static void read_gradient_rows(const void *operand, size_t first, size_t count, size_t k0,
                               size_t depth, float *out)
{
    const struct operand *o = operand;
    for (size_t i = 0; i < count; i++) {
        read_taps(o, locate(first + i, o->shape->h, o->shape->w), o->shape->oc, output_tap, k0,
                  depth, out + i * TRN_KC);
    }
}

/* B(pixel, (r, s, c)) */
static void read_input_columns(const void *operand, size_t first, size_t count, size_t k0,
                               size_t depth, float *out)
{
    const struct operand *o = operand;
    for (size_t k = 0; k < depth; k++) {
        float *row = out + k * TRN_GEMM_WIDTH;
        read_taps(o, locate(k0 + k, o->shape->oh, o->shape->ow), o->shape->c, input_tap, first,
                  count, row);
        for (size_t j = count; j < TRN_GEMM_WIDTH; j++) {
            row[j] = 0.0f;
        }
    }
}

/* B((r, s, c), oc) = w[oc][r][s][c] */
static void read_filter_columns(const void *operand, size_t first, size_t count, size_t k0,
                                size_t depth, float *out)
{
    const struct operand *o = operand;
    const struct trn_conv *c = o->shape;
    const size_t taps = c->window.kernel_h * c->window.kernel_w * c->c;
    for (size_t k = 0; k < depth; k++) {
        for (size_t j = 0; j < TRN_GEMM_WIDTH; j++) {
            out[k * TRN_GEMM_WIDTH + j] =
                j < count ? o->filter[(first + j) * taps + k0 + k] : 0.0f;
        }
    }
}

/* B((r, s, oc), c) = w[oc][r][s][c] */
static void read_filter_rows(const void *operand, size_t first, size_t count, size_t k0,
                             size_t depth, float *out)
{
    const struct operand *o = operand;
    const struct trn_conv *c = o->shape;
    const size_t taps = c->window.kernel_h * c->window.kernel_w;
    for (size_t k = 0; k < depth; k++) {
        const float *from =
            o->filter + ((k0 + k) % c->oc * taps + (k0 + k) / c->oc) * c->c + first;
        for (size_t j = 0; j < TRN_GEMM_WIDTH; j++) {
            out[k * TRN_GEMM_WIDTH + j] = j < count ? from[j] : 0.0f;
        }
    }
}

enum snap_status TRN_NAME(conv_forward)(struct trn_backend *backend, const struct trn_conv *c,
                                        const float *x, const float *w, const float *bias,
                                        float *y, struct snap_error *err)
{
    const struct operand operand = { c, x, w };
    const struct trn_gemm gemm = {
        .m = c->n * c->oh * c->ow,
        .n = c->oc,
        .k = c->window.kernel_h * c->window.kernel_w * c->c,
        .operand = &operand,
        .read_a = read_input_rows,
        .read_b = read_filter_columns,
        .bias = bias,
        .out = y,
    };
    return TRN_NAME(gemm)(backend, &gemm, err);
}

enum snap_status TRN_NAME(conv_data_gradient)(struct trn_backend *backend,
                                              const struct trn_conv *c, const float *dy,
                                              const float *w, float *dx, struct snap_error *err)
{
    const struct operand operand = { c, dy, w };
    const struct trn_gemm gemm = {
        .m = c->n * c->h * c->w,
        .n = c->c,
        .k = c->window.kernel_h * c->window.kernel_w * c->oc,
        .operand = &operand,
        .read_a = read_gradient_rows,
        .read_b = read_filter_rows,
        .out = dx,
    };
    return TRN_NAME(gemm)(backend, &gemm, err);
}

enum snap_status TRN_NAME(conv_weight_gradient)(struct trn_backend *backend,
                                                const struct trn_conv *c, const float *dy,
                                                const float *x, float *dw, struct snap_error *err)
{
    const struct operand operand = { c, x, NULL };
    const struct trn_gemm gemm = {
        .m = c->oc,
        .n = c->window.kernel_h * c->window.kernel_w * c->c,
        .k = c->n * c->oh * c->ow,
        .operand = &operand,
        .a = dy,
        .a_row = 1,
        .a_column = c->oc,
        .read_b = read_input_columns,
        .out = dw,
    };
    return TRN_NAME(gemm)(backend, &gemm, err);
}
