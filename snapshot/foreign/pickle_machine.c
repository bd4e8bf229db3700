/* SPDX-License-Identifier: Apache-2.0 */
/* The stack, the marks and the memo of a pickle's machine. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "foreign/pickle_machine.h"

static const char *opcode_name(int opcode)
{
    static const char *const names[256] = {
        ['('] = "MARK",
        ['.'] = "STOP",
        ['0'] = "POP",
        ['1'] = "POP_MARK",
        ['2'] = "DUP",
        ['F'] = "FLOAT",
        ['I'] = "INT",
        ['J'] = "BININT",
        ['K'] = "BININT1",
        ['L'] = "LONG",
        ['M'] = "BININT2",
        ['N'] = "NONE",
        ['P'] = "PERSID",
        ['Q'] = "BINPERSID",
        ['R'] = "REDUCE",
        ['S'] = "STRING",
        ['T'] = "BINSTRING",
        ['U'] = "SHORT_BINSTRING",
        ['V'] = "UNICODE",
        ['X'] = "BINUNICODE",
        ['a'] = "APPEND",
        ['b'] = "BUILD",
        ['c'] = "GLOBAL",
        ['d'] = "DICT",
        ['}'] = "EMPTY_DICT",
        ['e'] = "APPENDS",
        ['g'] = "GET",
        ['h'] = "BINGET",
        ['i'] = "INST",
        ['j'] = "LONG_BINGET",
        ['l'] = "LIST",
        [']'] = "EMPTY_LIST",
        ['o'] = "OBJ",
        ['p'] = "PUT",
        ['q'] = "BINPUT",
        ['r'] = "LONG_BINPUT",
        ['s'] = "SETITEM",
        ['t'] = "TUPLE",
        [')'] = "EMPTY_TUPLE",
        ['u'] = "SETITEMS",
        ['G'] = "BINFLOAT",
        [0x80] = "PROTO",
        [0x81] = "NEWOBJ",
        [0x82] = "EXT1",
        [0x83] = "EXT2",
        [0x84] = "EXT4",
        [0x85] = "TUPLE1",
        [0x86] = "TUPLE2",
        [0x87] = "TUPLE3",
        [0x88] = "NEWTRUE",
        [0x89] = "NEWFALSE",
        [0x8a] = "LONG1",
        [0x8b] = "LONG4",
        ['B'] = "BINBYTES",
        ['C'] = "SHORT_BINBYTES",
        [0x8c] = "SHORT_BINUNICODE",
        [0x8d] = "BINUNICODE8",
        [0x8e] = "BINBYTES8",
        [0x8f] = "EMPTY_SET",
        [0x90] = "ADDITEMS",
        [0x91] = "FROZENSET",
        [0x92] = "NEWOBJ_EX",
        [0x93] = "STACK_GLOBAL",
        [0x94] = "MEMOIZE",
        [0x95] = "FRAME",
        [0x96] = "BYTEARRAY8",
        [0x97] = "NEXT_BUFFER",
        [0x98] = "READONLY_BUFFER",
    };
    return names[opcode] != NULL ? names[opcode] : "no opcode";
}

enum snap_status snap_pickle_fail(const struct snap_pickle_machine *machine,
                                  enum snap_status status, struct snap_error *err,
                                  const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (machine->json)
        return snap_error_set(err, status, "%s: byte %zu: %s", machine->options->what,
                              machine->opcode_at, text);
    if (machine->opcode_at >= machine->size)
        return snap_error_set(err, status, "%s: byte %zu of a pickle: %s", machine->options->what,
                              machine->opcode_at, text);
    return snap_error_set(err, status, "%s: byte %zu of a pickle: %s: %s", machine->options->what,
                          machine->opcode_at, opcode_name(machine->data[machine->opcode_at]), text);
}

enum snap_status snap_pickle_fail_with(const struct snap_pickle_machine *machine,
                                       const struct snap_error *cause, struct snap_error *err)
{
    return snap_pickle_fail(machine, cause->status, err, "%s", cause->text);
}

static enum snap_status corrupt(const struct snap_pickle_machine *machine, const char *text,
                                struct snap_error *err)
{
    return snap_pickle_fail(machine, SNAP_CORRUPT, err, "%s", text);
}

/* ---- the stack ---- */

static enum snap_status no_memory(const struct snap_pickle_machine *machine, struct snap_error *err)
{
    return snap_pickle_fail(machine, SNAP_NO_MEMORY, err, "out of memory");
}

enum snap_status snap_pickle_push(struct snap_pickle_machine *machine,
                                  struct snap_pickle_value *value, struct snap_error *err)
{
    if (machine->depth == SNAP_MAX_PICKLE_VALUES)
        return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err, "more than %u values on its stack",
                                SNAP_MAX_PICKLE_VALUES);
    if (machine->depth == machine->stack_capacity) {
        size_t capacity = machine->depth > 0 ? 2 * machine->depth : 64;
        struct snap_pickle_value **moved =
            reallocarray(machine->stack, capacity, sizeof(struct snap_pickle_value *));
        if (moved == NULL)
            return no_memory(machine, err);
        machine->stack = moved;
        machine->stack_capacity = capacity;
    }
    machine->stack[machine->depth++] = value;
    return SNAP_OK;
}

enum snap_status snap_pickle_push_new(struct snap_pickle_machine *machine,
                                      enum snap_pickle_type type, struct snap_pickle_value **value,
                                      struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    if (snap_pickle_add(machine->pickle, type, machine->opcode_at, value, &cause) != SNAP_OK)
        return snap_pickle_fail_with(machine, &cause, err);
    return snap_pickle_push(machine, *value, err);
}

/* The depth below which nothing may be taken. */
size_t snap_pickle_floor(const struct snap_pickle_machine *machine)
{
    return machine->mark_count > 0 ? machine->marks[machine->mark_count - 1] : 0;
}

enum snap_status snap_pickle_top(const struct snap_pickle_machine *machine,
                                 struct snap_pickle_value **value, struct snap_error *err)
{
    if (machine->depth <= snap_pickle_floor(machine))
        return corrupt(machine, "there is no value to take", err);
    *value = machine->stack[machine->depth - 1];
    return SNAP_OK;
}

enum snap_status snap_pickle_pop(struct snap_pickle_machine *machine,
                                 struct snap_pickle_value **value, struct snap_error *err)
{
    enum snap_status status = snap_pickle_top(machine, value, err);
    if (status == SNAP_OK)
        machine->depth--;
    return status;
}

/* Take the last mark off; *first is the depth at which it stood. */
enum snap_status snap_pickle_pop_mark(struct snap_pickle_machine *machine, size_t *first,
                                      struct snap_error *err)
{
    if (machine->mark_count == 0)
        return corrupt(machine, "there is no mark", err);
    *first = machine->marks[--machine->mark_count];
    return SNAP_OK;
}

enum snap_status snap_pickle_mark(struct snap_pickle_machine *machine, struct snap_error *err)
{
    if (machine->mark_count == SNAP_MAX_PICKLE_MARKS)
        return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err, "more than %u marks are open",
                                SNAP_MAX_PICKLE_MARKS);
    machine->marks[machine->mark_count++] = machine->depth;
    return SNAP_OK;
}

/* A text of protocol 0 grows to twice its size in UTF-8, and so do the bytes made of that. */
enum snap_status snap_pickle_derive(struct snap_pickle_machine *machine, size_t size,
                                    unsigned char **bytes, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    if (snap_pickle_bytes(machine->pickle, size, 4 * machine->size, bytes, &cause) != SNAP_OK)
        return snap_pickle_fail_with(machine, &cause, err);
    return SNAP_OK;
}

/* ---- containers ---- */

static enum snap_status append(struct snap_pickle_machine *machine,
                               struct snap_pickle_value *container, struct snap_pickle_value *item,
                               struct snap_error *err)
{
    if (machine->items == SNAP_MAX_PICKLE_ITEMS)
        return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err,
                                "its containers have more than %u items", SNAP_MAX_PICKLE_ITEMS);
    machine->items++;
    return snap_pickle_append(container, item, NULL) == SNAP_OK ? SNAP_OK : no_memory(machine, err);
}

/* The values from depth `first` up become items of `container`. */
static enum snap_status append_from(struct snap_pickle_machine *machine, size_t first,
                                    struct snap_pickle_value *container, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (container->type == SNAP_PICKLE_DICT && (machine->depth - first) % 2 != 0)
        return corrupt(machine, "a key without a value", err);
    for (size_t i = first; status == SNAP_OK && i < machine->depth; i++)
        status = append(machine, container, machine->stack[i], err);
    machine->depth = first;
    return status;
}

/* Take the values from depth `first` up off, and push a container of them. */
enum snap_status snap_pickle_gather(struct snap_pickle_machine *machine, enum snap_pickle_type type,
                                    size_t first, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_pickle_value *made;
    if (snap_pickle_add(machine->pickle, type, machine->opcode_at, &made, &cause) != SNAP_OK)
        return snap_pickle_fail_with(machine, &cause, err);
    enum snap_status status = append_from(machine, first, made, err);
    return status == SNAP_OK ? snap_pickle_push(machine, made, err) : status;
}

enum snap_status snap_pickle_gather_marked(struct snap_pickle_machine *machine,
                                           enum snap_pickle_type type, struct snap_error *err)
{
    size_t first = 0;
    enum snap_status status = snap_pickle_pop_mark(machine, &first, err);
    return status == SNAP_OK ? snap_pickle_gather(machine, type, first, err) : status;
}

enum snap_status snap_pickle_gather_last(struct snap_pickle_machine *machine, size_t count,
                                         struct snap_error *err)
{
    if (machine->depth - snap_pickle_floor(machine) < count)
        return corrupt(machine, "there are fewer values", err);
    return snap_pickle_gather(machine, SNAP_PICKLE_TUPLE, machine->depth - count, err);
}

/* APPEND(S), SETITEM(S), ADDITEMS: the values from depth `first` up go into the container below
 * them. */
static enum snap_status extend(struct snap_pickle_machine *machine, size_t first,
                               enum snap_pickle_type type, struct snap_error *err)
{
    char kind[SNAP_PICKLE_KIND_BYTES];
    if (first <= snap_pickle_floor(machine))
        return corrupt(machine, "there is no container", err);
    struct snap_pickle_value *container = machine->stack[first - 1];
    if (container->type != type)
        return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err,
                                "refused: %s would have to take the items by a method of its own",
                                snap_pickle_kind(container, kind));
    return append_from(machine, first, container, err);
}

enum snap_status snap_pickle_extend_marked(struct snap_pickle_machine *machine,
                                           enum snap_pickle_type type, struct snap_error *err)
{
    size_t first = 0;
    enum snap_status status = snap_pickle_pop_mark(machine, &first, err);
    return status == SNAP_OK ? extend(machine, first, type, err) : status;
}

enum snap_status snap_pickle_extend_last(struct snap_pickle_machine *machine, size_t count,
                                         enum snap_pickle_type type, struct snap_error *err)
{
    if (machine->depth - snap_pickle_floor(machine) < count)
        return corrupt(machine, "there are fewer values", err);
    return extend(machine, machine->depth - count, type, err);
}

/* ---- the memo ---- */

/* Writers number the places from 0 on, Python 2 from 1, one for each value at most: a place past
 * that is there to cost memory. */
enum snap_status snap_pickle_memo_put(struct snap_pickle_machine *machine, uint64_t index,
                                      struct snap_error *err)
{
    struct snap_pickle_value *value;
    enum snap_status status = snap_pickle_top(machine, &value, err);
    if (status != SNAP_OK)
        return status;
    if (index > snap_pickle_value_count(machine->pickle))
        return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err,
                                "refused: place %llu of the memo, which no writer has reached yet",
                                (unsigned long long)index);
    if (index >= machine->memo_size) {
        size_t size = machine->memo_size > 0 ? machine->memo_size : 64;
        while (size <= index)
            size *= 2;
        struct snap_pickle_value **moved =
            reallocarray(machine->memo, size, sizeof(struct snap_pickle_value *));
        if (moved == NULL)
            return no_memory(machine, err);
        for (size_t i = machine->memo_size; i < size; i++)
            moved[i] = NULL;
        machine->memo = moved;
        machine->memo_size = size;
    }
    machine->memo[index] = value;
    return SNAP_OK;
}

enum snap_status snap_pickle_memo_get(struct snap_pickle_machine *machine, uint64_t index,
                                      struct snap_error *err)
{
    if (index >= machine->memo_size || machine->memo[index] == NULL)
        return snap_pickle_fail(machine, SNAP_CORRUPT, err, "place %llu of the memo is empty",
                                (unsigned long long)index);
    return snap_pickle_push(machine, machine->memo[index], err);
}
