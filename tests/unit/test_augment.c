/* SPDX-License-Identifier: Apache-2.0 */
/* Augmentation against NumPy: the digests are of what the calls named in trainer/data/augment.h
 * give in NumPy 1.24.2 after np.random.seed(7), on the images made here. The integer drawn
 * afterwards (np.random.randint(0, 1 << 30)) shows that as much was drawn as there. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <snapstate/run.h>

#include "data/augment.h"
#include "ops/input_scale.h"
#include "session/data_files.h"

enum { HEIGHT = 3, WIDTH = 4, CHANNELS = 2, IMAGE = HEIGHT * WIDTH * CHANNELS, IMAGES = 5 };

static const uint32_t ids[] = { 3, 0, 4 };
enum { COUNT = sizeof(ids) / sizeof(ids[0]) };

static void check(const struct trn_augment *augment, const char *digest, int64_t next)
{
    const struct trn_image_shape shape = { HEIGHT, WIDTH, CHANNELS, 10 };
    uint8_t images[IMAGES * IMAGE];
    float table[256];
    float out[COUNT * IMAGE];
    double scratch[IMAGE];
    unsigned char sha256[SNAP_DIGEST_BYTES];
    char text[65];
    struct snap_stream *numpy;
    int64_t drawn;
    struct trn_dataset dataset = { .samples = IMAGES, .image_size = IMAGE, .image_stride = IMAGE,
                                   .images = images };

    for (size_t i = 0; i < sizeof(images); i++)
        images[i] = (uint8_t)(i * 37 % 256);
    trn_input_scale_init(table, 0.5, 0.25);
    assert_int_equal(snap_stream_new("numpy_random_state", &numpy, NULL), SNAP_OK);
    assert_int_equal(snap_stream_seed(numpy, 7, NULL), SNAP_OK);
    assert_int_equal(trn_augment_batch(augment, &dataset, &shape, table, ids, COUNT, numpy, scratch,
                                       out, NULL),
                     SNAP_OK);
    assert_int_equal(snap_bytes_digest(out, sizeof(out), sha256, NULL), SNAP_OK);
    trn_digest_text(sha256, text);
    assert_string_equal(text, digest);
    assert_int_equal(snap_numpy_randint(numpy, 0, 1 << 30, &drawn, 1, NULL), SNAP_OK);
    assert_int_equal(drawn, next);
    snap_stream_free(numpy);
}

static void shift_flip_and_noise(void **state)
{
    (void)state;
    const struct trn_augment all = { .shift = 1, .flip = true, .noise = 0.3 };
    check(&all, "326b9925ef0fe54d7f6256548bedb6290bf1a1f693593ccabb3e0443f70e638b", 710823092);
}

static void shift_alone(void **state)
{
    (void)state;
    const struct trn_augment shift = { .shift = 2 };
    check(&shift, "ccc10db03ec19de2edd088609e8a68eaf401660273b0365795fdcaf164018c82", 165338510);
}

static void noise_alone(void **state)
{
    (void)state;
    const struct trn_augment noise = { .noise = 0.3 };
    check(&noise, "81a11dadc4aa6c0a28f92b9f387a3041602ad442d1bb3dff91eda47b08350dcd", 252259151);
}

static void nothing_draws_nothing(void **state)
{
    (void)state;
    static const char digest[] = "cc988dece4799b1fd63eeb6301eaa81168ac6889f8c0aea4449dcd9ca74a1891";
    const struct trn_augment none = { .shift = 0 };
    check(&none, digest, 327741615);
    check(NULL, digest, 327741615); /* as the held-out data are prepared */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shift_flip_and_noise),
        cmocka_unit_test(shift_alone),
        cmocka_unit_test(noise_alone),
        cmocka_unit_test(nothing_draws_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
