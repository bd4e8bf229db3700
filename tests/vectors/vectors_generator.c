/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of numpy_generator.json: Generator over each bit generator, and SeedSequence, which is
 * looked at in a stream that was seeded by it. */
#include "config.h"

#include <snapstate/stream_draws.h>
#include <stdlib.h>
#include <string.h>

#include "stream/numpy_bit_generator.h"
#include "vectors.h"

static const char *const engines[][2] = {
    { "PCG64", "numpy_pcg64" },       { "PCG64DXSM", "numpy_pcg64dxsm" },
    { "MT19937", "numpy_mt19937" },   { "Philox", "numpy_philox" },
    { "SFC64", "numpy_sfc64" },
};

static struct snap_error err = SNAP_ERROR_INIT;

static bool is_of_sequence(const json_t *a_case)
{
    return has_argument(argument(a_case, "state_before"), "pool");
}

static const char *kind_of(const json_t *a_case)
{
    const char *name =
        is_of_sequence(a_case) ? "PCG64"
                               : argument_text(argument(a_case, "state_before"), "bit_generator");

    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        if (strcmp(engines[i][0], name) == 0) {
            return engines[i][1];
        }
    }
    fail("unknown bit generator %s", name);
}

static struct snap_bit_generator *engine(struct snap_stream *stream)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "test", &err);

    if (g == NULL) {
        fail("%s", err.text);
    }
    return g;
}

/* ---- states ---- */

/* Integers up to 2^53 as numbers, above it as text, as members have them. */
static json_t *normal_form(const json_t *value)
{
    json_t *made;
    const json_t *item;
    const char *key;
    size_t i;

    if (json_is_object(value)) {
        made = json_object();
        json_object_foreach((json_t *)(uintptr_t)value, key, item) {
            json_object_set_new(made, key, normal_form(item));
        }
        return made;
    }
    if (json_is_array(value)) {
        made = json_array();
        json_array_foreach(value, i, item) {
            json_array_append_new(made, normal_form(item));
        }
        return made;
    }
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        size_t digits = strspn(text, "0123456789");

        if (digits > 0 && text[digits] == 0 &&
            (digits < 16 || (digits == 16 && strcmp(text, "9007199254740992") <= 0))) {
            return json_integer((json_int_t)decimal_u64(text));
        }
    }
    return json_deep_copy(value);
}

json_t *generator_state(const json_t *state)
{
    const char *name = argument_text(state, "bit_generator");
    json_t *made = normal_form(state);

    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        if (strcmp(engines[i][0], name) == 0) {
            json_object_set_new(made, "kind", json_string(engines[i][1]));
        }
    }
    return made;
}

static void *expected(const json_t *state, size_t *size_bytes)
{
    return canonical(generator_state(state), size_bytes);
}

static void restore(struct snap_stream *stream, const json_t *state)
{
    size_t size;
    void *bytes = expected(state, &size);

    must(snap_stream_decode(stream, bytes, size, &err), &err, "decode");
    free(bytes);
}

/* The stream's member as JSON; its "seed_seq" apart, NULL when it has none. */
static json_t *member(const struct snap_stream *stream, json_t **sequence)
{
    void *bytes = NULL;
    size_t size;
    json_t *object;

    must(snap_stream_encode(stream, &bytes, &size, &err), &err, "encode");
    object = json_loadb(bytes, size, 0, NULL);
    free(bytes);
    *sequence = json_incref(json_object_get(object, "seed_seq"));
    json_object_del(object, "seed_seq");
    return object;
}

/* What "seed_seq" of a case's stream must be. */
static json_t *sequence_of(const json_t *seed, json_int_t children)
{
    return json_pack("{s:o, s:I, s:o, s:o}", "entropy", normal_form(argument(seed, "entropy")),
                     "n_children_spawned", children, "pool_size",
                     normal_form(argument(seed, "pool_size")), "spawn_key",
                     normal_form(argument(seed, "spawn_key")));
}

/* The pool's words, as a list. */
static json_t *pool_of(const struct snap_numpy_seed_sequence *sequence)
{
    uint32_t pool[SNAP_MAX_SEED_POOL];
    json_t *list = json_array();

    must(snap_numpy_seed_sequence_pool(sequence, pool, &err), &err, "pool");
    for (size_t i = 0; i < sequence->pool_size; i++) {
        json_array_append_new(list, json_integer(pool[i]));
    }
    return list;
}

static bool same_state(struct snap_stream *stream, const json_t *a_case, const json_t *state,
                       bool seeded)
{
    json_t *sequence = NULL;
    json_t *ours = member(stream, &sequence);
    json_t *wanted = NULL;
    bool same;

    if (is_of_sequence(a_case)) {
        json_t *pool = pool_of(&engine(stream)->seed_sequence);

        same = json_equal(pool, argument(state, "pool"));
        wanted = sequence_of(argument(a_case, "seed"), argument_int(state, "n_children_spawned"));
        json_decref(pool);
    } else {
        json_t *theirs = generator_state(state);

        same = json_equal(ours, theirs);
        json_decref(theirs);
        wanted = seeded ? sequence_of(argument(a_case, "seed"), 0) : NULL;
    }
    same = same && (wanted != NULL ? json_equal(wanted, sequence) : sequence == NULL);
    json_decref(wanted);
    json_decref(sequence);
    json_decref(ours);
    return same;
}

/* By the member, which takes entropies of any form; the state itself comes of seeding again. */
static void seed(struct snap_stream *stream, const json_t *seed)
{
    struct snap_bit_generator *g = engine(stream);
    struct snap_numpy_seed_sequence sequence;
    json_t *object = sequence_of(seed, 0);

    must(snap_numpy_seed_sequence_from_json("seed", object, &sequence, &err), &err, "seed");
    must(snap_bit_generator_seed_sequence(g, &sequence, &err), &err, "seed");
    json_decref(object);
}

/* ---- SeedSequence ---- */

static void add_object(struct result *result, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);

    if (text == NULL) {
        fail("no memory");
    }
    result_add_text(result, text);
    free(text);
    json_decref(object);
}

static void add_child(struct result *result, struct snap_stream *child)
{
    const struct snap_numpy_seed_sequence *sequence = &engine(child)->seed_sequence;
    json_t *form = NULL;
    uint32_t words[4];

    json_decref(member(child, &form));
    must(snap_numpy_seed_sequence_generate(sequence, words, 4, &err), &err, "generate_state");
    add_object(result, json_pack("{s:O, s:o, s:[I,I,I,I]}", "spawn_key",
                                 json_object_get(form, "spawn_key"), "pool", pool_of(sequence),
                                 "generate_state_4", (json_int_t)words[0], (json_int_t)words[1],
                                 (json_int_t)words[2], (json_int_t)words[3]));
    json_decref(form);
}

static struct snap_stream *spawn(struct snap_stream *stream)
{
    struct snap_stream *child = NULL;

    must(snap_generator_spawn(stream, &child, &err), &err, "spawn");
    return child;
}

static bool call_sequence(struct snap_stream *stream, const char *fn, const json_t *args,
                          struct result *result)
{
    if (strcmp(fn, "generate_state") == 0) {
        size_t n = argument_size(args, "n_words", 0);
        bool wide = strcmp(argument_text(args, "dtype"), "uint64") == 0;
        size_t count = wide ? 2 * n : n;
        uint32_t *words = allocate(count, sizeof *words);

        must(snap_numpy_seed_sequence_generate(&engine(stream)->seed_sequence, words, count, &err),
             &err, fn);
        result->is_unsigned = true;
        for (size_t i = 0; i < n; i++) {
            result_add(result, wide ? (uint64_t)words[2 * i + 1] << 32 | words[2 * i] : words[i]);
        }
        free(words);
    } else if (strcmp(fn, "spawn") == 0) {
        for (size_t i = 0; i < argument_size(args, "n_children", 0); i++) {
            struct snap_stream *child = spawn(stream);

            add_child(result, child);
            snap_stream_free(child);
        }
    } else if (strcmp(fn, "spawn_of_child") == 0) {
        /* A new child of this one, and of that its second. */
        struct snap_stream *child = spawn(stream);
        struct snap_stream *first = spawn(child);
        struct snap_stream *second = spawn(child);

        add_child(result, second);
        snap_stream_free(second);
        snap_stream_free(first);
        snap_stream_free(child);
    } else {
        return false;
    }
    return true;
}

/* ---- jumps ---- */

static void add_state(struct result *result, const struct snap_stream *stream)
{
    json_t *sequence = NULL;
    json_t *object = member(stream, &sequence);

    add_object(result, object);
    json_decref(sequence);
}

static bool call_jump(struct snap_stream *stream, const char *fn, const json_t *args,
                      struct result *result)
{
    if (strcmp(fn, "advance") == 0) {
        char buffer[32];
        size_t count;
        uint32_t *words = digits_to_words(to_digits(argument(args, "delta"), buffer), 10, &count);
        uint64_t delta[4] = { 0 };

        for (size_t i = 0; i < count && i < 8; i++) {
            delta[i / 2] |= (uint64_t)words[i] << (32 * (i % 2));
        }
        must(snap_generator_advance(stream, delta, &err), &err, fn);
        add_state(result, stream);
        free(words);
        return true;
    }
    if (strcmp(fn, "jumped") == 0) {
        struct snap_stream *copy = NULL;
        void *bytes = NULL;
        size_t size;

        must(snap_stream_new(snap_stream_kind(stream), &copy, &err), &err, "new");
        must(snap_stream_encode(stream, &bytes, &size, &err), &err, "encode");
        must(snap_stream_decode(copy, bytes, size, &err), &err, "decode");
        must(snap_generator_jump(copy, (uint64_t)argument_int(args, "jumps"), &err), &err, fn);
        add_state(result, copy);
        free(bytes);
        snap_stream_free(copy);
        return true;
    }
    return false;
}

static bool call(struct snap_stream *stream, const char *fn, const json_t *args,
                 struct result *result)
{
    return call_sequence(stream, fn, args, result) || call_jump(stream, fn, args, result) ||
           generator_draw(stream, fn, args, result);
}

const struct family generator_family = {
    .name = "numpy_generator",
    .kind_of = kind_of,
    .seed = seed,
    .only_seeded = is_of_sequence,
    .restore = restore,
    .expected = expected,
    .same_state = same_state,
    .call = call,
};
