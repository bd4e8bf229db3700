/* SPDX-License-Identifier: Apache-2.0 */
/* The table of an embedding, of tokens or of places. */
#include "config.h"

#include <stdlib.h>

#include "layers/layer.h"

/* torch's way to fewer normals calls libm, so it is not the same on every machine. */
#define LEAST_NORMALS 16

enum snap_status trn_layer_add_table(struct trn_layer *layer, size_t rows, size_t width,
                                     struct snap_error *err)
{
    const size_t shape[2] = { rows, width };
    const enum snap_status status =
        trn_layer_add_tensor(layer, "weight", TRN_PARAMETER, TRN_F32, 2, shape, err);
    if (status == SNAP_OK && rows * width < LEAST_NORMALS) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: its weight would be %zu x %zu: expected at least %d "
                              "elements", layer->name, rows, width, LEAST_NORMALS);
    }
    return status;
}

enum snap_status trn_layer_init_table(struct trn_layer *layer, struct trn_backend *backend,
                                      struct snap_stream *host, struct snap_error *err)
{
    const struct trn_tensor *weight = &layer->tensors[0];
    enum snap_status status;
    float *drawn = malloc(weight->count * sizeof(float));
    if (!drawn) {
        return snap_error_set(err, SNAP_NO_MEMORY, "layer %s: initial weights: out of memory",
                              layer->name);
    }
    status = snap_stream_draw(host, "normal_f32", drawn, weight->count, err);
    if (status == SNAP_OK) {
        status = backend->ops->upload(backend, weight->data, drawn, weight->count * sizeof(float),
                                      err);
    }
    free(drawn);
    return status;
}
