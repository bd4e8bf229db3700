/* SPDX-License-Identifier: Apache-2.0 */
/* What a node is made of; for tree.c and its codec alone. */
#ifndef SNAP_FORMAT_TREE_NODE_H
#define SNAP_FORMAT_TREE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/tree.h>

struct snap_entry {
    /* Of a map: 's' and the key's text, or 'i' and its decimal digits. NULL in a list. */
    char *key;
    struct snap_node *value;
};

struct snap_node {
    enum snap_node_type type;
    union {
        bool boolean;
        struct {
            bool negative;
            uint64_t magnitude;
            char *digits; /* of an integer outside [-2^63, 2^64), with its sign; else NULL */
        } integer;
        uint64_t float_bits;
        char *string;
        struct {
            unsigned char *data;
            size_t size_bytes;
        } bytes;
        struct {
            struct snap_entry *entries;
            size_t count;
            json_t *places; /* of a map: key -> its index, so that a look-up is no search */
        } children;
        struct snap_tensor_view *view;
    } as;
};

/* A new node of an integer that may have any size: "-?[1-9][0-9]*" or "0". NULL when memory is
 * out. */
struct snap_node *snap_node_new_digits(const char *digits);
/* Append to a list, or set a key given in the form of struct snap_entry. `item` is consumed. */
enum snap_status snap_node_insert(struct snap_node *parent, const char *key,
                                  struct snap_node *item, struct snap_error *err);

#endif
