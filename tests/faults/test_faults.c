/* SPDX-License-Identifier: Apache-2.0 */
/* Every system call of the library fails in turn, and every allocation, and the process is killed
 * before every call, in each operation of fault_operations.c; after each, the folder is judged. All
 * points with the argument "all" (make check-faults), of one operation when it is named next;
 * without, in `make check`, EIO and a kill at every SHORT_CALLSth call, and every
 * SHORT_ALLOCATIONSth allocation. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_calls.h"
#include "failing_memory.h"
#include "fault_operations.h"
#include "folder_key.h"
#include "toy_run.h"
#include "unit_check.h"

#define SHORT_CALLS 13
#define SHORT_ALLOCATIONS 397

static struct snap_error err = SNAP_ERROR_INIT;
static bool all;
static unsigned points;
static unsigned wrongs;
static uint64_t *reported; /* the step of the last save that was; shared with children */

/* The point that is tried. */
static struct {
    unsigned call;
    enum fault fault;
    long allocation;
} point;

static void begin_calls(void)
{
    failing_calls_start(point.call, point.fault);
}

static void note_report(uint64_t step)
{
    *reported = step;
}

static void begin_memory(void)
{
    failing_memory_set(point.allocation);
}

static enum snap_status perform(const struct fault_operation *operation, const char *dir,
                                void (*begins)(void))
{
    err = (struct snap_error)SNAP_ERROR_INIT;
    *reported = 0;
    fault_operation_begins = begins;
    fault_operation_reports = note_report;
    enum snap_status status = operation->perform(dir, &err);
    fault_operation_begins = NULL;
    fault_operation_reports = NULL;
    failing_calls_stop();
    failing_memory_set(0);
    return status;
}

/* Folders that were found sound, with what was reported of them: most points leave one of a few,
 * and what is the same is judged once. */
static struct {
    uint64_t reported;
    unsigned char key[SNAP_DIGEST_BYTES];
} sound[4096];
static size_t sound_count;

/* As fault_judge; the text is the caller's to free. */
static char *judge(const struct fault_operation *operation, const char *dir, const char *reference)
{
    unsigned char key[SNAP_DIGEST_BYTES];
    folder_key(dir, key);
    for (size_t i = 0; i < sound_count; i++)
        if (sound[i].reported == *reported && memcmp(sound[i].key, key, sizeof key) == 0)
            return NULL;
    char *wrong = fault_judge(operation, dir, reference, *reported);
    if (wrong == NULL && sound_count < sizeof sound / sizeof sound[0]) {
        sound[sound_count].reported = *reported;
        memcpy(sound[sound_count++].key, key, sizeof key);
    }
    return wrong;
}

/* A fresh folder for one point. */
static char *fresh(const char *base)
{
    char *dir = toy_folder();
    fault_copy_run(base, dir);
    return dir;
}

static void drop(char *dir)
{
    toy_remove(dir);
    free(dir);
}

static void report(const struct fault_operation *operation, unsigned number, const char *what,
                   const char *where, const char *wrong)
{
    print_error("%s, point %u: %s (%s): %s\n", operation->name, number, what, where, wrong);
    wrongs++;
}

/* A lie about the ledger or the events is found by the next restore at the latest, which mends what
 * the snapshots hold; the files that are read back are never believed. */
static bool is_read_back(const char *path)
{
    return strstr(path, "ledger.jsonl") == NULL && strstr(path, "events.jsonl") == NULL;
}

/* A line of the ledger is one write, and a short one is a full disk. */
static bool must_succeed(enum fault fault, const char *path)
{
    return fault_is_harmless(fault) &&
           (fault != FAULT_SHORT || strstr(path, "ledger.jsonl") == NULL);
}

/* Does the fault happen to call `number`? *more: there are so many calls. */
static void try_call(const struct fault_operation *operation, const char *base,
                     const char *reference, unsigned number, enum fault fault, bool *more)
{
    char what[128];
    char where[600];
    char *dir = fresh(base);
    point.call = number;
    point.fault = fault;
    enum snap_status status = perform(operation, dir, begin_calls);
    *more = failing_calls_count() >= number;
    bool lie = fault == FAULT_LIE_NOTHING || fault == FAULT_LIE_OTHER;
    if (failing_calls_hit() && (!lie || is_read_back(failing_calls_path()))) {
        points++;
        snprintf(what, sizeof what, "%s of %s", fault_name(fault), failing_calls_name());
        snprintf(where, sizeof where, "%s", failing_calls_path());
        char *wrong = NULL;
        if (status != SNAP_OK && must_succeed(fault, where))
            report(operation, number, what, where, err.text);
        if (status == SNAP_OK && lie)
            report(operation, number, what, where, "was believed");
        if (status != SNAP_OK && err.text[0] == '\0')
            report(operation, number, what, where, "fails without a text");
        wrong = judge(operation, dir, reference);
        if (wrong != NULL)
            report(operation, number, what, where, wrong);
        free(wrong);
    }
    drop(dir);
}

static void try_calls(const struct fault_operation *operation, const char *base,
                      const char *reference)
{
    static const enum fault few[] = {FAULT_EIO};
    static const enum fault many[] = {FAULT_EIO,         FAULT_ENOSPC,   FAULT_EMFILE,
                                      FAULT_EACCES,      FAULT_EINTR,    FAULT_SHORT,
                                      FAULT_LIE_NOTHING, FAULT_LIE_OTHER};
    size_t kinds = all ? sizeof many / sizeof many[0] : sizeof few / sizeof few[0];
    for (size_t kind = 0; kind < kinds; kind++) {
        bool more = true;
        for (unsigned number = 1; more; number += all ? 1 : SHORT_CALLS)
            try_call(operation, base, reference, number, all ? many[kind] : few[kind], &more);
    }
}

/* Does a kill before call `number` leave old or new? *more: there are so many calls. */
static void try_kill(const struct fault_operation *operation, const char *base,
                     const char *reference, unsigned number, bool *more)
{
    char *dir = fresh(base);
    int ended = 0;
    point.call = number;
    point.fault = FAULT_KILL;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        perform(operation, dir, begin_calls);
        _exit(failing_calls_count() < number ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    *more = WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL;
    if (*more) {
        char *wrong = judge(operation, dir, reference);
        points++;
        if (wrong != NULL)
            report(operation, number, "killed", "", wrong);
        free(wrong);
    } else if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0) {
        report(operation, number, "killed", "", "ended in another way");
    }
    drop(dir);
}

static void try_kills(const struct fault_operation *operation, const char *base,
                      const char *reference)
{
    bool more = true;
    for (unsigned number = 1; more; number += all ? 1 : SHORT_CALLS)
        try_kill(operation, base, reference, number, &more);
}

static void try_allocations(const struct fault_operation *operation, const char *base,
                            const char *reference, bool with_jansson)
{
    unsigned step = all ? 1 : SHORT_ALLOCATIONS;
    failing_memory_with_jansson(with_jansson);
    for (long number = 1;; number += step) {
        char *dir = fresh(base);
        point.allocation = number;
        enum snap_status status = perform(operation, dir, begin_memory);
        bool hit = failing_memory_hit();
        char *wrong = hit ? judge(operation, dir, reference) : NULL;
        points += hit;
        if (wrong != NULL)
            report(operation, (unsigned)number, "no memory", status == SNAP_OK ? "" : err.text,
                   wrong);
        free(wrong);
        drop(dir);
        if (!hit)
            break;
    }
    failing_memory_with_jansson(false);
}

static void test_operation(void **state)
{
    const struct fault_operation *operation = *state;
    char *reference = toy_folder();
    char *base = toy_folder();
    points = 0;
    wrongs = 0;
    sound_count = 0;
    CHECK_OK(fault_reference(reference, &err));
    CHECK_OK(operation->prepare(base, &err));
    try_calls(operation, base, reference);
    unsigned of_calls = points;
    try_kills(operation, base, reference);
    unsigned of_kills = points - of_calls;
    try_allocations(operation, base, reference, all);
    printf("# %s: %u points of calls that fail, %u of kills, %u of allocations; %zu folders of "
           "different content\n",
           operation->name, of_calls, of_kills, points - of_calls - of_kills, sound_count);
    fflush(stdout);
    drop(base);
    drop(reference);
    assert_int_equal(wrongs, 0);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[16];
    size_t count = 0;
    all = argc > 1 && strcmp(argv[1], "all") == 0;
    reported = mmap(NULL, sizeof *reported, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                    0);
    if (reported == MAP_FAILED)
        return 1;
    for (size_t i = 0; i < fault_operation_count; i++) {
        if (argc > 2 && strcmp(argv[2], fault_operations[i].name) != 0)
            continue;
        tests[count++] =
            (struct CMUnitTest) {.name = fault_operations[i].name,
                                 .test_func = test_operation,
                                 .initial_state = (void *)(uintptr_t)&fault_operations[i]};
    }
    return _cmocka_run_group_tests("faults", tests, count, NULL, NULL);
}
