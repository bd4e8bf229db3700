/* SPDX-License-Identifier: Apache-2.0 */
/* Names of which no two may be equal when capital and small letters are taken as one, so that an
 * archive can be extracted on any file system. */
#ifndef SNAP_FORMAT_NAME_SET_H
#define SNAP_FORMAT_NAME_SET_H

#include <stdbool.h>

#include <jansson.h>

#include <snapstate/status.h>

struct snap_name_set {
    json_t *names; /* folded name -> true: a hash table with a secret seed */
};
#define SNAP_NAME_SET_INIT { NULL }

bool snap_name_set_has(const struct snap_name_set *set, const char *name);
/* Add a name of ASCII, at most 100 bytes long. SNAP_NO_MEMORY. */
enum snap_status snap_name_set_add(struct snap_name_set *set, const char *name,
                                   struct snap_error *err);
void snap_name_set_release(struct snap_name_set *set);

#endif
