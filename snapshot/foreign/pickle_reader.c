/* SPDX-License-Identifier: Apache-2.0 */
/* The opcodes (CPython's Lib/pickletools.py describes them). */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "foreign/pickle_machine.h"

/* The newest protocol. */
#define NEWEST 5

static enum snap_status corrupt(const struct snap_pickle_machine *machine, const char *text,
                                struct snap_error *err)
{
    return snap_pickle_fail(machine, SNAP_CORRUPT, err, "%s", text);
}

static enum snap_status push_bool(struct snap_pickle_machine *machine, bool boolean,
                                  struct snap_error *err)
{
    struct snap_pickle_value *value = NULL;
    enum snap_status status = snap_pickle_push_new(machine, SNAP_PICKLE_BOOL, &value, err);
    if (status == SNAP_OK)
        value->as.boolean = boolean;
    return status;
}

static enum snap_status push_int(struct snap_pickle_machine *machine, int64_t number,
                                 struct snap_error *err)
{
    struct snap_pickle_value *value = NULL;
    enum snap_status status = snap_pickle_push_new(machine, SNAP_PICKLE_INT, &value, err);
    if (status == SNAP_OK)
        value->as.integer = number;
    return status;
}

/* BININT and its kin: `width` bytes, of which four have a sign. */
static enum snap_status op_int(struct snap_pickle_machine *machine, size_t width,
                               struct snap_error *err)
{
    uint64_t number = 0;
    enum snap_status status = snap_pickle_take_number(machine, width, &number, err);
    if (status != SNAP_OK)
        return status;
    return push_int(machine, width == 4 ? (int32_t)(uint32_t)number : (int64_t)number, err);
}

static enum snap_status op_binfloat(struct snap_pickle_machine *machine, struct snap_error *err)
{
    const unsigned char *bytes = NULL;
    struct snap_pickle_value *value = NULL;
    uint64_t bits = 0;
    enum snap_status status = snap_pickle_take(machine, 8, &bytes, err);
    if (status == SNAP_OK)
        status = snap_pickle_push_new(machine, SNAP_PICKLE_FLOAT, &value, err);
    if (status != SNAP_OK)
        return status;
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i];
    memcpy(&value->as.number, &bits, sizeof bits);
    return SNAP_OK;
}

static enum snap_status op_long(struct snap_pickle_machine *machine, size_t width,
                                struct snap_error *err)
{
    const unsigned char *bytes = NULL;
    size_t size = 0;
    enum snap_status status = snap_pickle_take_counted(machine, width, &bytes, &size, err);
    return status == SNAP_OK ? snap_pickle_push_long(machine, bytes, size, err) : status;
}

static enum snap_status op_bytes(struct snap_pickle_machine *machine, size_t width,
                                 enum snap_pickle_type type, struct snap_error *err)
{
    const unsigned char *bytes = NULL;
    size_t size = 0;
    struct snap_pickle_value *value = NULL;
    enum snap_status status = snap_pickle_take_counted(machine, width, &bytes, &size, err);
    if (status == SNAP_OK && type == SNAP_PICKLE_STR)
        return snap_pickle_push_str(machine, bytes, size, err);
    if (status == SNAP_OK)
        status = snap_pickle_push_new(machine, type, &value, err);
    if (status != SNAP_OK)
        return status;
    value->as.bytes.data = bytes;
    value->as.bytes.size = size;
    return SNAP_OK;
}

static enum snap_status op_old_str(struct snap_pickle_machine *machine, size_t width,
                                   struct snap_error *err)
{
    const unsigned char *bytes = NULL;
    size_t size = 0;
    enum snap_status status = snap_pickle_take_counted(machine, width, &bytes, &size, err);
    return status == SNAP_OK ? snap_pickle_push_old_str(machine, bytes, size, err) : status;
}

static enum snap_status op_line(struct snap_pickle_machine *machine, int opcode,
                                struct snap_error *err)
{
    const unsigned char *line = NULL;
    size_t size = 0;
    enum snap_status status = snap_pickle_take_line(machine, &line, &size, err);
    return status == SNAP_OK ? snap_pickle_push_line(machine, opcode, line, size, err) : status;
}

static enum snap_status op_global(struct snap_pickle_machine *machine, struct snap_error *err)
{
    const unsigned char *module = NULL;
    const unsigned char *name = NULL;
    size_t module_size = 0;
    size_t name_size = 0;
    enum snap_status status = snap_pickle_take_line(machine, &module, &module_size, err);
    if (status == SNAP_OK)
        status = snap_pickle_take_line(machine, &name, &name_size, err);
    if (status == SNAP_OK)
        status = snap_pickle_push_name(machine, module, module_size, name, name_size, err);
    return status;
}

static enum snap_status op_stack_global(struct snap_pickle_machine *machine, struct snap_error *err)
{
    struct snap_pickle_value *module = NULL;
    struct snap_pickle_value *name = NULL;
    enum snap_status status = snap_pickle_pop(machine, &name, err);
    if (status == SNAP_OK)
        status = snap_pickle_pop(machine, &module, err);
    if (status != SNAP_OK)
        return status;
    if (module->type != SNAP_PICKLE_STR || name->type != SNAP_PICKLE_STR)
        return corrupt(machine, "a name is two strings", err);
    return snap_pickle_push_name(machine, module->as.bytes.data, module->as.bytes.size,
                                 name->as.bytes.data, name->as.bytes.size, err);
}

/* REDUCE and NEWOBJ: callable and arguments. */
static enum snap_status op_reduce(struct snap_pickle_machine *machine, struct snap_error *err)
{
    struct snap_pickle_value *callable = NULL;
    struct snap_pickle_value *arguments = NULL;
    enum snap_status status = snap_pickle_pop(machine, &arguments, err);
    if (status == SNAP_OK)
        status = snap_pickle_pop(machine, &callable, err);
    return status == SNAP_OK ? snap_pickle_call(machine, callable, arguments, err) : status;
}

/* NEWOBJ_EX: callable, arguments, keywords. */
static enum snap_status op_newobj_ex(struct snap_pickle_machine *machine, struct snap_error *err)
{
    struct snap_pickle_value *keywords = NULL;
    enum snap_status status = snap_pickle_pop(machine, &keywords, err);
    if (status == SNAP_OK && (keywords->type != SNAP_PICKLE_DICT || keywords->count > 0))
        status = snap_pickle_fail(machine, SNAP_UNSUPPORTED, err,
                                  "refused: an object that is made with keywords");
    return status == SNAP_OK ? op_reduce(machine, err) : status;
}

/* INST and OBJ, of protocols 0 and 1: the arguments are what stands above the mark. */
static enum snap_status op_marked_call(struct snap_pickle_machine *machine, bool named,
                                       struct snap_error *err)
{
    struct snap_pickle_value *callable = NULL;
    struct snap_pickle_value *arguments = NULL;
    size_t first = 0;
    enum snap_status status = SNAP_OK;
    if (named)
        status = op_global(machine, err);
    if (status == SNAP_OK && named)
        status = snap_pickle_pop(machine, &callable, err);
    if (status == SNAP_OK)
        status = snap_pickle_pop_mark(machine, &first, err);
    if (status == SNAP_OK && !named) {
        if (machine->depth == first)
            return corrupt(machine, "there is no class", err);
        callable = machine->stack[first++];
    }
    if (status == SNAP_OK)
        status = snap_pickle_gather(machine, SNAP_PICKLE_TUPLE, first, err);
    if (status == SNAP_OK)
        status = snap_pickle_pop(machine, &arguments, err);
    if (status == SNAP_OK && !named)
        machine->depth--; /* the class */
    return status == SNAP_OK ? snap_pickle_call(machine, callable, arguments, err) : status;
}

static enum snap_status op_build(struct snap_pickle_machine *machine, struct snap_error *err)
{
    struct snap_pickle_value *state = NULL;
    struct snap_pickle_value *object = NULL;
    enum snap_status status = snap_pickle_pop(machine, &state, err);
    if (status == SNAP_OK)
        status = snap_pickle_top(machine, &object, err);
    return status == SNAP_OK ? snap_pickle_build(machine, object, state, err) : status;
}

static enum snap_status op_persistent(struct snap_pickle_machine *machine, struct snap_error *err)
{
    struct snap_pickle_value *id = NULL;
    struct snap_pickle_value *value = NULL;
    if (!machine->options->persistent_ids)
        return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err,
                                "refused: it stands for something outside this file");
    enum snap_status status = snap_pickle_pop(machine, &id, err);
    if (status == SNAP_OK)
        status = snap_pickle_push_new(machine, SNAP_PICKLE_PERSISTENT, &value, err);
    if (status == SNAP_OK)
        value->as.id = id;
    return status;
}

static enum snap_status op_proto(struct snap_pickle_machine *machine, struct snap_error *err)
{
    uint64_t protocol = 0;
    enum snap_status status = snap_pickle_take_number(machine, 1, &protocol, err);
    if (status == SNAP_OK && protocol > NEWEST)
        return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err,
                                "protocol %llu: the newest that is read is %d",
                                (unsigned long long)protocol, NEWEST);
    return status;
}

static enum snap_status op_frame(struct snap_pickle_machine *machine, struct snap_error *err)
{
    uint64_t size = 0;
    enum snap_status status = snap_pickle_take_number(machine, 8, &size, err);
    if (status == SNAP_OK && size > machine->size - machine->at)
        return snap_pickle_fail(machine, SNAP_CORRUPT, err,
                                "a frame of %llu bytes, and the file has %zu more",
                                (unsigned long long)size, machine->size - machine->at);
    return status;
}

static enum snap_status op_stop(struct snap_pickle_machine *machine, struct snap_error *err)
{
    if (machine->depth != 1 || machine->mark_count != 0)
        return snap_pickle_fail(machine, SNAP_CORRUPT, err,
                                "%zu values and %zu marks are left, not one value", machine->depth,
                                machine->mark_count);
    machine->stopped = true;
    return SNAP_OK;
}

static enum snap_status refuse(struct snap_pickle_machine *machine, const char *why,
                               struct snap_error *err)
{
    return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err, "refused: %s", why);
}

/* The opcodes that use the stack alone. */
static enum snap_status run_stack(struct snap_pickle_machine *machine, int opcode,
                                  struct snap_error *err)
{
    struct snap_pickle_value *value = NULL;
    enum snap_status status;
    size_t first = 0;
    switch (opcode) {
    case '(':
        return snap_pickle_mark(machine, err);
    case '.':
        return op_stop(machine, err);
    case '0':
        /* CPython's, too, takes a mark when that is on top. */
        if (machine->mark_count > 0 && machine->depth == snap_pickle_floor(machine))
            return snap_pickle_pop_mark(machine, &first, err);
        return snap_pickle_pop(machine, &value, err);
    case '1':
        status = snap_pickle_pop_mark(machine, &first, err);
        if (status == SNAP_OK)
            machine->depth = first;
        return status;
    case '2':
        status = snap_pickle_top(machine, &value, err);
        return status == SNAP_OK ? snap_pickle_push(machine, value, err) : status;
    case 'N':
        return snap_pickle_push_new(machine, SNAP_PICKLE_NONE, &value, err);
    case 0x88:
    case 0x89:
        return push_bool(machine, opcode == 0x88, err);
    case ']':
        return snap_pickle_push_new(machine, SNAP_PICKLE_LIST, &value, err);
    case ')':
        return snap_pickle_push_new(machine, SNAP_PICKLE_TUPLE, &value, err);
    case '}':
        return snap_pickle_push_new(machine, SNAP_PICKLE_DICT, &value, err);
    case 0x8f:
        return snap_pickle_push_new(machine, SNAP_PICKLE_SET, &value, err);
    case 'l':
        return snap_pickle_gather_marked(machine, SNAP_PICKLE_LIST, err);
    case 't':
        return snap_pickle_gather_marked(machine, SNAP_PICKLE_TUPLE, err);
    case 'd':
        return snap_pickle_gather_marked(machine, SNAP_PICKLE_DICT, err);
    case 0x91:
        return snap_pickle_gather_marked(machine, SNAP_PICKLE_FROZENSET, err);
    case 0x85:
    case 0x86:
    case 0x87:
        return snap_pickle_gather_last(machine, (size_t)opcode - 0x84, err);
    case 'a':
        return snap_pickle_extend_last(machine, 1, SNAP_PICKLE_LIST, err);
    case 's':
        return snap_pickle_extend_last(machine, 2, SNAP_PICKLE_DICT, err);
    case 'e':
        return snap_pickle_extend_marked(machine, SNAP_PICKLE_LIST, err);
    case 'u':
        return snap_pickle_extend_marked(machine, SNAP_PICKLE_DICT, err);
    case 0x90:
        return snap_pickle_extend_marked(machine, SNAP_PICKLE_SET, err);
    case 0x94:
        return snap_pickle_memo_put(machine, machine->memo_next++, err);
    case 0x93:
        return op_stack_global(machine, err);
    case 'R':
    case 0x81:
        return op_reduce(machine, err);
    case 0x92:
        return op_newobj_ex(machine, err);
    case 'o':
        return op_marked_call(machine, false, err);
    case 'b':
        return op_build(machine, err);
    case 'Q':
        return op_persistent(machine, err);
    default:
        return corrupt(machine, "this byte begins none", err);
    }
}

/* The opcodes that something follows in the file; then the others. */
static enum snap_status run_opcode(struct snap_pickle_machine *machine, int opcode,
                                   struct snap_error *err)
{
    enum snap_status status;
    uint64_t index = 0;
    switch (opcode) {
    case 0x80:
        return op_proto(machine, err);
    case 0x95:
        return op_frame(machine, err);
    case 'J':
        return op_int(machine, 4, err);
    case 'K':
        return op_int(machine, 1, err);
    case 'M':
        return op_int(machine, 2, err);
    case 'G':
        return op_binfloat(machine, err);
    case 0x8a:
        return op_long(machine, 1, err);
    case 0x8b:
        return op_long(machine, 4, err);
    case 'I':
    case 'L':
    case 'F':
    case 'S':
    case 'V':
        return op_line(machine, opcode, err);
    case 'T':
        return op_old_str(machine, 4, err);
    case 'U':
        return op_old_str(machine, 1, err);
    case 0x8c:
        return op_bytes(machine, 1, SNAP_PICKLE_STR, err);
    case 'X':
        return op_bytes(machine, 4, SNAP_PICKLE_STR, err);
    case 0x8d:
        return op_bytes(machine, 8, SNAP_PICKLE_STR, err);
    case 'C':
        return op_bytes(machine, 1, SNAP_PICKLE_BYTES, err);
    case 'B':
        return op_bytes(machine, 4, SNAP_PICKLE_BYTES, err);
    case 0x8e:
        return op_bytes(machine, 8, SNAP_PICKLE_BYTES, err);
    case 0x96:
        return op_bytes(machine, 8, SNAP_PICKLE_BYTEARRAY, err);
    case 'g':
    case 'p':
        status = snap_pickle_take_index(machine, &index, err);
        break;
    case 'h':
    case 'q':
        status = snap_pickle_take_number(machine, 1, &index, err);
        break;
    case 'j':
    case 'r':
        status = snap_pickle_take_number(machine, 4, &index, err);
        break;
    case 'c':
        return op_global(machine, err);
    case 'i':
        return op_marked_call(machine, true, err);
    case 'P':
        return refuse(machine, "it stands for something outside this file", err);
    case 0x82:
    case 0x83:
    case 0x84:
        return refuse(machine,
                      "what a number of the extension registry means only its program "
                      "knows",
                      err);
    case 0x97:
    case 0x98:
        return refuse(machine, "a buffer that stands outside this file", err);
    default:
        return run_stack(machine, opcode, err);
    }
    if (status != SNAP_OK)
        return status;
    bool get = opcode == 'g' || opcode == 'h' || opcode == 'j';
    return get ? snap_pickle_memo_get(machine, index, err)
               : snap_pickle_memo_put(machine, index, err);
}

enum snap_status snap_pickle_read(const void *data, size_t size_bytes,
                                  const struct snap_pickle_options *options,
                                  struct snap_pickle **pickle,
                                  const struct snap_pickle_value **root, size_t *used,
                                  struct snap_error *err)
{
    struct snap_pickle_machine machine = { .options = options, .data = data, .size = size_bytes };
    enum snap_status status = SNAP_OK;
    if (size_bytes > SNAP_MAX_PICKLE_BYTES)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: a pickle of %zu bytes: at most %u are read", options->what,
                              size_bytes, SNAP_MAX_PICKLE_BYTES);
    machine.pickle = snap_pickle_new();
    if (machine.pickle == NULL)
        return snap_pickle_fail(&machine, SNAP_NO_MEMORY, err, "out of memory");
    while (status == SNAP_OK && !machine.stopped) {
        machine.opcode_at = machine.at;
        if (machine.at == machine.size)
            status = corrupt(&machine, "the file ends before the pickle does", err);
        else
            status = run_opcode(&machine, machine.data[machine.at++], err);
    }
    if (status == SNAP_OK && !options->more_follows && machine.at != machine.size) {
        machine.opcode_at = machine.at;
        status = snap_error_set(err, SNAP_CORRUPT, "%s: byte %zu: %zu bytes follow the pickle",
                                options->what, machine.at, machine.size - machine.at);
    }
    if (status == SNAP_OK)
        status = snap_pickle_check(&machine, machine.stack[0], err);
    if (status == SNAP_OK) {
        *pickle = machine.pickle;
        *root = machine.stack[0];
        if (used != NULL)
            *used = machine.at;
    } else {
        snap_pickle_free(machine.pickle);
    }
    free(machine.stack);
    free(machine.memo);
    return status;
}
