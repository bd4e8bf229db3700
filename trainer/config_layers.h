/* SPDX-License-Identifier: Apache-2.0 */
/* training.model: the list of layers. */
#ifndef TRN_CONFIG_LAYERS_H
#define TRN_CONFIG_LAYERS_H

#include "config_fields.h"
#include "layers/model.h"

/* Read "model" of `training`. *layers is owned by the caller, freed with free(), also after a
 * failure; names are borrowed from the document. */
enum snap_status trn_config_read_layers(const struct trn_fields *training,
                                        struct trn_layer_spec **layers, size_t *layer_count,
                                        struct snap_error *err);

#endif
