/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "data/dataset.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "data/idx.h"

/* (n, h, w), (n, h, w, c), or (n, c) for plain vectors. */
static bool fits(const struct trn_idx *images, const struct trn_image_shape *shape)
{
    const uint32_t *dims = images->dims;
    switch (images->ndim) {
    case 2:
        return shape->height == 1 && shape->width == 1 && dims[1] == shape->channels;
    case 3:
        return dims[1] == shape->height && dims[2] == shape->width && shape->channels == 1;
    case 4:
        return dims[1] == shape->height && dims[2] == shape->width && dims[3] == shape->channels;
    default:
        return false;
    }
}

static enum snap_status check_images(const char *path, const struct trn_idx *images,
                                     const struct trn_image_shape *shape, struct snap_error *err)
{
    if (fits(images, shape))
        return SNAP_OK;
    uint32_t dims[TRN_IDX_MAX_DIMS] = { 1, 1, 1, 1 };
    memcpy(dims, images->dims, images->ndim * sizeof(dims[0]));
    return snap_error_set(err, SNAP_INVALID,
                          "data file %s: has %zu dimensions, %u x %u x %u x %u: "
                          "training.data.shape asks for images of %zu x %zu with %zu channels",
                          path, images->ndim, dims[0], dims[1], dims[2], dims[3], shape->height,
                          shape->width, shape->channels);
}

static enum snap_status check_labels(const char *path, const struct trn_idx *labels,
                                     size_t samples, const struct trn_image_shape *shape,
                                     struct snap_error *err)
{
    if (labels->ndim != 1)
        return snap_error_set(err, SNAP_INVALID,
                              "data file %s: has %zu dimensions: labels have one", path,
                              labels->ndim);
    if (labels->count != samples)
        return snap_error_set(err, SNAP_INVALID, "data file %s: holds %zu labels for %zu images",
                              path, labels->count, samples);
    for (size_t i = 0; i < samples; i++)
        if (labels->elements[i] >= shape->classes)
            return snap_error_set(err, SNAP_INVALID,
                                  "data file %s: label %zu is %u: training.data.classes asks for "
                                  "labels below %zu",
                                  path, i, labels->elements[i], shape->classes);
    return SNAP_OK;
}

enum snap_status trn_dataset_load(const char *images_path, const char *labels_path,
                                  const struct trn_image_shape *shape, struct trn_dataset *dataset,
                                  struct snap_error *err)
{
    struct trn_idx images = { 0 };
    struct trn_idx labels = { 0 };

    enum snap_status status = trn_idx_load(images_path, &images, err);
    if (status == SNAP_OK)
        status = check_images(images_path, &images, shape, err);
    if (status == SNAP_OK)
        status = trn_idx_load(labels_path, &labels, err);
    if (status == SNAP_OK)
        status = check_labels(labels_path, &labels, images.dims[0], shape, err);
    if (status == SNAP_OK) {
        dataset->samples = images.dims[0];
        dataset->image_size = shape->height * shape->width * shape->channels;
        dataset->image_stride = dataset->image_size;
        dataset->labels_size = 1;
        dataset->label_stride = 1;
        dataset->images = dataset->owned[0] = images.elements;
        dataset->labels = dataset->owned[1] = labels.elements;
        images.elements = NULL;
        labels.elements = NULL;
        memcpy(dataset->images_sha256, images.sha256, SNAP_DIGEST_BYTES);
        memcpy(dataset->labels_sha256, labels.sha256, SNAP_DIGEST_BYTES);
        dataset->images_file_size = images.file_size;
        dataset->labels_file_size = labels.file_size;
    }
    trn_idx_release(&images);
    trn_idx_release(&labels);
    return status;
}

void trn_dataset_labels(const struct trn_dataset *dataset, size_t id, int32_t *labels)
{
    const uint8_t *from = dataset->labels + id * dataset->label_stride;
    for (size_t i = 0; i < dataset->labels_size; i++)
        labels[i] = from[i];
}

void trn_dataset_release(struct trn_dataset *dataset)
{
    free(dataset->owned[0]);
    free(dataset->owned[1]);
    memset(dataset, 0, sizeof(*dataset));
}
