/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a run. */
#include "config.h"

#include <string.h>

#include "format/json_canonical.h"
#include "run/run_internal.h"

enum snap_status snap_run_add_event(struct snap_run *run, const char *event, json_t *fields,
                                    struct snap_error *err)
{
    return snap_event_add(run->store, event, fields, err);
}

enum snap_status snap_run_event(struct snap_run *run, const char *event, const char *fields,
                                struct snap_error *err)
{
    json_t *object = NULL;
    if (run == NULL || event == NULL || event[0] == '\0' ||
        event[strspn(event, "abcdefghijklmnopqrstuvwxyz_")] != '\0')
        return snap_error_set(err, SNAP_INVALID,
                              "event: add: no run, or its name is not a word of "
                              "lower-case letters");
    enum snap_status status =
        snap_json_parse(fields == NULL ? "{}" : fields, "fields of an event", &object, err);
    if (status == SNAP_OK && json_is_object(object))
        return snap_run_add_event(run, event, object, err);
    if (status == SNAP_OK)
        status =
            snap_error_set(err, SNAP_INVALID, "event %s: add: its fields are no object", event);
    json_decref(object);
    return status;
}
