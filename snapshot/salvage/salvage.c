/* SPDX-License-Identifier: Apache-2.0 */
/* Rescuing a damaged archive: what is there, what others have, and one file of both. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/fsck.h>

#include "core/file.h"
#include "folder/archive_put.h"
#include "folder/run_folder.h"
#include "format/archive_fill.h"
#include "format/json_fields.h"
#include "format/member_name.h"
#include "format/tar_layout.h"
#include "salvage/salvage_pieces.h"
#include "store/publish.h"
#include "verify/verdict.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "salvage: out of memory");
}

/* ---- what hash it had ---- */

/* The last "save" of this file in the events of the run that it lies in. */
static void ask_events(struct snap_salvage_job *job)
{
    const char *slash = strrchr(job->path, '/');
    char path[4096];
    char file[SNAP_SNAPSHOT_NAME_BYTES];
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    snprintf(file, sizeof file, "snapshots/%.50s", slash == NULL ? job->path : slash + 1);
    if ((size_t)snprintf(path, sizeof path, "%.*s../events.jsonl",
                         slash == NULL ? 0 : (int)(slash + 1 - job->path),
                         job->path) >= sizeof path)
        return;
    FILE *events = fopen(path, "re");
    while (events != NULL && (length = getline(&line, &capacity, events)) > 0) {
        json_t *event = json_loadb(line, (size_t)length, 0, NULL);
        const char *name = json_string_value(json_object_get(event, "event"));
        const char *saved = json_string_value(json_object_get(event, "file"));
        const char *hash = json_string_value(json_object_get(event, "hash"));
        if (name != NULL && strcmp(name, "save") == 0 && saved != NULL &&
            strcmp(saved, file) == 0 && hash != NULL && snap_check_hash_text(hash, NULL) == SNAP_OK)
            snprintf(job->expected, sizeof job->expected, "%s", hash);
        json_decref(event);
    }
    free(line);
    if (events != NULL)
        fclose(events); /* only read: nothing can be lost */
}

/* ---- the others ---- */

static enum snap_status ask_others(struct snap_salvage_job *job,
                                   const struct snap_salvage_options *options,
                                   struct snap_error *err)
{
    struct snap_siblings siblings = {NULL, 0};
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < options->from_count; i++) {
        struct snap_archive *other;
        status = snap_archive_open_alone(options->from[i], &other, err);
        if (status == SNAP_OK)
            status = snap_salvage_elsewhere(job, other, err);
    }
    if (status == SNAP_OK)
        status = snap_siblings_list(job->path, &siblings, err);
    for (size_t i = 0; status == SNAP_OK && i < siblings.count && snap_salvage_lost(job) > 0; i++) {
        struct snap_archive *other;
        if (snap_archive_open_alone(siblings.paths[i], &other, NULL) == SNAP_OK)
            status = snap_salvage_elsewhere(job, other, err);
    }
    snap_siblings_release(&siblings);
    return status;
}

/* ---- what is written ---- */

/* May an archive be made: every digest proven, and nothing lost that must be there? */
static bool can_be_archive(const struct snap_salvage_job *job)
{
    if (!job->has_manifest || !job->is_proven)
        return false;
    for (size_t i = 0; i < job->piece_count; i++) {
        const struct snap_piece *piece = &job->pieces[i];
        if (piece->place == SNAP_PIECE_LOST && piece->kind != SNAP_MEMBER_README &&
            piece->kind != SNAP_MEMBER_STATE_LISTING && !snap_member_may_be_withheld(piece->kind))
            return false;
    }
    return true;
}

static enum snap_status publish(const char *output, const struct snap_content *content,
                                struct snap_pool *pool, struct snap_error *err)
{
    struct snap_publish_options options = {.mode = SNAP_PUT_CREATE, .write = {.pool = pool}};
    const char *slash = strrchr(output, '/');
    char *folder = slash == NULL     ? strdup(".")
                   : slash == output ? strdup("/")
                                     : strndup(output, (size_t)(slash - output));
    int dirfd;
    if (folder == NULL)
        return no_memory(err);
    enum snap_status status =
        snap_file_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0, &dirfd, err);
    if (status == SNAP_NOT_FOUND)
        status = snap_error_set(err, SNAP_IO, "%s: no such folder", folder);
    if (status == SNAP_OK) {
        status = snap_publish(dirfd, slash == NULL ? output : slash + 1, content, &options, err);
        close(dirfd); /* only read: nothing can be lost */
    }
    if (status == SNAP_DIFFERS) /* that status is for hashes */
        status = snap_error_set(err, SNAP_IO, "%s: write there: it is there already", output);
    free(folder);
    return status;
}

static enum snap_status write_archive(struct snap_salvage_job *job, const char *output,
                                      struct snap_pool *pool, struct snap_error *err)
{
    struct snap_manifest manifest = job->manifest;
    const struct snap_archive_put_options options = {
        .put = {.mode = SNAP_PUT_CREATE, .pool = pool}};
    struct snap_archive_plan *plan = NULL;
    size_t count = 0;
    struct snap_write_member *members = calloc(job->piece_count + 1, sizeof *members);
    if (members == NULL)
        return no_memory(err);
    manifest.members = NULL;
    manifest.member_count = 0;
    for (size_t i = 0; i < job->piece_count; i++) {
        const struct snap_piece *piece = &job->pieces[i];
        if (piece->kind == SNAP_MEMBER_README || piece->kind == SNAP_MEMBER_MANIFEST ||
            piece->kind == SNAP_MEMBER_STATE_LISTING)
            continue; /* they follow from the others, and the snapshot hash says whether rightly */
        struct snap_write_member *member = &members[count++];
        *member = (struct snap_write_member) {.name = piece->name,
                                              .size = piece->size,
                                              .in_state = piece->in_state,
                                              .withheld = piece->place == SNAP_PIECE_LOST,
                                              .digest_known = true};
        memcpy(member->sha256, piece->sha256, SNAP_DIGEST_BYTES);
        if (piece->place == SNAP_PIECE_MADE) {
            member->data = job->ledger.data;
        } else if (piece->place != SNAP_PIECE_LOST) {
            member->source = piece->source;
            member->source_offset = piece->source_offset;
        }
    }
    enum snap_status status = snap_archive_plan_new(&manifest, members, count, &plan, err);
    if (status == SNAP_OK) {
        snap_archive_plan_expect(plan, job->hash);
        status = snap_archive_put_at(output, plan, &options, err);
    }
    if (status == SNAP_INTERNAL) /* what follows from the others was another text there */
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: its members do not give %s: a listing or the manifest in it "
                                "is forged",
                                job->path, job->hash);
    snap_archive_plan_free(plan);
    free(members);
    return status;
}

/* A tar of the members that are whole here: nobody takes it for an archive. */
static enum snap_status write_tar(struct snap_salvage_job *job, const char *output,
                                  struct snap_pool *pool, struct snap_error *err)
{
    static const unsigned char zeros[SNAP_TAR_END_BYTES];
    size_t room = 3 * job->piece_count + 1;
    struct snap_segment *segments = calloc(room, sizeof *segments);
    unsigned char(*headers)[SNAP_TAR_BLOCK_BYTES] = calloc(job->piece_count + 1, sizeof *headers);
    unsigned char(*digests)[SNAP_DIGEST_BYTES] = calloc(job->piece_count + 1, sizeof *digests);
    struct snap_content content = {.segments = segments};
    enum snap_status status =
        segments != NULL && headers != NULL && digests != NULL ? SNAP_OK : no_memory(err);
    for (size_t i = 0; status == SNAP_OK && i < job->piece_count; i++) {
        const struct snap_piece *piece = &job->pieces[i];
        struct snap_segment *next = segments + content.count;
        uint64_t offset = content.size_bytes;
        if (piece->place != SNAP_PIECE_HERE)
            continue;
        status = snap_tar_header(piece->name, piece->size, headers[i], err);
        next[0] = (struct snap_segment) {
            .offset = offset, .data = headers[i], .size_bytes = SNAP_TAR_BLOCK_BYTES};
        next[1] = (struct snap_segment) {.offset = offset + SNAP_TAR_BLOCK_BYTES,
                                         .size_bytes = (size_t)piece->size,
                                         .sha256 = digests[i],
                                         .source = piece->source,
                                         .source_offset = piece->source_offset};
        next[2] = (struct snap_segment) {.offset = next[1].offset + piece->size,
                                         .data = zeros,
                                         .size_bytes = snap_tar_padding(piece->size)};
        content.count += 3;
        content.size_bytes += snap_tar_member_bytes(piece->size);
    }
    if (status == SNAP_OK) {
        segments[content.count++] = (struct snap_segment) {
            .offset = content.size_bytes, .data = zeros, .size_bytes = sizeof zeros};
        content.size_bytes += sizeof zeros;
        status = publish(output, &content, pool, err);
    }
    free(digests);
    free(headers);
    free(segments);
    return status;
}

/* ---- the verdict ---- */

static enum snap_status tell_piece(const struct snap_salvage_job *job,
                                   const struct snap_piece *piece, struct snap_verdict *verdict,
                                   struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    switch (piece->place) {
    case SNAP_PIECE_HERE:
        return snap_verdict_ok(verdict, !job->is_proven, err, piece->name,
                               job->is_proven ? "intact"
                                              : "complete; what it should be is not known");
    case SNAP_PIECE_ELSEWHERE:
        return snap_verdict_ok(verdict, true, err, piece->name, "%s; %s %s",
                               piece->is_damaged ? "damaged" : "not here",
                               job->is_proven ? "the same bytes are in" : "perhaps the one in",
                               piece->source->what);
    case SNAP_PIECE_MADE:
        return snap_verdict_ok(verdict, true, err, piece->name, "%s; follows from what is there",
                               piece->is_damaged ? "damaged" : "not here");
    case SNAP_PIECE_LOST:
        break;
    }
    enum snap_status severity =
        job->is_proven && snap_member_may_be_withheld(piece->kind) ? SNAP_ABSENT : SNAP_CORRUPT;
    snap_error_set(&cause, severity, "member %s: is lost: %s", piece->name,
                   piece->is_damaged ? "damaged here, and nobody else has it"
                                     : "not here, and nobody else has it");
    enum snap_status status = snap_verdict_failed(verdict, piece->name, severity, &cause, err);
    if (status == SNAP_OK && severity == SNAP_ABSENT)
        status = snap_json_append(verdict->withheld, json_string(piece->name), err);
    return status;
}

static enum snap_status tell(const struct snap_salvage_job *job, struct snap_verdict *verdict,
                             struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = SNAP_OK;
    if (job->scan.unreadable > 0)
        status =
            snap_verdict_ok(verdict, true, err, "disk",
                            "%" PRIu64 " bytes of the file cannot be read", job->scan.unreadable);
    if (status == SNAP_OK && !job->has_manifest) {
        snap_error_set(&cause, SNAP_CORRUPT,
                       "manifest.json is lost, and with it the order of the members");
        status = snap_verdict_failed(verdict, "manifest.json", SNAP_CORRUPT, &cause, err);
    }
    for (size_t i = 0; status == SNAP_OK && i < job->piece_count; i++)
        status = tell_piece(job, &job->pieces[i], verdict, err);
    if (status != SNAP_OK)
        return status;
    if (job->has_listing)
        return snap_verdict_ok(verdict, false, err, "SHA256SUMS", "lists all of %s", job->hash);
    if (job->is_proven)
        return snap_verdict_ok(verdict, true, err, "SHA256SUMS",
                               "lost; put together again, it has the hash that was expected: %s",
                               job->hash);
    snap_error_set(&cause, SNAP_CORRUPT, "SHA256SUMS: is lost, and %s",
                   job->expected[0] == '\0' ? "nobody says which hash the archive had"
                   : job->hash[0] == '\0'   ? "so are digests that it held"
                                            : "what is found does not give the hash expected");
    return snap_verdict_failed(verdict, "SHA256SUMS", SNAP_CORRUPT, &cause, err);
}

/* Write what there is, and look at it again. */
static enum snap_status rescue(struct snap_salvage_job *job,
                               const struct snap_salvage_options *options,
                               struct snap_verdict *verdict, struct snap_error *err)
{
    struct snap_archive *made = NULL;
    if (!can_be_archive(job)) {
        enum snap_status status = write_tar(job, options->output, options->pool, err);
        if (status == SNAP_OK)
            status = snap_verdict_ok(verdict, true, err, "output",
                                     "%s is a plain tar of the members that are complete, and no "
                                     "archive",
                                     options->output);
        return status;
    }
    enum snap_status status = write_archive(job, options->output, options->pool, err);
    if (status == SNAP_OK)
        status = snap_archive_open_alone(options->output, &made, err);
    if (status == SNAP_OK)
        status = snap_archive_check(made, options->pool, err);
    if (status == SNAP_OK)
        status = snap_verdict_hashes(verdict, made, err);
    if (status == SNAP_OK)
        status = snap_verdict_ok(
            verdict, false, err, "output", "%s is the archive again%s", options->output,
            snap_archive_withheld_count(made) > 0 ? ", without the members that are lost" : "");
    snap_archive_close(made);
    return status;
}

static enum snap_status salvage(struct snap_salvage_job *job,
                                const struct snap_salvage_options *options,
                                struct snap_verdict *verdict, struct snap_error *err)
{
    enum snap_status status = snap_scan_members(job->file.fd, job->path, &job->scan, err);
    if (status == SNAP_OK)
        status = snap_salvage_pieces(job, err);
    if (status == SNAP_OK && !job->has_listing && options->expected == NULL)
        ask_events(job);
    if (status == SNAP_OK)
        status = snap_salvage_here(job, &job->file, &job->scan, err);
    if (status == SNAP_OK)
        status = snap_salvage_volumes(job, err);
    if (status == SNAP_OK && job->has_manifest)
        status = ask_others(job, options, err);
    if (status == SNAP_OK)
        status = snap_salvage_prove(job, err);
    if (status == SNAP_OK)
        status = tell(job, verdict, err);
    if (status == SNAP_OK && options->output != NULL)
        status = rescue(job, options, verdict, err);
    return status;
}

enum snap_status snap_salvage(const char *path, const struct snap_salvage_options *options,
                              struct snap_verdict **verdict, struct snap_error *err)
{
    struct snap_salvage_options none = SNAP_SALVAGE_OPTIONS_INIT;
    struct snap_salvage_job job = {.path = path};
    struct snap_verdict *made = NULL;
    int fd = -1;
    if (options == NULL)
        options = &none;
    if (path == NULL || options->size_bytes != sizeof *options)
        return snap_error_set(err, SNAP_INVALID,
                              "salvage: no path, or options that are not "
                              "SNAP_SALVAGE_OPTIONS_INIT");
    enum snap_status status = SNAP_OK;
    if (options->expected != NULL && strncmp(options->expected, "snap1:", 6) != 0)
        return snap_error_set(err, SNAP_INVALID, "%.100s: is no snapshot hash", options->expected);
    if (options->expected != NULL)
        status = snap_check_hash_text(options->expected, err);
    if (status == SNAP_OK && options->expected != NULL)
        snprintf(job.expected, sizeof job.expected, "%s", options->expected);
    if (status == SNAP_OK)
        status = snap_file_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0, &fd, err);
    if (status == SNAP_NOT_FOUND)
        status = snap_error_set(err, SNAP_IO, "%s: no such file", path);
    job.file = (struct snap_source) {.fd = fd, .what = path};
    if (status == SNAP_OK)
        status = snap_verdict_new(&made, err);
    if (status == SNAP_OK)
        status = salvage(&job, options, made, err);
    snap_salvage_release(&job);
    if (fd >= 0)
        close(fd); /* only read: nothing can be lost */
    return snap_verdict_give(made, status, "archive", path, verdict, err);
}
