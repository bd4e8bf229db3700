/* SPDX-License-Identifier: Apache-2.0 */
/* One process alone: what every group must behave like with a world of 1. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "group/group_ops.h"

static enum snap_status broadcast(struct snap_group *group, void *data, size_t size_bytes, int root,
                                  struct snap_error *err)
{
    (void)group;
    (void)data;
    (void)size_bytes;
    (void)root;
    (void)err;
    return SNAP_OK;
}

static enum snap_status gather_parts(struct snap_group *group, void *data, const size_t *begins,
                                     struct snap_error *err)
{
    (void)group;
    (void)data;
    (void)begins;
    (void)err;
    return SNAP_OK;
}

static enum snap_status all_to_all(struct snap_group *group, const void *send,
                                   const size_t *send_begins, void *receive,
                                   const size_t *receive_begins, struct snap_error *err)
{
    (void)group;
    (void)err;
    memcpy((char *)receive + receive_begins[0], (const char *)send + send_begins[0],
           send_begins[1] - send_begins[0]);
    return SNAP_OK;
}

static void close_group(struct snap_group *group)
{
    free(group);
}

static const struct snap_group_ops single_ops = {
    .kind = "single",
    .broadcast = broadcast,
    .gather_parts = gather_parts,
    .all_to_all = all_to_all,
    .close = close_group,
};

enum snap_status snap_group_single_open(struct snap_group **group, struct snap_error *err)
{
    struct snap_group *made = calloc(1, sizeof *made);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "group: open: out of memory");
    *made = (struct snap_group){ .ops = &single_ops, .world = 1, .local_world = 1 };
    *group = made;
    return SNAP_OK;
}
