/* SPDX-License-Identifier: Apache-2.0 */
/* Files that hold nothing but arrays, taken as roots: npy, npz, safetensors. */
#ifndef SNAP_FOREIGN_FOREIGN_ARRAYS_H
#define SNAP_FOREIGN_FOREIGN_ARRAYS_H

#include <stdbool.h>

#include <snapstate/status.h>

#include "foreign/foreign_input.h"
#include "foreign/foreign_state.h"
#include "foreign/zip_reader.h"

/* Each array is a tensor of root `name`: of npz and safetensors by its name, of npy the root
 * itself. What an archive cannot hold is a gap. With `as`, a kind of stream, the bytes of an npy
 * are the state of a stream. */
enum snap_status snap_foreign_take_npy(struct snap_foreign_state *state,
                                       const struct snap_foreign_input *input, const char *name,
                                       bool named, const char *as, const char **layout,
                                       struct snap_error *err);
enum snap_status snap_foreign_take_npz(struct snap_foreign_state *state, struct snap_zip *zip,
                                       const char *file_name, const char *name,
                                       struct snap_error *err);
enum snap_status snap_foreign_take_safetensors(struct snap_foreign_state *state,
                                               const struct snap_foreign_input *input,
                                               const char *name, struct snap_error *err);

#endif
