/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "digest/member_digest.h"
#include "digest/sha256.h"
#include "format/archive_plan.h"
#include "format/limits.h"
#include "format/listing.h"
#include "format/member_name.h"
#include "format/readme.h"

static enum snap_status out_of_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "archive: out of memory");
}

static int compare_members(const void *left, const void *right)
{
    return snap_member_compare(((const struct snap_write_member *)left)->name,
                               ((const struct snap_write_member *)right)->name);
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(((const struct snap_listing_line *)left)->name,
                  ((const struct snap_listing_line *)right)->name);
}

/* Check and sort the caller's members. */
static enum snap_status order_members(struct snap_write_member *members, size_t count,
                                      struct snap_error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct snap_write_member *member = &members[i];
        enum snap_member_kind kind;
        const char *fault = NULL;
        if (!snap_member_kind_of(member->name, &kind))
            fault = "the name is not legal";
        else if (kind == SNAP_MEMBER_README || kind == SNAP_MEMBER_MANIFEST ||
                 kind == SNAP_MEMBER_STATE_LISTING || kind == SNAP_MEMBER_LISTING)
            fault = "is made by the library";
        else if (member->withheld && !snap_member_may_be_withheld(kind))
            fault = "is never withheld";
        else if (member->withheld && !member->digest_known)
            fault = "is withheld, and its digest is not known";
        else if (member->source != NULL && !member->digest_known)
            fault = "is copied, and its digest is not known";
        else if (!member->withheld && member->data == NULL && member->source == NULL &&
                 member->size > 0)
            fault = "has no data";
        else if (member->size > snap_member_max_bytes(kind))
            fault = "is larger than allowed";
        if (fault != NULL)
            return snap_error_set(err, SNAP_INVALID, "archive: member \"%s\": %s", member->name,
                                  fault);
        if (kind != SNAP_MEMBER_EXTRA)
            member->in_state = snap_member_is_in_state(kind);
    }
    qsort(members, count, sizeof *members, compare_members);
    for (size_t i = 1; i < count; i++)
        if (strcmp(members[i - 1].name, members[i].name) == 0)
            return snap_error_set(err, SNAP_INVALID, "archive: member \"%s\" is there twice",
                                  members[i].name);
    return SNAP_OK;
}

static bool is_wanted(const struct snap_write_member *member, bool tensors_alone)
{
    enum snap_member_kind kind;
    if (member->digest_known)
        return false;
    return tensors_alone
               ? snap_member_kind_of(member->name, &kind) && kind == SNAP_MEMBER_TENSOR
               : member->in_state;
}

enum snap_status snap_write_members_digest(struct snap_write_member *members, size_t count,
                                           bool tensors_alone, struct snap_pool *pool,
                                           struct snap_error *err)
{
    size_t wanted = 0;
    struct snap_digest_item *items = calloc(count + 1, sizeof *items);
    if (items == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < count; i++)
        if (is_wanted(&members[i], tensors_alone))
            items[wanted++] = (struct snap_digest_item){ .data = members[i].data,
                                                         .size_bytes = members[i].size };
    enum snap_status status = snap_member_digests(pool, items, wanted, err);
    wanted = 0;
    for (size_t i = 0; i < count && status == SNAP_OK; i++)
        if (is_wanted(&members[i], tensors_alone)) {
            memcpy(members[i].sha256, items[wanted++].sha256, SNAP_DIGEST_BYTES);
            members[i].digest_known = true;
        }
    free(items);
    return status;
}

/* Append the lines of the members: all in file order, or those in STATE by bytes of the name. */
static enum snap_status list_members(const struct snap_write_member *members, size_t count,
                                     bool all, struct snap_buffer *out, struct snap_error *err)
{
    size_t lines = 0;
    struct snap_listing_line *list = calloc(count + 1, sizeof *list);
    if (list == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < count; i++)
        if (all || members[i].in_state) {
            list[lines].name = members[i].name;
            memcpy(list[lines++].sha256, members[i].sha256, SNAP_DIGEST_BYTES);
        }
    if (!all)
        qsort(list, lines, sizeof *list, compare_lines);
    enum snap_status status = snap_listing_encode(list, lines, out, err);
    free(list);
    return status;
}

enum snap_status snap_archive_state_digest(struct snap_write_member *members, size_t count,
                                           struct snap_pool *pool,
                                           unsigned char sha256[SNAP_DIGEST_BYTES],
                                           struct snap_error *err)
{
    struct snap_buffer listing = SNAP_BUFFER_INIT;
    enum snap_status status = order_members(members, count, err);
    if (status == SNAP_OK)
        status = snap_write_members_digest(members, count, false, pool, err);
    if (status == SNAP_OK)
        status = list_members(members, count, false, &listing, err);
    if (status == SNAP_OK)
        status = snap_sha256(listing.data, listing.size, sha256, err);
    snap_buffer_release(&listing);
    return status;
}

/* manifest.json over all members, whose sizes are known. */
static enum snap_status make_manifest(struct snap_archive_plan *plan,
                                      const struct snap_manifest *given, struct snap_error *err)
{
    struct snap_manifest manifest = *given;
    manifest.members = calloc(plan->member_count, sizeof *manifest.members);
    manifest.member_count = 0;
    if (manifest.members == NULL)
        return out_of_memory(err);
    uint64_t listing_bytes = 0;
    uint64_t state_bytes = 0;
    for (size_t i = 0; i < plan->member_count; i++) {
        struct snap_write_member *member = &plan->members[i];
        enum snap_member_kind kind = SNAP_MEMBER_README;
        snap_member_kind_of(member->name, &kind); /* legal: order_members has looked */
        if (kind == SNAP_MEMBER_STATE_LISTING)
            member->size = state_bytes;
        else if (kind == SNAP_MEMBER_LISTING)
            member->size = listing_bytes;
        listing_bytes += SNAP_LISTING_LINE_BYTES(strlen(member->name));
        if (member->in_state)
            state_bytes += SNAP_LISTING_LINE_BYTES(strlen(member->name));
        if (kind == SNAP_MEMBER_MANIFEST)
            continue;
        manifest.members[manifest.member_count++] = (struct snap_manifest_member){
            .name = (char *)(uintptr_t)member->name, /* only read */
            .kind = kind,
            .size = member->size,
            .in_state = member->in_state,
        };
    }
    enum snap_status status = snap_manifest_encode(&manifest, &plan->manifest, err);
    free(manifest.members);
    if (status == SNAP_OK && plan->manifest.size > SNAP_MAX_MANIFEST_BYTES)
        status = snap_error_set(err, SNAP_INVALID, "archive: manifest.json is larger than allowed");
    plan->members[1].data = plan->manifest.data;
    plan->members[1].size = plan->manifest.size;
    return status;
}

enum snap_status snap_archive_plan_list(struct snap_archive_plan *plan, struct snap_error *err)
{
    size_t last = plan->member_count - 1;
    size_t state = last - 1;
    struct snap_write_member *members = plan->members;
    plan->state_listing.size = 0;
    plan->listing.size = 0;
    enum snap_status status = list_members(members, state, false, &plan->state_listing, err);
    if (status == SNAP_OK)
        status = snap_sha256(plan->state_listing.data, plan->state_listing.size,
                             members[state].sha256, err);
    if (status == SNAP_OK)
        status = list_members(members, last, true, &plan->listing, err);
    if (status == SNAP_OK)
        status =
            snap_sha256(plan->listing.data, plan->listing.size, members[last].sha256, err);
    if (status != SNAP_OK)
        return status;
    plan->segments[plan->state_data].data = plan->state_listing.data;
    plan->segments[plan->listing_data].data = plan->listing.data;
    snap_hash_text("state1", members[state].sha256, plan->state_hash);
    snap_hash_text("snap1", members[last].sha256, plan->snapshot_hash);
    return SNAP_OK;
}

enum snap_status snap_archive_plan_new(const struct snap_manifest *manifest,
                                       struct snap_write_member *members, size_t count,
                                       struct snap_archive_plan **plan, struct snap_error *err)
{
    if (count > SNAP_MAX_MEMBERS - SNAP_PLAN_BEFORE - SNAP_PLAN_AFTER)
        return snap_error_set(err, SNAP_INVALID, "archive: %zu members: at most %u", count,
                              SNAP_MAX_MEMBERS - SNAP_PLAN_BEFORE - SNAP_PLAN_AFTER);
    struct snap_archive_plan *made = calloc(1, sizeof *made);
    if (made == NULL)
        return out_of_memory(err);
    made->member_count = SNAP_PLAN_BEFORE + count + SNAP_PLAN_AFTER;
    made->members = calloc(made->member_count, sizeof *made->members);
    if (made->members == NULL) {
        snap_archive_plan_free(made);
        return out_of_memory(err);
    }
    enum snap_status status = order_members(members, count, err);
    if (status == SNAP_OK) {
        const char *readme = snap_readme_text();
        made->members[0] = (struct snap_write_member){ .name = "README",
                                                       .data = readme,
                                                       .size = strlen(readme) };
        made->members[1].name = "manifest.json";
        if (count > 0)
            memcpy(made->members + SNAP_PLAN_BEFORE, members, count * sizeof *members);
        made->members[made->member_count - 2].name = "STATE";
        made->members[made->member_count - 1].name = "SHA256SUMS";
        status = make_manifest(made, manifest, err);
    }
    if (status == SNAP_OK)
        status = snap_archive_plan_lay_out(made, err);
    if (status == SNAP_OK)
        *plan = made;
    else
        snap_archive_plan_free(made);
    return status;
}

void snap_archive_plan_free(struct snap_archive_plan *plan)
{
    if (plan == NULL)
        return;
    free(plan->segments);
    free(plan->written);
    free(plan->headers);
    free(plan->volumes);
    snap_buffer_release(&plan->volumes_text);
    snap_buffer_release(&plan->listing);
    snap_buffer_release(&plan->state_listing);
    snap_buffer_release(&plan->manifest);
    free(plan->members);
    free(plan);
}

const unsigned char *snap_archive_plan_digest(const struct snap_archive_plan *plan, size_t index)
{
    return plan->members[SNAP_PLAN_BEFORE + index].sha256;
}

enum snap_status snap_archive_plan_moving(const struct snap_archive_plan *plan,
                                          unsigned char digest[SNAP_DIGEST_BYTES],
                                          struct snap_error *err)
{
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    enum snap_status status = snap_sha256_begin(&context, err);
    for (size_t i = 0; status == SNAP_OK && i < plan->member_count; i++) {
        const struct snap_write_member *member = &plan->members[i];
        enum snap_member_kind kind = SNAP_MEMBER_README;
        snap_member_kind_of(member->name, &kind); /* legal: order_members has looked */
        if (kind == SNAP_MEMBER_TENSOR || kind == SNAP_MEMBER_STREAM)
            status = snap_sha256_update(&context, member->sha256, sizeof member->sha256, err);
    }
    if (status == SNAP_OK)
        status = snap_sha256_finish(&context, digest, err);
    snap_sha256_release(&context);
    return status;
}

void snap_archive_plan_expect(struct snap_archive_plan *plan, const char *snapshot_hash)
{
    plan->expected = snapshot_hash;
}

const char *snap_archive_plan_snapshot_hash(const struct snap_archive_plan *plan)
{
    return plan->snapshot_hash;
}

const char *snap_archive_plan_state_hash(const struct snap_archive_plan *plan)
{
    return plan->state_hash;
}

const struct snap_buffer *snap_archive_plan_manifest(const struct snap_archive_plan *plan)
{
    return &plan->manifest;
}
