/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "verify/verdict.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "verify: out of memory");
}

enum snap_status snap_verdict_new(struct snap_verdict **verdict, struct snap_error *err)
{
    struct snap_verdict *made = calloc(1, sizeof *made);
    if (made == NULL)
        return no_memory(err);
    made->cause = (struct snap_error)SNAP_ERROR_INIT;
    made->checks = json_array();
    made->withheld = json_array();
    made->parts = json_array();
    if (made->checks == NULL || made->withheld == NULL || made->parts == NULL) {
        snap_verdict_free(made);
        return no_memory(err);
    }
    *verdict = made;
    return SNAP_OK;
}

void snap_verdict_free(struct snap_verdict *verdict)
{
    if (verdict == NULL)
        return;
    json_decref(verdict->checks);
    json_decref(verdict->withheld);
    json_decref(verdict->hashes);
    json_decref(verdict->parts);
    snap_buffer_release(&verdict->json);
    snap_buffer_release(&verdict->text);
    free(verdict);
}

static enum snap_status add_check(struct snap_verdict *verdict, const char *result,
                                  const char *check, const char *text, struct snap_error *err)
{
    return snap_json_append(
        verdict->checks,
        json_pack("{s:s, s:s, s:s}", "check", check, "result", result, "text", text), err);
}

enum snap_status snap_verdict_ok(struct snap_verdict *verdict, bool note, struct snap_error *err,
                                 const char *check, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    snap_text_clean_format(text, sizeof text, format, arguments);
    va_end(arguments);
    return add_check(verdict, note ? "note" : "ok", check, text, err);
}

/* Larger is worse; 0: no verdict. */
static int severity(enum snap_status status)
{
    switch (status) {
    case SNAP_ABSENT:
        return 1;
    case SNAP_DIFFERS:
        return 2;
    case SNAP_NOT_FOUND:
        return 3;
    case SNAP_UNSUPPORTED:
        return 4;
    case SNAP_CORRUPT:
        return 5;
    default:
        return 0;
    }
}

enum snap_status snap_verdict_failed(struct snap_verdict *verdict, const char *check,
                                     enum snap_status status, const struct snap_error *cause,
                                     struct snap_error *err)
{
    if (severity(status) == 0) {
        if (err != NULL)
            *err = *cause;
        return status;
    }
    if (severity(status) > severity(verdict->worst)) {
        verdict->worst = status;
        verdict->cause = *cause;
        verdict->cause.status = status;
    }
    return add_check(verdict, "failed", check, cause->text, err);
}

enum snap_status snap_verdict_hashes(struct snap_verdict *verdict,
                                     const struct snap_archive *archive, struct snap_error *err)
{
    json_decref(verdict->hashes);
    verdict->hashes =
        json_pack("{s:s, s:s, s:s, s:o}", "run", snap_archive_run_hash(archive), "snapshot",
                  snap_archive_snapshot_hash(archive), "state", snap_archive_state_hash(archive),
                  "step", snap_json_u64(snap_archive_step(archive)));
    return verdict->hashes != NULL ? SNAP_OK : no_memory(err);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

/* ---- parts ---- */

static const char *standing_name(enum snap_standing standing)
{
    return standing == SNAP_STANDING_PROVEN ? "proven"
           : standing == SNAP_STANDING_TRUST ? "taken on trust"
                                             : "absent";
}

static enum snap_status add_part(struct snap_verdict *verdict, enum snap_standing standing,
                                 const char *part, const char *text, struct snap_error *err)
{
    return snap_json_append(verdict->parts,
                            json_pack("{s:s, s:s, s:s}", "part", part, "standing",
                                      standing_name(standing), "text", text),
                            err);
}

enum snap_status snap_verdict_part(struct snap_verdict *verdict, enum snap_standing standing,
                                   struct snap_error *err, const char *part, const char *format,
                                   ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    snap_text_clean_format(text, sizeof text, format, arguments);
    va_end(arguments);
    return add_part(verdict, standing, part, text, err);
}

/* Proven first, absent last: in words for people. */
static enum snap_status parts_text(struct snap_verdict *verdict, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (int standing = SNAP_STANDING_PROVEN; standing <= SNAP_STANDING_ABSENT; standing++) {
        const char *name = standing_name((enum snap_standing)standing);
        for (size_t i = 0; status == SNAP_OK && i < json_array_size(verdict->parts); i++) {
            const json_t *part = json_array_get(verdict->parts, i);
            if (strcmp(text_of(part, "standing"), name) == 0)
                status = snap_buffer_appendf(&verdict->text, err, "%-14s  %s: %s\n", name,
                                             text_of(part, "part"), text_of(part, "text"));
        }
    }
    return status;
}

static enum snap_status make_text(struct snap_verdict *verdict, struct snap_error *err)
{
    struct snap_buffer *out = &verdict->text;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < json_array_size(verdict->checks); i++) {
        const json_t *check = json_array_get(verdict->checks, i);
        status = snap_buffer_appendf(out, err, "%-6s  %s: %s\n", text_of(check, "result"),
                                     text_of(check, "check"), text_of(check, "text"));
    }
    if (status == SNAP_OK && verdict->hashes != NULL)
        status =
            snap_buffer_appendf(out, err, "%s\n%s\n%s\n", text_of(verdict->hashes, "snapshot"),
                                text_of(verdict->hashes, "state"), text_of(verdict->hashes, "run"));
    if (status == SNAP_OK)
        status = parts_text(verdict, err);
    if (status == SNAP_OK)
        status = snap_buffer_appendf(out, err, "verdict: %s\n",
                                     verdict->worst == SNAP_OK ? "intact"
                                                               : snap_status_name(verdict->worst));
    return status;
}

static enum snap_status make_texts(struct snap_verdict *verdict, struct snap_error *err)
{
    snap_buffer_clear(&verdict->json);
    snap_buffer_clear(&verdict->text);
    json_t *document =
        json_pack("{s:O, s:s, s:O?, s:s, s:O, s:s, s:O}", "checks", verdict->checks, "format",
                  "snap-verdict-1", "hashes", verdict->hashes, "kind", verdict->kind, "parts",
                  verdict->parts, "status", snap_status_name(verdict->worst), "withheld",
                  verdict->withheld);
    enum snap_status status = snap_json_encode(document, &verdict->json, err);
    json_decref(document);
    return status == SNAP_OK ? make_text(verdict, err) : status;
}

static void remove_execution(struct snap_verdict *verdict)
{
    for (size_t i = json_array_size(verdict->parts); i-- > 0;)
        if (strcmp(text_of(json_array_get(verdict->parts, i), "part"), "execution") == 0)
            json_array_remove(verdict->parts, i);
}

enum snap_status snap_verdict_host_replayed(struct snap_verdict *verdict, const char *why,
                                            const char *host, const char *floats,
                                            struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    remove_execution(verdict);
    snap_error_set(&cause, SNAP_ABSENT, "only the host part could be made again here: %s", why);
    enum snap_status status = snap_verdict_failed(verdict, "replay", SNAP_ABSENT, &cause, err);
    if (status == SNAP_OK)
        status = snap_verdict_part(verdict, SNAP_STANDING_PROVEN, err, "host part", "%s", host);
    if (status == SNAP_OK)
        status = snap_verdict_part(verdict, SNAP_STANDING_TRUST, err, "execution", "%s", floats);
    if (status == SNAP_OK)
        status = make_texts(verdict, err);
    return status == SNAP_OK ? snap_error_set(err, SNAP_ABSENT, "%s", cause.text) : status;
}

enum snap_status snap_verdict_replayed(struct snap_verdict *verdict, enum snap_status outcome,
                                       const char *text, const char *rest, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    remove_execution(verdict);
    snap_error_set(&cause, outcome, "%s", text);
    enum snap_status status =
        outcome == SNAP_OK
            ? snap_verdict_part(verdict, SNAP_STANDING_PROVEN, err, "execution", "%s", text)
            : snap_verdict_failed(verdict, "replay", outcome, &cause, err);
    if (status == SNAP_OK && outcome != SNAP_OK)
        status = snap_verdict_part(verdict, SNAP_STANDING_ABSENT, err, "execution",
                                   "a stretch that was made again did not come out as recorded");
    if (status == SNAP_OK && rest != NULL)
        status = snap_verdict_part(verdict, SNAP_STANDING_TRUST, err, "execution", "%s", rest);
    return status == SNAP_OK ? make_texts(verdict, err) : status;
}

enum snap_status snap_verdict_finish(struct snap_verdict *verdict, const char *kind,
                                     const char *target, struct snap_error *err)
{
    snprintf(verdict->kind, sizeof verdict->kind, "%s", kind);
    enum snap_status status = make_texts(verdict, err);
    if (status != SNAP_OK)
        return status;
    /* In the list of checks the object is plain; the text alone must name it. */
    if (verdict->worst != SNAP_OK && strstr(verdict->cause.text, target) == NULL)
        snap_error_set(err, verdict->worst, "%s: %s", target, verdict->cause.text);
    else if (verdict->worst != SNAP_OK && err != NULL)
        *err = verdict->cause;
    return verdict->worst;
}

enum snap_status snap_verdict_give(struct snap_verdict *made, enum snap_status status,
                                   const char *kind, const char *target,
                                   struct snap_verdict **verdict, struct snap_error *err)
{
    bool judged = status == SNAP_OK;
    if (judged)
        status = snap_verdict_finish(made, kind, target, err);
    if (judged && verdict != NULL && made->text.data != NULL && made->json.data != NULL) {
        *verdict = made;
        made = NULL;
    }
    snap_verdict_free(made);
    return status;
}

const char *snap_verdict_json(const struct snap_verdict *verdict)
{
    return (const char *)verdict->json.data;
}

const char *snap_verdict_text(const struct snap_verdict *verdict)
{
    return (const char *)verdict->text.data;
}
