/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/numpy_bit_generator.h"

#include <string.h>

#include "format/json_fields.h"
#include "stream/numpy_word_reader.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"
#include "stream/uniform_lanes.h"

#define MOST_SEED_WORDS SNAP_MT19937_WORDS
/* Of a twister: 624 numbers of ten digits and a comma, and the names; a hint, no limit. */
#define ENCODED_BYTES 7168u

/* ---- words ---- */

void snap_bit_generator_fill_u64(struct snap_bit_generator *g, uint64_t *out, size_t n)
{
    g->words_drawn += 2 * (uint64_t)n;
    g->ops->fill_u64(g, out, n);
}

/* Halves of 64-bit words, low first. */
static void fill_halves(struct snap_bit_generator *g, uint32_t *out, size_t n)
{
    uint64_t block[64];

    if (n > 0 && g->has_uint32) {
        g->has_uint32 = false;
        *out++ = g->uinteger;
        n--;
    }
    while (n > 0) {
        size_t words = (n + 1) / 2 < 64 ? (n + 1) / 2 : 64;
        size_t halves = n < 2 * words ? n : 2 * words;

        g->ops->fill_u64(g, block, words);
        memcpy(out, block, halves * sizeof *out); /* little-endian: the low half comes first */
        g->uinteger = (uint32_t)(block[words - 1] >> 32);
        g->has_uint32 = halves % 2 != 0;
        out += halves;
        n -= halves;
    }
}

void snap_bit_generator_fill_u32(struct snap_bit_generator *g, uint32_t *out, size_t n)
{
    g->words_drawn += n;
    if (g->ops->fill_u32 != NULL) {
        g->ops->fill_u32(g, out, n);
    } else {
        fill_halves(g, out, n);
    }
}

static void fill_high_bits(struct snap_bit_generator *g, double *out, size_t n)
{
    uint64_t block[256];

    for (size_t count; n > 0; n -= count, out += count) {
        count = n < 256 ? n : 256;
        g->ops->fill_u64(g, block, count);
        snap_words_to_f64(block, out, count);
    }
}

void snap_bit_generator_fill_f64(struct snap_bit_generator *g, double *out, size_t n)
{
    g->words_drawn += 2 * (uint64_t)n;
    if (g->ops->fill_f64 != NULL) {
        g->ops->fill_f64(g, out, n);
    } else {
        fill_high_bits(g, out, n);
    }
}

static size_t next_block(size_t left)
{
    return left < 1                          ? 1
           : left < SNAP_WORD_READER_BLOCK ? left
                                             : SNAP_WORD_READER_BLOCK;
}

void snap_reader_u64_refill(struct snap_reader_u64 *r)
{
    r->count = next_block(r->left);
    r->at = 0;
    snap_bit_generator_fill_u64(r->g, r->block, r->count);
}

void snap_reader_u32_refill(struct snap_reader_u32 *r)
{
    r->count = next_block(r->left);
    r->at = 0;
    snap_bit_generator_fill_u32(r->g, r->block, r->count);
}

void snap_bit_generator_drop_half(struct snap_bit_generator *g)
{
    g->has_uint32 = false;
    g->uinteger = 0;
}

/* ---- seeding ---- */

static void put_seed(struct snap_bit_generator *g, const uint32_t *words,
                     const struct snap_numpy_seed_sequence *sequence)
{
    g->ops->seed(g, words);
    snap_bit_generator_drop_half(g);
    if (g->has_seed_sequence) {
        snap_numpy_seed_sequence_release(&g->seed_sequence);
    }
    g->seed_sequence = *sequence;
    g->has_seed_sequence = true;
}

enum snap_status snap_bit_generator_seed_sequence(struct snap_bit_generator *g,
                                                  struct snap_numpy_seed_sequence *sequence,
                                                  struct snap_error *err)
{
    uint32_t words[MOST_SEED_WORDS];
    enum snap_status status;

    status = snap_numpy_seed_sequence_generate(sequence, words, g->ops->seed_words, err);
    if (status == SNAP_OK) {
        put_seed(g, words, sequence);
    }
    return status;
}

enum snap_status snap_bit_generator_seed(void *state, uint64_t seed, struct snap_error *err)
{
    const uint32_t entropy[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    struct snap_numpy_seed_sequence sequence;
    enum snap_status status;

    status = snap_numpy_seed_sequence_init(&sequence, entropy, 2, NULL, 0,
                                           SNAP_SEED_SEQUENCE_POOL, err);
    if (status != SNAP_OK) {
        return status;
    }
    status = snap_bit_generator_seed_sequence(state, &sequence, err);
    if (status != SNAP_OK) {
        snap_numpy_seed_sequence_release(&sequence);
    }
    return status;
}

void snap_bit_generator_init(struct snap_bit_generator *g,
                             const struct snap_bit_generator_ops *ops)
{
    struct snap_numpy_seed_sequence zero = SNAP_NUMPY_SEED_SEQUENCE_INIT;

    g->ops = ops;
    (void)snap_bit_generator_seed_sequence(g, &zero, NULL); /* of one word, cannot fail */
}

void snap_bit_generator_release(void *state)
{
    struct snap_bit_generator *g = state;

    if (g->has_seed_sequence) {
        snap_numpy_seed_sequence_release(&g->seed_sequence);
    }
}

/* ---- the member ---- */

static enum snap_status put_member(const struct snap_bit_generator *g, struct snap_buffer *text,
                                   struct snap_error *err)
{
    const struct snap_bit_generator_ops *ops = g->ops;
    enum snap_status status =
        snap_buffer_appendf(text, err, "{\"bit_generator\":\"%s\",", ops->name);

    if (status == SNAP_OK && ops->put_buffer != NULL) {
        status = ops->put_buffer(g, text, err);
    }
    if (status == SNAP_OK && ops->has_halves) {
        status = snap_buffer_appendf(text, err, "\"has_uint32\":%d,", g->has_uint32 ? 1 : 0);
    }
    if (status == SNAP_OK) {
        status = snap_buffer_appendf(text, err, "\"kind\":\"%s\",", ops->kind);
    }
    if (status == SNAP_OK && g->has_seed_sequence) {
        status = snap_buffer_append_text(text, "\"seed_seq\":", err);
        if (status == SNAP_OK) {
            status = snap_numpy_seed_sequence_put(&g->seed_sequence, text, err);
        }
        if (status == SNAP_OK) {
            status = snap_buffer_append_text(text, ",", err);
        }
    }
    if (status == SNAP_OK) {
        status = snap_buffer_append_text(text, "\"state\":", err);
    }
    if (status == SNAP_OK) {
        status = ops->put_state(g, text, err);
    }
    if (status == SNAP_OK && ops->has_halves) {
        status = snap_buffer_appendf(text, err, ",\"uinteger\":%u", (unsigned)g->uinteger);
    }
    return status == SNAP_OK ? snap_buffer_append_text(text, "}\n", err) : status;
}

enum snap_status snap_bit_generator_encode(const void *state, void **bytes, size_t *size_bytes,
                                           struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status = snap_buffer_reserve(&text, ENCODED_BYTES, err);

    if (status == SNAP_OK) {
        status = put_member(state, &text, err);
    }
    if (status == SNAP_OK) {
        *bytes = snap_buffer_steal(&text, size_bytes);
    }
    snap_buffer_release(&text);
    return status;
}

static enum snap_status get_halves(struct snap_bit_generator *g, const json_t *object,
                                   struct snap_error *err)
{
    uint64_t has_uint32 = 0;
    uint64_t uinteger = 0;
    enum snap_status status;

    status = snap_stream_json_get_uint(g->ops->what, object, "has_uint32", 1, &has_uint32, err);
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(g->ops->what, object, "uinteger", UINT32_MAX,
                                           &uinteger, err);
    }
    g->has_uint32 = has_uint32 != 0;
    g->uinteger = (uint32_t)uinteger;
    return status;
}

/* The member into `fresh`, which has nothing but its ops. */
static enum snap_status get_member(struct snap_bit_generator *fresh, const json_t *object,
                                   struct snap_error *err)
{
    const struct snap_bit_generator_ops *ops = fresh->ops;
    const json_t *seed_sequence = json_object_get(object, "seed_seq");
    const json_t *engine = NULL;
    enum snap_status status;

    status = snap_stream_json_get_name(ops->what, object, "bit_generator", ops->name, err);
    if (status == SNAP_OK && ops->has_halves) {
        status = get_halves(fresh, object, err);
    }
    if (status == SNAP_OK) {
        status = snap_json_field(object, "state", JSON_OBJECT, ops->what, &engine, err);
    }
    if (status == SNAP_OK) {
        status = ops->get_state(fresh, object, engine, err);
    }
    if (status == SNAP_OK && seed_sequence != NULL) {
        status = snap_numpy_seed_sequence_from_json(ops->what, seed_sequence,
                                                    &fresh->seed_sequence, err);
        fresh->has_seed_sequence = status == SNAP_OK;
    }
    return status;
}

enum snap_status snap_bit_generator_decode(void *state, const void *bytes, size_t size_bytes,
                                           struct snap_error *err)
{
    struct snap_bit_generator *g = state;
    struct snap_bit_generator fresh = { .ops = g->ops, .words_drawn = g->words_drawn };
    json_t *object = NULL;
    enum snap_status status;

    status = snap_stream_json_decode(g->ops->what, g->ops->kind, g->ops->keys, bytes, size_bytes,
                                     &object, err);
    if (status == SNAP_OK) {
        status = get_member(&fresh, object, err);
    }
    if (status == SNAP_OK) {
        snap_bit_generator_release(g);
        *g = fresh;
    }
    json_decref(object);
    return status;
}

/* ---- position ---- */

uint64_t snap_bit_generator_words_drawn(const void *state)
{
    return ((const struct snap_bit_generator *)state)->words_drawn;
}

bool snap_bit_generator_distance(const void *from, const void *to, uint64_t limit_words,
                                 int64_t *words)
{
    const struct snap_bit_generator *a = from;
    const struct snap_bit_generator *b = to;
    int64_t found;

    if (!a->ops->distance(a, b, limit_words, &found)) {
        return false;
    }
    /* A half that is left was not drawn yet. */
    *words = found + a->has_uint32 - b->has_uint32;
    return true;
}
