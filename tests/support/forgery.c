/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>

#include "core/hex.h"
#include "digest/sha256.h"
#include "forgery.h"
#include "format/archive_read.h"
#include "format/tar_layout.h"
#include "sample_archive.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

void forgery_init(struct forgery *forgery)
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

void forgery_release(struct forgery *forgery)
{
    for (size_t i = 0; i < forgery->count; i++)
        snap_buffer_release(&forgery->members[i].content);
}

struct forged_member *forgery_member(struct forgery *forgery, const char *name)
{
    for (size_t i = 0; i < forgery->count; i++)
        if (strcmp(forgery->members[i].name, name) == 0)
            return &forgery->members[i];
    fail_msg("no member %s", name);
    return NULL;
}

void forgery_change(struct forgery *forgery, const char *name, const char *from, const char *to)
{
    struct snap_buffer *content = &forgery_member(forgery, name)->content;
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

void forgery_relist(struct forgery *forgery, const char *listing)
{
    struct snap_buffer *lines = &forgery_member(forgery, listing)->content;
    for (size_t i = 0; i < forgery->count; i++) {
        char end_of_line[130];
        char digits[2 * SNAP_DIGEST_BYTES + 1];
        unsigned char digest[SNAP_DIGEST_BYTES];
        snprintf(end_of_line, sizeof end_of_line, "  %s\n", forgery->members[i].name);
        char *place = strstr((char *)lines->data, end_of_line);
        if (place == NULL || place - (char *)lines->data < 2 * SNAP_DIGEST_BYTES)
            continue;
        CHECK_OK(snap_sha256(forgery->members[i].content.data, forgery->members[i].content.size,
                             digest, &err));
        snap_hex_encode(digest, sizeof digest, digits);
        memcpy(place - 2 * SNAP_DIGEST_BYTES, digits, 2 * SNAP_DIGEST_BYTES);
    }
}

void forgery_assemble(const struct forgery *forgery, struct snap_buffer *out)
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

enum snap_status forgery_examine(const struct snap_buffer *bytes, struct snap_error *error)
{
    struct snap_archive *archive = NULL;
    *error = (struct snap_error)SNAP_ERROR_INIT;
    enum snap_status status =
        snap_archive_open_fd(memory_file(bytes->data, bytes->size), "forged", &archive, error);
    if (status == SNAP_OK)
        status = snap_archive_check(archive, NULL, error);
    snap_archive_close(archive);
    return status;
}
