/* SPDX-License-Identifier: Apache-2.0 */
/* Every line of the inventory (trainer/session/training_state.c) matters: a restored training makes
 * the next steps as expected; and when one thing is changed after the restore, a step differs, or
 * the alarm for streams goes off before it. */
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

#include "process/run_paths.h"
#include "session/train_loop.h"
#include "session/training.h"
#include "trainer.h"

/* The run that is expected, and the step of its first snapshot, in the middle of an epoch. */
enum { SNAPSHOT_STEP = 7, LAST_STEP = 12 };

static const char config_head[] =
    "{\"training\":{\"seed\":42,\"epochs\":2,\"batch_size\":144,\"evaluate\":1,"
    "\"data\":{\"shape\":[8,8,1],\"classes\":10,\"mean\":\"0.0192\",\"std\":\"0.0236\"},"
    "\"augment\":{\"shift\":1,\"flip\":true,\"noise\":\"0.2\"},"
    "\"model\":[{\"name\":\"conv1\",\"kind\":\"conv2d\",\"features\":2,\"kernel\":3},"
    "{\"name\":\"bn1\",\"kind\":\"batchnorm\"},{\"name\":\"relu1\",\"kind\":\"relu\"},"
    "{\"name\":\"drop1\",\"kind\":\"dropout\",\"probability\":\"0.25\"},"
    "{\"name\":\"flatten\",\"kind\":\"flatten\"},"
    "{\"name\":\"fc1\",\"kind\":\"linear\",\"features\":10}],"
    "\"optimizer\":{\"kind\":\"adam\",\"learning_rate\":\"0.003\"}},"
    "\"running\":{\"threads\":1,\"every\":7,\"data\":{";

static const char *const data_files[][2] = {
    { "train_images", "digits-train-images.idx3-ubyte" },
    { "train_labels", "digits-train-labels.idx1-ubyte" },
    { "test_images", "digits-test-images.idx3-ubyte" },
    { "test_labels", "digits-test-labels.idx1-ubyte" },
};

struct fixture {
    char top[64];
    char run[80];
    char archive[160];
    char ledger[160];
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
    struct trn_run_options options = TRN_RUN_OPTIONS_INIT;
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    char path[100];
    char source[4096];
    snprintf(fixture->top, sizeof(fixture->top), "/tmp/snap-test-inventory.XXXXXX");
    if (mkdtemp(fixture->top) == NULL || realpath(top != NULL ? top : ".", source) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/config.json", fixture->top);
    FILE *file = fopen(path, "w");
    fputs(config_head, file);
    for (size_t i = 0; i < 4; i++)
        fprintf(file, "%s\"%s\":\"%s/data/%s\"", i > 0 ? "," : "", data_files[i][0], source,
                data_files[i][1]);
    fputs("}}}\n", file);
    fclose(file);
    snprintf(fixture->run, sizeof(fixture->run), "%s/run", fixture->top);
    snprintf(fixture->archive, sizeof(fixture->archive), "%s/snapshots/step-%010d.snap.tar",
             fixture->run, SNAPSHOT_STEP);
    snprintf(fixture->ledger, sizeof(fixture->ledger), "%s/ledger.jsonl", fixture->run);
    options.config = path;
    options.dir = fixture->run;
    options.has_steps = true;
    options.steps = LAST_STEP;
    if (trn_run(&options, &result, &err) != SNAP_OK) {
        print_error("%s\n", err.text);
        return -1;
    }
    trn_result_release(&result);
    *state = fixture;
    return 0;
}

/* The snapshot, restored in memory, with the run's ledger expected. */
struct restored {
    struct trn_training *training;
    struct snap_ledger *ledger;
};

static struct restored restore(const struct fixture *fixture)
{
    struct restored restored;
    struct trn_training_options making = { .threads = 1 };
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_config config;
    char path[100];
    snprintf(path, sizeof(path), "%s/config.json", fixture->top);
    opening.archive = fixture->archive;
    if (trn_config_load(path, NULL, &config, &err) != SNAP_OK ||
        trn_training_new(&config, &making, &restored.training, &err) != SNAP_OK ||
        trn_training_open_run(restored.training, &opening, &err) != SNAP_OK ||
        trn_training_restore(restored.training, SNAP_TIER_EXACT, NULL, &err) != SNAP_OK ||
        snap_ledger_open(fixture->ledger, &restored.ledger, NULL, &err) != SNAP_OK ||
        snap_run_expect(restored.training->run, restored.ledger, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(snap_run_steps_done(restored.training->run), SNAPSHOT_STEP);
    return restored;
}

static void let_go(struct restored *restored)
{
    trn_training_free(restored->training, NULL);
    snap_ledger_free(restored->ledger);
}

/* Make the remaining steps; the status of the first that fails. */
static enum snap_status go_on(struct restored *restored, struct snap_error *err)
{
    struct trn_step step;
    enum snap_status status = SNAP_OK;
    while (status == SNAP_OK && snap_run_steps_done(restored->training->run) < LAST_STEP)
        status = trn_train_step(restored->training, &step, err);
    return status;
}

static void untouched(void **state)
{
    struct restored restored = restore(*state);
    struct snap_error err = SNAP_ERROR_INIT;
    if (go_on(&restored, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    let_go(&restored);
}

static const char *kind_of_difference(const struct restored *restored)
{
    const struct snap_ledger_difference *difference = snap_run_difference(restored->training->run);
    return difference != NULL ? difference->kind : "none";
}

/* One bit of each tensor of the model and of the optimizer; the highest of a float's fraction,
 * since a lower one can be lost in a rounding. */
static void tensors(void **state)
{
    size_t seen = 0;
    for (int list = 0; list < 2; list++) {
        size_t count = 1;
        for (size_t i = 0; i < count; i++) {
            struct restored restored = restore(*state);
            struct trn_training *t = restored.training;
            const struct trn_tensor *tensors = list == 0 ? trn_model_tensors(t->model)
                                                         : trn_optimizer_tensors(t->optimizer);
            count = list == 0 ? trn_model_tensor_count(t->model)
                              : trn_optimizer_tensor_count(t->optimizer);
            ((unsigned char *)tensors[i].data)[2] ^= 0x40;
            if (go_on(&restored, NULL) != SNAP_DIFFERS)
                fail_msg("%s: changed, and nothing differs", tensors[i].name);
            assert_string_not_equal(kind_of_difference(&restored), "none");
            seen++;
            let_go(&restored);
        }
    }
    assert_true(seen >= 9 + 1 + 12);
}

/* Each stream is drawn from once behind the run's back. */
static void streams(void **state)
{
    static const char *const names[] = { "python", "numpy", "host", "device" };
    for (size_t i = 0; i < 4; i++) {
        struct restored restored = restore(*state);
        struct trn_training *t = restored.training;
        struct snap_error err = SNAP_ERROR_INIT;
        int64_t integer;
        uint64_t below;
        float uniform;
        if (i == 0)
            assert_int_equal(snap_python_randbelow(t->python, 8, &below, NULL), SNAP_OK);
        else if (i == 1)
            assert_int_equal(snap_numpy_randint(t->numpy, 0, 8, &integer, 1, NULL), SNAP_OK);
        else if (i == 2)
            assert_int_equal(snap_torch_uniform_f32(t->host, 0, 1, &uniform, 1, NULL), SNAP_OK);
        else
            assert_int_equal(snap_philox_dropout_advance(t->device, 1, NULL), SNAP_OK);
        assert_int_equal(go_on(&restored, &err), SNAP_DIFFERS);
        if (strstr(err.text, names[i]) == NULL)
            fail_msg("%s is not in: %s", names[i], err.text);
        let_go(&restored);
    }
}

/* The table that scales pixels, the place in the order, and the number of the epoch. */
static void the_rest(void **state)
{
    for (int what = 0; what < 3; what++) {
        struct restored restored = restore(*state);
        struct trn_training *t = restored.training;
        if (what == 0)
            t->input_scale[3] = t->input_scale[3] + 0.5f;
        else if (what == 1)
            t->order.position += t->order.batch_size;
        else
            t->order.epoch++;
        if (go_on(&restored, NULL) != SNAP_DIFFERS)
            fail_msg("change %d: nothing differs", what);
        let_go(&restored);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(untouched),
        cmocka_unit_test(tensors),
        cmocka_unit_test(streams),
        cmocka_unit_test(the_rest),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
