/* SPDX-License-Identifier: Apache-2.0 */
/* A run on several ranks: rank 0 has the folder and leads, the others have the same state and
 * follow, in memory. */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/rank_streams.h"

bool snap_run_follows(const struct snap_run *run)
{
    return snap_group_rank(run->group) > 0;
}

/* ---- heads ---- */

struct shared_heads {
    struct snap_chain_heads heads;
    char run_id[SNAP_RUN_ID_DIGITS + 1];
    bool anew; /* a run that begins from another's archive: the followers restored that one */
};

enum snap_status snap_run_share_heads(struct snap_run *run, enum snap_status status,
                                      struct snap_error *err)
{
    struct shared_heads shared = { .anew = run->genesis_parent != NULL };
    if (snap_group_world(run->group) == 1)
        return status;
    status = snap_group_agree(run->group, status, err);
    if (status == SNAP_OK && !snap_run_follows(run)) {
        shared.heads = run->heads;
        memcpy(shared.run_id, run->run_id, sizeof shared.run_id);
    }
    if (status == SNAP_OK)
        status = snap_group_broadcast(run->group, &shared, sizeof shared, 0, err);
    if (status != SNAP_OK)
        return status;
    if (!shared.anew && memcmp(&shared.heads, &run->heads, sizeof shared.heads) != 0)
        status = snap_error_set(err, SNAP_DIFFERS,
                                "run: begin: this rank came to another chain than rank 0: its "
                                "config, data or first state is another one");
    status = snap_group_agree(run->group, status, err);
    if (status != SNAP_OK)
        return status;
    run->heads = shared.heads;
    memcpy(run->run_id, shared.run_id, sizeof run->run_id);
    run->heads_shared = true;
    return SNAP_OK;
}

/* ---- requests ---- */

void snap_run_share_asked(struct snap_run *run, struct snap_asked *asked)
{
    bool leads = !snap_run_follows(run);
    int64_t shared[] = { asked->wanted, leads && asked->saving, leads && asked->saved,
                         leads && asked->full };
    /* Ranks that cannot speak any more find that out at the next step, where it can be told. */
    if (snap_group_world(run->group) == 1 ||
        snap_group_max(run->group, shared, sizeof shared / sizeof shared[0], NULL) != SNAP_OK)
        return;
    *asked = (struct snap_asked){ (int32_t)shared[0], shared[1] != 0, shared[2] != 0,
                                  shared[3] != 0 };
    snap_run_request(run, (enum snap_wanted)asked->wanted);
}

/* ---- restore ---- */

/* What rank 0 restored from. */
struct found {
    bool fresh; /* nothing: the run is a fresh one */
    char path[PATH_MAX];
};

static enum snap_status restore_and_lead(struct snap_run *run, enum snap_tier require,
                                         struct snap_receipt **receipt, struct found *found,
                                         struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_run_source(run, found->path, sizeof found->path, &cause);
    if (status == SNAP_OK || status == SNAP_NOT_FOUND)
        status = snap_restore_here(run, require, receipt, &cause);
    found->fresh = status == SNAP_NOT_FOUND;
    if (found->fresh)
        return SNAP_OK;
    if (status != SNAP_OK && err != NULL)
        *err = cause;
    return status;
}

static enum snap_status restore_and_follow(struct snap_run *run, enum snap_tier require,
                                           const struct found *found, struct snap_error *err)
{
    if (found->fresh) {
        run->restore_called = true;
        return snap_run_freeze(run, err);
    }
    free(run->archive_path);
    run->archive_path = strdup(found->path);
    if (run->archive_path == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "restore: out of memory");
    return snap_restore_here(run, require, NULL, err);
}

enum snap_status snap_restore_together(struct snap_run *run, enum snap_tier require,
                                       struct snap_receipt **receipt, struct snap_error *err)
{
    struct found found = { .fresh = false };
    bool follows = snap_run_follows(run);
    snap_group_go_on(run->group); /* a restore that was refused before is over */
    enum snap_status status = snap_rank_streams_share(run, err);
    if (status != SNAP_OK)
        return status;
    if (!follows)
        status = restore_and_lead(run, require, receipt, &found, err);
    status = snap_group_agree(run->group, status, err);
    if (status == SNAP_OK)
        status = snap_group_broadcast(run->group, &found, sizeof found, 0, err);
    if (status != SNAP_OK)
        return status;
    if (follows)
        status = restore_and_follow(run, require, &found, err);
    status = snap_group_agree(run->group, status, err);
    if (status == SNAP_OK && found.fresh)
        return snap_error_set(err, SNAP_NOT_FOUND, "%s: has no snapshot yet",
                              snap_run_label(run));
    return status;
}
