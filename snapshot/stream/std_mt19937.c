/* SPDX-License-Identifier: Apache-2.0 */
/* std::mt19937 of C++ programs. */
#include "config.h"

#include "stream/mt19937.h"
#include "stream/std_text.h"
#include "stream/stream_family.h"

#define KIND "std_mt19937"
#define WORDS SNAP_MT19937_WORDS

static const struct snap_std_engine engine = { "stream " KIND, KIND, WORDS, 32 };

static void widen(const struct snap_mt19937 *mt, uint64_t words[WORDS])
{
    for (size_t i = 0; i < WORDS; i++) {
        words[i] = mt->key[i];
    }
}

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct snap_mt19937 *mt = state;
    uint64_t words[WORDS];

    widen(mt, words);
    return snap_std_encode(&engine, words, mt->pos, bytes, size_bytes, err);
}

static enum snap_status encode_text(const void *state, void **bytes, size_t *size_bytes,
                                    struct snap_error *err)
{
    const struct snap_mt19937 *mt = state;
    uint64_t words[WORDS];

    widen(mt, words);
    return snap_std_encode_text(&engine, words, mt->pos, bytes, size_bytes, err);
}

static void take(struct snap_mt19937 *mt, const uint64_t words[WORDS], uint32_t pos)
{
    for (size_t i = 0; i < WORDS; i++) {
        mt->key[i] = (uint32_t)words[i];
    }
    mt->pos = pos;
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    uint64_t words[WORDS];
    uint32_t pos;
    enum snap_status status = snap_std_decode(&engine, bytes, size_bytes, words, &pos, err);

    if (status == SNAP_OK) {
        take(state, words, pos);
    }
    return status;
}

static enum snap_status decode_text(void *state, const void *bytes, size_t size_bytes,
                                    struct snap_error *err)
{
    uint64_t words[WORDS];
    uint32_t pos;
    enum snap_status status = snap_std_decode_text(&engine, bytes, size_bytes, words, &pos, err);

    if (status == SNAP_OK) {
        take(state, words, pos);
    }
    return status;
}

static const struct snap_stream_form_row forms[] = {
    SNAP_FORM_ROW("text", "operator<< of libstdc++; read also without the position", encode_text,
                  decode_text),
    SNAP_FORM_END,
};

static void init(void *state)
{
    snap_mt19937_init_genrand(state, 0);
}

static enum snap_status seed(void *state, uint64_t value, struct snap_error *err)
{
    (void)err; /* the standard takes the seed mod 2^32 */
    snap_mt19937_init_genrand(state, (uint32_t)value);
    return SNAP_OK;
}

static uint64_t words_drawn(const void *state)
{
    return ((const struct snap_mt19937 *)state)->words_drawn;
}

static bool forward(const void *from, const void *to, uint64_t limit_words, uint64_t *words)
{
    return snap_mt19937_forward(from, to, limit_words, words);
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    return snap_mt19937_distance(from, to, limit_words, words);
}

static enum snap_status draw_u32(void *state, void *out, size_t n, struct snap_error *err)
{
    uint32_t *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = snap_mt19937_u32(state);
    }
    return SNAP_OK;
}

static const struct snap_stream_draw_row draws[] = {
    SNAP_DRAW_ROW("u32", "engine(), n times", SNAP_U32, false, draw_u32),
    SNAP_DRAW_END,
};

const struct snap_stream_family snap_std_mt19937_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct snap_mt19937),
    .init = init,
    .seed = seed,
    .encode = encode,
    .decode = decode,
    .words_drawn = words_drawn,
    .distance = distance,
    .forward = forward,
    .draws = draws,
    .forms = forms,
};
