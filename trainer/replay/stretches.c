/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing stretches of a run by a challenge, and making them again. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <snapstate/archive.h>
#include <snapstate/ledger.h>
#include <snapstate/run.h>

#include "process/run_paths.h"
#include "trainer.h"

static const char domain[] = "snap-challenge-1\n";

/* A state that is here. */
struct place {
    uint64_t step;
    bool whole; /* all of the state is here, or beside it: a replay can start from it */
    char path[TRN_PATH_SIZE];
};

struct places {
    struct place *list; /* owned */
    size_t count;
};

/* ---- the challenge ---- */

static void digits_of(const unsigned char *bytes, size_t count, char *text)
{
    for (size_t i = 0; i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static enum snap_status take_challenge(const char *given, struct trn_stretches_result *result,
                                       struct snap_error *err)
{
    unsigned char drawn[TRN_CHALLENGE_BYTES];
    if (given == NULL) {
        if (getrandom(drawn, sizeof(drawn), 0) != (ssize_t)sizeof(drawn))
            return snap_error_set_os(err, SNAP_IO, errno, "verify: drawing a challenge");
        digits_of(drawn, sizeof(drawn), result->challenge);
        result->drawn = true;
        return SNAP_OK;
    }
    size_t length = strlen(given);
    if (length < 4 || length % 2 != 0 || length >= sizeof(result->challenge) ||
        strspn(given, "0123456789abcdef") != length)
        return snap_error_set(err, SNAP_INVALID,
                              "--challenge: expected 4 to 128 hex digits, an even number of them");
    memcpy(result->challenge, given, length + 1);
    return SNAP_OK;
}

/* ---- states that are here ---- */

static bool is_whole(const struct snap_archive *archive)
{
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (member->withheld && !member->elsewhere && member->in_state)
            return false;
    }
    return true;
}

static enum snap_status add_place(void *arg, const char *name, const char *path,
                                  struct snap_error *err)
{
    struct places *places = arg;
    struct snap_archive *archive = NULL;
    if (name[0] == '.')
        return SNAP_OK;
    enum snap_status status = snap_archive_open(path, &archive, err);
    if (status != SNAP_OK)
        return status;
    struct place *grown = realloc(places->list, (places->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "verify: no memory for the snapshots");
    } else {
        places->list = grown;
        grown[places->count].step = snap_archive_step(archive);
        grown[places->count].whole = is_whole(archive);
        snprintf(grown[places->count++].path, TRN_PATH_SIZE, "%s", path);
    }
    snap_archive_close(archive);
    return status;
}

static int by_step(const void *a, const void *b)
{
    uint64_t left = ((const struct place *)a)->step;
    uint64_t right = ((const struct place *)b)->step;
    return left < right ? -1 : left > right;
}

static enum snap_status find_places(const char *dir, struct places *places, struct snap_error *err)
{
    char folder[TRN_PATH_SIZE];
    enum snap_status status = trn_join_path(dir, "snapshots", folder, err);
    if (status == SNAP_OK)
        status = trn_each_archive(folder, add_place, places, err);
    if (places->count > 0)
        qsort(places->list, places->count, sizeof(*places->list), by_step);
    return status;
}

/* ---- stretches ---- */

static enum snap_status add_stretch(struct trn_stretches_result *result, uint64_t first,
                                    uint64_t last, const char *archive, struct snap_error *err)
{
    struct trn_stretch *grown =
        realloc(result->stretches, (result->count + 1) * sizeof(*grown));
    if (grown == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "verify: no memory for the stretches");
    result->stretches = grown;
    grown[result->count] = (struct trn_stretch){ .first = first, .last = last };
    snprintf(grown[result->count++].archive, TRN_PATH_SIZE, "%s", archive);
    return SNAP_OK;
}

/* From each state that a replay can start from to the next one, or to the end of the ledger. */
static enum snap_status find_stretches(const struct snap_ledger *ledger,
                                       const struct places *places, bool archives_alone,
                                       struct trn_stretches_result *result, struct snap_error *err)
{
    uint64_t end = snap_ledger_last_step(ledger);
    uint64_t from = 0;
    const char *archive = "";
    bool open = snap_ledger_first_step(ledger) == 0 && !archives_alone;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < places->count; i++) {
        const struct place *place = &places->list[i];
        if (!place->whole || place->step >= end || (open && place->step == from))
            continue;
        if (open)
            status = add_stretch(result, from, place->step, archive, err);
        from = place->step;
        archive = place->path;
        open = true;
    }
    if (status == SNAP_OK && open && from < end)
        status = add_stretch(result, from, end, archive, err);
    if (status == SNAP_OK && result->count == 0)
        status = snap_error_set(err, SNAP_NOT_FOUND,
                                "verify: no stretch can be made again: no snapshot that is whole "
                                "is here before the last step, and %s",
                                archives_alone ? "a program of one's own begins at one"
                                               : "the ledger does not begin at step 0");
    return status;
}

/* The stretch's key: the smallest keys are chosen. */
static enum snap_status key_of(const char *challenge, const struct trn_stretch *stretch,
                               unsigned char key[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    char text[sizeof(domain) + TRN_CHALLENGE_TEXT_BYTES + 24];
    int length = snprintf(text, sizeof(text), "%s%s\n%" PRIu64 "\n", domain, challenge,
                          stretch->first);
    return snap_bytes_digest(text, (size_t)length, key, err);
}

static enum snap_status choose(struct trn_stretches_result *result, uint64_t wanted,
                               struct snap_error *err)
{
    unsigned char(*keys)[SNAP_DIGEST_BYTES] = calloc(result->count, sizeof(*keys));
    enum snap_status status = SNAP_OK;
    if (keys == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "verify: no memory for the stretches");
    for (size_t i = 0; status == SNAP_OK && i < result->count; i++)
        status = key_of(result->challenge, &result->stretches[i], keys[i], err);
    for (size_t i = 0; i < result->count; i++) {
        uint64_t smaller = 0;
        for (size_t k = 0; k < result->count; k++)
            smaller += memcmp(keys[k], keys[i], sizeof(keys[i])) < 0;
        result->stretches[i].chosen = smaller < wanted;
    }
    free(keys);
    return status;
}

/* Is it this machine that cannot make the floats again? */
static bool needs_host_part(enum snap_status status, const struct trn_replay_result *replayed)
{
    const struct snap_ledger_difference *found = &replayed->difference;
    if (status != SNAP_DIFFERS)
        return status == SNAP_ABSENT || status == SNAP_UNSUPPORTED;
    return replayed->has_difference && strcmp(found->kind, "genesis") == 0 &&
           (strncmp(found->field, "float.binding", 13) == 0 ||
            strcmp(found->field, "float.profile") == 0);
}

static void add_deviation(const struct snap_float_deviation *one, struct snap_float_deviation *all)
{
    struct snap_float_deviation sum = *all;
    if (one->field[0] != '\0' && (all->field[0] == '\0' || one->largest > all->largest))
        sum = *one;
    sum.lines = all->lines + one->lines;
    sum.numbers = all->numbers + one->numbers;
    sum.numbers_unequal = all->numbers_unequal + one->numbers_unequal;
    sum.states = all->states + one->states;
    sum.states_unequal = all->states_unequal + one->states_unequal;
    *all = sum;
}

/* All of it, or where this machine is another one than the run's, the host part. */
static enum snap_status replay_one(struct trn_replay_options *again,
                                   struct trn_stretches_result *result, struct snap_error *err)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    enum snap_status status;
    again->host_part = result->host_part;
    result->last = (struct trn_replay_result)TRN_REPLAY_RESULT_INIT;
    status = trn_replay(again, &result->last, &problem);
    if (!again->host_part && needs_host_part(status, &result->last)) {
        struct trn_replay_result host = TRN_REPLAY_RESULT_INIT;
        struct snap_error host_problem = SNAP_ERROR_INIT;
        again->host_part = true;
        enum snap_status host_status = trn_replay(again, &host, &host_problem);
        if (host_status == SNAP_OK || host_status == SNAP_DIFFERS) {
            snprintf(result->why, sizeof(result->why), "%s", problem.text);
            result->host_part = true;
            result->last = host;
            problem = host_problem;
            status = host_status;
        }
    }
    if (status != SNAP_OK && err != NULL)
        *err = problem;
    return status;
}

static enum snap_status replay_chosen(const struct trn_stretches_options *options,
                                      struct trn_stretches_result *result, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < result->count; i++) {
        struct trn_stretch *stretch = &result->stretches[i];
        struct trn_replay_options again = TRN_REPLAY_OPTIONS_INIT;
        if (!stretch->chosen)
            continue;
        again.archive = stretch->archive[0] != '\0' ? stretch->archive : NULL;
        again.ledger = options->dir;
        again.exec = options->exec;
        again.has_to_step = true;
        again.to_step = stretch->last;
        again.data_dir = options->data_dir;
        again.threads = options->threads;
        again.device = options->device;
        again.listener = options->listener;
        status = replay_one(&again, result, err);
        result->replayed += status == SNAP_OK || status == SNAP_DIFFERS;
        stretch->equal = status == SNAP_OK && !result->host_part;
        stretch->host_equal = status == SNAP_OK && result->host_part;
        if (status == SNAP_OK)
            result->steps += stretch->last - stretch->first;
        add_deviation(&result->last.deviation, &result->deviation);
    }
    return status;
}

void trn_stretches_result_release(struct trn_stretches_result *result)
{
    free(result->stretches);
    *result = (struct trn_stretches_result)TRN_STRETCHES_RESULT_INIT;
}

enum snap_status trn_replay_stretches(const struct trn_stretches_options *options,
                                      struct trn_stretches_result *result, struct snap_error *err)
{
    struct places places = { .count = 0 };
    struct snap_ledger *ledger = NULL;
    char path[TRN_PATH_SIZE];
    enum snap_status status = take_challenge(options->challenge, result, err);
    if (status == SNAP_OK)
        status = trn_join_path(options->dir, "ledger.jsonl", path, err);
    if (status == SNAP_OK)
        status = snap_ledger_open(path, &ledger, NULL, err);
    if (status == SNAP_OK)
        status = find_places(options->dir, &places, err);
    if (status == SNAP_OK)
        status = find_stretches(ledger, &places, options->exec != NULL, result, err);
    if (status == SNAP_OK)
        status = choose(result, options->count, err);
    if (status == SNAP_OK)
        status = replay_chosen(options, result, err);
    free(places.list);
    snap_ledger_free(ledger);
    return status;
}
