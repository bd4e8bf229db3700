/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "data/text_data.h"

#include <snapstate/run.h>

#include "data/data_bytes.h"

/* Windows in `size` bytes, each with the byte after it. */
static size_t windows(size_t size, size_t context, size_t stride)
{
    return size <= context ? 0 : (size - context - 1) / stride + 1;
}

static struct trn_dataset cut(uint8_t *bytes, size_t size, size_t context, size_t stride)
{
    const struct trn_dataset dataset = {
        .samples = windows(size, context, stride),
        .image_size = context,
        .image_stride = stride,
        .labels_size = context,
        .label_stride = stride,
        .images = bytes,
        .labels = bytes + 1,
    };
    return dataset;
}

enum snap_status trn_text_load(const char *path, const struct trn_text *text,
                               struct trn_dataset *train, struct trn_dataset *test,
                               struct snap_error *err)
{
    struct trn_dataset loaded;
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum snap_status status = trn_data_bytes_read(path, &bytes, &size, err);
    if (status != SNAP_OK)
        return status;
    const size_t held = (size_t)(text->held_out * (double)size);
    loaded = cut(bytes, size - held, text->context, text->stride);
    loaded.owned[0] = bytes;
    loaded.images_file_size = size;
    if (loaded.samples == 0)
        status = snap_error_set(err, SNAP_INVALID,
                                "data file %s: %zu bytes, %zu of them held out: training.data."
                                "context %zu asks for at least %zu to train on",
                                path, size, held, text->context, text->context + 1);
    if (status == SNAP_OK)
        status = snap_bytes_digest(bytes, size, loaded.images_sha256, err);
    if (status != SNAP_OK) {
        trn_dataset_release(&loaded);
        return status;
    }
    *train = loaded;
    *test = cut(bytes + (size - held), held, text->context, text->context);
    return SNAP_OK;
}
