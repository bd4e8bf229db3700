/* SPDX-License-Identifier: Apache-2.0 */
/* state.json and data.json: round trips, names of storages, and what is refused. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "digest/sha256.h"
#include "format/data_json.h"
#include "format/json_canonical.h"
#include "format/member_name.h"
#include "format/state_json.h"
#include "sample_archive.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static void test_state_round_trip(void **state)
{
    (void)state;
    struct sample_archive sample;
    struct snap_state_doc read = SNAP_STATE_DOC_INIT;
    struct snap_buffer again = SNAP_BUFFER_INIT;
    CHECK_OK(sample_init(&sample, &err));
    CHECK_OK(snap_state_doc_decode(sample.state_text.data, sample.state_text.size, &read, &err));
    CHECK_OK(snap_state_doc_encode(&read, &again, &err));
    assert_string_equal((char *)again.data, (char *)sample.state_text.data);
    assert_string_equal(read.profile, "portable-1");
    assert_int_equal(read.storage_count, 4);
    assert_string_equal(read.storages[0].member, "tensors/model/fc.weight");
    assert_string_equal(read.storages[0].label, "model/fc.weight");
    assert_string_equal(read.storages[2].member, "tensors/model/~000002");
    assert_string_equal(read.storages[2].label, "model/gr\xC3\xB6\xC3\x9F" "e");
    assert_string_equal(read.storages[3].member, "tensors/optimizer/momentum.0");
    assert_int_equal(read.stream_count, 2);
    assert_string_equal(read.streams[0].name, "device");
    snap_buffer_release(&again);
    snap_state_doc_release(&read);
    sample_release(&sample);
}

/* A document of one root "model", a map of u8 tensors: name i has storage i. */
static void make_named(struct snap_state_doc *doc, const char *const *names, size_t count)
{
    struct snap_node *map = snap_node_new_map();
    struct snap_tensor_view view = SNAP_TENSOR_VIEW_INIT;
    view.dtype = SNAP_U8;
    CHECK_OK(snap_state_doc_set(doc, "none", NULL, NULL, &err));
    for (size_t i = 0; i < count; i++) {
        view.storage = (uint32_t)i;
        CHECK_OK(snap_state_doc_add_storage(doc, 1, &err));
        CHECK_OK(snap_node_set(map, names[i], snap_node_new_tensor(&view), &err));
    }
    CHECK_OK(snap_state_doc_add_root(doc, "model", map, &err));
}

static void test_storage_names(void **state)
{
    (void)state;
    char longest[82 + 1];
    char too_long[83 + 1];
    memset(longest, 'a', 81);
    longest[81] = '\0'; /* tensors/model/ has 14 bytes: 95 in all */
    memset(too_long, 'b', 82);
    too_long[82] = '\0';
    const char *names[] = { "a",  "A",         "B.c",    "b.C",  "",      "x/y",     "~000000",
                            "x y", ".hidden",  "-minus", "_ok-1.", longest, too_long, "a~0000",
                            "0",  "\xC3\xA9" };
    static const char *const expected[] = { "a",       "~000001", "B.c",    "~000003", "~000004",
                                            "~000005", "~000006", "~000007", "~000008", "~000009",
                                            "_ok-1.",  NULL,      "~000012", "~000013", "0",
                                            "~000015" };
    struct snap_state_doc doc = SNAP_STATE_DOC_INIT;
    make_named(&doc, names, sizeof names / sizeof names[0]);
    CHECK_OK(snap_state_doc_finish(&doc, &err));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum snap_member_kind kind;
        const char *name = expected[i] != NULL ? expected[i] : longest;
        assert_string_equal(doc.storages[i].member + strlen("tensors/model/"), name);
        assert_true(snap_member_kind_of(doc.storages[i].member, &kind));
        assert_int_equal(kind, SNAP_MEMBER_TENSOR);
    }
    snap_state_doc_release(&doc);

    /* Two roots that differ in capitals share a folder where capitals do not count. */
    struct snap_tensor_view view = SNAP_TENSOR_VIEW_INIT;
    view.dtype = SNAP_U8;
    CHECK_OK(snap_state_doc_set(&doc, "none", NULL, NULL, &err));
    CHECK_OK(snap_state_doc_add_storage(&doc, 1, &err));
    CHECK_OK(snap_state_doc_add_storage(&doc, 1, &err));
    for (uint32_t i = 0; i < 2; i++) {
        struct snap_node *map = snap_node_new_map();
        view.storage = i;
        CHECK_OK(snap_node_set(map, "w", snap_node_new_tensor(&view), &err));
        CHECK_OK(snap_state_doc_add_root(&doc, i == 0 ? "model" : "Model", map, &err));
    }
    CHECK_OK(snap_state_doc_finish(&doc, &err));
    assert_string_equal(doc.storages[1].member, "tensors/Model/~000001");
    snap_state_doc_release(&doc);
}

static void test_file_order(void **state)
{
    (void)state;
    const char *names[] = { "b", "ab", "a", "a.b" };
    size_t order[4];
    struct snap_state_doc doc = SNAP_STATE_DOC_INIT;
    make_named(&doc, names, 4);
    CHECK_OK(snap_state_doc_finish(&doc, &err));
    snap_state_doc_file_order(&doc, order); /* a, a.b, ab, b */
    assert_memory_equal(order, ((size_t[]){ 2, 3, 1, 0 }), sizeof order);
    doc.storages[2].size = SNAP_STORAGE_PART_BYTES;
    snap_state_doc_file_order(&doc, order);
    assert_memory_equal(order, ((size_t[]){ 2, 3, 1, 0 }), sizeof order);
    doc.storages[2].size = SNAP_STORAGE_PART_BYTES + 1;
    snap_state_doc_file_order(&doc, order); /* a.b, ab, a~0000, b */
    assert_memory_equal(order, ((size_t[]){ 3, 1, 2, 0 }), sizeof order);
    snap_state_doc_release(&doc);
}

static void test_state_wrong_calls(void **state)
{
    (void)state;
    struct snap_state_doc doc = SNAP_STATE_DOC_INIT;
    json_t *array = json_array();
    CHECK_FAILS(SNAP_INVALID, "profile", snap_state_doc_finish(&doc, &err));
    CHECK_FAILS(SNAP_INVALID, "profile", snap_state_doc_set(&doc, "no word", NULL, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, "binding", snap_state_doc_set(&doc, "none", array, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, "training", snap_state_doc_set(&doc, "none", NULL, array, &err));
    json_decref(array);
    CHECK_OK(snap_state_doc_set(&doc, "none", NULL, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, "root",
                snap_state_doc_add_root(&doc, "a/b", snap_node_new_null(), &err));
    char name[80];
    memset(name, 'a', 65);
    name[65] = '\0';
    CHECK_FAILS(SNAP_INVALID, "root", snap_state_doc_add_root(&doc, name, snap_node_new_null(),
                                                              &err));
    CHECK_OK(snap_state_doc_add_root(&doc, name + 1, snap_node_new_null(), &err));
    CHECK_FAILS(SNAP_INVALID, "twice",
                snap_state_doc_add_root(&doc, name + 1, snap_node_new_null(), &err));
    CHECK_FAILS(SNAP_NO_MEMORY, NULL, snap_state_doc_add_root(&doc, "a", NULL, &err));
    CHECK_FAILS(SNAP_INVALID, "at most",
                snap_state_doc_add_storage(&doc, SNAP_MAX_STORAGE_BYTES + 1, &err));
    const char *streams[] = { "", "a b", "shard-001", "SHARD-001", "shard-01/a", "shard-0001/a",
                              "Shard-001/a", "shard-001/", "shard-001/a/b", "a/b", ".a" };
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        CHECK_FAILS(SNAP_INVALID, "stream",
                    snap_state_doc_add_stream(&doc, streams[i], "opaque", &err));
    CHECK_OK(snap_state_doc_add_stream(&doc, "shard-001/a", "opaque", &err));
    CHECK_OK(snap_state_doc_add_stream(&doc, "Numpy", "opaque", &err));
    CHECK_FAILS(SNAP_INVALID, "twice", snap_state_doc_add_stream(&doc, "Numpy", "opaque", &err));
    CHECK_FAILS(SNAP_INVALID, "kind", snap_state_doc_add_stream(&doc, "x", "no word", &err));
    CHECK_OK(snap_state_doc_finish(&doc, &err));
    CHECK_OK(snap_state_doc_add_stream(&doc, "numpy", "opaque", &err));
    CHECK_FAILS(SNAP_INVALID, "capitals", snap_state_doc_finish(&doc, &err));
    snap_state_doc_release(&doc);

    /* A storage that nothing uses, a tensor of a storage that is not there, or not its turn. */
    make_named(&doc, (const char *[]){ "a" }, 1);
    CHECK_OK(snap_state_doc_add_storage(&doc, 1, &err));
    CHECK_FAILS(SNAP_INVALID, "storage 1 is used by no tensor", snap_state_doc_finish(&doc, &err));
    doc.storage_count = 0;
    CHECK_FAILS(SNAP_INVALID, "model/a: storage 0", snap_state_doc_finish(&doc, &err));
    doc.storage_count = 2;
    snap_state_doc_release(&doc);
}

/* Decode a changed text: `from` becomes `to`, once. */
static enum snap_status decode_changed(const struct snap_buffer *text, const char *from,
                                       const char *to, struct snap_state_doc *doc)
{
    struct snap_buffer changed = SNAP_BUFFER_INIT;
    const char *place = strstr((const char *)text->data, from);
    assert_non_null(place);
    CHECK_OK(snap_buffer_append(&changed, text->data,
                                (size_t)(place - (const char *)text->data), &err));
    CHECK_OK(snap_buffer_append_text(&changed, to, &err));
    CHECK_OK(snap_buffer_append_text(&changed, place + strlen(from), &err));
    err = (struct snap_error)SNAP_ERROR_INIT;
    enum snap_status status = snap_state_doc_decode(changed.data, changed.size, doc, &err);
    snap_buffer_release(&changed);
    return status;
}

static void test_state_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        enum snap_status status;
        const char *text; /* what the message says */
    } cases[] = {
        { "snap-state-1", "snap-state-2", SNAP_UNSUPPORTED, "snap-state-2" },
        { "snap-state-1", "snap-data-1", SNAP_CORRUPT, "snap-state-1" },
        { "\"profile\":\"portable-1\"", "\"profile\":\"a b\"", SNAP_CORRUPT, "profile" },
        { "\"profile\":\"portable-1\"", "\"profile\":null", SNAP_CORRUPT, "profile" },
        { "\"binding\":{}", "\"binding\":null", SNAP_CORRUPT, "binding" },
        { "{\"binding\"", "{\"bindings\"", SNAP_CORRUPT, "bindings" },
        { "\"training\":{", "\"trainings\":{", SNAP_CORRUPT, "training" },
        { "\"roots\":[[\"model\",", "\"roots\":[[\"mo/el\",", SNAP_CORRUPT, "mo/el" },
        { "[\"optimizer\",{\"map\"", "[\"model\",{\"map\"", SNAP_CORRUPT, "twice" },
        { "\"kind\":\"opaque\"", "\"kind\":\"\"", SNAP_CORRUPT, "order" },
        { "\"order\":{\"kind\"", "\"or er\":{\"kind\"", SNAP_CORRUPT, "or er" },
        { "{\"member\":\"tensors/model/fc.weight\",\"size\":16}",
          "{\"member\":\"tensors/model/fc.weight\",\"size\":15}", SNAP_CORRUPT, "fc.weight" },
        { "{\"member\":\"tensors/model/fc.weight\",\"size\":16}",
          "{\"member\":\"tensors/model/fc.weighT\",\"size\":16}", SNAP_CORRUPT, "fc.weighT" },
        { "{\"member\":\"tensors/model/~000002\"", "{\"member\":\"tensors/model/~000003\"",
          SNAP_CORRUPT, "~000003" },
        { "{\"member\":\"tensors/model/fc.bias\",\"size\":8},", "", SNAP_CORRUPT, "storage" },
        { "\"size\":0}", "\"size\":\"671088640001\"}", SNAP_CORRUPT, "size" },
        { "\"size\":0}", "\"size\":-1}", SNAP_CORRUPT, "size" },
        { "\"storage\":1,", "\"storage\":2,", SNAP_CORRUPT, "fc.bias" },
        { "\"strides\":[2,1]", "\"strides\":[3,1]", SNAP_CORRUPT, "fc.weight" },
        { "\"strides\":[1,2]", "\"strides\":[1,3]", SNAP_CORRUPT, "head.weight" },
        { "\"offset\":0", "\"offset\":\"18446744073709551615\"", SNAP_CORRUPT, "fc.weight" },
        { "{\"int\":1}", "{\"int\":1.5}", SNAP_CORRUPT, "integer" },
    };
    struct sample_archive sample;
    CHECK_OK(sample_init(&sample, &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct snap_state_doc doc = SNAP_STATE_DOC_INIT;
        enum snap_status status =
            decode_changed(&sample.state_text, cases[i].from, cases[i].to, &doc);
        unit_check_status(cases[i].status, status, cases[i].text, &err, cases[i].to, (int)i);
        assert_non_null(strstr(err.text, "state.json"));
        assert_null(doc.profile);
    }
    sample_release(&sample);
}

/* A path so long that every storage would keep a copy of it. */
static void test_long_path(void **state)
{
    (void)state;
    char name[SNAP_MAX_TENSOR_PATH_BYTES + 2];
    const char *names[] = { name };
    for (size_t length = SNAP_MAX_TENSOR_PATH_BYTES; length <= SNAP_MAX_TENSOR_PATH_BYTES + 1;
         length++) {
        struct snap_state_doc doc = SNAP_STATE_DOC_INIT;
        memset(name, 'a', length);
        name[length] = '\0';
        make_named(&doc, names, 1);
        if (length <= SNAP_MAX_TENSOR_PATH_BYTES)
            CHECK_OK(snap_state_doc_finish(&doc, &err));
        else
            CHECK_FAILS(SNAP_INVALID, "at most 1024", snap_state_doc_finish(&doc, &err));
        snap_state_doc_release(&doc);
    }
}

static void check_data(const struct snap_data_doc *doc, const char *expected)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_buffer again = SNAP_BUFFER_INIT;
    struct snap_data_doc read = SNAP_DATA_DOC_INIT;
    CHECK_OK(snap_data_doc_encode(doc, &text, &err));
    if (expected != NULL)
        assert_string_equal((char *)text.data, expected);
    CHECK_OK(snap_data_doc_decode(text.data, text.size, &read, &err));
    CHECK_OK(snap_data_doc_encode(&read, &again, &err));
    assert_string_equal((char *)again.data, (char *)text.data);
    assert_int_equal(read.order_start_size, doc->order_start_size);
    if (doc->order_start_size > 0)
        assert_memory_equal(read.order_start, doc->order_start, doc->order_start_size);
    snap_data_doc_release(&read);
    snap_buffer_release(&again);
    snap_buffer_release(&text);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void test_data_round_trip(void **state)
{
    (void)state;
    unsigned char digest[SNAP_DIGEST_BYTES] = { 0 };
    struct snap_data_doc doc = SNAP_DATA_DOC_INIT;
    check_data(&doc, "{\"epoch\":0,\"files\":[],\"format\":\"snap-data-1\",\"order\":null,"
                     "\"position\":0}\n");
    doc.epoch = 9007199254740993u;
    CHECK_OK(snap_data_doc_add_file(&doc, "b", digest, 5, &err));
    CHECK_OK(snap_data_doc_add_file(&doc, "a", digest, UINT64_MAX, &err));
    CHECK_FAILS(SNAP_INVALID, "twice", snap_data_doc_add_file(&doc, "b", digest, 5, &err));
    CHECK_FAILS(SNAP_INVALID, "word", snap_data_doc_add_file(&doc, "b c", digest, 5, &err));
    CHECK_OK(snap_data_doc_set_order(&doc, "python", 7, digest, "{\"a\":[1]}\n", 10, &err));
    check_data(&doc,
               "{\"epoch\":\"9007199254740993\",\"files\":[{\"name\":\"a\",\"sha256\":\"" ZEROS
               "\",\"size\":\"18446744073709551615\"},{\"name\":\"b\",\"sha256\":\"" ZEROS
               "\",\"size\":5}],\"format\":\"snap-data-1\",\"order\":{\"digest\":\"" ZEROS
               "\",\"samples\":7,\"start\":{\"json\":{\"a\":[1]}},\"stream\":\"python\"},"
               "\"position\":0}\n");
    /* Bytes that are nearly canonical JSON stay bytes. */
    CHECK_OK(snap_data_doc_set_order(&doc, "python", 7, digest, "{\"a\": 1}\n", 9, &err));
    check_data(&doc, NULL);
    CHECK_OK(snap_data_doc_set_order(&doc, "python", 7, digest, "", 0, &err));
    check_data(&doc, NULL);
    CHECK_OK(snap_data_doc_set_order(&doc, "python", 7, digest, "null\n", 5, &err));
    check_data(&doc, NULL);
    CHECK_FAILS(SNAP_INVALID, "stream",
                snap_data_doc_set_order(&doc, "no/name", 7, digest, "", 0, &err));
    snap_data_doc_release(&doc);
}

static void test_data_refused(void **state)
{
    (void)state;
#define FILE_A "{\"name\":\"a\",\"sha256\":\"" ZEROS "\",\"size\":5}"
#define FILE_B "{\"name\":\"b\",\"sha256\":\"" ZEROS "\",\"size\":5}"
#define DATA(files, order)                                                                        \
    "{\"epoch\":0,\"files\":[" files "],\"format\":\"snap-data-1\",\"order\":" order              \
    ",\"position\":0}\n"
#define ORDER(start)                                                                              \
    "{\"digest\":\"" ZEROS "\",\"samples\":7,\"start\":" start ",\"stream\":\"python\"}"
    static const char *const good_texts[] = {
        DATA(FILE_A "," FILE_B, "null"),
        DATA("", ORDER("{\"json\":null}")),
        DATA("", ORDER("{\"hex\":\"\"}")),
    };
    static const char *const bad_texts[] = {
        "[]\n",
        "{}\n",
        DATA(FILE_B "," FILE_A, "null"),
        DATA(FILE_A "," FILE_A, "null"),
        DATA("{\"name\":\"a b\",\"sha256\":\"" ZEROS "\",\"size\":5}", "null"),
        DATA("{\"name\":\"a\",\"sha256\":\"00\",\"size\":5}", "null"),
        DATA("{\"name\":\"a\",\"sha256\":\"" ZEROS "\",\"size\":-5}", "null"),
        DATA("{\"name\":\"a\",\"sha256\":\"" ZEROS "\"}", "null"),
        DATA("5", "null"),
        DATA("", "5"),
        DATA("", "[]"),
        DATA("", "{}"),
        DATA("", ORDER("null")),
        DATA("", ORDER("{}")),
        DATA("", ORDER("{\"hex\":\"0\"}")),
        DATA("", ORDER("{\"hex\":\"FF\"}")),
        DATA("", ORDER("{\"hex\":null}")),
        DATA("", ORDER("{\"hex\":\"\",\"json\":null}")),
        DATA("", ORDER("{\"hex\":\"6e756c6c0a\"}")), /* null and a newline: canonical JSON */
        DATA("", "{\"digest\":\"" ZEROS "\",\"samples\":7,\"start\":{\"hex\":\"\"},"
                 "\"stream\":\"a/b\"}"),
    };
    for (size_t i = 0; i < sizeof good_texts / sizeof good_texts[0]; i++) {
        struct snap_data_doc doc = SNAP_DATA_DOC_INIT;
        CHECK_OK(snap_data_doc_decode(good_texts[i], strlen(good_texts[i]), &doc, &err));
        snap_data_doc_release(&doc);
    }
    for (size_t i = 0; i < sizeof bad_texts / sizeof bad_texts[0]; i++) {
        struct snap_data_doc doc = SNAP_DATA_DOC_INIT;
        err = (struct snap_error)SNAP_ERROR_INIT;
        enum snap_status status =
            snap_data_doc_decode(bad_texts[i], strlen(bad_texts[i]), &doc, &err);
        unit_check_status(SNAP_CORRUPT, status, "data.json", &err, bad_texts[i], (int)i);
        assert_int_equal(doc.file_count, 0);
    }
    static const char newer[] = "{\"format\":\"snap-data-2\",\"something\":\"else\"}\n";
    struct snap_data_doc doc = SNAP_DATA_DOC_INIT;
    CHECK_FAILS(SNAP_UNSUPPORTED, "snap-data-2",
                snap_data_doc_decode(newer, strlen(newer), &doc, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_round_trip), cmocka_unit_test(test_storage_names),
        cmocka_unit_test(test_file_order),       cmocka_unit_test(test_state_wrong_calls),
        cmocka_unit_test(test_state_refused),    cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_data_round_trip),  cmocka_unit_test(test_data_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
