/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "run_list.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A sweep of sweeps; more is somebody's data. */
#define DEPTH_MOST 4
/* What a page can show; the others are not found. */
#define RUNS_MOST 1024

static bool add(struct agn_run_list *list, const char *name, const char *dir)
{
    struct agn_found *grown = realloc(list->runs, (list->count + 1) * sizeof *grown);
    if (grown == NULL)
        return false;
    list->runs = grown;
    struct agn_found found = { .name = strdup(name), .dir = strdup(dir) };
    if (found.name == NULL || found.dir == NULL) {
        free(found.name);
        free(found.dir);
        return false;
    }
    list->runs[list->count++] = found;
    return true;
}

static bool is_there(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat info;
    return snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path &&
           lstat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* `dir` is ROOT/NAME. Folders that cannot be read have no runs. */
static bool look_into(struct agn_run_list *list, const char *dir, const char *name, int depth)
{
    char child[PATH_MAX];
    char child_name[PATH_MAX];
    struct stat info;
    struct dirent **entries;
    bool good = true;
    if (depth > 0 && (is_there(dir, "ledger.jsonl") || is_there(dir, "events.jsonl")))
        return list->count == RUNS_MOST || add(list, name, dir);
    if (depth == DEPTH_MOST)
        return true;
    int count = scandir(dir[0] != '\0' ? dir : "/", &entries, NULL, NULL);
    for (int i = 0; i < count; i++) {
        const char *leaf = entries[i]->d_name;
        if (good && leaf[0] != '.' &&
            snprintf(child, sizeof child, "%s/%s", dir, leaf) < (int)sizeof child &&
            lstat(child, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid()) {
            snprintf(child_name, sizeof child_name, "%s%s%s", name, depth > 0 ? "/" : "", leaf);
            good = look_into(list, child, child_name, depth + 1);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return good && (count >= 0 || depth > 0);
}

static int compare(const void *left, const void *right)
{
    return strcmp(((const struct agn_found *)left)->name, ((const struct agn_found *)right)->name);
}

bool agn_run_list_read(const char *root, struct agn_run_list *list)
{
    *list = (struct agn_run_list){ .count = 0 };
    /* The root "/" needs no slash of its own. */
    if (!look_into(list, strcmp(root, "/") == 0 ? "" : root, "", 0)) {
        agn_run_list_release(list);
        return false;
    }
    if (list->count > 0)
        qsort(list->runs, list->count, sizeof *list->runs, compare);
    return true;
}

void agn_run_list_release(struct agn_run_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->runs[i].name);
        free(list->runs[i].dir);
    }
    free(list->runs);
    *list = (struct agn_run_list){ .count = 0 };
}
