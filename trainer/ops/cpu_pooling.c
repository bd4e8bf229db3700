/* SPDX-License-Identifier: Apache-2.0 */
/* Maximum and average pooling. A piece of work is a run of pixels: output pixels forwards, input
 * pixels backwards, where each gathers from the windows that cover it, ascending. */
#include "config.h"

#include "ops/cpu_kernels.h"

struct job {
    const struct trn_conv *shape;
    const float *in;
    const int32_t *chosen;
    float *out;
    int32_t *chosen_out;
    float share; /* 1 / (taps of a window) */
};

/* Half-open range of taps or windows. */
struct range {
    size_t begin, end;
};

/* Taps of output position `out` that are inside an image of `size`. */
static struct range taps_inside(size_t out, size_t stride, size_t padding, size_t kernel,
                                size_t size)
{
    const size_t from = out * stride; /* position in the padded image */
    struct range taps = { from < padding ? padding - from : 0, kernel };
    if (from + kernel > padding + size) {
        taps.end = from < padding + size ? padding + size - from : 0;
    }
    return taps;
}

/* Output positions whose window covers input position `in`. */
static struct range windows_over(size_t in, size_t stride, size_t padding, size_t kernel,
                                 size_t count)
{
    const size_t at = in + padding;
    struct range windows = { at < kernel ? 0 : (at - kernel) / stride + 1, at / stride + 1 };
    windows.end = windows.end < count ? windows.end : count;
    return windows;
}

static void maxpool_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const struct trn_conv *c = job->shape;
    const struct trn_window *w = &c->window;
    const size_t channels = c->c;
    (void)worker;
    for (size_t pixel = begin; pixel < end; pixel++) {
        const size_t image = pixel / (c->oh * c->ow);
        const size_t oh = pixel / c->ow % c->oh, ow = pixel % c->ow;
        const struct range r = taps_inside(oh, w->stride_h, w->padding_h, w->kernel_h, c->h);
        const struct range s = taps_inside(ow, w->stride_w, w->padding_w, w->kernel_w, c->w);
        const size_t top = oh * w->stride_h - w->padding_h, left = ow * w->stride_w - w->padding_w;
        float *restrict best = job->out + pixel * c->c;
        int32_t *restrict chosen = job->chosen_out + pixel * c->c;
        for (size_t tr = r.begin; tr < r.end; tr++) {
            for (size_t ts = s.begin; ts < s.end; ts++) {
                const size_t at = (top + tr) * c->w + left + ts;
                const float *restrict x = job->in + (image * c->h * c->w + at) * c->c;
                if (tr == r.begin && ts == s.begin) {
                    for (size_t j = 0; j < channels; j++) {
                        best[j] = x[j];
                        chosen[j] = (int32_t)at;
                    }
                    continue;
                }
                for (size_t j = 0; j < channels; j++) {
                    const float now = x[j], before = best[j];
                    const int32_t taken = (now > before) | (now != now);
                    best[j] = taken ? now : before;
                    chosen[j] = taken ? (int32_t)at : chosen[j];
                }
            }
        }
    }
}

static size_t grain(size_t channels, size_t taps)
{
    return TRN_GRAIN / (channels * taps + 1) + 1;
}

enum snap_status TRN_NAME(maxpool_forward)(struct trn_backend *backend, const struct trn_conv *c,
                                           const float *x, float *y, int32_t *chosen,
                                           struct snap_error *err)
{
    const struct job job = { .shape = c, .in = x, .out = y, .chosen_out = chosen };
    (void)err;
    trn_cpu_split(backend, c->n * c->oh * c->ow,
                  grain(c->c, c->window.kernel_h * c->window.kernel_w), maxpool_range, &job);
    return SNAP_OK;
}

static void gather_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const struct trn_conv *c = job->shape;
    const struct trn_window *w = &c->window;
    const size_t channels = c->c;
    const float share = job->share;
    (void)worker;
    for (size_t pixel = begin; pixel < end; pixel++) {
        const size_t image = pixel / (c->h * c->w), at = pixel % (c->h * c->w);
        const struct range rows =
            windows_over(at / c->w, w->stride_h, w->padding_h, w->kernel_h, c->oh);
        const struct range columns =
            windows_over(at % c->w, w->stride_w, w->padding_w, w->kernel_w, c->ow);
        float *restrict dx = job->out + pixel * channels;
        for (size_t j = 0; j < channels; j++) {
            dx[j] = 0.0f;
        }
        for (size_t oh = rows.begin; oh < rows.end; oh++) {
            for (size_t ow = columns.begin; ow < columns.end; ow++) {
                const size_t window = ((image * c->oh + oh) * c->ow + ow) * channels;
                const float *restrict dy = job->in + window;
                const int32_t *restrict chosen = job->chosen ? job->chosen + window : NULL;
                if (chosen) {
                    for (size_t j = 0; j < channels; j++) {
                        dx[j] = chosen[j] == (int32_t)at ? dx[j] + dy[j] : dx[j];
                    }
                } else {
                    for (size_t j = 0; j < channels; j++) {
                        dx[j] = dx[j] + dy[j];
                    }
                }
            }
        }
        if (!job->chosen) {
            for (size_t j = 0; j < channels; j++) {
                dx[j] = dx[j] * share;
            }
        }
    }
}

enum snap_status TRN_NAME(maxpool_backward)(struct trn_backend *backend, const struct trn_conv *c,
                                            const float *x, const float *y, const int32_t *chosen,
                                            const float *dy, float *dx, struct snap_error *err)
{
    const struct job job = { .shape = c, .in = dy, .chosen = chosen, .out = dx };
    (void)x;
    (void)y;
    (void)err;
    trn_cpu_split(backend, c->n * c->h * c->w, grain(c->c, 4), gather_range, &job);
    return SNAP_OK;
}

static void avgpool_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const struct trn_conv *c = job->shape;
    const struct trn_window *w = &c->window;
    const size_t channels = c->c;
    const float share = job->share;
    (void)worker;
    for (size_t pixel = begin; pixel < end; pixel++) {
        const size_t image = pixel / (c->oh * c->ow);
        const size_t oh = pixel / c->ow % c->oh, ow = pixel % c->ow;
        const struct range r = taps_inside(oh, w->stride_h, w->padding_h, w->kernel_h, c->h);
        const struct range s = taps_inside(ow, w->stride_w, w->padding_w, w->kernel_w, c->w);
        const size_t top = oh * w->stride_h - w->padding_h, left = ow * w->stride_w - w->padding_w;
        float *restrict y = job->out + pixel * c->c;
        for (size_t j = 0; j < channels; j++) {
            y[j] = 0.0f;
        }
        for (size_t tr = r.begin; tr < r.end; tr++) {
            for (size_t ts = s.begin; ts < s.end; ts++) {
                const float *restrict x =
                    job->in + ((image * c->h + top + tr) * c->w + left + ts) * c->c;
                for (size_t j = 0; j < channels; j++) {
                    y[j] = y[j] + x[j];
                }
            }
        }
        for (size_t j = 0; j < channels; j++) {
            y[j] = y[j] * share;
        }
    }
}

static float window_share(const struct trn_window *window)
{
    return 1.0f / (float)(window->kernel_h * window->kernel_w);
}

enum snap_status TRN_NAME(avgpool_forward)(struct trn_backend *backend, const struct trn_conv *c,
                                           const float *x, float *y, struct snap_error *err)
{
    const struct job job = { .shape = c, .in = x, .out = y, .share = window_share(&c->window) };
    (void)err;
    trn_cpu_split(backend, c->n * c->oh * c->ow,
                  grain(c->c, c->window.kernel_h * c->window.kernel_w), avgpool_range, &job);
    return SNAP_OK;
}

enum snap_status TRN_NAME(avgpool_backward)(struct trn_backend *backend, const struct trn_conv *c,
                                            const float *x, const float *y, const float *dy,
                                            float *dx, struct snap_error *err)
{
    const struct job job = { .shape = c, .in = dy, .out = dx, .share = window_share(&c->window) };
    (void)x;
    (void)y;
    (void)err;
    trn_cpu_split(backend, c->n * c->h * c->w, grain(c->c, 4), gather_range, &job);
    return SNAP_OK;
}
