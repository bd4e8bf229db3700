/* SPDX-License-Identifier: Apache-2.0 */
/* The operations as a program, to be killed from outside:
 *
 *     fault_run list
 *     fault_run reference DIR
 *     fault_run prepare OPERATION DIR
 *     fault_run perform OPERATION DIR [unread]
 *     fault_run judge OPERATION DIR REFERENCE [STEP]
 *
 * Exit status 0: done, or the folder is sound; 1: not, and a line says why; 2: usage. `perform`
 * opens the files operation-begins and reported-STEP, which are not there, as marks in a trace;
 * `unread`: without reading back. STEP: what was reported, for fault_judge. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault_operations.h"

static int end(enum snap_status status, const struct snap_error *err)
{
    if (status != SNAP_OK)
        printf("%s\n", err->text);
    return status == SNAP_OK ? 0 : 1;
}

static int judge(const struct fault_operation *operation, const char *dir, const char *reference,
                 const char *reported)
{
    char *wrong = fault_judge(operation, dir, reference, strtoull(reported, NULL, 10));
    if (wrong != NULL)
        printf("%s\n", wrong);
    free(wrong);
    return wrong == NULL ? 0 : 1;
}

static void mark(const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        close(fd); /* only read */
}

static void mark_report(uint64_t step)
{
    char name[64];
    snprintf(name, sizeof name, "reported-%u", (unsigned)step);
    mark(name);
}

int main(int argc, char **argv)
{
    struct snap_error err = SNAP_ERROR_INIT;
    const char *verb = argc > 1 ? argv[1] : "";
    if (argc == 2 && strcmp(verb, "list") == 0) {
        for (size_t i = 0; i < fault_operation_count; i++)
            printf("%s\n", fault_operations[i].name);
        return 0;
    }
    if (argc == 3 && strcmp(verb, "reference") == 0)
        return end(fault_reference(argv[2], &err), &err);
    const struct fault_operation *operation = argc >= 4 ? fault_operation_find(argv[2]) : NULL;
    if (operation != NULL && strcmp(verb, "prepare") == 0)
        return end(operation->prepare(argv[3], &err), &err);
    if (operation != NULL && strcmp(verb, "judge") == 0 && argc >= 5)
        return judge(operation, argv[3], argv[4], argc > 5 ? argv[5] : "0");
    if (operation == NULL || strcmp(verb, "perform") != 0) {
        fprintf(stderr, "usage: see the source\n");
        return 2;
    }
    fault_unread = argc > 4 && strcmp(argv[4], "unread") == 0;
    mark("operation-begins");
    fault_operation_reports = mark_report;
    return end(operation->perform(argv[3], &err), &err);
}
