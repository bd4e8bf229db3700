/* SPDX-License-Identifier: Apache-2.0 */
/* The layouts in which other libraries keep random states and weights: which keys hold what. */
#ifndef SNAP_FOREIGN_FOREIGN_PEERS_H
#define SNAP_FOREIGN_FOREIGN_PEERS_H

#include <snapstate/status.h>

#include "foreign/foreign_source.h"

/* Take all that is in a value: its streams, and the rest as roots. `name` is what a single stream
 * or root is called; `named` that the caller chose it. `as` is a kind of stream, whose state it
 * then must be (SNAP_INVALID), or anything else: find out. *layout is what it was taken for:
 * "accelerate", "hf-trainer", "composer", "lightning", "megatron", "checkpoint", "state-dict",
 * "stream". Static. */
enum snap_status snap_foreign_peers_take(struct snap_foreign_source *source,
                                         const struct snap_pickle_value *value, const char *name,
                                         bool named, const char *as, const char **layout,
                                         struct snap_error *err);
/* Is it the name of a layout? */
bool snap_foreign_is_layout(const char *name);

#endif
