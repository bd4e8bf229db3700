/* SPDX-License-Identifier: Apache-2.0 */
/* The operations as a program, to be killed from outside:
 *
 *     fault_run list
 *     fault_run reference DIR
 *     fault_run prepare OPERATION DIR
 *     fault_run perform OPERATION DIR
 *     fault_run judge DIR REFERENCE
 *
 * Exit status 0: done, or the folder is sound; 1: not, and a line says why; 2: usage. `perform`
 * opens the folder OPERATION-begins, which is not there, as a mark in a trace. */
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

static int judge(const char *dir, const char *reference)
{
    char *wrong = fault_judge(dir, reference);
    if (wrong != NULL)
        printf("%s\n", wrong);
    free(wrong);
    return wrong == NULL ? 0 : 1;
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
    if (argc == 4 && strcmp(verb, "judge") == 0)
        return judge(argv[2], argv[3]);
    const struct fault_operation *operation = argc == 4 ? fault_operation_find(argv[2]) : NULL;
    if (operation != NULL && strcmp(verb, "prepare") == 0)
        return end(operation->prepare(argv[3], &err), &err);
    if (operation == NULL || strcmp(verb, "perform") != 0) {
        fprintf(stderr, "usage: see the source\n");
        return 2;
    }
    int mark = open("operation-begins", O_RDONLY | O_CLOEXEC);
    if (mark >= 0)
        close(mark); /* only read */
    return end(operation->perform(argv[3], &err), &err);
}
