/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "data/augment.h"

#include "ops/input_scale.h"

struct placement {
    int64_t dy, dx;
    bool mirror;
};

static enum snap_status draw_placement(const struct trn_augment *augment,
                                       struct snap_stream *numpy, struct placement *place,
                                       struct snap_error *err)
{
    *place = (struct placement){ 0 };
    if (augment->shift > 0) {
        int64_t reach = augment->shift;
        int64_t moved[2];
        enum snap_status status = snap_numpy_randint(numpy, -reach, reach + 1, moved, 2, err);
        if (status != SNAP_OK)
            return status;
        place->dy = moved[0];
        place->dx = moved[1];
    }
    if (augment->flip) {
        int64_t side;
        enum snap_status status = snap_numpy_randint(numpy, 0, 2, &side, 1, err);
        if (status != SNAP_OK)
            return status;
        place->mirror = side == 1;
    }
    return SNAP_OK;
}

static void place_image(const uint8_t *image, const struct trn_image_shape *shape,
                        const struct placement *place, const float table[256], float *out)
{
    int64_t height = (int64_t)shape->height;
    int64_t width = (int64_t)shape->width;
    for (int64_t y = 0; y < height; y++) {
        for (int64_t x = 0; x < width; x++) {
            int64_t from_y = y - place->dy;
            int64_t from_x = (place->mirror ? width - 1 - x : x) - place->dx;
            bool inside = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
            for (size_t c = 0; c < shape->channels; c++) {
                size_t at = (size_t)(from_y * width + from_x) * shape->channels + c;
                *out++ = table[inside ? image[at] : 0];
            }
        }
    }
}

static enum snap_status add_noise(double noise, size_t n, struct snap_stream *numpy,
                                  double *scratch, float *out, struct snap_error *err)
{
    enum snap_status status = snap_numpy_random_sample(numpy, scratch, n, err);
    if (status != SNAP_OK)
        return status;
    double range = noise - -noise;
    for (size_t i = 0; i < n; i++)
        out[i] = out[i] + (float)(-noise + range * scratch[i]);
    return SNAP_OK;
}

enum snap_status trn_augment_batch(const struct trn_augment *augment,
                                   const struct trn_dataset *dataset,
                                   const struct trn_image_shape *shape, const float table[256],
                                   const uint32_t *ids, size_t count, struct snap_stream *numpy,
                                   double *scratch, float *out, struct snap_error *err)
{
    size_t n = dataset->image_size;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *image = dataset->images + (size_t)ids[i] * dataset->image_stride;
        if (augment == NULL) {
            trn_input_scale(table, image, n, out + i * n);
            continue;
        }
        struct placement place;
        enum snap_status status = draw_placement(augment, numpy, &place, err);
        if (status != SNAP_OK)
            return status;
        place_image(image, shape, &place, table, out + i * n);
        if (augment->noise != 0)
            status = add_noise(augment->noise, n, numpy, scratch, out + i * n, err);
        if (status != SNAP_OK)
            return status;
    }
    return SNAP_OK;
}
