/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/text.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "format/listing.h"
#include "format/manifest.h"
#include "format/member_name.h"
#include "format/name_set.h"

#define WHAT "manifest.json"

static enum snap_status out_of_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": out of memory");
}

json_t *snap_coverage_new(void)
{
    return json_pack("{s[]s[]}", "captured", "not_captured");
}

enum snap_status snap_coverage_add(json_t *coverage, const char *captured, struct snap_error *err)
{
    if (!snap_utf8_is_valid(captured, strlen(captured)))
        return snap_error_set(err, SNAP_INVALID, "coverage: \"%s\" is not UTF-8", captured);
    return snap_json_append(json_object_get(coverage, "captured"), json_string(captured), err);
}

enum snap_status snap_coverage_add_not(json_t *coverage, const char *name, const char *reason,
                                       struct snap_error *err)
{
    if (!snap_utf8_is_valid(name, strlen(name)) || !snap_utf8_is_valid(reason, strlen(reason)))
        return snap_error_set(err, SNAP_INVALID, "coverage: \"%s\" (\"%s\") is not UTF-8", name,
                              reason);
    return snap_json_append(json_object_get(coverage, "not_captured"),
                            json_pack("{ssss}", "name", name, "reason", reason), err);
}

static bool is_run_id(const char *text)
{
    return strlen(text) == SNAP_RUN_ID_DIGITS &&
           strspn(text, "0123456789abcdef") == SNAP_RUN_ID_DIGITS;
}

static enum snap_status check_coverage(const json_t *coverage, struct snap_error *err)
{
    static const char what[] = WHAT ": coverage";
    const json_t *captured = NULL;
    const json_t *not_captured = NULL;
    const char *text;
    enum snap_status status = snap_json_check_keys(coverage, "captured not_captured", what, err);
    if (status == SNAP_OK)
        status = snap_json_field(coverage, "captured", JSON_ARRAY, what, &captured, err);
    if (status == SNAP_OK)
        status = snap_json_field(coverage, "not_captured", JSON_ARRAY, what, &not_captured, err);
    for (size_t i = 0; i < json_array_size(captured) && status == SNAP_OK; i++)
        if (!json_is_string(json_array_get(captured, i)))
            status = snap_error_set(err, SNAP_CORRUPT, "%s: \"captured\": expected names", what);
    for (size_t i = 0; i < json_array_size(not_captured) && status == SNAP_OK; i++) {
        const json_t *entry = json_array_get(not_captured, i);
        status = snap_json_check_keys(entry, "name reason", what, err);
        if (status == SNAP_OK)
            status = snap_json_field_string(entry, "name", what, &text, err);
        if (status == SNAP_OK)
            status = snap_json_field_string(entry, "reason", what, &text, err);
    }
    return status;
}

/* The member's own rules: a legal name, the kind that the name says, a size within limits. */
static enum snap_status check_member(const struct snap_manifest_member *member,
                                     struct snap_error *err)
{
    enum snap_member_kind kind;
    const char *fault = NULL;
    if (!snap_member_kind_of(member->name, &kind) || kind == SNAP_MEMBER_MANIFEST)
        fault = "the name is not legal";
    else if (kind != member->kind)
        fault = "the kind is not that of its name";
    else if (member->size > snap_member_max_bytes(kind))
        fault = "the size is past the most allowed";
    if (fault != NULL)
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": member \"%.100s\": %s", member->name,
                              fault);
    return SNAP_OK;
}

/* What the sizes of README, STATE and SHA256SUMS must be, and that no kind is missing. */
static enum snap_status check_derived(const struct snap_manifest *manifest, struct snap_error *err)
{
    static const enum snap_member_kind needed[] = {
        SNAP_MEMBER_README,      SNAP_MEMBER_STATE_JSON, SNAP_MEMBER_DATA,
        SNAP_MEMBER_ENVIRONMENT, SNAP_MEMBER_LEDGER,     SNAP_MEMBER_STATE_LISTING,
        SNAP_MEMBER_LISTING,
    };
    uint64_t listing = SNAP_LISTING_LINE_BYTES(strlen(WHAT));
    uint64_t state_listing = 0;
    unsigned seen = 0;
    for (size_t i = 0; i < manifest->member_count; i++) {
        const struct snap_manifest_member *member = &manifest->members[i];
        uint64_t expected = member->size;
        seen |= 1u << member->kind;
        if (member->kind == SNAP_MEMBER_STATE_LISTING)
            expected = state_listing;
        else if (member->kind == SNAP_MEMBER_LISTING)
            expected = listing;
        if (member->size != expected)
            return snap_error_set(err, SNAP_CORRUPT,
                                  WHAT ": member %s: has size %" PRIu64
                                       ", and its lines take %" PRIu64,
                                  member->name, member->size, expected);
        listing += SNAP_LISTING_LINE_BYTES(strlen(member->name));
        if (member->in_state)
            state_listing += SNAP_LISTING_LINE_BYTES(strlen(member->name));
    }
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if ((seen & 1u << needed[i]) == 0)
            return snap_error_set(err, SNAP_CORRUPT, WHAT ": no member of kind \"%s\"",
                                  snap_member_kind_name(needed[i]));
    return SNAP_OK;
}

static enum snap_status check_members(const struct snap_manifest *manifest, struct snap_error *err)
{
    struct snap_name_set names = SNAP_NAME_SET_INIT;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < manifest->member_count && status == SNAP_OK; i++) {
        const char *name = manifest->members[i].name;
        status = check_member(&manifest->members[i], err);
        if (status != SNAP_OK)
            break;
        if (i > 0 && snap_member_compare(manifest->members[i - 1].name, name) >= 0)
            status = snap_error_set(err, SNAP_CORRUPT,
                                    WHAT ": member %s: is out of order, or twice", name);
        else if (snap_name_set_has(&names, name))
            status = snap_error_set(err, SNAP_CORRUPT,
                                    WHAT ": member %s: another has this name, but for capitals",
                                    name);
        else
            status = snap_name_set_add(&names, name, err);
    }
    snap_name_set_release(&names);
    return status == SNAP_OK ? check_derived(manifest, err) : status;
}

/* All that encode and decode both insist on. SNAP_CORRUPT. */
static enum snap_status check_manifest(const struct snap_manifest *manifest,
                                       struct snap_error *err)
{
    if (!is_run_id(manifest->run_id))
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": \"run_id\": expected 16 hex digits");
    if (manifest->capsule != (manifest->failure != NULL) ||
        (manifest->failure != NULL && !json_is_object(manifest->failure)))
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": \"failure\": an object in a capsule, absent in a snapshot");
    if (manifest->step > SNAP_MAX_STEP)
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": step %" PRIu64 ": at most %llu",
                              manifest->step, SNAP_MAX_STEP);
    if (manifest->member_count >= SNAP_MAX_MEMBERS)
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": %zu members: at most %u",
                              manifest->member_count, SNAP_MAX_MEMBERS);
    enum snap_status status = check_coverage(manifest->coverage, err);
    if (status == SNAP_OK)
        status = check_members(manifest, err);
    return status;
}

static json_t *encode_heads(const struct snap_chain_heads *heads)
{
    return json_pack("{soso}", "host", snap_json_digest(NULL, heads->host), "run",
                     snap_json_digest(NULL, heads->run));
}

static enum snap_status encode_members(const struct snap_manifest *manifest, json_t *array,
                                       struct snap_error *err)
{
    for (size_t i = 0; i < manifest->member_count; i++) {
        const struct snap_manifest_member *member = &manifest->members[i];
        json_t *entry = json_pack("{sssssI}", "kind", snap_member_kind_name(member->kind), "name",
                                  member->name, "size", (json_int_t)member->size);
        enum snap_status status = SNAP_OK;
        if (member->kind == SNAP_MEMBER_EXTRA && !member->in_state)
            status = snap_json_set(entry, "in_state", json_false(), err);
        if (status != SNAP_OK) {
            json_decref(entry);
            return status;
        }
        status = snap_json_append(array, entry, err);
        if (status != SNAP_OK)
            return status;
    }
    return SNAP_OK;
}

/* Write the text, which readers must take. */
static enum snap_status encode_document(const struct snap_manifest *manifest,
                                        const json_t *document, struct snap_buffer *out,
                                        struct snap_error *err)
{
    struct snap_json_guard guard = SNAP_JSON_GUARD_INIT;
    size_t start = out->size;
    enum snap_status status = snap_json_encode(document, out, err);
    if (status != SNAP_OK)
        return status;
    snap_manifest_bounds(manifest->member_count, &guard.bounds);
    const char *fault = snap_json_guard_feed(&guard, out->data + start, out->size - start);
    if (fault == NULL)
        return SNAP_OK;
    out->size = start;
    out->data[start] = '\0';
    return snap_error_set(err, SNAP_INVALID, WHAT ": it would have %s", fault);
}

void snap_manifest_bounds(uint64_t members, struct snap_json_bounds *bounds)
{
    bounds->string_bytes = SNAP_MAX_MANIFEST_STRING_BYTES;
    bounds->keys = SNAP_MAX_MANIFEST_KEYS;
    bounds->containers = SNAP_MAX_MANIFEST_GAPS + members;
}

enum snap_status snap_manifest_encode(const struct snap_manifest *manifest,
                                      struct snap_buffer *out, struct snap_error *err)
{
    json_t *members = NULL;
    json_t *document = NULL;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = check_manifest(manifest, &cause);
    if (status != SNAP_OK) {
        /* Not a damaged file: the caller's mistake. */
        status = status == SNAP_CORRUPT ? SNAP_INVALID : status;
        return snap_error_set(err, status, "%s", cause.text);
    }
    members = json_array();
    document = json_pack("{sosososssssossso}", "chains",
                         json_pack("{soso}", "after", encode_heads(&manifest->after), "before",
                                   manifest->has_before ? encode_heads(&manifest->before)
                                                        : json_null()),
                         "coverage", json_incref(manifest->coverage), "failure",
                         manifest->capsule ? json_incref(manifest->failure) : json_null(), "format",
                         "snap-archive-1", "kind", manifest->capsule ? "capsule" : "snapshot",
                         "parent",
                         manifest->has_parent ? snap_json_digest("snap1", manifest->parent)
                                              : json_null(),
                         "run_id", manifest->run_id, "step", snap_json_u64(manifest->step));
    if (members == NULL || document == NULL) {
        status = out_of_memory(err);
        goto out;
    }
    if (!manifest->capsule)
        json_object_del(document, "failure");
    status = encode_members(manifest, members, err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "members", json_incref(members), err);
    if (status == SNAP_OK)
        status = encode_document(manifest, document, out, err);
out:
    json_decref(document);
    json_decref(members);
    return status;
}

static enum snap_status decode_heads(const json_t *chains, const char *key,
                                     struct snap_chain_heads *heads, struct snap_error *err)
{
    static const char what[] = WHAT ": chains";
    const json_t *value = json_object_get(chains, key);
    enum snap_status status = snap_json_check_keys(value, "host run", what, err);
    if (status == SNAP_OK)
        status = snap_json_field_digest(value, "host", NULL, what, heads->host, err);
    if (status == SNAP_OK)
        status = snap_json_field_digest(value, "run", NULL, what, heads->run, err);
    return status;
}

static enum snap_status decode_chains(const json_t *document, struct snap_manifest *manifest,
                                      struct snap_error *err)
{
    const json_t *chains = NULL;
    enum snap_status status = snap_json_field(document, "chains", JSON_OBJECT, WHAT, &chains, err);
    if (status == SNAP_OK)
        status = snap_json_check_keys(chains, "after before", WHAT ": chains", err);
    if (status == SNAP_OK)
        status = decode_heads(chains, "after", &manifest->after, err);
    if (status == SNAP_OK && !json_is_null(json_object_get(chains, "before"))) {
        manifest->has_before = true;
        status = decode_heads(chains, "before", &manifest->before, err);
    }
    return status;
}

static enum snap_status decode_member(const json_t *entry, struct snap_manifest *manifest,
                                      struct snap_error *err)
{
    const char *word = NULL;
    const char *name = NULL;
    struct snap_manifest_member member = { .name = NULL };
    const json_t *in_state = json_object_get(entry, "in_state");
    char what[64];
    snprintf(what, sizeof what, WHAT ": member %zu", manifest->member_count);
    enum snap_status status = snap_json_check_keys(entry, "in_state? kind name size", what, err);
    if (status == SNAP_OK)
        status = snap_json_field_string(entry, "kind", what, &word, err);
    if (status == SNAP_OK)
        status = snap_json_field_string(entry, "name", what, &name, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(entry, "size", what, &member.size, err);
    if (status != SNAP_OK)
        return status;
    if (!snap_member_kind_from_name(word, &member.kind))
        return snap_error_set(err, SNAP_CORRUPT, "%s: there is no kind \"%.80s\"", what, word);
    if (in_state != NULL && (member.kind != SNAP_MEMBER_EXTRA || !json_is_false(in_state)))
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: \"in_state\": stands only in extras, and is false", what);
    member.in_state = snap_member_is_in_state(member.kind) && in_state == NULL;
    struct snap_manifest_member *members =
        snap_array_grow(manifest->members, manifest->member_count, sizeof *members);
    if (members == NULL)
        return out_of_memory(err);
    manifest->members = members;
    member.name = strdup(name);
    if (member.name == NULL)
        return out_of_memory(err);
    members[manifest->member_count++] = member;
    return SNAP_OK;
}

static enum snap_status decode_document(const json_t *document, struct snap_manifest *manifest,
                                        struct snap_error *err)
{
    const char *kind = NULL;
    const char *run_id = NULL;
    const json_t *coverage = NULL;
    const json_t *members = NULL;
    if (!json_is_object(document))
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": expected an object");
    /* Before the keys: a newer format may have others. */
    enum snap_status status = snap_json_field_format(document, "snap-archive-1", WHAT, err);
    if (status == SNAP_OK)
        status = snap_json_check_keys(
            document, "chains coverage failure? format kind members parent run_id step", WHAT, err);
    if (status == SNAP_OK)
        status = snap_json_field_string(document, "kind", WHAT, &kind, err);
    if (status == SNAP_OK)
        status = snap_json_field_string(document, "run_id", WHAT, &run_id, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(document, "step", WHAT, &manifest->step, err);
    if (status == SNAP_OK)
        status = snap_json_field(document, "coverage", JSON_OBJECT, WHAT, &coverage, err);
    if (status == SNAP_OK)
        status = snap_json_field(document, "members", JSON_ARRAY, WHAT, &members, err);
    if (status == SNAP_OK)
        status = decode_chains(document, manifest, err);
    if (status == SNAP_OK && !json_is_null(json_object_get(document, "parent"))) {
        manifest->has_parent = true;
        status = snap_json_field_digest(document, "parent", "snap1", WHAT, manifest->parent, err);
    }
    if (status != SNAP_OK)
        return status;
    manifest->capsule = strcmp(kind, "capsule") == 0;
    if (!manifest->capsule && strcmp(kind, "snapshot") != 0)
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": \"kind\": expected \"snapshot\" or \"capsule\"");
    snprintf(manifest->run_id, sizeof manifest->run_id, "%s",
             is_run_id(run_id) ? run_id : "");
    manifest->coverage = json_incref((json_t *)(uintptr_t)coverage);
    manifest->failure = json_incref(json_object_get(document, "failure"));
    if (json_array_size(members) >= SNAP_MAX_MEMBERS)
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": %zu members: at most %u",
                              json_array_size(members), SNAP_MAX_MEMBERS);
    for (size_t i = 0; i < json_array_size(members) && status == SNAP_OK; i++)
        status = decode_member(json_array_get(members, i), manifest, err);
    return status == SNAP_OK ? check_manifest(manifest, err) : status;
}

enum snap_status snap_manifest_decode(const json_t *document, struct snap_manifest *manifest,
                                      struct snap_error *err)
{
    struct snap_manifest made = SNAP_MANIFEST_INIT;
    enum snap_status status = decode_document(document, &made, err);
    if (status == SNAP_OK)
        *manifest = made;
    else
        snap_manifest_release(&made);
    return status;
}

void snap_manifest_release(struct snap_manifest *manifest)
{
    json_decref(manifest->coverage);
    json_decref(manifest->failure);
    for (size_t i = 0; i < manifest->member_count; i++)
        free(manifest->members[i].name);
    free(manifest->members);
    *manifest = (struct snap_manifest)SNAP_MANIFEST_INIT;
}
