/* SPDX-License-Identifier: Apache-2.0 */
/* Models of sequences: no place looks ahead, tokens are checked, and what they refuse. Their hashes
 * are compared in test_model.c. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model_rig.h"

/* Each place has a loss, and what comes later decides none of those before it. */
static void places_do_not_look_ahead(void **state)
{
    struct rig rig;
    float inputs[RIG_BATCH * RIG_PLACES], losses[2 * RIG_PLACES];
    int32_t labels[RIG_BATCH * RIG_PLACES];
    (void)state;
    rig_ready_kind(&rig, RIG_SEQUENCES, NULL, 1, 1, &rig_optimizers[0]);
    rig_make_sequences(0, inputs, labels);
    for (size_t place = 0; place < RIG_PLACES; place++) {
        size_t correct = 0;
        for (int pass = 0; pass < 2; pass++) {
            assert_int_equal(trn_model_evaluate(rig.model, inputs, labels, 1,
                                                losses + pass * RIG_PLACES, &correct, NULL),
                             SNAP_OK);
            inputs[place] = inputs[place] == 4.0f ? 5.0f : 4.0f;
        }
        assert_memory_equal(losses, losses + RIG_PLACES, place * sizeof(float));
        for (size_t later = place; later < RIG_PLACES; later++) {
            assert_true(losses[later] != losses[RIG_PLACES + later]);
        }
    }
    assert_int_equal(trn_model_places(rig.model), RIG_PLACES);
    rig_dismantle(&rig);
}

static void tokens_are_checked(void **state)
{
    static const float wrong[] = { -1.0f, RIG_TOKENS, 0.0f / 0.0f, 1e30f };
    struct rig rig;
    float inputs[RIG_BATCH * RIG_PLACES];
    int32_t labels[RIG_BATCH * RIG_PLACES];
    (void)state;
    rig_ready_kind(&rig, RIG_SEQUENCES, NULL, 1, 1, &rig_optimizers[0]);
    rig_make_sequences(0, inputs, labels);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const struct trn_shard shard = { .inputs = inputs, .labels = labels, .samples = RIG_BATCH,
                                         .batch = RIG_BATCH };
        struct snap_error err = SNAP_ERROR_INIT;
        inputs[RIG_PLACES * 5 + 3] = wrong[i];
        assert_int_equal(trn_model_forward_backward(rig.model, &shard, &err), SNAP_INVALID);
        assert_non_null(strstr(err.text, "sample 5: expected 0 to 10"));
    }
    rig_dismantle(&rig);
}

static void wrong_sequence_models_are_refused(void **state)
{
    static const struct {
        size_t layer;
        struct trn_layer_spec spec;
        const char *text;
    } wrong[] = {
        { 0, { .kind = TRN_LAYER_RELU, .name = "wte" }, "expected an embedding" },
        { 0, { .kind = TRN_LAYER_EMBEDDING, .name = "wte", .features = 1 }, "at least 16" },
        { 1, { .kind = TRN_LAYER_EMBEDDING, .name = "wpe", .features = 1 }, "takes tokens" },
        { 3, { .kind = TRN_LAYER_LAYERNORM, .name = "ln", .eps = 0.0 }, "eps" },
        { 3, { .kind = TRN_LAYER_RELU, .name = "h..ln_1" }, "h..ln_1" },
        { 3, { .kind = TRN_LAYER_RELU, .name = ".h" }, "dots between" },
        { 3, { .kind = TRN_LAYER_RELU, .name = "h." }, "dots between" },
        { 4, { .kind = TRN_LAYER_LINEAR, .name = "c_attn", .features = 35 }, "three times" },
        { 5, { .kind = TRN_LAYER_ATTENTION, .name = "attn", .heads = 5 },
          "5 heads do not divide a width of 12" },
        { 5, { .kind = TRN_LAYER_ATTENTION, .name = "attn", .heads = 0 }, "0 heads" },
        { 7, { .kind = TRN_LAYER_RESIDUAL, .name = "add", .from = "h.0.attn.c_attn" },
          "expected one shape" },
        { 7, { .kind = TRN_LAYER_RESIDUAL, .name = "add", .from = "add" }, "a layer before it" },
        { 7, { .kind = TRN_LAYER_RESIDUAL, .name = "add", .from = NULL }, "a layer before it" },
        { 16, { .kind = TRN_LAYER_FLATTEN, .name = "flat" }, "for each place a vector of 11" },
    };
    struct snap_pool *pool = NULL;
    struct trn_backend *backend = NULL;
    struct trn_model_options options = rig_options(RIG_SEQUENCES, 1);
    struct trn_layer_spec specs[RIG_SEQUENCE_LAYERS];
    const struct trn_layer_spec *right = options.layers;
    (void)state;
    assert_int_equal(snap_pool_new(1, &pool, NULL), SNAP_OK);
    assert_int_equal(trn_backend_open(NULL, pool, &backend, NULL), SNAP_OK);
    options.layers = specs;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct trn_model *model = NULL;
        struct snap_error err = SNAP_ERROR_INIT;
        memcpy(specs, right, sizeof(specs));
        specs[wrong[i].layer] = wrong[i].spec;
        assert_int_equal(trn_model_new(&options, backend, &model, &err), SNAP_INVALID);
        assert_null(model);
        if (!strstr(err.text, wrong[i].text)) {
            fail_msg("\"%s\" does not say \"%s\"", err.text, wrong[i].text);
        }
    }
    trn_backend_close(backend);
    snap_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_do_not_look_ahead),
        cmocka_unit_test(tokens_are_checked),
        cmocka_unit_test(wrong_sequence_models_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
