/* SPDX-License-Identifier: Apache-2.0 */
/* From a path to what is answered. A run is one of those that are found below the root, and a file
 * one of a few names in it: no path of a client's reaches the file system. */
#include "config.h"

#include "answer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "process/run_paths.h"
#include "run_list.h"
#include "run_state.h"
#include "view.h"

#define TEXT "text/plain; charset=utf-8"
#define JSON "application/json"
#define PAGE "text/html; charset=utf-8"
#define METRICS "text/plain; version=0.0.4; charset=utf-8"

void agn_answer_release(struct agn_answer *answer)
{
    free(answer->text);
    agn_shared_text_release(answer->shared);
    if (answer->fd >= 0)
        close(answer->fd); /* only read */
    *answer = (struct agn_answer)AGN_ANSWER_INIT;
}

void agn_answer_text(struct agn_answer *answer, unsigned status, const char *type, char *text)
{
    answer->status = text == NULL ? 500 : status;
    answer->type = text == NULL ? TEXT : type;
    answer->text = text != NULL ? text : strdup("out of memory\n");
    answer->text_size = answer->text != NULL ? strlen(answer->text) : 0;
}

void agn_answer_problem(struct agn_answer *answer, unsigned status, const char *problem)
{
    char line[1100];
    snprintf(line, sizeof line, "%s\n", problem);
    agn_answer_text(answer, status, TEXT, strdup(line));
}

/* ---- parts of files ---- */

/* Decimal digits alone; *text moves behind them. */
static bool take_number(const char **text, uint64_t *number)
{
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > 19)
        return false;
    *number = strtoull(*text, NULL, 10);
    *text += digits;
    return true;
}

/* "-n": the last n bytes. */
static unsigned last_part(const char *at, uint64_t size, uint64_t *offset, uint64_t *length)
{
    uint64_t number;
    if (!take_number(&at, &number) || *at != '\0')
        return 200;
    if (number == 0 || size == 0)
        return 416;
    *length = number < size ? number : size;
    *offset = size - *length;
    return 206;
}

unsigned agn_part_of(const char *range, uint64_t size, uint64_t *offset, uint64_t *length)
{
    static const char unit[] = "bytes=";
    uint64_t first;
    uint64_t last = UINT64_MAX;
    *offset = 0;
    *length = size;
    if (range == NULL || strncmp(range, unit, sizeof unit - 1) != 0)
        return 200;
    const char *at = range + sizeof unit - 1;
    if (*at == '-')
        return last_part(at + 1, size, offset, length);
    if (!take_number(&at, &first) || *at++ != '-' || (*at != '\0' && !take_number(&at, &last)) ||
        *at != '\0' || last < first)
        return 200;
    if (first >= size)
        return 416;
    *offset = first;
    *length = (last < size ? last + 1 : size) - first;
    return 206;
}

static void answer_file(const char *path, const char *type, const struct agn_part *part,
                        struct agn_answer *answer)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        if (fd >= 0)
            close(fd); /* only read */
        agn_answer_problem(answer, 404, "no such file");
        return;
    }
    answer->fd = fd;
    answer->type = type;
    answer->file_size = (uint64_t)info.st_size;
    snprintf(answer->etag, sizeof answer->etag, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"",
             (uint64_t)info.st_ino, (uint64_t)info.st_size,
             (uint64_t)info.st_mtim.tv_sec * 1000000000 + (uint64_t)info.st_mtim.tv_nsec);
    bool same = part->if_range == NULL || strcmp(part->if_range, answer->etag) == 0;
    answer->status = agn_part_of(same ? part->range : NULL, answer->file_size, &answer->offset,
                                 &answer->length);
}

/* ---- runs ---- */

static void answer_page(const struct agn_asker *asker, const char *dir, struct agn_answer *answer)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct agn_shared_text *text = NULL;
    enum snap_status status = SNAP_OK;
    answer->later = !agn_pages_get(asker->pages, dir, asker->waiter, asker->waited, &text, &status,
                                   &err);
    if (answer->later)
        return;
    if (status != SNAP_OK) {
        agn_answer_problem(answer,
                           status == SNAP_NO_MEMORY ? 500
                           : status == SNAP_BUSY    ? 503
                                                    : 404,
                           err.text);
        return;
    }
    answer->status = 200;
    answer->type = PAGE;
    answer->shared = text;
    answer->moves = agn_run_is_training(dir);
}

/* `tail` is what follows the run's name. */
static void answer_run(struct agn_agent *agent, const struct agn_asker *asker,
                       const struct agn_found *run, const char *tail, const struct agn_part *part,
                       struct agn_answer *answer)
{
    char path[PATH_MAX];
    uint64_t step;
    const char *folder = strncmp(tail, "/snapshots/", 11) == 0  ? "snapshots"
                         : strncmp(tail, "/capsules/", 10) == 0 ? "capsules"
                                                                : NULL;
    if (tail[0] == '\0') {
        agn_answer_text(answer, 200, JSON, agn_view_run(agent, run));
    } else if (strcmp(tail, "/report") == 0 && agent->options->page != NULL) {
        answer_page(asker, run->dir, answer);
    } else if (strcmp(tail, "/receipts") == 0) {
        agn_answer_text(answer, 200, JSON, agn_view_receipts(run));
    } else if (folder != NULL && trn_snapshot_step(strrchr(tail, '/') + 1, &step) &&
               snprintf(path, sizeof path, "%s/%s/%s", run->dir, folder, strrchr(tail, '/') + 1) <
                   (int)sizeof path &&
               strlen(tail) == strlen(folder) + 2 + strlen(strrchr(tail, '/') + 1)) {
        answer_file(path, "application/x-tar", part, answer);
    } else {
        agn_answer_problem(answer, 404, "a run has /report, /receipts, /snapshots/FILE and "
                                        "/capsules/FILE");
    }
}

/* The run whose name `path` begins with; *tail is what follows. */
static const struct agn_found *find_run(const struct agn_run_list *list, const char *path,
                                        const char **tail)
{
    const struct agn_found *found = NULL;
    for (size_t i = 0; i < list->count; i++) {
        size_t length = strlen(list->runs[i].name);
        if (strncmp(path, list->runs[i].name, length) == 0 &&
            (path[length] == '\0' || path[length] == '/')) {
            found = &list->runs[i]; /* no run lies in another */
            *tail = path + length;
        }
    }
    return found;
}

void agn_answer_get(struct agn_agent *agent, const struct agn_asker *asker, const char *path,
                    const struct agn_part *part, struct agn_answer *answer)
{
    static const char runs[] = "/runs/";
    struct agn_run_list list;
    const char *tail = NULL;
    if (strcmp(path, "/healthz") == 0) {
        agn_answer_text(answer, 200, TEXT, strdup("ok\n"));
        return;
    }
    if (!agn_run_list_read(agent->root, &list)) {
        agn_answer_problem(answer, 500, "the runs cannot be listed");
        return;
    }
    const struct agn_found *run = strncmp(path, runs, sizeof runs - 1) == 0
                                      ? find_run(&list, path + sizeof runs - 1, &tail)
                                      : NULL;
    if (run != NULL) {
        answer_run(agent, asker, run, tail, part, answer);
    } else if (strcmp(path, "/") == 0) {
        agn_answer_text(answer, 200, PAGE, agn_view_index(agent, &list));
        answer->moves = true;
    } else if (strcmp(path, "/runs") == 0) {
        agn_answer_text(answer, 200, JSON, agn_view_runs(agent, &list));
    } else if (strcmp(path, "/metrics") == 0) {
        agn_answer_text(answer, 200, METRICS, agn_view_metrics(agent, &list));
    } else {
        agn_answer_problem(answer, 404, "nothing is there");
    }
    agn_run_list_release(&list);
}
