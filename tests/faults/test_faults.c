/* SPDX-License-Identifier: Apache-2.0 */
/* Every system call of the library fails in turn, and every allocation, while a run is begun, goes
 * on, saves; after each, the folder is judged. All points with the argument "all" (make
 * check-faults); without, in `make check`, one error for each call, and every 40th allocation. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "failing_calls.h"
#include "failing_memory.h"
#include "fault_operations.h"
#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;
static bool all;
static unsigned points;
static unsigned wrongs;

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

static void begin_memory(void)
{
    failing_memory_set(point.allocation);
}

static enum snap_status perform(const struct fault_operation *operation, const char *dir,
                                void (*begins)(void))
{
    err = (struct snap_error)SNAP_ERROR_INIT;
    fault_operation_begins = begins;
    enum snap_status status = operation->perform(dir, &err);
    fault_operation_begins = NULL;
    failing_calls_stop();
    failing_memory_set(0);
    return status;
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
        wrong = fault_judge(dir, reference);
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
        for (unsigned number = 1; more; number++)
            try_call(operation, base, reference, number, all ? many[kind] : few[kind], &more);
    }
}

static void try_allocations(const struct fault_operation *operation, const char *base,
                            const char *reference, bool with_jansson)
{
    unsigned step = all ? 1 : 40;
    failing_memory_with_jansson(with_jansson);
    for (long number = 1;; number += step) {
        char *dir = fresh(base);
        point.allocation = number;
        enum snap_status status = perform(operation, dir, begin_memory);
        bool hit = failing_memory_hit();
        char *wrong = hit ? fault_judge(dir, reference) : NULL;
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
    CHECK_OK(fault_reference(reference, &err));
    CHECK_OK(operation->prepare(base, &err));
    try_calls(operation, base, reference);
    unsigned of_calls = points;
    try_allocations(operation, base, reference, false);
    if (all)
        try_allocations(operation, base, reference, true);
    printf("# %s: %u points of calls, %u of allocations\n", operation->name, of_calls,
           points - of_calls);
    drop(base);
    drop(reference);
    assert_int_equal(wrongs, 0);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[16];
    size_t count = 0;
    all = argc > 1 && strcmp(argv[1], "all") == 0;
    for (size_t i = 0; i < fault_operation_count; i++)
        tests[count++] =
            (struct CMUnitTest) {.name = fault_operations[i].name,
                                 .test_func = test_operation,
                                 .initial_state = (void *)(uintptr_t)&fault_operations[i]};
    return _cmocka_run_group_tests("faults", tests, count, NULL, NULL);
}
