/* SPDX-License-Identifier: Apache-2.0 */
/* States of random generators, as other libraries hand them out, as members of an archive: checked
 * by the engine of their kind, and in its canonical form. */
#ifndef SNAP_FOREIGN_FOREIGN_STREAMS_H
#define SNAP_FOREIGN_FOREIGN_STREAMS_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/status.h>

#include "foreign/foreign_source.h"

/* What a value looks like: the kind of stream whose state it is, NULL when it looks like none.
 * random.getstate(); numpy.random.get_state() in both forms, and the state of a bit generator;
 * torch's states by their number of bytes (5056, 5048: CPU; 816: CUDA; 16 bytes could be
 * anything). Static. */
const char *snap_foreign_stream_kind(const struct snap_pickle_value *value);

/* Add the state in `value` as stream `name` of that kind, of the source's rank. One that its
 * engine refuses, or of a kind that this build does not know, is a gap of the state, named
 * `place`. */
enum snap_status snap_foreign_streams_add(struct snap_foreign_source *source, const char *name,
                                          const char *kind, const struct snap_pickle_value *value,
                                          const char *place, struct snap_error *err);
/* The same for a RandomState, Generator or BitGenerator object; the stream is named after the
 * place. */
enum snap_status snap_foreign_streams_add_generator(struct snap_foreign_source *source,
                                                    const struct snap_pickle_value *object,
                                                    const char *place, struct snap_error *err);

/* A name that a stream can have, made of any text: other characters become '_'. */
#define SNAP_FOREIGN_STREAM_NAME_BYTES (SNAP_MAX_WORD_BYTES + 1)
void snap_foreign_stream_name(const char *text, char name[SNAP_FOREIGN_STREAM_NAME_BYTES]);

#endif
