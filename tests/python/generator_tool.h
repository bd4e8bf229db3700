/* SPDX-License-Identifier: Apache-2.0 */
/* The part of stream_tool that draws as NumPy's Generator. */
#ifndef SNAP_TESTS_GENERATOR_TOOL_H
#define SNAP_TESTS_GENERATOR_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/stream.h>

/* A draw of a stream of one of the bit generators, its fields being NAME N [ARGUMENT...]; the
 * numbers are printed. False when there is no such draw. */
bool generator_tool_draw(struct snap_stream *stream, char **fields, size_t count, size_t n);

#endif
