/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "config/config_gpt.h"

#include <stdio.h>

/* 80 blocks are 960 layers; with room in a name for ".h.79.attn.resid_dropout". */
enum { MAX_BLOCKS = 80, MAX_WIDTH = 1 << 20, MAX_NAME = 32 };

#define TRY(call)                      \
    do {                               \
        enum snap_status try_ = (call); \
        if (try_ != SNAP_OK)           \
            return try_;               \
    } while (0)

struct gpt {
    const struct trn_fields *fields;
    struct trn_layer_list *list;
    const char *name;
    int64_t blocks, heads, width;
    double dropout, eps;
};

/* Append `spec` as NAME.suffix. */
static enum snap_status add(const struct gpt *gpt, struct trn_layer_spec spec, const char *suffix,
                            struct snap_error *err)
{
    struct trn_layer_list *list = gpt->list;
    if (list->count < TRN_MODEL_MAX_LAYERS) {
        char *name = list->names[list->count];
        snprintf(name, TRN_LAYER_NAME_SIZE, "%.*s.%s", MAX_NAME, gpt->name, suffix);
        spec.name = name;
    } else {
        spec.name = ""; /* refused for want of room */
    }
    spec.eps = gpt->eps;
    return trn_layer_list_add(list, gpt->fields, &spec, err);
}

/* The same in block `block`. */
static enum snap_status add_in(const struct gpt *gpt, int64_t block, struct trn_layer_spec spec,
                               const char *suffix, struct snap_error *err)
{
    char name[TRN_LAYER_NAME_SIZE - MAX_NAME - 1];
    snprintf(name, sizeof(name), "h.%d.%s", (int)block, suffix);
    return add(gpt, spec, name, err);
}

static enum snap_status add_dropout(const struct gpt *gpt, int64_t block, const char *suffix,
                                    struct snap_error *err)
{
    const struct trn_layer_spec spec = { .kind = TRN_LAYER_DROPOUT,
                                         .probability = gpt->dropout };
    if (gpt->dropout == 0)
        return SNAP_OK;
    return block < 0 ? add(gpt, spec, suffix, err) : add_in(gpt, block, spec, suffix, err);
}

static struct trn_layer_spec linear(const struct gpt *gpt, size_t times)
{
    return (struct trn_layer_spec){ .kind = TRN_LAYER_LINEAR,
                                    .features = times * (size_t)gpt->width,
                                    .bias = true };
}

/* The layer before a branch; what the branch ends with is added to its output. */
static const char *last_name(const struct gpt *gpt)
{
    return gpt->list->layers[gpt->list->count - 1].name;
}

static enum snap_status add_block(const struct gpt *gpt, int64_t block, struct snap_error *err)
{
    static const struct trn_layer_spec norm = { .kind = TRN_LAYER_LAYERNORM };
    static const struct trn_layer_spec gelu = { .kind = TRN_LAYER_GELU };
    const struct trn_layer_spec attention = { .kind = TRN_LAYER_ATTENTION,
                                              .heads = (size_t)gpt->heads };
    struct trn_layer_spec residual = { .kind = TRN_LAYER_RESIDUAL, .from = last_name(gpt) };

    TRY(add_in(gpt, block, norm, "ln_1", err));
    TRY(add_in(gpt, block, linear(gpt, 3), "attn.c_attn", err));
    TRY(add_in(gpt, block, attention, "attn", err));
    TRY(add_in(gpt, block, linear(gpt, 1), "attn.c_proj", err));
    TRY(add_dropout(gpt, block, "attn.resid_dropout", err));
    TRY(add_in(gpt, block, residual, "residual_1", err));

    residual.from = last_name(gpt);
    TRY(add_in(gpt, block, norm, "ln_2", err));
    TRY(add_in(gpt, block, linear(gpt, 4), "mlp.c_fc", err));
    TRY(add_in(gpt, block, gelu, "mlp.gelu", err));
    TRY(add_in(gpt, block, linear(gpt, 1), "mlp.c_proj", err));
    TRY(add_dropout(gpt, block, "mlp.dropout", err));
    return add_in(gpt, block, residual, "residual_2", err);
}

enum snap_status trn_config_read_gpt(const struct trn_fields *fields, struct trn_layer_list *list,
                                     struct snap_error *err)
{
    static const char *const known[] = { "name",  "kind",    "layers", "heads",
                                         "width", "dropout", "eps",    NULL };
    static const struct trn_decimal_range share = { 0, 1, false, true, "at least 0 and below 1",
                                                    "0.1" };
    static const struct trn_decimal_range eps = { 0, 1, true, true, "above 0 and below 1",
                                                  "1e-5" };
    static const struct trn_layer_spec position = { .kind = TRN_LAYER_POSITION };
    static const struct trn_layer_spec norm = { .kind = TRN_LAYER_LAYERNORM };
    struct gpt gpt = { .fields = fields, .list = list };
    TRY(trn_fields_known(fields, known, err));
    TRY(trn_config_read_layer_name(fields, MAX_NAME, &gpt.name, err));
    TRY(trn_fields_integer(fields, "layers", 1, MAX_BLOCKS, NULL, &gpt.blocks, err));
    TRY(trn_fields_integer(fields, "width", 1, MAX_WIDTH, NULL, &gpt.width, err));
    TRY(trn_fields_integer(fields, "heads", 1, MAX_WIDTH, NULL, &gpt.heads, err));
    if (gpt.width % gpt.heads != 0)
        return trn_fields_expected(fields, "heads", err, "a divisor of the width, %lld",
                                   (long long)gpt.width);
    TRY(trn_fields_decimal(fields, "dropout", &share, "0", &gpt.dropout, err));
    TRY(trn_fields_decimal(fields, "eps", &eps, "1e-5", &gpt.eps, err));

    const struct trn_layer_spec embedding = { .kind = TRN_LAYER_EMBEDDING,
                                              .features = (size_t)gpt.width };
    TRY(add(&gpt, embedding, "wte", err));
    TRY(add(&gpt, position, "wpe", err));
    TRY(add_dropout(&gpt, -1, "drop", err));
    for (int64_t block = 0; block < gpt.blocks; block++)
        TRY(add_block(&gpt, block, err));
    return add(&gpt, norm, "ln_f", err);
}
