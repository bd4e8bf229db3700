/* SPDX-License-Identifier: Apache-2.0 */
/* Thin snapshots, whose tensors are compared with what staging memory holds of the snapshot before:
 * whatever changes, and however little, the hashes are those of a run that saves all of it anew. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <snapstate/verify.h>

#include "toy_run.h"
#include "unit_check.h"

/* More than two of the pieces that threads copy, and no multiple of one. */
#define LARGE ((2u << 20) / sizeof(float) * 2 + 3)
#define PIECE ((2u << 20) / sizeof(float))
#define ROWS 5u
#define STRIDE 7u
#define COLUMNS 3u

static struct snap_error err = SNAP_ERROR_INIT;

struct side {
    char *dir;
    struct snap_run *run;
    float *large;
    float gaps[ROWS * STRIDE]; /* COLUMNS of each row are the tensor's */
    float small;
};

static void add(struct side *side, const char *name, float *data, size_t ndim,
                const uint64_t *shape, const uint64_t *strides)
{
    struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
    tensor.root = "model";
    tensor.name = name;
    tensor.data = data;
    tensor.dtype = SNAP_F32;
    tensor.ndim = ndim;
    tensor.shape = shape;
    tensor.strides = strides;
    CHECK_OK(snap_run_add_tensor(side->run, &tensor, &err));
}

static void begin(struct side *side, uint64_t thin)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    const uint64_t large[] = { LARGE };
    const uint64_t rows[] = { ROWS, COLUMNS };
    const uint64_t strides[] = { STRIDE, 1 };
    const uint64_t one[] = { 1 };
    *side = (struct side){ .dir = toy_folder(), .large = calloc(LARGE, sizeof(float)) };
    options.dir = side->dir;
    options.thin = thin;
    options.no_read_back = true;
    CHECK_OK(snap_run_open(&options, &side->run, &err));
    add(side, "large", side->large, 1, large, NULL);
    add(side, "gaps", side->gaps, 2, rows, strides);
    add(side, "small", &side->small, 1, one, NULL);
}

static void end(struct side *side)
{
    struct snap_verify_options options = SNAP_VERIFY_OPTIONS_INIT;
    struct snap_verdict *verdict;
    CHECK_OK(snap_run_close(side->run, &err));
    CHECK_OK(snap_verify_run(side->dir, &options, &verdict, &err));
    snap_verdict_free(verdict);
    free(side->large);
    toy_remove(side->dir);
    free(side->dir);
}

/* What step `number` does to the tensors. */
static void change(struct side *side, uint64_t number)
{
    side->small = (float)number;
    switch (number) {
    case 1: /* nothing else */
    case 3: /* as the step before left it */
        break;
    case 2:
        side->large[LARGE - 1] = 1.0f;
        break;
    case 4:
        side->large[0] = 2.0f;
        break;
    case 5: /* both sides of a border */
        side->large[PIECE - 1] = 3.0f;
        side->large[PIECE] = 3.0f;
        break;
    case 6: /* the other zero */
        side->large[PIECE + 1] = -0.0f;
        break;
    case 7:
        side->gaps[(ROWS - 1) * STRIDE + COLUMNS - 1] = 4.0f;
        break;
    case 8: /* between the elements of a tensor: no part of it */
        side->gaps[COLUMNS] = 5.0f;
        break;
    default: /* all as in the beginning */
        memset(side->large, 0, LARGE * sizeof(float));
        break;
    }
}

/* Bytes of the snapshot that the step ends with. */
static uint64_t save(struct side *side, uint64_t number, char hash[SNAP_HASH_TEXT_BYTES])
{
    struct snap_step_record record = { .size_bytes = sizeof record, .step = number };
    struct snap_ticket *ticket;
    struct stat info;
    char path[4096];
    CHECK_OK(snap_run_begin_step(side->run, &err));
    CHECK_OK(snap_run_before_update(side->run, NULL, &err));
    change(side, number);
    CHECK_OK(snap_run_step(side->run, &record, &err));
    CHECK_OK(snap_run_capture(side->run, number, NULL, &ticket, &err));
    CHECK_OK(snap_run_wait(side->run, ticket, hash, &err));
    snprintf(path, sizeof path, "%s/snapshots/step-%010" PRIu64 ".snap.tar", side->dir, number);
    assert_int_equal(stat(path, &info), 0);
    return (uint64_t)info.st_size;
}

static void test_same_hashes(void **state)
{
    /* Whether `large` differs from what the base has: the first snapshot, and after the seventh,
     * of which the first has nothing any more, that one. */
    static const bool moved[] = { false, false, true, true, true, true, true, true, false, true };
    struct side whole;
    struct side thin;
    (void)state;
    begin(&whole, 0);
    begin(&thin, 100);
    for (uint64_t number = 1; number < sizeof moved / sizeof moved[0]; number++) {
        char expected[SNAP_HASH_TEXT_BYTES];
        char hash[SNAP_HASH_TEXT_BYTES];
        uint64_t all = save(&whole, number, expected);
        uint64_t bytes = save(&thin, number, hash);
        assert_string_equal(hash, expected);
        if (number == 1)
            assert_int_equal(bytes, all);
        else
            assert_true((bytes > LARGE * sizeof(float)) == moved[number]);
    }
    end(&whole);
    end(&thin);
}

/* After a whole one came between, too. */
static void test_chain(void **state)
{
    struct side whole;
    struct side thin;
    (void)state;
    begin(&whole, 0);
    begin(&thin, 2);
    for (uint64_t number = 1; number < 9; number++) {
        char expected[SNAP_HASH_TEXT_BYTES];
        char hash[SNAP_HASH_TEXT_BYTES];
        save(&whole, number, expected);
        save(&thin, number, hash);
        assert_string_equal(hash, expected);
    }
    end(&whole);
    end(&thin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_hashes),
        cmocka_unit_test(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
