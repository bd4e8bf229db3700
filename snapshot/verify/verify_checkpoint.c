/* SPDX-License-Identifier: Apache-2.0 */
/* A checkpoint of several archives (docs/format.md, section 8.1): the index, the volumes whose
 * hashes it has, and that they hold what it says. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "format/archive_fill.h"
#include "format/json_fields.h"
#include "verify/verdict.h"

#define INDEX "index.snap.tar"

/* The index, and of each volume its tensors and values by key. */
struct checkpoint {
    const char *dir;
    const struct snap_verify_options *options;
    struct snap_verdict *verdict;
    char hashes[3][SNAP_HASH_TEXT_BYTES]; /* of the index: snapshot, state, run */
    json_t *state;                        /* state.json of the index */
    json_t *shards;                       /* array of objects, by process */
    uint64_t members;
};

static enum snap_status failed(struct checkpoint *checkpoint, const char *check,
                               struct snap_error *cause, struct snap_error *err)
{
    return snap_verdict_failed(checkpoint->verdict, check, cause->status, cause, err);
}

/* ---- nodes of a tree ---- */

/* The list of [KEY, NODE] of a map; NULL: the node is none. */
static const json_t *map_of(const json_t *node)
{
    const json_t *map = json_object_get(node, "map");
    return json_is_array(map) ? map : NULL;
}

static const json_t *in_map(const json_t *node, const char *key)
{
    const json_t *map = map_of(node);
    for (size_t i = 0; i < json_array_size(map); i++) {
        const json_t *pair = json_array_get(map, i);
        const char *name = json_string_value(json_array_get(pair, 0));
        if (name != NULL && strcmp(name, key) == 0)
            return json_array_get(pair, 1);
    }
    return NULL;
}

static const json_t *list_of(const json_t *node)
{
    return json_object_get(node, "list");
}

static const char *string_of(const json_t *node)
{
    return json_string_value(json_object_get(node, "string"));
}

/* The node of a root; NULL: there is none. */
static const json_t *root_of(const json_t *state, const char *name)
{
    const json_t *roots = json_object_get(state, "roots");
    for (size_t i = 0; i < json_array_size(roots); i++) {
        const json_t *pair = json_array_get(roots, i);
        if (strcmp(json_string_value(json_array_get(pair, 0)), name) == 0)
            return json_array_get(pair, 1);
    }
    return NULL;
}

/* ---- the archives ---- */

/* Open one and check all of it; *state: its state.json, owned by the caller. */
static enum snap_status check_archive(struct checkpoint *checkpoint, const char *name,
                                      struct snap_archive **archive, json_t **state,
                                      struct snap_error *cause)
{
    char path[PATH_MAX];
    size_t lines;
    bool state_checked;
    if (snprintf(path, sizeof path, "%s/%s", checkpoint->dir, name) >= (int)sizeof path)
        return snap_error_set(cause, SNAP_INVALID, "%s: the path is too long", checkpoint->dir);
    enum snap_status status = snap_archive_open(path, archive, cause);
    if (status == SNAP_IO && cause->os_error == ENOENT)
        return snap_error_set(cause, SNAP_ABSENT, "%s: is not here", name);
    if (status == SNAP_OK)
        status = snap_verify_content(*archive, checkpoint->options->pool, &lines, &state_checked,
                                     cause);
    size_t absent = status == SNAP_OK ? snap_archive_absent_count(*archive) : 0;
    if (absent > 0 && !checkpoint->options->allow_withheld)
        return snap_error_set(cause, SNAP_ABSENT, "%s: %zu members are withheld", name, absent);
    if (status != SNAP_OK)
        return status;
    checkpoint->members += snap_archive_member_count(*archive) - absent;
    *state = json_loads(snap_archive_json(*archive, "state.json"), 0, NULL);
    if (*state == NULL)
        return snap_error_set(cause, SNAP_NO_MEMORY, "verify: out of memory");
    return SNAP_OK;
}

static enum snap_status check_volume(struct checkpoint *checkpoint, size_t process,
                                     const json_t *told, struct snap_error *err)
{
    char name[40];
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_archive *archive = NULL;
    json_t *state = NULL;
    json_t *keys = json_object();
    const json_t *map;
    const char *file = string_of(json_array_get(list_of(told), 0));
    const char *hash = string_of(json_array_get(list_of(told), 1));
    enum snap_status status = SNAP_OK;
    snprintf(name, sizeof name, "rank-%04zu.snap.tar", process);
    if (file == NULL || hash == NULL || strcmp(file, name) != 0)
        status = snap_error_set(&cause, SNAP_CORRUPT, INDEX ": names no %s as volume %zu", name,
                                process);
    if (status == SNAP_OK)
        status = check_archive(checkpoint, name, &archive, &state, &cause);
    if (status == SNAP_OK && strcmp(snap_archive_snapshot_hash(archive), hash) != 0)
        status = snap_error_set(&cause, SNAP_CORRUPT,
                                "%s: is %s, and " INDEX " names %s: it is of another checkpoint",
                                name, snap_archive_snapshot_hash(archive), hash);
    map = map_of(root_of(state, "shards"));
    for (size_t i = 0; keys != NULL && i < json_array_size(map); i++) {
        const json_t *pair = json_array_get(map, i);
        const char *key = json_string_value(json_array_get(pair, 0));
        if (key != NULL && json_object_set(keys, key, json_array_get(pair, 1)) != 0)
            status = snap_error_set(&cause, SNAP_NO_MEMORY, "verify: out of memory");
    }
    if (status == SNAP_OK)
        status = snap_verdict_ok(checkpoint->verdict, false, err, name, "%zu members, %s",
                                 snap_archive_member_count(archive), hash);
    else
        status = failed(checkpoint, "volume", &cause, err);
    if (status == SNAP_OK) /* also of one that failed, so that the others keep their numbers */
        status = snap_json_append(checkpoint->shards, json_incref(keys), err);
    json_decref(keys);
    json_decref(state);
    snap_archive_close(archive);
    return status;
}

/* ---- what the index says of them ---- */

static bool are_numbers(const json_t *nodes, const json_t *numbers)
{
    if (json_array_size(nodes) != json_array_size(numbers))
        return false;
    for (size_t i = 0; i < json_array_size(nodes); i++)
        if (!json_equal(json_object_get(json_array_get(nodes, i), "int"),
                        json_array_get(numbers, i)))
            return false;
    return true;
}

/* Add the number of elements that a list of ints stands for. */
static bool add_elements(const json_t *nodes, uint64_t *sum)
{
    uint64_t product = 1;
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        json_int_t number =
            json_integer_value(json_object_get(json_array_get(nodes, i), "int"));
        if (number < 0 || !snap_mul_u64(product, (uint64_t)number, &product))
            return false;
    }
    return snap_add_u64(*sum, product, sum);
}

/* What is wrong with a piece; NULL: nothing. Adds its elements. */
static const char *piece_fault(const struct checkpoint *checkpoint, const json_t *piece,
                               const json_t *size, uint64_t *elements)
{
    const json_t *fields = list_of(piece);
    const json_t *process = json_object_get(json_array_get(fields, 0), "int");
    const char *key = string_of(json_array_get(fields, 1));
    const json_t *offset = list_of(json_array_get(fields, 2));
    const json_t *sizes = list_of(json_array_get(fields, 3));
    const json_t *volume = json_integer_value(process) < 0
                               ? NULL
                               : json_array_get(checkpoint->shards,
                                                (size_t)json_integer_value(process));
    const json_t *node = key == NULL ? NULL : json_object_get(volume, key);
    const json_t *tensor = json_object_get(node, "tensor");
    const json_t *global = json_object_get(tensor, "global_offset");
    if (!json_is_integer(process) || node == NULL)
        return "is in no volume";
    if (size == NULL)
        return NULL; /* a plain value */
    if (!are_numbers(sizes, json_object_get(tensor, "shape")))
        return "has another shape in its volume";
    if (global != NULL && (!are_numbers(offset, global) ||
                           !are_numbers(size, json_object_get(tensor, "global_shape"))))
        return "has another place in its volume";
    if (global == NULL && !json_equal(sizes, size))
        return "is a part, and has no place in its volume";
    return add_elements(sizes, elements) ? NULL : "is too large";
}

static enum snap_status check_entry(struct checkpoint *checkpoint, const char *name,
                                    const json_t *entry, struct snap_error *cause)
{
    const json_t *pieces = list_of(in_map(entry, "pieces"));
    const json_t *size = list_of(in_map(entry, "size"));
    uint64_t found = 0, wanted = 0;
    for (size_t i = 0; i < json_array_size(pieces); i++) {
        const char *fault =
            piece_fault(checkpoint, json_array_get(pieces, i), size, &found);
        if (fault != NULL)
            return snap_error_set(cause, SNAP_CORRUPT, INDEX ": %.300s: piece %zu %s", name, i,
                                  fault);
    }
    if (json_array_size(pieces) == 0 ||
        (size != NULL && (!add_elements(size, &wanted) || found != wanted)))
        return snap_error_set(cause, SNAP_CORRUPT,
                              INDEX ": %.300s: its pieces do not fill the whole", name);
    return SNAP_OK;
}

static enum snap_status check_entries(struct checkpoint *checkpoint, const json_t *entries,
                                      struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    const json_t *map = map_of(entries);
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < json_array_size(map); i++) {
        const json_t *pair = json_array_get(map, i);
        const char *name = json_string_value(json_array_get(pair, 0));
        status = check_entry(checkpoint, name == NULL ? "" : name, json_array_get(pair, 1), &cause);
    }
    if (status != SNAP_OK)
        return failed(checkpoint, "entries", &cause, err);
    return snap_verdict_ok(checkpoint->verdict, false, err, "entries",
                           "%zu names, all in the volumes", json_array_size(map));
}

/* ---- the verdict ---- */

static enum snap_status check_index(struct checkpoint *checkpoint, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_archive *archive = NULL;
    enum snap_status status =
        check_archive(checkpoint, INDEX, &archive, &checkpoint->state, &cause);
    const json_t *root = root_of(checkpoint->state, "checkpoint");
    const json_t *format = json_object_get(in_map(root, "format"), "int");
    if (status == SNAP_OK && (root == NULL || list_of(in_map(root, "volumes")) == NULL))
        status = snap_error_set(&cause, SNAP_CORRUPT, INDEX ": is the index of no checkpoint");
    if (status == SNAP_OK && json_integer_value(format) != 1)
        status = snap_error_set(&cause, SNAP_UNSUPPORTED,
                                INDEX ": its format is none that this version reads");
    if (status != SNAP_OK) {
        status = failed(checkpoint, "index", &cause, err);
        json_decref(checkpoint->state);
        checkpoint->state = NULL; /* there is no more to look for */
        snap_archive_close(archive);
        return status;
    }
    snprintf(checkpoint->hashes[0], SNAP_HASH_TEXT_BYTES, "%s",
             snap_archive_snapshot_hash(archive));
    snprintf(checkpoint->hashes[1], SNAP_HASH_TEXT_BYTES, "%s", snap_archive_state_hash(archive));
    snprintf(checkpoint->hashes[2], SNAP_HASH_TEXT_BYTES, "%s", snap_archive_run_hash(archive));
    status = snap_verdict_hashes(checkpoint->verdict, archive, err);
    if (status == SNAP_OK)
        status = snap_verdict_ok(checkpoint->verdict, false, err, INDEX,
                                 "step %" PRIu64 ", %zu volumes", snap_archive_step(archive),
                                 json_array_size(list_of(in_map(root, "volumes"))));
    snap_archive_close(archive);
    return status;
}

static enum snap_status judge(struct checkpoint *checkpoint, struct snap_error *err)
{
    const char *expected = checkpoint->options->expected;
    struct snap_error cause = SNAP_ERROR_INIT;
    if (expected == NULL)
        return snap_verdict_part(checkpoint->verdict, SNAP_STANDING_TRUST, err, "hash",
                                 "none was given: all that is here agrees with itself, and whether "
                                 "it is what its author made is not known");
    const char *found = checkpoint->hashes[strncmp(expected, "state1:", 7) == 0  ? 1
                                           : strncmp(expected, "run1:", 5) == 0 ? 2
                                                                                : 0];
    if (strcmp(found, expected) != 0) {
        snap_error_set(&cause, SNAP_DIFFERS, "the index has %s, and %s was expected", found,
                       expected);
        return failed(checkpoint, "expected hash", &cause, err);
    }
    enum snap_status status = snap_verdict_ok(checkpoint->verdict, false, err, "expected hash",
                                              "is that of " INDEX);
    /* The state of the index has the hashes of the volumes; a run hash has no state's members. */
    if (status == SNAP_OK && checkpoint->verdict->worst == SNAP_OK &&
        strncmp(expected, "run1:", 5) != 0)
        status = snap_verdict_part(checkpoint->verdict, SNAP_STANDING_PROVEN, err, "content",
                                   "%" PRIu64 " members of the index and its volumes",
                                   checkpoint->members);
    return status;
}

enum snap_status snap_verify_checkpoint(const char *dir, const struct snap_verify_options *options,
                                        struct snap_verdict **verdict, struct snap_error *err)
{
    struct snap_verify_options none = SNAP_VERIFY_OPTIONS_INIT;
    struct checkpoint checkpoint = { .dir = dir, .options = options == NULL ? &none : options };
    enum snap_status status = SNAP_OK;
    options = checkpoint.options;
    if (dir == NULL || options->size_bytes != sizeof *options || options->only != NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "verify: no path, options that are not SNAP_VERIFY_OPTIONS_INIT, or "
                              "a member named for a checkpoint");
    if (options->expected != NULL)
        status = snap_check_hash_text(options->expected, err);
    if (status == SNAP_OK)
        status = snap_verdict_new(&checkpoint.verdict, err);
    if (status == SNAP_OK && (checkpoint.shards = json_array()) == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "verify: out of memory");
    if (status == SNAP_OK)
        status = check_index(&checkpoint, err);
    const json_t *root = root_of(checkpoint.state, "checkpoint");
    const json_t *volumes = list_of(in_map(root, "volumes"));
    for (size_t i = 0; status == SNAP_OK && i < json_array_size(volumes); i++)
        status = check_volume(&checkpoint, i, json_array_get(volumes, i), err);
    if (status == SNAP_OK && root != NULL && checkpoint.verdict->worst == SNAP_OK)
        status = check_entries(&checkpoint, in_map(root, "entries"), err);
    if (status == SNAP_OK && root != NULL)
        status = judge(&checkpoint, err);
    json_decref(checkpoint.shards);
    json_decref(checkpoint.state);
    return snap_verdict_give(checkpoint.verdict, status, "checkpoint", dir, verdict, err);
}
