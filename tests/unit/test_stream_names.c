/* SPDX-License-Identifier: Apache-2.0 */
/* Draws and forms by name, of every kind: the tables are complete, a draw is the typed call of the
 * same library, a form goes out and comes back as the same state, and what is none is refused. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <snapstate/stream.h>

static struct snap_error err = SNAP_ERROR_INIT;

struct bytes {
    void *data;
    size_t size;
};

static struct snap_stream *new_stream(const char *kind)
{
    struct snap_stream *stream = NULL;

    assert_int_equal(snap_stream_new(kind, &stream, &err), SNAP_OK);
    return stream;
}

static struct bytes encoded(const struct snap_stream *stream)
{
    struct bytes bytes = { NULL, 0 };

    assert_int_equal(snap_stream_encode(stream, &bytes.data, &bytes.size, &err), SNAP_OK);
    return bytes;
}

static void expect_equal(const struct snap_stream *a, const struct snap_stream *b)
{
    struct bytes left = encoded(a);
    struct bytes right = encoded(b);

    assert_int_equal(left.size, right.size);
    assert_memory_equal(left.data, right.data, left.size);
    free(left.data);
    free(right.data);
}

static void kinds_have_names(void **state)
{
    size_t count = 0;

    (void)state;
    for (const char *kind; (kind = snap_stream_kind_at(count)) != NULL; count++) {
        struct snap_stream *stream = new_stream(kind);

        assert_string_equal(snap_stream_kind(stream), kind);
        assert_string_equal(snap_stream_form_at(kind, 0)->name, "member");
        assert_non_null(snap_stream_distance_unit(kind, false));
        assert_non_null(snap_stream_distance_unit(kind, true));
        snap_stream_free(stream);
    }
    assert_true(count > 5);
    assert_null(snap_stream_kind_at(count + 1));
    assert_null(snap_stream_draw_at("no such", 0));
    assert_null(snap_stream_form_at("no such", 0));
    assert_null(snap_stream_distance_unit("no such", true));
    assert_null(snap_stream_draw_at("opaque", 0));
    assert_null(snap_stream_form_at("opaque", 1));
    assert_string_equal(snap_stream_distance_unit("torch_cpu", false), "word");
    assert_string_equal(snap_stream_distance_unit("torch_cpu", true), "words");
}

/* Every draw of every kind: of nothing, of one, and twice of some numbers from the same state,
 * which must be the same numbers and leave the same state. */
static void draws_are_repeatable(void **state)
{
    const char *kind;

    (void)state;
    for (size_t k = 0; (kind = snap_stream_kind_at(k)) != NULL; k++) {
        const struct snap_draw_info *info;

        for (size_t i = 0; (info = snap_stream_draw_at(kind, i)) != NULL; i++) {
            size_t size = snap_dtype_size_bytes(info->dtype);
            struct snap_stream *a = new_stream(kind);
            struct snap_stream *b = new_stream(kind);
            unsigned char *left = calloc(37, 8);
            unsigned char *right = calloc(37, 8);

            assert_int_equal(info->size_bytes, sizeof *info);
            assert_true(info->equals[0] != 0 && size > 0 && size <= 8);
            assert_int_equal(snap_stream_draw(a, info->name, left, 0, &err), SNAP_OK);
            expect_equal(a, b);
            assert_int_equal(snap_stream_draw(a, info->name, left, 1, &err), SNAP_OK);
            assert_int_equal(snap_stream_draw(b, info->name, right, 1, &err), SNAP_OK);
            assert_memory_equal(left, right, size);
            expect_equal(a, b);
            assert_int_equal(snap_stream_draw(a, info->name, left, 37, &err), SNAP_OK);
            assert_int_equal(snap_stream_draw(b, info->name, right, 37, &err), SNAP_OK);
            assert_memory_equal(left, right, 37 * size);
            expect_equal(a, b);
            /* Not past the n numbers. */
            for (size_t at = 37 * size; at < 37 * 8; at++) {
                assert_int_equal(left[at], 0);
            }
            free(left);
            free(right);
            snap_stream_free(a);
            snap_stream_free(b);
        }
    }
}

/* The first numbers after seed 42, as the libraries print them. */
static void draws_are_the_librarys(void **state)
{
    struct snap_stream *stream = new_stream("python_random");
    uint32_t words[2];
    uint64_t wide;
    double real;
    float single;

    (void)state;
    assert_int_equal(snap_stream_seed(stream, 42, &err), SNAP_OK);
    assert_int_equal(snap_stream_draw(stream, "f64", &real, 1, &err), SNAP_OK);
    assert_true(real == 0x1.4762f307200c5p-1);
    assert_int_equal(snap_stream_draw(stream, "u32", words, 2, &err), SNAP_OK);
    assert_true(words[0] == 107420369u && words[1] == 3184935163u);
    assert_int_equal(snap_stream_draw(stream, "u64", &wide, 1, &err), SNAP_OK);
    assert_true(wide == 4517457392071889495u);
    snap_stream_free(stream);

    stream = new_stream("numpy_random_state");
    assert_int_equal(snap_stream_seed(stream, 42, &err), SNAP_OK);
    assert_int_equal(snap_stream_draw(stream, "u32", words, 2, &err), SNAP_OK);
    assert_true(words[0] == 1608637542u && words[1] == 3421126067u);
    snap_stream_free(stream);

    stream = new_stream("torch_cpu");
    assert_int_equal(snap_stream_seed(stream, 42, &err), SNAP_OK);
    assert_int_equal(snap_stream_draw(stream, "f32", &single, 1, &err), SNAP_OK);
    assert_true(single == 0x1.c3b8ccp-1f);
    snap_stream_free(stream);
}

/* Each form of a fresh state, and of one from which was drawn, where the form can hold it. */
static void forms_go_round(void **state)
{
    const char *kind;

    (void)state;
    for (size_t k = 0; (kind = snap_stream_kind_at(k)) != NULL; k++) {
        const struct snap_form_info *form;

        for (size_t i = 0; (form = snap_stream_form_at(kind, i)) != NULL; i++) {
            struct snap_stream *stream = new_stream(kind);
            struct snap_stream *fresh = new_stream(kind);
            const struct snap_draw_info *draw = snap_stream_draw_at(kind, 0);
            double numbers[5];
            struct bytes out = { NULL, 0 };

            assert_int_equal(form->size_bytes, sizeof *form);
            assert_true(form->equals[0] != 0);
            if (draw != NULL) {
                assert_int_equal(snap_stream_draw(stream, draw->name, numbers, 5, &err), SNAP_OK);
            }
            assert_int_equal(snap_stream_export(stream, form->name, &out.data, &out.size, &err),
                             SNAP_OK);
            assert_int_equal(snap_stream_import(fresh, form->name, out.data, out.size, &err),
                             SNAP_OK);
            expect_equal(stream, fresh);
            /* Half of it and a byte is never a state; the stream is as it was. */
            if (out.size > 0) {
                assert_int_equal(
                    snap_stream_import(fresh, form->name, out.data, out.size / 2 + 1, &err),
                    SNAP_CORRUPT);
            }
            expect_equal(stream, fresh);
            free(out.data);
            snap_stream_free(stream);
            snap_stream_free(fresh);
        }
    }
}

/* Stale and cached normals are part of the forms. */
static void caches_go_along(void **state)
{
    static const char *const kinds[][2] = { { "python_random", "getstate" },
                                            { "numpy_random_state", "dict" },
                                            { "numpy_random_state", "tuple" },
                                            { "numpy_random_state", "npy" } };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct snap_stream *stream = new_stream(kinds[i][0]);
        struct snap_stream *fresh = new_stream(kinds[i][0]);
        struct bytes out = { NULL, 0 };
        double normal;

        assert_int_equal(snap_stream_draw(stream, "normal", &normal, 1, &err), SNAP_OK);
        assert_int_equal(snap_stream_export(stream, kinds[i][1], &out.data, &out.size, &err),
                         SNAP_OK);
        assert_int_equal(snap_stream_import(fresh, kinds[i][1], out.data, out.size, &err), SNAP_OK);
        expect_equal(stream, fresh);
        free(out.data);
        snap_stream_free(stream);
        snap_stream_free(fresh);
    }
}

static void refused(void **state)
{
    struct snap_stream *stream = new_stream("torch_cpu");
    struct snap_stream *other = new_stream("torch_cpu");
    double number = 17.0;
    void *bytes = NULL;
    size_t size = 17;

    (void)state;
    assert_int_equal(snap_stream_draw(stream, "dice", &number, 1, &err), SNAP_INVALID);
    assert_non_null(
        strstr(err.text, "stream torch_cpu: draw dice: there is no such draw, but f32"));
    assert_int_equal(snap_stream_export(stream, "pickle", &bytes, &size, &err), SNAP_INVALID);
    assert_string_equal(err.text, "stream torch_cpu: form pickle: there is no such form, but "
                                  "member, json, legacy");
    assert_int_equal(snap_stream_import(stream, "pickle", "", 0, &err), SNAP_INVALID);
    expect_equal(stream, other);
    /* The old form of torch has no place for a normal as such. */
    assert_int_equal(snap_stream_draw(stream, "normal", &number, 1, &err), SNAP_OK);
    assert_int_equal(snap_stream_export(stream, "legacy", &bytes, &size, &err), SNAP_UNSUPPORTED);
    assert_true(bytes == NULL && size == 17);
    snap_stream_free(stream);
    snap_stream_free(other);
    stream = new_stream("opaque");
    assert_int_equal(snap_stream_draw(stream, "u32", &number, 1, &err), SNAP_INVALID);
    assert_string_equal(err.text, "stream opaque: draw u32: there is no such draw of this kind");
    snap_stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_have_names),       cmocka_unit_test(draws_are_repeatable),
        cmocka_unit_test(draws_are_the_librarys), cmocka_unit_test(forms_go_round),
        cmocka_unit_test(caches_go_along),        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
