/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a ledger: the chain of a run's steps (docs/format.md, "The ledger"). */
#ifndef SNAPSTATE_LEDGER_H
#define SNAPSTATE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A ledger in memory; every line has been parsed, is canonical, and its two chain values follow
 * from the line before. */
struct snap_ledger;

/* Read a file. A torn last line (no newline, or cut inside a line) is left out and
 * *torn_bytes (NULL: not wanted) says how many bytes that were. SNAP_NOT_FOUND: no such file;
 * SNAP_CORRUPT: a line that is not canonical, not of this grammar, out of step order, or off the
 * chain (the text names line, step and field). Owned by the caller. */
enum snap_status snap_ledger_open(const char *path, struct snap_ledger **ledger,
                                  uint64_t *torn_bytes, struct snap_error *err);
/* The same from bytes: lines that start with a genesis line. Nothing may be torn. `what` names
 * the bytes in messages. */
enum snap_status snap_ledger_decode(const void *bytes, size_t size_bytes, const char *what,
                                    struct snap_ledger **ledger, struct snap_error *err);
void snap_ledger_free(struct snap_ledger *ledger);

/* Lines: 0 is the genesis line; its step is the parent's step or 0. */
size_t snap_ledger_line_count(const struct snap_ledger *ledger);
uint64_t snap_ledger_first_step(const struct snap_ledger *ledger);
/* Step of the last line (first_step when there is only the genesis line). */
uint64_t snap_ledger_last_step(const struct snap_ledger *ledger);
/* The text of a line, newline included, terminated; borrowed until free. */
const char *snap_ledger_line(const struct snap_ledger *ledger, size_t index, size_t *size_bytes);
/* Chain heads after line `index`, as 64 hex digits; borrowed. */
const char *snap_ledger_chain(const struct snap_ledger *ledger, size_t index);
const char *snap_ledger_host_chain(const struct snap_ledger *ledger, size_t index);
/* The index of the line of `step`; false when it has none. */
bool snap_ledger_find(const struct snap_ledger *ledger, uint64_t step, size_t *index);

/* What differs first between two lines. `kind` is one of "genesis", "data", "order", "batch",
 * "schedule", "stream", "output", "loss", "gradient", "state", "evaluation", "other", in the order
 * in which a step makes them. A tensor's field is "float.tensors: output conv1". */
struct snap_ledger_difference {
    size_t size_bytes; /* sizeof(struct snap_ledger_difference) */
    uint64_t step;
    char kind[16];
    char field[160]; /* "float.scalars.loss" */
    char left[160];  /* the values, cut to fit; "absent" */
    char right[160];
};
#define SNAP_LEDGER_DIFFERENCE_INIT { .size_bytes = sizeof(struct snap_ledger_difference) }

/* Compare two lines of the same step (chain fields left out). SNAP_OK: equal; SNAP_DIFFERS with
 * *difference filled. */
enum snap_status snap_ledger_compare_lines(const char *left, const char *right,
                                           struct snap_ledger_difference *difference,
                                           struct snap_error *err);
/* Compare two ledgers over the steps that both have (genesis first). SNAP_DIFFERS: the first
 * difference. *steps_compared (NULL: not wanted). */
enum snap_status snap_ledger_compare(const struct snap_ledger *left,
                                     const struct snap_ledger *right, uint64_t *steps_compared,
                                     struct snap_ledger_difference *difference,
                                     struct snap_error *err);

/* How far the floats of lines are from those recorded, where a profile does not promise them. */
struct snap_float_deviation {
    size_t size_bytes;        /* sizeof(struct snap_float_deviation) */
    uint64_t lines;           /* compared: their host parts and host chains were equal */
    uint64_t numbers;         /* float.scalars in them */
    uint64_t numbers_unequal; /* of these, other bits */
    uint64_t states;          /* state digests in them */
    uint64_t states_unequal;
    /* The largest |now - recorded| / max(|now|, |recorded|) of these numbers, from 0 to 2; infinity
     * where one is NaN or infinite and the other has other bits. */
    double largest;
    uint64_t step;   /* of the number that deviates most */
    char field[160]; /* "float.scalars.loss"; "": none deviates */
    double recorded; /* its values; NaN also where a line does not have it */
    double now;
};
#define SNAP_FLOAT_DEVIATION_INIT { .size_bytes = sizeof(struct snap_float_deviation) }

/* Compare the host parts and host chains of a line and of the one that is made of the same step, or
 * of two genesis lines; then their floats, which are added to *deviation. SNAP_DIFFERS: *difference
 * says what of the host part differs, and *deviation is as it was. */
enum snap_status snap_ledger_compare_hosts(const char *recorded, const char *now,
                                           struct snap_float_deviation *deviation,
                                           struct snap_ledger_difference *difference,
                                           struct snap_error *err);

#ifdef __cplusplus
}
#endif

#endif
