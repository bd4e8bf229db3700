/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments that stand behind an opcode in the file. */
#include "config.h"

#include <string.h>

#include "foreign/pickle_machine.h"

enum snap_status snap_pickle_take(struct snap_pickle_machine *machine, uint64_t size,
                                  const unsigned char **bytes, struct snap_error *err)
{
    if (size > machine->size - machine->at)
        return snap_pickle_fail(machine, SNAP_CORRUPT, err,
                                "it is said to have %llu bytes, and the file has %zu more",
                                (unsigned long long)size, machine->size - machine->at);
    *bytes = machine->data + machine->at;
    machine->at += (size_t)size;
    return SNAP_OK;
}

/* A number of `width` bytes, little-endian. */
enum snap_status snap_pickle_take_number(struct snap_pickle_machine *machine, size_t width,
                                         uint64_t *number, struct snap_error *err)
{
    const unsigned char *bytes = NULL;
    enum snap_status status = snap_pickle_take(machine, width, &bytes, err);
    if (status != SNAP_OK)
        return status;
    *number = 0;
    for (size_t i = width; i-- > 0;)
        *number = *number << 8 | bytes[i];
    return SNAP_OK;
}

/* So many bytes as a number of `width` bytes before them says. */
enum snap_status snap_pickle_take_counted(struct snap_pickle_machine *machine, size_t width,
                                          const unsigned char **bytes, size_t *size,
                                          struct snap_error *err)
{
    uint64_t count = 0;
    enum snap_status status = snap_pickle_take_number(machine, width, &count, err);
    if (status == SNAP_OK)
        status = snap_pickle_take(machine, count, bytes, err);
    *size = (size_t)count;
    return status;
}

/* A line, without its newline. */
enum snap_status snap_pickle_take_line(struct snap_pickle_machine *machine,
                                       const unsigned char **line, size_t *size,
                                       struct snap_error *err)
{
    const unsigned char *start = machine->data + machine->at;
    const unsigned char *end = memchr(start, '\n', machine->size - machine->at);
    if (end == NULL)
        return snap_pickle_fail(machine, SNAP_CORRUPT, err, "its line has no end");
    *line = start;
    *size = (size_t)(end - start);
    machine->at += *size + 1;
    return SNAP_OK;
}

/* A line of digits. */
enum snap_status snap_pickle_take_index(struct snap_pickle_machine *machine, uint64_t *index,
                                        struct snap_error *err)
{
    const unsigned char *line = NULL;
    size_t size = 0;
    enum snap_status status = snap_pickle_take_line(machine, &line, &size, err);
    if (status != SNAP_OK)
        return status;
    *index = 0;
    if (size == 0 || size > 18)
        return snap_pickle_fail(machine, SNAP_CORRUPT, err,
                                "its line is no number of a place in the memo");
    for (size_t i = 0; i < size; i++) {
        if (line[i] < '0' || line[i] > '9')
            return snap_pickle_fail(machine, SNAP_CORRUPT, err,
                                    "its line is no number of a place in the memo");
        *index = 10 * *index + (uint64_t)(line[i] - '0');
    }
    return SNAP_OK;
}
