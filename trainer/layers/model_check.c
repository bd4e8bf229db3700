/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for NaN and Inf in all that the update is about to use. */
#include "config.h"

#include <stdio.h>

#include "layers/model_internal.h"

/* The class of a value whose exponent bits are all set. */
static void classify(float value, struct trn_nonfinite *found)
{
    static const char *const names[] = { "nan", "+inf", "-inf" };
    const uint32_t bits = trn_f32_bits(value);
    found->class_code = (bits & 0x007fffffu) != 0 ? TRN_NAN
                        : (bits >> 31) != 0       ? TRN_MINUS_INF
                                                  : TRN_PLUS_INF;
    found->class_name = names[found->class_code];
}

/* SNAP_NONFINITE when the `count` floats hold one; `found` gets everything but `where`. */
static enum snap_status search(struct trn_model *model, const float *values, size_t count,
                               struct trn_nonfinite *found, struct snap_error *err)
{
    struct trn_backend *backend = model->backend;
    float value = 0.0f;
    enum snap_status status =
        backend->ops->first_nonfinite(backend, count, values, &found->index, err);
    if (status != SNAP_OK || found->index == count) {
        return status;
    }
    status = backend->ops->download(backend, &value, values + found->index, sizeof(value), err);
    if (status != SNAP_OK) {
        return status;
    }
    classify(value, found);
    return SNAP_NONFINITE;
}

static enum snap_status search_all(struct trn_model *model, struct trn_nonfinite *found,
                                   struct snap_error *err)
{
    if ((trn_f32_bits(model->loss) & 0x7f800000u) == 0x7f800000u) {
        snprintf(found->where, sizeof(found->where), "loss");
        found->index = 0;
        classify(model->loss, found);
        return SNAP_NONFINITE;
    }
    for (int values = 0; values < 2; values++) {
        for (size_t i = 0; i < model->tensor_count; i++) {
            const struct trn_tensor *tensor = &model->tensors[i];
            const float *data = values ? tensor->data : tensor->gradient;
            enum snap_status status;
            if (tensor->dtype != TRN_F32 || !data) {
                continue;
            }
            snprintf(found->where, sizeof(found->where), "%s%s", values ? "" : "gradient of ",
                     tensor->name);
            status = search(model, data, tensor->count, found, err);
            if (status != SNAP_OK) {
                return status;
            }
        }
    }
    return SNAP_OK;
}

enum snap_status trn_model_check_finite(struct trn_model *model, struct trn_nonfinite *found,
                                        struct snap_error *err)
{
    struct trn_nonfinite first = { .class_name = "" };
    const enum snap_status status = search_all(model, &first, err);
    if (status != SNAP_NONFINITE) {
        return status;
    }
    if (found) {
        *found = first;
    }
    return snap_error_set(err, SNAP_NONFINITE, "%s: element %zu is %s: training cannot go on",
                          first.where, first.index, first.class_name);
}
