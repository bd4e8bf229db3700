/* SPDX-License-Identifier: Apache-2.0 */
/* The last look at what a pickle built: containers share their items freely, and what walks over
 * them later takes each where it stands. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "foreign/pickle_machine.h"

/* Of `walked`: the walk is inside it; its nodes and height are known. */
enum { INSIDE = 1, DONE = 2 };

struct step {
    struct snap_pickle_value *value;
    size_t next; /* child to go to */
};

struct walk {
    const struct snap_pickle_machine *machine;
    uint64_t most_nodes;
    uint64_t most_bytes; /* of text */
    uint64_t key_bytes;  /* of all dicts so far */
    struct step steps[SNAP_MAX_PICKLE_DEPTH];
    size_t depth;
};

/* Child `index` of a value; NULL past the last. */
static struct snap_pickle_value *child(const struct snap_pickle_value *value, size_t index)
{
    switch (value->type) {
    case SNAP_PICKLE_LIST:
    case SNAP_PICKLE_TUPLE:
    case SNAP_PICKLE_SET:
    case SNAP_PICKLE_FROZENSET:
    case SNAP_PICKLE_DICT:
        if (index < value->count)
            return value->as.children.items[index];
        return index == value->count ? value->as.children.extra : NULL;
    case SNAP_PICKLE_OBJECT:
        if (index == 0)
            return value->as.object.arguments;
        return index == 1 ? value->as.object.state : NULL;
    case SNAP_PICKLE_PERSISTENT:
        return index == 0 ? value->as.id : NULL;
    default:
        return NULL;
    }
}

static int compare_keys(const void *left, const void *right)
{
    const struct snap_pickle_value *a = *(struct snap_pickle_value *const *)left;
    const struct snap_pickle_value *b = *(struct snap_pickle_value *const *)right;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (a->type == SNAP_PICKLE_INT)
        return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
    size_t least = a->as.bytes.size < b->as.bytes.size ? a->as.bytes.size : b->as.bytes.size;
    int order = least > 0 ? memcmp(a->as.bytes.data, b->as.bytes.data, least) : 0;
    return order != 0
               ? order
               : (a->as.bytes.size > b->as.bytes.size) - (a->as.bytes.size < b->as.bytes.size);
}

static enum snap_status too_large(const struct walk *walk, const struct snap_pickle_value *value,
                                  uint64_t most, const char *of, struct snap_error *err)
{
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "%s: byte %u: refused: with all that it refers to, "
                          "it has more than %" PRIu64 " %s",
                          walk->machine->options->what, value->at, most, of);
}

/* Keys of other types than text and integers are compared by who makes a map of them. */
static enum snap_status check_keys(struct walk *walk, const struct snap_pickle_value *dict,
                                   struct snap_error *err)
{
    size_t count = 0;
    if (dict->count <= 2)
        return SNAP_OK;
    const struct snap_pickle_value **keys = calloc(dict->count / 2, sizeof *keys);
    if (keys == NULL)
        return snap_pickle_fail(walk->machine, SNAP_NO_MEMORY, err, "out of memory");
    for (size_t i = 0; i < dict->count; i += 2) {
        const struct snap_pickle_value *key = dict->as.children.items[i];
        if (key->type == SNAP_PICKLE_STR || key->type == SNAP_PICKLE_INT)
            keys[count++] = key;
        walk->key_bytes += key->text_bytes;
    }
    /* To compare long keys takes time, in each dict anew. */
    enum snap_status status = walk->key_bytes > walk->most_bytes
                                  ? too_large(walk, dict, walk->most_bytes, "bytes of keys", err)
                                  : SNAP_OK;
    if (status == SNAP_OK)
        qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; status == SNAP_OK && i < count; i++)
        if (compare_keys(&keys[i - 1], &keys[i]) == 0)
            status = snap_error_set(err, SNAP_UNSUPPORTED,
                                    "%s: byte %u: refused: a dict has the key that "
                                    "stands at byte %u twice",
                                    walk->machine->options->what, dict->at, keys[i]->at);
    free(keys);
    return status;
}

/* Bytes of text and bytes of a value that is no container. */
static uint64_t own_text_bytes(const struct snap_pickle_value *value)
{
    switch (value->type) {
    case SNAP_PICKLE_LONG:
    case SNAP_PICKLE_STR:
    case SNAP_PICKLE_BYTES:
    case SNAP_PICKLE_BYTEARRAY:
        return value->as.bytes.size;
    default:
        return 0;
    }
}

/* All children of the value are done: sum them up. */
static enum snap_status finish(struct walk *walk, struct snap_pickle_value *value,
                               struct snap_error *err)
{
    struct snap_pickle_value *inner;
    uint64_t nodes = 1;
    uint64_t text_bytes = own_text_bytes(value);
    unsigned height = 0;
    for (size_t i = 0; (inner = child(value, i)) != NULL; i++) {
        nodes += inner->nodes;
        text_bytes += inner->text_bytes;
        if (nodes > walk->most_nodes)
            return too_large(walk, value, walk->most_nodes, "values", err);
        if (text_bytes > walk->most_bytes)
            return too_large(walk, value, walk->most_bytes, "bytes of text", err);
        if (inner->height >= height)
            height = inner->height + 1u;
    }
    value->nodes = (uint32_t)nodes;
    value->text_bytes = text_bytes;
    value->height = (unsigned char)height;
    value->walked = DONE;
    return value->type == SNAP_PICKLE_DICT ? check_keys(walk, value, err) : SNAP_OK;
}

static enum snap_status too_deep(const struct walk *walk, const struct snap_pickle_value *value,
                                 struct snap_error *err)
{
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "%s: byte %u: refused: more than %u containers are inside each other",
                          walk->machine->options->what, value->at, SNAP_MAX_PICKLE_DEPTH);
}

static enum snap_status enter(struct walk *walk, struct snap_pickle_value *value,
                              struct snap_error *err)
{
    if (value->walked == INSIDE)
        return snap_error_set(err, SNAP_UNSUPPORTED, "%s: byte %u: refused: it contains itself",
                              walk->machine->options->what, value->at);
    if (walk->depth == SNAP_MAX_PICKLE_DEPTH)
        return too_deep(walk, value, err);
    value->walked = INSIDE;
    walk->steps[walk->depth++] = (struct step) { .value = value };
    return SNAP_OK;
}

enum snap_status snap_pickle_check(const struct snap_pickle_machine *machine,
                                   struct snap_pickle_value *root, struct snap_error *err)
{
    struct walk walk = { .machine = machine };
    uint64_t size = machine->at; /* of the pickle */
    walk.most_nodes = SNAP_MAX_PICKLE_NODES_A_BYTE * size + SNAP_MAX_PICKLE_REPEATED_NODES;
    if (walk.most_nodes > SNAP_MAX_PICKLE_NODES)
        walk.most_nodes = SNAP_MAX_PICKLE_NODES;
    walk.most_bytes = 2 * size + SNAP_MAX_REPEATED_BYTES;
    enum snap_status status = enter(&walk, root, err);
    while (status == SNAP_OK && walk.depth > 0) {
        struct step *step = &walk.steps[walk.depth - 1];
        struct snap_pickle_value *inner = child(step->value, step->next++);
        if (inner == NULL) {
            walk.depth--;
            status = finish(&walk, step->value, err);
        } else if (inner->walked != DONE) {
            status = enter(&walk, inner, err);
        } else if (walk.depth + inner->height >= SNAP_MAX_PICKLE_DEPTH) {
            status = too_deep(&walk, inner, err); /* it was walked where it lies less deep */
        }
    }
    return status;
}
