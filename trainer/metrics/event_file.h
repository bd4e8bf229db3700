/* SPDX-License-Identifier: Apache-2.0 */
/* TensorBoard's event files: scalars and marks of a training for people to look at. Nothing is ever
 * read from them, and a training goes on when one cannot be written.
 *
 * A file is a series of records: length (8 bytes), masked CRC-32C of these bytes, the message,
 * masked CRC-32C of the message; little-endian. The message is a protobuf `Event` of
 * tensorboard/compat/proto/event.proto. Each process writes a file of its own, which begins with
 * SessionLog START at its first step: TensorBoard then drops what earlier files say of that step
 * and later ones. A reader stops before a torn last record. */
#ifndef TRN_EVENT_FILE_H
#define TRN_EVENT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

struct trn_event_file;

struct trn_event_scalar {
    const char *tag; /* "train/loss" */
    float value;
};

/* Make a new file events.out.tfevents.SECONDS.NANOSECONDS in the folder `dir`; names of later files
 * sort behind those of earlier ones. `first_step` is the first that this process makes. Owned by
 * the caller. */
enum snap_status trn_event_file_open(const char *dir, uint64_t first_step,
                                     struct trn_event_file **file, struct snap_error *err);

/* Values at `step`, each a curve of its own. They may wait in memory until the next flush. */
enum snap_status trn_event_file_scalars(struct trn_event_file *file, uint64_t step,
                                        const struct trn_event_scalar *scalars, size_t count,
                                        struct snap_error *err);

/* The snapshot `path` of `step` is durable: SessionLog CHECKPOINT, and its hash and name as a text
 * of the tag "snapshot". Flushes. */
enum snap_status trn_event_file_snapshot(struct trn_event_file *file, uint64_t step,
                                         const char *hash, const char *path,
                                         struct snap_error *err);

/* Hand what waits to the system. Nothing is synced: a power cut may cost the last values. */
enum snap_status trn_event_file_flush(struct trn_event_file *file, struct snap_error *err);

/* SNAP_IO: the last values may not have been written; the file is released all the same. NULL is
 * fine. */
enum snap_status trn_event_file_close(struct trn_event_file *file, struct snap_error *err);

/* CRC-32C (Castagnoli; RFC 3720, B.4) of `size` bytes, and the form in which records keep it. */
uint32_t trn_crc32c(const void *bytes, size_t size);
uint32_t trn_crc32c_masked(const void *bytes, size_t size);

#endif
