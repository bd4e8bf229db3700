/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/pcg128.h"

#include "format/json_fields.h"
#include "stream/big_uint.h"

static snap_uint128 from_words(const uint32_t *words)
{
    uint64_t high = (uint64_t)words[1] << 32 | words[0];
    uint64_t low = (uint64_t)words[3] << 32 | words[2];

    return snap_make_uint128(high, low);
}

void snap_pcg128_seed(struct snap_pcg128 *pcg, const uint32_t words[8])
{
    snap_uint128 state = from_words(words);

    pcg->inc = from_words(words + 4) << 1 | 1;
    /* A step from 0, the seed added, and a step. */
    pcg->state = (pcg->inc + state) * snap_pcg128_multiplier() + pcg->inc;
}

void snap_pcg128_leap(snap_uint128 multiplier, snap_uint128 inc, snap_uint128 steps,
                      snap_uint128 *factor, snap_uint128 *term)
{
    *factor = 1;
    *term = 0;
    for (; steps > 0; steps >>= 1) {
        if (steps & 1) {
            *factor *= multiplier;
            *term = *term * multiplier + inc;
        }
        inc *= multiplier + 1;
        multiplier *= multiplier;
    }
}

void snap_pcg128_advance(struct snap_pcg128 *pcg, snap_uint128 multiplier, snap_uint128 steps)
{
    snap_uint128 factor, term;

    snap_pcg128_leap(multiplier, pcg->inc, steps, &factor, &term);
    pcg->state = pcg->state * factor + term;
}

void snap_pcg128_jump(struct snap_pcg128 *pcg, snap_uint128 multiplier, uint64_t jumps)
{
    snap_uint128 step = snap_make_uint128(0x9e3779b97f4a7c15u, 0xf39cc0605cedc835u);

    snap_pcg128_advance(pcg, multiplier, step * jumps);
}

bool snap_pcg128_distance(const struct snap_pcg128 *from, const struct snap_pcg128 *to,
                          snap_uint128 multiplier, int64_t *words)
{
    snap_uint128 state = from->state;
    snap_uint128 inc = from->inc;
    snap_uint128 steps = 0;
    const uint64_t most = (uint64_t)1 << 62;

    if (from->inc != to->inc) {
        return false;
    }
    /* A leap of 2^k steps changes bit k of the state and none below it. */
    for (snap_uint128 bit = 1; bit != 0 && state != to->state; bit <<= 1) {
        if ((state ^ to->state) & bit) {
            state = state * multiplier + inc;
            steps |= bit;
        }
        inc *= multiplier + 1;
        multiplier *= multiplier;
    }
    if (state != to->state) {
        return false; /* inc is even: the states lie on different cycles */
    }
    if (steps < most) {
        *words = 2 * (int64_t)(uint64_t)steps;
        return true;
    }
    if (0 - steps < most) {
        *words = -2 * (int64_t)(uint64_t)(0 - steps);
        return true;
    }
    return false;
}

static enum snap_status put_uint128(struct snap_buffer *text, snap_uint128 value,
                                    struct snap_error *err)
{
    const uint32_t words[4] = { (uint32_t)value, (uint32_t)(value >> 32), (uint32_t)(value >> 64),
                                (uint32_t)(value >> 96) };

    return snap_big_uint_put(text, words, 4, err);
}

enum snap_status snap_pcg128_put(const struct snap_pcg128 *pcg, struct snap_buffer *text,
                                 struct snap_error *err)
{
    enum snap_status status = snap_buffer_append_text(text, "{\"inc\":", err);

    if (status == SNAP_OK) {
        status = put_uint128(text, pcg->inc, err);
    }
    if (status == SNAP_OK) {
        status = snap_buffer_append_text(text, ",\"state\":", err);
    }
    if (status == SNAP_OK) {
        status = put_uint128(text, pcg->state, err);
    }
    return status == SNAP_OK ? snap_buffer_append_text(text, "}", err) : status;
}

static enum snap_status get_uint128(const char *what, const json_t *object, const char *key,
                                    snap_uint128 *value, struct snap_error *err)
{
    struct snap_big_uint number;
    enum snap_status status = snap_big_uint_from_json(what, key, json_object_get(object, key),
                                                      &number, err);

    if (status != SNAP_OK) {
        return status;
    }
    if (number.count > 4) {
        status = snap_error_set(err, SNAP_CORRUPT, "%s: \"%s\": not below 2^128", what, key);
    } else {
        *value = 0;
        for (size_t i = number.count; i-- > 0;) {
            *value = *value << 32 | number.words[i];
        }
    }
    snap_big_uint_release(&number);
    return status;
}

enum snap_status snap_pcg128_get(const char *what, const json_t *state, struct snap_pcg128 *pcg,
                                 struct snap_error *err)
{
    enum snap_status status = snap_json_check_keys(state, "inc state", what, err);

    if (status == SNAP_OK) {
        status = get_uint128(what, state, "inc", &pcg->inc, err);
    }
    return status == SNAP_OK ? get_uint128(what, state, "state", &pcg->state, err) : status;
}
