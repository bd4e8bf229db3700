/* SPDX-License-Identifier: Apache-2.0 */
/* Copying a state into staging memory: from the host's at once, from a device's behind what comes
 * next. */
#ifndef SNAP_IMAGE_STAGE_H
#define SNAP_IMAGE_STAGE_H

#include "save/state_image.h"

/* Where the parts of an image go in staging memory, one after the other. */
struct snap_stager {
    struct snap_run *run;
    struct snap_state_image *image;
    unsigned char *next; /* NULL: nothing is staged */
    struct snap_copy *copies;
    size_t count;
};

/* From now on parts are staged; `copies` is to be freed with free(). */
enum snap_status snap_stager_begin(struct snap_stager *stager, struct snap_error *err);
bool snap_stager_is_on(const struct snap_stager *stager);
/* Room for a part of `size` bytes, which the caller puts there. */
void *snap_stage_room(struct snap_stager *stager, uint64_t size);
/* Copies of host memory, made with all the others by snap_stager_end: of a value, and of a storage,
 * whose parts are only compared where they are known to be there already. */
void snap_stage_value(struct snap_stager *stager, struct snap_image_piece *piece, const void *from,
                      uint64_t size);
void snap_stage_storage(struct snap_stager *stager, const struct snap_inventory_storage *storage,
                        struct snap_image_piece *piece);
/* A copy of a storage of a device. It goes on by itself until snap_state_image_wait; of a storage
 * that the next forward pass changes, which is not held for it, the copy comes before that. */
enum snap_status snap_stage_device(struct snap_stager *stager,
                                   const struct snap_inventory_storage *storage,
                                   struct snap_image_piece *piece, struct snap_error *err);
enum snap_status snap_stager_end(struct snap_stager *stager, struct snap_error *err);

#endif
