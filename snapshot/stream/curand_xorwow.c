/* SPDX-License-Identifier: Apache-2.0 */
/* cuRAND's curandStateXORWOW_t, and cuDNN's dropout states: 48 bytes, of which 4 lie between the
 * fields and hold whatever the memory held. They are kept. */
#include "config.h"

#include <string.h>

#include "core/bytes.h"
#include "stream/curand_states.h"
#include "stream/stream_family.h"
#include "stream/xorwow.h"

#define KIND "curand_xorwow"

/* Offsets in a state. */
enum {
    AT_D = 0,             /* u32 */
    AT_V = 4,             /* u32[5] */
    AT_FLAG = 24,         /* i32 */
    AT_FLAG_DOUBLE = 28,  /* i32 */
    AT_EXTRA = 32,        /* f32 */
    AT_PADDING = 36,      /* u32 */
    AT_EXTRA_DOUBLE = 40, /* f64 */
    STATE_BYTES = 48
};

static const struct snap_curand_field fields[] = {
    { "d", AT_D, 1, 0 },
    { "v", AT_V, 5, 0 },
    { "boxmuller_flag", AT_FLAG, 1, 0 },
    { "boxmuller_flag_double", AT_FLAG_DOUBLE, 1, 0 },
    { "boxmuller_extra", AT_EXTRA, 0, 4 },
    { "padding", AT_PADDING, 1, 0 },
    { "boxmuller_extra_double", AT_EXTRA_DOUBLE, 0, 8 },
    { NULL, 0, 0, 0 },
};

/* 362437 times this is 1 mod 2^32. */
#define WEYL_INVERSE 0x385e5f0du
#define TWO_TO_32 ((uint64_t)1 << 32)

static struct snap_xorwow load(const unsigned char *state)
{
    struct snap_xorwow x = { .d = snap_get_u32(state + AT_D) };

    for (size_t i = 0; i < SNAP_XORWOW_WORDS; i++) {
        x.v[i] = snap_get_u32(state + AT_V + 4 * i);
    }
    return x;
}

static void store(unsigned char *state, const struct snap_xorwow *x)
{
    snap_put_u32(state + AT_D, x->d);
    for (size_t i = 0; i < SNAP_XORWOW_WORDS; i++) {
        snap_put_u32(state + AT_V + 4 * i, x->v[i]);
    }
}

static void init_states(unsigned char *states, size_t count, uint64_t seed)
{
    struct snap_xorwow_matrix sequence;
    struct snap_xorwow x;

    snap_xorwow_seed(&x, seed);
    if (count > 1) {
        snap_xorwow_power(&sequence, SNAP_XORWOW_SEQUENCE_BITS);
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            snap_xorwow_apply(&sequence, x.v);
        }
        store(states + i * STATE_BYTES, &x);
    }
}

static uint32_t word(unsigned char *state)
{
    struct snap_xorwow x = load(state);
    uint32_t given = snap_xorwow_u32(&x);

    store(state, &x);
    return given;
}

/* ---- distance ----
 * The sum tells how many steps it is mod 2^32; the words of the other state, that many steps on,
 * say whether that is true. States of one array have mostly moved alike, so the matrices of the
 * last two answers are kept. */

struct jump {
    bool is_made;
    uint64_t steps;
    struct snap_xorwow_matrix matrix;
};

struct jumps {
    struct jump kept[2];
    unsigned next;
};

/* The matrix of the product a b. */
static void multiply(const struct snap_xorwow_matrix *a, struct snap_xorwow_matrix *b)
{
    for (unsigned bit = 0; bit < SNAP_XORWOW_BITS; bit++) {
        snap_xorwow_apply(a, b->columns[bit]);
    }
}

static const struct snap_xorwow_matrix *matrix_of(struct jumps *jumps, uint64_t steps)
{
    struct snap_xorwow_matrix power;
    struct jump *made;

    for (unsigned i = 0; i < 2; i++) {
        if (jumps->kept[i].is_made && jumps->kept[i].steps == steps) {
            return &jumps->kept[i].matrix;
        }
    }
    made = &jumps->kept[jumps->next];
    jumps->next = 1 - jumps->next;
    made->is_made = true;
    made->steps = steps;
    memset(&made->matrix, 0, sizeof made->matrix);
    for (unsigned bit = 0; bit < SNAP_XORWOW_BITS; bit++) {
        made->matrix.columns[bit][bit / 32] = (uint32_t)1 << (bit % 32);
    }
    snap_xorwow_power(&power, 0);
    for (; steps > 0; steps >>= 1) {
        if (steps & 1) {
            multiply(&power, &made->matrix);
        }
        snap_xorwow_square(&power);
    }
    return &made->matrix;
}

/* Steps forward from one state to another, when they are at most `limit`. */
static bool forward(const struct snap_xorwow *from, const struct snap_xorwow *to, uint64_t limit,
                    struct jumps *jumps, uint64_t *steps)
{
    struct snap_xorwow_matrix turn; /* of 2^32 steps */
    struct snap_xorwow x = *from;
    bool has_turn = false;
    uint64_t count = (uint32_t)((to->d - from->d) * WEYL_INVERSE);

    if (count > limit) {
        return false;
    }
    snap_xorwow_apply(matrix_of(jumps, count), x.v);
    while (memcmp(x.v, to->v, sizeof x.v) != 0) {
        if (limit - count < TWO_TO_32) {
            return false;
        }
        if (!has_turn) {
            snap_xorwow_power(&turn, 32);
            has_turn = true;
        }
        snap_xorwow_apply(&turn, x.v);
        count += TWO_TO_32;
    }
    *steps = count;
    return true;
}

static bool distance(const unsigned char *from, const unsigned char *to, size_t count,
                     uint64_t limit, int64_t *words)
{
    /* Past this nobody waits for the answer, and the sums stay in range. */
    uint64_t most = limit < (uint64_t)1 << 56 ? limit : (uint64_t)1 << 56;
    struct jumps jumps = { .next = 0 };
    int64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        struct snap_xorwow a = load(from + i * STATE_BYTES);
        struct snap_xorwow b = load(to + i * STATE_BYTES);
        uint64_t steps;
        int64_t one;

        if (forward(&a, &b, most, &jumps, &steps)) {
            one = (int64_t)steps;
        } else if (forward(&b, &a, most, &jumps, &steps)) {
            one = -(int64_t)steps;
        } else {
            return false;
        }
        if (!snap_curand_states_add(&total, one)) {
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
    .init = init_states,
    .word = word,
    .distance = distance,
};

static void init(void *state)
{
    snap_curand_states_init(state, &engine);
}

static const struct snap_stream_draw_row draws[] = {
    SNAP_CURAND_DRAW_ROWS,
    SNAP_DRAW_END,
};

static const struct snap_stream_form_row forms[] = {
    SNAP_CURAND_JSON_FORM,
    SNAP_FORM_END,
};

const struct snap_stream_family snap_curand_xorwow_family = {
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
