/* SPDX-License-Identifier: Apache-2.0 */
/* Where the ledgers of two runs part: genesis lines, then the lines of the steps. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/run_paths.h"
#include "replay/bisect_parts.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "bisect: no memory for what the ledgers say");
}

void trn_bisect_search_release(struct trn_bisect_search *search)
{
    for (int side = 0; side < 2; side++)
        snap_ledger_free(search->ledgers[side]);
    free(search->common);
    json_decref(search->differences);
}

/* ---- genesis lines ---- */

static void value_text(const json_t *value, char *text, size_t text_size)
{
    char *dumped;
    if (value == NULL || json_is_string(value)) {
        snprintf(text, text_size, "%s", value != NULL ? json_string_value(value) : "absent");
        return;
    }
    dumped = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    snprintf(text, text_size, "%s", dumped != NULL ? dumped : "?");
    free(dumped);
}

static enum snap_status add_key(struct trn_bisect_result *result, const char *name,
                                const json_t *left, const json_t *right, struct snap_error *err)
{
    struct trn_bisect_key *keys = realloc(result->keys, (result->key_count + 1) * sizeof(*keys));
    if (keys == NULL)
        return no_memory(err);
    result->keys = keys;
    struct trn_bisect_key *key = &keys[result->key_count++];
    snprintf(key->name, sizeof(key->name), "%s", name);
    value_text(left, key->left, sizeof(key->left));
    value_text(right, key->right, sizeof(key->right));
    return SNAP_OK;
}

/* Every key whose values differ; arrays are told whole. Depth is bounded: both are ledger lines. */
static enum snap_status add_keys(struct trn_bisect_result *result, const char *name, json_t *left,
                                 json_t *right, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    const char *key;
    json_t *value;
    if (!json_is_object(left) || !json_is_object(right))
        return left == right || json_equal(left, right) ? SNAP_OK
                                                        : add_key(result, name, left, right, err);
    json_object_foreach(left, key, value) {
        char inner[160];
        snprintf(inner, sizeof(inner), "%.100s.%.50s", name, key);
        if (status == SNAP_OK)
            status = add_keys(result, inner, value, json_object_get(right, key), err);
    }
    json_object_foreach(right, key, value) {
        char inner[160];
        snprintf(inner, sizeof(inner), "%.100s.%.50s", name, key);
        if (status == SNAP_OK && json_object_get(left, key) == NULL)
            status = add_key(result, inner, NULL, value, err);
    }
    return status;
}

static bool is_key(const struct trn_bisect_key *key, const char *name)
{
    return strncmp(key->name, name, strlen(name)) == 0;
}

/* Each role of a data file, with its digest. */
static enum snap_status add_files(struct trn_bisect_result *result, const json_t *left,
                                  const json_t *right, struct snap_error *err)
{
    json_t *sides[2] = { json_object(), json_object() };
    const json_t *lists[2] = { left, right };
    enum snap_status status = sides[0] != NULL && sides[1] != NULL ? SNAP_OK : no_memory(err);
    for (int side = 0; side < 2 && status == SNAP_OK; side++) {
        for (size_t i = 0; i < json_array_size(lists[side]); i++) {
            const json_t *file = json_array_get(lists[side], i);
            const char *role = json_string_value(json_object_get(file, "name"));
            if (role != NULL)
                json_object_set(sides[side], role, json_object_get(file, "sha256"));
        }
    }
    if (status == SNAP_OK)
        status = add_keys(result, "data", sides[0], sides[1], err);
    json_decref(sides[0]);
    json_decref(sides[1]);
    return status;
}

static enum snap_status compare_genesis(struct trn_bisect_search *search, struct snap_error *err)
{
    struct trn_bisect_result *result = search->result;
    json_t *host[2], *floats[2], *lines[2];
    for (int side = 0; side < 2; side++) {
        lines[side] = json_loads(snap_ledger_line(search->ledgers[side], 0, NULL), 0, NULL);
        host[side] = json_object_get(lines[side], "host");
        floats[side] = json_object_get(lines[side], "float");
    }
    enum snap_status status = lines[0] != NULL && lines[1] != NULL ? SNAP_OK : no_memory(err);
    if (status == SNAP_OK)
        status = add_keys(result, "training", json_object_get(host[0], "training"),
                          json_object_get(host[1], "training"), err);
    if (status == SNAP_OK)
        status = add_files(result, json_object_get(host[0], "data"),
                           json_object_get(host[1], "data"), err);
    if (status == SNAP_OK)
        status = add_keys(result, "profile", json_object_get(floats[0], "profile"),
                          json_object_get(floats[1], "profile"), err);
    if (status == SNAP_OK)
        status = add_keys(result, "binding", json_object_get(floats[0], "binding"),
                          json_object_get(floats[1], "binding"), err);
    if (status == SNAP_OK)
        status = add_keys(result, "state", json_object_get(floats[0], "state"),
                          json_object_get(floats[1], "state"), err);
    if (status == SNAP_OK)
        status = add_keys(result, "parent", json_object_get(host[0], "parent"),
                          json_object_get(host[1], "parent"), err);
    json_decref(lines[0]);
    json_decref(lines[1]);
    search->same_genesis = strcmp(snap_ledger_chain(search->ledgers[0], 0),
                                  snap_ledger_chain(search->ledgers[1], 0)) == 0;
    search->same_config = search->same_genesis || snap_ledger_first_step(search->ledgers[0]) !=
                                                      snap_ledger_first_step(search->ledgers[1]);
    for (size_t i = 0; i < result->key_count; i++)
        search->same_config = search->same_config && (is_key(&result->keys[i], "state") ||
                                                      is_key(&result->keys[i], "parent"));
    return status;
}

/* ---- lines ---- */

const char *trn_bisect_line(const struct trn_bisect_search *search, int side, uint64_t step)
{
    size_t index;
    if (!snap_ledger_find(search->ledgers[side], step, &index) || index == 0)
        return NULL;
    return snap_ledger_line(search->ledgers[side], index, NULL);
}

static bool same_chain(const struct trn_bisect_search *search, uint64_t step)
{
    size_t left, right;
    return snap_ledger_find(search->ledgers[0], step, &left) &&
           snap_ledger_find(search->ledgers[1], step, &right) &&
           strcmp(snap_ledger_chain(search->ledgers[0], left),
                  snap_ledger_chain(search->ledgers[1], right)) == 0;
}

/* Are two lines equal but for their chains, which begin and end a canonical line? */
static bool same_but_chains(const char *left, const char *right)
{
    static const char begin[] = "{\"chain\":\"", end[] = "\"}\n";
    const size_t first = strlen(begin) + 64, last = 64 + strlen(end);
    const size_t size = strlen(left);
    return size > first + last && strlen(right) == size &&
           strncmp(left, begin, strlen(begin)) == 0 && strncmp(right, begin, strlen(begin)) == 0 &&
           memcmp(left + first, right + first, size - first - last) == 0;
}

static enum snap_status compare_step(struct trn_bisect_search *search, uint64_t step,
                                     struct snap_error *err)
{
    struct trn_bisect_result *result = search->result;
    const char *left = trn_bisect_line(search, TRN_LEFT, step);
    const char *right = trn_bisect_line(search, TRN_RIGHT, step);
    if (left == NULL || right == NULL || same_but_chains(left, right))
        return SNAP_OK;
    enum snap_status status = snap_ledger_compare_lines(left, right, &result->line, err);
    result->has_line = status == SNAP_DIFFERS;
    return result->has_line ? SNAP_OK : status;
}

/* From one genesis line on, equal chains are equal lines up to there, so that halving finds the
 * first that is not; else every line is read. */
static enum snap_status compare_lines(struct trn_bisect_search *search, struct snap_error *err)
{
    struct trn_bisect_result *result = search->result;
    uint64_t low = snap_ledger_first_step(search->ledgers[0]);
    uint64_t high = result->left_last < result->right_last ? result->left_last
                                                           : result->right_last;
    if (low < snap_ledger_first_step(search->ledgers[1]))
        low = snap_ledger_first_step(search->ledgers[1]);
    result->steps_compared = high > low ? high - low : 0;
    if (!search->same_genesis) {
        enum snap_status status = SNAP_OK;
        for (uint64_t step = low + 1; status == SNAP_OK && !result->has_line && step <= high;
             step++)
            status = compare_step(search, step, err);
        return status;
    }
    if (result->steps_compared == 0 || same_chain(search, high))
        return SNAP_OK;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (same_chain(search, middle))
            low = middle;
        else
            high = middle;
    }
    return compare_step(search, high, err);
}

enum snap_status trn_bisect_ledgers(struct trn_bisect_search *search, struct snap_error *err)
{
    struct trn_bisect_result *result = search->result;
    char path[TRN_PATH_SIZE];
    enum snap_status status = SNAP_OK;
    for (int side = 0; side < 2 && status == SNAP_OK; side++) {
        status = trn_join_path(search->dirs[side], "ledger.jsonl", path, err);
        if (status == SNAP_OK)
            status = snap_ledger_open(path, &search->ledgers[side], NULL, err);
        if (status == SNAP_OK && snap_ledger_line_count(search->ledgers[side]) == 0)
            status = snap_error_set(err, SNAP_CORRUPT, "%s: has no whole line", path);
    }
    if (status != SNAP_OK)
        return status;
    result->left_last = snap_ledger_last_step(search->ledgers[0]);
    result->right_last = snap_ledger_last_step(search->ledgers[1]);
    status = compare_genesis(search, err);
    return status == SNAP_OK ? compare_lines(search, err) : status;
}
