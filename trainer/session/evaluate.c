/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/evaluate.h"

#include <math.h>
#include <stdlib.h>

#include "ops/scalar.h"
#include "session/rank_step.h"

enum snap_status trn_evaluate(struct trn_training *t, float *loss, uint64_t *correct,
                              struct snap_error *err)
{
    const struct trn_dataset *test = &t->data.test;
    size_t capacity = trn_model_capacity(t->model);
    enum snap_status status = SNAP_OK;
    size_t places = test->labels_size;
    size_t right = 0;
    float mean;
    size_t own_first;
    size_t own;
    trn_rank_samples(t, test->samples, &own_first, &own);
    if (capacity > test->samples)
        capacity = test->samples;
    float *losses = malloc(test->samples * places * sizeof(*losses));
    float *images = calloc(capacity, test->image_size * sizeof(*images));
    uint32_t *ids = malloc(capacity * sizeof(*ids));
    int32_t *labels = malloc(capacity * places * sizeof(*labels));
    if (losses == NULL || images == NULL || ids == NULL || labels == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "evaluation: no memory for %zu samples",
                                test->samples);
    }
    for (size_t done = 0; status == SNAP_OK && done < own; done += capacity) {
        size_t first = own_first + done;
        size_t count = own - done < capacity ? own - done : capacity;
        for (size_t i = 0; i < count; i++) {
            ids[i] = (uint32_t)(first + i);
            trn_dataset_labels(test, first + i, labels + i * places);
        }
        status = trn_augment_batch(NULL, test, &t->config.shape, t->input_scale, ids, count, NULL,
                                   NULL, images, err);
        if (status == SNAP_OK)
            status = trn_model_evaluate(t->model, images, labels, count, losses + first * places,
                                        &right, err);
    }
    status = trn_rank_gather_losses(t, status, losses, test->samples, places, &right, err);
    if (status == SNAP_OK)
        status = trn_model_mean_loss(t->model, losses, test->samples * places, &mean, err);
    if (status == SNAP_OK) {
        /* Processors make different NaNs; the ledger knows one. */
        *loss = isnan(mean) ? trn_f32_from_bits(0x7fc00000u) : mean;
        *correct = right;
    }
    free(losses);
    free(images);
    free(ids);
    free(labels);
    return status;
}
