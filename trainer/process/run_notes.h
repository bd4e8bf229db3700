/* SPDX-License-Identifier: Apache-2.0 */
/* What events.jsonl tells of a run: what was saved, restored, and how it ended last. */
#ifndef TRN_RUN_NOTES_H
#define TRN_RUN_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

/* A snapshot or a capsule that became durable, or a restore. */
struct trn_run_note {
    enum trn_note_kind { TRN_NOTE_SAVE, TRN_NOTE_FAILURE, TRN_NOTE_RESTORE } kind;
    uint64_t step;
    char hash[SNAP_HASH_TEXT_BYTES]; /* "snap1:..." */
    char detail[64];                 /* the file; of a restore the tier */
    char time[32];                   /* UTC */
};

struct trn_run_notes {
    struct trn_run_note *notes; /* in the order of the file; owned */
    size_t count;
    uint64_t held_out;  /* labels that an evaluation counts; 0: not known */
    bool ended;         /* the last training said how it ended */
    char end_reason[16]; /* "done", "signal", "nonfinite", "error" */
    uint64_t end_step;
};

/* Read dir/events.jsonl; without one *notes is empty. Lines that are no events, as a kill may leave
 * them, are left out. Release after SNAP_OK. */
enum snap_status trn_run_notes_read(const char *dir, struct trn_run_notes *notes,
                                    struct snap_error *err);
void trn_run_notes_release(struct trn_run_notes *notes);

#endif
