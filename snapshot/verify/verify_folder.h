/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks of a run folder found, for whoever mends it. */
#ifndef SNAP_VERIFY_FOLDER_H
#define SNAP_VERIFY_FOLDER_H

#include <stdbool.h>

#include "folder/run_folder.h"
#include "verify/verdict.h"

struct snap_folder_findings {
    bool latest_is_broken; /* or missing, where it should be */
    /* The newest snapshot that is intact, complete and on the ledger's chain; "": none is. */
    char newest[SNAP_SNAPSHOT_NAME_BYTES];
    char newest_hash[SNAP_HASH_TEXT_BYTES];
    bool unreadable; /* one could not be read, so that whether it is intact is not known */
};

/* All checks of a run folder, into `verdict`. With `findings` (NULL: not wanted, as snap_verify_run
 * has it) stubs and a run that has not begun are as they should be. */
enum snap_status snap_verify_folder(struct snap_store *store, const char *dir,
                                    const struct snap_verify_options *options,
                                    struct snap_folder_findings *findings,
                                    struct snap_verdict *verdict, struct snap_error *err);

#endif
