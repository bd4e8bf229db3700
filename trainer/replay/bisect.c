/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>

#include "process/run_paths.h"
#include "replay/bisect_parts.h"

void trn_bisect_result_release(struct trn_bisect_result *result)
{
    free(result->keys);
    *result = (struct trn_bisect_result)TRN_BISECT_RESULT_INIT;
}

static bool is_equal(const struct trn_bisect_search *search)
{
    return search->same_config && !search->result->has_line &&
           !search->result->has_different_snapshot;
}

enum snap_status trn_bisect(const struct trn_bisect_options *options,
                            struct trn_bisect_result *result, struct snap_error *err)
{
    struct trn_bisect_search search = { .options = options,
                                        .result = result,
                                        .dirs = { options->left, options->right } };
    enum trn_bisect_made made = TRN_MADE_NOTHING;
    enum snap_status status = trn_bisect_ledgers(&search, err);
    if (status == SNAP_OK)
        status = trn_bisect_snapshots(&search, err);
    if (status == SNAP_OK && !is_equal(&search)) {
        status = trn_bisect_replay(&search, &made, err);
        if (status == SNAP_OK) {
            trn_bisect_tell(&search, made);
            status = snap_error_set(err, SNAP_DIFFERS, "bisect: %s", result->first);
        }
    }
    trn_bisect_search_release(&search);
    return status;
}
