/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as programs write it, with integers of any size and reals, as values of a pickle. The JSON
 * of archives is another matter: format/json_canonical.h. */
#ifndef SNAP_FOREIGN_JSON_VALUES_H
#define SNAP_FOREIGN_JSON_VALUES_H

#include <stddef.h>

#include <snapstate/status.h>

#include "foreign/pickle_value.h"

/* Read a text of JSON, which is borrowed until *pickle is freed: objects are dicts, in order, and
 * may have no key twice; arrays are lists. `what` begins the messages. SNAP_CORRUPT. *pickle is
 * owned by the caller. */
enum snap_status snap_json_values_read(const void *data, size_t size_bytes, const char *what,
                                       struct snap_pickle **pickle,
                                       const struct snap_pickle_value **root,
                                       struct snap_error *err);

#endif
