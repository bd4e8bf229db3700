/* SPDX-License-Identifier: Apache-2.0 */
/* The two files of a run that lie beside its archives, config.json and ledger.jsonl: read whole,
 * checked, and carried between a run folder and a store. */
#ifndef SNAP_STORED_RUN_H
#define SNAP_STORED_RUN_H

#include <stdbool.h>

#include <jansson.h>

#include "core/buffer.h"
#include "format/archive_read.h"
#include "ledger/ledger_line.h"
#include "store/store_ops.h"

#define SNAP_CONFIG_FILE "config.json"

struct snap_stored_run {
    json_t *config;                 /* NULL: there is none */
    struct snap_buffer config_text; /* canonical */
    struct snap_ledger *ledger;     /* NULL: there is none, or it has no whole line */
    struct snap_buffer ledger_text; /* its whole lines: what is torn at its end is left out */
};
#define SNAP_STORED_RUN_INIT { .config = NULL }

/* Read both, but for what `known` (NULL: nothing) has; one that is not there is none. SNAP_CORRUPT:
 * longer than they may be (SNAP_MAX_CONFIG_BYTES, SNAP_MAX_LEDGER_FILE_BYTES), no canonical JSON, a
 * ledger that is off its chain, or a config whose training part is not that of the genesis line
 * beside it. To be released on success. */
enum snap_status snap_stored_run_read(struct snap_store *store,
                                      const struct snap_stored_run *known,
                                      struct snap_stored_run *run, struct snap_error *err);
void snap_stored_run_release(struct snap_stored_run *run);

/* The run that the ledger is of; "": there is no ledger. */
void snap_stored_run_id(const struct snap_stored_run *run, char run_id[SNAP_RUN_ID_DIGITS + 1]);

/* Do the files belong to the archive? The training part of the config is the archive's, the ledger
 * is of its run, and where it reaches the archive's step its heads there are the archive's. One
 * that ends before is of an older push: a restore builds it on. `where` has the files, for
 * messages. SNAP_CORRUPT, SNAP_DIFFERS. */
enum snap_status snap_stored_run_check(const struct snap_stored_run *run, const char *where,
                                       const struct snap_archive *archive,
                                       struct snap_error *err);

/* Put the ledger into the store, whose lines must be the first of it, but for those that no archive
 * there reaches: of the others there are never fewer after. *newer: the store has these lines and
 * more, and is left as it is. *exclusive: as of snap_store_update. SNAP_DIFFERS: the store's ledger
 * has other lines. */
enum snap_status snap_stored_ledger_put(struct snap_store *store,
                                        const struct snap_stored_run *run, bool *newer,
                                        bool *exclusive, struct snap_error *err);

#endif
