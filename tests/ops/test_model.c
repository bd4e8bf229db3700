/* SPDX-License-Identifier: Apache-2.0 */
/* Models and optimizers: known hashes of whole training steps for every instruction set, thread
 * count and number of shards; the state they list is all there is; what they refuse.
 *
 * usage: test_model [--write MODEL_GOLDENS] */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden_file.h"
#include "model_rig.h"
#include "ops/input_scale.h"
#include "optim/schedule.h"

/* The hash of RIG_STEPS steps: losses, norms, scalars, then all tensors and gradients. */
static void train(enum rig_kind kind, const char *isa, unsigned threads, unsigned shards,
                  int optimizer, char hex[65])
{
    struct record *record = calloc(1, sizeof(*record));
    struct rig rig;
    assert_non_null(record);
    rig_ready_kind(&rig, kind, isa, threads, shards, &rig_optimizers[optimizer]);
    for (unsigned step = 0; step < RIG_STEPS; step++) {
        rig_train_step(&rig, step, record);
    }
    record_state(record, &rig);
    golden_hash(record->bytes, record->size_bytes, hex);
    rig_dismantle(&rig);
    free(record);
}

static void golden_name(enum rig_kind kind, unsigned shards, int optimizer, char name[80])
{
    snprintf(name, 80, "%s, %s, shards=%u", rig_kind_names[kind], rig_optimizer_names[optimizer],
             shards);
}

static void kind_equals_goldens(enum rig_kind kind, const char *isa)
{
    static const unsigned threads[] = { 1, 2, 3, 7 }, shards[] = { 1, 2, 4 };
    for (int o = 0; o < 4; o++) {
        for (size_t s = 0; s < 3; s++) {
            for (size_t t = 0; t < 4; t++) {
                char name[80], hex[65], kept[65];
                golden_name(kind, shards[s], o, name);
                golden_find("model_goldens.txt", name, kept);
                train(kind, isa, threads[t], shards[s], o, hex);
                if (strcmp(hex, kept) != 0) {
                    fail_msg("%s, %s, %u threads: %s, kept %s", name, isa, threads[t], hex, kept);
                }
            }
        }
    }
}

static void steps_equal_goldens(void **state)
{
    const char *isa = *state;
    if (!trn_ops_find(isa)) {
        print_message("# SKIP %s: not in this build, or not on this CPU\n", isa);
        skip();
    }
    kind_equals_goldens(RIG_IMAGES, isa);
    kind_equals_goldens(RIG_SEQUENCES, isa);
}

static void copy_tensors(const struct trn_tensor *to, const struct trn_tensor *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(to[i].name, from[i].name);
        memcpy(to[i].data, from[i].data, from[i].count * trn_dtype_size(from[i].dtype));
    }
}

/* After every step the listed tensors are put into new objects, which go on. */
static void listed_state_is_all_state(void **state)
{
    (void)state;
    for (int i = 0; i < 4 * RIG_KINDS; i++) {
        const enum rig_kind kind = (enum rig_kind)(i / 4);
        const int o = i % 4;
        struct record *whole = calloc(2, sizeof(*whole)), *resumed = whole + 1;
        struct rig old, next, straight;
        assert_non_null(whole);
        rig_ready_kind(&straight, kind, NULL, 2, 2, &rig_optimizers[o]);
        rig_ready_kind(&old, kind, NULL, 2, 2, &rig_optimizers[o]);
        for (unsigned step = 0; step < RIG_STEPS; step++) {
            rig_train_step(&straight, step, whole);
            rig_train_step(&old, step, resumed);
            if (step + 1 == RIG_STEPS) {
                break;
            }
            rig_ready_kind(&next, kind, NULL, 1, 2, &rig_optimizers[o]);
            /* What it holds from a life of its own must not matter. */
            rig_train_step(&next, 17, &(struct record){ .size_bytes = 0 });
            copy_tensors(trn_model_tensors(next.model), trn_model_tensors(old.model),
                         trn_model_tensor_count(old.model));
            copy_tensors(trn_optimizer_tensors(next.optimizer),
                         trn_optimizer_tensors(old.optimizer),
                         trn_optimizer_tensor_count(old.optimizer));
            rig_dismantle(&old);
            old = next;
        }
        record_state(whole, &straight);
        record_state(resumed, &old);
        assert_int_equal(whole->size_bytes, resumed->size_bytes);
        assert_memory_equal(whole->bytes, resumed->bytes, whole->size_bytes);
        rig_dismantle(&old);
        rig_dismantle(&straight);
        free(whole);
    }
}

/* One sample in four shards is in the last; the others add nothing, and move no statistics. */
static void empty_shards_add_nothing(void **state)
{
    struct rig one, four;
    const struct trn_tensor *a, *b;
    (void)state;
    rig_ready(&one, NULL, 1, 1, &rig_optimizers[0]);
    rig_ready(&four, NULL, 1, 4, &rig_optimizers[0]);
    rig_pass(&one, 0, 1);
    rig_pass(&four, 0, 1);
    assert_true(trn_model_loss(one.model) == trn_model_loss(four.model));
    a = trn_model_tensors(one.model);
    b = trn_model_tensors(four.model);
    for (size_t i = 0; i < trn_model_tensor_count(one.model); i++) {
        if (a[i].gradient) {
            assert_memory_equal(a[i].gradient, b[i].gradient, a[i].count * sizeof(float));
        }
        if (strcmp(a[i].name, "bn1.num_batches_tracked") == 0) {
            assert_true(a[i].changes_in_forward && a[i].rank == 0);
            assert_int_equal(*(int64_t *)a[i].data, 1);
            assert_int_equal(*(int64_t *)b[i].data, 0);
        }
    }
    rig_dismantle(&one);
    rig_dismantle(&four);
}

static void names_and_shapes_are_those_of_torch(void **state)
{
    static const char *const names[] = {
        "conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias", "bn1.running_mean",
        "bn1.running_var", "bn1.num_batches_tracked", "conv2.weight", "fc1.weight", "fc1.bias",
        "bn2.weight", "bn2.bias", "bn2.running_mean", "bn2.running_var",
        "bn2.num_batches_tracked", "fc2.weight", "fc2.bias",
    };
    struct rig rig;
    const struct trn_tensor *t;
    (void)state;
    rig_ready(&rig, NULL, 1, 1, &rig_optimizers[3]);
    t = trn_model_tensors(rig.model);
    assert_int_equal(trn_model_tensor_count(rig.model), sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_string_equal(t[i].name, names[i]);
    }
    assert_true(t[7].rank == 4 && t[7].shape[0] == 7 && t[7].shape[1] == 2 && t[7].shape[3] == 6);
    t = trn_optimizer_tensors(rig.optimizer);
    assert_string_equal(t[0].name, "step");
    assert_true(t[0].dtype == TRN_I64 && t[0].rank == 0 && t[0].count == 1);
    assert_string_equal(t[1].name, "exp_avg.conv1.weight");
    assert_string_equal(t[2].name, "exp_avg_sq.conv1.weight");
    rig_dismantle(&rig);
}

static void nonfinite_is_named(void **state)
{
    struct rig rig;
    struct trn_nonfinite found;
    struct snap_error err = SNAP_ERROR_INIT;
    const struct trn_tensor *t;
    (void)state;
    rig_ready(&rig, NULL, 2, 1, &rig_optimizers[0]);
    t = trn_model_tensors(rig.model);
    rig_pass(&rig, 0, RIG_BATCH);
    assert_int_equal(trn_model_check_finite(rig.model, &found, NULL), SNAP_OK);
    ((float *)t[15].data)[3] = -1.0f / 0.0f;
    assert_int_equal(trn_model_check_finite(rig.model, &found, &err), SNAP_NONFINITE);
    assert_string_equal(found.where, "fc2.weight");
    assert_string_equal(found.class_name, "-inf");
    assert_int_equal(found.index, 3);
    assert_non_null(strstr(err.text, "fc2.weight"));
    t[8].gradient[40] = 0.0f / 0.0f;
    t[8].gradient[41] = 1.0f / 0.0f;
    assert_int_equal(trn_model_check_finite(rig.model, &found, NULL), SNAP_NONFINITE);
    assert_string_equal(found.where, "gradient of fc1.weight");
    assert_string_equal(found.class_name, "nan");
    assert_int_equal(found.index, 40);
    t[8].gradient[40] = 0.0f;
    assert_int_equal(trn_model_check_finite(rig.model, &found, NULL), SNAP_NONFINITE);
    assert_string_equal(found.class_name, "+inf");
    rig_pass(&rig, 0, RIG_BATCH);
    assert_int_equal(trn_model_check_finite(rig.model, &found, NULL), SNAP_NONFINITE);
    assert_string_equal(found.where, "loss");
    rig_dismantle(&rig);
}

static void evaluation_changes_nothing(void **state)
{
    struct rig rig;
    struct record *before = calloc(2, sizeof(*before)), *after = before + 1;
    float inputs[RIG_BATCH * RIG_INPUT], losses[RIG_BATCH], single[RIG_BATCH], mean;
    int32_t labels[RIG_BATCH];
    size_t correct = 0, counted = 0;
    (void)state;
    assert_non_null(before);
    rig_ready(&rig, NULL, 2, 1, &rig_optimizers[2]);
    rig_train_step(&rig, 0, before);
    before->size_bytes = 0;
    rig_make_batch(3, inputs, labels);
    record_state(before, &rig);
    assert_int_equal(trn_model_evaluate(rig.model, inputs, labels, RIG_BATCH, losses, &correct,
                                        NULL), SNAP_OK);
    for (size_t i = 0; i < RIG_BATCH; i++) {
        assert_int_equal(trn_model_evaluate(rig.model, inputs + i * RIG_INPUT, labels + i, 1,
                                            single + i, &counted, NULL), SNAP_OK);
    }
    assert_memory_equal(losses, single, sizeof(losses));
    assert_int_equal(correct, counted);
    record_state(after, &rig);
    assert_memory_equal(before->bytes, after->bytes, before->size_bytes);
    assert_int_equal(trn_model_mean_loss(rig.model, losses, RIG_BATCH, &mean, NULL), SNAP_OK);
    assert_true(mean > 0.0f);
    assert_int_equal(trn_model_mean_loss(rig.model, losses, 0, &mean, NULL), SNAP_OK);
    assert_true(mean == 0.0f);
    rig_dismantle(&rig);
    free(before);
}

static void wrong_calls_are_refused(void **state)
{
    struct rig rig;
    float inputs[RIG_BATCH * RIG_INPUT];
    int32_t labels[RIG_BATCH];
    struct trn_shard shard = { .inputs = inputs, .labels = labels, .samples = 6,
                               .batch = RIG_BATCH, .device_seed = 1, .device_counter = 1 };
    struct trn_scalar none;
    (void)state;
    rig_make_batch(0, inputs, labels);
    rig_ready(&rig, NULL, 1, 2, &rig_optimizers[1]);
    shard.index = 1;
    shard.first = 6;
    shard.samples = 7;
    assert_int_equal(trn_model_forward_backward(rig.model, &shard, NULL), SNAP_INVALID);
    shard.index = 0;
    assert_int_equal(trn_model_forward_backward(rig.model, &shard, NULL), SNAP_INVALID);
    shard.first = 0;
    shard.samples = 6;
    assert_int_equal(trn_model_forward_backward(rig.model, &shard, NULL), SNAP_OK);
    shard.index = 2;
    assert_int_equal(trn_model_forward_backward(rig.model, &shard, NULL), SNAP_INVALID);
    labels[2] = (int32_t)RIG_CLASSES;
    shard.index = 0;
    assert_int_equal(trn_model_forward_backward(rig.model, &shard, NULL), SNAP_INVALID);
    memset(&none, 0, sizeof(none));
    assert_int_equal(trn_optimizer_update(rig.optimizer, &none, 1, NULL), SNAP_INVALID);
    rig_dismantle(&rig);
}

static void wrong_models_are_refused(void **state)
{
    static const struct {
        size_t layer;
        struct trn_layer_spec spec;
        const char *text;
    } wrong[] = {
        { 9, { TRN_LAYER_LINEAR, "fc-1", 17, true, { 0 }, 0, 0, 0, 0, NULL }, "fc-1" },
        { 9, { TRN_LAYER_LINEAR, "Conv1", 17, true, { 0 }, 0, 0, 0, 0, NULL }, "has it already" },
        { 9, { TRN_LAYER_LINEAR, "fc1", 0, true, { 0 }, 0, 0, 0, 0, NULL }, "fc1" },
        { 8, { TRN_LAYER_RELU, "relu2", 0, false, { 0 }, 0, 0, 0, 0, NULL },
          "put a flatten layer" },
        { 3, { TRN_LAYER_MAXPOOL, "pool1", 0, false, RIG_WINDOW(9, 0, 0), 0, 0, 0, 0, NULL },
          "larger" },
        { 3, { TRN_LAYER_MAXPOOL, "pool1", 0, false, RIG_WINDOW(2, 0, 2), 0, 0, 0, 0, NULL },
          "padding" },
        { 3, { TRN_LAYER_AVGPOOL, "pool1", 0, false, { 0 }, 0, 0, 0, 0, NULL }, "kernel" },
        { 1, { TRN_LAYER_BATCHNORM, "bn1", 0, false, { 0 }, 0.0, 0.1, 0, 0, NULL }, "eps" },
        { 1, { TRN_LAYER_BATCHNORM, "bn1", 0, false, { 0 }, 1e-5, 1.5, 0, 0, NULL }, "momentum" },
        { 4, { TRN_LAYER_DROPOUT, "drop1", 0, false, { 0 }, 0, 0, 1.0, 0, NULL }, "probability" },
        { 12, { TRN_LAYER_LINEAR, "fc2", 6, true, { 0 }, 0, 0, 0, 0, NULL },
          "expected a vector of 5" },
    };
    struct snap_pool *pool = NULL;
    struct trn_backend *backend = NULL;
    struct trn_layer_spec specs[sizeof(rig_layers) / sizeof(rig_layers[0])];
    struct trn_model_options options = rig_options(RIG_IMAGES, 1);
    (void)state;
    assert_int_equal(snap_pool_new(1, &pool, NULL), SNAP_OK);
    assert_int_equal(trn_backend_open(NULL, pool, &backend, NULL), SNAP_OK);
    options.layers = specs;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct trn_model *model = NULL;
        struct snap_error err = SNAP_ERROR_INIT;
        memcpy(specs, rig_layers, sizeof(specs));
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

static void rates(const struct trn_schedule *schedule, struct record *record)
{
    assert_int_equal(trn_schedule_check(schedule, NULL), SNAP_OK);
    for (uint64_t step = 0; step < 200; step++) {
        const float rate = trn_schedule_rate(schedule, step);
        record_note(record, &rate, sizeof(rate));
    }
}

static const struct trn_schedule schedules[] = {
    { TRN_SCHEDULE_CONSTANT, 0.1, 10, 0, 0.0, 0, 0.0 },
    { TRN_SCHEDULE_STEP, 0.1, 0, 30, 0.3, 0, 0.0 },
    { TRN_SCHEDULE_COSINE, 0.1, 7, 0, 0.0, 150, 0.001 },
};

static void schedule_hash(char hex[65])
{
    struct record *record = calloc(1, sizeof(*record));
    assert_non_null(record);
    for (size_t i = 0; i < 3; i++) {
        rates(&schedules[i], record);
    }
    golden_hash(record->bytes, record->size_bytes, hex);
    free(record);
}

static void schedules_are_as_defined(void **state)
{
    const struct trn_schedule half = { TRN_SCHEDULE_STEP, 1.0, 3, 2, 0.5, 0, 0.0 };
    const struct trn_schedule cosine = { TRN_SCHEDULE_COSINE, 1.0, 0, 0, 0.0, 8, 0.5 };
    const struct trn_schedule wrong = { TRN_SCHEDULE_COSINE, 1.0, 8, 0, 0.0, 8, 0.5 };
    char hex[65], kept[65];
    (void)state;
    assert_true(trn_schedule_rate(&half, 0) == 0.25f && trn_schedule_rate(&half, 2) == 0.75f);
    assert_true(trn_schedule_rate(&half, 3) == 1.0f && trn_schedule_rate(&half, 4) == 1.0f);
    assert_true(trn_schedule_rate(&half, 5) == 0.5f && trn_schedule_rate(&half, 9) == 0.125f);
    assert_true(trn_schedule_rate(&cosine, 0) == 1.0f && trn_schedule_rate(&cosine, 8) == 0.5f);
    assert_true(trn_schedule_rate(&cosine, 99) == 0.5f);
    assert_int_equal(trn_schedule_check(&wrong, NULL), SNAP_INVALID);
    schedule_hash(hex);
    golden_find("model_goldens.txt", "schedules", kept);
    assert_string_equal(hex, kept);
}

/* A jump to a step, as after a restore, gives the scalars of the steps before it in turn. */
static void powers_depend_on_the_step_alone(void **state)
{
    struct rig walked, jumped;
    struct trn_scalar a[TRN_OPTIMIZER_MAX_SCALARS], b[TRN_OPTIMIZER_MAX_SCALARS];
    (void)state;
    rig_ready(&walked, NULL, 1, 1, &rig_optimizers[2]);
    rig_ready(&jumped, NULL, 1, 1, &rig_optimizers[2]);
    for (int64_t step = 0; step < 9000; step++) {
        *(int64_t *)trn_optimizer_tensors(walked.optimizer)[0].data = step;
        const size_t count = trn_optimizer_scalars(walked.optimizer, 0.1f, 1.0f, a);
        if (step % 1000 == 7) {
            *(int64_t *)trn_optimizer_tensors(jumped.optimizer)[0].data = 9000 - step;
            trn_optimizer_scalars(jumped.optimizer, 0.1f, 1.0f, b);
            *(int64_t *)trn_optimizer_tensors(jumped.optimizer)[0].data = step;
            trn_optimizer_scalars(jumped.optimizer, 0.1f, 1.0f, b);
            for (size_t i = 0; i < count; i++) {
                assert_string_equal(a[i].name, b[i].name);
                assert_true(a[i].bits == b[i].bits);
            }
        }
    }
    rig_dismantle(&walked);
    rig_dismantle(&jumped);
}

static void pixels_are_scaled_by_a_table(void **state)
{
    float table[256], out[3];
    const uint8_t pixels[3] = { 0, 255, 51 };
    (void)state;
    trn_input_scale_init(table, 0.0, 1.0);
    trn_input_scale(table, pixels, 3, out);
    assert_true(out[0] == 0.0f && out[1] == 1.0f && out[2] == 0.2f);
    trn_input_scale_init(table, 0.5, 0.25);
    assert_true(table[0] == -2.0f && table[255] == 2.0f);
}

static int write_goldens(const char *path)
{
    static const unsigned shards[] = { 1, 2, 4 };
    FILE *file = fopen(path, "w");
    char name[80], hex[65];
    if (!file) {
        perror(path);
        return 3;
    }
    for (int i = 0; i < 4 * RIG_KINDS; i++) {
        const enum rig_kind kind = (enum rig_kind)(i / 4);
        for (size_t s = 0; s < 3; s++) {
            golden_name(kind, shards[s], i % 4, name);
            train(kind, "scalar", 1, shards[s], i % 4, hex);
            fprintf(file, "%s %s\n", hex, name);
        }
    }
    schedule_hash(hex);
    fprintf(file, "%s schedules\n", hex);
    return fclose(file) == 0 ? 0 : 3;
}

int main(int argc, char **argv)
{
    static char scalar[] = "scalar";
#if defined(__x86_64__)
    static char sse2[] = "sse2", avx2[] = "avx2", avx512[] = "avx512";
#elif defined(__aarch64__)
    static char neon[] = "neon";
#endif
    const struct CMUnitTest tests[] = {
        { "steps_equal_goldens_scalar", steps_equal_goldens, NULL, NULL, scalar },
#if defined(__x86_64__)
        { "steps_equal_goldens_sse2", steps_equal_goldens, NULL, NULL, sse2 },
        { "steps_equal_goldens_avx2", steps_equal_goldens, NULL, NULL, avx2 },
        { "steps_equal_goldens_avx512", steps_equal_goldens, NULL, NULL, avx512 },
#elif defined(__aarch64__)
        { "steps_equal_goldens_neon", steps_equal_goldens, NULL, NULL, neon },
#endif
        cmocka_unit_test(listed_state_is_all_state),
        cmocka_unit_test(empty_shards_add_nothing),
        cmocka_unit_test(names_and_shapes_are_those_of_torch),
        cmocka_unit_test(nonfinite_is_named),
        cmocka_unit_test(evaluation_changes_nothing),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(wrong_models_are_refused),
        cmocka_unit_test(schedules_are_as_defined),
        cmocka_unit_test(powers_depend_on_the_step_alone),
        cmocka_unit_test(pixels_are_scaled_by_a_table),
    };
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        return write_goldens(argv[2]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
