/* SPDX-License-Identifier: Apache-2.0 */
/* PCG64 of NumPy, which is PCG XSL RR 128/64: np.random.default_rng() has it. */
#include "config.h"

#include "stream/numpy_bit_generator.h"
#include "stream/stream_family.h"
#include "stream/uniform_lanes.h"

#define KIND "numpy_pcg64"
#define WHAT "stream " KIND
#define LEAST_FOR_LEAPS 16u /* words, with which making four states pays */

/* Of the state after the step. */
static inline uint64_t output(snap_uint128 state)
{
    uint64_t x = (uint64_t)(state >> 64) ^ (uint64_t)state;
    unsigned turn = (unsigned)(state >> 122);

    return x >> turn | x << (-turn & 63);
}

/* n words, or doubles; the other array is NULL. A step waits for the one before it. Four states
 * that leap over each other do not. */
static inline __attribute__((always_inline)) void fill(struct snap_bit_generator *g,
                                                       uint64_t *words, double *doubles, size_t n)
{
    const snap_uint128 multiplier = snap_pcg128_multiplier();
    const snap_uint128 inc = g->pcg.inc;
    snap_uint128 state = g->pcg.state;
    snap_uint128 factor, term;
    size_t i = 0;

    if (n >= LEAST_FOR_LEAPS) {
        snap_uint128 a = state * multiplier + inc;
        snap_uint128 b = a * multiplier + inc;
        snap_uint128 c = b * multiplier + inc;
        snap_uint128 d = c * multiplier + inc;

        snap_pcg128_leap(multiplier, inc, 4, &factor, &term);
        for (; i + 4 <= n; i += 4) {
            snap_put_word(words, doubles, i, output(a));
            snap_put_word(words, doubles, i + 1, output(b));
            snap_put_word(words, doubles, i + 2, output(c));
            snap_put_word(words, doubles, i + 3, output(d));
            state = d;
            a = a * factor + term;
            b = b * factor + term;
            c = c * factor + term;
            d = d * factor + term;
        }
    }
    for (; i < n; i++) {
        state = state * multiplier + inc;
        snap_put_word(words, doubles, i, output(state));
    }
    g->pcg.state = state;
}

static void fill_u64(struct snap_bit_generator *g, uint64_t *out, size_t n)
{
    fill(g, out, NULL, n);
}

static void fill_f64(struct snap_bit_generator *g, double *out, size_t n)
{
    fill(g, NULL, out, n);
}

static void seed(struct snap_bit_generator *g, const uint32_t *words)
{
    snap_pcg128_seed(&g->pcg, words);
}

static void advance(struct snap_bit_generator *g, const uint64_t delta[4])
{
    snap_pcg128_advance(&g->pcg, snap_pcg128_multiplier(), snap_make_uint128(delta[1], delta[0]));
}

static void jump(struct snap_bit_generator *g, uint64_t jumps)
{
    snap_pcg128_jump(&g->pcg, snap_pcg128_multiplier(), jumps);
}

static enum snap_status put_state(const struct snap_bit_generator *g, struct snap_buffer *text,
                                  struct snap_error *err)
{
    return snap_pcg128_put(&g->pcg, text, err);
}

static enum snap_status get_state(struct snap_bit_generator *g, const json_t *object,
                                  const json_t *state, struct snap_error *err)
{
    (void)object; /* everything is in its "state" */
    return snap_pcg128_get(WHAT, state, &g->pcg, err);
}

static bool distance(const struct snap_bit_generator *from, const struct snap_bit_generator *to,
                     uint64_t limit_words, int64_t *words)
{
    (void)limit_words; /* nothing is stepped */
    return snap_pcg128_distance(&from->pcg, &to->pcg, snap_pcg128_multiplier(), words);
}

static const struct snap_bit_generator_ops ops = {
    .name = "PCG64",
    .kind = KIND,
    .what = WHAT,
    .has_halves = true,
    .seed_words = 8,
    .seed = seed,
    .fill_u64 = fill_u64,
    .fill_f64 = fill_f64,
    .advance = advance,
    .jump = jump,
    .put_state = put_state,
    .keys = "bit_generator has_uint32 kind seed_seq? state uinteger",
    .get_state = get_state,
    .distance = distance,
};

static void init(void *state)
{
    snap_bit_generator_init(state, &ops);
}

const struct snap_stream_family snap_numpy_pcg64_family = {
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
