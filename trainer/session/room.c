/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/room.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "process/run_paths.h"

/* For the size of an archive that was never written: headers and padding of a member, all that
 * is neither tensor nor ledger, and a ledger line. */
enum { MEMBER_BYTES = 1024, OTHER_BYTES = 64 * 1024, LINE_BYTES = 1024 };

static uint64_t saturating_sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t saturating_product(uint64_t a, uint64_t b)
{
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

/* What an archive of this training will take. */
static uint64_t estimate(const struct trn_training *t)
{
    uint64_t size = OTHER_BYTES + saturating_product(LINE_BYTES, trn_batch_order_steps(&t->order));
    const struct trn_tensor *lists[] = { trn_model_tensors(t->model),
                                         trn_optimizer_tensors(t->optimizer) };
    const size_t counts[] = { trn_model_tensor_count(t->model),
                              trn_optimizer_tensor_count(t->optimizer) };
    /* In a volume a member has its name in a list, too, and perhaps an end of its own. */
    uint64_t member = t->config.volume_size > 0 ? 3 * MEMBER_BYTES : MEMBER_BYTES;
    for (size_t list = 0; list < 2; list++)
        for (size_t i = 0; i < counts[list]; i++)
            size += member + lists[list][i].count * trn_dtype_size(lists[list][i].dtype);
    return size;
}

static void count_snapshots(const struct trn_training *t, uint64_t done, uint64_t last,
                            struct trn_room *room)
{
    const struct snap_keep *keep = &t->config.keep;
    room->every = t->config.has_every ? t->config.every : trn_batch_order_steps(&t->order);
    if (done >= last)
        return;
    room->snapshots = 1; /* at the end */
    if (room->every > 0)
        room->snapshots += (last - 1) / room->every - done / room->every;
    room->kept = room->snapshots;
    if (!t->config.has_keep)
        return;
    /* The new one is there before an old one goes; what a thin one leans on stays, and what waits
     * for its certificate: one, as a rule. */
    uint64_t kept = keep->last + 1 + (keep->best != NULL) + (t->config.thin > 0) +
                    t->config.certify + keep->step_count;
    if (keep->every > 0)
        kept += last / keep->every - done / keep->every;
    if (kept < room->kept)
        room->kept = kept;
}

/* The nearest folder above `dir` that is there. */
static bool space_for(const char *dir, uint64_t *bytes_free)
{
    char path[TRN_PATH_SIZE];
    struct statvfs info;
    snprintf(path, sizeof(path), "%s", dir);
    while (statvfs(path, &info) != 0) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || (slash == NULL && strcmp(path, ".") == 0))
            return false;
        if (slash == NULL)
            snprintf(path, sizeof(path), ".");
        else
            slash[slash == path ? 1 : 0] = '\0';
    }
    *bytes_free = saturating_product(info.f_bavail, info.f_frsize);
    return info.f_blocks > 0; /* else it is no disk, and says nothing of room */
}

void trn_room_look(const struct trn_training *training, const char *dir, uint64_t done,
                   uint64_t last, uint64_t snapshot_bytes, struct trn_room *room)
{
    *room = (struct trn_room){ .snapshot_bytes = snapshot_bytes > 0 ? snapshot_bytes
                                                                    : estimate(training) };
    count_snapshots(training, done, last, room);
    uint64_t lines = saturating_product(LINE_BYTES, last > done ? last - done : 0);
    uint64_t stubs = saturating_product(OTHER_BYTES, room->snapshots - room->kept);
    if (stubs > 0)
        stubs = saturating_sum(stubs, lines);
    room->bytes_needed = saturating_sum(saturating_product(room->snapshot_bytes, room->kept),
                                        saturating_sum(stubs, lines));
    room->next_needed =
        saturating_product(room->snapshot_bytes, room->snapshots < 2 ? room->snapshots : 2);
    room->has_free = space_for(dir, &room->bytes_free);
}

enum snap_status trn_room_check(const struct trn_training *training, const char *dir, uint64_t done,
                                uint64_t last, struct snap_error *err)
{
    struct trn_room room;
    trn_room_look(training, dir, done, last, 0, &room);
    if (!room.has_free || room.next_needed <= room.bytes_free)
        return SNAP_OK;
    return snap_error_set(err, SNAP_IO,
                          "%s: train there: the next snapshots need %" PRIu64
                          " bytes on this disk and %" PRIu64
                          " are free: make room, or name a folder elsewhere",
                          dir, room.next_needed, room.bytes_free);
}
