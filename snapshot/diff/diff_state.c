/* SPDX-License-Identifier: Apache-2.0 */
/* Profile, config, place in the data, streams and extras of two states. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "diff/diff_internal.h"
#include "ledger/json_differences.h"

/* How far apart two streams are looked for, in 32-bit words each way: some thousand epochs of a
 * small data set, a second of work. */
#define DISTANCE_WORDS 16777216u

/* ---- profile, binding and config ---- */

struct document {
    struct snap_diff *diff;
    const char *kind;
    const char *prefix;
    enum snap_status status;
    struct snap_error *err;
};

static void add_path(void *arg, const char *path, const json_t *left, const json_t *right)
{
    struct document *document = arg;
    char name[500];
    char left_text[120];
    char right_text[120];
    if (document->status != SNAP_OK)
        return;
    snprintf(name, sizeof name, "%s%s%s", document->prefix, path[0] == '\0' ? "" : ".", path);
    snap_json_value_text(left, left_text, sizeof left_text);
    snap_json_value_text(right, right_text, sizeof right_text);
    document->status =
        snap_diff_add(document->diff, document->err, document->kind, name,
                      json_pack("{s:s, s:s}", "left", left_text, "right", right_text),
                      "%s: %s and %s", name, left_text, right_text);
}

static enum snap_status diff_documents(const struct snap_side *left, const struct snap_side *right,
                                       struct snap_diff *diff, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    json_t *none = json_null();
    if (strcmp(left->doc->profile, right->doc->profile) != 0)
        status = snap_diff_add(diff, err, "profile", "profile",
                               json_pack("{s:s, s:s}", "left", left->doc->profile, "right",
                                         right->doc->profile),
                               "profile: %s and %s", left->doc->profile, right->doc->profile);
    struct document document = { diff, "profile", "binding", status, err };
    snap_json_differences(left->doc->binding, right->doc->binding, add_path, &document);
    document.kind = "config";
    document.prefix = "training";
    snap_json_differences(left->doc->training == NULL ? none : left->doc->training,
                          right->doc->training == NULL ? none : right->doc->training, add_path,
                          &document);
    return document.status;
}

/* ---- place in the data ---- */

static enum snap_status diff_number(struct snap_diff *diff, const char *name, uint64_t left,
                                    uint64_t right, struct snap_error *err)
{
    if (left == right)
        return SNAP_OK;
    return snap_diff_add(diff, err, "data", name, NULL, "%s: %" PRIu64 " and %" PRIu64, name, left,
                         right);
}

static const struct snap_data_file *find_file(const struct snap_data_doc *doc, const char *role)
{
    for (size_t i = 0; i < doc->file_count; i++)
        if (strcmp(doc->files[i].role, role) == 0)
            return &doc->files[i];
    return NULL;
}

static enum snap_status diff_files(const struct snap_data_doc *left,
                                   const struct snap_data_doc *right, struct snap_diff *diff,
                                   struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < left->file_count; i++) {
        const struct snap_data_file *a = &left->files[i];
        const struct snap_data_file *b = find_file(right, a->role);
        if (b == NULL)
            status = snap_diff_add(diff, err, "data", a->role, NULL,
                                   "data file %s: on the left alone", a->role);
        else if (a->size != b->size || memcmp(a->sha256, b->sha256, sizeof a->sha256) != 0)
            status = snap_diff_add(diff, err, "data", a->role, NULL,
                                   "data file %s: another file (%" PRIu64 " and %" PRIu64 " bytes)",
                                   a->role, a->size, b->size);
    }
    for (size_t i = 0; status == SNAP_OK && i < right->file_count; i++)
        if (find_file(left, right->files[i].role) == NULL)
            status = snap_diff_add(diff, err, "data", right->files[i].role, NULL,
                                   "data file %s: on the right alone", right->files[i].role);
    return status;
}

static enum snap_status diff_data(const struct snap_side *left_side,
                                  const struct snap_side *right_side, struct snap_diff *diff,
                                  struct snap_error *err)
{
    const struct snap_data_doc *left = left_side->data;
    const struct snap_data_doc *right = right_side->data;
    enum snap_status status = diff_files(left, right, diff, err);
    if (status == SNAP_OK)
        status = diff_number(diff, "epoch", left->epoch, right->epoch, err);
    if (status == SNAP_OK)
        status = diff_number(diff, "position", left->position, right->position, err);
    if (status != SNAP_OK || (left->order_stream == NULL && right->order_stream == NULL))
        return status;
    if (left->order_stream == NULL || right->order_stream == NULL ||
        strcmp(left->order_stream, right->order_stream) != 0)
        return snap_diff_add(diff, err, "data", "order", NULL, "order: by stream %s and %s",
                             left->order_stream == NULL ? "none" : left->order_stream,
                             right->order_stream == NULL ? "none" : right->order_stream);
    if (left->order_samples != right->order_samples ||
        memcmp(left->order_digest, right->order_digest, SNAP_DIGEST_BYTES) != 0)
        return snap_diff_add(diff, err, "data", "order", NULL,
                             "order: of %" PRIu64 " and %" PRIu64 " samples, another one",
                             left->order_samples, right->order_samples);
    if (left->order_start_size != right->order_start_size ||
        memcmp(left->order_start, right->order_start, left->order_start_size) != 0)
        return snap_diff_add(diff, err, "data", "order", NULL,
                             "order: the same samples, from "
                             "another state of stream %s",
                             left->order_stream);
    return SNAP_OK;
}

/* ---- streams ---- */

static const char *stream_kind(const struct snap_side *side, const char *name)
{
    for (size_t i = 0; i < side->doc->stream_count; i++)
        if (strcmp(side->doc->streams[i].name, name) == 0)
            return side->doc->streams[i].kind;
    return NULL;
}

static enum snap_status tell_distance(const struct snap_side *left, const struct snap_side *right,
                                      const char *name, const char *kind, const char *member,
                                      struct snap_diff *diff, struct snap_error *err)
{
    struct snap_side_member a;
    struct snap_side_member b;
    void *left_bytes = NULL;
    void *right_bytes = NULL;
    int64_t words = 0;
    bool related = false;
    if (!snap_side_find(left, member, &a) || !snap_side_find(right, member, &b))
        return snap_error_set(err, SNAP_INTERNAL, "compare: no member %s", member);
    if (memcmp(a.sha256, b.sha256, SNAP_DIGEST_BYTES) == 0)
        return SNAP_OK;
    if (a.withheld || b.withheld)
        return snap_diff_add(diff, err, "stream", name, NULL,
                             "stream %s: another state (withheld, "
                             "so no more can be told)",
                             name);
    enum snap_status status = snap_side_read(left, member, &left_bytes, err);
    if (status == SNAP_OK)
        status = snap_side_read(right, member, &right_bytes, err);
    if (status == SNAP_OK) {
        status = snap_stream_distance(kind, left_bytes, (size_t)a.size, right_bytes,
                                      (size_t)b.size, DISTANCE_WORDS, &words, &related, err);
        if (status == SNAP_CORRUPT || status == SNAP_UNSUPPORTED) {
            related = false; /* no state of a kind that is known has no distance */
            status = SNAP_OK;
        }
    }
    free(left_bytes);
    free(right_bytes);
    if (status != SNAP_OK)
        return status;
    if (related && words != 0)
        return snap_diff_add(diff, err, "stream", name,
                             json_pack("{s:I}", "words", (json_int_t)words),
                             "stream %s: the right one is %" PRId64 " draw%s of 32 bits %s", name,
                             words < 0 ? -words : words, words == 1 || words == -1 ? "" : "s",
                             words < 0 ? "behind" : "ahead");
    if (related)
        return snap_diff_add(diff, err, "stream", name, NULL,
                             "stream %s: at the same place, with "
                             "another number kept back",
                             name);
    return snap_diff_add(diff, err, "stream", name, NULL,
                         "stream %s: another state, no number of "
                         "draws up to %u leads from one to the other",
                         name, DISTANCE_WORDS);
}

static enum snap_status diff_streams(const struct snap_side *left, const struct snap_side *right,
                                     struct snap_diff *diff, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < left->doc->stream_count; i++) {
        const char *name = left->doc->streams[i].name;
        const char *kind = left->doc->streams[i].kind;
        const char *other = stream_kind(right, name);
        char member[SNAP_MAX_MEMBER_NAME_BYTES + 1];
        snprintf(member, sizeof member, "rng/%s", name);
        if (other == NULL)
            status = snap_diff_add(diff, err, "stream", name, NULL, "stream %s: on the left alone",
                                   name);
        else if (strcmp(kind, other) != 0)
            status = snap_diff_add(diff, err, "stream", name, NULL, "stream %s: of kind %s and %s",
                                   name, kind, other);
        else
            status = tell_distance(left, right, name, kind, member, diff, err);
    }
    for (size_t i = 0; status == SNAP_OK && i < right->doc->stream_count; i++) {
        const char *name = right->doc->streams[i].name;
        if (stream_kind(left, name) == NULL)
            status = snap_diff_add(diff, err, "stream", name, NULL, "stream %s: on the right alone",
                                   name);
    }
    return status;
}

/* ---- extras ---- */

static bool is_extra(const char *name)
{
    return strncmp(name, "extra/", strlen("extra/")) == 0;
}

static enum snap_status diff_extras(const struct snap_side *left, const struct snap_side *right,
                                    struct snap_diff *diff, struct snap_error *err)
{
    struct snap_side_member a;
    struct snap_side_member b;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < snap_side_count(left); i++) {
        if (!snap_side_at(left, i, &a) || !is_extra(a.name))
            continue;
        if (!snap_side_find(right, a.name, &b))
            status =
                snap_diff_add(diff, err, "extra", a.name, NULL, "%s: on the left alone", a.name);
        else if (a.size != b.size || memcmp(a.sha256, b.sha256, SNAP_DIGEST_BYTES) != 0)
            status = snap_diff_add(diff, err, "extra", a.name, NULL,
                                   "%s: other bytes (%" PRIu64 " and %" PRIu64 ")", a.name, a.size,
                                   b.size);
    }
    for (size_t i = 0; status == SNAP_OK && i < snap_side_count(right); i++)
        if (snap_side_at(right, i, &b) && is_extra(b.name) && !snap_side_find(left, b.name, &a))
            status =
                snap_diff_add(diff, err, "extra", b.name, NULL, "%s: on the right alone", b.name);
    return status;
}

enum snap_status snap_diff_sides(const struct snap_side *left, const struct snap_side *right,
                                 struct snap_diff *diff, struct snap_error *err)
{
    enum snap_status status = diff_documents(left, right, diff, err);
    if (status == SNAP_OK)
        status = diff_data(left, right, diff, err);
    if (status == SNAP_OK)
        status = diff_streams(left, right, diff, err);
    if (status == SNAP_OK)
        status = snap_diff_trees(left, right, diff, err);
    if (status == SNAP_OK)
        status = diff_extras(left, right, diff, err);
    return status;
}
