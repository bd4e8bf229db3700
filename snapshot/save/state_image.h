/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a run as members, looked at where it lies, or copied into the run's staging memory.
 * Without staging, what cannot be told from where it lies is copied too: tensors whose elements lie
 * apart, and those that are wanted as they were before a step. */
#ifndef SNAP_STATE_IMAGE_H
#define SNAP_STATE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "format/archive_write.h"
#include "run/run_internal.h"

enum snap_image_flags {
    /* Check what the streams give: a restore must be able to read it. */
    SNAP_IMAGE_FOR_SAVE = 1,
    /* Streams, the place in the data and changes_in_forward tensors as the last begin_step found
     * them. */
    SNAP_IMAGE_BEFORE_STEP = 2,
    /* Tensors, streams and the place in the data only: no state.json, no values. Of tensors in a
     * device's memory the digests of their leaves stand for their bytes, where the device makes
     * them and the image is not of before a step. */
    SNAP_IMAGE_FOR_DIGEST = 4,
    /* Tensors and values in run->staging, which has room for snap_state_image_staging_bytes: the
     * caller's memory may change. Not with SNAP_IMAGE_BEFORE_STEP. */
    SNAP_IMAGE_STAGED = 8
};

struct snap_image_piece {
    const void *data; /* `owned`, the caller's memory, or staging memory */
    uint64_t size;
    const unsigned char *leaves; /* of a storage: the digests of its leaves, and no `data`; the
                                  * run's, until the next image */
    void *owned;
};

/* Copies from a device that go on after the image is taken. */
struct snap_image_copies {
    const struct snap_device_ops *ops;
    struct snap_device device;
    struct snap_device_copies *copies;
};

struct snap_state_image {
    struct snap_buffer state_json;
    struct snap_buffer data_json;
    struct snap_image_piece *streams;  /* as in the inventory */
    struct snap_image_piece *storages; /* as in the inventory */
    struct snap_image_piece *values;   /* as in the inventory */
    size_t stream_count;
    size_t storage_count;
    size_t value_count;
    struct snap_image_copies *copies; /* one for each device */
    size_t copies_count;
};
#define SNAP_STATE_IMAGE_INIT                                                                      \
    {                                                                                              \
        .stream_count = 0                                                                          \
    }

/* Are these bytes a state of the stream's kind, in the form that is written? SNAP_CORRUPT: they are
 * none; SNAP_UNSUPPORTED: an old form, which could not be compared when read back. */
enum snap_status snap_stream_form_check(const struct snap_inventory_stream *stream,
                                        const void *bytes, size_t size, struct snap_error *err);
/* Ask every stream for its state once. SNAP_INVALID: one gives what no restore takes. */
enum snap_status snap_streams_check(const struct snap_inventory *inventory, struct snap_error *err);

/* The inventory must be frozen. Tensors and values are borrowed, and must stay as they are while
 * the image is used, unless they are staged. *image must be empty; on failure it is. */
enum snap_status snap_state_image_take(struct snap_run *run, unsigned flags,
                                       struct snap_state_image *image, struct snap_error *err);
void snap_state_image_release(struct snap_state_image *image);
/* A staged image of tensors in a device's memory: hold what comes later in the stream until they
 * are copied; wait until they are. Other images are whole when they are taken. */
enum snap_status snap_state_image_fence(const struct snap_state_image *image, void *stream,
                                        struct snap_error *err);
enum snap_status snap_state_image_wait(const struct snap_state_image *image,
                                       struct snap_error *err);
/* Bytes of staging memory that an image takes. */
uint64_t snap_state_image_staging_bytes(const struct snap_inventory *inventory);

/* The members of the image (state.json, data.json, streams, tensors, values) for the archive
 * writer, with room for `spare` more. Borrowed from image and inventory; *members is freed with
 * free(). */
enum snap_status snap_state_image_members(const struct snap_run *run,
                                          const struct snap_state_image *image, size_t spare,
                                          struct snap_write_member **members, size_t *count,
                                          struct snap_error *err);

/* The member of that name in an array in file order; NULL when there is none. */
const struct snap_write_member *snap_write_member_find(const struct snap_write_member *members,
                                                       size_t count, const char *name);

/* The state digest "tree1:" of the image. */
enum snap_status snap_state_image_digest(const struct snap_run *run,
                                         const struct snap_state_image *image,
                                         unsigned char digest[SNAP_DIGEST_BYTES],
                                         struct snap_error *err);
/* The same of the state as it is now. */
enum snap_status snap_run_state_digest(struct snap_run *run,
                                       unsigned char digest[SNAP_DIGEST_BYTES],
                                       struct snap_error *err);

#endif
