/* SPDX-License-Identifier: Apache-2.0 */
/* Philox of NumPy: Philox4x64-10 over a counter of 256 bits. Its buffer is part of the state. */
#include "config.h"

#include <string.h>

#include "format/json_fields.h"
#include "stream/numpy_bit_generator.h"
#include "stream/philox.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define KIND "numpy_philox"
#define WHAT "stream " KIND
#define BLOCK 4u /* words */

/* counter += delta, over 256 bits. */
static void add(uint64_t counter[4], const uint64_t delta[4])
{
    bool carry = false;

    for (unsigned i = 0; i < 4; i++) {
        uint64_t sum;
        bool over = __builtin_add_overflow(counter[i], delta[i], &sum);

        carry = __builtin_add_overflow(sum, (uint64_t)carry, &counter[i]) || over;
    }
}

static void make_block(const struct snap_numpy_philox *p, uint64_t block[BLOCK])
{
    memcpy(block, p->counter, sizeof p->counter);
    snap_philox4x64(SNAP_PHILOX_ROUNDS, p->key, block);
}

static inline void count_up(struct snap_numpy_philox *p)
{
    for (unsigned i = 0; i < 4 && ++p->counter[i] == 0; i++) {
    }
}

/* The counter goes up before a block is made: the first one of a seeded stream is block 1. */
static void next_block(struct snap_numpy_philox *p, uint64_t block[BLOCK])
{
    count_up(p);
    make_block(p, block);
}

static void fill_u64(struct snap_bit_generator *g, uint64_t *out, size_t n)
{
    struct snap_numpy_philox *p = &g->philox;
    size_t i = 0;

    for (; i < n && p->buffer_pos < BLOCK; i++) {
        out[i] = p->buffer[p->buffer_pos++];
    }
    /* The last block that was begun stays in the buffer, used up or not. */
    if (n - i >= BLOCK) {
        size_t blocks = (n - i) / BLOCK;

        if (p->counter[0] < UINT64_MAX - blocks) {
            p->counter[0]++;
            snap_philox4x64_blocks(p->key, p->counter, out + i, blocks);
            p->counter[0] += blocks - 1;
            i += BLOCK * blocks;
            memcpy(p->buffer, out + i - BLOCK, sizeof p->buffer);
        }
    }
    while (i < n) {
        next_block(p, p->buffer);
        for (p->buffer_pos = 0; i < n && p->buffer_pos < BLOCK; i++) {
            out[i] = p->buffer[p->buffer_pos++];
        }
    }
}

static void drop_block(struct snap_numpy_philox *p)
{
    memset(p->buffer, 0, sizeof p->buffer);
    p->buffer_pos = BLOCK;
}

static void seed(struct snap_bit_generator *g, const uint32_t *words)
{
    g->philox = (struct snap_numpy_philox){
        .key = { (uint64_t)words[1] << 32 | words[0], (uint64_t)words[3] << 32 | words[2] },
    };
    drop_block(&g->philox);
}

static void advance(struct snap_bit_generator *g, const uint64_t delta[4])
{
    add(g->philox.counter, delta);
    drop_block(&g->philox);
}

/* By 2^128 blocks. */
static void jump(struct snap_bit_generator *g, uint64_t jumps)
{
    const uint64_t delta[4] = { 0, 0, jumps, 0 };

    advance(g, delta);
}

static enum snap_status put_state(const struct snap_bit_generator *g, struct snap_buffer *text,
                                  struct snap_error *err)
{
    enum snap_status status =
        snap_stream_json_put_u64s(text, "{\"counter\":", g->philox.counter, 4, err);

    if (status == SNAP_OK) {
        status = snap_stream_json_put_u64s(text, ",\"key\":", g->philox.key, 2, err);
    }
    return status == SNAP_OK ? snap_buffer_append_text(text, "}", err) : status;
}

static enum snap_status put_buffer(const struct snap_bit_generator *g, struct snap_buffer *text,
                                   struct snap_error *err)
{
    enum snap_status status =
        snap_stream_json_put_u64s(text, "\"buffer\":", g->philox.buffer, BLOCK, err);

    return status == SNAP_OK
               ? snap_buffer_appendf(text, err, ",\"buffer_pos\":%u,", g->philox.buffer_pos)
               : status;
}

static enum snap_status get_state(struct snap_bit_generator *g, const json_t *object,
                                  const json_t *state, struct snap_error *err)
{
    struct snap_numpy_philox *p = &g->philox;
    uint64_t pos = 0;
    enum snap_status status = snap_json_check_keys(state, "counter key", WHAT, err);

    if (status == SNAP_OK) {
        status = snap_stream_json_get_u64s(WHAT, state, "counter", 4, p->counter, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_u64s(WHAT, state, "key", 2, p->key, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_u64s(WHAT, object, "buffer", BLOCK, p->buffer, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "buffer_pos", BLOCK, &pos, err);
    }
    p->buffer_pos = (unsigned)pos;
    return status;
}

/* The words that are left in the buffer are those that the counter and the key give. NumPy takes
 * any buffer; with another one it is no position in the stream. */
static bool is_position(const struct snap_numpy_philox *p)
{
    size_t left = BLOCK - p->buffer_pos;
    uint64_t block[BLOCK];

    make_block(p, block);
    return memcmp(block + p->buffer_pos, p->buffer + p->buffer_pos, left * sizeof *block) == 0;
}

static bool distance(const struct snap_bit_generator *from, const struct snap_bit_generator *to,
                     uint64_t limit_words, int64_t *words)
{
    const struct snap_numpy_philox *a = &from->philox;
    const struct snap_numpy_philox *b = &to->philox;
    const uint64_t most = (uint64_t)1 << 59;
    uint64_t ahead[4]; /* counter of b less that of a, and then its size */
    const uint64_t one[4] = { 1, 0, 0, 0 };
    bool behind;
    int64_t blocks;

    (void)limit_words; /* nothing is stepped */
    if (memcmp(a->key, b->key, sizeof a->key) != 0 || !is_position(a) || !is_position(b)) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        ahead[i] = ~a->counter[i];
    }
    add(ahead, one);
    add(ahead, b->counter);
    behind = ahead[3] >> 63 != 0;
    for (unsigned i = 0; behind && i < 4; i++) {
        ahead[i] = ~ahead[i];
    }
    if (behind) {
        add(ahead, one);
    }
    if (ahead[3] != 0 || ahead[2] != 0 || ahead[1] != 0 || ahead[0] >= most) {
        return false;
    }
    blocks = behind ? -(int64_t)ahead[0] : (int64_t)ahead[0];
    *words = 2 * (BLOCK * blocks + (int64_t)b->buffer_pos - (int64_t)a->buffer_pos);
    return true;
}

static const struct snap_bit_generator_ops ops = {
    .name = "Philox",
    .kind = KIND,
    .what = WHAT,
    .has_halves = true,
    .seed_words = 4,
    .seed = seed,
    .fill_u64 = fill_u64,
    .advance = advance,
    .jump = jump,
    .put_state = put_state,
    .put_buffer = put_buffer,
    .keys = "bit_generator buffer buffer_pos has_uint32 kind seed_seq? state uinteger",
    .get_state = get_state,
    .distance = distance,
};

static void init(void *state)
{
    snap_bit_generator_init(state, &ops);
}

const struct snap_stream_family snap_numpy_philox_family = {
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
