/* SPDX-License-Identifier: Apache-2.0 */
/* MT19937 of NumPy as a bit generator: 32-bit words, of which two make a 64-bit one, the first one
 * high. Not the stream of RandomState(seed): it is seeded by SeedSequence. */
#include "config.h"

#include <string.h>

#include "format/json_fields.h"
#include "stream/numpy_bit_generator.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define KIND "numpy_mt19937"
#define WHAT "stream " KIND
#define WORDS SNAP_MT19937_WORDS

static void fill_u64(struct snap_bit_generator *g, uint64_t *out, size_t n)
{
    snap_mt19937_fill_u64(&g->mt, out, n);
}

static void fill_u32(struct snap_bit_generator *g, uint32_t *out, size_t n)
{
    snap_mt19937_fill_u32(&g->mt, out, n);
}

static void fill_f64(struct snap_bit_generator *g, double *out, size_t n)
{
    snap_mt19937_fill_double(&g->mt, out, n);
}

static void seed(struct snap_bit_generator *g, const uint32_t *words)
{
    memcpy(g->mt.key, words, sizeof g->mt.key);
    g->mt.key[0] = 0x80000000u; /* so that the state cannot be all zero */
    g->mt.pos = WORDS - 1;      /* what NumPy's loop variable has when the loop ends */
}

static void jump(struct snap_bit_generator *g, uint64_t jumps)
{
    for (uint64_t i = 0; i < jumps; i++) {
        snap_mt19937_jump(&g->mt);
    }
}

static enum snap_status put_state(const struct snap_bit_generator *g, struct snap_buffer *text,
                                  struct snap_error *err)
{
    enum snap_status status = snap_stream_json_put_words(text, "{\"key\":[", g->mt.key, WORDS, err);

    return status == SNAP_OK
               ? snap_buffer_appendf(text, err, "],\"pos\":%u}", (unsigned)g->mt.pos)
               : status;
}

static enum snap_status get_state(struct snap_bit_generator *g, const json_t *object,
                                  const json_t *state, struct snap_error *err)
{
    uint64_t pos = 0;
    enum snap_status status = snap_json_check_keys(state, "key pos", WHAT, err);

    (void)object; /* everything is in its "state" */
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, state, "pos", WORDS, &pos, err);
    }
    g->mt.pos = (uint32_t)pos;
    return status == SNAP_OK
               ? snap_stream_json_get_words(WHAT, state, "key", WORDS, g->mt.key, err)
               : status;
}

static bool distance(const struct snap_bit_generator *from, const struct snap_bit_generator *to,
                     uint64_t limit_words, int64_t *words)
{
    return snap_mt19937_distance(&from->mt, &to->mt, limit_words, words);
}

static bool forward(const void *from, const void *to, uint64_t limit_words, uint64_t *words)
{
    const struct snap_bit_generator *a = from;
    const struct snap_bit_generator *b = to;

    return snap_mt19937_forward(&a->mt, &b->mt, limit_words, words);
}

static const struct snap_bit_generator_ops ops = {
    .name = "MT19937",
    .kind = KIND,
    .what = WHAT,
    .has_twister_doubles = true,
    .seed_words = SNAP_MT19937_WORDS,
    .seed = seed,
    .fill_u64 = fill_u64,
    .fill_u32 = fill_u32,
    .fill_f64 = fill_f64,
    .jump = jump,
    .put_state = put_state,
    .keys = "bit_generator kind seed_seq? state",
    .get_state = get_state,
    .distance = distance,
};

static void init(void *state)
{
    snap_bit_generator_init(state, &ops);
}

const struct snap_stream_family snap_numpy_mt19937_family = {
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
    .forward = forward,
    .draws = snap_numpy_generator_draws,
    .forms = snap_numpy_generator_forms,
};
