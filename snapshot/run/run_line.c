/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of the ledger: made, compared with what is expected (run_expect.c), written. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "core/text.h"
#include "digest/sha256.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "run/rank_streams.h"
#include "save/save.h"
#include "save/state_image.h"

void snap_parent_link_saved(struct snap_run *run, const struct snap_save_job *job,
                            const unsigned char hash[SNAP_DIGEST_BYTES])
{
    struct snap_parent_link *link = &run->link;
    if (run->steps_done == job->manifest.step) { /* no line since */
        link->has_latest = true;
        memcpy(link->latest, hash, sizeof link->latest);
    } else if (!job->lines_are_older) {
        link->has_parent = true;
        memcpy(link->parent, hash, sizeof link->parent);
        link->has_before = true;
        link->before = job->manifest.after;
        snap_buffer_drop(&link->lines, job->lines.size);
    }
}

enum snap_status snap_run_line(struct snap_run *run, const struct snap_buffer *line, bool genesis,
                               uint64_t step, const struct snap_chain_heads *heads,
                               struct snap_error *err)
{
    bool met_own;
    bool met_given;
    enum snap_status status = snap_run_meet(run, &run->given, line, genesis, step, &met_given, err);
    if (status == SNAP_OK)
        status = snap_run_meet(run, &run->own, line, genesis, step, &met_own, err);
    bool kept = run->store != NULL || (run->archive_path == NULL && !snap_run_follows(run));
    if (status == SNAP_OK && kept)
        status = snap_buffer_reserve(&run->link.lines, line->size, err);
    if (status == SNAP_OK && run->store != NULL && !met_own)
        status = snap_ledger_file_append(&run->ledger_file, line->data, line->size, err);
    if (status != SNAP_OK)
        return status;
    run->own.next += met_own;
    run->given.next += met_given;
    if (run->own_ledger != NULL && run->own.next == snap_ledger_line_count(run->own_ledger)) {
        snap_ledger_free(run->own_ledger);
        run->own_ledger = NULL;
        run->own.ledger = NULL;
    }
    struct snap_parent_link *link = &run->link;
    if (link->has_latest) {
        link->has_parent = true;
        memcpy(link->parent, link->latest, sizeof link->parent);
        link->has_before = true;
        link->before = run->heads;
        link->has_latest = false;
        snap_buffer_clear(&link->lines);
    }
    if (kept) {
        status = snap_buffer_append(&link->lines, line->data, line->size, err);
        if (status != SNAP_OK) /* there is room: it was reserved, or freed by the clear */
            return status;
    }
    run->heads = *heads;
    return SNAP_OK;
}

/* ---- the genesis line ---- */

static enum snap_status genesis_parts(struct snap_run *run, json_t *host, json_t *floats,
                                      struct snap_error *err)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    enum snap_status status = snap_json_set(host, "data", snap_data_files_json(&run->data), err);
    if (status == SNAP_OK)
        status = snap_json_set(
            host, "parent",
            run->genesis_parent == NULL ? json_null() : json_incref(run->genesis_parent), err);
    if (status == SNAP_OK && run->genesis_parent == NULL && run->steps_done > 0)
        status = snap_json_set(host, "step", snap_json_u64(run->steps_done), err);
    if (status == SNAP_OK)
        status =
            snap_json_set(host, "training",
                          run->training == NULL ? json_null() : json_incref(run->training), err);
    if (status == SNAP_OK)
        status = snap_json_set(floats, "binding", json_incref(run->binding), err);
    if (status == SNAP_OK)
        status = snap_json_set(floats, "profile", json_string(run->profile), err);
    if (status == SNAP_OK)
        status = snap_run_state_digest(run, digest, err);
    if (status == SNAP_OK)
        status = snap_json_set(floats, "state", snap_json_digest("tree1", digest), err);
    return status;
}

static enum snap_status make_genesis(struct snap_run *run, struct snap_chain_heads *heads,
                                     struct snap_buffer *line, struct snap_error *err)
{
    json_t *host = json_object();
    json_t *floats = json_object();
    enum snap_status status = genesis_parts(run, host, floats, err);
    if (status == SNAP_OK)
        status = snap_ledger_genesis_encode(host, floats, heads, line, err);
    json_decref(host);
    json_decref(floats);
    return status;
}

static enum snap_status check_order(const struct snap_run *run, struct snap_error *err)
{
    if (run->restore_called)
        return SNAP_OK;
    if (run->archive_path != NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: begin: an archive was given: call "
                              "snap_run_restore first",
                              snap_run_label(run));
    if (run->has_snapshots)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: begin: the folder holds snapshots of a run: "
                              "call snap_run_restore first",
                              snap_run_label(run));
    return SNAP_OK;
}

/* The genesis line under profile none, against the one that is there: the host parts must be equal,
 * floats may be others. */
static enum snap_status compare_host(struct snap_run *run, const struct snap_ledger *ledger,
                                     const struct snap_buffer *line, struct snap_error *err)
{
    struct snap_float_deviation unused = SNAP_FLOAT_DEVIATION_INIT;
    return snap_run_meet_host(run, snap_ledger_line(ledger, 0, NULL), (const char *)line->data,
                              true, run->steps_done, &unused, err);
}

/* A run without a snapshot begins again under profile none: nothing says that its lines come again,
 * and so they are taken off the ledger, the genesis line too when its float part is another now. */
static enum snap_status begin_anew(struct snap_run *run, struct snap_ledger **ledger,
                                   const struct snap_buffer *line, struct snap_ledger_mend *mend,
                                   struct snap_error *err)
{
    size_t size;
    const char *genesis = snap_ledger_line(*ledger, 0, &size);
    struct snap_ledger *kept = NULL;
    bool equal = size == line->size && memcmp(genesis, line->data, size) == 0;
    enum snap_status status = compare_host(run, *ledger, line, err);
    if (status == SNAP_OK && equal)
        status = snap_ledger_decode(genesis, size, run->ledger_path, &kept, err);
    if (status == SNAP_OK)
        status = snap_ledger_mend_drop(mend, *ledger, equal ? 1 : 0, err);
    if (status != SNAP_OK) {
        snap_ledger_free(kept);
        return status;
    }
    snap_ledger_free(*ledger);
    *ledger = kept;
    return SNAP_OK;
}

static enum snap_status begin_here(struct snap_run *run, struct snap_error *err)
{
    if (run->begun)
        return SNAP_OK;
    struct snap_buffer line = SNAP_BUFFER_INIT;
    struct snap_chain_heads heads;
    struct snap_ledger *ledger = NULL;
    struct snap_ledger_mend mend = { 0, 0, NULL };
    enum snap_status status = check_order(run, err);
    if (status == SNAP_OK)
        status = snap_run_freeze(run, err);
    if (status == SNAP_OK && run->store != NULL)
        status = snap_run_ledger_read(run, &ledger, &mend, err);
    if (status == SNAP_OK)
        status = make_genesis(run, &heads, &line, err);
    if (status == SNAP_OK && ledger != NULL && strcmp(run->profile, "none") == 0)
        status = begin_anew(run, &ledger, &line, &mend, err);
    if (status == SNAP_OK) {
        snap_ledger_free(run->own_ledger);
        run->own_ledger = ledger;
        run->own = (struct snap_expectation){ ledger, 0, false };
        ledger = NULL;
    }
    /* A ledger that begins otherwise is left as it is. */
    if (status == SNAP_OK && run->own_ledger != NULL) {
        bool met;
        status = snap_run_meet(run, &run->own, &line, true, run->steps_done, &met, err);
    }
    if (status == SNAP_OK && run->store != NULL && run->ledger_file.fd < 0) {
        status = snap_run_ledger_start(run, &mend, err);
        if (status == SNAP_OK)
            status = snap_run_ledger_mend(run, &mend, err);
        if (status != SNAP_OK)
            snap_ledger_file_close(&run->ledger_file, NULL); /* nothing was written through it */
    }
    if (status == SNAP_OK)
        status = snap_run_line(run, &line, true, run->steps_done, &heads, err);
    if (status == SNAP_OK) {
        snap_hex_encode(heads.run, SNAP_RUN_ID_DIGITS / 2, run->run_id);
        run->begun = true;
    }
    snap_ledger_free(ledger);
    snap_ledger_mend_release(&mend);
    snap_buffer_release(&line);
    return status;
}

enum snap_status snap_run_begin(struct snap_run *run, enum snap_status status,
                                struct snap_error *err)
{
    if (status == SNAP_OK)
        status = begin_here(run, err);
    return run->heads_shared ? status : snap_run_share_heads(run, status, err);
}

/* ---- the line of a step ---- */

struct snap_scalar snap_scalar_f32(const char *name, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (struct snap_scalar){ name, SNAP_SCALAR_F32, bits };
}

struct snap_scalar snap_scalar_f64(const char *name, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (struct snap_scalar){ name, SNAP_SCALAR_F64, bits };
}

struct snap_scalar snap_scalar_int(const char *name, uint64_t value)
{
    return (struct snap_scalar){ name, SNAP_SCALAR_INT, value };
}

static json_t *scalar_value(const struct snap_scalar *scalar)
{
    char text[17];
    if (scalar->type == SNAP_SCALAR_INT)
        return json_integer((json_int_t)scalar->bits);
    if (scalar->type == SNAP_SCALAR_F32)
        snap_hex_encode_u32((uint32_t)scalar->bits, text);
    else
        snap_hex_encode_u64(scalar->bits, text);
    return json_string(text);
}

static enum snap_status add_scalars(json_t *part, const struct snap_scalar *scalars, size_t count,
                                    struct snap_error *err)
{
    json_t *object = json_object();
    enum snap_status status = snap_json_set(part, "scalars", object, err);
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        const struct snap_scalar *scalar = &scalars[i];
        if (scalar->name == NULL || scalar->name[0] == '\0' ||
            !snap_utf8_is_valid(scalar->name, strlen(scalar->name)) ||
            scalar->type < SNAP_SCALAR_F32 || scalar->type > SNAP_SCALAR_INT)
            return snap_error_set(err, SNAP_INVALID,
                                  "step: scalar %zu: no name in UTF-8, or no "
                                  "type",
                                  i);
        if (json_object_get(object, scalar->name) != NULL)
            return snap_error_set(err, SNAP_INVALID, "step: scalar %.100s: is there twice",
                                  scalar->name);
        /* A decimal string could be taken for the bits of a double. */
        if (scalar->type == SNAP_SCALAR_INT && scalar->bits > (uint64_t)SNAP_MAX_JSON_INTEGER)
            return snap_error_set(err, SNAP_INVALID, "step: scalar %.100s: an integer past 2^53",
                                  scalar->name);
        status = snap_json_set(object, scalar->name, scalar_value(scalar), err);
    }
    return status;
}

static enum snap_status add_draws(const struct snap_run *run, json_t *host, json_t *floats,
                                  struct snap_error *err)
{
    json_t *host_draws = json_object();
    json_t *float_draws = json_object();
    enum snap_status status = snap_json_set(host, "draws", host_draws, err);
    if (status == SNAP_OK)
        status = snap_json_set(floats, "draws", float_draws, err);
    else
        json_decref(float_draws);
    for (size_t i = 0; status == SNAP_OK && i < run->inventory.stream_count; i++) {
        const struct snap_inventory_stream *stream = &run->inventory.streams[i];
        if (stream->ops->words_drawn == NULL)
            continue;
        uint64_t words = stream->ops->words_drawn(stream->arg) - stream->words_before;
        status = snap_json_set(stream->on_device ? float_draws : host_draws, stream->name,
                               snap_json_u64(words), err);
    }
    return status;
}

static const char *role_name(enum snap_tensor_role role)
{
    switch (role) {
    case SNAP_TENSOR_OUTPUT:
        return SNAP_LEDGER_OUTPUT;
    case SNAP_TENSOR_GRADIENT:
        return SNAP_LEDGER_GRADIENT;
    case SNAP_TENSOR_WEIGHT:
        return SNAP_LEDGER_WEIGHT;
    default:
        return NULL;
    }
}

static enum snap_status add_tensors(json_t *floats, const struct snap_tensor_digest *tensors,
                                    size_t count, struct snap_error *err)
{
    json_t *list = json_array();
    enum snap_status status = snap_json_set(floats, SNAP_LEDGER_TENSORS, list, err);
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        const char *role = role_name(tensors[i].role);
        const char *name = tensors[i].name;
        if (role == NULL || name == NULL || name[0] == '\0' ||
            !snap_utf8_is_valid(name, strlen(name)))
            return snap_error_set(err, SNAP_INVALID,
                                  "step: tensor digest %zu: no role, or no name in UTF-8", i);
        json_t *item =
            json_pack("[s, s, o]", role, name, snap_json_digest(NULL, tensors[i].sha256));
        status = snap_json_append(list, item, err);
    }
    return status;
}

static enum snap_status step_parts(struct snap_run *run, const struct snap_step_record *record,
                                   json_t *host, json_t *floats, struct snap_error *err)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    enum snap_status status = snap_json_set(host, "step", snap_json_u64(record->step), err);
    if (status == SNAP_OK)
        status = snap_json_set(host, "epoch", snap_json_u64(record->epoch), err);
    if (status == SNAP_OK && record->sample_digest != NULL)
        status = snap_json_set(host, "samples", snap_json_digest(NULL, record->sample_digest), err);
    if (status == SNAP_OK && record->batch_digest != NULL)
        status = snap_json_set(host, "batch", snap_json_digest(NULL, record->batch_digest), err);
    if (status == SNAP_OK)
        status = add_draws(run, host, floats, err);
    if (status == SNAP_OK)
        status = add_scalars(host, record->host_scalars, record->host_scalar_count, err);
    if (status == SNAP_OK)
        status = add_scalars(floats, record->float_scalars, record->float_scalar_count, err);
    if (status == SNAP_OK && record->skipped)
        status = snap_json_set(floats, "skipped", json_true(), err);
    if (status == SNAP_OK && record->tensor_digest_count > 0)
        status = add_tensors(floats, record->tensor_digests, record->tensor_digest_count, err);
    if (status == SNAP_OK && run->state_every > 0 && record->step % run->state_every == 0) {
        status = snap_run_state_digest(run, digest, err);
        if (status == SNAP_OK)
            status = snap_json_set(floats, "state", snap_json_digest("tree1", digest), err);
    }
    return status;
}

enum snap_status snap_run_step(struct snap_run *run, const struct snap_step_record *record,
                               struct snap_error *err)
{
    if (run == NULL || record == NULL || record->size_bytes != sizeof *record ||
        (record->host_scalar_count > 0 && record->host_scalars == NULL) ||
        (record->float_scalar_count > 0 && record->float_scalars == NULL) ||
        (record->tensor_digest_count > 0 && record->tensor_digests == NULL))
        return snap_error_set(err, SNAP_INVALID,
                              "step: no run or record, or a record that is not "
                              "SNAP_STEP_RECORD_INIT");
    if (!run->in_step)
        return snap_error_set(err, SNAP_INVALID,
                              "step %" PRIu64 ": record: snap_run_begin_step was "
                              "not called",
                              record->step);
    if (record->step != run->steps_done + 1)
        return snap_error_set(err, SNAP_INVALID,
                              "step %" PRIu64 ": record: step %" PRIu64 " is the next",
                              record->step, run->steps_done + 1);
    enum snap_status status = snap_run_check_saves(run, err);
    enum snap_status shared = snap_rank_streams_share(run, status == SNAP_OK ? err : NULL);
    if (status == SNAP_OK)
        status = shared;
    if (status != SNAP_OK)
        return status;
    struct snap_buffer line = SNAP_BUFFER_INIT;
    struct snap_chain_heads heads;
    json_t *host = json_object();
    json_t *floats = json_object();
    run->has_difference = false;
    status = step_parts(run, record, host, floats, err);
    if (status == SNAP_OK)
        status = snap_ledger_step_encode(&run->heads, host, floats, &heads, &line, err);
    if (status == SNAP_OK)
        status = snap_run_line(run, &line, false, record->step, &heads, err);
    if (status == SNAP_OK) {
        run->steps_done = record->step;
        run->in_step = false;
        run->updating = false;
    }
    json_decref(host);
    json_decref(floats);
    snap_buffer_release(&line);
    return status;
}
