/* SPDX-License-Identifier: Apache-2.0 */
/* An export under way, for the files that implement it. */
#ifndef SNAP_EXPORT_INTERNAL_H
#define SNAP_EXPORT_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/import.h>

#include "core/buffer.h"
#include "core/segment.h"
#include "foreign/pickle_writer.h"
#include "foreign/zip_writer.h"

struct snap_export_job {
    const struct snap_archive *archive;
    const struct snap_export_options *options;
    struct snap_buffer left_out; /* a line each */
    /* The file: pieces of memory, which the job owns through the members below. */
    const struct snap_segment *segments;
    size_t segment_count;
    struct snap_segment *made;   /* of files that are no zip; NULL */
    struct snap_zip_writer *zip; /* NULL: it is none */
    struct snap_pickle_writer pickle;
    unsigned char **blocks; /* elements of tensors */
    size_t block_count;
    struct snap_buffer *headers; /* of arrays */
    size_t header_count;
};

/* Memory that lives as long as the job: `size` bytes, in `*block`. */
enum snap_status snap_export_block(struct snap_export_job *job, uint64_t size,
                                   unsigned char **block, struct snap_error *err);
/* One piece after the other becomes the file. */
enum snap_status snap_export_pieces(struct snap_export_job *job, const void *const *data,
                                    const uint64_t *sizes, size_t count, struct snap_error *err);
/* A zip file as torch.save writes it, of the pickle that was written (its storages were added to
 * the zip as archive/data/KEY). */
enum snap_status snap_export_torch(struct snap_export_job *job, struct snap_error *err);
/* Push the id of a storage of the zip, and add it: `size` bytes of a dtype, with key `key`. */
enum snap_status snap_export_storage(struct snap_export_job *job, size_t key, enum snap_dtype dtype,
                                     const void *data, uint64_t size, bool add, bool cuda,
                                     struct snap_error *err);

/* export_streams.c */
enum snap_status snap_export_stream(struct snap_export_job *job, struct snap_error *err);
enum snap_status snap_export_random_states(struct snap_export_job *job, struct snap_error *err);
/* export_tensors.c */
enum snap_status snap_export_root(struct snap_export_job *job, struct snap_error *err);

#endif
