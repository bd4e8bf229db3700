/* SPDX-License-Identifier: Apache-2.0 */
/* Generator: seeding, spawning, jumping. */
#include "config.h"

#include <snapstate/stream_draws.h>

#include "stream/numpy_bit_generator.h"

/* Seed by the sequence, which is consumed in any case. */
static enum snap_status seed_by(struct snap_bit_generator *g,
                                struct snap_numpy_seed_sequence *sequence, struct snap_error *err)
{
    enum snap_status status = snap_bit_generator_seed_sequence(g, sequence, err);

    if (status != SNAP_OK) {
        snap_numpy_seed_sequence_release(sequence);
    }
    return status;
}

enum snap_status snap_generator_seed(struct snap_stream *stream, const uint32_t *entropy,
                                     size_t count, const uint32_t *spawn_key, size_t key_count,
                                     struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "seed", err);
    struct snap_numpy_seed_sequence sequence;
    enum snap_status status;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    status = snap_numpy_seed_sequence_init(&sequence, entropy, count, spawn_key, key_count,
                                           SNAP_SEED_SEQUENCE_POOL, err);
    return status == SNAP_OK ? seed_by(g, &sequence, err) : status;
}

enum snap_status snap_generator_spawn(struct snap_stream *stream, struct snap_stream **child,
                                      struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "spawn", err);
    struct snap_numpy_seed_sequence sequence;
    struct snap_stream *made = NULL;
    enum snap_status status;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    if (!g->has_seed_sequence) {
        return snap_error_set(err, SNAP_INVALID,
                              "%s: spawn: it is not known what it was seeded from", g->ops->what);
    }
    status = snap_stream_new(snap_stream_kind(stream), &made, err);
    if (status != SNAP_OK) {
        return status;
    }
    status = snap_numpy_seed_sequence_spawn(&g->seed_sequence, &sequence, err);
    if (status == SNAP_OK) {
        status = seed_by(snap_stream_bit_generator(made, "spawn", NULL), &sequence, err);
        if (status != SNAP_OK) {
            g->seed_sequence.n_children_spawned--;
        }
    }
    if (status == SNAP_OK) {
        *child = made;
    } else {
        snap_stream_free(made);
    }
    return status;
}

enum snap_status snap_generator_advance(struct snap_stream *stream, const uint64_t delta[4],
                                        struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "advance", err);

    if (g == NULL) {
        return SNAP_INVALID;
    }
    if (g->ops->advance == NULL) {
        return snap_error_set(err, SNAP_UNSUPPORTED, "%s: advance: NumPy has no such call for it",
                              g->ops->what);
    }
    g->ops->advance(g, delta);
    snap_bit_generator_drop_half(g);
    return SNAP_OK;
}

enum snap_status snap_generator_jump(struct snap_stream *stream, uint64_t jumps,
                                     struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "jumped", err);

    if (g == NULL) {
        return SNAP_INVALID;
    }
    if (g->ops->jump == NULL) {
        return snap_error_set(err, SNAP_UNSUPPORTED, "%s: jumped: NumPy has no such call for it",
                              g->ops->what);
    }
    g->ops->jump(g, jumps);
    snap_bit_generator_drop_half(g);
    if (g->has_seed_sequence) {
        snap_numpy_seed_sequence_release(&g->seed_sequence);
        g->has_seed_sequence = false;
    }
    return SNAP_OK;
}
