/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stddef.h>

#include "format/limits.h"
#include "format/name_set.h"

static void fold(const char *name, char folded[SNAP_MAX_MEMBER_NAME_BYTES + 1])
{
    size_t i = 0;
    for (; name[i] != '\0' && i < SNAP_MAX_MEMBER_NAME_BYTES; i++)
        folded[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    folded[i] = '\0';
}

bool snap_name_set_has(const struct snap_name_set *set, const char *name)
{
    char folded[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    fold(name, folded);
    return json_object_get(set->names, folded) != NULL;
}

enum snap_status snap_name_set_add(struct snap_name_set *set, const char *name,
                                   struct snap_error *err)
{
    char folded[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    fold(name, folded);
    if (set->names == NULL)
        set->names = json_object();
    if (json_object_set_new_nocheck(set->names, folded, json_true()) != 0)
        return snap_error_set(err, SNAP_NO_MEMORY, "names of members: out of memory");
    return SNAP_OK;
}

void snap_name_set_release(struct snap_name_set *set)
{
    json_decref(set->names);
    set->names = NULL;
}
