/* SPDX-License-Identifier: Apache-2.0 */
/* Zip files: what the writer makes comes back; every change of a bit is noticed or changes nothing;
 * and files made to mislead are refused by name. */
#include "config.h"

#include <stdlib.h>

#include <zlib.h>

#include "core/buffer.h"
#include "core/bytes.h"
#include "foreign/foreign_limits.h"
#include "foreign/zip_reader.h"
#include "foreign/zip_writer.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static enum snap_status open_zip(const struct snap_buffer *file, struct snap_foreign_input *input,
                                 struct snap_zip **zip)
{
    snap_foreign_input_memory(file->data, file->size, "FILE", input);
    return snap_zip_open(input, zip, &err);
}

/* A file of the writer's, with three entries. */
static void make(struct snap_buffer *file)
{
    struct snap_zip_writer *writer = NULL;
    const struct snap_segment *segments = NULL;
    size_t count = 0;
    CHECK_OK(snap_zip_writer_new(&writer, &err));
    CHECK_OK(snap_zip_writer_add(writer, "archive/data.pkl", "N.", 2, &err));
    CHECK_OK(snap_zip_writer_add(writer, "archive/empty", NULL, 0, &err));
    CHECK_OK(snap_zip_writer_add(writer, "archive/data/0", "12345678", 8, &err));
    CHECK_OK(snap_zip_writer_finish(writer, &segments, &count, &err));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(segments[i].offset, file->size);
        CHECK_OK(snap_buffer_append(file, segments[i].data, segments[i].size_bytes, &err));
    }
    snap_zip_writer_free(writer);
}

static void check_content(struct snap_zip *zip, const char *name, const char *content)
{
    const struct snap_zip_entry *entry = snap_zip_find(zip, name);
    unsigned char *data = NULL;
    assert_non_null(entry);
    assert_int_equal(entry->size, strlen(content));
    CHECK_OK(snap_zip_load(zip, entry, &data, &err));
    assert_memory_equal(data, content, strlen(content));
    free(data);
}

static void round_trip(void **state)
{
    struct snap_buffer file = SNAP_BUFFER_INIT;
    struct snap_foreign_input input;
    struct snap_zip *zip = NULL;
    (void)state;
    make(&file);
    CHECK_OK(open_zip(&file, &input, &zip));
    assert_int_equal(snap_zip_count(zip), 3);
    check_content(zip, "archive/data.pkl", "N.");
    check_content(zip, "archive/empty", "");
    check_content(zip, "archive/data/0", "12345678");
    assert_null(snap_zip_find(zip, "archive/data/1"));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(snap_zip_at(zip, i)->offset % 64, 0);
    snap_zip_close(zip);
    snap_buffer_release(&file);
}

/* All of the content, or the refusal, of a file. */
static enum snap_status read_all(const struct snap_buffer *file, struct snap_buffer *content)
{
    struct snap_foreign_input input;
    struct snap_zip *zip = NULL;
    enum snap_status status = open_zip(file, &input, &zip);
    for (size_t i = 0; status == SNAP_OK && i < snap_zip_count(zip); i++) {
        const struct snap_zip_entry *entry = snap_zip_at(zip, i);
        unsigned char *data = NULL;
        status = snap_zip_load(zip, entry, &data, &err);
        if (status == SNAP_OK)
            status = snap_buffer_appendf(content, &err, "%s=", entry->name);
        if (status == SNAP_OK)
            status = snap_buffer_append(content, data, (size_t)entry->size, &err);
        free(data);
    }
    snap_zip_close(zip);
    return status;
}

static void every_bit(void **state)
{
    struct snap_buffer file = SNAP_BUFFER_INIT;
    struct snap_buffer content = SNAP_BUFFER_INIT;
    size_t refused = 0;
    (void)state;
    make(&file);
    CHECK_OK(read_all(&file, &content));
    for (size_t bit = 0; bit < 8 * file.size; bit++) {
        struct snap_buffer found = SNAP_BUFFER_INIT;
        file.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        err = (struct snap_error)SNAP_ERROR_INIT;
        enum snap_status status = read_all(&file, &found);
        if (status == SNAP_OK) {
            assert_int_equal(found.size, content.size);
            assert_memory_equal(found.data, content.data, content.size);
        } else {
            assert_true(status == SNAP_CORRUPT || status == SNAP_UNSUPPORTED);
            assert_non_null(strstr(err.text, "FILE"));
            refused++;
        }
        file.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        snap_buffer_release(&found);
    }
    assert_true(refused > file.size); /* more than an eighth of all */
    snap_buffer_release(&content);
    snap_buffer_release(&file);
}

static void every_length(void **state)
{
    struct snap_buffer file = SNAP_BUFFER_INIT;
    (void)state;
    make(&file);
    for (size_t size = 0; size < file.size; size++) {
        struct snap_buffer part = SNAP_BUFFER_INIT;
        struct snap_buffer found = SNAP_BUFFER_INIT;
        CHECK_OK(snap_buffer_append(&part, file.data, size, &err));
        CHECK_FAILS(SNAP_CORRUPT, "FILE", read_all(&part, &found));
        snap_buffer_release(&part);
        snap_buffer_release(&found);
    }
    snap_buffer_release(&file);
}

/* ---- files made by hand ---- */

struct entry {
    const char *name;
    const char *local_name; /* NULL: the same */
    unsigned flags;
    unsigned method;
    const void *packed;
    uint32_t packed_size;
    uint32_t size;
    uint32_t crc;
    uint32_t local_offset; /* added to that in the directory */
    bool no_local_sizes;   /* they stand in a descriptor behind */
};

static void put_u16(struct snap_buffer *out, unsigned value)
{
    unsigned char bytes[2] = { (unsigned char)value, (unsigned char)(value >> 8) };
    CHECK_OK(snap_buffer_append(out, bytes, 2, &err));
}

static void put_u32(struct snap_buffer *out, uint32_t value)
{
    unsigned char bytes[4];
    snap_put_u32(bytes, value);
    CHECK_OK(snap_buffer_append(out, bytes, 4, &err));
}

static void put_common(struct snap_buffer *out, const struct entry *entry, bool sizes)
{
    put_u16(out, 20);
    put_u16(out, entry->flags);
    put_u16(out, entry->method);
    put_u32(out, 0);
    put_u32(out, sizes ? entry->crc : 0);
    put_u32(out, sizes ? entry->packed_size : 0);
    put_u32(out, sizes ? entry->size : 0);
}

static void forge(struct snap_buffer *out, const struct entry *entries, size_t count,
                  const char *between)
{
    uint32_t offsets[8];
    for (size_t i = 0; i < count; i++) {
        const char *name = entries[i].local_name ? entries[i].local_name : entries[i].name;
        offsets[i] = (uint32_t)out->size;
        put_u32(out, 0x04034b50);
        put_common(out, &entries[i], !entries[i].no_local_sizes);
        put_u16(out, (unsigned)strlen(name));
        put_u16(out, 0);
        CHECK_OK(snap_buffer_append_text(out, name, &err));
        CHECK_OK(snap_buffer_append(out, entries[i].packed, entries[i].packed_size, &err));
    }
    uint32_t directory = (uint32_t)out->size;
    for (size_t i = 0; i < count; i++) {
        put_u32(out, 0x02014b50);
        put_u16(out, 20);
        put_common(out, &entries[i], true);
        put_u16(out, (unsigned)strlen(entries[i].name));
        put_u32(out, 0);
        put_u32(out, 0);
        put_u32(out, 0);
        put_u32(out, offsets[i] + entries[i].local_offset);
        CHECK_OK(snap_buffer_append_text(out, entries[i].name, &err));
    }
    uint32_t size = (uint32_t)out->size - directory;
    CHECK_OK(snap_buffer_append_text(out, between, &err));
    put_u32(out, 0x06054b50);
    put_u32(out, 0);
    put_u16(out, (unsigned)count);
    put_u16(out, (unsigned)count);
    put_u32(out, size);
    put_u32(out, directory);
    put_u16(out, 0);
}

static uint32_t crc_of(const char *text)
{
    return (uint32_t)crc32(0, (const unsigned char *)text, (unsigned)strlen(text));
}

static void check_forged(const struct entry *entries, size_t count, const char *between,
                         enum snap_status status, const char *text)
{
    struct snap_buffer file = SNAP_BUFFER_INIT;
    struct snap_buffer content = SNAP_BUFFER_INIT;
    forge(&file, entries, count, between);
    if (status == SNAP_OK)
        CHECK_OK(read_all(&file, &content));
    else
        CHECK_FAILS(status, text, read_all(&file, &content));
    snap_buffer_release(&content);
    snap_buffer_release(&file);
}

static void misleading(void **state)
{
    const struct entry good = { "a", NULL, 0, 0, "abc", 3, 3, crc_of("abc"), 0, false };
    const struct entry other = { "b", NULL, 0, 0, "xyz", 3, 3, crc_of("xyz"), 0, false };
    struct entry two[2] = { good, other };
    struct entry one = good;
    (void)state;
    check_forged(two, 2, "", SNAP_OK, NULL);
    check_forged(two, 2, "x", SNAP_CORRUPT, "does not end where its end begins");
    two[1].name = two[1].local_name = "a";
    check_forged(two, 2, "", SNAP_CORRUPT, "entry a: the name is there twice");
    one.local_name = "c";
    check_forged(&one, 1, "", SNAP_CORRUPT, "entry a: its header and the directory do not agree");
    one = good;
    one.crc++;
    check_forged(&one, 1, "", SNAP_CORRUPT, "entry a: its CRC is");
    one = good;
    one.size = 4;
    check_forged(&one, 1, "", SNAP_CORRUPT, "its two sizes differ");
    one = good;
    one.flags = 1;
    check_forged(&one, 1, "", SNAP_UNSUPPORTED, "flags 0x1");
    one = good;
    one.method = 14;
    check_forged(&one, 1, "", SNAP_UNSUPPORTED, "method 14");
    one = good;
    one.flags = 8;
    one.no_local_sizes = true;
    check_forged(&one, 1, "", SNAP_OK, NULL);
    one.flags = 0;
    check_forged(&one, 1, "", SNAP_CORRUPT, "do not agree");
    one = good;
    one.local_offset = 1;
    check_forged(&one, 1, "", SNAP_CORRUPT, "its header is not where");
    one = good;
    one.name = "";
    check_forged(&one, 1, "", SNAP_CORRUPT, "the name of an entry is no short text");
    one.name = one.local_name = "\xff";
    check_forged(&one, 1, "", SNAP_CORRUPT, "no short text");
}

/* The content of the first entry is the header and the content of the second. */
static void overlapping(void **state)
{
    const struct entry inner = { "b", NULL, 0, 0, "xyz", 3, 3, crc_of("xyz"), 0, false };
    struct snap_buffer file = SNAP_BUFFER_INIT;
    (void)state;
    forge(&file, &inner, 1, "");
    uint32_t size = 30 + 1 + 3;
    struct entry two[2] = {
        { "a", NULL, 0, 0, file.data, size, size, (uint32_t)crc32(0, file.data, size), 0, false },
        inner,
    };
    check_forged(two, 2, "", SNAP_OK, NULL);
    two[1].local_offset = 0u - size; /* from behind the first to inside it */
    check_forged(two, 2, "", SNAP_CORRUPT, "two entries overlap");
    snap_buffer_release(&file);
}

/* ---- deflate ---- */

static size_t deflate_raw(const unsigned char *data, size_t size, unsigned char *out, size_t room)
{
    z_stream stream = { .next_in = (unsigned char *)(uintptr_t)data, .avail_in = (unsigned)size };
    stream.next_out = out;
    stream.avail_out = (unsigned)room;
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t made = room - stream.avail_out;
    deflateEnd(&stream);
    return made;
}

static void deflated(void **state)
{
    static unsigned char zeros[100000];
    unsigned char packed[2000];
    struct entry one = { "z", NULL, 0, 8, packed, 0, sizeof zeros, 0, 0, false };
    (void)state;
    one.packed_size = (uint32_t)deflate_raw(zeros, sizeof zeros, packed, sizeof packed);
    one.crc = (uint32_t)crc32(0, zeros, sizeof zeros);
    check_forged(&one, 1, "", SNAP_OK, NULL);
    one.size--;
    check_forged(&one, 1, "", SNAP_CORRUPT, "does not inflate to its size");
    one.size += 2;
    check_forged(&one, 1, "", SNAP_CORRUPT, "does not inflate to its size");
    one.size = sizeof zeros;
    one.packed_size--;
    check_forged(&one, 1, "", SNAP_CORRUPT, "does not inflate to its size");
    one.packed_size++;
    one.size = 1u << 30;
    check_forged(&one, 1, "", SNAP_CORRUPT, "larger than deflate can make it");
    memset(packed, 0xff, sizeof packed);
    one.packed_size = sizeof packed;
    one.size = 1000;
    check_forged(&one, 1, "", SNAP_CORRUPT, "does not inflate to its size");
}

/* More than is expanded of one file, and honest about it: nothing is. */
static void too_much_deflated(void **state)
{
    size_t size = SNAP_MAX_INFLATED_BYTES / 1000;
    unsigned char *packed = calloc(size, 1);
    struct entry one = { "z", NULL, 0,    8, packed, (uint32_t)size, SNAP_MAX_INFLATED_BYTES + 1u,
                         0,   0,    false };
    (void)state;
    assert_non_null(packed);
    check_forged(&one, 1, "", SNAP_UNSUPPORTED, "at most 1073741824 of a file are expanded");
    free(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),        cmocka_unit_test(every_bit),
        cmocka_unit_test(every_length),      cmocka_unit_test(misleading),
        cmocka_unit_test(overlapping),       cmocka_unit_test(deflated),
        cmocka_unit_test(too_much_deflated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
