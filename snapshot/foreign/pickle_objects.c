/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a pickle and what is made of them: data in the form that the arguments have. */
#include "config.h"

#include <string.h>

#include "core/text.h"
#include "foreign/pickle_machine.h"
#include "foreign/pickle_names.h"

enum snap_status snap_pickle_push_name(struct snap_pickle_machine *machine,
                                       const unsigned char *module, size_t module_size,
                                       const unsigned char *name, size_t name_size,
                                       struct snap_error *err)
{
    const struct snap_pickle_name *found =
        snap_pickle_name_find((const char *)module, module_size, (const char *)name, name_size);
    struct snap_pickle_value *value;
    if (found == NULL) {
        char text[2 * SNAP_MAX_PICKLE_NAME_BYTES + 2];
        char shown[2 * SNAP_MAX_PICKLE_NAME_BYTES + 2];
        size_t most = SNAP_MAX_PICKLE_NAME_BYTES;
        size_t first = module_size < most ? module_size : most;
        size_t second = name_size < most ? name_size : most;
        memcpy(text, module, first);
        text[first] = '.';
        memcpy(text + first + 1, name, second);
        text[first + 1 + second] = '\0';
        snap_text_clean(text, shown, sizeof shown);
        return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err,
                                "refused: %s is not on the short list of what may be named; "
                                "nothing was executed",
                                shown);
    }
    enum snap_status status = snap_pickle_push_new(machine, SNAP_PICKLE_NAME, &value, err);
    if (status == SNAP_OK)
        value->as.name = found;
    return status;
}

static enum snap_status wrong_arguments(const struct snap_pickle_machine *machine,
                                        const struct snap_pickle_name *name, struct snap_error *err)
{
    return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err,
                            "refused: %s.%s with arguments that it is not known with", name->module,
                            name->name);
}

static const struct snap_pickle_value *argument(const struct snap_pickle_value *arguments,
                                                size_t index)
{
    return snap_pickle_item(arguments, index);
}

static bool is_latin1(const struct snap_pickle_value *value)
{
    return snap_pickle_is_text(value, "latin1") || snap_pickle_is_text(value, "latin-1");
}

/* _codecs.encode(str, "latin1"), and the same for bytearray(str, "latin-1"). */
static enum snap_status push_encoded(struct snap_pickle_machine *machine,
                                     enum snap_pickle_type type,
                                     const struct snap_pickle_name *name,
                                     const struct snap_pickle_value *arguments,
                                     struct snap_error *err)
{
    struct snap_pickle_value *value;
    unsigned char *bytes;
    size_t size;
    if (snap_pickle_count(arguments) != 2 ||
        !snap_pickle_is(argument(arguments, 0), SNAP_PICKLE_STR) ||
        !is_latin1(argument(arguments, 1)))
        return wrong_arguments(machine, name, err);
    enum snap_status status =
        snap_pickle_latin1(machine, argument(arguments, 0), &bytes, &size, err);
    if (status == SNAP_OK)
        status = snap_pickle_push_new(machine, type, &value, err);
    if (status != SNAP_OK)
        return status;
    value->as.bytes.data = bytes;
    value->as.bytes.size = size;
    return SNAP_OK;
}

/* bytes() and bytearray(): of nothing, of bytes, or of text. */
static enum snap_status push_bytes(struct snap_pickle_machine *machine, enum snap_pickle_type type,
                                   const struct snap_pickle_name *name,
                                   const struct snap_pickle_value *arguments,
                                   struct snap_error *err)
{
    const struct snap_pickle_value *source = argument(arguments, 0);
    struct snap_pickle_value *value;
    if (snap_pickle_count(arguments) == 2 && type == SNAP_PICKLE_BYTEARRAY)
        return push_encoded(machine, type, name, arguments, err);
    if (snap_pickle_count(arguments) > 1 ||
        (source != NULL && !snap_pickle_is(source, SNAP_PICKLE_BYTES)))
        return wrong_arguments(machine, name, err);
    enum snap_status status = snap_pickle_push_new(machine, type, &value, err);
    if (status == SNAP_OK && source != NULL)
        value->as.bytes = source->as.bytes;
    else if (status == SNAP_OK)
        value->as.bytes.data = machine->data;
    return status;
}

/* The items of a list or tuple, once more. */
static enum snap_status copy_items(struct snap_pickle_machine *machine,
                                   const struct snap_pickle_value *source,
                                   struct snap_pickle_value *container, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_pickle_charge(machine->pickle, source->count, &cause);
    for (size_t i = 0; status == SNAP_OK && i < source->count; i++)
        status = snap_pickle_append(container, source->as.children.items[i], &cause);
    return status == SNAP_OK ? SNAP_OK : snap_pickle_fail_with(machine, &cause, err);
}

/* set([...]) and frozenset([...]), as protocols 0 to 3 write them. */
static enum snap_status push_set(struct snap_pickle_machine *machine, enum snap_pickle_type type,
                                 const struct snap_pickle_name *name,
                                 const struct snap_pickle_value *arguments, struct snap_error *err)
{
    const struct snap_pickle_value *source = argument(arguments, 0);
    struct snap_pickle_value *value;
    if (snap_pickle_count(arguments) > 1 ||
        (source != NULL && source->type != SNAP_PICKLE_LIST && source->type != SNAP_PICKLE_TUPLE))
        return wrong_arguments(machine, name, err);
    enum snap_status status = snap_pickle_push_new(machine, type, &value, err);
    return status == SNAP_OK && source != NULL ? copy_items(machine, source, value, err) : status;
}

/* The entries of a list of pairs, or of a dict. */
static enum snap_status copy_entries(struct snap_pickle_machine *machine,
                                     const struct snap_pickle_name *name,
                                     const struct snap_pickle_value *source,
                                     struct snap_pickle_value *dict, struct snap_error *err)
{
    if (source->type == SNAP_PICKLE_DICT)
        return copy_items(machine, source, dict, err);
    if (source->type != SNAP_PICKLE_LIST && source->type != SNAP_PICKLE_TUPLE)
        return wrong_arguments(machine, name, err);
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < source->count; i++) {
        const struct snap_pickle_value *pair = source->as.children.items[i];
        if (snap_pickle_count(pair) != 2)
            return wrong_arguments(machine, name, err);
        status = copy_items(machine, pair, dict, err);
    }
    return status;
}

/* A class of dict: OrderedDict(), defaultdict(factory), Counter({...}). */
static enum snap_status push_dict(struct snap_pickle_machine *machine,
                                  const struct snap_pickle_name *name,
                                  const struct snap_pickle_value *arguments, struct snap_error *err)
{
    size_t count = snap_pickle_count(arguments);
    size_t given = name->role == SNAP_ROLE_DEFAULT_DICT ? 1 : 0;
    struct snap_pickle_value *factory = NULL;
    struct snap_pickle_value *value;
    if (count > given + 1)
        return wrong_arguments(machine, name, err);
    if (given > 0 && count > 0) {
        factory = arguments->as.children.items[0];
        if (factory->type != SNAP_PICKLE_NAME && factory->type != SNAP_PICKLE_NONE)
            return wrong_arguments(machine, name, err);
    }
    enum snap_status status = snap_pickle_push_new(machine, SNAP_PICKLE_DICT, &value, err);
    if (status != SNAP_OK)
        return status;
    value->as.children.class_name = name;
    value->as.children.extra = factory;
    if (count == given + 1)
        status = copy_entries(machine, name, argument(arguments, given), value, err);
    return status;
}

static enum snap_status push_object(struct snap_pickle_machine *machine,
                                    const struct snap_pickle_name *name,
                                    struct snap_pickle_value *arguments, struct snap_error *err)
{
    struct snap_pickle_value *value;
    enum snap_status status = snap_pickle_push_new(machine, SNAP_PICKLE_OBJECT, &value, err);
    if (status != SNAP_OK)
        return status;
    value->as.object.callable = name;
    value->as.object.arguments = arguments;
    return SNAP_OK;
}

/* copyreg._reconstructor(class, object, None): an object of a class that only has attributes. */
static enum snap_status push_reconstructed(struct snap_pickle_machine *machine,
                                           const struct snap_pickle_name *name,
                                           const struct snap_pickle_value *arguments,
                                           struct snap_error *err)
{
    const struct snap_pickle_value *made = argument(arguments, 0);
    struct snap_pickle_value *none;
    struct snap_error cause = SNAP_ERROR_INIT;
    if (snap_pickle_count(arguments) != 3 || !snap_pickle_is(made, SNAP_PICKLE_NAME) ||
        made->as.name->role != SNAP_ROLE_NAMESPACE ||
        !snap_pickle_is(argument(arguments, 1), SNAP_PICKLE_NAME) ||
        strcmp(argument(arguments, 1)->as.name->name, "object") != 0)
        return wrong_arguments(machine, name, err);
    if (snap_pickle_add(machine->pickle, SNAP_PICKLE_TUPLE, machine->opcode_at, &none, &cause) !=
        SNAP_OK)
        return snap_pickle_fail_with(machine, &cause, err);
    return push_object(machine, made->as.name, none, err);
}

/* ndarray(shape, dtype, bytes): without the bytes it would be memory that is not written. */
static enum snap_status push_array(struct snap_pickle_machine *machine,
                                   const struct snap_pickle_name *name,
                                   struct snap_pickle_value *arguments, struct snap_error *err)
{
    if (snap_pickle_count(arguments) != 3 ||
        !snap_pickle_is(argument(arguments, 2), SNAP_PICKLE_BYTES))
        return wrong_arguments(machine, name, err);
    return push_object(machine, name, arguments, err);
}

enum snap_status snap_pickle_call(struct snap_pickle_machine *machine,
                                  struct snap_pickle_value *callable,
                                  struct snap_pickle_value *arguments, struct snap_error *err)
{
    char kind[SNAP_PICKLE_KIND_BYTES];
    if (callable->type != SNAP_PICKLE_NAME || !snap_pickle_name_is_callable(callable->as.name))
        return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err, "refused: %s is nothing to call",
                                snap_pickle_kind(callable, kind));
    if (arguments->type != SNAP_PICKLE_TUPLE)
        return snap_pickle_fail(machine, SNAP_CORRUPT, err, "its arguments are no tuple");
    const struct snap_pickle_name *name = callable->as.name;
    switch (name->role) {
    case SNAP_ROLE_ENCODE:
        return push_encoded(machine, SNAP_PICKLE_BYTES, name, arguments, err);
    case SNAP_ROLE_BYTES:
        return push_bytes(machine, SNAP_PICKLE_BYTES, name, arguments, err);
    case SNAP_ROLE_BYTEARRAY:
        return push_bytes(machine, SNAP_PICKLE_BYTEARRAY, name, arguments, err);
    case SNAP_ROLE_SET:
        return push_set(machine, SNAP_PICKLE_SET, name, arguments, err);
    case SNAP_ROLE_FROZENSET:
        return push_set(machine, SNAP_PICKLE_FROZENSET, name, arguments, err);
    case SNAP_ROLE_ORDERED_DICT:
    case SNAP_ROLE_DEFAULT_DICT:
    case SNAP_ROLE_COUNTER:
        return push_dict(machine, name, arguments, err);
    case SNAP_ROLE_NDARRAY:
        return push_array(machine, name, arguments, err);
    case SNAP_ROLE_RECONSTRUCTOR:
        return push_reconstructed(machine, name, arguments, err);
    default:
        return push_object(machine, name, arguments, err);
    }
}

enum snap_status snap_pickle_build(struct snap_pickle_machine *machine,
                                   struct snap_pickle_value *object,
                                   struct snap_pickle_value *state, struct snap_error *err)
{
    char kind[SNAP_PICKLE_KIND_BYTES];
    struct snap_pickle_value **place = NULL;
    if (object->type == SNAP_PICKLE_OBJECT &&
        snap_pickle_name_takes_state(object->as.object.callable))
        place = &object->as.object.state;
    else if (object->type == SNAP_PICKLE_DICT && object->as.children.class_name != NULL &&
             object->as.children.class_name->role == SNAP_ROLE_ORDERED_DICT)
        place = &object->as.children.extra;
    if (place == NULL)
        return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err,
                                "refused: %s would have to take a state by a method of its own",
                                snap_pickle_kind(object, kind));
    if (*place != NULL)
        return snap_pickle_fail(machine, SNAP_UNSUPPORTED, err, "refused: %s gets a second state",
                                snap_pickle_kind(object, kind));
    *place = state;
    return SNAP_OK;
}
