/* SPDX-License-Identifier: Apache-2.0 */
/* The operators as a table of functions: of the profile portable-1 one for each build of the
 * kernels, of cudnn-1 one. docs/determinism.md defines every bit of the results of portable-1;
 * neither the table chosen nor the number of threads changes one.
 *
 * Shapes are in comments, rows first: (m, n). Images are (n, h, w, c), filters (oc, r, s, c).
 * Pointers are backend memory (`alloc`) unless a comment says host. Inputs and outputs do not
 * overlap unless a comment says so. Every operator fails only for want of memory (the device
 * backends: also when the device does; those of cudnn-1 also where the library has no such
 * operation), and its outputs are then undefined. */
#ifndef TRN_OPS_H
#define TRN_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/device.h>
#include <snapstate/pool.h>
#include <snapstate/status.h>
#include <snapstate/stream.h>

struct trn_backend;

enum trn_transpose {
    TRN_NN, /* a (m, k), b (k, n) */
    TRN_NT, /* a (m, k), b (n, k) */
    TRN_TN  /* a (k, m), b (k, n) */
};

struct trn_matmul {
    enum trn_transpose transpose;
    size_t m, n, k;
    const float *a, *b;
    const float *bias; /* (n), added to every row; NULL: none */
    float *out;        /* (m, n) */
};

/* A window that slides over an image. Padding taps count as +0 (convolution, average) or are
 * passed over (maximum). */
struct trn_window {
    size_t kernel_h, kernel_w;
    size_t stride_h, stride_w;
    size_t padding_h, padding_w;
};

struct trn_conv {
    size_t n, h, w, c; /* input */
    size_t oh, ow, oc; /* output; pooling: oc == c */
    struct trn_window window;
};

/* Rows and columns of a batch normalisation, where rows = n * h * w of one shard and each column
 * has its mean, or of a layer normalisation, where each row has. */
struct trn_norm {
    size_t rows, columns;
    float eps;
};

/* Element i of the call is element `first + i` of the logical batch's activation. */
struct trn_dropout {
    uint64_t first;
    uint64_t seed;      /* of the device stream */
    uint32_t counter;   /* n, the device stream's own counter */
    uint32_t op;        /* index of the layer in the model */
    uint32_t threshold; /* T: an element is kept iff its word >= T */
    float scale;        /* of what is kept */
    float probability;  /* that an element is dropped; of cudnn-1, which has no threshold */
};

/* Rows of a table (vocabulary, width), one for each row of the result. */
struct trn_embedding {
    size_t rows, vocabulary, width;
    const float *tokens; /* (rows), whole numbers below `vocabulary`; NULL: row r has r mod it */
};

/* Causal self-attention: place i of a sample looks at the places up to i. Queries, keys and values
 * lie beside each other in `qkv` (samples, places, 3, heads, width). */
struct trn_attention {
    size_t samples, places, heads;
    size_t width; /* of one head */
    float scale;  /* of the products of queries and keys */
};

struct trn_cross_entropy {
    size_t rows, classes;
    const float *logits;   /* (rows, classes) */
    const int32_t *labels; /* (rows), each 0 <= label < classes */
    float inverse_batch;   /* 1/B, B the samples of the whole logical batch */
    float *losses;         /* (rows) */
    float *gradient;       /* (rows, classes), or NULL: not wanted */
    int32_t *best;         /* (rows), first index of the largest logit, or NULL */
};

struct trn_sgd {
    size_t count;
    float lr, momentum, weight_decay;
    const float *gradient;
    float *velocity; /* NULL: no momentum */
    float *weight;
};

struct trn_adam {
    size_t count;
    float lr, beta1, beta2, one_minus_beta1, one_minus_beta2, correction1, correction2, eps;
    float weight_decay; /* Adam: added to the gradient, times the weight */
    float decay;        /* AdamW: lr * weight decay; 0 for Adam, which then has none of it */
    bool decoupled;     /* AdamW */
    const float *gradient;
    float *exp_avg, *exp_avg_sq, *weight;
};

/* Batch normalisation in one operator; gamma, beta and what follows are (columns). */
struct trn_batchnorm {
    struct trn_norm norm;
    const float *x, *gamma, *beta;
    float momentum;
    float *running_mean, *running_var; /* moved; NULL: left as they are */
    float *mean, *rs;                  /* kept for the backward pass: mean, 1 / deviation */
    float *y;                          /* (rows, columns) */
};

struct trn_ops {
    const char *name;    /* "scalar", "sse2", "avx2", "avx512", "neon", "cuda", "cudnn" */
    const char *profile; /* "portable-1", "cudnn-1" */

    /* (optional, defaults to freeing it and its scratch memory) What trn_backend_close does. */
    void (*close)(struct trn_backend *);

    /* ---- of a profile with a binding; portable-1 has none of these four ---- */

    /* (optional, defaults to nothing) Choose how the convolution of the layer `layer` is done, or
     * take what was recorded. `conv` has the most samples that it will be called with. `wants_dx`:
     * conv_data_gradient will be called. SNAP_UNSUPPORTED: there is no such way here. */
    enum snap_status (*plan_conv)(struct trn_backend *, const char *layer,
                                  const struct trn_conv *conv, bool wants_dx, struct snap_error *);
    /* (optional, defaults to {}) What the promise depends on, after all layers were planned: a JSON
     * object without reals; to be freed with free(). */
    enum snap_status (*binding)(struct trn_backend *, char **json, struct snap_error *);
    /* (optional, defaults to a stream of kind philox_dropout, which the caller has) Make the
     * generator of dropout_forward, as `seed` has it. Once, before the first dropout. */
    enum snap_status (*seed_dropout)(struct trn_backend *, uint64_t seed, struct snap_error *);
    /* (with seed_dropout) That generator as a stream of kind "opaque"; their argument is the
     * backend. Static. */
    const struct snap_stream_ops *dropout_stream;

    /* Memory, aligned to 64 bytes, zeroed; `release` of NULL is fine. */
    enum snap_status (*alloc)(struct trn_backend *, size_t size_bytes, void **memory,
                              struct snap_error *);
    void (*release)(struct trn_backend *, void *memory);
    enum snap_status (*upload)(struct trn_backend *, void *to, const void *host, size_t size_bytes,
                               struct snap_error *);
    enum snap_status (*download)(struct trn_backend *, void *host, const void *from,
                                 size_t size_bytes, struct snap_error *);

    /* Within backend memory. */
    enum snap_status (*copy)(struct trn_backend *, void *to, const void *from, size_t size_bytes,
                             struct snap_error *);

    enum snap_status (*matmul)(struct trn_backend *, const struct trn_matmul *,
                               struct snap_error *);
    enum snap_status (*conv_forward)(struct trn_backend *, const struct trn_conv *, const float *x,
                                     const float *w, const float *bias, float *y,
                                     struct snap_error *);
    enum snap_status (*conv_data_gradient)(struct trn_backend *, const struct trn_conv *,
                                           const float *dy, const float *w, float *dx,
                                           struct snap_error *);
    enum snap_status (*conv_weight_gradient)(struct trn_backend *, const struct trn_conv *,
                                             const float *dy, const float *x, float *dw,
                                             struct snap_error *);

    /* RED of x (n) and REDF of x, y (n); `out` has one element. */
    enum snap_status (*reduce)(struct trn_backend *, const float *x, size_t n, float *out,
                               struct snap_error *);
    enum snap_status (*reduce_product)(struct trn_backend *, const float *x, const float *y,
                                       size_t n, float *out, struct snap_error *);
    /* COL of x (rows, columns) into out (columns). */
    enum snap_status (*column_sum)(struct trn_backend *, const float *x, size_t rows,
                                   size_t columns, float *out, struct snap_error *);

    enum snap_status (*relu_forward)(struct trn_backend *, size_t n, const float *x, float *y,
                                     struct snap_error *);
    enum snap_status (*relu_backward)(struct trn_backend *, size_t n, const float *x,
                                      const float *dy, float *dx, struct snap_error *);
    enum snap_status (*gelu_forward)(struct trn_backend *, size_t n, const float *x, float *y,
                                     struct snap_error *);
    enum snap_status (*gelu_backward)(struct trn_backend *, size_t n, const float *x,
                                      const float *dy, float *dx, struct snap_error *);
    /* `mask` (n) gets 1 where an element was kept (cudnn-1: left alone, the backend keeps it). */
    enum snap_status (*dropout_forward)(struct trn_backend *, const struct trn_dropout *, size_t n,
                                        const float *x, float *y, uint8_t *mask,
                                        struct snap_error *);
    enum snap_status (*dropout_backward)(struct trn_backend *, const struct trn_dropout *,
                                         size_t n, const uint8_t *mask, const float *dy, float *dx,
                                         struct snap_error *);

    /* `chosen` (n, oh, ow, c): h * w index of the tap taken (cudnn-1: left alone). Backwards, x and
     * y are those of the forward pass; portable-1 looks at neither. */
    enum snap_status (*maxpool_forward)(struct trn_backend *, const struct trn_conv *,
                                        const float *x, float *y, int32_t *chosen,
                                        struct snap_error *);
    enum snap_status (*maxpool_backward)(struct trn_backend *, const struct trn_conv *,
                                         const float *x, const float *y, const int32_t *chosen,
                                         const float *dy, float *dx, struct snap_error *);
    enum snap_status (*avgpool_forward)(struct trn_backend *, const struct trn_conv *,
                                        const float *x, float *y, struct snap_error *);
    enum snap_status (*avgpool_backward)(struct trn_backend *, const struct trn_conv *,
                                         const float *x, const float *y, const float *dy,
                                         float *dx, struct snap_error *);

    /* mean, var (biased), unbiased: (columns); rows >= 1. */
    enum snap_status (*norm_statistics)(struct trn_backend *, const struct trn_norm *,
                                        const float *x, float *mean, float *var, float *unbiased,
                                        struct snap_error *);
    /* y = normalised x; all of mean, var, gamma, beta are (columns). */
    enum snap_status (*norm_forward)(struct trn_backend *, const struct trn_norm *, const float *x,
                                     const float *mean, const float *var, const float *gamma,
                                     const float *beta, float *y, struct snap_error *);
    /* dgamma, dbeta (columns); dx NULL: not wanted. */
    enum snap_status (*norm_backward)(struct trn_backend *, const struct trn_norm *, const float *x,
                                      const float *mean, const float *var, const float *gamma,
                                      const float *dy, float *dgamma, float *dbeta, float *dx,
                                      struct snap_error *);
    /* running = fmaf(momentum, value - running, running), (columns). */
    enum snap_status (*norm_running)(struct trn_backend *, size_t columns, float momentum,
                                     const float *value, float *running, struct snap_error *);

    /* (optional, defaults to the operators above) Statistics, running statistics and y in one, and
     * back: mean and rs are those of batchnorm_forward, dx may be NULL. */
    enum snap_status (*batchnorm_forward)(struct trn_backend *, const struct trn_batchnorm *,
                                          struct snap_error *);
    enum snap_status (*batchnorm_backward)(struct trn_backend *, const struct trn_batchnorm *,
                                           const float *dy, float *dgamma, float *dbeta, float *dx,
                                           struct snap_error *);

    /* Each row by its own mean and 1 / deviation, which go to `mean` and `rs` (rows); gamma and
     * beta are (columns), columns >= 1. */
    enum snap_status (*layernorm_forward)(struct trn_backend *, const struct trn_norm *,
                                          const float *x, const float *gamma, const float *beta,
                                          float *mean, float *rs, float *y, struct snap_error *);
    /* dgamma, dbeta (columns); dx NULL: not wanted. */
    enum snap_status (*layernorm_backward)(struct trn_backend *, const struct trn_norm *,
                                           const float *x, const float *mean, const float *rs,
                                           const float *gamma, const float *dy, float *dgamma,
                                           float *dbeta, float *dx, struct snap_error *);

    /* y (rows, width) = w[token], plus x (rows, width) unless that is NULL. */
    enum snap_status (*embedding_forward)(struct trn_backend *, const struct trn_embedding *,
                                          const float *w, const float *x, float *y,
                                          struct snap_error *);
    /* dw (vocabulary, width) */
    enum snap_status (*embedding_backward)(struct trn_backend *, const struct trn_embedding *,
                                           const float *dy, float *dw, struct snap_error *);

    /* y (samples, places, heads, width); `weights` (samples, heads, places, places): what the
     * softmax gave, +0 for later places, for the backward pass. */
    enum snap_status (*attention_forward)(struct trn_backend *, const struct trn_attention *,
                                          const float *qkv, float *weights, float *y,
                                          struct snap_error *);
    /* dqkv as qkv */
    enum snap_status (*attention_backward)(struct trn_backend *, const struct trn_attention *,
                                           const float *qkv, const float *weights,
                                           const float *dy, float *dqkv, struct snap_error *);

    enum snap_status (*cross_entropy)(struct trn_backend *, const struct trn_cross_entropy *,
                                      struct snap_error *);

    /* sum = sum + x and x = x * factor, (n). */
    enum snap_status (*add)(struct trn_backend *, size_t n, const float *x, float *sum,
                            struct snap_error *);
    enum snap_status (*scale)(struct trn_backend *, size_t n, float factor, float *x,
                              struct snap_error *);
    /* The index of the first element of x (n) that is NaN or infinite, n if none is. `index` is
     * host memory. */
    enum snap_status (*first_nonfinite)(struct trn_backend *, size_t n, const float *x,
                                        size_t *index, struct snap_error *);

    enum snap_status (*sgd)(struct trn_backend *, const struct trn_sgd *, struct snap_error *);
    enum snap_status (*adam)(struct trn_backend *, const struct trn_adam *, struct snap_error *);
};

/* For whom an operator runs; see op_trace.h. */
struct trn_op_place {
    const char *phase, *name;
    unsigned shard;
};

/* One place where operators run: a table and the threads and scratch memory they use. Used by one
 * thread at a time. */
struct trn_backend {
    const struct trn_ops *ops;
    struct snap_device device; /* whose memory `alloc` gives */
    void *stream;              /* of the device, with all its work: a cudaStream_t; CPU: NULL */
    struct snap_pool *pool; /* borrowed */
    void *scratch;          /* private to the operators */
    size_t scratch_size_bytes;
    void *library; /* private to the operators of cudnn-1; else NULL */
    struct trn_op_trace *trace; /* NULL: none is on */
    struct trn_op_place place;
};

/* Open the CPU backend over `pool` (borrowed until close). `isa` names the table ("scalar",
 * "sse2", "avx2", "avx512", "neon"); NULL takes the environment's SNAP_ISA, or, where that is unset
 * or empty, the best this CPU has. A small hash of operators is made and compared first.
 * SNAP_INVALID: no such name. SNAP_UNSUPPORTED: not in this build, not on this CPU, or the small
 * hash differs. */
enum snap_status trn_backend_open(const char *isa, struct snap_pool *pool,
                                  struct trn_backend **backend, struct snap_error *err);

/* Open CUDA device `index`; the same bits as on any CPU, checked by the same small hash. What it
 * queued is done when a download returns, and errors of the device may come that late. `pool` is
 * borrowed until close. SNAP_UNSUPPORTED: not in this build, no such device, no driver, or the
 * small hash differs. */
enum snap_status trn_device_backend_open(int index, struct snap_pool *pool,
                                         struct trn_backend **backend, struct snap_error *err);

struct trn_cudnn_options {
    const char *recorded; /* the binding of the run that goes on, JSON: nothing is chosen, what it
                           * names is taken; NULL: a new run. Borrowed for the call */
    bool tf32;            /* convolutions and products may round their operands to TF32 */
};

/* Open CUDA device `index` for the profile cudnn-1: convolutions, pooling, softmax, batch
 * normalisation and dropout by cuDNN, products by cuBLAS, the rest by the kernels of portable-1.
 * The libraries are loaded here. SNAP_UNSUPPORTED as above, and: a library is missing (the text
 * says which and where it was looked for). SNAP_INVALID: `recorded` is none of this profile. */
enum snap_status trn_cudnn_backend_open(int index, const struct trn_cudnn_options *options,
                                        struct snap_pool *pool, struct trn_backend **backend,
                                        struct snap_error *err);

/* NULL is fine. Memory from `alloc` is released by whoever asked for it, before this. */
void trn_backend_close(struct trn_backend *backend);

/* The table of that name, or NULL when this build has none; for tests that go through all. */
const struct trn_ops *trn_ops_find(const char *name);

#endif
