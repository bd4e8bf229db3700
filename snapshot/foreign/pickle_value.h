/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a pickle, as data: nothing is imported, called or made of them here. */
#ifndef SNAP_FOREIGN_PICKLE_VALUE_H
#define SNAP_FOREIGN_PICKLE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "core/buffer.h"

struct snap_pickle_name;

enum snap_pickle_type {
    SNAP_PICKLE_NONE = 1,
    SNAP_PICKLE_BOOL,
    SNAP_PICKLE_INT,  /* one that fits into 64 bits, signed */
    SNAP_PICKLE_LONG, /* any other */
    SNAP_PICKLE_FLOAT,
    SNAP_PICKLE_STR, /* UTF-8, in which lone surrogates may stand, and NUL */
    SNAP_PICKLE_BYTES,
    SNAP_PICKLE_BYTEARRAY,
    SNAP_PICKLE_LIST,
    SNAP_PICKLE_TUPLE,
    SNAP_PICKLE_SET,
    SNAP_PICKLE_FROZENSET,
    SNAP_PICKLE_DICT,
    SNAP_PICKLE_NAME,      /* a class, function or constant of the short list */
    SNAP_PICKLE_OBJECT,    /* what one of these was called with, and what it was then given */
    SNAP_PICKLE_PERSISTENT /* something that stands outside the pickle */
};

/* One value. It may be used in several places; those of a pickle that was read have no cycle. */
struct snap_pickle_value {
    unsigned char type;
    unsigned char height; /* containers inside it; for the reader */
    unsigned char walked; /* for the reader */
    bool decimal;         /* of a LONG: its bytes are "-?[0-9]+" and not two's complement */
    uint32_t at;          /* byte of the file at which its opcode stands */
    uint32_t nodes;       /* values in it, itself too, each counted where it is used */
    uint32_t count;       /* of items; of a dict: twice its entries */
    uint32_t capacity;
    uint64_t text_bytes; /* of all text and bytes in it, each counted where it is used */
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            const unsigned char *data; /* of the file, or owned by the pickle */
            size_t size;
        } bytes; /* STR, BYTES, BYTEARRAY; LONG: little-endian two's complement */
        struct {
            struct snap_pickle_value **items; /* of a dict: key, value, key, value */
            /* Of a dict: its class, when that is not dict, and what the class was given beside:
             * the attributes of an OrderedDict, the factory of a defaultdict. Else NULL. */
            const struct snap_pickle_name *class_name;
            struct snap_pickle_value *extra;
        } children;
        const struct snap_pickle_name *name;
        struct {
            const struct snap_pickle_name *callable;
            struct snap_pickle_value *arguments; /* a tuple */
            struct snap_pickle_value *state;     /* of BUILD; NULL: there was none */
        } object;
        struct snap_pickle_value *id; /* of a PERSISTENT */
    } as;
};

/* All that was read from one pickle. */
struct snap_pickle;

/* ---- reading values; a NULL value is of no type ---- */

bool snap_pickle_is(const struct snap_pickle_value *value, enum snap_pickle_type type);
/* "a list", for messages; of an object "a numpy.dtype". `text` has room for 120 bytes. */
#define SNAP_PICKLE_KIND_BYTES 120
const char *snap_pickle_kind(const struct snap_pickle_value *value,
                             char text[SNAP_PICKLE_KIND_BYTES]);
/* False unless it is an integer (or a bool) that fits. */
bool snap_pickle_get_i64(const struct snap_pickle_value *value, int64_t *number);
bool snap_pickle_get_u64(const struct snap_pickle_value *value, uint64_t *number);
/* Append the decimal digits of an integer of any size. SNAP_UNSUPPORTED past `most` digits. */
enum snap_status snap_pickle_digits(const struct snap_pickle_value *value, size_t most,
                                    struct snap_buffer *out, struct snap_error *err);
/* Is it exactly this text? */
bool snap_pickle_is_text(const struct snap_pickle_value *value, const char *text);
/* Copy a STR as a string of C. False when it is none, has a NUL, is no plain UTF-8, or does not
 * fit. */
bool snap_pickle_copy_text(const struct snap_pickle_value *value, char *out, size_t out_bytes);
/* Items of a list or tuple; 0 of anything else. */
size_t snap_pickle_count(const struct snap_pickle_value *value);
const struct snap_pickle_value *snap_pickle_item(const struct snap_pickle_value *value,
                                                 size_t index);
/* The value of a key that is text; NULL when it is no dict or has no such key. */
const struct snap_pickle_value *snap_pickle_get(const struct snap_pickle_value *dict,
                                                const char *key);

/* Call `visit` for each persistent id of the pickle, in no order. The first status but SNAP_OK
 * ends it and is returned. */
enum snap_status
snap_pickle_each_persistent(const struct snap_pickle *pickle,
                            enum snap_status (*visit)(void *arg, const struct snap_pickle_value *id,
                                                      struct snap_error *err),
                            void *arg, struct snap_error *err);

/* ---- making them ---- */

struct snap_pickle *snap_pickle_new(void);
/* NULL is fine. */
void snap_pickle_free(struct snap_pickle *pickle);
/* A new value of the pickle, zeroed but for these. SNAP_UNSUPPORTED past the most values. */
enum snap_status snap_pickle_add(struct snap_pickle *pickle, enum snap_pickle_type type, size_t at,
                                 struct snap_pickle_value **value, struct snap_error *err);
/* Values that were made so far. */
size_t snap_pickle_value_count(const struct snap_pickle *pickle);
/* Count `count` values that are used once more, as if they were added. */
enum snap_status snap_pickle_charge(struct snap_pickle *pickle, size_t count,
                                    struct snap_error *err);
/* Memory that the pickle owns, of bytes that do not stand in the file as they are. It may have
 * `limit` of them in all: a pickle can name one text many times, and have it recoded each time. */
enum snap_status snap_pickle_bytes(struct snap_pickle *pickle, size_t size, size_t limit,
                                   unsigned char **bytes, struct snap_error *err);
/* Append to a container. */
enum snap_status snap_pickle_append(struct snap_pickle_value *container,
                                    struct snap_pickle_value *item, struct snap_error *err);

#endif
