/* SPDX-License-Identifier: Apache-2.0 */
/* SFC64 of NumPy (Doty-Humphrey's small fast chaotic generator, of PractRand). It cannot jump. */
#include "config.h"

#include "format/json_fields.h"
#include "stream/numpy_bit_generator.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define KIND "numpy_sfc64"
#define WHAT "stream " KIND
#define DISCARDED 12u /* words after seeding */
/* No machine steps further in a year. */
#define MOST_STEPS ((uint64_t)1 << 55)

static uint64_t next(struct snap_numpy_sfc64 *s)
{
    uint64_t word = s->a + s->b + s->w++;

    s->a = s->b ^ s->b >> 11;
    s->b = s->c + (s->c << 3);
    s->c = (s->c << 24 | s->c >> 40) + word;
    return word;
}

static void fill_u64(struct snap_bit_generator *g, uint64_t *out, size_t n)
{
    struct snap_numpy_sfc64 s = g->sfc;

    for (size_t i = 0; i < n; i++) {
        out[i] = next(&s);
    }
    g->sfc = s;
}

static uint64_t from_words(const uint32_t *words)
{
    return (uint64_t)words[1] << 32 | words[0];
}

static void seed(struct snap_bit_generator *g, const uint32_t *words)
{
    g->sfc.a = from_words(words);
    g->sfc.b = from_words(words + 2);
    g->sfc.c = from_words(words + 4);
    g->sfc.w = 1;
    for (unsigned i = 0; i < DISCARDED; i++) {
        next(&g->sfc);
    }
}

static enum snap_status put_state(const struct snap_bit_generator *g, struct snap_buffer *text,
                                  struct snap_error *err)
{
    const uint64_t words[4] = { g->sfc.a, g->sfc.b, g->sfc.c, g->sfc.w };
    enum snap_status status = snap_stream_json_put_u64s(text, "{\"state\":", words, 4, err);

    return status == SNAP_OK ? snap_buffer_append_text(text, "}", err) : status;
}

static enum snap_status get_state(struct snap_bit_generator *g, const json_t *object,
                                  const json_t *state, struct snap_error *err)
{
    uint64_t words[4] = { 0 };
    enum snap_status status = snap_json_check_keys(state, "state", WHAT, err);

    (void)object; /* everything is in its "state" */
    if (status == SNAP_OK) {
        status = snap_stream_json_get_u64s(WHAT, state, "state", 4, words, err);
    }
    g->sfc = (struct snap_numpy_sfc64){ words[0], words[1], words[2], words[3] };
    return status;
}

/* The counter says how far it is, if it is the same stream at all: that is seen by going there. */
static bool distance(const struct snap_bit_generator *from, const struct snap_bit_generator *to,
                     uint64_t limit_words, int64_t *words)
{
    uint64_t ahead = to->sfc.w - from->sfc.w;
    bool forward = ahead <= 0 - ahead;
    uint64_t steps = forward ? ahead : 0 - ahead;
    const uint64_t limit = limit_words / 2 < MOST_STEPS ? limit_words / 2 : MOST_STEPS;
    struct snap_numpy_sfc64 s = forward ? from->sfc : to->sfc;
    const struct snap_numpy_sfc64 *end = forward ? &to->sfc : &from->sfc;

    if (steps > limit) {
        return false;
    }
    while (s.w != end->w) {
        next(&s);
    }
    *words = forward ? 2 * (int64_t)steps : -2 * (int64_t)steps;
    return s.a == end->a && s.b == end->b && s.c == end->c;
}

static const struct snap_bit_generator_ops ops = {
    .name = "SFC64",
    .kind = KIND,
    .what = WHAT,
    .has_halves = true,
    .seed_words = 6,
    .seed = seed,
    .fill_u64 = fill_u64,
    .put_state = put_state,
    .keys = "bit_generator has_uint32 kind seed_seq? state uinteger",
    .get_state = get_state,
    .distance = distance,
};

static void init(void *state)
{
    snap_bit_generator_init(state, &ops);
}

const struct snap_stream_family snap_numpy_sfc64_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct snap_bit_generator),
    .is_bit_generator = true,
    .init = init,
    .release = snap_bit_generator_release,
    .seed = snap_bit_generator_seed,
    .encode = snap_bit_generator_encode,
    .decode = snap_bit_generator_decode,
    .words_drawn = snap_bit_generator_words_drawn,
    .distance = snap_bit_generator_distance,
    .draws = snap_numpy_generator_draws,
    .forms = snap_numpy_generator_forms,
};
