/* SPDX-License-Identifier: Apache-2.0 */
/* The proof for a damaged archive that lost its listing: what follows from the rest is made. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest/sha256.h"
#include "format/listing.h"
#include "format/readme.h"
#include "ledger/ledger_line.h"
#include "salvage/salvage_pieces.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "salvage: out of memory");
}

static enum snap_status make_piece(struct snap_piece *piece, const void *data, size_t size,
                                   struct snap_error *err)
{
    if (piece->size != size)
        return SNAP_OK;
    enum snap_status status = snap_sha256(data, size, piece->sha256, err);
    piece->digest_known = status == SNAP_OK;
    piece->place = piece->digest_known ? SNAP_PIECE_MADE : SNAP_PIECE_LOST;
    return status;
}

/* The lines that the archive had, out of the ledger of the run that it lies in. */
static enum snap_status ledger_lines(struct snap_salvage_job *job, struct snap_piece *piece,
                                     struct snap_error *err)
{
    const struct snap_manifest *manifest = &job->manifest;
    struct snap_ledger *ledger = NULL;
    struct snap_chain_heads heads;
    char path[4096];
    const char *slash = strrchr(job->path, '/');
    size_t first = 0;
    size_t last = 0;
    if ((size_t)snprintf(path, sizeof path, "%.*s../" SNAP_LEDGER_FILE,
                         slash == NULL ? 0 : (int)(slash + 1 - job->path),
                         job->path) >= sizeof path ||
        snap_ledger_open(path, &ledger, NULL, NULL) != SNAP_OK)
        return SNAP_OK;
    size_t count = snap_ledger_line_count(ledger);
    bool found_first = !manifest->has_before;
    bool found_last = false;
    for (size_t i = 0; i < count && !found_last; i++) {
        snap_ledger_heads(ledger, i, &heads);
        if (!found_first && memcmp(&heads, &manifest->before, sizeof heads) == 0) {
            found_first = true;
            first = i + 1;
        }
        found_last = found_first && memcmp(&heads, &manifest->after, sizeof heads) == 0;
        last = i;
    }
    enum snap_status status = SNAP_OK;
    for (size_t i = first; found_last && status == SNAP_OK && i <= last; i++) {
        size_t size;
        const char *line = snap_ledger_line(ledger, i, &size);
        status = snap_buffer_append(&job->ledger, line, size, err);
    }
    if (status == SNAP_OK && found_last)
        status = make_piece(piece, job->ledger.data == NULL ? (void *)"" : job->ledger.data,
                            job->ledger.size, err);
    snap_ledger_free(ledger);
    return status;
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(((const struct snap_listing_line *)left)->name,
                  ((const struct snap_listing_line *)right)->name);
}

/* The text of STATE (`all` false) or SHA256SUMS. *known: every digest in it is. */
static enum snap_status make_listing(const struct snap_salvage_job *job, bool all,
                                     struct snap_buffer *out, bool *known, struct snap_error *err)
{
    struct snap_listing_line *lines = calloc(job->piece_count + 1, sizeof *lines);
    size_t count = 0;
    *known = true;
    if (lines == NULL)
        return no_memory(err);
    for (size_t i = 0; i < job->piece_count; i++) {
        const struct snap_piece *piece = &job->pieces[i];
        if (!all && !piece->in_state)
            continue;
        *known = *known && piece->digest_known;
        lines[count].name = piece->name;
        memcpy(lines[count++].sha256, piece->sha256, SNAP_DIGEST_BYTES);
    }
    if (!all)
        qsort(lines, count, sizeof *lines, compare_lines);
    enum snap_status status = snap_listing_encode(lines, count, out, err);
    free(lines);
    return status;
}

static enum snap_status make_missing(struct snap_salvage_job *job, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < job->piece_count; i++) {
        struct snap_piece *piece = &job->pieces[i];
        bool known;
        if (piece->place != SNAP_PIECE_LOST)
            continue;
        if (piece->kind == SNAP_MEMBER_README)
            status = make_piece(piece, snap_readme_text(), strlen(snap_readme_text()), err);
        else if (piece->kind == SNAP_MEMBER_LEDGER)
            status = ledger_lines(job, piece, err);
        else if (piece->kind == SNAP_MEMBER_STATE_LISTING) {
            status = make_listing(job, false, &text, &known, err);
            if (status == SNAP_OK && known)
                status = make_piece(piece, text.data, text.size, err);
        }
    }
    snap_buffer_release(&text);
    return status;
}

enum snap_status snap_salvage_prove(struct snap_salvage_job *job, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    bool known = false;
    if (!job->has_manifest || job->has_listing)
        return SNAP_OK;
    enum snap_status status = make_missing(job, err);
    if (status == SNAP_OK)
        status = make_listing(job, true, &text, &known, err);
    if (status == SNAP_OK && known)
        status = snap_sha256(text.data, text.size, digest, err);
    if (status == SNAP_OK && known) {
        snap_hash_text("snap1", digest, job->hash);
        job->is_proven = job->expected[0] != '\0' && strcmp(job->hash, job->expected) == 0;
    }
    snap_buffer_release(&text);
    return status;
}
