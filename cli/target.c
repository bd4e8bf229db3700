/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <snapstate/store.h>

#include "run_files.h"
#include "target.h"

static const char *kind_text(enum cmd_target kind)
{
    switch (kind) {
    case CMD_TARGET_ARCHIVE:
        return "an archive";
    case CMD_TARGET_RUN:
        return "a run folder";
    case CMD_TARGET_LEDGER:
        return "a ledger";
    case CMD_TARGET_CONFIG:
        return "a JSON document";
    case CMD_TARGET_LISTING:
        return "a listing";
    case CMD_TARGET_STORE:
        return "a store";
    case CMD_TARGET_CHECKPOINT:
        return "a checkpoint";
    }
    return "something else";
}

/* "a run folder or an archive" */
static void wanted_text(unsigned wanted, char *text, size_t text_size)
{
    static const enum cmd_target order[] = { CMD_TARGET_CONFIG, CMD_TARGET_RUN,
                                             CMD_TARGET_ARCHIVE, CMD_TARGET_STORE,
                                             CMD_TARGET_LEDGER, CMD_TARGET_CHECKPOINT,
                                             CMD_TARGET_LISTING };
    size_t used = 0, left = 0;

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        left += (wanted & (unsigned)order[i]) != 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof order / sizeof order[0] && used < text_size; i++) {
        const char *name = order[i] == CMD_TARGET_CONFIG ? "a config" : kind_text(order[i]);
        if ((wanted & (unsigned)order[i]) == 0)
            continue;
        left--;
        used += (size_t)snprintf(text + used, text_size - used, "%s%s", name,
                                 left > 1 ? ", " : left == 1 ? " or " : "");
    }
}

static bool has(const char *dir, const char *name)
{
    char path[PATH_MAX];

    return cmd_path_join(dir, name, path, NULL) == SNAP_OK && access(path, F_OK) == 0;
}

static bool is_run(const char *dir)
{
    return has(dir, "ledger.jsonl") || has(dir, "events.jsonl") || has(dir, "latest") ||
           has(dir, "snapshots");
}

static enum snap_status folder_kind(const char *path, unsigned wanted_kinds, const char *wanted,
                                    enum cmd_target *kind, struct snap_error *err)
{
    bool is_store = has(path, "archives") && !has(path, "snapshots");
    bool unpacked = has(path, "STATE") || (has(path, "SHA256SUMS") && !is_run(path));

    if (unpacked && (wanted_kinds & CMD_TARGET_LISTING)) {
        *kind = CMD_TARGET_LISTING;
        return SNAP_OK;
    }
    if (is_store && (wanted_kinds & CMD_TARGET_STORE)) {
        *kind = CMD_TARGET_STORE;
        return SNAP_OK;
    }
    if (has(path, "SHA256SUMS") && has(path, "STATE"))
        return snap_error_set(err, SNAP_NOT_FOUND,
                              "%s: an unpacked archive; %s is wanted ('sha256sum -c SHA256SUMS' "
                              "checks it as it is)", path, wanted);
    if (is_run(path)) {
        *kind = CMD_TARGET_RUN;
        return SNAP_OK;
    }
    if (has(path, "index.snap.tar")) {
        *kind = CMD_TARGET_CHECKPOINT;
        return SNAP_OK;
    }
    if (has(path, "../ledger.jsonl"))
        return snap_error_set(err, SNAP_NOT_FOUND,
                              "%s: a folder inside a run; %s is wanted: the folder above, or a "
                              "file in here", path, wanted);
    return snap_error_set(err, SNAP_NOT_FOUND, "%s: a folder without a run; %s is wanted", path,
                          wanted);
}

/* A text file tells itself by how it begins; everything else is for the reader of archives. */
static enum snap_status file_kind(const char *path, enum cmd_target *kind, struct snap_error *err)
{
    static const char ledger_start[] = "{\"chain\":";
    char start[65] = ""; /* as many characters as a SHA-256 has digits */
    ssize_t size;
    size_t at = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: opening it", path);
    size = read(fd, start, sizeof start - 1);
    if (size < 0) {
        int os_error = errno;
        close(fd); /* it was only read */
        return snap_error_set_os(err, SNAP_IO, os_error, "%s: reading it", path);
    }
    close(fd); /* it was only read */
    while (at < (size_t)size && strchr(" \t\r\n", start[at]) && start[at])
        at++;
    *kind = CMD_TARGET_ARCHIVE;
    if (size == sizeof start - 1 && strspn(start, "0123456789abcdef") == 64)
        *kind = CMD_TARGET_LISTING;
    if (at < (size_t)size && start[at] == '{')
        *kind = CMD_TARGET_CONFIG;
    if ((size_t)size >= sizeof ledger_start - 1 &&
        memcmp(start, ledger_start, sizeof ledger_start - 1) == 0)
        *kind = CMD_TARGET_LEDGER;
    return SNAP_OK;
}

/* A URI tells itself by how it ends: nobody is asked for that. */
static enum snap_status uri_kind(const char *uri, unsigned wanted_kinds, const char *wanted,
                                 enum cmd_target *kind, struct snap_error *err)
{
    static const char suffix[] = ".snap.tar";
    size_t length = strlen(uri), end = sizeof suffix - 1;

    *kind = length > end && strcmp(uri + length - end, suffix) == 0 ? CMD_TARGET_ARCHIVE
                                                                     : CMD_TARGET_STORE;
    if (wanted_kinds & (unsigned)*kind)
        return SNAP_OK;
    if (*kind == CMD_TARGET_STORE && (wanted_kinds & CMD_TARGET_ARCHIVE))
        return snap_error_set(err, SNAP_INVALID,
                              "%s: a store; %s is wanted: 'snap list' shows the archives in it",
                              uri, wanted);
    return snap_error_set(err, SNAP_INVALID,
                          "%s: in a store; %s is wanted, in the file system: 'snap pull' gets it "
                          "there", uri, wanted);
}

enum snap_status cmd_target_find(const char *path, unsigned wanted, enum cmd_target *found,
                                 struct snap_error *err)
{
    enum cmd_target kind = CMD_TARGET_ARCHIVE;
    enum snap_status status;
    char text[200], hint[100] = "";
    struct cmd_latest latest;
    struct stat st;

    wanted_text(wanted, text, sizeof text);
    if (snap_is_uri(path))
        return uri_kind(path, wanted, text, found, err);
    if (stat(path, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return snap_error_set(err, SNAP_NOT_FOUND, "%s: no such file or folder; %s is wanted",
                                  path, text);
        return snap_error_set_os(err, SNAP_IO, errno, "%s: looking at it", path);
    }
    if (S_ISDIR(st.st_mode))
        status = folder_kind(path, wanted, text, &kind, err);
    else if (S_ISREG(st.st_mode))
        status = file_kind(path, &kind, err);
    else
        status = snap_error_set(err, SNAP_INVALID, "%s: neither a file nor a folder; %s is wanted",
                                path, text);
    if (status != SNAP_OK)
        return status;
    if (wanted & (unsigned)kind) {
        *found = kind;
        return SNAP_OK;
    }
    if (kind == CMD_TARGET_RUN && (wanted & CMD_TARGET_ARCHIVE) &&
        cmd_run_latest(path, &latest, NULL) == SNAP_OK)
        snprintf(hint, sizeof hint, ", such as %s in it", latest.file);
    if (kind == CMD_TARGET_CHECKPOINT && (wanted & CMD_TARGET_ARCHIVE))
        snprintf(hint, sizeof hint, ", such as index.snap.tar in it");
    return snap_error_set(err, SNAP_INVALID, "%s: %s; %s is wanted%s", path, kind_text(kind), text,
                          hint);
}

enum snap_status cmd_target_open(const char *target, enum cmd_target kind, char *path,
                                 struct snap_archive **archive, struct snap_error *err)
{
    struct snap_archive *opened = NULL;
    struct cmd_latest latest;
    enum snap_status status;

    if (kind == CMD_TARGET_STORE) {
        char *stored = NULL;
        status = snap_stored_latest(target, &stored, err);
        if (status != SNAP_OK)
            return status;
        snprintf(path, PATH_MAX, "%s", stored);
        free(stored);
        return snap_archive_open(path, archive, err);
    }
    if (kind != CMD_TARGET_RUN) {
        snprintf(path, PATH_MAX, "%s", target);
        return snap_archive_open(path, archive, err);
    }
    status = cmd_run_latest(target, &latest, err);
    if (status == SNAP_OK)
        status = cmd_path_join(target, latest.file, path, err);
    if (status == SNAP_OK)
        status = snap_archive_open(path, &opened, err);
    if (status == SNAP_OK &&
        strcmp(snap_archive_snapshot_hash(opened), latest.snapshot_hash) != 0) {
        status = snap_error_set(err, SNAP_CORRUPT, "%s: it is %s, and %s/latest says %s", path,
                                snap_archive_snapshot_hash(opened), target, latest.snapshot_hash);
        snap_archive_close(opened);
    }
    if (status == SNAP_OK)
        *archive = opened;
    return status;
}
