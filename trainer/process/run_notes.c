/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "process/run_notes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "process/run_paths.h"

static uint64_t number(const json_t *event, const char *key)
{
    const json_t *value = json_object_get(event, key);
    if (json_is_string(value))
        return strtoull(json_string_value(value), NULL, 10); /* past 2^53 */
    return (uint64_t)json_integer_value(value);
}

static void copy(const json_t *event, const char *key, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(event, key));
    snprintf(text, size, "%s", value != NULL ? value : "");
}

static bool add(struct trn_run_notes *notes, enum trn_note_kind kind, const json_t *event)
{
    struct trn_run_note *grown =
        reallocarray(notes->notes, notes->count + 1, sizeof(*notes->notes));
    if (grown == NULL)
        return false;
    notes->notes = grown;
    struct trn_run_note *note = &grown[notes->count++];
    *note = (struct trn_run_note){ .kind = kind, .step = number(event, "step") };
    copy(event, "hash", note->hash, sizeof(note->hash));
    copy(event, kind == TRN_NOTE_RESTORE ? "tier" : "file", note->detail, sizeof(note->detail));
    copy(event, "time", note->time, sizeof(note->time));
    return true;
}

/* False: no memory. */
static bool take(struct trn_run_notes *notes, const json_t *event)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    if (name == NULL)
        return true;
    if (strcmp(name, "save") == 0)
        return add(notes, TRN_NOTE_SAVE, event);
    if (strcmp(name, "failure") == 0)
        return add(notes, TRN_NOTE_FAILURE, event);
    if (strcmp(name, "restore") == 0)
        return add(notes, TRN_NOTE_RESTORE, event);
    if (strcmp(name, "train") == 0) {
        notes->held_out = number(event, "held_out");
        notes->ended = false;
    } else if (strcmp(name, "end") == 0) {
        notes->ended = true;
        notes->end_step = number(event, "step");
        copy(event, "reason", notes->end_reason, sizeof(notes->end_reason));
    }
    return true;
}

enum snap_status trn_run_notes_read(const char *dir, struct trn_run_notes *notes,
                                    struct snap_error *err)
{
    struct trn_run_notes read = { .notes = NULL };
    char path[TRN_PATH_SIZE];
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    bool enough = true;
    enum snap_status status = trn_join_path(dir, "events.jsonl", path, err);
    if (status != SNAP_OK)
        return status;
    FILE *file = fopen(path, "re");
    if (file == NULL && errno != ENOENT)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: opening it", path);
    while (file != NULL && enough && (size = getline(&line, &capacity, file)) > 0) {
        json_t *event = json_loadb(line, (size_t)size, JSON_REJECT_DUPLICATES, NULL);
        enough = take(&read, event);
        json_decref(event);
    }
    if (file != NULL && ferror(file))
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: reading it", path);
    else if (!enough)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its events", path);
    if (file != NULL)
        fclose(file); /* it was only read */
    free(line);
    if (status != SNAP_OK) {
        trn_run_notes_release(&read);
        return status;
    }
    *notes = read;
    return SNAP_OK;
}

void trn_run_notes_release(struct trn_run_notes *notes)
{
    free(notes->notes);
    memset(notes, 0, sizeof(*notes));
}
