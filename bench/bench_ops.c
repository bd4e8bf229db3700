/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer's side of the arithmetic figures: one operator, or one training step; by the
 * processor, by CUDA device I under portable-1 (`cuda:I`) or under cudnn-1 (`cudnn:I`).
 *     bench_ops [cuda:I | cudnn:I] matmul M N K | reduce N | relu N | add N | copy N | mlp BATCH |
 *         cnn BATCH | digest MIB
 * `copy` is the processor's; `digest` is of a device: the tree hashes of 40 tensors.
 * Each line "go" on standard input is answered by the seconds of one call: the mean of as many as
 * fit in a tenth of a second. Memory is filled and touched before the clock runs. SNAP_ISA and the
 * processors that the process may use are respected. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device/device_ops.h"
#include "digest/tree_digest.h"
#include "layers/model.h"
#include "optim/optimizer.h"

#define LONG_ENOUGH_S 0.1
#define COPY_GRAIN ((size_t)65536)

static struct snap_error err = SNAP_ERROR_INIT;
static struct snap_pool *pool;
static struct trn_backend *backend;

static void must(enum snap_status status)
{
    if (status == SNAP_OK) {
        return;
    }
    fprintf(stderr, "bench_ops: %s\n", err.text);
    exit(3);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Numbers from -0.5 to 0.5. Host memory that lives as long as the process, or until free(). */
static float *host_numbers(size_t count)
{
    uint64_t state = count;
    float *values = malloc((count + 1) * sizeof(float));
    if (!values) {
        fprintf(stderr, "bench_ops: out of memory\n");
        exit(3);
    }
    for (size_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        values[i] = (float)(state >> 40) / 16777216.0f - 0.5f;
    }
    return values;
}

/* The same in backend memory that lives as long as the process. */
static float *numbers(size_t count)
{
    void *memory = NULL;
    float *values = host_numbers(count);
    must(backend->ops->alloc(backend, (count + 1) * sizeof(float), &memory, &err));
    must(backend->ops->upload(backend, memory, values, count * sizeof(float), &err));
    free(values);
    return memory;
}

/* What is measured: `size` elements, or a product, or a model. */
static size_t size;
static float *x, *y;
static struct trn_matmul product;
static struct trn_model *model;
static struct trn_optimizer *optimizer;
static struct trn_shard shard;
static int32_t labels[1024];

static void call_matmul(void)
{
    must(backend->ops->matmul(backend, &product, &err));
}

static void call_reduce(void)
{
    must(backend->ops->reduce(backend, x, size, y, &err));
}

static void call_relu(void)
{
    must(backend->ops->relu_forward(backend, size, x, y, &err));
}

static void call_add(void)
{
    must(backend->ops->add(backend, size, x, y, &err));
}

static void copy_piece(void *arg, size_t index, unsigned worker)
{
    const size_t first = index * COPY_GRAIN;
    const size_t count = size - first < COPY_GRAIN ? size - first : COPY_GRAIN;
    (void)arg;
    (void)worker;
    memcpy(y + first, x + first, count * sizeof(float));
}

static void call_copy(void)
{
    snap_pool_run(pool, (size + COPY_GRAIN - 1) / COPY_GRAIN, copy_piece, NULL);
}

#define PIECES 40
static struct snap_device_piece pieces[PIECES];
static struct snap_digest_item items[PIECES];
static struct snap_device_digester *digester;

/* As a state digest does it: leaves by the device, roots by the processor. */
static void call_digest(void)
{
    const unsigned char *leaves = NULL;
    must(snap_device_cuda()->digest_leaves(digester, pieces, PIECES, backend->stream, &leaves,
                                           &err));
    for (size_t i = 0; i < PIECES; i++) {
        items[i].size_bytes = pieces[i].size_bytes;
        items[i].leaves = leaves;
        leaves += snap_tree_leaf_count(pieces[i].size_bytes) * SNAP_DIGEST_BYTES;
    }
    must(snap_tree_hashes(pool, items, PIECES, &err));
}

/* As the training loop does it, without data and ledger. */
static void call_step(void)
{
    struct trn_scalar scalars[TRN_OPTIMIZER_MAX_SCALARS];
    float norm;
    size_t count;
    shard.device_counter++;
    must(trn_model_forward_backward(model, &shard, &err));
    must(trn_model_check_finite(model, NULL, &err));
    must(trn_optimizer_gradient_norm(optimizer, &norm, &err));
    count = trn_optimizer_scalars(optimizer, 1e-3f, norm, scalars);
    must(trn_optimizer_update(optimizer, scalars, count, &err));
}

#define WINDOW(kernel, stride, padding) { kernel, kernel, stride, stride, padding, padding }

static const struct trn_layer_spec mlp[] = {
    { .kind = TRN_LAYER_FLATTEN, .name = "flatten" },
    { .kind = TRN_LAYER_LINEAR, .name = "fc1", .features = 512, .bias = true },
    { .kind = TRN_LAYER_RELU, .name = "relu1" },
    { .kind = TRN_LAYER_LINEAR, .name = "fc2", .features = 256, .bias = true },
    { .kind = TRN_LAYER_RELU, .name = "relu2" },
    { .kind = TRN_LAYER_LINEAR, .name = "fc3", .features = 10, .bias = true },
};

/* examples/mnist-cnn.json */
static const struct trn_layer_spec cnn[] = {
    { .kind = TRN_LAYER_CONV2D, .name = "conv1", .features = 16, .bias = true,
      .window = WINDOW(3, 1, 1) },
    { .kind = TRN_LAYER_BATCHNORM, .name = "bn1", .eps = 1e-5, .momentum = 0.1 },
    { .kind = TRN_LAYER_RELU, .name = "relu1" },
    { .kind = TRN_LAYER_MAXPOOL, .name = "pool1", .window = WINDOW(2, 0, 0) },
    { .kind = TRN_LAYER_CONV2D, .name = "conv2", .features = 32, .bias = true,
      .window = WINDOW(3, 1, 1) },
    { .kind = TRN_LAYER_BATCHNORM, .name = "bn2", .eps = 1e-5, .momentum = 0.1 },
    { .kind = TRN_LAYER_RELU, .name = "relu2" },
    { .kind = TRN_LAYER_AVGPOOL, .name = "pool2", .window = WINDOW(2, 0, 0) },
    { .kind = TRN_LAYER_DROPOUT, .name = "drop1", .probability = 0.25 },
    { .kind = TRN_LAYER_FLATTEN, .name = "flatten" },
    { .kind = TRN_LAYER_LINEAR, .name = "fc1", .features = 10, .bias = true },
};

static void prepare_step(const struct trn_layer_spec *layers, size_t layer_count, size_t batch)
{
    static const struct trn_optimizer_spec adamw = { TRN_ADAMW, 0.0, 0.01, 0.9, 0.999, 1e-8, 5.0 };
    struct trn_model_options options = TRN_MODEL_OPTIONS_INIT;
    struct snap_stream *host = NULL;
    options.layers = layers;
    options.layer_count = layer_count;
    options.height = options.width = 28;
    options.channels = 1;
    options.classes = 10;
    options.max_batch = batch;
    must(snap_stream_new("torch_cpu", &host, &err));
    must(snap_stream_seed(host, 1, &err));
    must(trn_model_new(&options, backend, &model, &err));
    must(trn_model_init(model, host, &err));
    if (backend->ops->seed_dropout) {
        must(backend->ops->seed_dropout(backend, 1, &err));
    }
    must(trn_optimizer_new(&adamw, trn_model_tensors(model), trn_model_tensor_count(model), backend,
                           &optimizer, &err));
    snap_stream_free(host);
    for (size_t i = 0; i < batch; i++) {
        labels[i] = (int32_t)(i % 10);
    }
    shard = (struct trn_shard){ .inputs = host_numbers(batch * 28 * 28), .labels = labels,
                                .samples = batch, .batch = batch, .device_seed = 1 };
}

static void prepare_elements(size_t count)
{
    size = count;
    x = numbers(count);
    y = numbers(count);
}

/* A PIECES-th of so many MiB each. */
static void prepare_digest(size_t mebibytes)
{
    const size_t count = mebibytes * ((size_t)1 << 20) / PIECES / sizeof(float);
    must(snap_device_cuda()->digester_new(backend->device.index, &digester, &err));
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i].device = numbers(count);
        pieces[i].size_bytes = count * sizeof(float);
    }
}

typedef void call_function(void);

static call_function *prepare(const char *what, const size_t number[3])
{
    static const struct {
        const char *name;
        call_function *call;
    } elements[] = { { "reduce", call_reduce }, { "relu", call_relu }, { "add", call_add },
                     { "copy", call_copy } };
    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
        if (strcmp(what, elements[i].name) == 0) {
            prepare_elements(number[0]);
            return elements[i].call;
        }
    }
    if (strcmp(what, "matmul") == 0) {
        product = (struct trn_matmul){ .transpose = TRN_NN, .m = number[0], .n = number[1],
                                       .k = number[2] };
        product.a = numbers(number[0] * number[2]);
        product.b = numbers(number[2] * number[1]);
        product.out = numbers(number[0] * number[1]);
        return call_matmul;
    }
    if (strcmp(what, "digest") == 0 && backend->device.kind == SNAP_DEVICE_CUDA) {
        prepare_digest(number[0]);
        return call_digest;
    }
    if (number[0] > sizeof(labels) / sizeof(labels[0])) {
        return NULL;
    }
    if (strcmp(what, "mlp") == 0) {
        prepare_step(mlp, sizeof(mlp) / sizeof(mlp[0]), number[0]);
    } else if (strcmp(what, "cnn") == 0) {
        prepare_step(cnn, sizeof(cnn) / sizeof(cnn[0]), number[0]);
    } else {
        return NULL;
    }
    return call_step;
}

/* Wait for what a device was given to do. */
static void settle(void)
{
    static void *word;
    float ignored;
    if (backend->device.kind == SNAP_DEVICE_CPU) {
        return;
    }
    if (!word) {
        must(backend->ops->alloc(backend, sizeof(float), &word, &err));
    }
    must(backend->ops->download(backend, &ignored, word, sizeof(float), &err));
}

/* Mean seconds of a call. */
static double measure(call_function *call)
{
    double began;
    size_t calls = 0;
    call();
    settle();
    began = seconds();
    do {
        call();
        calls++;
    } while (seconds() - began < LONG_ENOUGH_S);
    settle();
    return (seconds() - began) / (double)calls;
}

int main(int argc, char **argv)
{
    size_t number[3] = { 1, 1, 1 };
    call_function *call;
    char line[16];
    must(snap_pool_new(0, &pool, &err));
    if (argc > 1 && strncmp(argv[1], "cuda:", 5) == 0) {
        must(trn_device_backend_open(atoi(argv[1] + 5), pool, &backend, &err));
    } else if (argc > 1 && strncmp(argv[1], "cudnn:", 6) == 0) {
        const struct trn_cudnn_options options = { NULL, false };
        must(trn_cudnn_backend_open(atoi(argv[1] + 6), &options, pool, &backend, &err));
    } else {
        must(trn_backend_open(NULL, pool, &backend, &err));
    }
    if (backend->device.kind != SNAP_DEVICE_CPU) {
        argc--;
        argv++;
    }
    for (int i = 2; i < argc && i < 5; i++) {
        number[i - 2] = (size_t)strtoull(argv[i], NULL, 10);
    }
    call = argc > 2 ? prepare(argv[1], number) : NULL;
    if (!call) {
        fprintf(stderr, "usage: bench_ops [cuda:I | cudnn:I] matmul M N K | reduce N | relu N | "
                        "add N | copy N | mlp BATCH | cnn BATCH (at most 1024) | digest MIB\n");
        return 2;
    }
    while (fgets(line, sizeof(line), stdin)) {
        printf("%.9f\n", measure(call));
        fflush(stdout);
    }
    return 0;
}
