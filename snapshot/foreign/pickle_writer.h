/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a pickle of protocol 2, which every Python since 2.3 reads, and torch's reader for
 * weights alone. Each call appends what pushes one value, or makes one of those that were
 * pushed. */
#ifndef SNAP_FOREIGN_PICKLE_WRITER_H
#define SNAP_FOREIGN_PICKLE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "core/buffer.h"

struct snap_pickle_writer {
    struct snap_buffer out;
    /* The module of NumPy's internals, "numpy.core" or "numpy._core", whose functions make arrays
     * that can be written to. NULL: by the class alone, which every NumPy has under one name, and
     * which makes arrays that are read only. */
    const char *numpy;
};

enum snap_status snap_pickle_put_begin(struct snap_pickle_writer *writer, struct snap_error *err);
enum snap_status snap_pickle_put_stop(struct snap_pickle_writer *writer, struct snap_error *err);

enum snap_status snap_pickle_put_none(struct snap_pickle_writer *writer, struct snap_error *err);
enum snap_status snap_pickle_put_bool(struct snap_pickle_writer *writer, bool value,
                                      struct snap_error *err);
enum snap_status snap_pickle_put_int(struct snap_pickle_writer *writer, int64_t value,
                                     struct snap_error *err);
/* "-?[0-9]+". */
enum snap_status snap_pickle_put_digits(struct snap_pickle_writer *writer, const char *digits,
                                        struct snap_error *err);
enum snap_status snap_pickle_put_float(struct snap_pickle_writer *writer, double value,
                                       struct snap_error *err);
/* UTF-8, in which surrogates may stand. */
enum snap_status snap_pickle_put_text(struct snap_pickle_writer *writer, const char *text,
                                      size_t size, struct snap_error *err);
enum snap_status snap_pickle_put_string(struct snap_pickle_writer *writer, const char *text,
                                        struct snap_error *err);
enum snap_status snap_pickle_put_bytes(struct snap_pickle_writer *writer, const void *data,
                                       size_t size, struct snap_error *err);
/* A class or function. Only names that this library knows are ever written. */
enum snap_status snap_pickle_put_name(struct snap_pickle_writer *writer, const char *module,
                                      const char *name, struct snap_error *err);

/* A tuple of what is pushed between the two. */
enum snap_status snap_pickle_put_mark(struct snap_pickle_writer *writer, struct snap_error *err);
enum snap_status snap_pickle_put_tuple(struct snap_pickle_writer *writer, struct snap_error *err);
/* A list; a dict, of keys and values in turn. In opcodes that torch's reader for weights alone
 * takes. */
enum snap_status snap_pickle_put_list(struct snap_pickle_writer *writer, struct snap_error *err);
enum snap_status snap_pickle_put_list_end(struct snap_pickle_writer *writer,
                                          struct snap_error *err);
enum snap_status snap_pickle_put_dict(struct snap_pickle_writer *writer, struct snap_error *err);
enum snap_status snap_pickle_put_dict_end(struct snap_pickle_writer *writer,
                                          struct snap_error *err);
/* What the name below it gives when it is called with the tuple on top. */
enum snap_status snap_pickle_put_call(struct snap_pickle_writer *writer, struct snap_error *err);
/* The object below gets the state on top. */
enum snap_status snap_pickle_put_state(struct snap_pickle_writer *writer, struct snap_error *err);
/* The value on top is the id of something outside. */
enum snap_status snap_pickle_put_persistent(struct snap_pickle_writer *writer,
                                            struct snap_error *err);

/* An ndarray in C order. `dtype` is its text ("<u4"). */
enum snap_status snap_pickle_put_array(struct snap_pickle_writer *writer, const char *dtype,
                                       size_t ndim, const uint64_t *shape, const void *data,
                                       size_t size, struct snap_error *err);
/* A scalar of NumPy. */
enum snap_status snap_pickle_put_scalar(struct snap_pickle_writer *writer, const char *dtype,
                                        const void *data, size_t size, struct snap_error *err);

#endif
