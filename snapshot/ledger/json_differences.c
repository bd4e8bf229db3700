/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/text.h"
#include "ledger/json_differences.h"

/* A path past this is cut. */
#define PATH_BYTES 480

struct walk {
    snap_json_difference_visit *visit;
    void *arg;
};

static void walk_value(const struct walk *walk, const char *path, const json_t *left,
                       const json_t *right);

static void walk_member(const struct walk *walk, const char *path, const char *key,
                        const json_t *left, const json_t *right)
{
    char joined[PATH_BYTES];
    snprintf(joined, sizeof joined, "%.300s%s%.160s", path, path[0] == '\0' ? "" : ".", key);
    if (left == NULL || right == NULL)
        walk->visit(walk->arg, joined, left, right);
    else
        walk_value(walk, joined, left, right);
}

static void walk_value(const struct walk *walk, const char *path, const json_t *left,
                       const json_t *right)
{
    /* Iterators and json_equal take pointers to values that may change; nothing is changed. */
    json_t *a = (json_t *)(uintptr_t)left;
    json_t *b = (json_t *)(uintptr_t)right;
    if (json_is_object(a) && json_is_object(b)) {
        const char *key;
        json_t *value;
        json_object_foreach(a, key, value) {
            walk_member(walk, path, key, value, json_object_get(b, key));
        }
        json_object_foreach(b, key, value) {
            if (json_object_get(a, key) == NULL)
                walk_member(walk, path, key, NULL, value);
        }
    } else if (json_is_array(a) && json_is_array(b)) {
        size_t count =
            json_array_size(a) > json_array_size(b) ? json_array_size(a) : json_array_size(b);
        for (size_t i = 0; i < count; i++) {
            char key[24];
            snprintf(key, sizeof key, "%zu", i);
            walk_member(walk, path, key, json_array_get(a, i), json_array_get(b, i));
        }
    } else if (!json_equal(a, b)) {
        walk->visit(walk->arg, path, left, right);
    }
}

void snap_json_differences(const json_t *left, const json_t *right,
                           snap_json_difference_visit *visit, void *arg)
{
    struct walk walk = { visit, arg };
    walk_value(&walk, "", left, right);
}

void snap_json_value_text(const json_t *value, char *out, size_t out_bytes)
{
    if (value == NULL) {
        snprintf(out, out_bytes, "absent");
        return;
    }
    if (json_is_string(value)) {
        snap_text_clean(json_string_value(value), out, out_bytes);
        return;
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    snap_text_clean(text == NULL ? "?" : text, out, out_bytes); /* for a message only */
    free(text);
}
