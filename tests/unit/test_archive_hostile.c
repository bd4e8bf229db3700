/* SPDX-License-Identifier: Apache-2.0 */
/* Files made to mislead: tars of libarchive with links, paths, duplicates and extensions, and
 * archives whose digests are right and whose documents are not. All refused by name. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "core/hex.h"
#include "digest/sha256.h"
#include "format/archive_read.h"
#include "format/limits.h"
#include "format/tar_layout.h"
#include "sample_archive.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

#define MOST_MEMBERS 20

/* A member, its content a copy that may be changed. */
struct forged_member {
    char name[120];
    struct snap_buffer content;
};

struct forgery {
    struct forged_member members[MOST_MEMBERS];
    size_t count;
};

static void take_sample(struct forgery *forgery)
{
    struct sample_archive sample;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    struct snap_archive *archive = NULL;
    CHECK_OK(sample_init(&sample, &err));
    CHECK_OK(sample_encode(&sample, NULL, &bytes, &err));
    CHECK_OK(snap_archive_open_fd(memory_file(bytes.data, bytes.size), "sample", &archive, &err));
    *forgery = (struct forgery){ .count = snap_archive_member_count(archive) };
    for (size_t i = 0; i < forgery->count; i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        snprintf(forgery->members[i].name, sizeof forgery->members[i].name, "%s", member->name);
        CHECK_OK(snap_buffer_append(&forgery->members[i].content, bytes.data + member->data_offset,
                                    (size_t)member->data_size, &err));
    }
    snap_archive_close(archive);
    snap_buffer_release(&bytes);
    sample_release(&sample);
}

static void release_forgery(struct forgery *forgery)
{
    for (size_t i = 0; i < forgery->count; i++)
        snap_buffer_release(&forgery->members[i].content);
}

static struct forged_member *member_of(struct forgery *forgery, const char *name)
{
    for (size_t i = 0; i < forgery->count; i++)
        if (strcmp(forgery->members[i].name, name) == 0)
            return &forgery->members[i];
    fail_msg("no member %s", name);
    return NULL;
}

/* The first `from` in a member becomes `to`. */
static void change(struct forgery *forgery, const char *name, const char *from, const char *to)
{
    struct snap_buffer *content = &member_of(forgery, name)->content;
    struct snap_buffer changed = SNAP_BUFFER_INIT;
    const char *start = (const char *)content->data;
    const char *place = strstr(start, from);
    if (place == NULL)
        fail_msg("%s does not hold %s", name, from);
    CHECK_OK(snap_buffer_append(&changed, start, (size_t)(place - start), &err));
    CHECK_OK(snap_buffer_append_text(&changed, to, &err));
    CHECK_OK(snap_buffer_append_text(&changed, place + strlen(from), &err));
    snap_buffer_release(content);
    *content = changed;
}

/* Write the digests that the members have now into the lines of a listing. */
static void relist(struct forgery *forgery, const char *listing)
{
    struct snap_buffer *lines = &member_of(forgery, listing)->content;
    for (size_t i = 0; i < forgery->count; i++) {
        char end_of_line[130];
        char digits[2 * SNAP_DIGEST_BYTES + 1];
        unsigned char digest[SNAP_DIGEST_BYTES];
        snprintf(end_of_line, sizeof end_of_line, "  %s\n", forgery->members[i].name);
        char *place = strstr((char *)lines->data, end_of_line);
        if (place == NULL)
            continue;
        CHECK_OK(snap_sha256(forgery->members[i].content.data, forgery->members[i].content.size,
                             digest, &err));
        snap_hex_encode(digest, sizeof digest, digits);
        memcpy(place - 2 * SNAP_DIGEST_BYTES, digits, 2 * SNAP_DIGEST_BYTES);
    }
}

/* A tar of the members as they are, with honest headers. */
static void assemble(const struct forgery *forgery, struct snap_buffer *out)
{
    static const unsigned char zeros[SNAP_TAR_END_BYTES];
    for (size_t i = 0; i < forgery->count; i++) {
        const struct snap_buffer *content = &forgery->members[i].content;
        unsigned char header[SNAP_TAR_BLOCK_BYTES];
        CHECK_OK(snap_tar_header(forgery->members[i].name, content->size, header, &err));
        CHECK_OK(snap_buffer_append(out, header, sizeof header, &err));
        CHECK_OK(snap_buffer_append(out, content->data, content->size, &err));
        CHECK_OK(snap_buffer_append(out, zeros, snap_tar_padding(content->size), &err));
    }
    CHECK_OK(snap_buffer_append(out, zeros, sizeof zeros, &err));
}

/* Open and check. */
static enum snap_status examine(const struct snap_buffer *bytes)
{
    struct snap_archive *archive = NULL;
    err = (struct snap_error)SNAP_ERROR_INIT;
    enum snap_status status =
        snap_archive_open_fd(memory_file(bytes->data, bytes->size), "forged", &archive, &err);
    if (status == SNAP_OK)
        status = snap_archive_check(archive, NULL, &err);
    snap_archive_close(archive);
    return status;
}

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
    {"manifest.json", "[\"device\",\"order\"]", "[\"device\",5]", SNAP_CORRUPT, "captured"},
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
        take_sample(&forgery);
        if (now->from[0] != '\0')
            change(&forgery, now->member, now->from, now->to);
        relist(&forgery, "STATE");
        relist(&forgery, "SHA256SUMS");
        assemble(&forgery, &bytes);
        enum snap_status status = examine(&bytes);
        unit_check_status(now->status, status, now->text, &err, now->to, (int)i);
        if (status == SNAP_CORRUPT)
            assert_non_null(strstr(err.text, "member "));
        snap_buffer_release(&bytes);
        release_forgery(&forgery);
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
        take_sample(&forgery);
        change(&forgery, cases[i].listing, cases[i].from, cases[i].to);
        relist(&forgery, "SHA256SUMS");
        assemble(&forgery, &bytes);
        assert_int_equal(examine(&bytes), SNAP_CORRUPT);
        assert_non_null(strstr(err.text, cases[i].listing));
        snap_buffer_release(&bytes);
        release_forgery(&forgery);
    }
    /* STATE says another digest than SHA256SUMS: both are intact, one is false. */
    struct forgery forgery;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    take_sample(&forgery);
    member_of(&forgery, "STATE")->content.data[0] ^= 1;
    relist(&forgery, "SHA256SUMS");
    assemble(&forgery, &bytes);
    assert_int_equal(examine(&bytes), SNAP_CORRUPT);
    assert_non_null(strstr(err.text, "data.json: STATE and SHA256SUMS"));
    snap_buffer_release(&bytes);
    release_forgery(&forgery);
}

/* Members added, repeated and moved, each with an honest header. */
static void test_order_of_members(void **state)
{
    (void)state;
    for (int variant = 0; variant < 5; variant++) {
        struct forgery forgery;
        struct snap_buffer bytes = SNAP_BUFFER_INIT;
        take_sample(&forgery);
        size_t last = forgery.count - 1;
        struct forged_member kept;
        const char *text = "rng/order";
        switch (variant) {
        case 0: /* one that is not listed, in the middle */
            kept = (struct forged_member){ .name = "rng/p" };
            memmove(&forgery.members[7], &forgery.members[6],
                    (forgery.count - 6) * sizeof forgery.members[0]);
            forgery.members[6] = kept;
            forgery.count++;
            text = "rng/p";
            break;
        case 1: /* one after the last */
            forgery.members[forgery.count++] = (struct forged_member){ .name = "extra/z" };
            text = "extra/z";
            break;
        case 2: /* one twice in a row */
            memmove(&forgery.members[6], &forgery.members[5],
                    (forgery.count - 5) * sizeof forgery.members[0]);
            forgery.members[6].content = (struct snap_buffer)SNAP_BUFFER_INIT;
            CHECK_OK(snap_buffer_append(&forgery.members[6].content,
                                        forgery.members[5].content.data,
                                        forgery.members[5].content.size, &err));
            forgery.count++;
            break;
        case 3: /* two changed over */
            kept = forgery.members[4];
            forgery.members[4] = forgery.members[5];
            forgery.members[5] = kept;
            text = "rng/device";
            break;
        default: /* SHA256SUMS before STATE */
            kept = forgery.members[last];
            forgery.members[last] = forgery.members[last - 1];
            forgery.members[last - 1] = kept;
            text = "STATE";
            break;
        }
        assemble(&forgery, &bytes);
        assert_int_equal(examine(&bytes), SNAP_CORRUPT);
        if (strstr(err.text, text) == NULL)
            print_error("variant %d: %s\n", variant, err.text);
        assert_non_null(strstr(err.text, text));
        snap_buffer_release(&bytes);
        release_forgery(&forgery);
    }
}

/* What libarchive writes, and its readers accept, for rng/order (index 5). */
struct tar_case {
    const char *what;
    int (*set_format)(struct archive *);
    void (*spoil)(struct archive_entry *entry);
};

static void absolute(struct archive_entry *entry)
{
    archive_entry_set_pathname(entry, "/rng/order");
}
static void dotted(struct archive_entry *entry)
{
    archive_entry_set_pathname(entry, "./rng/order");
}
static void climbing(struct archive_entry *entry)
{
    archive_entry_set_pathname(entry, "rng/../../order");
}
static void doubled(struct archive_entry *entry)
{
    archive_entry_set_pathname(entry, "rng//order");
}
static void symbolic(struct archive_entry *entry)
{
    archive_entry_set_filetype(entry, AE_IFLNK);
    archive_entry_set_symlink(entry, "/etc/passwd");
    archive_entry_set_size(entry, 0);
}
static void hard(struct archive_entry *entry)
{
    archive_entry_set_hardlink(entry, "rng/device");
}
static void directory(struct archive_entry *entry)
{
    archive_entry_set_filetype(entry, AE_IFDIR);
    archive_entry_set_size(entry, 0);
}
static void pipe_file(struct archive_entry *entry)
{
    archive_entry_set_filetype(entry, AE_IFIFO);
    archive_entry_set_size(entry, 0);
}
static void device(struct archive_entry *entry)
{
    archive_entry_set_filetype(entry, AE_IFCHR);
    archive_entry_set_rdev(entry, 0x0103);
    archive_entry_set_size(entry, 0);
}
static void executable(struct archive_entry *entry)
{
    archive_entry_set_perm(entry, 0755);
}
static void owned(struct archive_entry *entry)
{
    archive_entry_set_uid(entry, 1000);
}
static void named_owner(struct archive_entry *entry)
{
    archive_entry_set_uname(entry, "root");
}
static void dated(struct archive_entry *entry)
{
    archive_entry_set_mtime(entry, 1, 0);
}
static void dated_finely(struct archive_entry *entry)
{
    archive_entry_set_mtime(entry, 0, 1);
}
static void attributed(struct archive_entry *entry)
{
    archive_entry_xattr_add_entry(entry, "user.x", "y", 1);
}
static void sparse(struct archive_entry *entry)
{
    archive_entry_set_size(entry, (la_int64_t)1 << 40);
    archive_entry_sparse_add_entry(entry, 0, 5);
}
static void long_name(struct archive_entry *entry)
{
    char name[130] = "rng/";
    memset(name + 4, 'a', 120);
    archive_entry_set_pathname(entry, name);
}
static void unchanged(struct archive_entry *entry)
{
    (void)entry;
}

static const struct tar_case tar_cases[] = {
    { "nothing changed", archive_write_set_format_pax_restricted, unchanged },
    { "an absolute path", archive_write_set_format_pax_restricted, absolute },
    { "a dotted path", archive_write_set_format_pax_restricted, dotted },
    { "a climbing path", archive_write_set_format_pax_restricted, climbing },
    { "a doubled slash", archive_write_set_format_pax_restricted, doubled },
    { "a symbolic link", archive_write_set_format_pax_restricted, symbolic },
    { "a hard link", archive_write_set_format_pax_restricted, hard },
    { "a folder", archive_write_set_format_pax_restricted, directory },
    { "a pipe", archive_write_set_format_pax_restricted, pipe_file },
    { "a device", archive_write_set_format_pax_restricted, device },
    { "another mode", archive_write_set_format_pax_restricted, executable },
    { "an owner", archive_write_set_format_pax_restricted, owned },
    { "an owner's name", archive_write_set_format_pax_restricted, named_owner },
    { "a time", archive_write_set_format_pax_restricted, dated },
    { "a fine time, by pax", archive_write_set_format_pax, dated_finely },
    { "an attribute, by pax", archive_write_set_format_pax, attributed },
    { "a hole of a tebibyte, by pax", archive_write_set_format_pax, sparse },
    { "a long name, by pax", archive_write_set_format_pax_restricted, long_name },
    { "a long name, by GNU", archive_write_set_format_gnutar, long_name },
    { "an old format", archive_write_set_format_v7tar, unchanged },
};

static la_ssize_t collect(struct archive *writer, void *arg, const void *data, size_t size)
{
    (void)writer;
    return snap_buffer_append(arg, data, size, NULL) == SNAP_OK ? (la_ssize_t)size : -1;
}

static void write_by_libarchive(const struct forgery *forgery, const struct tar_case *now,
                                size_t target, struct snap_buffer *out)
{
    struct archive *writer = archive_write_new();
    assert_int_equal(now->set_format(writer), ARCHIVE_OK);
    archive_write_set_bytes_per_block(writer, 512);
    archive_write_set_bytes_in_last_block(writer, 1);
    assert_int_equal(archive_write_open(writer, out, NULL, collect, NULL), ARCHIVE_OK);
    for (size_t i = 0; i < forgery->count; i++) {
        const struct snap_buffer *content = &forgery->members[i].content;
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, forgery->members[i].name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_mtime(entry, 0, 0);
        archive_entry_set_size(entry, (la_int64_t)content->size);
        if (i == target)
            now->spoil(entry);
        assert_true(archive_write_header(writer, entry) >= ARCHIVE_WARN);
        if (archive_entry_size(entry) > 0 && content->size > 0)
            archive_write_data(writer, content->data, content->size);
        archive_entry_free(entry);
    }
    archive_write_close(writer);
    archive_write_free(writer);
}

static void test_tars(void **state)
{
    (void)state;
    struct forgery forgery;
    take_sample(&forgery);
    for (size_t i = 0; i < sizeof tar_cases / sizeof tar_cases[0]; i++) {
        const struct tar_case *now = &tar_cases[i];
        struct snap_buffer bytes = SNAP_BUFFER_INIT;
        write_by_libarchive(&forgery, now, 5, &bytes);
        enum snap_status status = examine(&bytes);
        bool plain = i == 0;
        /* These two make every header otherwise. */
        bool from_the_first = now->set_format == archive_write_set_format_v7tar ||
                              now->set_format == archive_write_set_format_gnutar;
        if (status != (plain ? SNAP_OK : SNAP_CORRUPT))
            print_error("%s: %s\n", now->what, snap_status_name(status));
        assert_int_equal(status, plain ? SNAP_OK : SNAP_CORRUPT);
        if (!plain && strstr(err.text, from_the_first ? "README" : "rng/order") == NULL)
            print_error("%s: %s\n", now->what, err.text);
        if (!plain)
            assert_non_null(strstr(err.text, from_the_first ? "README" : "rng/order"));
        snap_buffer_release(&bytes);
    }
    /* A filter over the whole. */
    struct snap_buffer packed = SNAP_BUFFER_INIT;
    CHECK_OK(snap_buffer_append(&packed, "\x1F\x8B\x08\0\0\0\0\0\0\x03", 10, &err));
    CHECK_OK(snap_buffer_reserve(&packed, 4096, &err));
    memset(packed.data + packed.size, 7, 4096);
    packed.size += 4096;
    assert_int_equal(examine(&packed), SNAP_CORRUPT);
    snap_buffer_release(&packed);
    release_forgery(&forgery);
}

/* Depth in a document of an archive. */
static void test_deep_json(void **state)
{
    (void)state;
    static const char *const names[] = { "manifest.json", "state.json", "data.json", "env.json" };
    for (size_t n = 0; n < 4; n++) {
        struct forgery forgery;
        struct snap_buffer bytes = SNAP_BUFFER_INIT;
        take_sample(&forgery);
        struct snap_buffer *content = &member_of(&forgery, names[n])->content;
        /* As long as before, so that the manifest's sizes stand; as deep as that allows. */
        size_t levels = (content->size - 1) / 2;
        memset(content->data, '[', levels);
        memset(content->data + levels, ']', levels);
        memset(content->data + 2 * levels, '\n', content->size - 2 * levels);
        relist(&forgery, "STATE");
        relist(&forgery, "SHA256SUMS");
        assemble(&forgery, &bytes);
        assert_int_equal(examine(&bytes), SNAP_CORRUPT);
        assert_non_null(strstr(err.text, names[n]));
        snap_buffer_release(&bytes);
        release_forgery(&forgery);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),        cmocka_unit_test(test_listings),
        cmocka_unit_test(test_order_of_members), cmocka_unit_test(test_tars),
        cmocka_unit_test(test_deep_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
