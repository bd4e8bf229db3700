/* SPDX-License-Identifier: Apache-2.0 */
/* The layout is that of PKWARE's APPNOTE.TXT 6.3. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <zlib.h>

#include "core/bytes.h"
#include "core/text.h"
#include "foreign/foreign_limits.h"
#include "foreign/zip_reader.h"

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    MOST_COMMENT_BYTES = 65535,
    EXTRA_ZIP64 = 1,
    METHOD_STORED = 0,
    METHOD_DEFLATED = 8,
    /* Flags that change nothing: level of deflate, sizes in a descriptor behind, names in
     * UTF-8. */
    FLAG_DESCRIPTOR = 0x0008,
    FLAGS_KNOWN = 0x0002 | 0x0004 | FLAG_DESCRIPTOR | 0x0800
};

#define SIGNATURE_LOCAL 0x04034b50u
#define SIGNATURE_CENTRAL 0x02014b50u
#define SIGNATURE_END 0x06054b50u
#define SIGNATURE_END64 0x06064b50u
#define SIGNATURE_LOCATOR 0x07064b50u

/* What deflate can do: 258 bytes of content for two bits, and a bit for the code of a block. */
#define MOST_DEFLATE_RATIO 1032u

struct snap_zip {
    const struct snap_foreign_input *input;
    struct snap_zip_entry *entries;
    size_t count;
    json_t *places; /* name -> index */
    uint64_t directory_offset;
    uint64_t inflated; /* bytes that deflated entries were expanded to */
};

/* The directory as the end of the file describes it. */
struct directory {
    uint64_t entries;
    uint64_t size;
    uint64_t offset;
};

static enum snap_status corrupt(const struct snap_zip *zip, const char *name, const char *text,
                                struct snap_error *err)
{
    if (name != NULL)
        return snap_error_set(err, SNAP_CORRUPT, "%s: zip entry %.200s: %s", zip->input->name, name,
                              text);
    return snap_error_set(err, SNAP_CORRUPT, "%s: zip: %s", zip->input->name, text);
}

static enum snap_status no_memory(const struct snap_zip *zip, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: zip: out of memory", zip->input->name);
}

static unsigned get_u16(const unsigned char *in)
{
    return in[0] | (unsigned)in[1] << 8;
}

/* ---- the end of the file ---- */

/* Where the record of the end stands: it must reach to the end of the file with its comment. */
static enum snap_status find_end(const struct snap_zip *zip, uint64_t *offset,
                                 unsigned char end[END_BYTES], struct snap_error *err)
{
    uint64_t size = zip->input->size;
    uint64_t tail_size = END_BYTES + MOST_COMMENT_BYTES;
    unsigned char *tail;
    if (size < tail_size)
        tail_size = size;
    enum snap_status status =
        snap_foreign_input_load(zip->input, size - tail_size, tail_size, &tail, err);
    if (status != SNAP_OK)
        return status;
    status =
        corrupt(zip, NULL, "no end of a central directory: it is no zip file, or cut off", err);
    for (uint64_t left = END_BYTES; left <= tail_size; left++) {
        const unsigned char *at = tail + (tail_size - left);
        if (snap_get_u32(at) == SIGNATURE_END && get_u16(at + 20) == left - END_BYTES) {
            *offset = size - left;
            memcpy(end, at, END_BYTES);
            status = SNAP_OK;
            break;
        }
    }
    free(tail);
    return status;
}

/* The zip64 record, when there is one: *end_offset is then where it begins. */
static enum snap_status read_end64(const struct snap_zip *zip, uint64_t *end_offset,
                                   struct directory *directory, bool *found, struct snap_error *err)
{
    unsigned char locator[LOCATOR_BYTES];
    unsigned char record[END64_BYTES];
    *found = false;
    if (*end_offset < LOCATOR_BYTES)
        return SNAP_OK;
    enum snap_status status = snap_foreign_input_read(zip->input, *end_offset - LOCATOR_BYTES,
                                                      locator, sizeof locator, err);
    if (status != SNAP_OK || snap_get_u32(locator) != SIGNATURE_LOCATOR)
        return status;
    uint64_t offset = snap_get_u64(locator + 8);
    uint64_t record_end;
    if (snap_get_u32(locator + 4) != 0 || snap_get_u32(locator + 16) > 1)
        return corrupt(zip, NULL, "it is one of several disks", err);
    status = snap_foreign_input_read(zip->input, offset, record, sizeof record, err);
    if (status != SNAP_OK)
        return status;
    if (snap_get_u32(record) != SIGNATURE_END64 ||
        !snap_add_u64(offset, snap_get_u64(record + 4), &record_end) ||
        !snap_add_u64(record_end, 12, &record_end) || record_end != *end_offset - LOCATOR_BYTES)
        return corrupt(zip, NULL, "its zip64 record is not where it should be", err);
    if (snap_get_u32(record + 16) != 0 || snap_get_u32(record + 20) != 0 ||
        snap_get_u64(record + 24) != snap_get_u64(record + 32))
        return corrupt(zip, NULL, "it is one of several disks", err);
    directory->entries = snap_get_u64(record + 32);
    directory->size = snap_get_u64(record + 40);
    directory->offset = snap_get_u64(record + 48);
    *end_offset = offset;
    *found = true;
    return SNAP_OK;
}

static enum snap_status read_end(const struct snap_zip *zip, struct directory *directory,
                                 struct snap_error *err)
{
    unsigned char end[END_BYTES];
    uint64_t end_offset = 0;
    uint64_t directory_end;
    bool found;
    enum snap_status status = find_end(zip, &end_offset, end, err);
    if (status == SNAP_OK)
        status = read_end64(zip, &end_offset, directory, &found, err);
    if (status != SNAP_OK)
        return status;
    struct directory plain = { .entries = get_u16(end + 10),
                               .size = snap_get_u32(end + 12),
                               .offset = snap_get_u32(end + 16) };
    if (get_u16(end + 4) != 0 || get_u16(end + 6) != 0 || get_u16(end + 8) != plain.entries)
        return corrupt(zip, NULL, "it is one of several disks", err);
    if (!found)
        *directory = plain;
    else if ((plain.entries != UINT16_MAX && plain.entries != directory->entries) ||
             (plain.size != UINT32_MAX && plain.size != directory->size) ||
             (plain.offset != UINT32_MAX && plain.offset != directory->offset))
        return corrupt(zip, NULL, "its two records of the end do not agree", err);
    if (!snap_add_u64(directory->offset, directory->size, &directory_end) ||
        directory_end != end_offset)
        return corrupt(zip, NULL, "its central directory does not end where its end begins", err);
    if (directory->entries > SNAP_MAX_ZIP_ENTRIES || directory->size > SNAP_MAX_ZIP_DIRECTORY_BYTES)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: zip: %" PRIu64 " entries in a directory of %" PRIu64 " bytes: "
                              "at most %u and %u are read",
                              zip->input->name, directory->entries, directory->size,
                              SNAP_MAX_ZIP_ENTRIES, SNAP_MAX_ZIP_DIRECTORY_BYTES);
    if (directory->entries > directory->size / CENTRAL_BYTES)
        return corrupt(zip, NULL, "its central directory has no room for its entries", err);
    return SNAP_OK;
}

/* ---- headers ---- */

/* The field of an extra block; NULL when it is not there. */
static const unsigned char *find_extra(const unsigned char *extra, size_t size, unsigned id,
                                       size_t *field_size)
{
    for (size_t at = 0; size - at >= 4;) {
        size_t length = get_u16(extra + at + 2);
        if (length > size - at - 4)
            return NULL;
        if (get_u16(extra + at) == id) {
            *field_size = length;
            return extra + at + 4;
        }
        at += 4 + length;
    }
    return NULL;
}

/* Where a field of 32 bits is full, the value stands in the zip64 block, in the order of the
 * calls. False when it is not there. */
static bool widen(uint64_t *value, const unsigned char **wide, size_t *left)
{
    if (*value != UINT32_MAX)
        return true;
    if (*wide == NULL || *left < 8)
        return false;
    *value = snap_get_u64(*wide);
    *wide += 8;
    *left -= 8;
    return true;
}

/* A header of the central directory; its entry is appended. *used: its bytes. `local` is where the
 * other header of the entry stands. */
static enum snap_status read_central(struct snap_zip *zip, const unsigned char *at, size_t size,
                                     size_t *used, uint64_t *local, unsigned *flags,
                                     struct snap_error *err)
{
    if (size < CENTRAL_BYTES || snap_get_u32(at) != SIGNATURE_CENTRAL)
        return corrupt(zip, NULL, "its central directory has a gap", err);
    size_t name_size = get_u16(at + 28);
    size_t extra_size = get_u16(at + 30);
    size_t comment_size = get_u16(at + 32);
    *used = CENTRAL_BYTES + name_size + extra_size + comment_size;
    if (*used > size)
        return corrupt(zip, NULL, "its central directory ends too early", err);
    const char *name = (const char *)at + CENTRAL_BYTES;
    if (name_size == 0 || name_size > SNAP_MAX_ZIP_NAME_BYTES ||
        memchr(name, '\0', name_size) != NULL || !snap_utf8_is_valid(name, name_size))
        return corrupt(zip, NULL, "the name of an entry is no short text", err);
    struct snap_zip_entry *entry = &zip->entries[zip->count];
    entry->name = strndup(name, name_size);
    if (entry->name == NULL)
        return no_memory(zip, err);
    zip->count++;
    *flags = get_u16(at + 8);
    unsigned method = get_u16(at + 10);
    if ((*flags & ~(unsigned)FLAGS_KNOWN) != 0 ||
        (method != METHOD_STORED && method != METHOD_DEFLATED))
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: zip entry %.200s: method %u, flags 0x%x: only what is stored or "
                              "deflated, and not encrypted, is read",
                              zip->input->name, entry->name, method, *flags);
    size_t left = 0;
    const unsigned char *wide =
        find_extra(at + CENTRAL_BYTES + name_size, extra_size, EXTRA_ZIP64, &left);
    entry->deflated = method == METHOD_DEFLATED;
    entry->crc = snap_get_u32(at + 16);
    entry->packed_size = snap_get_u32(at + 20);
    entry->size = snap_get_u32(at + 24);
    *local = snap_get_u32(at + 42);
    if (!widen(&entry->size, &wide, &left) || !widen(&entry->packed_size, &wide, &left) ||
        !widen(local, &wide, &left))
        return corrupt(zip, entry->name, "a size is in a zip64 block that is not there", err);
    if (get_u16(at + 34) != 0)
        return corrupt(zip, entry->name, "it is on another disk", err);
    if (!entry->deflated && entry->size != entry->packed_size)
        return corrupt(zip, entry->name, "it is stored, and its two sizes differ", err);
    if (json_object_get(zip->places, entry->name) != NULL)
        return corrupt(zip, entry->name, "the name is there twice", err);
    if (json_object_set_new_nocheck(zip->places, entry->name,
                                    json_integer((json_int_t)zip->count - 1)) != 0)
        return no_memory(zip, err);
    return SNAP_OK;
}

/* Do the sizes of a local header agree with the entry's? They may be left to a descriptor. */
static bool same_sizes(const struct snap_zip_entry *entry, const unsigned char *header,
                       const unsigned char *extra, size_t extra_size, bool descriptor)
{
    size_t left = 0;
    const unsigned char *wide = find_extra(extra, extra_size, EXTRA_ZIP64, &left);
    uint32_t crc = snap_get_u32(header + 14);
    uint64_t packed_size = snap_get_u32(header + 18);
    uint64_t size = snap_get_u32(header + 22);
    if (descriptor && crc == 0 && packed_size == 0 && size == 0)
        return true;
    if (!widen(&size, &wide, &left) || !widen(&packed_size, &wide, &left))
        return false;
    if (descriptor && crc == 0 && packed_size == 0 && size == 0)
        return true;
    return crc == entry->crc && packed_size == entry->packed_size && size == entry->size;
}

static enum snap_status read_local(struct snap_zip *zip, struct snap_zip_entry *entry,
                                   uint64_t local, unsigned flags, struct snap_error *err)
{
    unsigned char header[LOCAL_BYTES];
    unsigned char *rest = NULL;
    enum snap_status status =
        snap_foreign_input_read(zip->input, local, header, sizeof header, err);
    if (status != SNAP_OK)
        return status;
    if (snap_get_u32(header) != SIGNATURE_LOCAL)
        return corrupt(zip, entry->name, "its header is not where the directory says", err);
    size_t name_size = get_u16(header + 26);
    size_t extra_size = get_u16(header + 28);
    status = snap_foreign_input_load(zip->input, local + LOCAL_BYTES, name_size + extra_size, &rest,
                                     err);
    if (status != SNAP_OK)
        return status;
    bool same =
        name_size == strlen(entry->name) && memcmp(rest, entry->name, name_size) == 0 &&
        get_u16(header + 6) == flags &&
        get_u16(header + 8) == (entry->deflated ? METHOD_DEFLATED : METHOD_STORED) &&
        same_sizes(entry, header, rest + name_size, extra_size, (flags & FLAG_DESCRIPTOR) != 0);
    free(rest);
    if (!same)
        return corrupt(zip, entry->name, "its header and the directory do not agree", err);
    entry->offset = local + LOCAL_BYTES + name_size + extra_size;
    if (entry->offset > zip->directory_offset ||
        entry->packed_size > zip->directory_offset - entry->offset)
        return corrupt(zip, entry->name, "it reaches into the central directory", err);
    return SNAP_OK;
}

struct span {
    uint64_t begin;
    uint64_t end;
};

static int compare_spans(const void *left, const void *right)
{
    const struct span *a = left;
    const struct span *b = right;
    return (a->begin > b->begin) - (a->begin < b->begin);
}

static enum snap_status check_overlap(const struct snap_zip *zip, struct span *spans,
                                      struct snap_error *err)
{
    qsort(spans, zip->count, sizeof *spans, compare_spans);
    for (size_t i = 1; i < zip->count; i++)
        if (spans[i].begin < spans[i - 1].end)
            return corrupt(zip, NULL, "two entries overlap", err);
    return SNAP_OK;
}

static enum snap_status read_directory(struct snap_zip *zip, const struct directory *directory,
                                       struct snap_error *err)
{
    size_t count = (size_t)directory->entries;
    size_t size = (size_t)directory->size;
    unsigned char *bytes = NULL;
    struct span *spans = calloc(count + 1, sizeof *spans);
    zip->entries = calloc(count + 1, sizeof *zip->entries);
    zip->directory_offset = directory->offset;
    if (zip->entries == NULL || spans == NULL) {
        free(spans);
        return no_memory(zip, err);
    }
    enum snap_status status =
        snap_foreign_input_load(zip->input, directory->offset, size, &bytes, err);
    size_t at = 0;
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        size_t used = 0;
        uint64_t local = 0;
        unsigned flags = 0;
        status = read_central(zip, bytes + at, size - at, &used, &local, &flags, err);
        if (status == SNAP_OK)
            status = read_local(zip, &zip->entries[i], local, flags, err);
        spans[i].begin = local;
        spans[i].end = zip->entries[i].offset + zip->entries[i].packed_size;
        at += used;
    }
    if (status == SNAP_OK && at != size)
        status = corrupt(zip, NULL, "its central directory has more than its entries", err);
    if (status == SNAP_OK)
        status = check_overlap(zip, spans, err);
    free(bytes);
    free(spans);
    return status;
}

enum snap_status snap_zip_open(const struct snap_foreign_input *input, struct snap_zip **zip,
                               struct snap_error *err)
{
    struct directory directory = { 0, 0, 0 };
    struct snap_zip *made = calloc(1, sizeof *made);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: zip: out of memory", input->name);
    made->input = input;
    made->places = json_object();
    enum snap_status status = made->places != NULL ? SNAP_OK : no_memory(made, err);
    if (status == SNAP_OK)
        status = read_end(made, &directory, err);
    if (status == SNAP_OK)
        status = read_directory(made, &directory, err);
    if (status == SNAP_OK)
        *zip = made;
    else
        snap_zip_close(made);
    return status;
}

void snap_zip_close(struct snap_zip *zip)
{
    if (zip == NULL)
        return;
    for (size_t i = 0; i < zip->count; i++)
        free(zip->entries[i].name);
    free(zip->entries);
    json_decref(zip->places);
    free(zip);
}

size_t snap_zip_count(const struct snap_zip *zip)
{
    return zip->count;
}

const struct snap_zip_entry *snap_zip_at(const struct snap_zip *zip, size_t index)
{
    return index < zip->count ? &zip->entries[index] : NULL;
}

const struct snap_zip_entry *snap_zip_find(const struct snap_zip *zip, const char *name)
{
    const json_t *place = json_object_get(zip->places, name);
    return place != NULL ? &zip->entries[json_integer_value(place)] : NULL;
}

/* ---- content ---- */

/* Inflate all of `packed` into exactly `size` bytes. */
static bool inflate_exactly(const unsigned char *packed, size_t packed_size, unsigned char *out,
                            size_t size)
{
    z_stream stream = { .next_in = NULL };
    size_t taken = 0;
    size_t made = 0;
    int result = Z_OK;
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return false;
    while (result == Z_OK) {
        size_t in = packed_size - taken < UINT32_MAX ? packed_size - taken : UINT32_MAX;
        size_t room = size - made < UINT32_MAX ? size - made : UINT32_MAX;
        stream.next_in = (unsigned char *)(uintptr_t)(packed + taken);
        stream.avail_in = (uInt)in;
        stream.next_out = out + made;
        stream.avail_out = (uInt)room;
        result = inflate(&stream, Z_NO_FLUSH);
        if (stream.avail_in == in && stream.avail_out == room && result == Z_OK)
            break;
        taken += in - stream.avail_in;
        made += room - stream.avail_out;
    }
    inflateEnd(&stream);
    return result == Z_STREAM_END && taken == packed_size && made == size;
}

static enum snap_status load_deflated(struct snap_zip *zip, const struct snap_zip_entry *entry,
                                      unsigned char **data, struct snap_error *err)
{
    unsigned char *packed;
    if (entry->size / MOST_DEFLATE_RATIO > entry->packed_size)
        return corrupt(zip, entry->name, "it is said to be larger than deflate can make it", err);
    if (entry->size > SNAP_MAX_INFLATED_BYTES - zip->inflated)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: zip entry %.200s: %" PRIu64 " bytes of deflated content: at "
                              "most %u of a file are expanded; store them instead (numpy.savez)",
                              zip->input->name, entry->name, entry->size, SNAP_MAX_INFLATED_BYTES);
    enum snap_status status =
        snap_foreign_input_load(zip->input, entry->offset, entry->packed_size, &packed, err);
    if (status != SNAP_OK)
        return status;
    unsigned char *made = malloc(entry->size > 0 ? (size_t)entry->size : 1);
    if (made == NULL)
        status = no_memory(zip, err);
    else if (!inflate_exactly(packed, (size_t)entry->packed_size, made, (size_t)entry->size))
        status = corrupt(zip, entry->name, "it does not inflate to its size", err);
    free(packed);
    if (status == SNAP_OK) {
        zip->inflated += entry->size;
        *data = made;
    } else {
        free(made);
    }
    return status;
}

enum snap_status snap_zip_load(struct snap_zip *zip, const struct snap_zip_entry *entry,
                               unsigned char **data, struct snap_error *err)
{
    unsigned char *loaded = NULL;
    enum snap_status status = entry->deflated ? load_deflated(zip, entry, &loaded, err)
                                              : snap_foreign_input_load(zip->input, entry->offset,
                                                                        entry->size, &loaded, err);
    if (status != SNAP_OK)
        return status;
    uLong crc = crc32_z(crc32_z(0, NULL, 0), loaded, (size_t)entry->size);
    if (crc != entry->crc) {
        free(loaded);
        return snap_error_set(
            err, SNAP_CORRUPT,
            "%s: zip entry %.200s: its CRC is %08lx, not %08lx: it is damaged, or "
            "was written with torch.serialization.set_crc32_options(False)",
            zip->input->name, entry->name, crc, (unsigned long)entry->crc);
    }
    *data = loaded;
    return SNAP_OK;
}
