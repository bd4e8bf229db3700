/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "digest/sha256.h"
#include "format/member_name.h"
#include "run/rank_streams.h"
#include "save/save.h"

/* Ranks that a name has room for: shard-NNN. */
#define MOST_RANKS 1000

/* What stands for the stream of another rank. */
struct told {
    void *bytes; /* owned */
    size_t size;
    size_t room;
    uint64_t words; /* that it has drawn */
};

struct snap_rank_streams {
    struct snap_rank_streams *next;
    const struct snap_stream_ops *ops; /* of the caller's own */
    void *arg;
    struct told *told; /* world of them; the own one is not used */
    void *all;         /* what was gathered */
    size_t all_room;
    size_t *begins;  /* world + 1 */
    int64_t *sizes;  /* world pairs: bytes, words drawn */
};

static enum snap_status get_told(void *arg, void **bytes, size_t *size, struct snap_error *err)
{
    const struct told *told = arg;
    void *copy = malloc(told->size > 0 ? told->size : 1);
    if (copy == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "stream of another rank: out of memory");
    if (told->size > 0)
        memcpy(copy, told->bytes, told->size);
    *bytes = copy;
    *size = told->size;
    return SNAP_OK;
}

static bool get_room(void **bytes, size_t *room, size_t size)
{
    if (size <= *room)
        return true;
    void *grown = realloc(*bytes, size);
    if (grown == NULL)
        return false;
    *bytes = grown;
    *room = size;
    return true;
}

static enum snap_status set_told(void *arg, const void *bytes, size_t size, struct snap_error *err)
{
    struct told *told = arg;
    if (!get_room(&told->bytes, &told->room, size))
        return snap_error_set(err, SNAP_NO_MEMORY, "stream of another rank: out of memory");
    if (size > 0)
        memcpy(told->bytes, bytes, size);
    told->size = size;
    return SNAP_OK;
}

static uint64_t words_told(void *arg)
{
    return ((const struct told *)arg)->words;
}

static const struct snap_stream_ops told_ops = { .size_bytes = sizeof told_ops,
                                                 .get = get_told,
                                                 .set = set_told };
static const struct snap_stream_ops counting_told_ops = { .size_bytes = sizeof told_ops,
                                                          .get = get_told,
                                                          .set = set_told,
                                                          .words_drawn = words_told };

static void release(struct snap_rank_streams *streams, int world)
{
    for (int rank = 0; streams->told != NULL && rank < world; rank++)
        free(streams->told[rank].bytes);
    free(streams->told);
    free(streams->all);
    free(streams->begins);
    free(streams->sizes);
    free(streams);
}

void snap_rank_streams_release(struct snap_run *run)
{
    while (run->rank_streams != NULL) {
        struct snap_rank_streams *next = run->rank_streams->next;
        release(run->rank_streams, snap_group_world(run->group));
        run->rank_streams = next;
    }
}

enum snap_status snap_run_add_rank_stream(struct snap_run *run, const char *name, const char *kind,
                                          const struct snap_stream_ops *ops, void *arg,
                                          struct snap_error *err)
{
    int world = snap_group_world(run != NULL ? run->group : NULL);
    int own = snap_group_rank(run != NULL ? run->group : NULL);
    enum snap_status status = SNAP_OK;
    if (run == NULL || name == NULL || ops == NULL || strchr(name, '/') != NULL ||
        world > MOST_RANKS)
        return snap_error_set(err, SNAP_INVALID,
                              "stream of each rank: register: no run, name or ops, a name that is "
                              "not a word, or more than %d ranks", MOST_RANKS);
    struct snap_rank_streams *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->ops = ops;
        made->arg = arg;
        made->told = calloc((size_t)world, sizeof *made->told);
        made->begins = calloc((size_t)world + 1, sizeof *made->begins);
        made->sizes = calloc(2 * (size_t)world, sizeof *made->sizes);
    }
    if (made == NULL || made->told == NULL || made->begins == NULL || made->sizes == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "stream %.100s: register: out of memory",
                                name);
    for (int rank = 0; status == SNAP_OK && rank < world; rank++) {
        snap_member_name full;
        snprintf(full, sizeof full, "shard-%03d/%s", rank, name);
        if (rank == own)
            status = snap_run_add_stream(run, full, kind, ops, arg, err);
        else
            status = snap_run_add_stream(run, full, kind,
                                         ops->words_drawn != NULL ? &counting_told_ops : &told_ops,
                                         &made->told[rank], err);
    }
    /* What is registered looks into it until the run is closed. */
    if (made != NULL && made->told != NULL) {
        made->next = run->rank_streams;
        run->rank_streams = made;
    } else if (made != NULL) {
        release(made, world);
    }
    return status;
}

/* ---- telling each other ---- */

/* Room for what all will tell; then only messages are left. */
static enum snap_status prepare(struct snap_rank_streams *streams, int world, int own,
                                struct snap_error *err)
{
    bool room = true;
    for (int rank = 0; rank < world; rank++) {
        size_t size = (size_t)streams->sizes[2 * rank];
        streams->begins[rank + 1] = streams->begins[rank] + size;
        room = room && (rank == own || get_room(&streams->told[rank].bytes,
                                                &streams->told[rank].room, size));
    }
    room = room && get_room(&streams->all, &streams->all_room, streams->begins[world] + 1);
    return room ? SNAP_OK
                : snap_error_set(err, SNAP_NO_MEMORY, "streams of the ranks: out of memory");
}

static enum snap_status share(struct snap_group *group, struct snap_rank_streams *streams,
                              struct snap_error *err)
{
    int world = snap_group_world(group);
    int own = snap_group_rank(group);
    void *bytes = NULL;
    size_t size = 0;
    int64_t mine[2] = { 0, 0 };
    enum snap_status status =
        snap_group_agree(group, streams->ops->get(streams->arg, &bytes, &size, err), err);
    mine[0] = (int64_t)size;
    if (streams->ops->words_drawn != NULL)
        mine[1] = (int64_t)streams->ops->words_drawn(streams->arg);
    if (status == SNAP_OK)
        status = snap_group_gather(group, mine, sizeof mine, streams->sizes, err);
    if (status == SNAP_OK)
        status = snap_group_agree(group, prepare(streams, world, own, err), err);
    if (status == SNAP_OK) {
        if (size > 0)
            memcpy((char *)streams->all + streams->begins[own], bytes, size);
        status = snap_group_gather_parts(group, streams->all, streams->begins, err);
    }
    for (int rank = 0; status == SNAP_OK && rank < world; rank++) {
        struct told *told = &streams->told[rank];
        if (rank == own)
            continue;
        told->words = (uint64_t)streams->sizes[2 * rank + 1];
        status = set_told(told, (char *)streams->all + streams->begins[rank],
                          (size_t)streams->sizes[2 * rank], err); /* there is room */
    }
    free(bytes);
    return status;
}

enum snap_status snap_rank_streams_share(struct snap_run *run, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (snap_group_world(run->group) == 1)
        return SNAP_OK;
    for (struct snap_rank_streams *streams = run->rank_streams;
         status == SNAP_OK && streams != NULL; streams = streams->next)
        status = share(run->group, streams, err);
    return status;
}

/* ---- before a save ---- */

static bool is_of_rank(const struct snap_inventory_stream *stream)
{
    return strncmp(stream->name, "shard-", 6) == 0 && strchr(stream->name, '/') != NULL;
}

/* Names and kinds of all streams, in the order of registration. */
static enum snap_status digest_names(const struct snap_inventory *inventory,
                                     unsigned char digest[SNAP_DIGEST_BYTES],
                                     struct snap_error *err)
{
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    enum snap_status status = snap_sha256_begin(&context, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++) {
        const struct snap_inventory_stream *stream = &inventory->streams[i];
        status = snap_sha256_update(&context, stream->name, strlen(stream->name) + 1, err);
        if (status == SNAP_OK)
            status = snap_sha256_update(&context, stream->kind, strlen(stream->kind) + 1, err);
    }
    if (status == SNAP_OK)
        status = snap_sha256_finish(&context, digest, err);
    snap_sha256_release(&context);
    return status;
}

/* What must be the same on all ranks, but for the streams. */
struct common {
    unsigned char names[SNAP_DIGEST_BYTES];
    struct snap_chain_heads heads;
};

static enum snap_status check_common(struct snap_run *run, struct snap_error *err)
{
    struct common mine;
    memset(&mine, 0, sizeof mine);
    mine.heads = run->heads;
    enum snap_status status = digest_names(&run->inventory, mine.names, err);
    status = snap_group_agree(run->group, status, err);
    struct common first = mine;
    if (status == SNAP_OK)
        status = snap_group_broadcast(run->group, &first, sizeof first, 0, err);
    if (status != SNAP_OK)
        return status;
    if (memcmp(first.names, mine.names, sizeof mine.names) != 0)
        status = snap_error_set(err, SNAP_DIFFERS,
                                "streams: this rank has registered others than rank 0");
    else if (memcmp(&first.heads, &mine.heads, sizeof mine.heads) != 0)
        status = snap_error_set(err, SNAP_DIFFERS,
                                "ledger: this rank has another chain than rank 0: the ranks have "
                                "parted at or before this step");
    return snap_group_agree(run->group, status, err);
}

/* The first of the streams that all share that is another one here than on rank 0. */
static enum snap_status check_shared(struct snap_run *run, const struct snap_state_image *image,
                                     struct snap_error *err)
{
    const struct snap_inventory *inventory = &run->inventory;
    size_t count = inventory->stream_count;
    unsigned char(*mine)[SNAP_DIGEST_BYTES] = calloc(2 * count + 1, sizeof *mine);
    unsigned char(*first)[SNAP_DIGEST_BYTES] = mine == NULL ? NULL : mine + count;
    enum snap_status status = SNAP_OK;
    if (mine == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "streams: compare: out of memory");
    for (size_t i = 0; status == SNAP_OK && i < count; i++)
        if (!is_of_rank(&inventory->streams[i]))
            status = snap_sha256(image->streams[i].data, (size_t)image->streams[i].size, mine[i],
                                 err);
    status = snap_group_agree(run->group, status, err);
    if (status == SNAP_OK) {
        memcpy(first, mine, count * sizeof *mine);
        status = snap_group_broadcast(run->group, first, count * sizeof *first, 0, err);
        for (size_t i = 0; status == SNAP_OK && i < count; i++)
            if (memcmp(mine[i], first[i], sizeof mine[i]) != 0)
                status = snap_error_set(err, SNAP_DIFFERS,
                                        "stream %s: its state here is not that of rank 0, and all "
                                        "ranks share it: one has drawn more, or was seeded "
                                        "otherwise; a stream that each rank has of its own is "
                                        "registered as such", inventory->streams[i].name);
        status = snap_group_agree(run->group, status, err);
    }
    free(mine);
    return status;
}

/* The own stream of a name against those of the ranks before: two that are equal draw the same
 * numbers. */
static enum snap_status check_own(const struct snap_run *run, const struct snap_state_image *image,
                                  struct snap_error *err)
{
    const struct snap_inventory *inventory = &run->inventory;
    char folder[16];
    snprintf(folder, sizeof folder, "shard-%03d/", snap_group_rank(run->group));
    for (size_t i = 0; i < inventory->stream_count; i++) {
        const struct snap_inventory_stream *own = &inventory->streams[i];
        if (strncmp(own->name, folder, strlen(folder)) != 0)
            continue;
        for (size_t k = 0; k < inventory->stream_count; k++) {
            const struct snap_inventory_stream *other = &inventory->streams[k];
            if (!is_of_rank(other) || strcmp(strchr(other->name, '/'), own->name + 9) != 0 ||
                strcmp(other->name, own->name) >= 0 ||
                image->streams[i].size != image->streams[k].size ||
                memcmp(image->streams[i].data, image->streams[k].data,
                       (size_t)image->streams[i].size) != 0)
                continue;
            return snap_error_set(err, SNAP_DIFFERS,
                                  "stream %s: has the state of %s, and each rank is to have one of "
                                  "its own: both draw the same numbers: seed it by rank",
                                  own->name, other->name);
        }
    }
    return SNAP_OK;
}

enum snap_status snap_rank_streams_check(struct snap_run *run, const struct snap_save_job *job,
                                         struct snap_error *err)
{
    if (snap_group_world(run->group) == 1)
        return SNAP_OK;
    enum snap_status status = check_common(run, err);
    if (status == SNAP_OK)
        status = check_shared(run, &job->image, err);
    if (status == SNAP_OK)
        status = snap_group_agree(run->group, check_own(run, &job->image, err), err);
    return status;
}
