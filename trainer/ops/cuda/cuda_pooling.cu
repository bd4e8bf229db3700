/* SPDX-License-Identifier: Apache-2.0 */
/* Maximum and average pooling: a thread for each output forwards, for each input backwards, where
 * it gathers from the windows that cover it, ascending. */
#include "ops/cuda/cuda_backend.h"

/* Half-open range of taps or windows. */
struct pool_range {
    size_t begin, end;
};

/* Taps of output position `out` that are inside an image of `size`. */
static __device__ struct pool_range taps_inside(size_t out, size_t stride, size_t padding,
                                                size_t kernel, size_t size)
{
    const size_t from = out * stride; /* position in the padded image */
    struct pool_range taps = { from < padding ? padding - from : 0, kernel };
    if (from + kernel > padding + size) {
        taps.end = from < padding + size ? padding + size - from : 0;
    }
    return taps;
}

/* Output positions whose window covers input position `in`. */
static __device__ struct pool_range windows_over(size_t in, size_t stride, size_t padding,
                                                 size_t kernel, size_t count)
{
    const size_t at = in + padding;
    struct pool_range windows = { at < kernel ? 0 : (at - kernel) / stride + 1, at / stride + 1 };
    windows.end = windows.end < count ? windows.end : count;
    return windows;
}

/* Where output element `item` is, and what its window covers. */
struct pool_window {
    size_t image, top, left, channel; /* top and left wrap in the padding; tap positions do not */
    struct pool_range rows, columns;
};

static __device__ struct pool_window window_of(const struct trn_conv &c, size_t item)
{
    const struct trn_window &w = c.window;
    const size_t pixel = item / c.c, oh = pixel / c.ow % c.oh, ow = pixel % c.ow;
    const struct pool_window found = {
        pixel / (c.oh * c.ow), oh * w.stride_h - w.padding_h, ow * w.stride_w - w.padding_w,
        item % c.c, taps_inside(oh, w.stride_h, w.padding_h, w.kernel_h, c.h),
        taps_inside(ow, w.stride_w, w.padding_w, w.kernel_w, c.w)
    };
    return found;
}

static __global__ void maxpool_forward(struct trn_conv c, size_t items, const float *in,
                                       float *out, int32_t *chosen)
{
    for (size_t item = trn_cuda_first(); item < items; item += trn_cuda_step()) {
        const struct pool_window w = window_of(c, item);
        bool first = true;
        float best = 0.0f;
        size_t taken = 0;
        for (size_t r = w.rows.begin; r < w.rows.end; r++) {
            for (size_t s = w.columns.begin; s < w.columns.end; s++) {
                const size_t at = (w.top + r) * c.w + w.left + s;
                const float x = in[(w.image * c.h * c.w + at) * c.c + w.channel];
                if (first || x > best || x != x) {
                    best = x;
                    taken = at;
                    first = false;
                }
            }
        }
        out[item] = best;
        chosen[item] = (int32_t)taken;
    }
}

static __global__ void avgpool_forward(struct trn_conv c, size_t items, float share,
                                       const float *in, float *out)
{
    for (size_t item = trn_cuda_first(); item < items; item += trn_cuda_step()) {
        const struct pool_window w = window_of(c, item);
        float sum = 0.0f;
        for (size_t r = w.rows.begin; r < w.rows.end; r++) {
            for (size_t s = w.columns.begin; s < w.columns.end; s++) {
                const size_t at = (w.top + r) * c.w + w.left + s;
                sum = __fadd_rn(sum, in[(w.image * c.h * c.w + at) * c.c + w.channel]);
            }
        }
        out[item] = __fmul_rn(sum, share);
    }
}

/* The sum for input element `item`: of all windows, or, with `chosen`, of those that took it. */
static __device__ float gather(const struct trn_conv &c, size_t item, const int32_t *chosen,
                               const float *dy)
{
    const struct trn_window &w = c.window;
    const size_t pixel = item / c.c, channel = item % c.c;
    const size_t image = pixel / (c.h * c.w), at = pixel % (c.h * c.w);
    const struct pool_range rows =
        windows_over(at / c.w, w.stride_h, w.padding_h, w.kernel_h, c.oh);
    const struct pool_range columns =
        windows_over(at % c.w, w.stride_w, w.padding_w, w.kernel_w, c.ow);
    float sum = 0.0f;
    for (size_t oh = rows.begin; oh < rows.end; oh++) {
        for (size_t ow = columns.begin; ow < columns.end; ow++) {
            const size_t window = ((image * c.oh + oh) * c.ow + ow) * c.c + channel;
            if (!chosen || chosen[window] == (int32_t)at) {
                sum = __fadd_rn(sum, dy[window]);
            }
        }
    }
    return sum;
}

static __global__ void maxpool_backward(struct trn_conv c, size_t items, const int32_t *chosen,
                                        const float *dy, float *dx)
{
    for (size_t item = trn_cuda_first(); item < items; item += trn_cuda_step()) {
        dx[item] = gather(c, item, chosen, dy);
    }
}

static __global__ void avgpool_backward(struct trn_conv c, size_t items, float share,
                                        const float *dy, float *dx)
{
    for (size_t item = trn_cuda_first(); item < items; item += trn_cuda_step()) {
        dx[item] = __fmul_rn(gather(c, item, NULL, dy), share);
    }
}

static float window_share(const struct trn_window *window)
{
    return 1.0f / (float)(window->kernel_h * window->kernel_w);
}

static size_t outputs(const struct trn_conv *c)
{
    return c->n * c->oh * c->ow * c->c;
}

static size_t inputs(const struct trn_conv *c)
{
    return c->n * c->h * c->w * c->c;
}

extern "C" enum snap_status trn_cuda_maxpool_forward(struct trn_backend *backend,
                                                     const struct trn_conv *c, const float *x,
                                                     float *y, int32_t *chosen,
                                                     struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "maxpool", maxpool_forward, outputs(c), err, *c,
                                outputs(c), x, y, chosen);
}

extern "C" enum snap_status trn_cuda_maxpool_backward(struct trn_backend *backend,
                                                      const struct trn_conv *c, const float *x,
                                                      const float *y, const int32_t *chosen,
                                                      const float *dy, float *dx,
                                                      struct snap_error *err)
{
    (void)x;
    (void)y;
    return trn_cuda_launch_over(backend, "maxpool, backward", maxpool_backward, inputs(c), err, *c,
                                inputs(c), chosen, dy, dx);
}

extern "C" enum snap_status trn_cuda_avgpool_forward(struct trn_backend *backend,
                                                     const struct trn_conv *c, const float *x,
                                                     float *y, struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "avgpool", avgpool_forward, outputs(c), err, *c,
                                outputs(c), window_share(&c->window), x, y);
}

extern "C" enum snap_status trn_cuda_avgpool_backward(struct trn_backend *backend,
                                                      const struct trn_conv *c, const float *x,
                                                      const float *y, const float *dy, float *dx,
                                                      struct snap_error *err)
{
    (void)x;
    (void)y;
    return trn_cuda_launch_over(backend, "avgpool, backward", avgpool_backward, inputs(c), err, *c,
                                inputs(c), window_share(&c->window), dy, dx);
}
