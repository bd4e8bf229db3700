/* SPDX-License-Identifier: Apache-2.0 */
/* running.certify: a process of its own restores each new snapshot and makes the next step. What
 * comes out otherwise is told, whether the arithmetic, the archive or the line is at fault; what
 * could not be certified is told too; and no process is left. */
#include "config.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "process/signals.h"
#include "session/train_session.h"
#include "session/training.h"
#include "trainer.h"

enum { FAULT_STEP = 4, LAST_STEP = 6 };

/* Seed, policy and data: two seeds are two runs. */
static const char config_text[] =
    "{\"training\":{\"seed\":%d,\"epochs\":1,\"batch_size\":8,\"evaluate\":0,"
    "\"data\":{\"format\":\"text\",\"context\":12},"
    "\"model\":[{\"name\":\"transformer\",\"kind\":\"gpt\",\"layers\":1,\"heads\":2,"
    "\"width\":8,\"dropout\":\"0.1\"},"
    "{\"name\":\"lm_head\",\"kind\":\"linear\",\"features\":256}],"
    "\"optimizer\":{\"kind\":\"adamw\",\"learning_rate\":\"0.003\"}},"
    "\"running\":{\"threads\":1,\"every\":%d,\"certify\":true,\"on_certify_failure\":\"%s\",%s"
    "\"data\":{\"text\":\"%s/LICENSE\"}}}";

static const char *snap; /* the program */
static char top[64];

static void path_of(char path[4096], const char *name)
{
    snprintf(path, 4096, "%s/%s", top, name);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    snap = getenv("SNAP");
    if (snap == NULL)
        return -1;
    snprintf(top, sizeof(top), "/tmp/snap-test-certify.XXXXXX");
    return mkdtemp(top) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_text(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* A program that is run in the place of `snap`; its words are those of a shell, with $SNAP. */
static const char *program_of(const char *script)
{
    static char path[4096];
    char text[4096];
    path_of(path, "program");
    snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
    write_text(path, text, 0700);
    return path;
}

/* ---- a backend whose Adam errs in one step ---- */

static const struct trn_ops *true_ops;
static bool errs;
static unsigned steps_begun;

static enum snap_status faulty_adam(struct trn_backend *backend, const struct trn_adam *args,
                                    struct snap_error *err)
{
    struct trn_adam changed = *args;
    if (errs && steps_begun == FAULT_STEP)
        changed.lr = args->lr * 1.5f;
    return true_ops->adam(backend, &changed, err);
}

/* Once a step, before its updates. */
static enum snap_status counting_loss(struct trn_backend *backend,
                                      const struct trn_cross_entropy *args, struct snap_error *err)
{
    steps_begun++;
    return true_ops->cross_entropy(backend, args, err);
}

/* ---- a training ---- */

struct training {
    const char *name;
    int seed;
    int every;
    uint64_t last; /* 0: LAST_STEP */
    const char *policy;
    const char *keep;    /* a member of the config; NULL: none */
    const char *program; /* NULL: snap */
    bool errs;
    void (*saved)(void *arg, uint64_t step, const char *hash, const char *path);
    char dir[4096];
    char warnings[16384];
    uint64_t certified; /* a bit a step */
};

static void hear_certified(void *arg, uint64_t step)
{
    struct training *training = arg;
    training->certified |= (uint64_t)1 << step;
}

static void hear_warning(void *arg, const char *text)
{
    struct training *training = arg;
    strncat(training->warnings, text, sizeof(training->warnings) - strlen(training->warnings) - 1);
}

static enum snap_status train(struct training *given, struct trn_result *result,
                              struct snap_error *err)
{
    static struct trn_ops ops;
    struct trn_listener listener = { .arg = given,
                                     .saved = given->saved,
                                     .certified = hear_certified,
                                     .warned = hear_warning };
    struct trn_training_options making = { .threads = 1, .program = given->program };
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct trn_training *training;
    struct trn_config config;
    struct trn_signals signals;
    const char *source = getenv("top_srcdir");
    char real[4096], text[8192], path[4096];
    assert_non_null(realpath(source != NULL ? source : ".", real));
    snprintf(text, sizeof(text), config_text, given->seed, given->every, given->policy,
             given->keep != NULL ? given->keep : "", real);
    path_of(path, "config.json");
    write_text(path, text, 0600);
    path_of(given->dir, given->name);
    opening.dir = given->dir;
    opening.must_be_new = true;
    if (making.program == NULL)
        making.program = snap;
    if (trn_config_load(path, NULL, &config, err) != SNAP_OK ||
        trn_training_new(&config, &making, &training, err) != SNAP_OK ||
        trn_training_open_run(training, &opening, err) != SNAP_OK)
        fail_msg("%s", err->text);
    true_ops = training->backend->ops;
    ops = *true_ops;
    ops.adam = faulty_adam;
    ops.cross_entropy = counting_loss;
    training->backend->ops = &ops;
    errs = given->errs;
    steps_begun = 0;
    trn_signals_install(&signals);
    enum snap_status status = trn_session_train(
        training, given->last != 0 ? given->last : LAST_STEP, &listener, result, err);
    trn_signals_remove(&signals);
    assert_int_equal(trn_training_free(training, NULL), SNAP_OK);
    /* Every process that was started has been waited for. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    return status;
}

/* The line of events.jsonl that tells of the snapshot of a step; "" when there is none. */
static void event_of(const struct training *training, int step, char line[4096])
{
    char path[4200], mark[40], read[4096];
    FILE *file;
    snprintf(path, sizeof(path), "%s/events.jsonl", training->dir);
    snprintf(mark, sizeof(mark), "\"step\":%d,", step);
    file = fopen(path, "r");
    assert_non_null(file);
    line[0] = '\0';
    while (fgets(read, sizeof(read), file) != NULL)
        if (strstr(read, "\"event\":\"certify\"") != NULL && strstr(read, mark) != NULL) {
            assert_string_equal(line, ""); /* one a snapshot */
            memcpy(line, read, sizeof(read));
        }
    fclose(file);
}

static void expect_event(const struct training *training, int step, const char *outcome,
                         const char *why)
{
    char line[4096], mark[60];
    event_of(training, step, line);
    snprintf(mark, sizeof(mark), "\"outcome\":\"%s\"", outcome);
    if (strstr(line, mark) == NULL || (why != NULL) != (strstr(line, "\"why\":") != NULL) ||
        (why != NULL && strstr(line, why) == NULL))
        fail_msg("step %d: expected %s (%s), found: %s", step, outcome, why != NULL ? why : "",
                 line);
}

#define NO_LINE "the run made no step after it"

/* ---- the cases ---- */

static void a_sound_run_is_certified(void **state)
{
    struct training given = { .name = "sound", .seed = 42, .every = 1, .policy = "stop" };
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    if (train(&given, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    for (int step = 1; step < LAST_STEP; step++)
        expect_event(&given, step, "certified", NULL);
    expect_event(&given, LAST_STEP, "not_certified", NO_LINE);
    assert_int_equal(given.certified, 0x3e); /* 1 to 5 */
    assert_string_equal(given.warnings, "");
}

/* The run's step 4 is not what its state of step 3 gives; all the others are what the state before
 * them gives. */
static void a_step_that_erred_refutes(void **state)
{
    struct training given = {
        .name = "erred", .seed = 42, .every = 1, .policy = "continue", .errs = true
    };
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    if (train(&given, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    for (int step = 1; step < LAST_STEP; step++)
        if (step == FAULT_STEP - 1)
            expect_event(&given, step, "refuted", "step 4: state differs from the ledger");
        else
            expect_event(&given, step, "certified", NULL);
    assert_non_null(strstr(given.warnings, "SNAPSHOT REFUTED: that of step 3 "));
    assert_non_null(strstr(given.warnings, "(first: model/"));
    assert_int_equal(result.step, LAST_STEP);
}

static void it_stops_where_it_is_told_to(void **state)
{
    struct training given = {
        .name = "stops", .seed = 42, .every = 1, .policy = "stop", .errs = true
    };
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    assert_int_equal(train(&given, &result, &err), SNAP_DIFFERS);
    assert_non_null(strstr(err.text, "the snapshot of step 3 does not lead to the run's next "));
    expect_event(&given, FAULT_STEP - 1, "refuted", "step 4: state differs from the ledger");
}

static bool is_stub(const struct training *training, int step)
{
    char path[4200];
    struct snap_archive *archive = NULL;
    struct snap_error err = SNAP_ERROR_INIT;
    snprintf(path, sizeof(path), "%s/snapshots/step-%010d.snap.tar", training->dir, step);
    if (snap_archive_open(path, &archive, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    bool stub = snap_archive_find(archive, "rng/python")->withheld;
    snap_archive_close(archive);
    return stub;
}

/* What the rules would let go stays until it was certified, however late that is; then it goes. */
static void one_that_waits_is_kept(void **state)
{
    struct training given = { .name = "kept", .seed = 42, .every = 1, .policy = "stop",
                              .keep = "\"keep\":{\"last\":1}," };
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    given.program = program_of(
        "while ! grep -q '\"save\".*step-0000000006' \"${2%/snapshots/*}/events.jsonl\"\n"
        "do sleep 0.05; done\n"
        "exec \"$SNAP\" \"$@\"");
    if (train(&given, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    for (int step = 1; step < LAST_STEP; step++)
        expect_event(&given, step, "certified", NULL);
    for (int step = 1; step <= LAST_STEP; step++)
        assert_int_equal(is_stub(&given, step), step < LAST_STEP);
}

static char other_archive[4200];

/* Another run's archive takes the place of the one of step 3. */
static void exchange(void *arg, uint64_t step, const char *hash, const char *path)
{
    (void)arg;
    (void)hash;
    if (step == 3)
        assert_int_equal(rename(other_archive, path), 0);
}

static void a_wrong_archive_is_refuted(void **state)
{
    struct training other = { .name = "other", .seed = 7, .every = 3, .policy = "stop" };
    struct training given = {
        .name = "exchanged", .seed = 42, .every = 3, .policy = "continue", .saved = exchange
    };
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    if (train(&other, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    snprintf(other_archive, sizeof(other_archive), "%s/snapshots/step-0000000003.snap.tar",
             other.dir);
    if (train(&given, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    expect_event(&given, 3, "refuted", "it is the ledger of another run");
}

/* One byte of the archive of step 3 is another one. */
static void damage(void *arg, uint64_t step, const char *hash, const char *path)
{
    FILE *file;
    int byte;
    (void)arg;
    (void)hash;
    if (step != 3)
        return;
    file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, 20000, SEEK_SET);
    byte = fgetc(file);
    fseek(file, 20000, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

static void a_damaged_archive_is_refuted(void **state)
{
    struct training given = {
        .name = "damaged", .seed = 42, .every = 3, .policy = "continue", .saved = damage
    };
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    if (train(&given, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    expect_event(&given, 3, "refuted", "step-0000000003.snap.tar");
}

/* The process works behind the training: nice, in one thread, on the run's device. Here it compares
 * with a line whose loss is another one, in a ledger that is whole in itself. */
static void a_wrong_line_is_refuted(void **state)
{
    struct training given = { .name = "line", .seed = 42, .every = 3, .policy = "continue" };
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    char text[2048], path[4096], read[400] = "";
    FILE *file;
    (void)state;
    snprintf(text, sizeof(text),
             "echo \"$(nice) $*\" >'%s/heard'\n"
             "cp \"$4/ledger.jsonl\" '%s/forged' &&\n"
             "\"$PYTHON\" \"$top_srcdir/tests/cli/forge.py\" ledger '%s/forged' 4 "
             "float.scalars.loss 3f800000 &&\n"
             "exec \"$SNAP\" replay \"$2\" --ledger '%s/forged' --to 4 --json", top, top, top, top);
    given.program = program_of(text);
    if (train(&given, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    expect_event(&given, 3, "refuted", "float.scalars.loss: expected 3f800000");
    path_of(path, "heard");
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(read, sizeof(read), file));
    fclose(file);
    assert_memory_equal(read, "19 replay ", 10);
    assert_non_null(strstr(read, " --to 4 --threads 1 --device cpu --json"));
}

/* ---- what cannot be certified ---- */

static void a_process_that_cannot_is_told(void **state)
{
    struct training given = { .name = "dumb", .seed = 42, .every = 3, .policy = "stop" };
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    given.program = program_of("kill -SEGV $$");
    if (train(&given, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    expect_event(&given, 3, "not_certified", "its process was ended by signal 11");
    assert_non_null(strstr(given.warnings, "the snapshot of step 3 is not certified: "));
    given.name = "silent";
    given.program = program_of("exit 0");
    if (train(&given, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    expect_event(&given, 3, "not_certified", "ended with status 0 and did not say why");
    given.name = "nobody";
    given.program = "/nowhere/snap";
    if (train(&given, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    expect_event(&given, 3, "not_certified", "ended with status 127");
}

/* A program that never ends does not keep a training that is to stop, and does not live on. Behind
 * it sixteen snapshots at most wait. */
static void stop_at_last(void *arg, uint64_t step, const char *hash, const char *path)
{
    const struct training *training = arg;
    (void)hash;
    (void)path;
    if (step == training->last)
        raise(SIGTERM);
}

static void a_stop_is_not_kept_waiting(void **state)
{
    struct training given = { .name = "hangs", .seed = 42, .every = 1, .policy = "stop",
                              .last = 20, .saved = stop_at_last };
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    given.program = program_of("exec sleep 86400");
    if (train(&given, &result, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    for (int step = 1; step <= 16; step++)
        expect_event(&given, step, "not_certified", "the run was stopped before it was done");
    for (int step = 17; step <= 20; step++)
        expect_event(&given, step, "not_certified", "too many snapshots before it wait");
    assert_non_null(strstr(given.warnings, "the snapshot of step 17 is not certified: too many"));
    assert_null(strstr(given.warnings, "step 16 "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_run_is_certified),
        cmocka_unit_test(a_step_that_erred_refutes),
        cmocka_unit_test(it_stops_where_it_is_told_to),
        cmocka_unit_test(one_that_waits_is_kept),
        cmocka_unit_test(a_wrong_archive_is_refuted),
        cmocka_unit_test(a_damaged_archive_is_refuted),
        cmocka_unit_test(a_wrong_line_is_refuted),
        cmocka_unit_test(a_process_that_cannot_is_told),
        cmocka_unit_test(a_stop_is_not_kept_waiting),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
