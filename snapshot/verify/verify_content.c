/* SPDX-License-Identifier: Apache-2.0 */
/* What is in an archive against its own hashes and its ledger lines. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "digest/tree_digest.h"
#include "format/archive_fill.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "format/listing.h"
#include "ledger/ledger_line.h"
#include "verify/verdict.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "verify: out of memory");
}

/* ---- the ledger inside ---- */

/* What the genesis line says must be what state.json and data.json say. */
static enum snap_status check_genesis(const struct snap_archive *archive,
                                      const struct snap_ledger *ledger, struct snap_error *err)
{
    const struct snap_state_doc *doc = snap_archive_state_doc(archive);
    json_t *document = NULL;
    json_t *files = snap_data_files_json(snap_archive_data_doc(archive));
    const char *fault = NULL;
    enum snap_status status = snap_ledger_document(ledger, 0, &document, err);
    const json_t *host = json_object_get(document, "host");
    const json_t *floats = json_object_get(document, "float");
    if (status == SNAP_OK && files == NULL)
        status = no_memory(err);
    if (strncmp(snap_ledger_chain(ledger, 0), snap_archive_run_id(archive), SNAP_RUN_ID_DIGITS) !=
        0)
        fault = "run_id";
    else if (!json_equal(json_object_get(host, "training"),
                         doc->training == NULL ? json_null() : doc->training))
        fault = "training";
    else if (!json_equal(json_object_get(host, "data"), files))
        fault = "data";
    else if (!json_equal(json_object_get(floats, "binding"), doc->binding))
        fault = "binding";
    else if (strcmp(json_string_value(json_object_get(floats, "profile")), doc->profile) != 0)
        fault = "profile";
    if (status == SNAP_OK && fault != NULL)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "ledger.jsonl: genesis line: its %s is not the "
                                "archive's",
                                fault);
    json_decref(document);
    json_decref(files);
    return status;
}

/* Read the lines and follow the chain from the manifest's heads before to those after. */
static enum snap_status check_ledger(const struct snap_archive *archive,
                                     struct snap_ledger **ledger, struct snap_error *err)
{
    const struct snap_manifest *manifest = snap_archive_manifest(archive);
    const struct snap_member *member = snap_archive_find(archive, SNAP_LEDGER_FILE);
    const struct snap_chain_heads *before = manifest->has_before ? &manifest->before : NULL;
    struct snap_chain_heads heads;
    void *text = NULL;
    uint64_t lines = 0;
    enum snap_status status =
        snap_archive_read_alloc(archive, member, SNAP_MAX_LEDGER_BYTES, &text, err);
    if (status != SNAP_OK)
        return status;
    for (size_t i = 0; i < member->data_size; i++)
        lines += ((const char *)text)[i] == '\n';
    if (before != NULL && lines > manifest->step)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "ledger.jsonl: has more lines than the run has "
                                "steps");
    else
        status = snap_ledger_decode_after(before, manifest->step - lines, text,
                                          (size_t)member->data_size, SNAP_LEDGER_FILE, ledger, err);
    free(text);
    if (status != SNAP_OK)
        return status;
    size_t count = snap_ledger_line_count(*ledger);
    if (count > 0)
        snap_ledger_heads(*ledger, count - 1, &heads);
    else
        heads = manifest->before;
    if (snap_ledger_last_step(*ledger) != manifest->step)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "ledger.jsonl: ends at step %" PRIu64 ", and the "
                                "archive is of step %" PRIu64,
                                snap_ledger_last_step(*ledger), manifest->step);
    else if (memcmp(&heads, &manifest->after, sizeof heads) != 0)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "ledger.jsonl: its chain does not end at the head "
                                "that manifest.json names");
    else if (before == NULL)
        status = check_genesis(archive, *ledger, err);
    if (status != SNAP_OK) {
        snap_ledger_free(*ledger);
        *ledger = NULL;
    }
    return status;
}

/* ---- the state digest of the last line ---- */

static enum snap_status storage_line(const struct snap_archive *archive, struct snap_pool *pool,
                                     size_t index, struct snap_listing_line *line,
                                     struct snap_error *err)
{
    struct snap_digest_item item = { .data = NULL };
    uint64_t size = 0;
    line->name = snap_archive_storage_name(archive, index, &size);
    void *data = malloc(size > 0 ? (size_t)size : 1);
    if (data == NULL)
        return no_memory(err);
    item.data = data;
    item.size_bytes = (size_t)size;
    enum snap_status status = snap_archive_read_storage(archive, index, data, err);
    if (status == SNAP_OK)
        status = snap_tree_hashes(pool, &item, 1, err);
    memcpy(line->sha256, item.sha256, sizeof line->sha256);
    free(data);
    return status;
}

static enum snap_status archive_state_digest(const struct snap_archive *archive,
                                             struct snap_pool *pool,
                                             unsigned char digest[SNAP_DIGEST_BYTES],
                                             struct snap_error *err)
{
    const struct snap_state_doc *doc = snap_archive_state_doc(archive);
    struct snap_listing_line *storages = calloc(doc->storage_count + 1, sizeof *storages);
    struct snap_listing_line *streams = calloc(doc->stream_count + 1, sizeof *streams);
    size_t *order = calloc(doc->storage_count + 1, sizeof *order);
    size_t stream_count = 0;
    enum snap_status status = SNAP_OK;
    if (storages == NULL || streams == NULL || order == NULL)
        status = no_memory(err);
    else
        snap_state_doc_file_order(doc, order);
    for (size_t i = 0; status == SNAP_OK && i < doc->storage_count; i++)
        status = storage_line(archive, pool, order[i], &storages[i], err);
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (member->kind != SNAP_MEMBER_STREAM || stream_count == doc->stream_count)
            continue;
        streams[stream_count].name = member->name;
        memcpy(streams[stream_count++].sha256, member->sha256, SNAP_DIGEST_BYTES);
    }
    if (status == SNAP_OK)
        status = snap_state_digest(storages, doc->storage_count, streams, stream_count,
                                   snap_archive_find(archive, "data.json")->sha256, digest, err);
    free(storages);
    free(streams);
    free(order);
    return status;
}

/* The digest that the last line holds, if it holds one. */
static enum snap_status expected_state(const struct snap_ledger *ledger, bool *expected,
                                       unsigned char digest[SNAP_DIGEST_BYTES],
                                       struct snap_error *err)
{
    size_t count = snap_ledger_line_count(ledger);
    json_t *document = NULL;
    *expected = false;
    if (count == 0)
        return SNAP_OK;
    enum snap_status status = snap_ledger_document(ledger, count - 1, &document, err);
    const json_t *floats = json_object_get(document, "float");
    if (status == SNAP_OK && json_object_get(floats, "state") != NULL) {
        status = snap_json_field_digest(floats, "state", "tree1", SNAP_LEDGER_FILE, digest, err);
        *expected = status == SNAP_OK;
    }
    json_decref(document);
    return status;
}

static bool tensors_present(const struct snap_archive *archive)
{
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (snap_member_is_absent(member) && member->kind == SNAP_MEMBER_TENSOR)
            return false;
    }
    return true;
}

static enum snap_status check_state(const struct snap_archive *archive,
                                    const struct snap_ledger *ledger, struct snap_pool *pool,
                                    bool *checked, struct snap_error *err)
{
    unsigned char expected[SNAP_DIGEST_BYTES];
    unsigned char found[SNAP_DIGEST_BYTES];
    enum snap_status status = expected_state(ledger, checked, expected, err);
    *checked = *checked && tensors_present(archive);
    if (status != SNAP_OK || !*checked)
        return status;
    status = archive_state_digest(archive, pool, found, err);
    if (status == SNAP_OK && memcmp(expected, found, sizeof found) != 0)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "ledger.jsonl: step %" PRIu64 ": float.state is "
                                "not the digest of the state in the archive",
                                snap_archive_step(archive));
    return status;
}

enum snap_status snap_verify_content(const struct snap_archive *archive, struct snap_pool *pool,
                                     size_t *lines, bool *state_checked, struct snap_error *err)
{
    struct snap_ledger *ledger = NULL;
    *lines = 0;
    *state_checked = false;
    enum snap_status status = snap_archive_check(archive, pool, err);
    if (status != SNAP_OK || snap_archive_find(archive, SNAP_LEDGER_FILE)->withheld)
        return status;
    status = check_ledger(archive, &ledger, err);
    if (status == SNAP_OK) {
        *lines = snap_ledger_line_count(ledger);
        status = check_state(archive, ledger, pool, state_checked, err);
    }
    snap_ledger_free(ledger);
    return status;
}
