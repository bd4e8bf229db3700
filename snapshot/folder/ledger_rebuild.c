/* SPDX-License-Identifier: Apache-2.0 */
/* A run's ledger out of the ledger.jsonl members of its snapshots. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/hex.h"
#include "digest/sha256.h"
#include "folder/ledger_rebuild.h"
#include "folder/run_folder.h"
#include "format/archive_read.h"
#include "format/limits.h"
#include "ledger/ledger_line.h"

bool snap_ledger_goes_through(const struct snap_ledger *ledger, const struct snap_archive *archive)
{
    struct snap_chain_heads heads;
    size_t index;
    if (!snap_ledger_find(ledger, snap_archive_step(archive), &index))
        return false;
    snap_ledger_heads(ledger, index, &heads);
    return memcmp(&heads, &snap_archive_manifest(archive)->after, sizeof heads) == 0;
}

/* Pieces of the text, the newest first. */
struct pieces {
    struct piece {
        char *text;
        size_t size;
    } * list;
    size_t count;
};

static void free_pieces(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++)
        free(pieces->list[i].text);
    free(pieces->list);
}

static enum snap_status add_piece(struct pieces *pieces, const struct snap_archive *archive,
                                  struct snap_error *err)
{
    const struct snap_member *member = snap_archive_find(archive, SNAP_LEDGER_FILE);
    void *grown = snap_array_grow(pieces->list, pieces->count, sizeof *pieces->list);
    void *text;
    if (grown == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "ledger: build from archives: out of memory");
    pieces->list = grown;
    enum snap_status status =
        snap_archive_read_alloc(archive, member, SNAP_MAX_LEDGER_BYTES, &text, err);
    if (status != SNAP_OK)
        return status;
    pieces->list[pieces->count++] = (struct piece){ text, (size_t)member->data_size };
    return SNAP_OK;
}

/* Open the snapshot of `store` with that hash, made before `step` or at it. */
static enum snap_status open_parent(struct snap_store *store,
                                    const unsigned char hash[SNAP_DIGEST_BYTES], uint64_t step,
                                    struct snap_archive **parent, struct snap_error *err)
{
    char wanted[SNAP_HASH_TEXT_BYTES];
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    uint64_t *steps = NULL;
    size_t count = 0;
    snap_hash_text("snap1", hash, wanted);
    enum snap_status status = snap_snapshots_list(store, &steps, &count, err);
    struct snap_archive *found = NULL;
    for (size_t i = count; status == SNAP_OK && found == NULL && i-- > 0;) {
        struct snap_archive *archive;
        if (steps[i] > step)
            continue;
        snap_snapshot_name("snapshots", steps[i], name);
        /* One that cannot be read is not the one looked for. */
        if (snap_run_open_archive(store, name, &archive, NULL) != SNAP_OK)
            continue;
        if (strcmp(snap_archive_snapshot_hash(archive), wanted) == 0)
            found = archive;
        else
            snap_archive_close(archive);
    }
    free(steps);
    if (status == SNAP_OK && found == NULL)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s/" SNAP_LEDGER_FILE ": lines are lost, and "
                                "cannot be built again: the snapshot %s is not in snapshots/ (a "
                                "restore into a new folder goes on without them)",
                                snap_store_path(store), wanted);
    *parent = found;
    return status;
}

/* The lines of `known` up to the one with these heads. False when it has none. */
static bool known_lines(const struct snap_ledger *known, const struct snap_chain_heads *heads,
                        size_t *count)
{
    char chain[2 * SNAP_DIGEST_BYTES + 1];
    if (known == NULL)
        return false;
    snap_hex_encode(heads->run, SNAP_DIGEST_BYTES, chain);
    for (size_t i = snap_ledger_line_count(known); i-- > 0;) {
        if (strcmp(snap_ledger_chain(known, i), chain) == 0) {
            *count = i + 1;
            return true;
        }
    }
    return false;
}

enum snap_status snap_ledger_gather(struct snap_store *store, const struct snap_archive *archive,
                                    const struct snap_ledger *known, struct snap_buffer *text,
                                    struct snap_error *err)
{
    struct pieces pieces = { NULL, 0 };
    struct snap_archive *opened = NULL; /* `at`, unless that is `archive` */
    const struct snap_archive *at = archive;
    size_t from_known = 0;
    enum snap_status status;
    for (;;) {
        const struct snap_manifest *manifest = snap_archive_manifest(at);
        status = add_piece(&pieces, at, err);
        if (status != SNAP_OK || !manifest->has_before ||
            known_lines(known, &manifest->before, &from_known))
            break;
        struct snap_archive *parent;
        uint64_t step = manifest->step;
        status = open_parent(store, manifest->parent, step, &parent, err);
        snap_archive_close(opened);
        opened = parent;
        at = parent;
        if (status != SNAP_OK)
            break;
        /* A parent is older: a chain of them ends. */
        if (snap_archive_step(parent) >= step) {
            status = snap_error_set(err, SNAP_CORRUPT,
                                    "%s/snapshots: the parent of step %" PRIu64 " is not older",
                                    snap_store_path(store), step);
            break;
        }
    }
    for (size_t i = 0; status == SNAP_OK && i < from_known; i++) {
        size_t size;
        const char *line = snap_ledger_line(known, i, &size);
        status = snap_buffer_append(text, line, size, err);
    }
    for (size_t i = pieces.count; status == SNAP_OK && i-- > 0;)
        status = snap_buffer_append(text, pieces.list[i].text, pieces.list[i].size, err);
    snap_archive_close(opened);
    free_pieces(&pieces);
    return status;
}

/* The first line in which two texts differ: its number from 1, and where it begins in both. */
static size_t first_difference(const struct snap_buffer *left, const struct snap_buffer *right,
                               size_t *begin)
{
    size_t line = 1;
    *begin = 0;
    for (size_t i = 0; i < left->size && i < right->size; i++) {
        if (left->data[i] != right->data[i])
            return line;
        if (left->data[i] == '\n') {
            line++;
            *begin = i + 1;
        }
    }
    return 0;
}

/* The line that begins at `begin`, as a string of its own. */
static char *cut_line(const struct snap_buffer *text, size_t begin)
{
    const unsigned char *end = memchr(text->data + begin, '\n', text->size - begin);
    size_t size = end == NULL ? text->size - begin : (size_t)(end - text->data) - begin + 1;
    return strndup((const char *)text->data + begin, size);
}

enum snap_status snap_ledger_explain(struct snap_store *store, const struct snap_archive *archive,
                                     const char *path, enum snap_status status,
                                     const struct snap_error *cause, struct snap_error *err)
{
    struct snap_buffer written = SNAP_BUFFER_INIT;
    struct snap_buffer kept = SNAP_BUFFER_INIT;
    struct snap_ledger_difference difference = SNAP_LEDGER_DIFFERENCE_INIT;
    size_t begin = 0;
    size_t line = 0;
    bool named = false;
    if (snap_store_read(store, SNAP_LEDGER_FILE, SNAP_MAX_LEDGER_FILE_BYTES, &written, NULL) ==
            SNAP_OK &&
        snap_ledger_gather(store, archive, NULL, &kept, NULL) == SNAP_OK)
        line = first_difference(&written, &kept, &begin);
    if (line > 0) {
        char *left = cut_line(&kept, begin);
        char *right = cut_line(&written, begin);
        named = left != NULL && right != NULL &&
                snap_ledger_compare_lines(left, right, &difference, NULL) == SNAP_DIFFERS;
        free(left);
        free(right);
    }
    snap_buffer_release(&written);
    snap_buffer_release(&kept);
    if (named)
        return snap_error_set(err, status,
                              "%s: line %zu (step %" PRIu64 ") was changed: %s: %s is "
                              "%s, and %s in the snapshot",
                              path, line, difference.step, difference.kind, difference.field,
                              difference.right, difference.left);
    if (err != NULL)
        *err = *cause;
    return status;
}
