/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts on archives and run folders. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "format/json_canonical.h"
#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* 10 steps, snapshots after 4 and 8, and a capsule of step 9, which came out well in the end. */
static char *make_run(void)
{
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    struct snap_failure failure = SNAP_FAILURE_INIT;
    toy_init(&toy);
    toy.every = 4;
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 9, &err));
    CHECK_OK(toy_forward(&toy, run, &err));
    failure.step = 10;
    failure.what = "loss";
    failure.name = "";
    failure.value = "nan";
    CHECK_OK(snap_run_capsule(run, &failure, NULL, 0, &err));
    CHECK_OK(toy_update(&toy, run, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    return dir;
}

static void drop(char *dir)
{
    toy_remove(dir);
    free(dir);
}

/* Verify a folder (`run`) or a file; the verdict's status and a piece of its text. */
static void judge(bool run, const char *path, const struct snap_verify_options *options,
                  enum snap_status status, const char *fragment)
{
    struct snap_verdict *verdict = NULL;
    json_t *document;
    err = (struct snap_error)SNAP_ERROR_INIT;
    enum snap_status found = run ? snap_verify_run(path, options, &verdict, &err)
                                 : snap_verify_archive(path, options, &verdict, &err);
    unit_check_status(status, found, NULL, &err, __FILE__, __LINE__);
    assert_non_null(verdict);
    const char *text = snap_verdict_text(verdict);
    if (fragment != NULL && strstr(text, fragment) == NULL) {
        print_error("\"%s\" is not in:\n%s", fragment, text);
        fail();
    }
    const char *json = snap_verdict_json(verdict);
    CHECK_OK(snap_json_decode(json, strlen(json), "verdict", &document, &err));
    assert_string_equal(json_string_value(json_object_get(document, "status")),
                        snap_status_name(status));
    json_decref(document);
    snap_verdict_free(verdict);
}

static void test_archive(void **state)
{
    (void)state;
    char *dir = make_run();
    struct snap_verify_options options = SNAP_VERIFY_OPTIONS_INIT;
    struct snap_archive *archive;
    const char *path = toy_snapshot(dir, 8);
    judge(false, path, NULL, SNAP_OK, "ok      digests: 22 members\n");
    judge(false, path, NULL, SNAP_OK, "ok      second reader: libarchive finds the same members\n");
    judge(false, path, NULL, SNAP_OK, "ok      ledger: 4 lines, the chain reaches run1:");
    judge(false, path, NULL, SNAP_OK, "ok      state digest: ");
    judge(false, path, NULL, SNAP_OK, "verdict: intact\n");
    judge(false, toy_snapshot(dir, 4), NULL, SNAP_OK, "ok      ledger: 5 lines");
    judge(false, toy_path(dir, "capsules/step-0000000010.snap.tar"), NULL, SNAP_OK,
          "a capsule of step 9");
    /* Expected hashes of the three kinds. */
    CHECK_OK(snap_archive_open(path, &archive, &err));
    options.expected = snap_archive_snapshot_hash(archive);
    judge(false, path, &options, SNAP_OK, "ok      expected hash");
    judge(false, toy_snapshot(dir, 4), &options, SNAP_DIFFERS, "failed  expected hash");
    options.expected = snap_archive_state_hash(archive);
    judge(false, path, &options, SNAP_OK, "ok      expected hash");
    options.expected = snap_archive_run_hash(archive);
    judge(false, path, &options, SNAP_OK, "ok      expected hash");
    options.expected = "run1:00";
    CHECK_FAILS(SNAP_INVALID, "is no hash", snap_verify_archive(path, &options, NULL, &err));
    options.expected = NULL;
    /* One member alone. */
    options.only = "tensors/model/weight";
    judge(false, path, &options, SNAP_OK, "tensors/model/weight: 24 bytes as SHA256SUMS says");
    options.only = "tensors/model/none";
    judge(false, path, &options, SNAP_NOT_FOUND, "failed  member");
    snap_archive_close(archive);
    CHECK_FAILS(SNAP_IO, NULL, snap_verify_archive(toy_path(dir, "none"), NULL, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, NULL, snap_verify_archive(NULL, NULL, NULL, &err));
    judge(false, toy_path(dir, "ledger.jsonl"), NULL, SNAP_CORRUPT, "failed  structure");
    drop(dir);
}

/* Any byte: refused. */
static void test_bytes(void **state)
{
    (void)state;
    char *dir = make_run();
    const char *path = toy_snapshot(dir, 4);
    size_t size;
    char *bytes = toy_read(path, &size);
    for (size_t i = 0; i < size; i += 251) {
        bytes[i] ^= 16;
        toy_write(path, bytes, size);
        judge(false, path, NULL, SNAP_CORRUPT, "failed  ");
        bytes[i] ^= 16;
    }
    free(bytes);
    drop(dir);
}

static void test_run(void **state)
{
    (void)state;
    char *dir = make_run();
    struct snap_verify_options options = SNAP_VERIFY_OPTIONS_INIT;
    struct snap_ledger *ledger;
    struct snap_archive *archive;
    char hash[SNAP_HASH_TEXT_BYTES];
    judge(true, dir, NULL, SNAP_OK, "ok      ledger: 11 lines, the chain is whole");
    judge(true, dir, NULL, SNAP_OK, "ok      config.json: its training part is the genesis line's");
    judge(true, dir, NULL, SNAP_OK,
          "ok      snapshots/step-0000000004.snap.tar: 22 members, 5 ledger");
    judge(true, dir, NULL, SNAP_OK,
          "ok      capsules/step-0000000010.snap.tar: 22 members, 1 ledger");
    judge(true, dir, NULL, SNAP_OK, "ok      latest: names snapshots/step-0000000008.snap.tar");
    /* The run hash of any step. */
    CHECK_OK(snap_ledger_open(toy_path(dir, "ledger.jsonl"), &ledger, NULL, &err));
    snprintf(hash, sizeof hash, "run1:%s", snap_ledger_chain(ledger, 3));
    options.expected = hash;
    judge(true, dir, &options, SNAP_OK, "is the run's at step 3");
    snap_ledger_free(ledger);
    CHECK_OK(snap_archive_open(toy_snapshot(dir, 4), &archive, &err));
    options.expected = snap_archive_state_hash(archive);
    judge(true, dir, &options, SNAP_OK, "is in the folder");
    snap_archive_close(archive);
    hash[10] = hash[10] == '0' ? '1' : '0';
    options.expected = hash;
    judge(true, dir, &options, SNAP_DIFFERS, "is not in the folder");
    CHECK_FAILS(SNAP_IO, "no such folder",
                snap_verify_run(toy_path(dir, "none"), NULL, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, "holds no run",
                snap_verify_run(toy_path(dir, "snapshots"), NULL, NULL, &err));
    drop(dir);
}

static void falsify(const char *path, const char *from, const char *to)
{
    size_t size;
    char *bytes = toy_read(path, &size);
    char *at = strstr(bytes, from);
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    toy_write(path, bytes, size);
    free(bytes);
}

static void test_damaged_run(void **state)
{
    (void)state;
    char *dir = make_run();
    const char *kept = toy_path(dir, "kept");
    const char *path = toy_path(dir, "ledger.jsonl");
    size_t size;
    toy_copy(path, kept);
    falsify(path, "\"loss\":\"40be0000\"", "\"loss\":\"40be0001\"");
    judge(true, dir, NULL, SNAP_CORRUPT, "line 2 (step 1) was changed: loss: float.scalars.loss");
    char *bytes = toy_read(kept, &size);
    toy_write(path, bytes, size - 5);
    judge(true, dir, NULL, SNAP_OK, "note    ledger: a torn last line");
    toy_write(path, bytes, size / 2);
    judge(true, dir, NULL, SNAP_CORRUPT, "the ledger ends before step 8");
    free(bytes);
    assert_int_equal(unlink(path), 0);
    judge(true, dir, NULL, SNAP_CORRUPT, "a restore builds it again");
    toy_copy(kept, path);
    judge(true, dir, NULL, SNAP_OK, NULL);

    path = toy_path(dir, "config.json");
    toy_copy(path, kept);
    falsify(path, "\"seed\":42", "\"seed\":43");
    judge(true, dir, NULL, SNAP_CORRUPT,
          "failed  config.json: the training part of config.json is not");
    toy_write(path, "{ }\n", 4);
    judge(true, dir, NULL, SNAP_CORRUPT, "failed  config.json");
    toy_copy(kept, path);

    path = toy_path(dir, "latest");
    toy_copy(path, kept);
    assert_int_equal(unlink(path), 0);
    judge(true, dir, NULL, SNAP_CORRUPT, "failed  latest");
    toy_copy(kept, path);

    path = toy_snapshot(dir, 4);
    toy_copy(path, kept);
    toy_copy(toy_snapshot(dir, 8), path);
    judge(true, dir, NULL, SNAP_CORRUPT, "holds a snapshot of step 8");
    assert_int_equal(unlink(path), 0);
    judge(true, dir, NULL, SNAP_OK, "is not in the folder"); /* a parent that was pruned */
    toy_copy(kept, path);
    bytes = toy_read(path, &size);
    bytes[size / 2] ^= 1;
    toy_write(path, bytes, size);
    free(bytes);
    judge(true, dir, NULL, SNAP_CORRUPT, "failed  snapshots/step-0000000004.snap.tar");
    drop(dir);
}

/* A snapshot whose content is intact, but is not the state that the ledger names. */
static void test_other_state(void **state)
{
    (void)state;
    char *dir = make_run();
    char *forged = toy_folder();
    struct toy toy;
    struct snap_run *run;
    /* The same run, with a weight changed by hand between the line of step 4 and the save. */
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, forged, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 4, &err));
    toy.weight[2] += 1;
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    judge(false, toy_snapshot(forged, 4), NULL, SNAP_CORRUPT,
          "float.state is not the digest of the state");
    judge(true, forged, NULL, SNAP_CORRUPT, "float.state is not the digest of the state");
    drop(dir);
    drop(forged);
}

/* A snapshot of a run with the same beginning and other steps does not belong in the folder; and
 * the worst of several failures is the verdict. */
static void test_other_run(void **state)
{
    (void)state;
    char *dir = make_run();
    char *bent = toy_folder();
    struct snap_verify_options options = SNAP_VERIFY_OPTIONS_INIT;
    struct toy toy;
    struct snap_run *run;
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, bent, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 2, &err));
    toy.bend = 0.5f;
    CHECK_OK(toy_train(&toy, run, 7, &err));
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_copy(toy_snapshot(bent, 7), toy_snapshot(dir, 7));
    judge(true, dir, NULL, SNAP_CORRUPT,
          "failed  snapshots/step-0000000007.snap.tar: snapshots/step-0000000007.snap.tar: ");
    judge(true, dir, NULL, SNAP_CORRUPT, "line 4 (step 3) was changed: loss");
    options.expected = "run1:0000000000000000000000000000000000000000000000000000000000000000";
    judge(true, dir, &options, SNAP_CORRUPT, "failed  expected hash");
    drop(dir);
    drop(bent);
}

/* An archive whose manifest names other heads than those its lines lead to. */
static void test_forged_heads(void **state)
{
    (void)state;
    char *dir = make_run();
    const char *forged = toy_path(dir, "forged.snap.tar");
    toy_rewrite(toy_snapshot(dir, 8), forged, NULL, TOY_FORGE_HEAD);
    judge(false, forged, NULL, SNAP_CORRUPT, "its chain does not end at the head");
    toy_rewrite(toy_snapshot(dir, 4), forged, NULL, TOY_FORGE_RUN_ID);
    judge(false, forged, NULL, SNAP_CORRUPT, "genesis line: its run_id is not the archive's");
    toy_rewrite(toy_snapshot(dir, 8), forged, "tensors/model/weight", TOY_FORGE_NOTHING);
    judge(false, forged, NULL, SNAP_ABSENT, "failed  withheld: 1 members are withheld");
    struct snap_verify_options options = SNAP_VERIFY_OPTIONS_INIT;
    options.allow_withheld = true;
    judge(false, forged, &options, SNAP_OK,
          "note    withheld: 1 members, the first is tensors/model/");
    options.only = "tensors/model/weight";
    judge(false, forged, &options, SNAP_ABSENT, "failed  member");
    drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_archive),      cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_run),          cmocka_unit_test(test_damaged_run),
        cmocka_unit_test(test_other_state),  cmocka_unit_test(test_other_run),
        cmocka_unit_test(test_forged_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
