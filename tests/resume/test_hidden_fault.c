/* SPDX-License-Identifier: Apache-2.0 */
/* One bit of one gradient flips at one step, after the loss and the norm were taken, and nothing
 * says so. A replay of the record names the step, and a tensor that the fault went into. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/train_session.h"
#include "session/training.h"
#include "trainer.h"

enum { FAULT_STEP = 4, LAST_STEP = 6 };

static const char config_text[] =
    "{\"training\":{\"seed\":42,\"epochs\":1,\"batch_size\":8,\"evaluate\":0,"
    "\"data\":{\"format\":\"text\",\"context\":12},"
    "\"model\":[{\"name\":\"transformer\",\"kind\":\"gpt\",\"layers\":1,\"heads\":2,"
    "\"width\":8,\"dropout\":\"0.1\"},"
    "{\"name\":\"lm_head\",\"kind\":\"linear\",\"features\":256}],"
    "\"optimizer\":{\"kind\":\"adamw\",\"learning_rate\":\"0.003\"}},"
    "\"running\":{\"threads\":1,\"every\":1,\"data\":{\"text\":\"%s/LICENSE\"}}}";

struct fixture {
    char top[64];
    char config[100];
};

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    nftw(fixture->top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const char *top = getenv("top_srcdir");
    char source[4096];
    FILE *file;
    snprintf(fixture->top, sizeof(fixture->top), "/tmp/snap-test-fault.XXXXXX");
    if (mkdtemp(fixture->top) == NULL || realpath(top != NULL ? top : ".", source) == NULL)
        return -1;
    snprintf(fixture->config, sizeof(fixture->config), "%s/config.json", fixture->top);
    file = fopen(fixture->config, "w");
    if (file == NULL)
        return -1;
    fprintf(file, config_text, source);
    fclose(file);
    *state = fixture;
    return 0;
}

/* ---- a backend whose Adam meets the fault ---- */

static const struct trn_ops *true_ops;
static const float *victim; /* gradient of the tensor; NULL: no fault */
static int updates_of_victim;

/* The highest bit of the fraction, in the largest element: a lower bit, or a small element, can be
 * lost in a rounding. */
static void flip_bit(float *gradient, size_t count)
{
    unsigned char *bytes;
    size_t largest = 0;
    for (size_t i = 1; i < count; i++)
        if (gradient[i] * gradient[i] > gradient[largest] * gradient[largest])
            largest = i;
    bytes = (unsigned char *)&gradient[largest];
    bytes[2] ^= 0x40;
}

static enum snap_status faulty_adam(struct trn_backend *backend, const struct trn_adam *args,
                                    struct snap_error *err)
{
    if (args->gradient == victim && ++updates_of_victim == FAULT_STEP)
        flip_bit((float *)(uintptr_t)args->gradient, args->count);
    return true_ops->adam(backend, args, err);
}

/* Record a run whose tensor `index` meets the fault; -1: none does. The tensor's name is kept, and
 * how many there are. */
static size_t record(const struct fixture *fixture, int index, const char *dir, char name[128])
{
    static struct trn_ops ops;
    struct trn_training_options making = { .threads = 1 };
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_training *training;
    struct trn_config config;
    size_t count;
    opening.dir = dir;
    opening.must_be_new = true;
    if (trn_config_load(fixture->config, NULL, &config, &err) != SNAP_OK ||
        trn_training_new(&config, &making, &training, &err) != SNAP_OK ||
        trn_training_open_run(training, &opening, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    count = trn_model_tensor_count(training->model);
    victim = NULL;
    updates_of_victim = 0;
    if (index >= 0) {
        victim = trn_model_tensors(training->model)[index].gradient;
        snprintf(name, 128, "%s", trn_model_tensors(training->model)[index].name);
    }
    true_ops = training->backend->ops;
    ops = *true_ops;
    ops.adam = faulty_adam;
    training->backend->ops = &ops;
    if (trn_session_train(training, LAST_STEP, NULL, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(updates_of_victim, index >= 0 ? LAST_STEP : 0);
    trn_result_release(&result);
    if (trn_training_free(training, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    return count;
}

static enum snap_status replay(const char *dir, struct trn_replay_result *result)
{
    struct trn_replay_options options = TRN_REPLAY_OPTIONS_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    char archive[160];
    snprintf(archive, sizeof(archive), "%s/snapshots/step-%010d.snap.tar", dir, 1);
    options.archive = archive;
    options.threads = 2;
    return trn_replay(&options, result, &err);
}

static void a_true_record_is_equal(void **state)
{
    const struct fixture *fixture = *state;
    struct trn_replay_result result = TRN_REPLAY_RESULT_INIT;
    char dir[100];
    snprintf(dir, sizeof(dir), "%s/true", fixture->top);
    record(fixture, -1, dir, NULL);
    assert_int_equal(replay(dir, &result), SNAP_OK);
    assert_int_equal(result.lines_compared, LAST_STEP - 1);
}

static void a_fault_is_named(void **state)
{
    const struct fixture *fixture = *state;
    size_t count = 1;
    for (size_t i = 0; i < count; i++) {
        struct trn_replay_result result = TRN_REPLAY_RESULT_INIT;
        char dir[100], name[128], member[160];
        snprintf(dir, sizeof(dir), "%s/fault-%zu", fixture->top, i);
        count = record(fixture, (int)i, dir, name);
        if (replay(dir, &result) != SNAP_DIFFERS || !result.has_difference)
            fail_msg("%s: a bit of its gradient flipped, and the replay is equal", name);
        snprintf(member, sizeof(member), "model/%s: ", name);
        if (result.difference.step != FAULT_STEP ||
            strncmp(result.first_member, member, strlen(member)) != 0)
            fail_msg("%s, step %d: the replay says step %d, %s", name, FAULT_STEP,
                     (int)result.difference.step, result.first_member);
        assert_string_equal(result.difference.kind, "state");
    }
    assert_true(count >= 17);
}

/* ---- a backend whose GELU overflows in one step ---- */

static unsigned forward_passes;
static unsigned fails_in; /* the pass; 0: none */

static enum snap_status counting_embedding(struct trn_backend *backend,
                                           const struct trn_embedding *args, const float *x,
                                           const float *table, float *y, struct snap_error *err)
{
    if (args->tokens != NULL)
        forward_passes++;
    return true_ops->embedding_forward(backend, args, x, table, y, err);
}

static enum snap_status overflowing_gelu(struct trn_backend *backend, size_t n, const float *x,
                                         float *y, struct snap_error *err)
{
    const enum snap_status status = true_ops->gelu_forward(backend, n, x, y, err);
    if (forward_passes >= fails_in)
        y[5] = 1e38f * 10.0f;
    return status;
}

/* The run's machine overflows in the GELU, and in no other operation: elsewhere its step is made,
 * and the operation is named. */
static void the_operation_of_a_capsule_is_named(void **state)
{
    static struct trn_ops ops;
    const struct fixture *fixture = *state;
    struct trn_training_options making = { .threads = 1 };
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct trn_result result = TRN_RESULT_INIT;
    struct trn_replay_options options = TRN_REPLAY_OPTIONS_INIT;
    struct trn_replay_result replayed = TRN_REPLAY_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_training *training;
    struct trn_config config;
    char dir[100];
    snprintf(dir, sizeof(dir), "%s/overflow", fixture->top);
    opening.dir = dir;
    opening.must_be_new = true;
    if (trn_config_load(fixture->config, NULL, &config, &err) != SNAP_OK ||
        trn_training_new(&config, &making, &training, &err) != SNAP_OK ||
        trn_training_open_run(training, &opening, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    true_ops = training->backend->ops;
    ops = *true_ops;
    ops.embedding_forward = counting_embedding;
    ops.gelu_forward = overflowing_gelu;
    training->backend->ops = &ops;
    forward_passes = 0;
    fails_in = FAULT_STEP;
    assert_int_equal(trn_session_train(training, LAST_STEP, NULL, &result, &err), SNAP_NONFINITE);
    assert_int_equal(result.failure.step, FAULT_STEP);
    assert_int_equal(forward_passes, FAULT_STEP + 1); /* and once more for the capsule */
    assert_int_equal(trn_training_free(training, NULL), SNAP_OK);

    options.archive = result.failure.capsule;
    options.threads = 2;
    assert_int_equal(trn_replay(&options, &replayed, &err), SNAP_DIFFERS);
    assert_false(replayed.reproduced);
    assert_true(replayed.has_other && !replayed.has_nonfinite);
    assert_string_equal(replayed.other.op, "gelu_forward");
    assert_string_equal(replayed.other.output, "y");
    assert_string_equal(replayed.other.phase, "forward");
    assert_string_equal(replayed.other.name, "transformer.h.0.mlp.gelu");
    assert_non_null(strstr(err.text, "step 4 is made here; in the capsule loss is "));
    assert_non_null(strstr(err.text, "the first that is not as recorded is operation "));
    assert_non_null(strstr(err.text, "y of gelu_forward of transformer.h.0.mlp.gelu, forward"));
    trn_result_release(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_operation_of_a_capsule_is_named),
        cmocka_unit_test(a_true_record_is_equal),
        cmocka_unit_test(a_fault_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
