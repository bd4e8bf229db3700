/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of the streams with memory that runs out at the Nth allocation, for each N until the
 * call gets through: it says so, changes nothing, and leaks nothing (AddressSanitizer looks). The
 * program is linked with --wrap for malloc, calloc and realloc. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <snapstate/stream_draws.h>

#include "stream/numpy_bit_generator.h"
#include "stream/numpy_random_state.h"
#include "stream/python_random.h"
#include "stream/torch_cpu.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool counting;
static size_t allocations_left; /* while counting: how many still succeed */
static bool failed_in_jansson;

static bool runs_out(void)
{
    if (!counting) {
        return false;
    }
    if (allocations_left == 0) {
        return true;
    }
    allocations_left--;
    return false;
}

void *__wrap_malloc(size_t size)
{
    return runs_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return runs_out() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return runs_out() ? NULL : __real_realloc(old, size);
}

static void *jansson_malloc(size_t size)
{
    void *memory = __wrap_malloc(size);

    failed_in_jansson = failed_in_jansson || memory == NULL;
    return memory;
}

static struct snap_error err = SNAP_ERROR_INIT;

struct work {
    const char *kind;
    struct snap_stream *stream;
    void *bytes;
    size_t size;
};

typedef enum snap_status step(struct work *work);

static enum snap_status make(struct work *work)
{
    struct snap_stream *stream = NULL;
    enum snap_status status = snap_stream_new(work->kind, &stream, &err);

    assert_true((status == SNAP_OK) == (stream != NULL));
    snap_stream_free(stream);
    return status;
}

static enum snap_status encode(struct work *work)
{
    void *bytes = NULL;
    size_t size = 0;
    enum snap_status status = snap_stream_encode(work->stream, &bytes, &size, &err);

    if (status == SNAP_OK) {
        assert_int_equal(size, work->size);
        assert_memory_equal(bytes, work->bytes, size);
    } else {
        assert_null(bytes);
    }
    free(bytes);
    return status;
}

static enum snap_status decode(struct work *work)
{
    return snap_stream_decode(work->stream, work->bytes, work->size, &err);
}

/* The state in each of its forms, and back. */
static enum snap_status forms(struct work *work)
{
    const struct snap_form_info *form;
    enum snap_status status = SNAP_OK;

    for (size_t i = 0; status == SNAP_OK && (form = snap_stream_form_at(work->kind, i)) != NULL;
         i++) {
        void *bytes = NULL;
        size_t size = 0;

        status = snap_stream_export(work->stream, form->name, &bytes, &size, &err);
        if (status == SNAP_OK) {
            status = snap_stream_import(work->stream, form->name, bytes, size, &err);
        }
        free(bytes);
    }
    return status;
}

/* Every draw by name of a new stream. */
static enum snap_status named_draws(struct work *work)
{
    const struct snap_draw_info *draw;
    uint64_t numbers[17];
    struct snap_stream *stream = NULL;
    enum snap_status status = snap_stream_new(work->kind, &stream, &err);

    for (size_t i = 0; status == SNAP_OK && (draw = snap_stream_draw_at(work->kind, i)) != NULL;
         i++) {
        status = snap_stream_draw(stream, draw->name, numbers, 17, &err);
    }
    snap_stream_free(stream);
    return status;
}

static enum snap_status distance(struct work *work)
{
    int64_t words = 99;
    bool related = false;
    enum snap_status status = snap_stream_distance(work->kind, work->bytes, work->size,
                                                   work->bytes, work->size, 0, &words, &related,
                                                   &err);

    assert_true(status == SNAP_OK ? words == 0 && related : words == 99 && !related);
    return status;
}

static enum snap_status follow(struct work *work)
{
    uint64_t words = 99;
    bool related = false;
    enum snap_status status = snap_stream_follow(work->stream, work->bytes, work->size, 0, &words,
                                                 &related, &err);

    assert_true(status == SNAP_OK ? words == 0 && related : words == 99 && !related);
    return status;
}

/* Calls of the engines that need memory. */
static enum snap_status draws(struct work *work)
{
    static const uint64_t counts[2] = { 3, 4 };
    static const double weights[3] = { 1.0, 2.0, 3.0 };
    struct snap_python_random python = { 0 };
    struct snap_numpy_random_state numpy = { 0 };
    struct snap_torch_cpu torch = { .version = SNAP_TORCH_1_13 };
    uint64_t out[30];
    enum snap_status status;

    (void)work;
    snap_numpy_seed_uint(&numpy, 1);
    snap_torch_seed(&torch, 1);
    status = snap_python_seed_bytes(&python, "seed", 4, &err);
    if (status == SNAP_OK) {
        status = snap_python_sample(&python, 30, 30, out, &err);
    }
    if (status == SNAP_OK) {
        status = snap_python_sample(&python, 1000000, 30, out, &err);
    }
    if (status == SNAP_OK) {
        status = snap_python_sample_counts(&python, counts, 2, 3, out, &err);
    }
    if (status == SNAP_OK) {
        status = snap_numpy_choice_distinct(&numpy, 30, 3, out, &err);
    }
    if (status == SNAP_OK) {
        status = snap_numpy_choice_weighted(&numpy, weights, 3, 3, false, out, &err);
    }
    if (status == SNAP_OK) {
        status = snap_torch_random_sampler(&torch, 30, false, 30, false, out, &err);
    }
    if (status == SNAP_OK) {
        status = snap_torch_multinomial(&torch, SNAP_F64, weights, 3, 2, false, out, &err);
    }
    return status;
}

/* Calls of Generator that need memory. */
static enum snap_status generator(struct work *work)
{
    static const uint32_t entropy[40] = { 1, [39] = 7 };
    static const uint32_t key[2] = { 3, 4 };
    static const double weights[3] = { 1.0, 2.0, 3.0 };
    static int64_t out[20000];
    struct snap_stream *stream = NULL;
    struct snap_stream *child = NULL;
    enum snap_status status = snap_stream_new("numpy_pcg64", &stream, &err);

    (void)work;
    if (status == SNAP_OK) {
        status = snap_generator_seed(stream, entropy, 40, key, 2, &err);
    }
    if (status == SNAP_OK) {
        status = snap_generator_spawn(stream, &child, &err);
        assert_int_equal(snap_stream_bit_generator(stream, "", NULL)
                             ->seed_sequence.n_children_spawned,
                         status == SNAP_OK ? 1 : 0);
        assert_true((status == SNAP_OK) == (child != NULL));
    }
    if (status == SNAP_OK) {
        status = snap_generator_choice_distinct(stream, 20000, true, out, 20000, &err);
    }
    if (status == SNAP_OK) {
        status = snap_generator_choice_distinct(stream, 20000, true, out, 4, &err);
    }
    if (status == SNAP_OK) {
        status = snap_generator_choice_weighted(stream, weights, 3, false, out, 3, &err);
    }
    snap_stream_free(child);
    snap_stream_free(stream);
    return status;
}

/* A state with everything that a seed sequence may hold: none of it leaks when reading fails. */
static enum snap_status large_seed(struct work *work)
{
    static const char text[] =
        "{\"bit_generator\":\"SFC64\",\"has_uint32\":0,\"kind\":\"numpy_sfc64\",\"seed_seq\":"
        "{\"entropy\":[1,\"36893488147419103232\",0],\"n_children_spawned\":2,\"pool_size\":8,"
        "\"spawn_key\":[\"36893488147419103232\",1]},\"state\":{\"state\":[1,2,3,4]},"
        "\"uinteger\":0}\n";
    void *bytes = NULL;
    size_t size = 0;
    struct snap_stream *stream = NULL;
    enum snap_status status = snap_stream_new("numpy_sfc64", &stream, &err);

    (void)work;
    if (status == SNAP_OK) {
        status = snap_stream_decode(stream, text, sizeof text - 1, &err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_encode(stream, &bytes, &size, &err);
    }
    if (status == SNAP_OK) {
        assert_int_equal(size, sizeof text - 1);
        assert_memory_equal(bytes, text, size);
    }
    free(bytes);
    snap_stream_free(stream);
    return status;
}

/* Let the call fail at its first, second, ... allocation until it succeeds; how often it failed. */
static size_t until_it_succeeds(step *call, struct work *work)
{
    enum snap_status status = SNAP_NO_MEMORY;
    size_t failures = 0;

    while (status != SNAP_OK) {
        allocations_left = failures;
        failed_in_jansson = false;
        counting = true;
        status = call(work);
        counting = false;
        if (status != SNAP_OK) {
            /* Jansson's parser does not always tell memory that ran out from a wrong text. */
            assert_true(status == SNAP_NO_MEMORY || (failed_in_jansson && status == SNAP_CORRUPT));
            failures++;
        }
        /* Nothing moved: the state still has its bytes. */
        if (work->stream != NULL) {
            assert_int_equal(encode(work), SNAP_OK);
        }
        assert_true(failures < 5000);
    }
    return failures;
}

static void calls(void **state)
{
    const char *kind;

    (void)state;
    for (size_t i = 0; (kind = snap_stream_kind_at(i)) != NULL; i++) {
        struct work work = { .kind = kind };

        assert_true(until_it_succeeds(make, &work) > 0);
        assert_int_equal(snap_stream_new(kind, &work.stream, &err), SNAP_OK);
        assert_int_equal(snap_stream_encode(work.stream, &work.bytes, &work.size, &err), SNAP_OK);
        assert_true(until_it_succeeds(encode, &work) > 0);
        until_it_succeeds(decode, &work);
        until_it_succeeds(forms, &work);
        assert_true(until_it_succeeds(named_draws, &work) > 0);
        assert_true(until_it_succeeds(distance, &work) > 0);
        assert_true(until_it_succeeds(follow, &work) > 0);
        snap_stream_free(work.stream);
        free(work.bytes);
    }
}

static void engines(void **state)
{
    struct work work = { .kind = "python_random" };

    (void)state;
    assert_true(until_it_succeeds(draws, &work) >= 8);
    assert_true(until_it_succeeds(generator, &work) >= 8);
    assert_true(until_it_succeeds(large_seed, &work) >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(calls), cmocka_unit_test(engines) };

    /* Jansson is a library of its own, which --wrap does not reach. */
    json_set_alloc_funcs(jansson_malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
