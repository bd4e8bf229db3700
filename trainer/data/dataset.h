/* SPDX-License-Identifier: Apache-2.0 */
/* Samples with labels, as bytes in memory: images with one label each, or the windows of a text
 * with a label for each place, and these may overlap. */
#ifndef TRN_DATASET_H
#define TRN_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

/* Height, width and channels of an image, and the number of classes. */
struct trn_image_shape {
    size_t height, width, channels;
    size_t classes;
};

struct trn_dataset {
    size_t samples;
    size_t image_size;   /* elements of a sample: height * width * channels */
    size_t image_stride; /* from a sample to the next one */
    size_t labels_size;  /* labels of a sample */
    size_t label_stride;
    const uint8_t *images;
    const uint8_t *labels; /* each below the number of classes */
    void *owned[2];        /* what the two point into */
    unsigned char images_sha256[SNAP_DIGEST_BYTES]; /* of the files; a text has only this one */
    unsigned char labels_sha256[SNAP_DIGEST_BYTES];
    uint64_t images_file_size;
    uint64_t labels_file_size;
};

/* Load two IDX files that fit each other and `shape`. Labels as they are, 0 and up. SNAP_INVALID:
 * intact files that do not fit (the text says what was expected). */
enum snap_status trn_dataset_load(const char *images_path, const char *labels_path,
                                  const struct trn_image_shape *shape, struct trn_dataset *dataset,
                                  struct snap_error *err);

/* The labels of sample `id`, as many as labels_size, into `labels`. */
void trn_dataset_labels(const struct trn_dataset *dataset, size_t id, int32_t *labels);

/* Free what it holds; a zeroed struct is fine. */
void trn_dataset_release(struct trn_dataset *dataset);

#endif
