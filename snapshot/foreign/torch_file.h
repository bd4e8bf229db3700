/* SPDX-License-Identifier: Apache-2.0 */
/* Files of torch.save: a pickle that refers to storages by id, and these beside it, in a zip file
 * (torch 1.6 and later) or one after the other (before, and
 * _use_new_zipfile_serialization=False). */
#ifndef SNAP_FOREIGN_TORCH_FILE_H
#define SNAP_FOREIGN_TORCH_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/status.h>

#include "foreign/foreign_input.h"
#include "foreign/foreign_tensor.h"
#include "foreign/pickle_value.h"
#include "foreign/zip_reader.h"

struct snap_torch_file;

/* Does a zip file look like one of torch's: a folder with data.pkl? */
bool snap_torch_zip_is(const struct snap_zip *zip);
/* Does a file begin like the old form? `data` is its first `size_bytes` bytes. */
#define SNAP_TORCH_MAGIC_BYTES 15
bool snap_torch_old_is(const unsigned char *data, size_t size_bytes);

/* Read the pickle of a file of torch's. `input` and `zip` (NULL: the old form) are borrowed until
 * the close. */
enum snap_status snap_torch_file_open(const struct snap_foreign_input *input, struct snap_zip *zip,
                                      struct snap_torch_file **file, struct snap_error *err);
/* NULL is fine. */
void snap_torch_file_close(struct snap_torch_file *file);

/* What was saved; borrowed until the close. */
const struct snap_pickle_value *snap_torch_file_root(const struct snap_torch_file *file);
/* The bytes of a storage (storage->size_bytes of them), in new memory that the caller frees with
 * free(). */
enum snap_status snap_torch_file_load(struct snap_torch_file *file,
                                      const struct snap_torch_storage *storage,
                                      unsigned char **data, struct snap_error *err);
/* Storages in the file. */
size_t snap_torch_file_storages(const struct snap_torch_file *file);

#endif
