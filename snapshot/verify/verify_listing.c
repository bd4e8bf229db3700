/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hex.h"
#include "digest/sha256.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "format/member_name.h"
#include "verify/evidence.h"
#include "verify/verify_listing.h"

enum snap_status snap_listed_digest(int dirfd, const char *name,
                                  unsigned char digest[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    struct stat info;
    int fd = -1;
    /* A pipe of that name must not hold us up. */
    enum snap_status status =
        snap_file_open(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, err);
    if (status != SNAP_OK)
        return status;
    if (fstat(fd, &info) != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: looking at it", name);
    else if (!S_ISREG(info.st_mode))
        status = snap_error_set(err, SNAP_IO, "%s: is not a regular file", name);
    else
        status = snap_sha256_fd(fd, name, digest, NULL, err);
    close(fd); /* it was only read */
    return status;
}

/* ---- lines ---- */

struct line {
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    unsigned char sha256[SNAP_DIGEST_BYTES];
};

/* Take the line at *at; false when there is none of a member. */
static bool next_line(const struct snap_buffer *text, size_t *at, struct line *line)
{
    const char *start = (const char *)text->data + *at;
    const char *end = memchr(start, '\n', text->size - *at);
    enum snap_member_kind kind;
    size_t digits = 2 * SNAP_DIGEST_BYTES;
    if (end == NULL || (size_t)(end - start) < digits + 3 ||
        (size_t)(end - start) > digits + 2 + SNAP_MAX_MEMBER_NAME_BYTES ||
        !snap_hex_decode(start, digits, line->sha256) || memcmp(start + digits, "  ", 2) != 0)
        return false;
    size_t length = (size_t)(end - start) - digits - 2;
    memcpy(line->name, start + digits + 2, length);
    line->name[length] = '\0';
    *at += (size_t)(end - start) + 1;
    return strlen(line->name) == length && snap_member_kind_of(line->name, &kind);
}

static enum snap_status read_manifest(int dirfd, const char *where,
                                      struct snap_listing_folder *folder, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    json_t *document = NULL;
    enum snap_status status =
        snap_file_read(dirfd, "manifest.json", SNAP_MAX_MANIFEST_BYTES, &text, err);
    if (status == SNAP_OK)
        status = snap_json_decode(text.data, text.size, where, &document, err);
    if (status == SNAP_OK)
        status = snap_manifest_decode(document, &folder->manifest, err);
    folder->has_manifest = status == SNAP_OK;
    json_decref(document);
    snap_buffer_release(&text);
    return status;
}

/* Is the member here, and is it the one listed? */
static enum snap_status meet_member(int dirfd, const char *where, const struct line *line,
                                    struct snap_listing_folder *folder, json_t *absent,
                                    struct snap_error *err)
{
    unsigned char found[SNAP_DIGEST_BYTES];
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_listed_digest(dirfd, line->name, found, &cause);
    if (status == SNAP_NOT_FOUND) {
        folder->absent++;
        return absent == NULL ? SNAP_OK : snap_json_append(absent, json_string(line->name), err);
    }
    if (status != SNAP_OK)
        return snap_error_set(err, status, "%s: %s", where, cause.text);
    if (memcmp(found, line->sha256, sizeof found) != 0)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: %s: its SHA-256 is not the one that the listing has", where,
                              line->name);
    folder->present++;
    if (strcmp(line->name, "manifest.json") == 0)
        return read_manifest(dirfd, where, folder, err);
    folder->contents += strcmp(line->name, "STATE") != 0;
    return SNAP_OK;
}

static enum snap_status read_lines(int dirfd, const char *where, const struct snap_buffer *text,
                                   struct snap_listing_folder *folder, json_t *absent,
                                   struct snap_error *err)
{
    struct line line, before = { .name = "" };
    enum snap_status status = SNAP_OK;
    size_t number = 0;
    bool of_state = true; /* until the line of STATE, which only SHA256SUMS has */
    for (size_t at = 0; status == SNAP_OK && at < text->size; before = line) {
        number++;
        if (!of_state || !next_line(text, &at, &line) || strcmp(line.name, before.name) == 0)
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: line %zu: is none of SHA256SUMS or STATE", where, number);
        if (strcmp(line.name, "STATE") == 0) {
            snap_hash_text("state1", line.sha256, folder->state);
            of_state = false;
        }
        status = meet_member(dirfd, where, &line, folder, absent, err);
    }
    folder->of_state = of_state;
    return status;
}

enum snap_status snap_listing_folder_read(const char *dir, const char *file,
                                          struct snap_listing_folder *folder, json_t *absent,
                                          struct snap_error *err)
{
    struct snap_listing_folder found = SNAP_LISTING_FOLDER_INIT;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    char where[PATH_MAX];
    int dirfd = -1;
    snprintf(where, sizeof where, "%s/%s", dir, file);
    enum snap_status status = snap_file_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &dirfd, err);
    if (status == SNAP_OK)
        status = snap_file_read(dirfd, file, SNAP_MAX_LISTING_BYTES, &text, err);
    if (status == SNAP_OK && text.size == 0)
        status = snap_error_set(err, SNAP_CORRUPT, "%s: is empty", where);
    if (status == SNAP_OK)
        status = snap_sha256(text.data, text.size, digest, err);
    if (status == SNAP_OK)
        status = read_lines(dirfd, where, &text, &found, absent, err);
    if (status == SNAP_OK) {
        snap_hash_text(found.of_state ? "state1" : "snap1", digest,
                       found.of_state ? found.state : found.snapshot);
        *folder = found;
    } else {
        snap_manifest_release(&found.manifest);
    }
    snap_buffer_release(&text);
    if (dirfd >= 0)
        close(dirfd); /* it was only read */
    return status;
}

void snap_listing_folder_release(struct snap_listing_folder *folder)
{
    snap_manifest_release(&folder->manifest);
    *folder = (struct snap_listing_folder)SNAP_LISTING_FOLDER_INIT;
}

/* ---- the verdict ---- */

/* The folder and the file that `path` means. */
static enum snap_status find_listing(const char *path, char dir[PATH_MAX], const char **file,
                                     struct snap_error *err)
{
    struct stat info;
    char try[PATH_MAX];
    if (stat(path, &info) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: looking at it", path);
    if (S_ISDIR(info.st_mode)) {
        snprintf(dir, PATH_MAX, "%s", path);
        *file = "SHA256SUMS";
        if (snprintf(try, sizeof try, "%s/%s", path, *file) >= (int)sizeof try)
            return snap_error_set(err, SNAP_INVALID, "%s: the path is too long", path);
        if (access(try, F_OK) != 0)
            *file = "STATE";
        return SNAP_OK;
    }
    const char *slash = strrchr(path, '/');
    *file = slash != NULL ? slash + 1 : path;
    if (slash == NULL)
        snprintf(dir, PATH_MAX, ".");
    else
        snprintf(dir, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return SNAP_OK;
}

static enum snap_status compare(struct snap_verdict *verdict,
                                const struct snap_evidence_node *node, const char *expected,
                                struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    const char *found = strncmp(expected, "state1:", 7) == 0 ? node->state
                        : strncmp(expected, "run1:", 5) == 0 ? node->run
                                                             : node->snapshot;
    if (strcmp(found, expected) == 0)
        return snap_verdict_ok(verdict, false, err, "expected hash", "is this listing's");
    snap_error_set(&cause, SNAP_DIFFERS, "the listing has %s, and %s was expected",
                   found[0] != '\0' ? found : "no such hash", expected);
    return snap_verdict_failed(verdict, "expected hash", SNAP_DIFFERS, &cause, err);
}

static enum snap_status judge(struct snap_verdict *verdict, const char *path, const char *expected,
                              struct snap_error *err)
{
    struct snap_listing_folder folder = SNAP_LISTING_FOLDER_INIT;
    struct snap_evidence evidence = SNAP_EVIDENCE_INIT;
    struct snap_error cause = SNAP_ERROR_INIT;
    char dir[PATH_MAX];
    const char *file;
    enum snap_status status = find_listing(path, dir, &file, err);
    if (status != SNAP_OK)
        return status;
    status = snap_listing_folder_read(dir, file, &folder, verdict->withheld, &cause);
    if (status == SNAP_NOT_FOUND)
        status = snap_error_set(&cause, SNAP_IO, "%s: no such file", path);
    if (status != SNAP_OK)
        return snap_verdict_failed(verdict, "listing", status, &cause, err);
    status = snap_verdict_ok(verdict, false, err, "listing", "%zu members, %zu of them here",
                             folder.present + folder.absent, folder.present);
    if (status == SNAP_OK)
        status = snap_verdict_ok(verdict, false, err, "hashes", "%s%s%s", folder.snapshot,
                                 folder.snapshot[0] != '\0' ? " " : "", folder.state);
    if (status == SNAP_OK)
        status = snap_evidence_add_listing(&evidence, folder.snapshot, folder.state,
                                           folder.has_manifest ? &folder.manifest : NULL,
                                           folder.present, folder.absent, folder.contents, err);
    if (status == SNAP_OK && expected != NULL)
        status = compare(verdict, &evidence.nodes[0], expected, err);
    if (status == SNAP_OK)
        status = snap_evidence_judge(&evidence, expected, verdict, err);
    snap_evidence_release(&evidence);
    snap_listing_folder_release(&folder);
    return status;
}

enum snap_status snap_verify_listing(const char *path, const struct snap_verify_options *options,
                                     struct snap_verdict **verdict, struct snap_error *err)
{
    struct snap_verify_options none = SNAP_VERIFY_OPTIONS_INIT;
    struct snap_verdict *made = NULL;
    enum snap_status status = SNAP_OK;
    if (options == NULL)
        options = &none;
    if (path == NULL || options->size_bytes != sizeof *options || options->only != NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "verify: no path, options that are not SNAP_VERIFY_OPTIONS_INIT, or "
                              "a member named for a listing");
    if (options->expected != NULL)
        status = snap_check_hash_text(options->expected, err);
    if (status == SNAP_OK)
        status = snap_verdict_new(&made, err);
    if (status == SNAP_OK)
        status = judge(made, path, options->expected, err);
    return snap_verdict_give(made, status, "listing", path, verdict, err);
}
