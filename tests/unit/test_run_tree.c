/* SPDX-License-Identifier: Apache-2.0 */
/* Roots that are set as whole trees: what is saved is what was set last, sharing is found, a
 * restore fills the memory and wants the plain values equal, and a failure leaves what was there.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/snapstate.h>

#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

#define TENSOR(index, shape, strides)                                                              \
    "{\"tensor\":{\"device\":\"cpu\",\"dtype\":\"f32\",\"offset\":0,\"requires_grad\":true,"       \
    "\"shape\":" shape ",\"storage\":" #index ",\"strides\":" strides "}}"
/* weight, its transpose, and a plain value */
#define MODEL                                                                                      \
    "{\"map\":[[\"weight\"," TENSOR(0, "[2,3]", "[3,1]") "],[\"tied\"," TENSOR(                    \
        1, "[3,2]", "[1,3]") "],[\"mean\"," TENSOR(2, "[2]", "[1]") "]]}"
#define VALUES                                                                                     \
    "{\"map\":[[\"step\",{\"int\":3}],[\"name\",{\"string\":\"adam\"}],[7,{\"list\":[]}]]}"
#define OTHER_VALUES                                                                               \
    "{\"map\":[[\"step\",{\"int\":4}],[\"name\",{\"string\":\"adam\"}],[7,{\"list\":[]}]]}"

struct memory {
    float weight[6];
    float mean[2];
    struct snap_tree_memory places[3];
};

static void fill(struct memory *memory, float from)
{
    for (int i = 0; i < 6; i++)
        memory->weight[i] = from + (float)i;
    memory->mean[0] = memory->mean[1] = from;
    memory->places[0] = (struct snap_tree_memory){ memory->weight, false };
    memory->places[1] = (struct snap_tree_memory){ memory->weight, false };
    memory->places[2] = (struct snap_tree_memory){ memory->mean, true };
}

static struct snap_run *open_run(const char *dir, const char *archive, uint64_t first_step)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run = NULL;
    options.dir = dir;
    options.archive = archive;
    options.profile = "host-1";
    options.first_step = first_step;
    options.state_every = 1;
    CHECK_OK(snap_run_open(&options, &run, &err));
    return run;
}

static void set_model(struct snap_run *run, struct memory *memory)
{
    CHECK_OK(snap_run_set_tree(run, "model", MODEL, memory->places, 3, &err));
}

static char *temporary(char path[64])
{
    snprintf(path, 64, "/tmp/snap-tree-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static void test_save_and_restore(void **state)
{
    (void)state;
    char dir[64];
    char path[128];
    char hash[SNAP_HASH_TEXT_BYTES];
    struct memory memory;
    struct memory other;
    struct snap_archive *archive = NULL;
    struct snap_receipt *receipt = NULL;
    snprintf(path, sizeof path, "%s/a b.snap.tar", temporary(dir));

    fill(&memory, 1);
    struct snap_run *run = open_run(NULL, NULL, 1200);
    set_model(run, &memory);
    CHECK_OK(snap_run_set_tree(run, "values", OTHER_VALUES, NULL, 0, &err));
    CHECK_OK(snap_run_set_tree(run, "values", VALUES, NULL, 0, &err));
    CHECK_OK(snap_run_save_as(run, path, hash, &err));
    CHECK_OK(snap_run_close(run, &err));

    CHECK_OK(snap_archive_open(path, &archive, &err));
    CHECK_OK(snap_archive_check(archive, NULL, &err));
    assert_string_equal(snap_archive_snapshot_hash(archive), hash);
    assert_int_equal(snap_archive_step(archive), 1200);
    assert_int_equal(snap_archive_storage_count(archive), 2);
    const struct snap_node *model = snap_archive_root(archive, 0);
    const struct snap_tensor_view *tied = snap_node_tensor(snap_node_get(model, "tied"));
    assert_int_equal(tied->storage, 0);
    assert_int_equal(tied->strides[0], 1);
    assert_true(tied->requires_grad);
    int64_t step;
    assert_true(snap_node_int(snap_node_get(snap_archive_root(archive, 1), "step"), &step));
    assert_int_equal(step, 3);
    snap_archive_close(archive);

    fill(&other, 50);
    run = open_run(NULL, path, 0);
    set_model(run, &other);
    CHECK_OK(snap_run_set_tree(run, "values", OTHER_VALUES, NULL, 0, &err));
    CHECK_FAILS(SNAP_ABSENT, "values/step",
                snap_run_restore(run, SNAP_TIER_EXACT, NULL, &receipt, &err));
    assert_true(other.weight[0] == 50);
    snap_receipt_free(receipt);
    /* Set as the archive has them, they are met. */
    CHECK_OK(snap_run_set_tree(run, "values", VALUES, NULL, 0, &err));
    CHECK_OK(snap_run_restore(run, SNAP_TIER_EXACT, NULL, &receipt, &err));
    assert_memory_equal(other.weight, memory.weight, sizeof memory.weight);
    assert_memory_equal(other.mean, memory.mean, sizeof memory.mean);
    assert_int_equal(snap_run_steps_done(run), 1200);
    assert_non_null(strstr(snap_receipt_json(receipt), "\"kind\":\"tree\",\"name\":\"values\""));
    snap_receipt_free(receipt);
    CHECK_FAILS(SNAP_UNSUPPORTED, NULL, snap_run_save_as(run, path, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* A value that is missing, or of another type, is told by its path. */
static void test_plain_values_differ(void **state)
{
    (void)state;
    static const struct {
        const char *tree;
        const char *told;
    } cases[] = {
        { "{\"map\":[[\"step\",{\"string\":\"3\"}],[\"name\",{\"string\":\"adam\"}],"
          "[7,{\"list\":[]}]]}",
          "values/step" },
        { "{\"map\":[[\"step\",{\"int\":3}],[7,{\"list\":[]}]]}", "values/name" },
        { "{\"map\":[[\"step\",{\"int\":3}],[\"name\",{\"string\":\"adam\"}]]}", "values/7" },
        { "{\"map\":[[\"name\",{\"string\":\"adam\"}],[\"step\",{\"int\":3}],[7,{\"list\":[]}]]}",
          "order" },
    };
    char dir[64];
    char path[128];
    snprintf(path, sizeof path, "%s/a", temporary(dir));
    struct snap_run *run = open_run(NULL, NULL, 0);
    CHECK_OK(snap_run_set_tree(run, "values", VALUES, NULL, 0, &err));
    CHECK_OK(snap_run_save_as(run, path, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run = open_run(NULL, path, 0);
        CHECK_OK(snap_run_set_tree(run, "values", cases[i].tree, NULL, 0, &err));
        CHECK_FAILS(SNAP_ABSENT, cases[i].told,
                    snap_run_restore(run, SNAP_TIER_EXACT, NULL, NULL, &err));
        CHECK_OK(snap_run_close(run, &err));
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void test_refusals(void **state)
{
    (void)state;
    struct memory memory;
    struct memory odd;
    struct snap_run_tensor flat = SNAP_RUN_TENSOR_INIT;
    fill(&memory, 1);
    fill(&odd, 2);
    struct snap_run *run = open_run(NULL, NULL, 0);
    set_model(run, &memory);
    char before[SNAP_HASH_TEXT_BYTES];
    char after[SNAP_HASH_TEXT_BYTES];
    CHECK_OK(snap_run_state_hash(run, before, &err));

    static const struct {
        const char *root;
        const char *tree;
        size_t count;
        const char *told;
    } bad[] = {
        { "no/root", VALUES, 0, "no legal root" },
        { "model", "{", 0, "model" },
        { "model", "{\"int\":1.5}", 0, "model" },
        { "model", "{\"what\":1}", 0, "model" },
        { "model", MODEL, 2, "index of one of the 2 memories" },
        { "model",
          "{\"map\":[[\"a.b\"," TENSOR(0, "[1]", "[1]") "],[\"a\",{\"map\":[[\"b\"," TENSOR(
              1, "[1]", "[1]") "]]}]]}",
          2, "two tensors have the path a.b" },
        { "model",
          "{\"map\":[[\"a\"," TENSOR(0, "[2]", "[4]") "],[\"b\"," TENSOR(1, "[2]", "[2]") "]]}", 2,
          "share memory" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_FAILS(
            SNAP_INVALID, bad[i].told,
            snap_run_set_tree(run, bad[i].root, bad[i].tree, odd.places, bad[i].count, &err));
        CHECK_OK(snap_run_state_hash(run, after, &err));
        assert_string_equal(before, after);
    }
    odd.places[0].data = NULL;
    CHECK_FAILS(SNAP_INVALID, "NULL", snap_run_set_tree(run, "model", MODEL, odd.places, 3, &err));
    CHECK_OK(snap_run_state_hash(run, after, &err));
    assert_string_equal(before, after);
    CHECK_FAILS(SNAP_NOT_FOUND, NULL, snap_run_drop_tree(run, "absent", &err));
    CHECK_OK(snap_run_close(run, &err));

    /* One root is either a tree or a list. */
    run = open_run(NULL, NULL, 0);
    set_model(run, &memory);
    flat.root = "model";
    flat.name = "x";
    flat.data = memory.mean;
    flat.dtype = SNAP_F32;
    CHECK_FAILS(SNAP_INVALID, NULL, snap_run_add_tensor(run, &flat, &err));
    flat.root = "flat";
    CHECK_OK(snap_run_add_tensor(run, &flat, &err));
    CHECK_FAILS(SNAP_INVALID, NULL, snap_run_set_tree(run, "flat", VALUES, NULL, 0, &err));
    CHECK_FAILS(SNAP_INVALID, NULL, snap_run_drop_tree(run, "flat", &err));
    CHECK_OK(snap_run_close(run, &err));
}

/* A root that comes and goes, between others, leaves the state as if it had never been there. */
static void test_drop(void **state)
{
    (void)state;
    struct memory memory;
    struct memory more;
    struct snap_run_tensor flat = SNAP_RUN_TENSOR_INIT;
    bool flag = true;
    char before[SNAP_HASH_TEXT_BYTES];
    char during[SNAP_HASH_TEXT_BYTES];
    char after[SNAP_HASH_TEXT_BYTES];
    float own[4] = { 1, 2, 3, 4 };
    fill(&memory, 1);
    fill(&more, 9);
    struct snap_run *run = open_run(NULL, NULL, 0);
    CHECK_OK(snap_run_set_tree(run, "first", MODEL, more.places, 3, &err));
    flat.root = "flat";
    flat.name = "own";
    flat.data = own;
    flat.dtype = SNAP_F32;
    flat.ndim = 1;
    flat.shape = (const uint64_t[]){ 4 };
    CHECK_OK(snap_run_add_tensor(run, &flat, &err));
    CHECK_OK(snap_run_add_scalar(run, "flat", "flag", SNAP_VALUE_BOOL, &flag, &err));
    set_model(run, &memory);
    CHECK_OK(snap_run_state_hash(run, before, &err));
    CHECK_OK(snap_run_set_tree(run, "later", VALUES, NULL, 0, &err));
    CHECK_OK(snap_run_state_hash(run, during, &err));
    assert_string_not_equal(before, during);
    CHECK_OK(snap_run_drop_tree(run, "later", &err));
    CHECK_OK(snap_run_state_hash(run, after, &err));
    assert_string_equal(before, after);
    /* The roots behind one that goes keep what is theirs. */
    CHECK_OK(snap_run_drop_tree(run, "first", &err));
    CHECK_OK(snap_run_state_hash(run, during, &err));
    own[2] = 7;
    CHECK_OK(snap_run_state_hash(run, after, &err));
    assert_string_not_equal(during, after);
    own[2] = 3;
    memory.weight[5] = 0;
    CHECK_OK(snap_run_state_hash(run, after, &err));
    assert_string_not_equal(during, after);
    CHECK_OK(snap_run_close(run, &err));
}

/* What begin_step kept of a tensor outlives a tree that is set again in the step. */
static void test_capsule_keeps_before(void **state)
{
    (void)state;
    char dir[64];
    char path[256];
    struct memory memory;
    struct snap_archive *archive = NULL;
    struct snap_failure failure = SNAP_FAILURE_INIT;
    float mean[2];
    fill(&memory, 1);
    struct snap_run *run = open_run(temporary(dir), NULL, 0);
    set_model(run, &memory);
    CHECK_FAILS(SNAP_NOT_FOUND, NULL, snap_run_restore(run, SNAP_TIER_EXACT, NULL, NULL, &err));
    CHECK_OK(snap_run_begin_step(run, &err));
    memory.mean[0] = 99; /* the forward pass */
    set_model(run, &memory);
    CHECK_OK(snap_run_set_tree(run, "failure", VALUES, NULL, 0, &err));
    failure.step = 1;
    failure.what = "loss";
    failure.name = "";
    failure.value = "nan";
    CHECK_OK(snap_run_capsule(run, &failure, path, sizeof path, &err));
    CHECK_OK(snap_run_close(run, &err));
    CHECK_OK(snap_archive_open(path, &archive, &err));
    CHECK_OK(snap_archive_read_storage(archive, 1, mean, &err));
    assert_true(mean[0] == 1);
    snap_archive_close(archive);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

/* Digests of tensors in a line: the first that differs is named, in the order of the step. */
static void test_tensor_digests(void **state)
{
    (void)state;
    char dirs[2][64];
    struct snap_diff *diff = NULL;
    for (int side = 0; side < 2; side++) {
        struct memory memory;
        fill(&memory, 1);
        struct snap_run *run = open_run(temporary(dirs[side]), NULL, 0);
        set_model(run, &memory);
        CHECK_FAILS(SNAP_NOT_FOUND, NULL, snap_run_restore(run, SNAP_TIER_EXACT, NULL, NULL, &err));
        for (uint64_t step = 1; step <= 3; step++) {
            struct snap_tensor_digest digests[3] = { { SNAP_TENSOR_OUTPUT, "z.first", { 0 } },
                                                     { SNAP_TENSOR_OUTPUT, "a.second", { 0 } },
                                                     { SNAP_TENSOR_WEIGHT, "weight", { 0 } } };
            struct snap_step_record record = SNAP_STEP_RECORD_INIT;
            struct snap_scalar loss = snap_scalar_f32("loss", side == 1 && step == 3 ? 2 : 1);
            CHECK_OK(snap_run_begin_step(run, &err));
            for (size_t i = 0; i < 3; i++)
                CHECK_OK(snap_tensor_digest(memory.weight, SNAP_F32, 2, (const uint64_t[]){ 2, 3 },
                                            (const uint64_t[]){ 1, 2 }, digests[i].sha256, &err));
            if (side == 1 && step == 2)
                digests[1].sha256[5] ^= 1;
            record.step = step;
            record.float_scalars = &loss;
            record.float_scalar_count = 1;
            record.tensor_digests = digests;
            record.tensor_digest_count = 3;
            CHECK_OK(snap_run_step(run, &record, &err));
        }
        CHECK_OK(snap_run_close(run, &err));
    }
    CHECK_FAILS(SNAP_DIFFERS, NULL, snap_diff_ledgers(dirs[0], dirs[1], &diff, &err));
    assert_int_equal(snap_diff_count(diff), 1);
    assert_string_equal(snap_diff_at(diff, 0)->name, "step 2");
    assert_non_null(strstr(snap_diff_at(diff, 0)->text, "float.tensors: output a.second"));
    snap_diff_free(diff);
    char command[160];
    snprintf(command, sizeof command, "rm -r %s %s", dirs[0], dirs[1]);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_and_restore),
        cmocka_unit_test(test_plain_values_differ),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_capsule_keeps_before),
        cmocka_unit_test(test_tensor_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
