/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "restore/receipt_build.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "receipt: out of memory");
}

const char *snap_tier_name(enum snap_tier tier)
{
    switch (tier) {
    case SNAP_TIER_EXACT:
        return "exact";
    case SNAP_TIER_STREAMS:
        return "streams";
    case SNAP_TIER_WEIGHTS:
        return "weights";
    default:
        return "none";
    }
}

enum snap_status snap_receipt_new(const struct snap_archive *archive, struct snap_receipt **receipt,
                                  struct snap_error *err)
{
    struct snap_receipt *made = calloc(1, sizeof *made);
    if (made == NULL)
        return no_memory(err);
    made->tier = SNAP_TIER_EXACT;
    made->step = snap_archive_step(archive);
    snprintf(made->snapshot_hash, sizeof made->snapshot_hash, "%s",
             snap_archive_snapshot_hash(archive));
    snprintf(made->state_hash, sizeof made->state_hash, "%s", snap_archive_state_hash(archive));
    made->components = json_array();
    made->reasons = json_array();
    if (made->components == NULL || made->reasons == NULL) {
        snap_receipt_free(made);
        return no_memory(err);
    }
    *receipt = made;
    return SNAP_OK;
}

void snap_receipt_free(struct snap_receipt *receipt)
{
    if (receipt == NULL)
        return;
    json_decref(receipt->components);
    json_decref(receipt->reasons);
    snap_buffer_release(&receipt->json);
    snap_buffer_release(&receipt->table);
    free(receipt);
}

enum snap_tier snap_receipt_tier(const struct snap_receipt *receipt)
{
    return receipt == NULL ? SNAP_TIER_NONE : receipt->tier;
}

uint64_t snap_receipt_step(const struct snap_receipt *receipt)
{
    return receipt->step;
}

const char *snap_receipt_snapshot_hash(const struct snap_receipt *receipt)
{
    return receipt->snapshot_hash;
}

const char *snap_receipt_state_hash(const struct snap_receipt *receipt)
{
    return receipt->state_hash;
}

const char *snap_receipt_json(const struct snap_receipt *receipt)
{
    return (const char *)receipt->json.data;
}

const char *snap_receipt_table(const struct snap_receipt *receipt)
{
    return (const char *)receipt->table.data;
}

enum snap_status snap_receipt_add(struct snap_receipt *receipt, const char *kind, const char *name,
                                  const char *action, const char *why, struct snap_error *err)
{
    json_t *component = json_pack("{s:s, s:s, s:s, s:s*}", "action", action, "kind", kind, "name",
                                  name, "why", why);
    return snap_json_append(receipt->components, component, err);
}

enum snap_status snap_receipt_restored(struct snap_receipt *receipt, size_t index,
                                       const unsigned char sha256[SNAP_DIGEST_BYTES],
                                       struct snap_error *err)
{
    json_t *component = json_array_get(receipt->components, index);
    json_t *digests = json_object_get(component, "digests");
    enum snap_status status = SNAP_OK;
    if (digests == NULL) {
        digests = json_array();
        status = snap_json_set(component, "digests", digests, err);
    }
    if (status == SNAP_OK)
        status = snap_json_set(component, "action", json_string("restored"), err);
    if (status == SNAP_OK)
        status = snap_json_append(digests, snap_json_digest(NULL, sha256), err);
    return status;
}

enum snap_status snap_receipt_lower(struct snap_receipt *receipt, enum snap_tier tier,
                                    struct snap_error *err, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    snap_text_clean_format(text, sizeof text, format, arguments); /* names may be hostile */
    va_end(arguments);
    if (tier < receipt->tier)
        receipt->tier = tier;
    return snap_json_append(receipt->reasons, json_string(text), err);
}

/* ---- the two texts ---- */

static enum snap_status make_json(struct snap_receipt *receipt, enum snap_tier required,
                                  bool restored, const struct snap_archive *archive,
                                  struct snap_error *err)
{
    json_t *document = json_pack(
        "{s:O, s:s, s:s, s:O, s:s, s:b, s:s, s:s, s:s, s:o, s:s}", "components",
        receipt->components, "format", "snap-receipt-1", "profile", snap_archive_profile(archive),
        "reasons", receipt->reasons, "required", snap_tier_name(required), "restored", restored,
        "run_id", snap_archive_run_id(archive), "snapshot", receipt->snapshot_hash, "state",
        receipt->state_hash, "step", snap_json_u64(receipt->step), "tier",
        snap_tier_name(receipt->tier));
    enum snap_status status = snap_json_encode(document, &receipt->json, err);
    json_decref(document);
    return status;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static enum snap_status add_row(struct snap_buffer *table, const json_t *component, int width,
                                struct snap_error *err)
{
    const json_t *digests = json_object_get(component, "digests");
    const char *digest = json_string_value(json_array_get(digests, 0));
    const char *why = text_of(component, "why");
    char name[200];
    snap_text_clean(text_of(component, "name"), name, sizeof name);
    enum snap_status status =
        snap_buffer_appendf(table, err, "%-*s  %-8s  %-8s", width, name, text_of(component, "kind"),
                            text_of(component, "action"));
    if (status == SNAP_OK && digest != NULL)
        status = snap_buffer_appendf(table, err, "  %.16s", digest);
    if (status == SNAP_OK && json_array_size(digests) > 1)
        status =
            snap_buffer_appendf(table, err, " and %zu more parts", json_array_size(digests) - 1);
    if (status == SNAP_OK && why[0] != '\0')
        status = snap_buffer_appendf(table, err, "  %s", why);
    if (status == SNAP_OK)
        status = snap_buffer_append_text(table, "\n", err);
    return status;
}

static enum snap_status make_table(struct snap_receipt *receipt, enum snap_tier required,
                                   bool restored, struct snap_error *err)
{
    struct snap_buffer *table = &receipt->table;
    enum snap_status status = SNAP_OK;
    size_t count = json_array_size(receipt->components);
    int width = 9;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = strlen(text_of(json_array_get(receipt->components, i), "name"));
        if (bytes > (size_t)width)
            width = bytes < 60 ? (int)bytes : 60;
    }
    status = snap_buffer_appendf(table, err, "%-*s  %-8s  %-8s  %s\n", width, "component", "kind",
                                 "done", "SHA-256 of what is in memory");
    for (size_t i = 0; status == SNAP_OK && i < count; i++)
        status = add_row(table, json_array_get(receipt->components, i), width, err);
    if (status == SNAP_OK)
        status = snap_buffer_appendf(table, err, "tier: %s (required: %s)%s\n",
                                     snap_tier_name(receipt->tier), snap_tier_name(required),
                                     restored ? "" : "; nothing was changed");
    for (size_t i = 0; status == SNAP_OK && i < json_array_size(receipt->reasons); i++)
        status = snap_buffer_appendf(table, err, "  because %s\n",
                                     json_string_value(json_array_get(receipt->reasons, i)));
    return status;
}

enum snap_status snap_receipt_finish(struct snap_receipt *receipt, enum snap_tier required,
                                     bool restored, const struct snap_archive *archive,
                                     struct snap_error *err)
{
    enum snap_status status = make_json(receipt, required, restored, archive, err);
    if (status == SNAP_OK)
        status = make_table(receipt, required, restored, err);
    return status;
}
