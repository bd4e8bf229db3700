/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what a text model has and does before its first update, for the comparison with torch.
 *
 * usage: dump_step CONFIG
 * Lines of words: "tensor NAME SHAPE BITS..." for the initial weights; "inputs" and "labels" with
 * the first batch_size windows, as numbers; "loss BITS"; "gradient NAME BITS...". BITS are hex
 * words of f32. One shard. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "session/training.h"

static void print_bits(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf(" %08" PRIx32, trn_f32_bits(values[i]));
    }
    printf("\n");
}

static void print_weights(const struct trn_model *model)
{
    for (size_t i = 0; i < trn_model_tensor_count(model); i++) {
        const struct trn_tensor *tensor = &trn_model_tensors(model)[i];
        printf("tensor %s ", tensor->name);
        for (unsigned d = 0; d < tensor->rank; d++) {
            printf("%s%zu", d ? "x" : "", tensor->shape[d]);
        }
        print_bits(tensor->data, tensor->count);
    }
}

/* The first windows in the order of the file. */
static void fill_batch(struct trn_training *t, size_t count, float *inputs, int32_t *labels)
{
    const struct trn_dataset *data = &t->data.train;
    printf("inputs");
    for (size_t i = 0; i < count * data->image_size; i++) {
        const size_t window = i / data->image_size, place = i % data->image_size;
        inputs[i] = (float)data->images[window * data->image_stride + place];
        printf(" %d", (int)inputs[i]);
    }
    printf("\nlabels");
    for (size_t i = 0; i < count; i++) {
        trn_dataset_labels(data, i, labels + i * data->labels_size);
    }
    for (size_t i = 0; i < count * data->labels_size; i++) {
        printf(" %d", (int)labels[i]);
    }
    printf("\n");
}

static enum snap_status dump(struct trn_training *t, struct snap_error *err)
{
    const size_t count = t->config.batch_size, size = t->data.train.image_size;
    float *inputs = calloc(count * size, sizeof(*inputs));
    int32_t *labels = calloc(count * size, sizeof(*labels));
    const struct trn_shard shard = { .inputs = inputs, .labels = labels, .samples = count,
                                     .batch = count };
    enum snap_status status = SNAP_NO_MEMORY;
    if (inputs && labels) {
        print_weights(t->model);
        fill_batch(t, count, inputs, labels);
        status = trn_model_forward_backward(t->model, &shard, err);
    }
    if (status == SNAP_OK) {
        const float loss = trn_model_loss(t->model);
        printf("loss");
        print_bits(&loss, 1);
        for (size_t i = 0; i < trn_model_tensor_count(t->model); i++) {
            const struct trn_tensor *tensor = &trn_model_tensors(t->model)[i];
            printf("gradient %s", tensor->name);
            print_bits(tensor->gradient, tensor->count);
        }
    }
    free(inputs);
    free(labels);
    return status;
}

int main(int argc, char **argv)
{
    const struct trn_training_options options = { .threads = 1 };
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_training *training = NULL;
    struct trn_config config;
    enum snap_status status;
    if (argc != 2) {
        fprintf(stderr, "usage: dump_step CONFIG\n");
        return 2;
    }
    status = trn_config_load(argv[1], NULL, &config, &err);
    if (status == SNAP_OK) {
        status = trn_training_new(&config, &options, &training, &err);
    }
    if (status == SNAP_OK) {
        status = dump(training, &err);
    }
    if (status != SNAP_OK) {
        fprintf(stderr, "dump_step: %s\n", err.text);
    }
    trn_training_free(training, NULL);
    return status == SNAP_OK ? 0 : 1;
}
