/* SPDX-License-Identifier: Apache-2.0 */
/* Where two JSON values differ. */
#ifndef SNAP_LEDGER_JSON_DIFFERENCES_H
#define SNAP_LEDGER_JSON_DIFFERENCES_H

#include <stddef.h>

#include <jansson.h>

/* `path` is the keys and indices joined with '.'; a side that has no such value is NULL. All is
 * borrowed for the call. */
typedef void snap_json_difference_visit(void *arg, const char *path, const json_t *left,
                                        const json_t *right);

/* Call `visit` for every place where the values differ: objects and arrays are gone through, keys
 * of the left one first. Both were read by snap_json_decode or snap_json_parse, so that their depth
 * is bounded. */
void snap_json_differences(const json_t *left, const json_t *right,
                           snap_json_difference_visit *visit, void *arg);

/* A value as one line, cut to fit; "absent" for NULL. */
void snap_json_value_text(const json_t *value, char *out, size_t out_bytes);

#endif
