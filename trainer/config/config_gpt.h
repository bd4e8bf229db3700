/* SPDX-License-Identifier: Apache-2.0 */
/* Kind "gpt": the trunk of GPT-2, which stands for a list of layers named as a torch GPT has them:
 *
 *     NAME.wte  embedding     NAME.wpe  position     [NAME.drop]
 *     for each block i: NAME.h.i.ln_1, .attn.c_attn, .attn, .attn.c_proj, [.attn.resid_dropout],
 *         .residual_1, .ln_2, .mlp.c_fc, .mlp.gelu, .mlp.c_proj, [.mlp.dropout], .residual_2
 *     NAME.ln_f
 *
 * with dropout layers only where their probability is not 0. */
#ifndef TRN_CONFIG_GPT_H
#define TRN_CONFIG_GPT_H

#include "config/config_layers.h"

/* Read the object of a layer of this kind, and append what it stands for. */
enum snap_status trn_config_read_gpt(const struct trn_fields *fields, struct trn_layer_list *list,
                                     struct snap_error *err);

#endif
