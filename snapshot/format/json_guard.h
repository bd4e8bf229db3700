/* SPDX-License-Identifier: Apache-2.0 */
/* A look at the text of documents that nobody vouches for, before it is parsed: parsed, a byte of
 * "{},{},..." takes seventy bytes of memory, and a depth is recursion. What passes may be wrong in
 * other ways, which snap_json_decode finds; what is a document of ours always passes. */
#ifndef SNAP_FORMAT_JSON_GUARD_H
#define SNAP_FORMAT_JSON_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/limits.h"

/* What a kind of document may have at most; 0: any. */
struct snap_json_bounds {
    uint64_t string_bytes; /* of a string, or a key */
    uint64_t keys;         /* of one object */
    uint64_t containers;   /* arrays and objects in all */
};

struct snap_json_guard {
    struct snap_json_bounds bounds;
    uint64_t bytes;      /* taken so far; after a fault, before the byte at fault */
    uint64_t values;
    uint64_t containers;
    uint64_t string_bytes; /* of the string that is open */
    unsigned token_bytes;  /* of a number or word */
    unsigned depth;
    uint64_t keys[SNAP_MAX_JSON_DEPTH]; /* of the objects that are open; of arrays nothing */
    bool is_object[SNAP_MAX_JSON_DEPTH];
    bool in_string;
    bool escaped;
    bool in_line; /* something stands in this line */
};
#define SNAP_JSON_GUARD_INIT { .bytes = 0 }

/* Take the next bytes of one document, or of several, a line each. NULL, or what is wrong: a static
 * text that follows "from byte N on". */
const char *snap_json_guard_feed(struct snap_json_guard *guard, const void *bytes,
                                 size_t size_bytes);

#endif
