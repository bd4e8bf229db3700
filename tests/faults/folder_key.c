/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <snapstate/snapstate.h>

#include "folder_key.h"
#include "toy_run.h"

/* Every file of a toy run together, its folder's names before it. */
static char *text;
static size_t room, used;

static void append(const void *bytes, size_t size)
{
    if (used + size > room) {
        room = 2 * (used + size);
        text = realloc(text, room);
        if (text == NULL)
            abort();
    }
    memcpy(text + used, bytes, size);
    used += size;
}

/* Digits behind `mark` as zeros, up to the next quote, comma or end of line. */
static void mask(char *bytes, const char *mark, const char *ends)
{
    for (char *at = bytes; (at = strstr(at, mark)) != NULL;) {
        at += strlen(mark);
        for (; *at != '\0' && strchr(ends, *at) == NULL; at++)
            if (isxdigit((unsigned char)*at))
                *at = '0';
    }
}

static void append_file(const char *dir, const char *name)
{
    char masked[300];
    struct stat info;
    size_t size = 0;
    const char *path = toy_path(dir, name);
    snprintf(masked, sizeof masked, "%s\n", name);
    mask(masked, ".tmp-", "\n");
    append(masked, strlen(masked));
    if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return;
    char *bytes = toy_read(path, &size);
    if (bytes == NULL)
        abort();
    if (strstr(name, "events.jsonl") != NULL) {
        mask(bytes, "\"time\":\"", "\"");
        mask(bytes, "_ms\":", ",}");
    }
    append(&size, sizeof size);
    append(bytes, size);
    free(bytes);
}

static void append_folder(const char *dir)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        append_file(dir, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

void folder_key(const char *dir, unsigned char key[SNAP_DIGEST_BYTES])
{
    used = 0;
    append_folder(dir);
    append_folder(toy_path(dir, "snapshots"));
    if (snap_bytes_digest(text, used, key, NULL) != SNAP_OK)
        abort();
}
