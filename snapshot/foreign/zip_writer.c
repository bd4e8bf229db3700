/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "core/array.h"
#include "core/buffer.h"
#include "core/bytes.h"
#include "foreign/zip_writer.h"

/* Where content begins, as torch has it, so that it can be mapped. */
#define ALIGNMENT 64
/* The field that fills up the header: torch's own. */
#define EXTRA_FILL 0x4246
#define EXTRA_ZIP64 0x0001
/* Names are UTF-8. */
#define FLAGS 0x0800
/* 1 January 1980: the first time that there is. */
#define DATE 0x0021

struct written {
    char *name;
    uint64_t size;
    uint64_t offset; /* of its header */
    uint32_t crc;
};

struct snap_zip_writer {
    struct written *entries;
    size_t entry_count;
    unsigned char **owned; /* headers */
    size_t owned_count;
    struct snap_segment *segments;
    size_t segment_count;
    uint64_t size; /* of the file so far */
};

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "zip: out of memory");
}

enum snap_status snap_zip_writer_new(struct snap_zip_writer **writer, struct snap_error *err)
{
    *writer = calloc(1, sizeof **writer);
    return *writer != NULL ? SNAP_OK : no_memory(err);
}

void snap_zip_writer_free(struct snap_zip_writer *writer)
{
    if (writer == NULL)
        return;
    for (size_t i = 0; i < writer->entry_count; i++)
        free(writer->entries[i].name);
    for (size_t i = 0; i < writer->owned_count; i++)
        free(writer->owned[i]);
    free(writer->entries);
    free(writer->owned);
    free(writer->segments);
    free(writer);
}

static enum snap_status add_segment(struct snap_zip_writer *writer, const void *data, uint64_t size,
                                    struct snap_error *err)
{
    struct snap_segment *moved =
        snap_array_grow(writer->segments, writer->segment_count, sizeof *moved);
    if (moved == NULL)
        return no_memory(err);
    writer->segments = moved;
    writer->segments[writer->segment_count++] =
        (struct snap_segment) { .offset = writer->size, .data = data, .size_bytes = (size_t)size };
    writer->size += size;
    return SNAP_OK;
}

/* The bytes of the buffer become a segment. */
static enum snap_status add_owned(struct snap_zip_writer *writer, struct snap_buffer *bytes,
                                  struct snap_error *err)
{
    size_t size;
    unsigned char **moved = snap_array_grow(writer->owned, writer->owned_count, sizeof *moved);
    if (moved == NULL)
        return no_memory(err);
    writer->owned = moved;
    unsigned char *data = snap_buffer_steal(bytes, &size);
    writer->owned[writer->owned_count++] = data;
    return add_segment(writer, data, size, err);
}

static enum snap_status put_u16(struct snap_buffer *out, unsigned value, struct snap_error *err)
{
    unsigned char bytes[2] = { (unsigned char)value, (unsigned char)(value >> 8) };
    return snap_buffer_append(out, bytes, sizeof bytes, err);
}

static enum snap_status put_u32(struct snap_buffer *out, uint64_t value, struct snap_error *err)
{
    unsigned char bytes[4];
    snap_put_u32(bytes, value > UINT32_MAX ? UINT32_MAX : (uint32_t)value);
    return snap_buffer_append(out, bytes, sizeof bytes, err);
}

static enum snap_status put_u64(struct snap_buffer *out, uint64_t value, struct snap_error *err)
{
    unsigned char bytes[8];
    snap_put_u64(bytes, value);
    return snap_buffer_append(out, bytes, sizeof bytes, err);
}

/* A field of 32 bits that is full says that the value stands in the zip64 field. */
static bool is_wide(uint64_t value)
{
    return value >= UINT32_MAX;
}

/* What the two headers of an entry have in common: version, flags, method, time, CRC, sizes. */
static enum snap_status put_common(struct snap_buffer *out, const struct written *entry, bool wide,
                                   struct snap_error *err)
{
    enum snap_status status = put_u16(out, wide ? 45 : 20, err);
    if (status == SNAP_OK)
        status = put_u16(out, FLAGS, err);
    if (status == SNAP_OK)
        status = put_u32(out, 0, err); /* stored; at midnight */
    if (status == SNAP_OK)
        status = put_u16(out, DATE, err);
    if (status == SNAP_OK)
        status = put_u32(out, entry->crc, err);
    if (status == SNAP_OK)
        status = put_u32(out, wide ? UINT32_MAX : entry->size, err);
    if (status == SNAP_OK)
        status = put_u32(out, wide ? UINT32_MAX : entry->size, err);
    return status == SNAP_OK ? put_u16(out, (unsigned)strlen(entry->name), err) : status;
}

static enum snap_status put_local(struct snap_zip_writer *writer, const struct written *entry,
                                  struct snap_error *err)
{
    struct snap_buffer out = SNAP_BUFFER_INIT;
    bool wide = is_wide(entry->size);
    size_t before = 30 + strlen(entry->name) + (wide ? 20 : 0) + 4;
    size_t fill = (ALIGNMENT - (writer->size + before) % ALIGNMENT) % ALIGNMENT;
    enum snap_status status = put_u32(&out, 0x04034b50, err);
    if (status == SNAP_OK)
        status = put_common(&out, entry, wide, err);
    if (status == SNAP_OK)
        status = put_u16(&out, (unsigned)((wide ? 20u : 0u) + 4u + fill), err);
    if (status == SNAP_OK)
        status = snap_buffer_append_text(&out, entry->name, err);
    if (status == SNAP_OK && wide)
        status = put_u32(&out, EXTRA_ZIP64 | 16u << 16, err);
    if (status == SNAP_OK && wide)
        status = put_u64(&out, entry->size, err);
    if (status == SNAP_OK && wide)
        status = put_u64(&out, entry->size, err);
    if (status == SNAP_OK)
        status = put_u32(&out, EXTRA_FILL | fill << 16, err);
    for (size_t i = 0; status == SNAP_OK && i < fill; i++)
        status = snap_buffer_append_text(&out, "Z", err);
    if (status == SNAP_OK)
        status = add_owned(writer, &out, err);
    snap_buffer_release(&out);
    return status;
}

enum snap_status snap_zip_writer_add(struct snap_zip_writer *writer, const char *name,
                                     const void *data, uint64_t size_bytes, struct snap_error *err)
{
    struct written entry = { .size = size_bytes, .offset = writer->size };
    if (strlen(name) > UINT16_MAX)
        return snap_error_set(err, SNAP_UNSUPPORTED, "zip: a name of %zu bytes", strlen(name));
    struct written *moved = snap_array_grow(writer->entries, writer->entry_count, sizeof *moved);
    if (moved == NULL)
        return no_memory(err);
    writer->entries = moved;
    entry.crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), size_bytes > 0 ? data : (const void *)"",
                                  (size_t)size_bytes);
    entry.name = strdup(name);
    if (entry.name == NULL)
        return no_memory(err);
    writer->entries[writer->entry_count++] = entry;
    enum snap_status status = put_local(writer, &entry, err);
    if (status == SNAP_OK && size_bytes > 0)
        status = add_segment(writer, data, size_bytes, err);
    return status;
}

static enum snap_status put_central(struct snap_buffer *out, const struct written *entry,
                                    struct snap_error *err)
{
    bool wide = is_wide(entry->size) || is_wide(entry->offset);
    enum snap_status status = put_u32(out, 0x02014b50, err);
    if (status == SNAP_OK)
        status = put_u16(out, wide ? 45 : 20, err);
    if (status == SNAP_OK)
        status = put_common(out, entry, wide, err);
    if (status == SNAP_OK)
        status = put_u16(out, wide ? 28 : 0, err);
    if (status == SNAP_OK)
        status = put_u32(out, 0, err); /* no comment, first disk */
    if (status == SNAP_OK)
        status = put_u16(out, 0, err);
    if (status == SNAP_OK)
        status = put_u32(out, 0, err);
    if (status == SNAP_OK)
        status = put_u32(out, wide ? UINT32_MAX : entry->offset, err);
    if (status == SNAP_OK)
        status = snap_buffer_append_text(out, entry->name, err);
    if (status == SNAP_OK && wide)
        status = put_u32(out, EXTRA_ZIP64 | 24u << 16, err);
    if (status == SNAP_OK && wide)
        status = put_u64(out, entry->size, err);
    if (status == SNAP_OK && wide)
        status = put_u64(out, entry->size, err);
    if (status == SNAP_OK && wide)
        status = put_u64(out, entry->offset, err);
    return status;
}

/* The zip64 record of the end, and where it stands. */
static enum snap_status put_end64(const struct snap_zip_writer *writer, struct snap_buffer *out,
                                  uint64_t directory, struct snap_error *err)
{
    uint64_t end = writer->size + directory;
    enum snap_status status = put_u32(out, 0x06064b50, err);
    if (status == SNAP_OK)
        status = put_u64(out, 44, err);
    if (status == SNAP_OK)
        status = put_u32(out, 45u | 45u << 16, err);
    if (status == SNAP_OK)
        status = put_u64(out, 0, err);
    if (status == SNAP_OK)
        status = put_u64(out, writer->entry_count, err);
    if (status == SNAP_OK)
        status = put_u64(out, writer->entry_count, err);
    if (status == SNAP_OK)
        status = put_u64(out, directory, err);
    if (status == SNAP_OK)
        status = put_u64(out, writer->size, err);
    if (status == SNAP_OK)
        status = put_u32(out, 0x07064b50, err);
    if (status == SNAP_OK)
        status = put_u32(out, 0, err);
    if (status == SNAP_OK)
        status = put_u64(out, end, err);
    return status == SNAP_OK ? put_u32(out, 1, err) : status;
}

enum snap_status snap_zip_writer_finish(struct snap_zip_writer *writer,
                                        const struct snap_segment **segments, size_t *count,
                                        struct snap_error *err)
{
    struct snap_buffer out = SNAP_BUFFER_INIT;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < writer->entry_count; i++)
        status = put_central(&out, &writer->entries[i], err);
    uint64_t directory = out.size;
    bool many = writer->entry_count >= UINT16_MAX;
    unsigned entries = many ? UINT16_MAX : (unsigned)writer->entry_count;
    if (status == SNAP_OK && (many || is_wide(directory) || is_wide(writer->size)))
        status = put_end64(writer, &out, directory, err);
    if (status == SNAP_OK)
        status = put_u32(&out, 0x06054b50, err);
    if (status == SNAP_OK)
        status = put_u32(&out, 0, err);
    if (status == SNAP_OK)
        status = put_u16(&out, entries, err);
    if (status == SNAP_OK)
        status = put_u16(&out, entries, err);
    if (status == SNAP_OK)
        status = put_u32(&out, directory, err);
    if (status == SNAP_OK)
        status = put_u32(&out, writer->size, err);
    if (status == SNAP_OK)
        status = put_u16(&out, 0, err);
    if (status == SNAP_OK)
        status = add_owned(writer, &out, err);
    snap_buffer_release(&out);
    *segments = writer->segments;
    *count = writer->segment_count;
    return status;
}
