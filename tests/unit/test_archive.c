/* SPDX-License-Identifier: Apache-2.0 */
/* A whole archive: written, read, checked; parts of storages; wrong calls. */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/file.h"
#include "digest/sha256.h"
#include "format/archive_read.h"
#include "format/member_name.h"
#include "format/tar_layout.h"
#include "io/write_file.h"
#include "sample_archive.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static enum snap_status try_open(const struct snap_buffer *bytes, struct snap_archive **archive)
{
    return snap_archive_open_fd(memory_file(bytes->data, bytes->size), "sample", archive, &err);
}

static void check_digest(const struct snap_buffer *bytes, const struct snap_member *member)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    CHECK_OK(snap_sha256(bytes->data + member->data_offset, (size_t)member->data_size, digest,
                         &err));
    assert_memory_equal(member->sha256, digest, sizeof digest);
}

static char *read_text(const struct snap_archive *archive, const char *name)
{
    void *data = NULL;
    const struct snap_member *member = snap_archive_find(archive, name);
    assert_non_null(member);
    CHECK_OK(snap_archive_read_alloc(archive, member, 1 << 20, &data, &err));
    return data;
}

static bool collect(void *arg, const void *data, size_t size_bytes)
{
    CHECK_OK(snap_buffer_append(arg, data, size_bytes, &err));
    return true;
}

static bool refuse(void *arg, const void *data, size_t size_bytes)
{
    (void)data;
    *(size_t *)arg += size_bytes;
    return false;
}

/* In pieces it is the same; and the rest of one that is not wanted any more is not looked at. */
static void check_pieces(const struct snap_archive *archive, const struct snap_buffer *bytes,
                         const struct snap_member *member)
{
    struct snap_buffer found = SNAP_BUFFER_INIT;
    unsigned char *first = (unsigned char *)(uintptr_t)member->sha256; /* the archive's own */
    size_t taken = 0;
    CHECK_OK(snap_archive_read_pieces(archive, member, collect, &found, &err));
    assert_int_equal(found.size, member->data_size);
    if (found.size > 0)
        assert_memory_equal(found.data, bytes->data + member->data_offset, found.size);
    *first ^= 1;
    CHECK_FAILS(SNAP_CORRUPT, member->name,
                snap_archive_read_pieces(archive, member, NULL, NULL, &err));
    if (member->data_size > 0)
        CHECK_OK(snap_archive_read_pieces(archive, member, refuse, &taken, &err));
    *first ^= 1;
    assert_int_equal(taken, member->data_size);
    snap_buffer_release(&found);
}

static void test_members(void **state)
{
    (void)state;
    static const char *const names[] = {
        "README",
        "manifest.json",
        "state.json",
        "data.json",
        "rng/device",
        "rng/order",
        "tensors/model/fc.bias",
        "tensors/model/fc.weight",
        "tensors/model/~000002",
        "tensors/optimizer/momentum.0",
        "extra/notes",
        "extra/replay",
        "env.json",
        "ledger.jsonl",
        "STATE",
        "SHA256SUMS",
    };
    struct sample_archive sample;
    struct snap_archive *archive = NULL;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    uint64_t offset = 0;
    CHECK_OK(sample_init(&sample, &err));
    CHECK_OK(sample_encode(&sample, NULL, &bytes, &err));
    CHECK_OK(try_open(&bytes, &archive));
    CHECK_OK(snap_archive_check(archive, NULL, &err));
    assert_int_equal(snap_archive_member_count(archive), 16);
    assert_int_equal(snap_archive_withheld_count(archive), 0);
    for (size_t i = 0; i < 16; i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        enum snap_member_kind kind;
        assert_string_equal(member->name, names[i]);
        assert_true(snap_member_kind_of(names[i], &kind));
        assert_int_equal(member->kind, kind);
        assert_int_equal(member->size_bytes, sizeof *member);
        assert_false(member->withheld);
        assert_int_equal(member->in_state,
                         snap_member_is_in_state(kind) && strcmp(names[i], "extra/notes") != 0);
        assert_ptr_equal(snap_archive_find(archive, names[i]), member);
        assert_int_equal(member->data_offset, offset + SNAP_TAR_BLOCK_BYTES);
        check_digest(&bytes, member);
        check_pieces(archive, &bytes, member);
        offset += snap_tar_member_bytes(member->data_size);
    }
    assert_int_equal(bytes.size, offset + SNAP_TAR_END_BYTES);
    assert_null(snap_archive_member(archive, 16));
    assert_null(snap_archive_find(archive, "rng/python"));

    /* STATE: its lines are those of SHA256SUMS, sorted by bytes of the name. */
    static const char *const in_state[] = { "data.json",
                                            "extra/replay",
                                            "rng/device",
                                            "rng/order",
                                            "state.json",
                                            "tensors/model/fc.bias",
                                            "tensors/model/fc.weight",
                                            "tensors/model/~000002",
                                            "tensors/optimizer/momentum.0" };
    char *listing = read_text(archive, "STATE");
    char *all = read_text(archive, "SHA256SUMS");
    char *line = listing;
    for (size_t i = 0; i < 9; i++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        assert_string_equal(line + 66, in_state[i]);
        assert_non_null(strstr(all, line));
        line = end + 1;
    }
    assert_string_equal(line, "");
    free(listing);
    free(all);

    /* The hashes are of these two members. */
    char hash[SNAP_HASH_TEXT_BYTES];
    snap_hash_text("state1", snap_archive_find(archive, "STATE")->sha256, hash);
    assert_string_equal(snap_archive_state_hash(archive), hash);
    snap_hash_text("snap1", snap_archive_find(archive, "SHA256SUMS")->sha256, hash);
    assert_string_equal(snap_archive_snapshot_hash(archive), hash);
    snap_hash_text("run1", sample.manifest.after.run, hash);
    assert_string_equal(snap_archive_run_hash(archive), hash);

    snap_archive_close(archive);
    snap_buffer_release(&bytes);
    sample_release(&sample);
}

static void test_accessors(void **state)
{
    (void)state;
    struct sample_archive sample;
    struct snap_archive *archive = NULL;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    uint64_t size = 0;
    unsigned char weight[16];
    size_t first = 0;
    size_t count = 0;
    CHECK_OK(sample_init(&sample, &err));
    CHECK_OK(sample_encode(&sample, NULL, &bytes, &err));
    CHECK_OK(try_open(&bytes, &archive));
    assert_string_equal(snap_archive_kind(archive), "snapshot");
    assert_string_equal(snap_archive_run_id(archive), sample.manifest.run_id);
    assert_int_equal(snap_archive_step(archive), 1);
    assert_null(snap_archive_parent(archive));
    assert_string_equal(snap_archive_profile(archive), "portable-1");
    assert_string_equal(snap_archive_binding(archive), "{}\n");
    assert_string_equal(snap_archive_training(archive),
                        "{\"batch\":2,\"ledger\":{\"batch_bytes\":false,\"state_every\":1},"
                        "\"seed\":7}\n");
    assert_string_equal(snap_archive_json(archive, "state.json"), (char *)sample.state_text.data);
    assert_string_equal(snap_archive_json(archive, "data.json"), (char *)sample.data_text.data);
    assert_non_null(strstr(snap_archive_json(archive, "env.json"), "snap-environment-1"));
    assert_non_null(strstr(snap_archive_json(archive, "manifest.json"), "snap-archive-1"));
    assert_null(snap_archive_json(archive, "ledger.jsonl"));

    assert_int_equal(snap_archive_root_count(archive), 2);
    assert_string_equal(snap_archive_root_name(archive, 0), "model");
    assert_null(snap_archive_root_name(archive, 2));
    assert_null(snap_archive_root(archive, 2));
    const struct snap_tensor_view *head =
        snap_node_tensor(snap_node_get(snap_archive_root(archive, 0), "head.weight"));
    assert_int_equal(head->storage, 0);
    assert_int_equal(head->strides[1], 2);
    assert_int_equal(snap_archive_storage_count(archive), 4);
    assert_string_equal(snap_archive_storage_name(archive, 1, &size), "tensors/model/fc.bias");
    assert_int_equal(size, 8);
    assert_null(snap_archive_storage_name(archive, 4, &size));
    CHECK_OK(snap_archive_read_storage(archive, 0, weight, &err));
    assert_memory_equal(weight + 12, "\x00\x00\x80\x40", 4);
    CHECK_OK(snap_archive_read_storage(archive, 3, NULL, &err)); /* of no bytes */
    CHECK_FAILS(SNAP_INVALID, "storage 4", snap_archive_read_storage(archive, 4, weight, &err));
    CHECK_OK(snap_archive_storage_members(archive, 1, &first, &count, &err));
    assert_int_equal(first, 6);
    assert_int_equal(count, 1);
    assert_string_equal(snap_archive_stream_kind(archive, "device"), "philox_dropout");
    assert_null(snap_archive_stream_kind(archive, "python"));
    assert_int_equal(snap_archive_data_doc(archive)->position, 2);
    assert_int_equal(snap_archive_manifest(archive)->member_count, 15);
    assert_int_equal(snap_archive_state_doc(archive)->stream_count, 2);

    void *data = NULL;
    CHECK_FAILS(SNAP_CORRUPT, "larger than the 4",
                snap_archive_read_alloc(archive, snap_archive_find(archive, "rng/order"), 4, &data,
                                        &err));
    assert_null(data);
    char *order = read_text(archive, "rng/order");
    assert_memory_equal(order, "\x00\x01\x02\xFE\xFF\x00", 6);
    free(order);
    snap_archive_close(archive);
    snap_archive_close(NULL);
    snap_buffer_release(&bytes);
    sample_release(&sample);
}

/* The same state by any number of threads, and in any order of members, is the same file. */
static void test_same_bytes(void **state)
{
    (void)state;
    struct snap_buffer first = SNAP_BUFFER_INIT;
    for (unsigned threads = 0; threads <= 3; threads++) {
        struct snap_pool *pool = NULL;
        struct sample_archive sample;
        struct snap_buffer bytes = SNAP_BUFFER_INIT;
        struct snap_archive *archive = NULL;
        if (threads > 0)
            CHECK_OK(snap_pool_new(threads, &pool, &err));
        CHECK_OK(sample_init(&sample, &err));
        for (size_t i = 0; i < threads; i++) {
            struct snap_write_member member = sample.members[i];
            sample.members[i] = sample.members[SAMPLE_MEMBERS - 1 - i];
            sample.members[SAMPLE_MEMBERS - 1 - i] = member;
        }
        CHECK_OK(sample_encode(&sample, pool, &bytes, &err));
        if (threads == 0)
            CHECK_OK(snap_buffer_append(&first, bytes.data, bytes.size, &err));
        assert_int_equal(bytes.size, first.size);
        assert_memory_equal(bytes.data, first.data, first.size);
        CHECK_OK(try_open(&bytes, &archive));
        CHECK_OK(snap_archive_check(archive, pool, &err));
        snap_archive_close(archive);
        snap_buffer_release(&bytes);
        sample_release(&sample);
        snap_pool_free(pool);
    }
    snap_buffer_release(&first);
}

static void test_plan(void **state)
{
    (void)state;
    struct sample_archive sample;
    struct snap_archive_plan *plan = NULL;
    struct snap_archive *archive = NULL;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    char hash[SNAP_HASH_TEXT_BYTES];
    CHECK_OK(sample_init(&sample, &err));
    /* The state hash alone, first, without what is outside STATE. */
    CHECK_OK(snap_archive_state_digest(sample.members, SAMPLE_MEMBERS, NULL, digest, &err));
    for (size_t i = 0; i < SAMPLE_MEMBERS; i++)
        assert_int_equal(sample.members[i].digest_known,
                         strcmp(sample.members[i].name, "extra/notes") != 0 &&
                             strcmp(sample.members[i].name, "env.json") != 0 &&
                             strcmp(sample.members[i].name, "ledger.jsonl") != 0);
    CHECK_OK(
        snap_archive_plan_new(&sample.manifest, sample.members, SAMPLE_MEMBERS, &plan, &err));
    assert_string_equal(snap_archive_plan_state_hash(plan), "");
    CHECK_OK(plan_encode(plan, NULL, &bytes, &err));
    snap_hash_text("state1", digest, hash);
    assert_string_equal(snap_archive_plan_state_hash(plan), hash);
    assert_int_equal(snap_archive_plan_file_size(plan), bytes.size);
    CHECK_OK(try_open(&bytes, &archive));
    assert_string_equal(snap_archive_plan_snapshot_hash(plan), snap_archive_snapshot_hash(archive));
    assert_string_equal(snap_archive_plan_state_hash(plan), snap_archive_state_hash(archive));
    snap_archive_close(archive);
    snap_archive_plan_free(plan);
    snap_archive_plan_free(NULL);
    snap_buffer_release(&bytes);
    sample_release(&sample);
}

static void try_member(const char *name, bool withheld, const void *data, uint64_t size,
                       const char *fragment)
{
    struct sample_archive sample;
    struct snap_archive_plan *plan = NULL;
    CHECK_OK(sample_init(&sample, &err));
    sample.members[0].name = name;
    sample.members[0].withheld = withheld;
    sample.members[0].data = data;
    sample.members[0].size = size;
    CHECK_FAILS(SNAP_INVALID, fragment,
                snap_archive_plan_new(&sample.manifest, sample.members, SAMPLE_MEMBERS, &plan,
                                      &err));
    assert_null(plan);
    sample_release(&sample);
}

static void test_plan_refuses(void **state)
{
    (void)state;
    try_member("../x", false, "", 0, "not legal");
    try_member("README", false, "", 0, "made by the library");
    try_member("STATE", false, "", 0, "made by the library");
    try_member("state.json", false, "", 0, "there twice");
    try_member("extra/NOTES", false, "", 0, "capitals");
    try_member("extra/x", true, NULL, 5, "digest is not known");
    try_member("extra/x", false, NULL, 5, "no data");
    try_member("tensors/model/x", false, "", SNAP_STORAGE_PART_BYTES + 1, "larger than allowed");
    struct sample_archive sample;
    struct snap_archive_plan *plan = NULL;
    CHECK_OK(sample_init(&sample, &err));
    CHECK_OK(sample_withhold(&sample, 1, &err)); /* state.json */
    CHECK_FAILS(SNAP_INVALID, "never withheld",
                snap_archive_plan_new(&sample.manifest, sample.members, SAMPLE_MEMBERS, &plan,
                                      &err));
    sample.members[0].withheld = false;
    CHECK_FAILS(SNAP_INVALID, "no member of kind \"state\"",
                snap_archive_plan_new(&sample.manifest, sample.members + 1, SAMPLE_MEMBERS - 1,
                                      &plan, &err));
    sample.manifest.run_id[0] = 'G';
    CHECK_FAILS(SNAP_INVALID, "run_id",
                snap_archive_plan_new(&sample.manifest, sample.members, SAMPLE_MEMBERS, &plan,
                                      &err));
    sample.manifest.run_id[0] = '0';
    sample.manifest.capsule = true;
    CHECK_FAILS(SNAP_INVALID, "failure",
                snap_archive_plan_new(&sample.manifest, sample.members, SAMPLE_MEMBERS, &plan,
                                      &err));
    assert_null(plan);
    sample_release(&sample);
}

/* Data that are not those of the digest given: copied from a file that was damaged, say. */
static void test_given_digest(void **state)
{
    (void)state;
    struct sample_archive sample;
    struct snap_archive_plan *plan = NULL;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    CHECK_OK(sample_init(&sample, &err));
    CHECK_OK(sample_withhold(&sample, 0, &err)); /* sorts, and gives all digests */
    CHECK_OK(
        snap_archive_plan_new(&sample.manifest, sample.members, SAMPLE_MEMBERS, &plan, &err));
    CHECK_OK(plan_encode(plan, NULL, &bytes, &err));
    snap_archive_plan_free(plan);
    sample.members[3].sha256[31] ^= 1;
    CHECK_OK(
        snap_archive_plan_new(&sample.manifest, sample.members, SAMPLE_MEMBERS, &plan, &err));
    CHECK_FAILS(SNAP_INVALID, sample.members[3].name, plan_encode(plan, NULL, &bytes, &err));
    snap_archive_plan_free(plan);
    snap_buffer_release(&bytes);
    sample_release(&sample);
}

/* A capsule, with a parent and chain heads before. */
static void test_capsule(void **state)
{
    (void)state;
    struct sample_archive sample;
    struct snap_archive *archive = NULL;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    CHECK_OK(sample_init(&sample, &err));
    sample.manifest.capsule = true;
    sample.manifest.failure = json_pack("{ssss}", "value", "nan", "what", "loss");
    sample.manifest.has_parent = true;
    memset(sample.manifest.parent, 0xAB, SNAP_DIGEST_BYTES);
    sample.manifest.has_before = true;
    memset(sample.manifest.before.host, 0xCD, SNAP_DIGEST_BYTES);
    sample.manifest.step = 9007199254740992u;
    CHECK_OK(sample_encode(&sample, NULL, &bytes, &err));
    CHECK_OK(try_open(&bytes, &archive));
    CHECK_OK(snap_archive_check(archive, NULL, &err));
    assert_string_equal(snap_archive_kind(archive), "capsule");
    assert_string_equal(snap_archive_parent(archive),
                        "snap1:abababababababababababababababababababababababababababababababab");
    assert_true(snap_archive_step(archive) == 9007199254740992u);
    const struct snap_manifest *manifest = snap_archive_manifest(archive);
    assert_true(manifest->has_before);
    assert_int_equal(manifest->before.host[5], 0xCD);
    assert_string_equal(json_string_value(json_object_get(manifest->failure, "what")), "loss");
    snap_archive_close(archive);
    snap_buffer_release(&bytes);
    sample_release(&sample);
}

/* A storage of two parts; its file is written and read back from a disk. */
static void test_parts(void **state)
{
    (void)state;
    char path[] = "snap-test-XXXXXX";
    size_t size = (size_t)SNAP_STORAGE_PART_BYTES + 3;
    unsigned char *data = calloc(1, size);
    struct snap_state_doc doc = SNAP_STATE_DOC_INIT;
    struct snap_tensor_view view = SNAP_TENSOR_VIEW_INIT;
    struct snap_node *map = snap_node_new_map();
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_buffer data_text = SNAP_BUFFER_INIT;
    struct snap_data_doc data_doc = SNAP_DATA_DOC_INIT;
    struct snap_manifest manifest = SNAP_MANIFEST_INIT;
    struct snap_archive_plan *plan = NULL;
    struct snap_archive *archive = NULL;
    assert_non_null(data);
    data[0] = 1;
    data[size - 1] = 2;
    view.dtype = SNAP_U8;
    view.ndim = 1;
    view.shape[0] = size;
    view.strides[0] = 1;
    CHECK_OK(snap_node_set(map, "big", snap_node_new_tensor(&view), &err));
    CHECK_OK(snap_state_doc_set(&doc, "none", NULL, NULL, &err));
    CHECK_OK(snap_state_doc_add_root(&doc, "model", map, &err));
    CHECK_OK(snap_state_doc_add_storage(&doc, size, &err));
    CHECK_OK(snap_state_doc_finish(&doc, &err));
    CHECK_OK(snap_state_doc_encode(&doc, &text, &err));
    CHECK_OK(snap_data_doc_encode(&data_doc, &data_text, &err));
    struct snap_write_member members[] = {
        { .name = "state.json", .data = text.data, .size = text.size },
        { .name = "data.json", .data = data_text.data, .size = data_text.size },
        { .name = "tensors/model/big~0000", .data = data, .size = SNAP_STORAGE_PART_BYTES },
        { .name = "tensors/model/big~0001", .data = data + SNAP_STORAGE_PART_BYTES, .size = 3 },
        { .name = "env.json", .data = "{}\n", .size = 3 },
        { .name = "ledger.jsonl", .data = NULL, .size = 0 },
    };
    memset(manifest.run_id, '0', SNAP_RUN_ID_DIGITS);
    manifest.coverage = snap_coverage_new();
    CHECK_OK(snap_archive_plan_new(&manifest, members, 6, &plan, &err));
    const struct snap_write_options options = { .way = SNAP_IO_BEST };
    struct snap_content content = snap_archive_plan_content(plan);
    struct snap_rest rest;
    int fd = mkstemp(path);
    CHECK_OK(snap_write_file(fd, &content, &options, &rest, path, &err));
    CHECK_OK(snap_archive_open(path, &archive, &err));
    CHECK_OK(snap_archive_check(archive, NULL, &err));
    size_t first = 0;
    size_t parts = 0;
    CHECK_OK(snap_archive_storage_members(archive, 0, &first, &parts, &err));
    assert_int_equal(parts, 2);
    assert_string_equal(snap_archive_member(archive, first)->name, "tensors/model/big~0000");
    uint64_t storage_size = 0;
    assert_string_equal(snap_archive_storage_name(archive, 0, &storage_size), "tensors/model/big");
    assert_int_equal(storage_size, size);
    unsigned char *back = malloc(size);
    assert_non_null(back);
    CHECK_OK(snap_archive_read_storage(archive, 0, back, &err));
    assert_int_equal(memcmp(back, data, size), 0);

    /* A changed byte in the second part names it. */
    CHECK_OK(snap_file_pwrite(fd, "\x07", 1, snap_archive_member(archive, first + 1)->data_offset,
                              path, &err));
    CHECK_FAILS(SNAP_CORRUPT, "tensors/model/big~0001",
                snap_archive_read_storage(archive, 0, back, &err));
    CHECK_FAILS(SNAP_CORRUPT, "tensors/model/big~0001", snap_archive_check(archive, NULL, &err));
    snap_archive_close(archive);
    archive = NULL;
    CHECK_OK(snap_archive_open(path, &archive, &err)); /* contents are not read by opening */
    snap_archive_close(archive);

    free(back);
    close(fd);
    unlink(path);
    snap_archive_plan_free(plan);
    snap_manifest_release(&manifest);
    snap_data_doc_release(&data_doc);
    snap_buffer_release(&data_text);
    snap_buffer_release(&text);
    snap_state_doc_release(&doc);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),      cmocka_unit_test(test_accessors),
        cmocka_unit_test(test_same_bytes),   cmocka_unit_test(test_plan),
        cmocka_unit_test(test_plan_refuses), cmocka_unit_test(test_given_digest),
        cmocka_unit_test(test_capsule),      cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
