/* SPDX-License-Identifier: Apache-2.0 */
/* std::mt19937_64 of C++ programs. */
#include "config.h"

#include <string.h>

#include "stream/mt19937_64.h"
#include "stream/std_text.h"
#include "stream/stream_family.h"

#define KIND "std_mt19937_64"
#define WORDS SNAP_MT19937_64_WORDS

static const struct snap_std_engine engine = { "stream " KIND, KIND, WORDS, 64 };

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct snap_mt19937_64 *mt = state;

    return snap_std_encode(&engine, mt->key, mt->pos, bytes, size_bytes, err);
}

static enum snap_status encode_text(const void *state, void **bytes, size_t *size_bytes,
                                    struct snap_error *err)
{
    const struct snap_mt19937_64 *mt = state;

    return snap_std_encode_text(&engine, mt->key, mt->pos, bytes, size_bytes, err);
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    struct snap_mt19937_64 *mt = state;
    struct snap_mt19937_64 fresh = { .words_drawn = mt->words_drawn };
    enum snap_status status =
        snap_std_decode(&engine, bytes, size_bytes, fresh.key, &fresh.pos, err);

    if (status == SNAP_OK) {
        *mt = fresh;
    }
    return status;
}

static enum snap_status decode_text(void *state, const void *bytes, size_t size_bytes,
                                    struct snap_error *err)
{
    struct snap_mt19937_64 *mt = state;
    struct snap_mt19937_64 fresh = { .words_drawn = mt->words_drawn };
    enum snap_status status =
        snap_std_decode_text(&engine, bytes, size_bytes, fresh.key, &fresh.pos, err);

    if (status == SNAP_OK) {
        *mt = fresh;
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
    snap_mt19937_64_seed(state, 0);
}

static enum snap_status seed(void *state, uint64_t value, struct snap_error *err)
{
    (void)err; /* every 64-bit number is a seed */
    snap_mt19937_64_seed(state, value);
    return SNAP_OK;
}

static uint64_t words_drawn(const void *state)
{
    return ((const struct snap_mt19937_64 *)state)->words_drawn;
}

/* Blocks of 312 words are stepped one at a time, and positions inside a block subtracted. Each word
 * counts as two of 32 bits. */
static bool forward(const void *from, const void *to, uint64_t limit_words, uint64_t *words)
{
    const struct snap_mt19937_64 *a = from;
    const struct snap_mt19937_64 *b = to;
    uint64_t key[WORDS];
    uint64_t limit = limit_words / 2;
    uint64_t start = 0; /* of key's block, in words from the block of `from` */

    memcpy(key, a->key, sizeof key);
    for (;;) {
        if (memcmp(key, b->key, sizeof key) == 0) {
            uint64_t found = start + b->pos - a->pos; /* below 0: wrapped past any limit */

            *words = 2 * found;
            return found <= limit;
        }
        if (start + WORDS > a->pos && start + WORDS - a->pos > limit) {
            return false;
        }
        snap_mt19937_64_twist(key);
        start += WORDS;
    }
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    return snap_forward_distance(forward, from, to, limit_words, words);
}

static enum snap_status draw_u64(void *state, void *out, size_t n, struct snap_error *err)
{
    uint64_t *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = snap_mt19937_64_u64(state);
    }
    return SNAP_OK;
}

static const struct snap_stream_draw_row draws[] = {
    SNAP_DRAW_ROW("u64", "engine(), n times", SNAP_U64, false, draw_u64),
    SNAP_DRAW_END,
};

const struct snap_stream_family snap_std_mt19937_64_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct snap_mt19937_64),
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
