/* SPDX-License-Identifier: Apache-2.0 */
/* Tiers: how much of an archive can be promised here, and what the receipt says of it. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/json_canonical.h"
#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* A folder of 8 steps with a snapshot after the last. */
static char *pattern;

static int make_pattern(void **state)
{
    (void)state;
    pattern = toy_folder();
    CHECK_OK(toy_train_in(pattern, 8, 8, &err));
    return 0;
}

static int drop_pattern(void **state)
{
    (void)state;
    toy_remove(pattern);
    free(pattern);
    return 0;
}

/* A restore of `archive` into memory must be refused with that status and text, and change
 * nothing. */
static void refuse(const char *archive, enum snap_tier require, enum snap_status status,
                   const char *fragment)
{
    struct toy toy;
    struct snap_run *run;
    unsigned char before[SNAP_DIGEST_BYTES];
    unsigned char after[SNAP_DIGEST_BYTES];
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, NULL, archive, &run, &err));
    toy_digest(&toy, before);
    CHECK_FAILS(status, fragment, snap_run_restore(run, require, NULL, NULL, &err));
    toy_digest(&toy, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(snap_run_steps_done(run), 0);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
}

/* Restore into memory at `require`; the receipt's tier must be `tier`, and the status follow. */
static struct snap_receipt *tier_of(struct toy *toy, enum snap_tier require, enum snap_tier tier,
                                    const char *fragment)
{
    struct snap_run *run;
    struct snap_receipt *receipt = NULL;
    unsigned char before[SNAP_DIGEST_BYTES];
    unsigned char after[SNAP_DIGEST_BYTES];
    CHECK_OK(toy_open(toy, NULL, toy_snapshot(pattern, 8), &run, &err));
    toy_digest(toy, before);
    enum snap_status status = snap_run_restore(run, require, NULL, &receipt, &err);
    toy_digest(toy, after);
    assert_non_null(receipt);
    assert_int_equal(snap_receipt_tier(receipt), tier);
    assert_int_equal(status, tier >= require ? SNAP_OK : SNAP_ABSENT);
    if (tier < require) {
        assert_memory_equal(before, after, sizeof before);
        assert_non_null(strstr(snap_receipt_json(receipt), "\"restored\":false"));
    } else {
        assert_memory_not_equal(before, after, sizeof before);
        assert_non_null(strstr(snap_receipt_json(receipt), "\"restored\":true"));
    }
    if (fragment != NULL)
        assert_non_null(strstr(snap_receipt_table(receipt), fragment));
    CHECK_OK(snap_run_close(run, &err));
    return receipt;
}

static void try_tier(struct toy *toy, enum snap_tier require, enum snap_tier tier,
                     const char *fragment)
{
    snap_receipt_free(tier_of(toy, require, tier, fragment));
    toy_release(toy);
    toy_init(toy);
}

static void test_tiers(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy);
    try_tier(&toy, SNAP_TIER_EXACT, SNAP_TIER_EXACT, "tier: exact (required: exact)\n");
    toy.profile = "host-1";
    try_tier(&toy, SNAP_TIER_EXACT, SNAP_TIER_STREAMS,
             "because the profile is portable-1 in the "
             "archive, and host-1 here");
    toy.profile = "host-1";
    try_tier(&toy, SNAP_TIER_STREAMS, SNAP_TIER_STREAMS, "tier: streams (required: streams)");
    toy.binding = "{\"gpu\":\"H100\"}";
    try_tier(&toy, SNAP_TIER_EXACT, SNAP_TIER_STREAMS, "the binding is another one");
    toy.skip_registers = true;
    try_tier(&toy, SNAP_TIER_STREAMS, SNAP_TIER_WEIGHTS,
             "tensor optimizer/momentum is in the archive and not registered");
    toy.skip_registers = true;
    try_tier(&toy, SNAP_TIER_WEIGHTS, SNAP_TIER_WEIGHTS, "optimizer/momentum  tensor    missing");
    toy_release(&toy);
}

/* Tier weights: the tensors of root model, and nothing else. */
static void test_weights(void **state)
{
    (void)state;
    struct toy there;
    struct toy here;
    struct toy fresh;
    struct snap_run *run;
    toy_init(&there);
    toy_init(&here);
    toy_init(&fresh);
    CHECK_OK(toy_open(&there, NULL, toy_snapshot(pattern, 8), &run, &err));
    CHECK_OK(toy_restore(&there, run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    here.skip_registers = true;
    snap_receipt_free(tier_of(&here, SNAP_TIER_WEIGHTS, SNAP_TIER_WEIGHTS, NULL));
    assert_memory_equal(here.weight, there.weight, sizeof here.weight);
    assert_memory_equal(here.running, there.running, sizeof here.running);
    for (int i = 0; i < 8; i += 2) {
        assert_true(here.stats[i] == there.stats[i]);
        assert_true(here.stats[i + 1] == fresh.stats[i + 1]); /* what lies between */
    }
    assert_memory_equal(here.half, fresh.half, sizeof here.half);
    assert_memory_equal(here.momentum, fresh.momentum, sizeof here.momentum);
    assert_int_equal(here.seen, fresh.seen);
    assert_int_equal(here.xorshift, fresh.xorshift);
    toy_release(&there);
    toy_release(&here);
    toy_release(&fresh);
}

/* Two tensors, registered as the options say. */
struct small {
    bool swapped;     /* `b` before `a` */
    bool transposed;  /* `a` lies column by column */
    bool other_shape; /* `a` is 3 by 2 */
    bool grad;        /* `a` requires a gradient */
    float a[6];
    float b[2];
};

static void open_small(struct small *small, const char *dir, const char *archive,
                       struct snap_run **run)
{
    static const uint64_t two_three[] = { 2, 3 };
    static const uint64_t three_two[] = { 3, 2 };
    static const uint64_t columns[] = { 1, 2 };
    static const uint64_t two[] = { 2 };
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run_tensor tensors[2] = { SNAP_RUN_TENSOR_INIT, SNAP_RUN_TENSOR_INIT };
    options.dir = dir;
    options.archive = archive;
    options.profile = "host-1";
    options.no_read_back = true;
    CHECK_OK(snap_run_open(&options, run, &err));
    for (int i = 0; i < 2; i++) {
        struct snap_run_tensor *tensor = &tensors[i];
        bool is_a = (i == 0) != small->swapped;
        tensor->root = "model";
        tensor->name = is_a ? "a" : "b";
        tensor->data = is_a ? small->a : small->b;
        tensor->dtype = SNAP_F32;
        tensor->ndim = is_a ? 2 : 1;
        tensor->shape = !is_a ? two : small->other_shape ? three_two : two_three;
        tensor->strides = is_a && small->transposed ? columns : NULL;
        tensor->requires_grad = is_a && small->grad;
        CHECK_OK(snap_run_add_tensor(*run, tensor, &err));
    }
}

static void try_small(struct small small, const char *archive, enum snap_tier tier,
                      const char *reason)
{
    struct snap_run *run;
    struct snap_receipt *receipt = NULL;
    open_small(&small, NULL, archive, &run);
    enum snap_status status = snap_run_restore(run, SNAP_TIER_WEIGHTS, NULL, &receipt, &err);
    assert_int_equal(status, tier == SNAP_TIER_NONE ? SNAP_ABSENT : SNAP_OK);
    assert_int_equal(snap_receipt_tier(receipt), tier);
    if (reason != NULL && strstr(snap_receipt_table(receipt), reason) == NULL)
        fail_msg("\"%s\" is not in:\n%s", reason, snap_receipt_table(receipt));
    for (unsigned i = 0; i < 6 && tier != SNAP_TIER_NONE; i++) {
        unsigned place = small.transposed ? i / 3 + i % 3 * 2 : i;
        assert_true(small.a[place] == (float)(i + 1));
    }
    assert_true(tier == SNAP_TIER_NONE ? small.b[1] == 0 : small.b[1] == 8);
    snap_receipt_free(receipt);
    CHECK_OK(snap_run_close(run, &err));
}

static void test_small_differences(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct small small = { .a = { 1, 2, 3, 4, 5, 6 }, .b = { 7, 8 } };
    struct snap_run *run;
    open_small(&small, dir, NULL, &run);
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    const char *archive = toy_snapshot(dir, 0);
    try_small((struct small){ .grad = false }, archive, SNAP_TIER_EXACT, NULL);
    try_small((struct small){ .swapped = true }, archive, SNAP_TIER_WEIGHTS,
              "order of registration");
    try_small((struct small){ .grad = true }, archive, SNAP_TIER_WEIGHTS, "requires_grad");
    try_small((struct small){ .transposed = true }, archive, SNAP_TIER_WEIGHTS,
              "tensor model/a has other strides");
    try_small((struct small){ .other_shape = true }, archive, SNAP_TIER_NONE,
              "tensor model/a has another dtype or shape");
    toy_remove(dir);
    free(dir);
}

/* The receipt has a digest of every component, as `sha256sum` gives it for the member. */
static void test_receipt(void **state)
{
    (void)state;
    struct toy toy;
    struct snap_archive *archive;
    toy_init(&toy);
    struct snap_receipt *receipt = tier_of(&toy, SNAP_TIER_EXACT, SNAP_TIER_EXACT, NULL);
    CHECK_OK(snap_archive_open(toy_snapshot(pattern, 8), &archive, &err));
    assert_string_equal(snap_receipt_snapshot_hash(receipt), snap_archive_snapshot_hash(archive));
    assert_string_equal(snap_receipt_state_hash(receipt), snap_archive_state_hash(archive));
    assert_int_equal(snap_receipt_step(receipt), 8);
    json_t *document;
    CHECK_OK(snap_json_decode(snap_receipt_json(receipt), strlen(snap_receipt_json(receipt)),
                              "receipt", &document, &err));
    json_t *components = json_object_get(document, "components");
    assert_int_equal(json_array_size(components), 8 + 3 + 5 + 1 + 1);
    for (size_t i = 0; i < json_array_size(components); i++) {
        json_t *component = json_array_get(components, i);
        const char *name = json_string_value(json_object_get(component, "name"));
        json_t *digests = json_object_get(component, "digests");
        char member[120];
        assert_string_equal(json_string_value(json_object_get(component, "action")), "restored");
        assert_int_equal(json_array_size(digests), 1);
        const char *kind = json_string_value(json_object_get(component, "kind"));
        snprintf(member, sizeof member, "%s%s", strcmp(kind, "tensor") == 0 ? "tensors/" : "",
                 strcmp(name, "model/head") == 0 ? "model/weight" : name);
        const struct snap_member *found = snap_archive_find(archive, member);
        if (strcmp(kind, "scalar") == 0)
            continue;
        assert_non_null(found);
        for (size_t byte = 0; byte < SNAP_DIGEST_BYTES; byte++) {
            char two[3];
            snprintf(two, sizeof two, "%02x", found->sha256[byte]);
            assert_memory_equal(json_string_value(json_array_get(digests, 0)) + 2 * byte, two, 2);
        }
    }
    json_decref(document);
    snap_archive_close(archive);
    snap_receipt_free(receipt);
    toy_release(&toy);
}

/* One bit of each member's content: refused before anything is changed. */
static void test_damaged_members(void **state)
{
    (void)state;
    char *dir = toy_folder();
    const char *path = toy_path(dir, "damaged.snap.tar");
    struct snap_archive *archive;
    size_t size;
    char *bytes = toy_read(toy_snapshot(pattern, 8), &size);
    CHECK_OK(snap_archive_open(toy_snapshot(pattern, 8), &archive, &err));
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (member->data_size == 0)
            continue;
        bytes[member->data_offset] ^= 2;
        toy_write(path, bytes, size);
        refuse(path, SNAP_TIER_EXACT, SNAP_CORRUPT, member->name);
        bytes[member->data_offset] ^= 2;
    }
    snap_archive_close(archive);
    free(bytes);
    toy_remove(dir);
    free(dir);
}

static void test_withheld(void **state)
{
    (void)state;
    char *dir = toy_folder();
    const char *thin = toy_path(dir, "thin.snap.tar");
    struct toy toy;
    struct snap_run *run;
    struct snap_receipt *receipt = NULL;
    toy_rewrite(toy_snapshot(pattern, 8), thin, "tensors/optimizer/momentum", TOY_FORGE_NOTHING);
    refuse(thin, SNAP_TIER_STREAMS, SNAP_ABSENT, "momentum is withheld");
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, NULL, thin, &run, &err));
    CHECK_OK(snap_run_restore(run, SNAP_TIER_WEIGHTS, NULL, &receipt, &err));
    assert_int_equal(snap_receipt_tier(receipt), SNAP_TIER_WEIGHTS);
    snap_receipt_free(receipt);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_rewrite(toy_snapshot(pattern, 8), thin, "rng/numpy", TOY_FORGE_NOTHING);
    refuse(thin, SNAP_TIER_EXACT, SNAP_ABSENT, "stream numpy is withheld");
    /* Without its ledger lines the archive restores all the same. */
    toy_rewrite(toy_snapshot(pattern, 8), thin, "ledger.jsonl", TOY_FORGE_NOTHING);
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, NULL, thin, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(toy_train(&toy, run, 12, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_remove(dir);
    free(dir);
}

/* A data file that is another one. */
static void test_data_file(void **state)
{
    (void)state;
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run;
    struct snap_receipt *receipt = NULL;
    unsigned char digest[SNAP_DIGEST_BYTES] = { 1 };
    struct toy toy;
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, NULL, toy_snapshot(pattern, 8), &run, &err));
    CHECK_OK(snap_run_add_data_file(run, "test", digest, 5, &err));
    CHECK_FAILS(SNAP_ABSENT, "1 data files, and 2 are registered",
                snap_run_restore(run, SNAP_TIER_EXACT, NULL, &receipt, &err));
    assert_int_equal(snap_receipt_tier(receipt), SNAP_TIER_WEIGHTS);
    snap_receipt_free(receipt);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* Nothing in common. */
    options.archive = toy_snapshot(pattern, 8);
    CHECK_OK(snap_run_open(&options, &run, &err));
    CHECK_OK(snap_run_add_data_file(run, "train", digest, 4, &err));
    CHECK_FAILS(SNAP_ABSENT, "only tier none",
                snap_run_restore(run, SNAP_TIER_WEIGHTS, NULL, &receipt, &err));
    assert_non_null(strstr(snap_receipt_table(receipt), "data file train is another one"));
    snap_receipt_free(receipt);
    CHECK_OK(snap_run_close(run, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_small_differences),
        cmocka_unit_test(test_receipt),
        cmocka_unit_test(test_damaged_members),
        cmocka_unit_test(test_withheld),
        cmocka_unit_test(test_data_file),
    };
    return cmocka_run_group_tests(tests, make_pattern, drop_pattern);
}
