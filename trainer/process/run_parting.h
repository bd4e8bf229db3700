/* SPDX-License-Identifier: Apache-2.0 */
/* Where two runs part: the first lines of their ledgers that say something else, found in one pass
 * with a line of each in memory. */
#ifndef TRN_RUN_PARTING_H
#define TRN_RUN_PARTING_H

#include <stdbool.h>
#include <stdint.h>

#include <snapstate/ledger.h>
#include <snapstate/status.h>

struct trn_parting {
    bool begin_apart; /* the genesis lines differ, and how: other seeds, other data */
    struct snap_ledger_difference genesis;
    bool part;        /* the lines of a step differ, their chains left aside */
    struct snap_ledger_difference step;
    uint64_t steps_equal; /* steps of both before that which are equal */
};

/* Compare the ledgers in two run folders over the steps that both have. As trn_metrics_read fails;
 * SNAP_CORRUPT: the lines that differ are none of a ledger. */
enum snap_status trn_runs_part(const char *left_dir, const char *right_dir,
                               struct trn_parting *parting, struct snap_error *err);

#endif
