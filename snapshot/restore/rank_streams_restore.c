/* SPDX-License-Identifier: Apache-2.0 */
/* The rule rank-streams-1, for a restore on another number of ranks than the archive has streams
 * of: a rank that the archive has takes its own; a rank that it does not have gets one of the same
 * kind as that of rank 0, seeded by what it is the first for; those of ranks that there are no more
 * are left. It is recorded in the receipt, and the tier is streams. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest/sha256.h"
#include "format/archive_fill.h"
#include "format/limits.h"
#include "run/rank_streams.h"

#define RULE "rank-streams-1"

/* "shard-003/NAME": its rank and NAME; false for a stream of another form. */
static bool split(const char *name, int *rank, const char **base)
{
    char *end;
    if (strncmp(name, "shard-", 6) != 0)
        return false;
    *rank = (int)strtol(name + 6, &end, 10);
    *base = end + 1;
    return *end == '/';
}

/* The run has that as a stream of each rank. */
static bool is_registered(const struct snap_run *run, const char *base)
{
    const struct snap_inventory *inventory = &run->inventory;
    const char *other;
    int rank;
    for (size_t i = 0; run->rank_streams != NULL && i < inventory->stream_count; i++)
        if (split(inventory->streams[i].name, &rank, &other) && strcmp(other, base) == 0)
            return true;
    return false;
}

/* The member of rank 0 of the same name; NULL: there is none in the archive. */
static const struct snap_member *first_member(const struct snap_archive *archive, const char *base)
{
    snap_member_name name;
    snprintf(name, sizeof name, "rng/shard-000/%s", base);
    return snap_archive_find(archive, name);
}

enum snap_status snap_rank_stream_match(struct snap_restore *restore, size_t index, bool *made,
                                        struct snap_error *err)
{
    const struct snap_inventory_stream *stream = &restore->run->inventory.streams[index];
    char first[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    const char *base;
    int rank;
    *made = false;
    if (restore->run->rank_streams == NULL || !split(stream->name, &rank, &base))
        return SNAP_OK;
    snprintf(first, sizeof first, "shard-000/%s", base);
    const char *kind = snap_archive_stream_kind(restore->archive, first);
    const struct snap_member *member = first_member(restore->archive, base);
    if (kind == NULL || strcmp(kind, stream->kind) != 0 || strcmp(kind, "opaque") == 0 ||
        member == NULL || snap_member_is_absent(member))
        return SNAP_OK;
    *made = true;
    return snap_receipt_lower(restore->receipt, SNAP_TIER_STREAMS, err,
                              "stream %s is not in the archive, which has fewer ranks: by the rule "
                              RULE " it is seeded anew", stream->name);
}

enum snap_status snap_rank_stream_left(struct snap_restore *restore, const char *name, bool *left,
                                       struct snap_error *err)
{
    snap_member_name member;
    const char *base;
    int rank;
    *left = split(name, &rank, &base) && is_registered(restore->run, base);
    if (!*left)
        return SNAP_OK;
    snprintf(member, sizeof member, "rng/%s", name);
    enum snap_status status = snap_receipt_add(restore->receipt, "stream", member, "missing",
                                               "there is no such rank here", err);
    if (status == SNAP_OK)
        status = snap_receipt_lower(restore->receipt, SNAP_TIER_STREAMS, err,
                                    "stream %s is of a rank that is not here: by the rule " RULE
                                    " it is left", name);
    return status;
}

/* The low 32 bits of SHA-256 over the rule, NAME, the rank, and the state of rank 0: what the
 * narrowest seed of any kind takes. */
static enum snap_status seed_of(const char *base, int rank, const void *bytes, size_t size,
                                uint64_t *seed, struct snap_error *err)
{
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    char text[SNAP_MAX_MEMBER_NAME_BYTES + 64];
    int length = snprintf(text, sizeof text, RULE "\n%s\n%d\n", base, rank);
    enum snap_status status = snap_sha256_begin(&context, err);
    if (status == SNAP_OK)
        status = snap_sha256_update(&context, text, (size_t)length, err);
    if (status == SNAP_OK)
        status = snap_sha256_update(&context, bytes, size, err);
    if (status == SNAP_OK)
        status = snap_sha256_finish(&context, digest, err);
    snap_sha256_release(&context);
    if (status == SNAP_OK)
        *seed = (uint64_t)digest[0] | (uint64_t)digest[1] << 8 | (uint64_t)digest[2] << 16 |
                (uint64_t)digest[3] << 24;
    return status;
}

enum snap_status snap_rank_stream_make(const struct snap_restore *restore, size_t index,
                                       void **bytes, size_t *size, struct snap_error *err)
{
    const struct snap_inventory_stream *stream = &restore->run->inventory.streams[index];
    struct snap_stream *made = NULL;
    void *first = NULL;
    uint64_t seed = 0;
    const char *base = "";
    int rank = 0;
    split(stream->name, &rank, &base); /* it was matched */
    const struct snap_member *member = first_member(restore->archive, base);
    enum snap_status status = snap_archive_read_alloc(restore->archive, member,
                                                      SNAP_MAX_STREAM_BYTES, &first, err);
    if (status == SNAP_OK)
        status = seed_of(base, rank, first, (size_t)member->data_size, &seed, err);
    if (status == SNAP_OK)
        status = snap_stream_new(stream->kind, &made, err);
    /* Its form, as the number of its states, and then its own seed. */
    if (status == SNAP_OK)
        status = snap_stream_decode(made, first, (size_t)member->data_size, err);
    if (status == SNAP_OK)
        status = snap_stream_seed(made, seed, err);
    if (status == SNAP_OK)
        status = snap_stream_encode(made, bytes, size, err);
    snap_stream_free(made);
    free(first);
    return status;
}

/* Take the streams of ranks out. */
static void drop_rank_streams(json_t *document)
{
    json_t *streams = json_object_get(document, "streams");
    const char *name;
    json_t *kind;
    void *next;
    json_object_foreach_safe(streams, next, name, kind)
        if (strncmp(name, "shard-", 6) == 0)
            json_object_del(streams, name);
}

bool snap_rank_streams_alone_differ(const char *there, const char *here)
{
    json_t *left = json_loads(there, 0, NULL);
    json_t *right = json_loads(here, 0, NULL);
    drop_rank_streams(left);
    drop_rank_streams(right);
    bool same = left != NULL && right != NULL && json_equal(left, right);
    json_decref(left);
    json_decref(right);
    return same;
}
