/* SPDX-License-Identifier: Apache-2.0 */
/* Maximum and average pooling: a thread for each output forwards, for each input backwards, where
 * it gathers from the windows that cover it, ascending. */
#include "ops/cuda/cuda_backend.h"

/* trn_conv in a type that counts all its elements: `unsigned` where that is enough, whose divisions
 * take a device a third of the time of those of size_t. */
template <typename T> struct pool_sizes {
    T h, w, c, oh, ow;
    T kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w;
    explicit pool_sizes(const struct trn_conv &s)
        : h((T)s.h), w((T)s.w), c((T)s.c), oh((T)s.oh), ow((T)s.ow),
          kernel_h((T)s.window.kernel_h), kernel_w((T)s.window.kernel_w),
          stride_h((T)s.window.stride_h), stride_w((T)s.window.stride_w),
          padding_h((T)s.window.padding_h), padding_w((T)s.window.padding_w)
    {
    }
};

/* Half-open range of taps or windows. */
template <typename T> struct pool_range {
    T begin, end;
};

/* Taps of output position `out` that are inside an image of `size`. */
template <typename T>
static __device__ pool_range<T> taps_inside(T out, T stride, T padding, T kernel, T size)
{
    const T from = out * stride; /* position in the padded image */
    pool_range<T> taps = { from < padding ? padding - from : 0, kernel };
    if (from + kernel > padding + size) {
        taps.end = from < padding + size ? padding + size - from : 0;
    }
    return taps;
}

/* Output positions whose window covers input position `in`. */
template <typename T>
static __device__ pool_range<T> windows_over(T in, T stride, T padding, T kernel, T count)
{
    const T at = in + padding;
    pool_range<T> windows = { at < kernel ? 0 : (at - kernel) / stride + 1, at / stride + 1 };
    windows.end = windows.end < count ? windows.end : count;
    return windows;
}

/* Where output element `item` is, and what its window covers. */
template <typename T> struct pool_window {
    T image, top, left, channel; /* top and left wrap in the padding; tap positions do not */
    pool_range<T> rows, columns;

    __device__ pool_window(const pool_sizes<T> &c, T item)
    {
        const T pixel = item / c.c, row = pixel / c.ow % c.oh, column = pixel % c.ow;
        image = pixel / (c.oh * c.ow);
        top = row * c.stride_h - c.padding_h;
        left = column * c.stride_w - c.padding_w;
        channel = item % c.c;
        rows = taps_inside(row, c.stride_h, c.padding_h, c.kernel_h, c.h);
        columns = taps_inside(column, c.stride_w, c.padding_w, c.kernel_w, c.w);
    }
};

template <typename T>
static __global__ void maxpool_forward(pool_sizes<T> c, size_t items, const float *in, float *out,
                                       int32_t *chosen)
{
    for (size_t item = trn_cuda_first(); item < items; item += trn_cuda_step()) {
        const pool_window<T> w(c, (T)item);
        bool first = true;
        float best = 0.0f;
        T taken = 0;
        for (T r = w.rows.begin; r < w.rows.end; r++) {
            for (T s = w.columns.begin; s < w.columns.end; s++) {
                const T at = (w.top + r) * c.w + w.left + s;
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

template <typename T>
static __global__ void avgpool_forward(pool_sizes<T> c, size_t items, float share, const float *in,
                                       float *out)
{
    for (size_t item = trn_cuda_first(); item < items; item += trn_cuda_step()) {
        const pool_window<T> w(c, (T)item);
        float sum = 0.0f;
        for (T r = w.rows.begin; r < w.rows.end; r++) {
            for (T s = w.columns.begin; s < w.columns.end; s++) {
                const T at = (w.top + r) * c.w + w.left + s;
                sum = __fadd_rn(sum, in[(w.image * c.h * c.w + at) * c.c + w.channel]);
            }
        }
        out[item] = __fmul_rn(sum, share);
    }
}

/* The sum for input element `item`: of all windows, or, with `chosen`, of those that took it. */
template <typename T>
static __device__ float gather(const pool_sizes<T> &c, T item, const int32_t *chosen,
                               const float *dy)
{
    const T pixel = item / c.c, channel = item % c.c;
    const T image = pixel / (c.h * c.w), at = pixel % (c.h * c.w);
    const pool_range<T> rows =
        windows_over(at / c.w, c.stride_h, c.padding_h, c.kernel_h, c.oh);
    const pool_range<T> columns =
        windows_over(at % c.w, c.stride_w, c.padding_w, c.kernel_w, c.ow);
    float sum = 0.0f;
    for (T oh = rows.begin; oh < rows.end; oh++) {
        for (T ow = columns.begin; ow < columns.end; ow++) {
            const T window = ((image * c.oh + oh) * c.ow + ow) * c.c + channel;
            if (!chosen || chosen[window] == (int32_t)at) {
                sum = __fadd_rn(sum, dy[window]);
            }
        }
    }
    return sum;
}

template <typename T>
static __global__ void maxpool_backward(pool_sizes<T> c, size_t items, const int32_t *chosen,
                                        const float *dy, float *dx)
{
    for (size_t item = trn_cuda_first(); item < items; item += trn_cuda_step()) {
        dx[item] = gather(c, (T)item, chosen, dy);
    }
}

template <typename T>
static __global__ void avgpool_backward(pool_sizes<T> c, size_t items, float share,
                                        const float *dy, float *dx)
{
    for (size_t item = trn_cuda_first(); item < items; item += trn_cuda_step()) {
        dx[item] = __fmul_rn(gather(c, (T)item, (const int32_t *)NULL, dy), share);
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

/* Are all its numbers, and those of its windows, unsigned? */
static bool is_small(struct trn_backend *backend, const struct trn_conv *c)
{
    const size_t most = UINT32_MAX / 4, rows = c->h + c->window.padding_h + c->window.kernel_h;
    const size_t columns = c->w + c->window.padding_w + c->window.kernel_w;
    return !trn_cuda_of(backend)->ways.wide && inputs(c) <= most && outputs(c) <= most &&
           rows <= most && columns <= most && c->oh <= most / c->window.stride_h &&
           c->ow <= most / c->window.stride_w;
}

/* Queue the kernel of the size that is wanted, over `items`. */
template <typename... Formal, typename... Actual>
static enum snap_status launch(struct trn_backend *backend, const char *what,
                               void (*small)(pool_sizes<unsigned>, size_t, Formal...),
                               void (*large)(pool_sizes<size_t>, size_t, Formal...),
                               const struct trn_conv *c, size_t items, struct snap_error *err,
                               Actual... arguments)
{
    return is_small(backend, c)
               ? trn_cuda_launch_over(backend, what, small, items, err, pool_sizes<unsigned>(*c),
                                      items, arguments...)
               : trn_cuda_launch_over(backend, what, large, items, err, pool_sizes<size_t>(*c),
                                      items, arguments...);
}

extern "C" enum snap_status trn_cuda_maxpool_forward(struct trn_backend *backend,
                                                     const struct trn_conv *c, const float *x,
                                                     float *y, int32_t *chosen,
                                                     struct snap_error *err)
{
    return launch(backend, "maxpool", maxpool_forward<unsigned>, maxpool_forward<size_t>, c,
                  outputs(c), err, x, y, chosen);
}

extern "C" enum snap_status trn_cuda_maxpool_backward(struct trn_backend *backend,
                                                      const struct trn_conv *c, const float *x,
                                                      const float *y, const int32_t *chosen,
                                                      const float *dy, float *dx,
                                                      struct snap_error *err)
{
    (void)x;
    (void)y;
    return launch(backend, "maxpool, backward", maxpool_backward<unsigned>,
                  maxpool_backward<size_t>, c, inputs(c), err, chosen, dy, dx);
}

extern "C" enum snap_status trn_cuda_avgpool_forward(struct trn_backend *backend,
                                                     const struct trn_conv *c, const float *x,
                                                     float *y, struct snap_error *err)
{
    return launch(backend, "avgpool", avgpool_forward<unsigned>, avgpool_forward<size_t>, c,
                  outputs(c), err, window_share(&c->window), x, y);
}

extern "C" enum snap_status trn_cuda_avgpool_backward(struct trn_backend *backend,
                                                      const struct trn_conv *c, const float *x,
                                                      const float *y, const float *dy, float *dx,
                                                      struct snap_error *err)
{
    (void)x;
    (void)y;
    return launch(backend, "avgpool, backward", avgpool_backward<unsigned>,
                  avgpool_backward<size_t>, c, inputs(c), err, window_share(&c->window), dy, dx);
}
