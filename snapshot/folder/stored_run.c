/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "folder/stored.h"
#include "folder/stored_run.h"
#include "format/json_canonical.h"
#include "format/limits.h"

/* Names a file in messages. */
#define LABEL_BYTES 1024
static const char *label_of(const char *where, const char *name, char label[LABEL_BYTES])
{
    snprintf(label, LABEL_BYTES, "%.900s/%s", where, name);
    return label;
}

/* ---- reading ---- */

static enum snap_status read_config(struct snap_store *store, struct snap_stored_run *run,
                                    struct snap_error *err)
{
    char label[LABEL_BYTES];
    enum snap_status status =
        snap_store_read(store, SNAP_CONFIG_FILE, SNAP_MAX_CONFIG_BYTES, &run->config_text, err);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (status != SNAP_OK)
        return status;
    return snap_json_decode(run->config_text.data != NULL ? run->config_text.data : (void *)"",
                            run->config_text.size,
                            label_of(snap_store_where(store), SNAP_CONFIG_FILE, label),
                            &run->config, err);
}

static enum snap_status read_ledger(struct snap_store *store, struct snap_stored_run *run,
                                    struct snap_error *err)
{
    struct snap_error damage = SNAP_ERROR_INIT;
    struct snap_buffer *text = &run->ledger_text;
    char label[LABEL_BYTES];
    uint64_t torn = 0;
    enum snap_status status =
        snap_store_read(store, SNAP_LEDGER_FILE, SNAP_MAX_LEDGER_FILE_BYTES, text, err);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (status == SNAP_OK)
        status = snap_ledger_decode_good(text->data, text->size,
                                         label_of(snap_store_where(store), SNAP_LEDGER_FILE, label),
                                         &run->ledger, &torn, &damage, err);
    if (status != SNAP_OK)
        return status;
    if (damage.status != SNAP_OK)
        return snap_error_set(err, damage.status,
                              "%s; it is damaged: move it away, a restore builds it again from the "
                              "snapshots",
                              damage.text);
    text->size -= (size_t)torn;
    if (snap_ledger_line_count(run->ledger) == 0) {
        snap_ledger_free(run->ledger);
        run->ledger = NULL;
    }
    return SNAP_OK;
}

/* Is the training part of the config `there`? */
static bool is_same_training(const json_t *config, const json_t *there)
{
    const json_t *training = json_object_get(config, "training");
    return json_equal(training != NULL ? training : json_null(),
                      there != NULL ? there : json_null());
}

static enum snap_status compare_config(const struct snap_stored_run *run, const char *where,
                                       struct snap_error *err)
{
    json_t *genesis = NULL;
    if (run->config == NULL || run->ledger == NULL)
        return SNAP_OK;
    enum snap_status status = snap_ledger_document(run->ledger, 0, &genesis, err);
    if (status == SNAP_OK &&
        !is_same_training(run->config,
                          json_object_get(json_object_get(genesis, "host"), "training")))
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s/" SNAP_CONFIG_FILE ": its training part is not the one of the "
                                "genesis line of " SNAP_LEDGER_FILE " beside it",
                                where);
    json_decref(genesis);
    return status;
}

enum snap_status snap_stored_run_read(struct snap_store *store,
                                      const struct snap_stored_run *known,
                                      struct snap_stored_run *run, struct snap_error *err)
{
    struct snap_stored_run made = SNAP_STORED_RUN_INIT;
    enum snap_status status = SNAP_OK;
    if (known == NULL || known->config == NULL)
        status = read_config(store, &made, err);
    if (status == SNAP_OK && (known == NULL || known->ledger == NULL))
        status = read_ledger(store, &made, err);
    if (status == SNAP_OK)
        status = compare_config(&made, snap_store_where(store), err);
    if (status == SNAP_OK)
        *run = made;
    else
        snap_stored_run_release(&made);
    return status;
}

void snap_stored_run_release(struct snap_stored_run *run)
{
    json_decref(run->config);
    snap_buffer_release(&run->config_text);
    snap_ledger_free(run->ledger);
    snap_buffer_release(&run->ledger_text);
    *run = (struct snap_stored_run)SNAP_STORED_RUN_INIT;
}

void snap_stored_run_id(const struct snap_stored_run *run, char run_id[SNAP_RUN_ID_DIGITS + 1])
{
    snprintf(run_id, SNAP_RUN_ID_DIGITS + 1, "%.*s", SNAP_RUN_ID_DIGITS,
             run->ledger != NULL ? snap_ledger_chain(run->ledger, 0) : "");
}

/* ---- against an archive ---- */

enum snap_status snap_stored_run_check(const struct snap_stored_run *run, const char *where,
                                       const struct snap_archive *archive, struct snap_error *err)
{
    char run_id[SNAP_RUN_ID_DIGITS + 1];
    struct snap_chain_heads heads;
    size_t index;
    if (run->config != NULL &&
        !is_same_training(run->config, snap_archive_state_doc(archive)->training))
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s/" SNAP_CONFIG_FILE ": its training part is not the one of the "
                              "archive of step %" PRIu64 "; move it away, or pull that archive "
                              "alone, by its name",
                              where, snap_archive_step(archive));
    if (run->ledger == NULL)
        return SNAP_OK;
    snap_stored_run_id(run, run_id);
    if (strcmp(run_id, snap_archive_run_id(archive)) != 0)
        return snap_error_set(err, SNAP_DIFFERS,
                              "%s/" SNAP_LEDGER_FILE ": is of run %s, and the archive of step "
                              "%" PRIu64 " of run %s",
                              where, run_id, snap_archive_step(archive),
                              snap_archive_run_id(archive));
    if (!snap_ledger_find(run->ledger, snap_archive_step(archive), &index))
        return SNAP_OK;
    snap_ledger_heads(run->ledger, index, &heads);
    if (memcmp(&heads, &snap_archive_manifest(archive)->after, sizeof heads) != 0)
        return snap_error_set(err, SNAP_DIFFERS,
                              "%s/" SNAP_LEDGER_FILE ": does not lead to the archive of step "
                              "%" PRIu64 ": the run went two ways; pull that archive alone, by its "
                              "name",
                              where, snap_archive_step(archive));
    return SNAP_OK;
}

/* ---- into a store ---- */

struct ledger_put {
    struct snap_store *store;
    const struct snap_stored_run *run;
    bool newer;
};

/* How many bytes are the same from the start, and in which line that ends. */
static size_t common_bytes(const struct snap_buffer *left, const unsigned char *right, size_t size,
                           size_t *line)
{
    size_t least = left->size < size ? left->size : size;
    size_t at = 0;
    *line = 1;
    while (at < least && left->data[at] == right[at])
        *line += left->data[at++] == '\n';
    return at;
}

/* Whole lines of `old`: an older version put them there while another was being written. */
static size_t whole_lines(const struct snap_buffer *old)
{
    const unsigned char *last = old->size > 0 ? memrchr(old->data, '\n', old->size) : NULL;
    return last != NULL ? (size_t)(last - old->data) + 1 : 0;
}

/* From line `line` on the store has other lines. Where no archive there reaches them, the run was
 * stopped after a push, and made its steps anew from its last snapshot: under a profile that
 * promises no bits they are others. Else it went two ways. */
static enum snap_status meet_others(const struct ledger_put *put, size_t line,
                                    struct snap_error *err)
{
    struct snap_stored_list list = SNAP_STORED_LIST_INIT;
    uint64_t step = snap_ledger_first_step(put->run->ledger) + line - 1;
    enum snap_status status = SNAP_OK;
    if (line > 1)
        status = snap_stored_list_archives(put->store, &list, err);
    if (status == SNAP_OK &&
        (line == 1 || (list.count > 0 && list.archives[list.count - 1].step >= step)))
        status = snap_error_set(
            err, SNAP_DIFFERS,
            "%s/" SNAP_LEDGER_FILE ": line %zu is another than here: it is of %s, or damaged; give "
            "this run a prefix of its own, or remove that file",
            snap_store_where(put->store), line,
            line == 1 ? "another run" : "other steps of this run");
    snap_stored_list_release(&list);
    return status;
}

/* Forward only. */
static enum snap_status decide_ledger(void *arg, const struct snap_buffer *old,
                                      struct snap_buffer *content, bool *write,
                                      struct snap_error *err)
{
    struct ledger_put *put = arg;
    const struct snap_buffer *ours = &put->run->ledger_text;
    size_t line = 1;
    put->newer = false;
    *write = true;
    if (old != NULL) {
        size_t theirs = whole_lines(old);
        size_t same = common_bytes(ours, old->data, theirs, &line);
        bool others = same < theirs && same < ours->size;
        enum snap_status status = others ? meet_others(put, line, err) : SNAP_OK;
        if (status != SNAP_OK)
            return status;
        put->newer = !others && theirs > ours->size;
        *write = others || (!put->newer && old->size != ours->size);
    }
    return *write ? snap_buffer_append(content, ours->data, ours->size, err) : SNAP_OK;
}

enum snap_status snap_stored_ledger_put(struct snap_store *store,
                                        const struct snap_stored_run *run, bool *newer,
                                        bool *exclusive, struct snap_error *err)
{
    struct ledger_put put = { .store = store, .run = run };
    enum snap_status status =
        snap_store_update(store, SNAP_LEDGER_FILE, SNAP_MAX_LEDGER_FILE_BYTES, decide_ledger, &put,
                          exclusive, err);
    if (status == SNAP_OK)
        *newer = put.newer;
    return status;
}
