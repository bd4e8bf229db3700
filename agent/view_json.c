/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "view.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "process/run_notes.h"
#include "run_state.h"
#include "uploads.h"

/* A document of its own, with a newline; consumed. */
static char *as_text(json_t *document)
{
    char *text = document != NULL ? json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    size_t size = text != NULL ? strlen(text) : 0;
    char *line = text != NULL ? realloc(text, size + 2) : NULL;
    if (line == NULL)
        free(text);
    else
        memcpy(line + size, "\n", 2);
    json_decref(document);
    return line;
}

/* Names of files may be no UTF-8: then the last resort. */
json_t *agn_view_text(const char *text)
{
    json_t *value = json_string(text);
    return value != NULL ? value : json_string("?");
}

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? agn_view_text(text) : json_null();
}

static json_t *run_value(const struct agn_found *run)
{
    struct agn_run_state state;
    agn_run_state_read(run->dir, &state);
    return json_pack("{s:o, s:o, s:I, s:o, s:I, s:s, s:I}", "hash", text_or_null(state.hash),
                     "latest", text_or_null(state.latest), "last_step",
                     (json_int_t)state.last_step, "name", agn_view_text(run->name), "pid",
                     (json_int_t)state.pid, "state", agn_run_stage_name(state.stage), "step",
                     (json_int_t)state.step);
}

char *agn_view_runs(struct agn_agent *agent, const struct agn_run_list *list)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(runs, run_value(&list->runs[i]));
    return as_text(json_pack("{s:o, s:o}", "root", agn_view_text(agent->root), "runs", runs));
}

/* The archives in a folder of the run, by name. */
static json_t *archives_value(const struct agn_found *run, const char *folder)
{
    json_t *list = json_array();
    char path[PATH_MAX];
    struct dirent **entries;
    struct stat info;
    if (snprintf(path, sizeof path, "%s/%s", run->dir, folder) >= (int)sizeof path)
        return list;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.' &&
            snprintf(path, sizeof path, "%s/%s/%s", run->dir, folder, entries[i]->d_name) <
                (int)sizeof path &&
            lstat(path, &info) == 0 && S_ISREG(info.st_mode))
            json_array_append_new(list, json_pack("{s:I, s:o}", "bytes", (json_int_t)info.st_size,
                                                  "file", agn_view_text(entries[i]->d_name)));
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return list;
}

/* What the agent did for it, and does. */
static json_t *agent_value(struct agn_agent *agent, const char *dir)
{
    json_t *value = json_null();
    json_t *under_way = json_null();
    pthread_mutex_lock(&agent->lock);
    for (const struct agn_job *job = agent->jobs; job != NULL; job = job->next)
        if (strcmp(job->dir, dir) == 0) {
            json_decref(under_way);
            under_way = agn_job_value(job);
        }
    for (size_t i = 0; i < agent->run_count; i++)
        if (strcmp(agent->runs[i].dir, dir) == 0)
            value = agn_run_value(agent, &agent->runs[i]);
    pthread_mutex_unlock(&agent->lock);
    return json_pack("{s:o, s:o, s:o}", "saves", value, "under_way", under_way, "uploads",
                     agn_uploads_run_value(agent->uploads, dir));
}

char *agn_view_run(struct agn_agent *agent, const struct agn_found *run)
{
    json_t *value = run_value(run);
    json_object_set_new(value, "agent", agent_value(agent, run->dir));
    json_object_set_new(value, "snapshots", archives_value(run, "snapshots"));
    json_object_set_new(value, "capsules", archives_value(run, "capsules"));
    return as_text(value);
}

char *agn_view_receipts(const struct agn_found *run)
{
    struct trn_run_notes notes;
    json_t *list = json_array();
    if (trn_run_notes_read(run->dir, &notes, NULL) != SNAP_OK) {
        json_decref(list);
        return NULL;
    }
    for (size_t i = 0; i < notes.count; i++) {
        const struct trn_run_note *note = &notes.notes[i];
        if (note->kind == TRN_NOTE_RESTORE)
            json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:s}", "hash", note->hash,
                                                  "step", (json_int_t)note->step, "tier",
                                                  note->detail, "time", note->time));
    }
    trn_run_notes_release(&notes);
    return as_text(json_pack("{s:o}", "receipts", list));
}
