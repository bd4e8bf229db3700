/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "run_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

/* How far back from the end of a file is looked: events of tens of thousands of saves; a ledger
 * line, but for the longest that are allowed. */
#define EVENTS_BYTES ((size_t)8 << 20)
#define LINE_BYTES ((size_t)256 << 10)

const char *agn_run_stage_name(enum agn_run_stage stage)
{
    static const char *const names[] = { "new", "training", "stopped", "done", "interrupted" };
    return names[stage];
}

/* The last bytes of a file, `most` of them, terminated, from the beginning of a line on and without
 * a torn last one; NULL: there are none. */
static char *read_tail(const char *dir, const char *name, size_t most)
{
    char path[PATH_MAX];
    struct stat info;
    char *text = NULL;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
        (text = malloc(((size_t)info.st_size < most ? (size_t)info.st_size : most) + 1)) != NULL) {
        most = (size_t)info.st_size < most ? (size_t)info.st_size : most;
        off_t from = info.st_size - (off_t)most;
        ssize_t got = pread(fd, text, most, from);
        text[got > 0 ? got : 0] = '\0';
        char *first = from > 0 ? strchr(text, '\n') : NULL;
        if (first != NULL)
            memmove(text, first + 1, strlen(first + 1) + 1);
        char *last = strrchr(text, '\n');
        text[last != NULL ? last - text : 0] = '\0';
    }
    close(fd); /* only read */
    return text;
}

/* Each line of the text, the last first; NULL: there is none left. The text is cut. */
static char *take_last_line(char *text)
{
    char *newline = strrchr(text, '\n');
    char *line = newline != NULL ? newline + 1 : text;
    if (line[0] == '\0')
        return NULL;
    if (newline != NULL)
        *newline = '\0';
    return line;
}

static bool lives(pid_t pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* Of the many events few are asked for: the others are not taken apart. */
static bool may_matter(const char *line)
{
    return strstr(line, "\"event\":\"st") != NULL || strstr(line, "\"event\":\"end\"") != NULL ||
           strstr(line, "\"event\":\"train\"") != NULL;
}

/* From the last event back to the start of the last process. */
static void read_events(const char *dir, struct agn_run_state *state)
{
    char *text = read_tail(dir, "events.jsonl", EVENTS_BYTES);
    bool closed = false;
    bool done = false;
    bool started = false;
    char *line;
    while (text != NULL && !started && (line = take_last_line(text)) != NULL) {
        bool first = line == text;
        json_t *event =
            may_matter(line) ? json_loads(line, JSON_REJECT_DUPLICATES, NULL) : NULL;
        const char *name = json_string_value(json_object_get(event, "event"));
        const char *reason = json_string_value(json_object_get(event, "reason"));
        started = name != NULL && strcmp(name, "start") == 0;
        closed = closed || (name != NULL && strcmp(name, "stop") == 0);
        done = done || (name != NULL && strcmp(name, "end") == 0 && reason != NULL &&
                        strcmp(reason, "done") == 0);
        if (started)
            state->pid = (pid_t)json_integer_value(json_object_get(event, "pid"));
        if (name != NULL && strcmp(name, "train") == 0 && state->last_step == 0)
            state->last_step =
                (uint64_t)json_integer_value(json_object_get(event, "last_step"));
        json_decref(event);
        if (first)
            break;
    }
    free(text);
    state->stage = done      ? AGN_RUN_DONE
                   : closed  ? AGN_RUN_STOPPED
                   : !started ? AGN_RUN_NEW
                   : lives(state->pid) ? AGN_RUN_TRAINING
                                       : AGN_RUN_INTERRUPTED;
}

static void read_ledger(const char *dir, struct agn_run_state *state)
{
    char *text = read_tail(dir, "ledger.jsonl", LINE_BYTES);
    char *line = text != NULL ? take_last_line(text) : NULL;
    json_t *document = line != NULL ? json_loads(line, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const json_t *step = json_object_get(json_object_get(document, "host"), "step");
    if (json_integer_value(step) > 0)
        state->step = (uint64_t)json_integer_value(step);
    json_decref(document);
    free(text);
}

void agn_run_latest_read(const char *dir, struct agn_run_state *state)
{
    char *text = read_tail(dir, "latest", LINE_BYTES);
    json_t *document = text != NULL ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *file = json_string_value(json_object_get(document, "file"));
    const char *hash = json_string_value(json_object_get(document, "snapshot"));
    if (file != NULL && hash != NULL && strlen(file) < sizeof state->latest &&
        strlen(hash) < sizeof state->hash) {
        snprintf(state->latest, sizeof state->latest, "%s", file);
        snprintf(state->hash, sizeof state->hash, "%s", hash);
    }
    json_decref(document);
    free(text);
}

void agn_run_state_read(const char *dir, struct agn_run_state *state)
{
    *state = (struct agn_run_state){ .stage = AGN_RUN_NEW };
    read_events(dir, state);
    read_ledger(dir, state);
    agn_run_latest_read(dir, state);
}

bool agn_run_is_training(const char *dir)
{
    struct agn_run_state state = { .stage = AGN_RUN_NEW };
    read_events(dir, &state);
    return state.stage == AGN_RUN_TRAINING;
}
