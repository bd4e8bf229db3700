/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer's side: a job becomes documents. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "format/archive_write.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "save/handover.h"

static uint64_t padded(uint64_t size)
{
    return (size + SNAP_HANDOVER_ALIGN - 1) / SNAP_HANDOVER_ALIGN * SNAP_HANDOVER_ALIGN;
}

static bool is_staged(const struct snap_staging *staging, const struct snap_write_member *member)
{
    const unsigned char *data = member->data;
    return staging->base != NULL && data >= staging->base &&
           data < staging->base + staging->capacity;
}

/* A place for each member, in the order of the file, which is that of the job by now. *bytes: what
 * the documents behind the head take. */
static enum snap_status make_places(const struct snap_run *run, const struct snap_save_job *job,
                                    json_t *places, uint64_t *bytes, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    *bytes = 0;
    for (size_t i = 0; status == SNAP_OK && i < job->member_count; i++) {
        const struct snap_write_member *member = &job->members[i];
        bool staged = member->size > 0 && is_staged(&run->staging, member);
        uint64_t offset = *bytes;
        if (staged)
            offset = (uint64_t)((const unsigned char *)member->data - run->staging.base);
        else
            *bytes += padded(member->size);
        status = snap_json_append(places,
                                  json_pack("[i, o]", staged ? SNAP_IN_STAGING : SNAP_IN_DOCUMENTS,
                                            snap_json_u64(offset)),
                                  err);
    }
    return status;
}

/* Steps whose snapshots stay, whatever rules the other side has. */
static json_t *encode_held(const struct snap_held *held)
{
    json_t *steps = json_array();
    for (size_t i = 0; steps != NULL && i < held->count; i++)
        if (json_array_append_new(steps, snap_json_u64(held->steps[i])) != 0) {
            json_decref(steps);
            return NULL;
        }
    return steps;
}

/* manifest.json of the archive that the job becomes, as a value. The plan sorts the members. */
static enum snap_status make_manifest(const struct snap_save_job *job, json_t **manifest,
                                      struct snap_error *err)
{
    struct snap_archive_plan *plan = NULL;
    enum snap_status status =
        snap_archive_plan_new(&job->manifest, job->members, job->member_count, &plan, err);
    if (status == SNAP_OK) {
        const struct snap_buffer *text = snap_archive_plan_manifest(plan);
        status = snap_json_decode(text->data, text->size, "manifest.json", manifest, err);
    }
    snap_archive_plan_free(plan);
    return status;
}

static enum snap_status make_head(const struct snap_run *run, const struct snap_save_job *job,
                                  struct snap_buffer *text, uint64_t *bytes,
                                  struct snap_error *err)
{
    json_t *manifest = NULL;
    json_t *places = json_array();
    json_t *head = NULL;
    enum snap_status status = make_manifest(job, &manifest, err);
    if (status == SNAP_OK)
        status = make_places(run, job, places, bytes, err);
    if (status == SNAP_OK)
        head = json_pack("{s:o, s:s, s:o, s:b, s:O, s:s, s:b, s:O, s:o, s:o, s:o, s:o}", "began_ms",
                         snap_json_u64(job->began_ms), "format", SNAP_HANDOVER_FORMAT, "held",
                         encode_held(&job->held), "keep_latest", job->keep_latest, "manifest",
                         manifest, "name", job->name, "no_read_back", run->no_read_back, "places",
                         places, "stall_ms", snap_json_u64(job->stall_ms), "thin",
                         snap_json_u64(run->thin), "volume_size", snap_json_u64(run->volume_size),
                         "written", snap_written_encode(&job->before));
    if (status == SNAP_OK)
        status = head == NULL ? snap_error_set(err, SNAP_NO_MEMORY, "handover: out of memory")
                              : snap_json_encode(head, text, err);
    if (status == SNAP_OK && text->size > SNAP_MAX_HANDOVER_HEAD_BYTES)
        status = snap_error_set(err, SNAP_INVALID, "handover: its head is larger than allowed");
    json_decref(head);
    json_decref(places);
    json_decref(manifest);
    return status;
}

enum snap_status snap_handover_encode(const struct snap_run *run, const struct snap_save_job *job,
                                      struct snap_sealed_memory *documents, uint64_t *head_bytes,
                                      struct snap_error *err)
{
    struct snap_sealed_memory made = SNAP_SEALED_MEMORY_INIT;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    uint64_t bytes = 0;
    enum snap_status status = make_head(run, job, &text, &bytes, err);
    if (status == SNAP_OK)
        status = snap_sealed_memory_new("snap-documents", padded(text.size) + bytes, &made, err);
    if (status == SNAP_OK) {
        unsigned char *place = made.base + padded(text.size);
        memcpy(made.base, text.data, text.size);
        for (size_t i = 0; i < job->member_count; i++) {
            const struct snap_write_member *member = &job->members[i];
            if (member->size == 0 || is_staged(&run->staging, member))
                continue;
            memcpy(place, member->data, (size_t)member->size);
            place += padded(member->size);
        }
        status = snap_sealed_memory_seal(&made, err);
    }
    if (status == SNAP_OK) {
        *documents = made;
        *head_bytes = text.size;
    } else {
        snap_sealed_memory_release(&made);
    }
    snap_buffer_release(&text);
    return status;
}
