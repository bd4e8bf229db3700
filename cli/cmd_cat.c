/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/archive.h>

#include "command.h"
#include "member_text.h"
#include "target.h"

/* A member of up to so many bytes is held in memory from its check to the last byte written; a
 * larger one is read twice, in pieces. */
#define MOST_HELD_BYTES (UINT64_C(4) << 20)
/* What --json carries at most: in hex it is twice as much. A part of a storage is no larger. */
#define MOST_JSON_BYTES (UINT64_C(64) << 20)

struct cat_arguments {
    const char *archive;
    const char *member;
};

/* The members that `name` means: one, or all parts of a storage that is in several. */
struct span {
    size_t first;
    size_t count;
    uint64_t size_bytes;
};

static bool is_part_of(const char *name, const char *storage)
{
    size_t length = strlen(storage);

    return strncmp(name, storage, length) == 0 && name[length] == '~' &&
           strspn(name + length + 1, "0123456789") == 4 && name[length + 5] == '\0';
}

static enum snap_status find_span(const struct snap_archive *archive, const char *name,
                                  struct span *span, struct snap_error *err)
{
    size_t count = snap_archive_member_count(archive);
    struct span found = { .count = 0 };

    for (size_t i = 0; i < count; i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (strcmp(member->name, name) != 0 && !is_part_of(member->name, name))
            continue;
        if (found.count == 0)
            found.first = i;
        found.count++;
        found.size_bytes += member->data_size;
    }
    if (found.count == 0)
        return snap_error_set(err, SNAP_NOT_FOUND,
                              "%s: no such member; 'snap list' shows those there are", name);
    *span = found;
    return SNAP_OK;
}

/* What cannot be written is told at the end; the rest would not come through either. */
static bool write_bytes(void *failed, const void *bytes, size_t size_bytes)
{
    if (fwrite(bytes, 1, size_bytes, stdout) != size_bytes)
        *(bool *)failed = true;
    return !*(bool *)failed;
}

/* Read every part and compare its digest; `take` as in snap_archive_read_pieces. */
static enum snap_status each_part(const struct snap_archive *archive, const struct span *span,
                                  snap_archive_take *take, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    bool failed = false;

    for (size_t i = 0; i < span->count && status == SNAP_OK && !failed; i++)
        status = snap_archive_read_pieces(archive, snap_archive_member(archive, span->first + i),
                                          take, &failed, err);
    return status;
}

static enum snap_status write_held(const struct snap_archive *archive,
                                   const struct snap_member *member, struct snap_error *err)
{
    bool failed = false;
    void *data = malloc(member->data_size ? member->data_size : 1);

    if (data == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory to read it", member->name);
    enum snap_status status = snap_archive_read(archive, member, data, err);
    if (status == SNAP_OK)
        write_bytes(&failed, data, member->data_size);
    free(data);
    return status;
}

static char *hex_text(const unsigned char *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * size + 1);

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }
    text[2 * size] = '\0';
    return text;
}

static enum snap_status json_member(const struct snap_archive *archive,
                                    const struct snap_member *member,
                                    const struct cat_arguments *given, struct cmd_report *report,
                                    struct snap_error *err)
{
    char digest[CMD_DIGEST_TEXT_BYTES], *data = NULL, *hex = NULL;
    json_t *content = NULL;
    bool is_text;
    enum snap_status status;

    if (member->data_size > MOST_JSON_BYTES)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: too large for --json; without it the bytes are written as they "
                              "are", member->name);
    data = malloc(member->data_size + 1);
    if (data == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory to read it", member->name);
    status = snap_archive_read(archive, member, data, err);
    if (status != SNAP_OK)
        goto out;
    if (memchr(data, '\0', member->data_size) == NULL)
        content = json_stringn(data, member->data_size);
    is_text = content != NULL;
    if (!is_text) {
        hex = hex_text((const unsigned char *)data, member->data_size);
        content = hex ? json_string(hex) : NULL;
    }
    status = cmd_report_set(report,
                            json_pack("{s:o, s:o, s:s, s:s, s:s, s:o}", "archive",
                                      cmd_json_text(given->archive), "content", content,
                                      "encoding", is_text ? "text" : "hex", "member",
                                      member->name, "sha256",
                                      cmd_digest_text(member->sha256, digest), "size",
                                      cmd_json_uint(member->data_size)),
                            err);
out:
    free(hex);
    free(data);
    return status;
}

static enum snap_status cat(const void *arguments, struct cmd_report *report,
                            struct snap_error *err)
{
    const struct cat_arguments *given = arguments;
    struct snap_archive *archive = NULL;
    struct span span = { .count = 0 };
    char path[PATH_MAX];
    enum cmd_target kind;
    enum snap_status status =
        cmd_target_find(given->archive, CMD_TARGET_ARCHIVE | CMD_TARGET_STORE, &kind, err);

    if (status == SNAP_OK)
        status = cmd_target_open(given->archive, kind, path, &archive, err);
    if (status == SNAP_OK)
        status = find_span(archive, given->member, &span, err);
    if (status != SNAP_OK)
        goto out;
    if (report->json) {
        if (span.count > 1)
            status = snap_error_set(err, SNAP_UNSUPPORTED,
                                    "%s: it is in %zu parts; --json takes one, such as %s",
                                    given->member, span.count,
                                    snap_archive_member(archive, span.first)->name);
        else
            status = json_member(archive, snap_archive_member(archive, span.first), given, report,
                                 err);
        goto out;
    }
    if (span.size_bytes <= MOST_HELD_BYTES && span.count == 1) {
        status = write_held(archive, snap_archive_member(archive, span.first), err);
        goto out;
    }
    /* All is checked before the first byte is written, and once more as it is. */
    status = each_part(archive, &span, NULL, err);
    if (status == SNAP_OK)
        status = each_part(archive, &span, write_bytes, err);
out:
    snap_archive_close(archive);
    return status;
}

static const struct cmd_option options[] = {
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "ARCHIVE", offsetof(struct cat_arguments, archive), true },
    { "MEMBER", offsetof(struct cat_arguments, member), true },
    { .name = NULL },
};

const struct cmd_command cmd_cat = {
    .name = "cat",
    .summary = "write the bytes of a member to stdout",
    .description = "Write the content of a member to stdout, after its digest was compared: bytes "
                   "that are not what SHA256SUMS says are never written. The name of a tensor that "
                   "is in several parts (NAME~0000, ...) means all of them.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct cat_arguments),
    .run = cat,
};
