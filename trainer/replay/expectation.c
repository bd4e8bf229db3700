/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "replay/expectation.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "process/run_paths.h"

/* The ledger lines that an archive holds. */
struct lines {
    uint64_t step; /* of the archive: they end there */
    char *text;    /* owned */
    size_t size;
};

/* Archives of one run, as they are found. */
struct gathered {
    struct lines *lines; /* owned */
    size_t count;
    size_t room;
};

static void gathered_release(struct gathered *gathered)
{
    for (size_t i = 0; i < gathered->count; i++)
        free(gathered->lines[i].text);
    free(gathered->lines);
}

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "replay: no memory for what it is compared with");
}

static enum snap_status gather(struct gathered *gathered, const struct snap_archive *archive,
                               struct snap_error *err)
{
    const struct snap_member *member = snap_archive_find(archive, "ledger.jsonl");
    if (member == NULL || member->withheld)
        return SNAP_OK;
    if (gathered->count == gathered->room) {
        size_t room = gathered->room > 0 ? 2 * gathered->room : 16;
        struct lines *grown = realloc(gathered->lines, room * sizeof(*grown));
        if (grown == NULL)
            return no_memory(err);
        gathered->lines = grown;
        gathered->room = room;
    }
    char *text = malloc((size_t)member->data_size + 1);
    if (text == NULL)
        return no_memory(err);
    enum snap_status status = snap_archive_read(archive, member, text, err);
    if (status != SNAP_OK) {
        free(text);
        return status;
    }
    text[member->data_size] = '\0';
    gathered->lines[gathered->count++] =
        (struct lines){ snap_archive_step(archive), text, (size_t)member->data_size };
    return SNAP_OK;
}

static enum snap_status add_archive(struct trn_expectation *expectation, uint64_t step,
                                    const char *path, struct snap_error *err)
{
    size_t count = expectation->archive_count;
    struct trn_later_archive *grown =
        realloc(expectation->archives, (count + 1) * sizeof(expectation->archives[0]));
    if (grown == NULL)
        return no_memory(err);
    expectation->archives = grown;
    char *copy = strdup(path);
    if (copy == NULL)
        return no_memory(err);
    grown[count] = (struct trn_later_archive){ step, copy };
    expectation->archive_count = count + 1;
    return SNAP_OK;
}

/* Where a replay starts. */
struct origin {
    char run_id[17]; /* 16 hex digits of the genesis chain */
    uint64_t step;
};

/* What is looked for in a folder, and where it goes. */
struct looking {
    const struct origin *origin;
    struct trn_expectation *expectation;
    struct gathered *gathered;
};

/* Take one file of the folder, if it is an archive of the run. */
static enum snap_status look_at(void *arg, const char *name, const char *path,
                                struct snap_error *err)
{
    const struct looking *looking = arg;
    const struct origin *origin = looking->origin;
    struct snap_archive *archive = NULL;
    (void)name;
    /* A damaged one is told, not passed over: it may be the very one to compare with. */
    enum snap_status status = snap_archive_open(path, &archive, err);
    if (status != SNAP_OK)
        return status;
    if (strcmp(snap_archive_run_id(archive), origin->run_id) == 0 &&
        strcmp(snap_archive_kind(archive), "snapshot") == 0) {
        status = gather(looking->gathered, archive, err);
        if (status == SNAP_OK && snap_archive_step(archive) > origin->step)
            status = add_archive(looking->expectation, snap_archive_step(archive), path, err);
    }
    snap_archive_close(archive);
    return status;
}

/* A run may have no archives any more, and its ledger. */
static enum snap_status look_around(const char *path, const struct origin *origin,
                                    struct trn_expectation *expectation, struct gathered *gathered,
                                    struct snap_error *err)
{
    struct looking looking = { origin, expectation, gathered };
    char copy[TRN_PATH_SIZE];
    snprintf(copy, sizeof(copy), "%s", path);
    return trn_each_archive(dirname(copy), look_at, &looking, err);
}

static int by_step(const void *a, const void *b)
{
    uint64_t left = ((const struct lines *)a)->step;
    uint64_t right = ((const struct lines *)b)->step;
    return left < right ? -1 : left > right;
}

static int archive_by_step(const void *a, const void *b)
{
    uint64_t left = ((const struct trn_later_archive *)a)->step;
    uint64_t right = ((const struct trn_later_archive *)b)->step;
    return left < right ? -1 : left > right;
}

/* The step of a ledger line; 0: it has none (a genesis line). */
static uint64_t step_of_line(const char *line, size_t size)
{
    json_t *document = json_loadb(line, size, JSON_DISABLE_EOF_CHECK, NULL);
    const json_t *step = json_object_get(json_object_get(document, "host"), "step");
    uint64_t value = json_is_integer(step) ? (uint64_t)json_integer_value(step) : 0;
    json_decref(document);
    return value;
}

/* Where in `lines` the first line after `step` begins: archives of one run may overlap, when
 * somebody had asked for a save in between. */
static size_t skip_to(const struct lines *lines, uint64_t step)
{
    size_t at = 0;
    while (at < lines->size) {
        const char *end = memchr(lines->text + at, '\n', lines->size - at);
        size_t length = end != NULL ? (size_t)(end - lines->text) + 1 - at : lines->size - at;
        if (step == 0 || step_of_line(lines->text + at, length) > step)
            return at;
        at += length;
    }
    return at;
}

/* The lines of all archives, one after the other, are a ledger when none is missing between
 * them; the decoder insists on that. Otherwise there is none, and whole states are compared
 * alone. */
static enum snap_status join_lines(struct gathered *gathered, struct snap_ledger **ledger,
                                   struct snap_error *err)
{
    size_t size = 0;
    uint64_t step = 0;
    for (size_t i = 0; i < gathered->count; i++)
        size += gathered->lines[i].size;
    if (size == 0)
        return SNAP_OK;
    char *text = malloc(size);
    if (text == NULL)
        return no_memory(err);
    qsort(gathered->lines, gathered->count, sizeof(gathered->lines[0]), by_step);
    size = 0;
    for (size_t i = 0; i < gathered->count; i++) {
        const struct lines *lines = &gathered->lines[i];
        size_t from = skip_to(lines, step);
        memcpy(text + size, lines->text + from, lines->size - from);
        size += lines->size - from;
        step = lines->step;
    }
    (void)snap_ledger_decode(text, size, "archives", ledger, NULL);
    free(text);
    return SNAP_OK;
}

static bool goes_through(const struct snap_ledger *ledger, const struct snap_archive *archive)
{
    size_t index;
    const char *hash = strchr(snap_archive_run_hash(archive), ':');
    return hash != NULL && snap_ledger_find(ledger, snap_archive_step(archive), &index) &&
           strcmp(snap_ledger_chain(ledger, index), hash + 1) == 0;
}

/* The file, or the one in the run folder of that name. */
static enum snap_status open_named(const char *name, struct trn_expectation *expectation,
                                   struct snap_error *err)
{
    bool folder;
    enum snap_status status = trn_is_folder(name, &folder, err);
    if (status != SNAP_OK)
        return status == SNAP_NOT_FOUND ? SNAP_IO : status;
    if (folder)
        status = trn_join_path(name, "ledger.jsonl", expectation->from, err);
    else
        snprintf(expectation->from, sizeof(expectation->from), "%s", name);
    if (status == SNAP_OK)
        status = snap_ledger_open(expectation->from, &expectation->ledger, NULL, err);
    return status == SNAP_NOT_FOUND ? SNAP_IO : status;
}

static enum snap_status open_of_run(const char *path, const struct snap_archive *start,
                                    struct trn_expectation *expectation, struct snap_error *err)
{
    char dir[TRN_PATH_SIZE];
    char file[TRN_PATH_SIZE];
    struct snap_error problem = SNAP_ERROR_INIT;
    if (!trn_run_of_archive(path, dir))
        return SNAP_OK;
    enum snap_status status = trn_join_path(dir, "ledger.jsonl", file, err);
    if (status != SNAP_OK)
        return status;
    status = snap_ledger_open(file, &expectation->ledger, NULL, &problem);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (status != SNAP_OK) {
        if (err != NULL)
            *err = problem;
        return status;
    }
    if (!goes_through(expectation->ledger, start)) {
        snap_ledger_free(expectation->ledger);
        expectation->ledger = NULL;
        return SNAP_OK;
    }
    memcpy(expectation->from, file, sizeof(file));
    return SNAP_OK;
}

/* The archive that the user named; it may lie anywhere. */
static enum snap_status add_named(const struct trn_replay_options *options,
                                  const struct snap_archive *start,
                                  struct trn_expectation *expectation, struct snap_error *err)
{
    struct snap_archive *archive = NULL;
    enum snap_status status = snap_archive_open(options->to_archive, &archive, err);
    if (status != SNAP_OK)
        return status;
    uint64_t step = snap_archive_step(archive);
    snap_archive_close(archive);
    if (step <= snap_archive_step(start))
        return snap_error_set(err, SNAP_INVALID,
                              "replay: %s is of step %llu, not after step %llu of %s",
                              options->to_archive, (unsigned long long)step,
                              (unsigned long long)snap_archive_step(start), options->archive);
    /* It goes before one of the same step that lies beside the start. */
    for (size_t i = 0; i < expectation->archive_count; i++) {
        struct trn_later_archive *other = &expectation->archives[i];
        if (other->step == step) {
            char *copy = strdup(options->to_archive);
            if (copy == NULL)
                return no_memory(err);
            free(other->path);
            other->path = copy;
            return SNAP_OK;
        }
    }
    return add_archive(expectation, step, options->to_archive, err);
}

/* From step 0: the folder has the ledger, whose first line is where the replay starts. */
static enum snap_status find_from_genesis(const struct trn_replay_options *options,
                                          struct trn_expectation *found,
                                          struct gathered *gathered, struct snap_error *err)
{
    struct origin origin = { .step = 0 };
    char inside[TRN_PATH_SIZE];
    enum snap_status status = open_named(options->ledger, found, err);
    if (status == SNAP_OK)
        status = trn_join_path(options->ledger, "snapshots/any", inside, err);
    if (status != SNAP_OK)
        return status;
    snprintf(origin.run_id, sizeof(origin.run_id), "%.16s", snap_ledger_chain(found->ledger, 0));
    return look_around(inside, &origin, found, gathered, err);
}

static enum snap_status find(const struct trn_replay_options *options,
                             const struct snap_archive *start, struct trn_expectation *found,
                             struct gathered *gathered, struct snap_error *err)
{
    struct origin origin = { .step = 0 };
    enum snap_status status;
    if (start == NULL)
        return find_from_genesis(options, found, gathered, err);
    snprintf(origin.run_id, sizeof(origin.run_id), "%s", snap_archive_run_id(start));
    origin.step = snap_archive_step(start);
    status = look_around(options->archive, &origin, found, gathered, err);
    if (status == SNAP_OK && options->ledger != NULL)
        status = open_named(options->ledger, found, err);
    else if (status == SNAP_OK)
        status = open_of_run(options->archive, start, found, err);
    if (status == SNAP_OK && found->ledger == NULL)
        status = join_lines(gathered, &found->ledger, err);
    if (status == SNAP_OK && options->to_archive != NULL)
        status = add_named(options, start, found, err);
    return status;
}

enum snap_status trn_expectation_find(const struct trn_replay_options *options,
                                      const struct snap_archive *start,
                                      struct trn_expectation *expectation, struct snap_error *err)
{
    struct trn_expectation found = { .from = "" };
    struct gathered gathered = { .count = 0 };
    enum snap_status status = find(options, start, &found, &gathered, err);
    gathered_release(&gathered);
    if (status != SNAP_OK) {
        trn_expectation_release(&found);
        return status;
    }
    if (found.archive_count > 0)
        qsort(found.archives, found.archive_count, sizeof(found.archives[0]), archive_by_step);
    if (found.from[0] == '\0' && (found.ledger != NULL || found.archive_count > 0))
        snprintf(found.from, sizeof(found.from), "%s",
                 found.archive_count > 0 ? found.archives[found.archive_count - 1].path
                                         : options->archive);
    *expectation = found;
    return SNAP_OK;
}

void trn_expectation_release(struct trn_expectation *expectation)
{
    snap_ledger_free(expectation->ledger);
    for (size_t i = 0; i < expectation->archive_count; i++)
        free(expectation->archives[i].path);
    free(expectation->archives);
    memset(expectation, 0, sizeof(*expectation));
}

uint64_t trn_expectation_last(const struct trn_expectation *expectation, uint64_t start_step)
{
    uint64_t last = start_step;
    if (expectation->ledger != NULL && snap_ledger_last_step(expectation->ledger) > last)
        last = snap_ledger_last_step(expectation->ledger);
    if (expectation->archive_count > 0 &&
        expectation->archives[expectation->archive_count - 1].step > last)
        last = expectation->archives[expectation->archive_count - 1].step;
    return last;
}

const char *trn_expectation_archive(const struct trn_expectation *expectation, uint64_t step)
{
    for (size_t i = 0; i < expectation->archive_count; i++)
        if (expectation->archives[i].step == step)
            return expectation->archives[i].path;
    return NULL;
}
