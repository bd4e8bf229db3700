/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution as matrix products whose operands are packed from images as they are needed. The
 * image is first laid out with its padding, so that every tap of every pixel is in memory: the
 * taps of one pixel are runs of floats at the same distances from the pixel's own address. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include <string.h>

#include "ops/cpu_pack.h"
#include "ops/vec.h"

/* A padded image (n, rows, columns, channels) under windows: pixel (i, y, x) of count_y * count_x
 * begins at ((i * rows + y * step_y) * columns + x * step_x) * channels. */
struct windows {
    const float *image;
    size_t rows, columns, channels;
    size_t count_y, count_x, step_y, step_x;
    size_t run;           /* floats that lie next to each other, in the order of k */
    size_t runs_x;        /* runs of one row of the kernel */
    ptrdiff_t from;       /* of the first run, from the pixel's beginning, in floats */
    ptrdiff_t to_x, to_y; /* from one run to the next, and from one row of the kernel to the next */
};

static const float *window_of(const struct windows *w, size_t pixel)
{
    const size_t x = pixel % w->count_x, y = pixel / w->count_x % w->count_y;
    const size_t image = pixel / w->count_x / w->count_y;
    return w->image +
           ((image * w->rows + y * w->step_y) * w->columns + x * w->step_x) * w->channels;
}

static ptrdiff_t run_offset(const struct windows *w, size_t run)
{
    return w->from + (ptrdiff_t)(run / w->runs_x) * w->to_y +
           (ptrdiff_t)(run % w->runs_x) * w->to_x;
}

/* Element (pixel, tap): rows of the forward pass and of the data gradient. */
static void pack_pixels(const void *operand, size_t first, size_t count, size_t k0, size_t depth,
                        size_t width, float *out)
{
    const struct windows *w = operand;
    const float *pixels[TRN_PACK_MAX_WIDTH], *rows[TRN_PACK_MAX_WIDTH];
    size_t run = k0 / w->run, within = k0 % w->run;
    for (size_t i = 0; i < count; i++) {
        pixels[i] = window_of(w, first + i);
    }
    for (size_t k = 0, length; k < depth; k += length) {
        const ptrdiff_t offset = run_offset(w, run++) + (ptrdiff_t)within;
        length = w->run - within < depth - k ? w->run - within : depth - k;
        within = 0;
        for (size_t i = 0; i < count; i++) {
            rows[i] = pixels[i] + offset;
        }
        trn_pack_rows(rows, count, length, width, out + k * width);
    }
    trn_pack_blank(count, depth, width, out);
}

/* Element (tap, pixel): columns of the weight gradient, whose k runs over pixels. */
static void pack_taps(const void *operand, size_t first, size_t count, size_t k0, size_t depth,
                      size_t width, float *out)
{
    const struct windows *w = operand;
    const float *pixels[TRN_KC];
    for (size_t k = 0; k < depth; k++) {
        pixels[k] = window_of(w, k0 + k);
    }
    for (size_t j = 0, length; j < count; j += length) {
        const size_t within = (first + j) % w->run;
        const ptrdiff_t offset = run_offset(w, (first + j) / w->run) + (ptrdiff_t)within;
        length = w->run - within < count - j ? w->run - within : count - j;
        for (size_t k = 0; k < depth; k++) {
            trn_pack_copy(pixels[k] + offset, length, out + k * width + j);
        }
    }
    trn_pack_blank(count, depth, width, out);
}

/* Filters w[oc][r][s][c], and the gradient of the output, as matrices. */
struct filters {
    const float *data;
    size_t oc, taps, c; /* taps = R * S */
};

/* Element ((r, s, c), oc) */
static void pack_filters(const void *operand, size_t first, size_t count, size_t k0, size_t depth,
                         size_t width, float *out)
{
    const struct filters *f = operand;
    const float *rows[TRN_PACK_MAX_WIDTH];
    for (size_t i = 0; i < count; i++) {
        rows[i] = f->data + (first + i) * f->taps * f->c + k0;
    }
    trn_pack_rows(rows, count, depth, width, out);
    trn_pack_blank(count, depth, width, out);
}

/* Element ((r, s, oc), c) */
static void pack_filters_turned(const void *operand, size_t first, size_t count, size_t k0,
                                size_t depth, size_t width, float *out)
{
    const struct filters *f = operand;
    size_t tap = k0 / f->oc, oc = k0 % f->oc;
    for (size_t k = 0; k < depth; k++) {
        trn_pack_copy(f->data + (oc * f->taps + tap) * f->c + first, count, out + k * width);
        if (++oc == f->oc) {
            oc = 0;
            tap++;
        }
    }
    trn_pack_blank(count, depth, width, out);
}

/* Element (oc, pixel) of dy */
static void pack_gradient(const void *operand, size_t first, size_t count, size_t k0, size_t depth,
                          size_t width, float *out)
{
    const struct filters *f = operand;
    for (size_t k = 0; k < depth; k++) {
        trn_pack_copy(f->data + (k0 + k) * f->oc + first, count, out + k * width);
    }
    trn_pack_blank(count, depth, width, out);
}

/* Row y of the source goes to row y * step_y + top of the padded image, columns likewise; what
 * falls outside is left out, and what nothing falls on is +0. */
struct layout {
    const float *from;
    size_t n, h, w, c; /* of the source */
    size_t rows, columns;
    size_t step_y, step_x;
    ptrdiff_t top, left;
    float *to;
};

static void lay_out_rows(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct layout *l = arg;
    (void)worker;
    for (size_t row = begin; row < end; row++) {
        float *to = l->to + row * l->columns * l->c;
        const ptrdiff_t at = (ptrdiff_t)(row % l->rows) - l->top;
        const size_t y = (size_t)at / l->step_y;
        const float *from = l->from + ((row / l->rows * l->h + y) * l->w) * l->c;
        memset(to, 0, l->columns * l->c * sizeof(float));
        if (at < 0 || (size_t)at % l->step_y != 0 || y >= l->h) {
            continue;
        }
        for (size_t x = 0; x < l->w; x++) {
            const ptrdiff_t place = (ptrdiff_t)(x * l->step_x) + l->left;
            if (place >= 0 && (size_t)place < l->columns) {
                trn_pack_copy(from + x * l->c, l->c, to + (size_t)place * l->c);
            }
        }
    }
}

/* The product over `windows` of the laid out image; gemm->a or ->b is `windows` already. */
static enum snap_status run(struct trn_backend *backend, const struct layout *layout,
                            struct windows *windows, const struct trn_gemm *gemm,
                            struct snap_error *err)
{
    const int copied = layout->rows != layout->h || layout->columns != layout->w ||
                       layout->top != 0 || layout->left != 0;
    const size_t image = copied ? layout->n * layout->rows * layout->columns * layout->c : 0;
    const size_t padded = (image + 15) / 16 * 16; /* what follows stays aligned */
    struct layout l = *layout;
    void *scratch;
    const enum snap_status status = trn_cpu_scratch(
        backend, (padded + TRN_NAME(gemm_scratch)(backend, gemm)) * sizeof(float), &scratch, err);
    if (status != SNAP_OK) {
        return status;
    }
    l.to = scratch;
    if (copied && image != 0) {
        trn_cpu_split(backend, l.n * l.rows, TRN_GRAIN / (l.columns * l.c) + 1, lay_out_rows, &l);
    }
    windows->image = copied ? l.to : l.from;
    windows->rows = l.rows;
    windows->columns = l.columns;
    windows->channels = l.c;
    TRN_NAME(gemm)(backend, gemm, l.to + padded);
    return SNAP_OK;
}

/* The padded input, as far as windows reach, and those windows. */
static struct layout input_layout(const struct trn_conv *c, const float *x, struct windows *windows)
{
    const struct layout layout = {
        .from = x, .n = c->n, .h = c->h, .w = c->w, .c = c->c,
        .rows = (c->oh - 1) * c->window.stride_h + c->window.kernel_h,
        .columns = (c->ow - 1) * c->window.stride_w + c->window.kernel_w,
        .step_y = 1, .step_x = 1,
        .top = (ptrdiff_t)c->window.padding_h, .left = (ptrdiff_t)c->window.padding_w,
    };
    *windows = (struct windows){
        .count_y = c->oh, .count_x = c->ow,
        .step_y = c->window.stride_h, .step_x = c->window.stride_w,
        .run = c->window.kernel_w * c->c, .runs_x = 1,
        .to_y = (ptrdiff_t)(layout.columns * c->c),
    };
    return layout;
}

enum snap_status TRN_NAME(conv_forward)(struct trn_backend *backend, const struct trn_conv *c,
                                        const float *x, const float *w, const float *bias,
                                        float *y, struct snap_error *err)
{
    const struct filters filters = { w, c->oc, c->window.kernel_h * c->window.kernel_w, c->c };
    struct windows windows;
    const struct layout layout = input_layout(c, x, &windows);
    const struct trn_gemm gemm = {
        .m = c->n * c->oh * c->ow, .n = c->oc, .k = filters.taps * c->c,
        .pack_a = pack_pixels, .a = &windows, .pack_b = pack_filters, .b = &filters,
        .bias = bias, .out = y,
    };
    return run(backend, &layout, &windows, &gemm, err);
}

enum snap_status TRN_NAME(conv_weight_gradient)(struct trn_backend *backend,
                                                const struct trn_conv *c, const float *dy,
                                                const float *x, float *dw, struct snap_error *err)
{
    const struct filters gradient = { dy, c->oc, 0, 0 };
    struct windows windows;
    const struct layout layout = input_layout(c, x, &windows);
    const struct trn_gemm gemm = {
        .m = c->oc, .n = c->window.kernel_h * c->window.kernel_w * c->c,
        .k = c->n * c->oh * c->ow,
        .pack_a = pack_gradient, .a = &gradient, .pack_b = pack_taps, .b = &windows, .out = dw,
    };
    return run(backend, &layout, &windows, &gemm, err);
}

/* Input row y is under tap r of output row (y + padding - r) / stride, where that is a whole
 * number. With dy's rows `stride` apart, from row R - 1 - padding on, this is row
 * y + (R - 1 - r). */
enum snap_status TRN_NAME(conv_data_gradient)(struct trn_backend *backend,
                                              const struct trn_conv *c, const float *dy,
                                              const float *w, float *dx, struct snap_error *err)
{
    const struct trn_window *window = &c->window;
    const struct filters filters = { w, c->oc, window->kernel_h * window->kernel_w, c->c };
    const struct layout layout = {
        .from = dy, .n = c->n, .h = c->oh, .w = c->ow, .c = c->oc,
        .rows = c->h + window->kernel_h - 1, .columns = c->w + window->kernel_w - 1,
        .step_y = window->stride_h, .step_x = window->stride_w,
        .top = (ptrdiff_t)window->kernel_h - 1 - (ptrdiff_t)window->padding_h,
        .left = (ptrdiff_t)window->kernel_w - 1 - (ptrdiff_t)window->padding_w,
    };
    struct windows windows = {
        .count_y = c->h, .count_x = c->w, .step_y = 1, .step_x = 1,
        .run = c->oc, .runs_x = window->kernel_w,
        .to_x = -(ptrdiff_t)c->oc, .to_y = -(ptrdiff_t)(layout.columns * c->oc),
    };
    const struct trn_gemm gemm = {
        .m = c->n * c->h * c->w, .n = c->c, .k = filters.taps * c->oc,
        .pack_a = pack_pixels, .a = &windows, .pack_b = pack_filters_turned, .b = &filters,
        .out = dx,
    };
    windows.from = (ptrdiff_t)((window->kernel_h - 1) * layout.columns + window->kernel_w - 1) *
                   (ptrdiff_t)c->oc;
    return run(backend, &layout, &windows, &gemm, err);
}
