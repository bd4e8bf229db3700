/* SPDX-License-Identifier: Apache-2.0 */
/* The curves of a run: the numbers of its ledger, read in one pass with a line in memory at a time,
 * or from an index of an earlier pass.
 *
 * This reads and does not check: a chain that was forged is found by snap_verify. An index is a
 * cache beside the ledger that may be deleted, and that nothing else reads. It is taken when it
 * ends at a line that the ledger still has at that place; lines behind it are read. */
#ifndef TRN_RUN_METRICS_H
#define TRN_RUN_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <snapstate/status.h>

/* Names of series are cut to so many bytes, their terminator counted. */
#define TRN_SERIES_NAME_SIZE 64
/* Series of a run at most: a ledger has a handful, and a line could name thousands. */
#define TRN_SERIES_MOST 64

/* One scalar of the ledger. */
struct trn_series {
    char name[TRN_SERIES_NAME_SIZE]; /* "loss", "grad_norm", "eval_correct", "lr" */
    size_t count;
    size_t capacity;
    uint64_t *steps; /* `count`, ascending; owned */
    double *values;  /* `count`, exactly what the ledger has; owned */
};

#define TRN_CHAIN_TEXT 65 /* 64 hex digits and a terminator */

struct trn_metrics {
    uint64_t last_step;           /* of the last line; of the genesis line when it is alone */
    char genesis[TRN_CHAIN_TEXT]; /* the chain of the genesis line */
    char chain[TRN_CHAIN_TEXT];   /* the chain of the last line: the digits of the run hash */
    struct trn_series series[TRN_SERIES_MOST];
    size_t series_count;
    bool from_index; /* an index was taken */
    uint64_t lines;
    /* What the index is bound to. */
    off_t covered;   /* bytes of whole lines */
    off_t last_line; /* where the last one begins */
};

/* Read the ledger of the run in the folder `dir`: every scalar of the float part, and `lr`. A torn
 * last line is left out. `use_index`: take dir/metrics.index, and write it anew when lines were
 * read that it does not have; a folder that cannot be written to is no failure. SNAP_NOT_FOUND:
 * there is no ledger; SNAP_CORRUPT: a line is none of a ledger. Release after SNAP_OK. */
enum snap_status trn_metrics_read(const char *dir, bool use_index, struct trn_metrics **metrics,
                                  struct snap_error *err);
void trn_metrics_free(struct trn_metrics *metrics); /* NULL is fine */

/* The series of that name; NULL: there is none. Borrowed. */
const struct trn_series *trn_metrics_find(const struct trn_metrics *metrics, const char *name);

/* Add `eval_accuracy`: `eval_correct` as a share of `held_out` labels (0: not known, nothing is
 * added). */
enum snap_status trn_metrics_add_accuracy(struct trn_metrics *metrics, uint64_t held_out,
                                          struct snap_error *err);

/* ---- between the files of this part ---- */

/* Take a line, its newline left out, into `metrics`. False: it is none of a ledger, or memory is
 * out (*no_memory). */
bool trn_metrics_take_line(struct trn_metrics *metrics, const char *line, size_t size,
                           bool *no_memory);
/* Add a value at the end of a series, which is made when it is new. False: no memory. */
bool trn_metrics_add(struct trn_metrics *metrics, const char *name, size_t name_size,
                     uint64_t step, double value);

/* Fill `metrics`, which is empty, from an index file; false, and still empty: it is not there, or
 * is damaged, or of another ledger. */
bool trn_metrics_load(struct trn_metrics *metrics, const char *index, int ledger_fd);
/* Write an index file in place of the old one; what goes wrong leaves none or the old one. */
void trn_metrics_store(const struct trn_metrics *metrics, const char *index, int ledger_fd);

#endif
