/* SPDX-License-Identifier: Apache-2.0 */
/* Archives made to mislead: every digest right, and the documents not. All refused by name. (Tars
 * that mislead, and documents that want memory, are in tests/corpus.) */
#include "config.h"

#include "forgery.h"
#include "sample_archive.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* Documents that lie, with every digest right. */
struct document_case {
    const char *member;
    const char *from;
    const char *to;
    enum snap_status status;
    const char *text; /* in the message */
};

static const struct document_case document_cases[] = {
    /* Changes of nothing, to see that forging itself is accepted. */
    {"manifest.json", "snap-archive-1", "snap-archive-1", SNAP_OK, NULL},
    {"env.json", "x86_64", "s390x", SNAP_CORRUPT, "env.json"}, /* the size is another */
    {"env.json", "x86_64", "mips64", SNAP_OK, NULL},
    {"rng/order", "", "", SNAP_OK, NULL},
    /* manifest.json */
    {"manifest.json", "snap-archive-1", "snap-archive-2", SNAP_UNSUPPORTED, "snap-archive-2"},
    {"manifest.json", "\"kind\":\"snapshot\"", "\"kind\":\"snapsh0t\"", SNAP_CORRUPT, "kind"},
    {"manifest.json", "\"kind\":\"snapshot\"", "\"kind\":\"capsule\"", SNAP_CORRUPT, "failure"},
    {"manifest.json", "\"format\"", "\"failure\":{},\"format\"", SNAP_CORRUPT, "failure"},
    {"manifest.json", "\"parent\":null", "\"parent\":\"snap1:00\"", SNAP_CORRUPT, "parent"},
    {"manifest.json", "\"step\":1", "\"step\":-1", SNAP_CORRUPT, "step"},
    {"manifest.json", "\"step\":1", "\"step\":1.0", SNAP_CORRUPT, "integer"},
    {"manifest.json", "\"step\":1", "\"steps\":1", SNAP_CORRUPT, "step"},
    {"manifest.json", "\"before\":null", "\"before\":{}", SNAP_CORRUPT, "chains"},
    {"manifest.json", "\"run_id\":\"", "\"run_id\":\"0", SNAP_CORRUPT, "run_id"},
    {"manifest.json", "[\"rng/device\",", "[5,", SNAP_CORRUPT, "captured"},
    {"manifest.json", "\"reason\"", "\"reasons\"", SNAP_CORRUPT, "coverage"},
    {"manifest.json", "\"name\":\"rng/order\"", "\"name\":\"rng/../x\"", SNAP_CORRUPT, "not legal"},
    {"manifest.json", "\"name\":\"rng/order\"", "\"name\":\"/rng/order\"", SNAP_CORRUPT,
     "not legal"},
    {"manifest.json", "\"name\":\"rng/order\"", "\"name\":\"rng/other\"", SNAP_CORRUPT,
     "rng/other"},
    {"manifest.json", "\"name\":\"rng/order\"", "\"name\":\"rng/device\"", SNAP_CORRUPT,
     "out of order, or twice"},
    {"manifest.json", "\"name\":\"rng/order\"", "\"name\":\"rng/a\"", SNAP_CORRUPT, "out of order"},
    {"manifest.json", "\"name\":\"extra/replay\"", "\"name\":\"extra/Notes\"", SNAP_CORRUPT,
     "out of order"},
    {"manifest.json", "\"name\":\"extra/notes\"", "\"name\":\"extra/REPLAY\"", SNAP_CORRUPT,
     "capitals"},
    {"manifest.json", "\"kind\":\"stream\",\"name\":\"rng/order\"",
     "\"kind\":\"extra\",\"name\":\"rng/order\"", SNAP_CORRUPT, "rng/order"},
    {"manifest.json", "\"kind\":\"stream\",\"name\":\"rng/order\"",
     "\"kind\":\"strea\",\"name\":\"rng/order\"", SNAP_CORRUPT, "no kind"},
    {"manifest.json", "{\"in_state\":false,", "{\"in_state\":true,", SNAP_CORRUPT, "in_state"},
    {"manifest.json", "{\"in_state\":false,", "{", SNAP_CORRUPT, "STATE"},
    {"manifest.json", "{\"kind\":\"extra\",\"name\":\"extra/replay\"",
     "{\"in_state\":false,\"kind\":\"extra\",\"name\":\"extra/replay\"", SNAP_CORRUPT, "STATE"},
    {"manifest.json", "{\"kind\":\"stream\"", "{\"in_state\":false,\"kind\":\"stream\"",
     SNAP_CORRUPT, "in_state"},
    {"manifest.json", "\"size\":16}", "\"size\":17}", SNAP_CORRUPT, "fc.weight"},
    {"manifest.json", "\"size\":16}", "\"size\":67108865}", SNAP_CORRUPT, "past the most"},
    {"manifest.json", "\"size\":16}", "\"size\":-16}", SNAP_CORRUPT, "size"},
    {"manifest.json", "{\"kind\":\"environment\",\"name\":\"env.json\",", "{", SNAP_CORRUPT,
     "kind"},
    {"manifest.json", "{\"kind\":\"tensor\",\"name\":\"tensors/model/fc.bias\",\"size\":8},", "",
     SNAP_CORRUPT, "STATE"},
    {"manifest.json", "\n", "", SNAP_CORRUPT, "canonical"},
    {"manifest.json", "{", " {", SNAP_CORRUPT, "canonical"},
    /* state.json, sizes kept */
    {"state.json", "snap-state-1", "snap-state-9", SNAP_UNSUPPORTED, "snap-state-9"},
    {"state.json", "\"strides\":[2,1]", "\"strides\":[9,1]", SNAP_CORRUPT, "fc.weight"},
    {"state.json", "\"size\":16}", "\"size\":15}", SNAP_CORRUPT, "fc.weight"},
    {"state.json", "\"size\":16}", "\"size\":17}", SNAP_CORRUPT, "tensors/model/fc.weight"},
    {"state.json", "{\"kind\":\"opaque\"}", "{\"kind\":\"OPAQUE\"}", SNAP_OK, NULL},
    {"state.json", "\"order\":{\"kind\"", "\"ordep\":{\"kind\"", SNAP_CORRUPT, "rng/ordep"},
    {"state.json", "\"fc.bias\",{", "\"fc.bia2\",{", SNAP_CORRUPT, "fc.bias"},
    {"state.json", "\"lr\"", "\"lR\"", SNAP_OK, NULL},
    /* data.json, sizes kept */
    {"data.json", "snap-data-1", "snap-data-2", SNAP_UNSUPPORTED, "snap-data-2"},
    {"data.json", "\"epoch\":0", "\"Epoch\":0", SNAP_CORRUPT, "data.json"},
    {"data.json", "\"samples\":4", "\"samples\":5", SNAP_OK, NULL},
    {"env.json", "\"device\":null", "\"device\":nu1l", SNAP_CORRUPT, "env.json"},
    {"README", "This", "That", SNAP_CORRUPT, "README"},
};

static void test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof document_cases / sizeof document_cases[0]; i++) {
        const struct document_case *now = &document_cases[i];
        struct forgery forgery;
        struct snap_buffer bytes = SNAP_BUFFER_INIT;
        forgery_init(&forgery);
        if (now->from[0] != '\0')
            forgery_change(&forgery, now->member, now->from, now->to);
        forgery_relist(&forgery, "STATE");
        forgery_relist(&forgery, "SHA256SUMS");
        forgery_assemble(&forgery, &bytes);
        enum snap_status status = forgery_examine(&bytes, &err);
        unit_check_status(now->status, status, now->text, &err, now->to, (int)i);
        if (status == SNAP_CORRUPT)
            assert_non_null(strstr(err.text, "member "));
        snap_buffer_release(&bytes);
        forgery_release(&forgery);
    }
}

/* Listings that do not say what they must, with the digests above them right. */
static void test_listings(void **state)
{
    (void)state;
    static const struct {
        const char *listing;
        const char *from;
        const char *to;
    } cases[] = {
        { "STATE", "  rng/order\n", "  rng/ordeR\n" },
        { "STATE", "  rng/order\n", " *rng/order\n" },
        { "STATE", "\n", "\r" },
        { "SHA256SUMS", "  rng/order\n", "  rng/ordeR\n" },
        { "SHA256SUMS", "  README\n", " *README\n" },
        { "SHA256SUMS", "  STATE\n", "  STAT\nE" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct forgery forgery;
        struct snap_buffer bytes = SNAP_BUFFER_INIT;
        forgery_init(&forgery);
        forgery_change(&forgery, cases[i].listing, cases[i].from, cases[i].to);
        forgery_relist(&forgery, "SHA256SUMS");
        forgery_assemble(&forgery, &bytes);
        assert_int_equal(forgery_examine(&bytes, &err), SNAP_CORRUPT);
        assert_non_null(strstr(err.text, cases[i].listing));
        snap_buffer_release(&bytes);
        forgery_release(&forgery);
    }
    /* STATE says another digest than SHA256SUMS: both are intact, one is false. */
    struct forgery forgery;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    forgery_init(&forgery);
    forgery_member(&forgery, "STATE")->content.data[0] ^= 1;
    forgery_relist(&forgery, "SHA256SUMS");
    forgery_assemble(&forgery, &bytes);
    assert_int_equal(forgery_examine(&bytes, &err), SNAP_CORRUPT);
    assert_non_null(strstr(err.text, "data.json: STATE and SHA256SUMS"));
    snap_buffer_release(&bytes);
    forgery_release(&forgery);
}

/* Members in good order that state.json does not name. */
static void test_unnamed(void **state)
{
    (void)state;
    static const char *const names[] = { "rng/zz", "tensors/model/zz", "tensors/zz/~000004" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct sample_archive sample;
        struct snap_write_member members[SAMPLE_MEMBERS + 1];
        struct snap_archive_plan *plan = NULL;
        struct snap_buffer bytes = SNAP_BUFFER_INIT;
        CHECK_OK(sample_init(&sample, &err));
        memcpy(members, sample.members, sizeof sample.members);
        members[SAMPLE_MEMBERS] = (struct snap_write_member){ .name = names[i] };
        CHECK_OK(
            snap_archive_plan_new(&sample.manifest, members, SAMPLE_MEMBERS + 1, &plan, &err));
        CHECK_OK(plan_encode(plan, NULL, &bytes, &err));
        CHECK_FAILS(SNAP_CORRUPT, "state.json does not name", forgery_examine(&bytes, &err));
        snap_archive_plan_free(plan);
        snap_buffer_release(&bytes);
        sample_release(&sample);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_listings),
        cmocka_unit_test(test_unnamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
