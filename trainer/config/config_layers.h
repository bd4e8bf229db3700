/* SPDX-License-Identifier: Apache-2.0 */
/* training.model: the list of layers. Kind "gpt" stands for a list of its own (config_gpt.c). */
#ifndef TRN_CONFIG_LAYERS_H
#define TRN_CONFIG_LAYERS_H

#include "config/config_fields.h"
#include "layers/model.h"

/* The layers that were read so far, and room for all that there may be. */
struct trn_layer_list {
    struct trn_layer_spec *layers; /* TRN_MODEL_MAX_LAYERS of them */
    size_t count;
    char (*names)[TRN_LAYER_NAME_SIZE]; /* of the layers that kind "gpt" stands for */
};

/* Append a layer; `name` is borrowed, and must not be in the list yet. `fields` is where it was
 * read, for messages. SNAP_INVALID: the name is there, or the list is full. */
enum snap_status trn_layer_list_add(struct trn_layer_list *list, const struct trn_fields *fields,
                                    const struct trn_layer_spec *spec, struct snap_error *err);

/* A layer's "name": words of letters, digits and '_' with dots between, at most `longest` bytes. */
enum snap_status trn_config_read_layer_name(const struct trn_fields *fields, size_t longest,
                                            const char **name, struct snap_error *err);

/* Read "model" of `training`. *layers is owned by the caller, freed with free(), also after a
 * failure, and holds the names that are not borrowed from the document. */
enum snap_status trn_config_read_layers(const struct trn_fields *training,
                                        struct trn_layer_spec **layers, size_t *layer_count,
                                        struct snap_error *err);

#endif
