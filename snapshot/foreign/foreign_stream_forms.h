/* SPDX-License-Identifier: Apache-2.0 */
/* States of random generators, as values of their libraries, as the text of a stream's member. It
 * is not yet canonical: the engine of the kind reads it and writes it anew. */
#ifndef SNAP_FOREIGN_FOREIGN_STREAM_FORMS_H
#define SNAP_FOREIGN_FOREIGN_STREAM_FORMS_H

#include <snapstate/status.h>

#include "core/buffer.h"
#include "foreign/foreign_source.h"

#define SNAP_FOREIGN_MT19937_WORDS 624

/* Each appends to `text`. `what` begins the messages. SNAP_CORRUPT: it is no such state. */

/* random.getstate() */
enum snap_status snap_foreign_put_python(struct snap_foreign_source *source,
                                         const struct snap_pickle_value *value, const char *what,
                                         struct snap_buffer *text, struct snap_error *err);
/* numpy.random.get_state(), in both forms */
enum snap_status snap_foreign_put_numpy(struct snap_foreign_source *source,
                                        const struct snap_pickle_value *value, const char *what,
                                        struct snap_buffer *text, struct snap_error *err);
/* bit_generator.state, and the SeedSequence object that it spawns from (NULL: not known) */
enum snap_status snap_foreign_put_bit_generator(struct snap_foreign_source *source,
                                                const char *kind,
                                                const struct snap_pickle_value *state,
                                                const struct snap_pickle_value *sequence,
                                                const char *what, struct snap_buffer *text,
                                                struct snap_error *err);
/* Bytes, or a row of integers, as a tensor or array of them, bytes, or a list: torch's states,
 * JAX's keys. The numbers of a list are as wide as those of the kind's library. */
enum snap_status snap_foreign_put_raw(struct snap_foreign_source *source, const char *kind,
                                      const struct snap_pickle_value *value, const char *what,
                                      struct snap_buffer *text, struct snap_error *err);

#endif
