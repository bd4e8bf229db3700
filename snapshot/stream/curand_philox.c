/* SPDX-License-Identifier: Apache-2.0 */
/* cuRAND's curandStatePhilox4_32_10_t: 64 bytes, in which the block of the present counter is
 * always there, made in advance. */
#include "config.h"

#include <string.h>

#include "core/bytes.h"
#include "stream/curand_states.h"
#include "stream/philox.h"
#include "stream/stream_family.h"

#define KIND "curand_philox"

/* Offsets in a state. */
enum {
    AT_COUNTER = 0,       /* u32[4] */
    AT_OUTPUT = 16,       /* u32[4]: Philox of counter and key */
    AT_KEY = 32,          /* u32[2] */
    AT_STATE = 40,        /* u32: words of output that are given out, 0..3 */
    AT_FLAG = 44,         /* i32 */
    AT_FLAG_DOUBLE = 48,  /* i32 */
    AT_EXTRA = 52,        /* f32 */
    AT_EXTRA_DOUBLE = 56, /* f64 */
    STATE_BYTES = 64
};

static const struct snap_curand_field fields[] = {
    { "ctr", AT_COUNTER, 4, 0 },
    { "output", AT_OUTPUT, 4, 0 },
    { "key", AT_KEY, 2, 0 },
    { "STATE", AT_STATE, 1, 0 },
    { "boxmuller_flag", AT_FLAG, 1, 0 },
    { "boxmuller_flag_double", AT_FLAG_DOUBLE, 1, 0 },
    { "boxmuller_extra", AT_EXTRA, 0, 4 },
    { "boxmuller_extra_double", AT_EXTRA_DOUBLE, 0, 8 },
    { NULL, 0, 0, 0 },
};

static void output_of(const unsigned char *state, uint32_t output[4])
{
    uint32_t key[2] = { snap_get_u32(state + AT_KEY), snap_get_u32(state + AT_KEY + 4) };

    for (size_t i = 0; i < 4; i++) {
        output[i] = snap_get_u32(state + AT_COUNTER + 4 * i);
    }
    snap_philox4x32(SNAP_PHILOX_ROUNDS, key, output);
}

static void renew_output(unsigned char *state)
{
    uint32_t output[4];

    output_of(state, output);
    for (size_t i = 0; i < 4; i++) {
        snap_put_u32(state + AT_OUTPUT + 4 * i, output[i]);
    }
}

/* The subsequence is the upper half of the counter. */
static void init_states(unsigned char *states, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char *state = states + i * STATE_BYTES;

        snap_put_u64(state + AT_COUNTER + 8, i);
        snap_put_u64(state + AT_KEY, seed);
        renew_output(state);
    }
}

static const char *fault(const unsigned char *state)
{
    uint32_t output[4];

    if (snap_get_u32(state + AT_STATE) > 3) {
        return "its place in the block is past 3";
    }
    output_of(state, output);
    for (size_t i = 0; i < 4; i++) {
        if (snap_get_u32(state + AT_OUTPUT + 4 * i) != output[i]) {
            return "its block of words is not Philox of its counter and key";
        }
    }
    return NULL;
}

static uint32_t word(unsigned char *state)
{
    uint32_t place = snap_get_u32(state + AT_STATE);
    uint32_t given = snap_get_u32(state + AT_OUTPUT + 4 * place);

    if (place < 3) {
        snap_put_u32(state + AT_STATE, place + 1);
        return given;
    }
    for (size_t i = 0; i < 4; i++) {
        uint32_t count = snap_get_u32(state + AT_COUNTER + 4 * i) + 1;

        snap_put_u32(state + AT_COUNTER + 4 * i, count);
        if (count != 0) {
            break;
        }
    }
    snap_put_u32(state + AT_STATE, 0);
    renew_output(state);
    return given;
}

/* to - from over the counter of 128 bits, and the places in the blocks. */
static bool subtract(const unsigned char *from, const unsigned char *to, int64_t *words)
{
    uint64_t low_from = snap_get_u64(from + AT_COUNTER);
    uint64_t low_to = snap_get_u64(to + AT_COUNTER);
    uint64_t high = snap_get_u64(to + AT_COUNTER + 8) - snap_get_u64(from + AT_COUNTER + 8) -
                    (low_to < low_from);
    int64_t blocks = (int64_t)(low_to - low_from);

    if (snap_get_u64(from + AT_KEY) != snap_get_u64(to + AT_KEY) ||
        high != (blocks < 0 ? UINT64_MAX : 0) || blocks > INT64_MAX / 8 || blocks < INT64_MIN / 8) {
        return false;
    }
    *words =
        4 * blocks + (int64_t)snap_get_u32(to + AT_STATE) - (int64_t)snap_get_u32(from + AT_STATE);
    return true;
}

static bool distance(const unsigned char *from, const unsigned char *to, size_t count,
                     uint64_t limit, int64_t *words)
{
    int64_t total = 0;

    (void)limit; /* nothing is stepped */
    for (size_t i = 0; i < count; i++) {
        int64_t one;

        if (!subtract(from + i * STATE_BYTES, to + i * STATE_BYTES, &one) ||
            !snap_curand_states_add(&total, one)) {
            return false;
        }
    }
    *words = total;
    return true;
}

static const struct snap_curand_engine engine = {
    .what = "stream " KIND,
    .kind = KIND,
    .state_bytes = STATE_BYTES,
    .fields = fields,
    .flag = AT_FLAG,
    .flag_double = AT_FLAG_DOUBLE,
    .extra = AT_EXTRA,
    .extra_double = AT_EXTRA_DOUBLE,
    .f64_is_short = true,
    .init = init_states,
    .fault = fault,
    .word = word,
    .distance = distance,
};

static void init(void *state)
{
    snap_curand_states_init(state, &engine);
}

/* Four words of a state are what curand4() gives, wherever in its block it is; of the last four n
 * may leave some out. */
static enum snap_status draw_u32x4(void *states, void *out, size_t n, struct snap_error *err)
{
    uint32_t *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n || i % 4 != 0; i++) {
        uint32_t next = snap_curand_states_word(states, i / 4);

        if (i < n) {
            numbers[i] = next;
        }
    }
    return SNAP_OK;
}

static const struct snap_stream_draw_row draws[] = {
    SNAP_CURAND_DRAW_ROWS,
    SNAP_DRAW_ROW("u32x4", "curand4(&states[i % count]), i < n / 4, four words each", SNAP_U32,
                  false, draw_u32x4),
    SNAP_DRAW_END,
};

static const struct snap_stream_form_row forms[] = {
    SNAP_CURAND_JSON_FORM,
    SNAP_FORM_END,
};

const struct snap_stream_family snap_curand_philox_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct snap_curand_states),
    .init = init,
    .release = snap_curand_states_release,
    .seed = snap_curand_states_seed,
    .encode = snap_curand_states_encode,
    .decode = snap_curand_states_decode,
    .words_drawn = snap_curand_states_words_drawn,
    .distance = snap_curand_states_distance,
    .draws = draws,
    .forms = forms,
};
