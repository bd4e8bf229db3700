/* SPDX-License-Identifier: Apache-2.0 */
/* Engines of C++'s <random> as text: what operator<< writes and operator>> reads, numbers with
 * blanks between. libstdc++ writes the words in the order of its memory and then the position; the
 * standard's own form, of libc++ and others, has the words alone, the oldest first, which is a
 * block that is used up. A member is that text of libstdc++ as a string of a document. */
#ifndef SNAP_STREAM_STD_TEXT_H
#define SNAP_STREAM_STD_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

/* What an engine's text is made of. */
struct snap_std_engine {
    const char *what; /* "stream std_mt19937", begins the messages */
    const char *kind; /* "std_mt19937" */
    size_t count;     /* of words */
    unsigned bits;    /* of a word */
};

/* The member, or the text and a newline. *bytes is malloc'd, owned by the caller. */
enum snap_status snap_std_encode(const struct snap_std_engine *engine, const uint64_t *words,
                                 uint32_t pos, void **bytes, size_t *size_bytes,
                                 struct snap_error *err);
enum snap_status snap_std_encode_text(const struct snap_std_engine *engine, const uint64_t *words,
                                      uint32_t pos, void **bytes, size_t *size_bytes,
                                      struct snap_error *err);

/* Read engine->count words and a position of at most that; a position that a text leaves out is
 * engine->count. SNAP_CORRUPT when the bytes are something else; what is in `words` and *pos is
 * then not to be used. */
enum snap_status snap_std_decode(const struct snap_std_engine *engine, const void *bytes,
                                 size_t size_bytes, uint64_t *words, uint32_t *pos,
                                 struct snap_error *err);
enum snap_status snap_std_decode_text(const struct snap_std_engine *engine, const void *bytes,
                                      size_t size_bytes, uint64_t *words, uint32_t *pos,
                                      struct snap_error *err);

#endif
