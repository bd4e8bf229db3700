/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the initial tensors of a model, for the comparison with torch.
 *
 * usage: dump_init SEED HEIGHT WIDTH CHANNELS LAYER...
 * LAYER is KIND:NAME[:FEATURES[:KERNEL_H[:KERNEL_W[:BIAS[:PADDING]]]]], BIAS 0 or 1.
 * One line a tensor: name, shape as 6x3x3x2 ("-" for none), then the elements as hex words. Then
 * "words N": what was drawn. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/model.h"

#define MOST_LAYERS 64

/* A layer from its words; the name points into `text`. */
static int parse_layer(char *text, struct trn_layer_spec *spec)
{
    char *words[7] = { NULL };
    size_t count = 0;
    for (char *word = strtok(text, ":"); word && count < 7; word = strtok(NULL, ":")) {
        words[count++] = word;
    }
    memset(spec, 0, sizeof(*spec));
    if (count < 2 || !trn_layer_kind_parse(words[0], &spec->kind)) {
        return -1;
    }
    spec->name = words[1];
    spec->features = count > 2 ? strtoul(words[2], NULL, 10) : 0;
    spec->window.kernel_h = count > 3 ? strtoul(words[3], NULL, 10) : 0;
    spec->window.kernel_w = count > 4 ? strtoul(words[4], NULL, 10) : spec->window.kernel_h;
    spec->bias = count > 5 ? strcmp(words[5], "0") != 0 : true;
    spec->window.padding_h = spec->window.padding_w = count > 6 ? strtoul(words[6], NULL, 10) : 0;
    spec->eps = 1e-5;
    spec->momentum = 0.1;
    return 0;
}

static void print_tensor(const struct trn_tensor *tensor)
{
    printf("%s ", tensor->name);
    for (unsigned i = 0; i < tensor->rank; i++) {
        printf("%s%zu", i ? "x" : "", tensor->shape[i]);
    }
    printf("%s", tensor->rank ? "" : "-");
    for (size_t i = 0; i < tensor->count; i++) {
        if (tensor->dtype == TRN_I64) {
            printf(" %" PRIx64, (uint64_t)((const int64_t *)tensor->data)[i]);
        } else {
            printf(" %08" PRIx32, trn_f32_bits(((const float *)tensor->data)[i]));
        }
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    struct trn_layer_spec layers[MOST_LAYERS];
    struct trn_model_options options = TRN_MODEL_OPTIONS_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_pool *pool = NULL;
    struct trn_backend *backend = NULL;
    struct snap_stream *host = NULL;
    struct trn_model *model = NULL;
    int result = 1;
    if (argc < 6 || argc - 5 > MOST_LAYERS) {
        fprintf(stderr, "usage: dump_init SEED HEIGHT WIDTH CHANNELS LAYER...\n");
        return 2;
    }
    for (int i = 5; i < argc; i++) {
        if (parse_layer(argv[i], &layers[i - 5]) != 0) {
            fprintf(stderr, "dump_init: no layer: %s\n", argv[i]);
            return 2;
        }
    }
    options.layers = layers;
    options.layer_count = (size_t)argc - 5;
    options.height = strtoul(argv[2], NULL, 10);
    options.width = strtoul(argv[3], NULL, 10);
    options.channels = strtoul(argv[4], NULL, 10);
    options.classes = layers[argc - 6].features;
    options.max_batch = 1;
    if (snap_pool_new(1, &pool, &err) == SNAP_OK &&
        trn_backend_open(NULL, pool, &backend, &err) == SNAP_OK &&
        snap_stream_new("torch_cpu", &host, &err) == SNAP_OK &&
        snap_stream_seed(host, strtoull(argv[1], NULL, 10), &err) == SNAP_OK &&
        trn_model_new(&options, backend, &model, &err) == SNAP_OK &&
        trn_model_init(model, host, &err) == SNAP_OK) {
        for (size_t i = 0; i < trn_model_tensor_count(model); i++) {
            print_tensor(&trn_model_tensors(model)[i]);
        }
        printf("words %" PRIu64 "\n", snap_stream_words_drawn(host));
        result = 0;
    } else {
        fprintf(stderr, "dump_init: %s\n", err.text);
    }
    trn_model_free(model);
    snap_stream_free(host);
    trn_backend_close(backend);
    snap_pool_free(pool);
    return result;
}
