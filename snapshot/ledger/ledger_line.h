/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a ledger: making one, reading one, and what a run needs beyond <snapstate/ledger.h>. */
#ifndef SNAP_LEDGER_LEDGER_LINE_H
#define SNAP_LEDGER_LEDGER_LINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/ledger.h>
#include <snapstate/status.h>

#include "core/buffer.h"
#include "format/manifest.h"

#define SNAP_LEDGER_FORMAT "snap-ledger-1"
#define SNAP_LEDGER_FILE "ledger.jsonl"

/* The list of tensors in the float part of a line, and what they are in the step. */
#define SNAP_LEDGER_TENSORS "tensors"
#define SNAP_LEDGER_OUTPUT "output"
#define SNAP_LEDGER_GRADIENT "gradient"
#define SNAP_LEDGER_WEIGHT "weight"

/* ---- making lines (ledger_write.c) ---- */

/* Append the line of the two parts, with its chain values, to `line`; *heads are the values.
 * `host` and `floats` are borrowed. On failure `line` is as it was. */
enum snap_status snap_ledger_genesis_encode(json_t *host, json_t *floats,
                                            struct snap_chain_heads *heads,
                                            struct snap_buffer *line, struct snap_error *err);
/* `after` may be `before`. */
enum snap_status snap_ledger_step_encode(const struct snap_chain_heads *before, json_t *host,
                                         json_t *floats, struct snap_chain_heads *after,
                                         struct snap_buffer *line, struct snap_error *err);

/* The heads that follow from a line's document (its chain fields are taken out of it). `before`
 * NULL: a genesis line. */
enum snap_status snap_ledger_line_heads(json_t *document, const struct snap_chain_heads *before,
                                        struct snap_chain_heads *after, struct snap_error *err);

/* ---- the file of a run, open for appending (ledger_write.c) ---- */

struct snap_ledger_file {
    int fd;            /* -1: not open */
    uint64_t size;     /* bytes of whole lines in it */
    const char *label; /* names it in messages; borrowed */
    bool past;         /* there may be bytes after those lines: they are cut off before the next */
    /* An fsync has failed, of this thread or of one that saves: lines may be lost, and no more are
     * taken. */
    atomic_bool broken;
};
#define SNAP_LEDGER_FILE_INIT                                                                      \
    {                                                                                              \
        -1, 0, NULL, false, false                                                                  \
    }

/* Open, or create. The file has `size` bytes of lines that stay and at most `past` bytes that are
 * to be cut off; SNAP_IO when it is shorter or longer than that. Nothing is cut yet. */
enum snap_status snap_ledger_file_open(struct snap_ledger_file *file, int dirfd, const char *label,
                                       uint64_t size, uint64_t past, struct snap_error *err);
/* Cut off what is past the lines. Append and sync do it too. */
enum snap_status snap_ledger_file_cut(struct snap_ledger_file *file, struct snap_error *err);
/* Add a line by one write. When it fails, the file is cut back, now or before the next line, so
 * that the call can be made again. SNAP_IO after a sync that failed. */
enum snap_status snap_ledger_file_append(struct snap_ledger_file *file, const void *line,
                                         size_t size_bytes, struct snap_error *err);
/* Make all lines durable. A failure is for good: every later append and sync answers SNAP_IO. */
enum snap_status snap_ledger_file_sync(struct snap_ledger_file *file, struct snap_error *err);
/* The same where nothing is past the lines, or they are being added by another thread. */
enum snap_status snap_ledger_file_flush(struct snap_ledger_file *file, struct snap_error *err);
enum snap_status snap_ledger_file_close(struct snap_ledger_file *file, struct snap_error *err);

/* ---- grammar (ledger_grammar.c) ---- */

/* SNAP_CORRUPT unless the document, chain fields included, is a genesis line, or the line of a
 * step. *step: the step after which the ledger begins; the step of the line. */
enum snap_status snap_ledger_check_genesis(const json_t *document, const char *what, uint64_t *step,
                                           struct snap_error *err);
enum snap_status snap_ledger_check_step(const json_t *document, const char *what, uint64_t *step,
                                        struct snap_error *err);

/* ---- reading (ledger_read.c) ---- */

/* Lines that follow `before`, the heads after step `before_step`; NULL: they begin with a genesis
 * line. For the ledger.jsonl of an archive. There may be none when `before` is given. */
enum snap_status snap_ledger_decode_after(const struct snap_chain_heads *before,
                                          uint64_t before_step, const void *bytes,
                                          size_t size_bytes, const char *what,
                                          struct snap_ledger **ledger, struct snap_error *err);
/* False for a ledger made with `before`: line 0 is then the line of step first_step + 1. */
bool snap_ledger_has_genesis(const struct snap_ledger *ledger);
/* The lines that begin with a genesis line, up to the first that is damaged. *past: bytes after
 * them. When these are more than a torn line, *damage says what is wrong with the first; else its
 * status is SNAP_OK. */
enum snap_status snap_ledger_decode_good(const void *bytes, size_t size_bytes, const char *what,
                                         struct snap_ledger **ledger, uint64_t *past,
                                         struct snap_error *damage, struct snap_error *err);
/* The heads after line `index`. */
void snap_ledger_heads(const struct snap_ledger *ledger, size_t index,
                       struct snap_chain_heads *heads);
/* From step `from` on, the first step in which the lists of tensors differ, and the first tensor in
 * them. SNAP_OK: none does; SNAP_DIFFERS. */
enum snap_status snap_ledger_compare_tensors(const struct snap_ledger *left,
                                             const struct snap_ledger *right, uint64_t from,
                                             struct snap_ledger_difference *difference,
                                             struct snap_error *err);
/* The document of a line: a new reference. */
enum snap_status snap_ledger_document(const struct snap_ledger *ledger, size_t index,
                                      json_t **document, struct snap_error *err);

#endif
