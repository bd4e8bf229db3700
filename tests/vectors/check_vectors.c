/* SPDX-License-Identifier: Apache-2.0 */
/* check_vectors FILE...: run files of vectors ("snap-vectors/1": what the real libraries drew)
 * against the engines; they may be compressed by gzip. Every state is restored, every seed
 * compared, and between any two calls the stream is saved and restored into a fresh one. Prints a
 * line a file, and one for every mismatch; exits 0 when there is none, 1 when there is, 2 when a
 * file is no vectors file. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/stream_family.h"
#include "vectors.h"

#define MAX_SHOWN 10u /* mismatches printed a file */

struct totals {
    size_t cases, calls, mismatches;
};

struct run {
    const struct family *family;
    const char *kind;    /* of the case's stream */
    const char *variant; /* entry of "alt" to prefer */
    struct totals totals;
};

static const struct family *const families[] = { &python_family, &numpy_family,
                                                 &generator_family, &torch_family,
                                                 &torch_cuda_family, &jax_family,
                                                 &by_name_family };

void *internals(struct snap_stream *stream, const char *kind)
{
    struct snap_error err = SNAP_ERROR_INIT;
    void *state = snap_stream_state(stream, snap_stream_family_find(kind), "test", &err);

    if (state == NULL) {
        fail("%s", err.text);
    }
    return state;
}

static void mismatch(struct run *run, const json_t *a_case, const char *where, const char *text)
{
    if (run->totals.mismatches++ < MAX_SHOWN) {
        printf("  %s: %s: %s\n", argument_text(a_case, "id"), where, text);
    }
}

/* `name` of an object, or what another variant had there. */
static const json_t *variant_of(const struct run *run, const json_t *object, const char *name)
{
    char alternatives[64];
    const json_t *other;

    snprintf(alternatives, sizeof alternatives, "%s_alt", name);
    other = json_object_get(json_object_get(object, alternatives), run->variant);
    return other != NULL ? other : json_object_get(object, name);
}

static void compare_result(struct run *run, const json_t *a_case, const json_t *call,
                           const struct result *result)
{
    const json_t *source = json_object_get(json_object_get(call, "alt"), run->variant);
    size_t word_bytes = argument_size(call, "word_bytes", 8);
    char text[256];

    if (source == NULL) {
        source = call;
    }
    if (result_compare(result, argument_text(call, "type"), argument(source, "out"),
                       json_object_get(source, "bits"), word_bytes, text) != 0) {
        mismatch(run, a_case, argument_text(call, "fn"), text);
    }
}

static struct snap_stream *new_stream(const struct run *run)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_stream *stream;

    must(snap_stream_new(run->kind, &stream, &err), &err, "new");
    return stream;
}

/* Save, restore into a fresh stream, and go on with that one. */
static void renew(struct run *run, const json_t *a_case, struct snap_stream **stream)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_stream *fresh = new_stream(run);
    void *bytes = NULL;
    void *again = NULL;
    size_t size, size_again;

    must(snap_stream_encode(*stream, &bytes, &size, &err), &err, "encode");
    must(snap_stream_decode(fresh, bytes, size, &err), &err, "decode");
    must(snap_stream_encode(fresh, &again, &size_again, &err), &err, "encode");
    if (size != size_again || memcmp(bytes, again, size) != 0) {
        mismatch(run, a_case, "save and restore", "the bytes are not the same again");
    }
    free(bytes);
    free(again);
    snap_stream_free(*stream);
    *stream = fresh;
}

static bool has_bytes(const struct run *run, const struct snap_stream *stream,
                      const json_t *state)
{
    struct snap_error err = SNAP_ERROR_INIT;
    void *bytes = NULL;
    size_t size, expected_size;
    void *expected = run->family->expected(state, &expected_size);
    bool same;

    must(snap_stream_encode(stream, &bytes, &size, &err), &err, "encode");
    same = size == expected_size && memcmp(bytes, expected, size) == 0;
    free(bytes);
    free(expected);
    return same;
}

/* `name` of a case, or of a call that says what state it leaves behind. */
static void compare_state(struct run *run, const json_t *a_case, const json_t *holder,
                          const char *name, struct snap_stream *stream, bool seeded)
{
    const json_t *state = variant_of(run, holder, name);
    bool same = run->family->same_state != NULL
                    ? run->family->same_state(stream, a_case, state, seeded)
                    : has_bytes(run, stream, state);

    if (!same) {
        mismatch(run, a_case, name, "the state differs");
    }
}

static void run_stream_case(struct run *run, const json_t *a_case)
{
    const struct family *family = run->family;
    const json_t *seed = argument(a_case, "seed");
    bool seeded = !json_is_null(seed);
    struct snap_stream *stream;
    const json_t *call;
    size_t i;

    run->kind = family->kind_of != NULL ? family->kind_of(a_case) : family->kind;
    stream = new_stream(run);
    if (seeded) {
        family->seed(stream, seed);
        compare_state(run, a_case, a_case, "state_before", stream, true);
    }
    if (family->only_seeded == NULL || !family->only_seeded(a_case)) {
        snap_stream_free(stream);
        stream = new_stream(run);
        family->restore(stream, variant_of(run, a_case, "state_before"));
        seeded = false;
    }
    json_array_foreach(argument(a_case, "calls"), i, call) {
        struct result result = { 0 };
        const char *fn = argument_text(call, "fn");

        renew(run, a_case, &stream);
        run->totals.calls++;
        if (!family->call(stream, fn, argument(call, "args"), &result)) {
            mismatch(run, a_case, fn, "this program does not know the call");
        } else {
            compare_result(run, a_case, call, &result);
        }
        if (has_argument(call, "state")) {
            compare_state(run, a_case, call, "state", stream, seeded);
        }
        result_clear(&result);
    }
    renew(run, a_case, &stream);
    compare_state(run, a_case, a_case, "state_after", stream, seeded);
    snap_stream_free(stream);
}

/* A hash, which has no state. */
static void run_hash_case(struct run *run, const json_t *a_case)
{
    const json_t *call;
    size_t i;

    json_array_foreach(argument(a_case, "calls"), i, call) {
        struct result result = { 0 };
        const char *fn = argument_text(call, "fn");

        run->totals.calls++;
        if (!hash_call(a_case, fn, argument(call, "args"), &result)) {
            mismatch(run, a_case, fn, "this program does not know the call");
        } else {
            compare_result(run, a_case, call, &result);
        }
        result_clear(&result);
    }
}

/* Of counter_based.json the keys of JAX are streams, and the rest is hashes. */
static void run_cases(struct run *run, const json_t *file, bool counter_based)
{
    const json_t *a_case;
    size_t i;

    json_array_foreach(argument(file, "cases"), i, a_case) {
        run->totals.cases++;
        if (counter_based && strncmp(argument_text(a_case, "id"), "jax/", 4) != 0) {
            run_hash_case(run, a_case);
        } else {
            run_stream_case(run, a_case);
        }
    }
}

static const struct family *find_family(const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (strcmp(families[i]->name, name) == 0) {
            return families[i];
        }
    }
    return NULL;
}

static void run_file(const char *path, const char *variant, size_t *mismatches)
{
    struct run run = { .variant = variant };
    json_t *file = load_vectors(path);
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    const char *family;
    bool counter_based;

    if (strcmp(argument_text(file, "schema"), "snap-vectors/1") != 0) {
        fail("%s: not of schema snap-vectors/1", path);
    }
    family = argument_text(file, "family");
    counter_based = strcmp(family, "counter_based") == 0;
    run.family = find_family(family);
    if (run.family == NULL) {
        fail("%s: unknown family %s", path, family);
    }
    if (run.family->begin != NULL) {
        run.family->begin(file);
    }
    run_cases(&run, file, counter_based);
    printf("%s: %zu cases, %zu calls, %zu mismatches\n", name, run.totals.cases, run.totals.calls,
           run.totals.mismatches);
    *mismatches += run.totals.mismatches;
    json_decref(file);
}

int main(int argc, char **argv)
{
    const char *variant = libm_variant();
    size_t mismatches = 0;

    if (argc < 2) {
        fail("usage: check_vectors FILE...");
    }
    if (variant == NULL) {
        puts("libm: neither of the known ones; compared with base, last bits may differ");
        variant = "base";
    } else {
        printf("libm: as in %s\n", variant);
    }
    for (int i = 1; i < argc; i++) {
        run_file(argv[i], variant, &mismatches);
    }
    if (fflush(stdout) != 0) {
        fail("stdout could not be written");
    }
    return mismatches == 0 ? 0 : 1;
}
