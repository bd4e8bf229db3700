/* SPDX-License-Identifier: Apache-2.0 */
/* One file that several processes write: which tensors are whose. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/archive_plan.h"
#include "format/member_name.h"

/* The member whose data the segment is, when it is a tensor's. */
static const struct snap_write_member *tensor_of(const struct snap_archive_plan *plan,
                                                 const struct snap_segment *segment)
{
    enum snap_member_kind kind = SNAP_MEMBER_README;
    if (segment->sha256 == NULL)
        return NULL;
    size_t index = (size_t)(segment->sha256 - plan->written[0]) / SNAP_DIGEST_BYTES;
    snap_member_kind_of(plan->members[index].name, &kind); /* legal: order_members has looked */
    return kind == SNAP_MEMBER_TENSOR ? &plan->members[index] : NULL;
}

enum snap_status snap_archive_plan_share(struct snap_archive_plan *plan, unsigned writers,
                                         struct snap_archive_part **parts, size_t *count,
                                         struct snap_error *err)
{
    struct snap_archive_part *made = calloc(plan->member_count, sizeof *made);
    uint64_t bytes = 0;
    uint64_t before = 0;
    size_t used = 0;
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "archive: out of memory");
    for (size_t i = 0; i < plan->first_count; i++)
        if (tensor_of(plan, &plan->segments[i]) != NULL)
            bytes += plan->segments[i].size_bytes;
    for (size_t i = 0; i < plan->first_count; i++) {
        struct snap_segment *segment = &plan->segments[i];
        const struct snap_write_member *member = tensor_of(plan, segment);
        if (member == NULL)
            continue;
        /* The writer of its first byte; all sizes are at most 2^44, and writers have 17 bits. */
        uint32_t writer = bytes == 0 ? 0 : (uint32_t)(before * writers / bytes);
        before += segment->size_bytes;
        segment->elsewhere = writer > 0 && segment->size_bytes > 0;
        if (!segment->elsewhere)
            continue;
        snprintf(made[used].name, sizeof made[used].name, "%s", member->name);
        made[used].writer = writer;
        made[used].offset = segment->offset;
        made[used++].size = segment->size_bytes;
    }
    *parts = made;
    *count = used;
    return SNAP_OK;
}

void snap_archive_plan_shared(struct snap_archive_plan *plan,
                              unsigned char (*digests)[SNAP_DIGEST_BYTES])
{
    size_t next = 0;
    for (size_t i = 0; i < plan->first_count; i++)
        if (plan->segments[i].elsewhere)
            memcpy(plan->segments[i].sha256, digests[next++], SNAP_DIGEST_BYTES);
}
