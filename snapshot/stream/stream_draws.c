/* SPDX-License-Identifier: Apache-2.0 */
/* The typed draws of the public header, on the engines. */
#include "config.h"

#include <snapstate/stream.h>

#include "stream/numpy_random_state.h"
#include "stream/python_random.h"
#include "stream/stream_family.h"
#include "stream/torch_cpu.h"

enum snap_status snap_python_shuffle(struct snap_stream *stream, uint32_t *items, size_t n,
                                     struct snap_error *err)
{
    struct snap_python_random *r =
        snap_stream_state(stream, &snap_python_random_family, "shuffle", err);

    if (r == NULL) {
        return SNAP_INVALID;
    }
    snap_python_shuffle_items(r, items, n);
    return SNAP_OK;
}

enum snap_status snap_python_randbelow(struct snap_stream *stream, uint64_t bound,
                                       uint64_t *value, struct snap_error *err)
{
    struct snap_python_random *r =
        snap_stream_state(stream, &snap_python_random_family, "randrange", err);

    if (r == NULL) {
        return SNAP_INVALID;
    }
    if (bound == 0) {
        return snap_error_set(err, SNAP_INVALID,
                              "stream python_random: randrange: the range is empty");
    }
    *value = snap_python_below(r, bound);
    return SNAP_OK;
}

enum snap_status snap_python_random(struct snap_stream *stream, double *value,
                                    struct snap_error *err)
{
    struct snap_python_random *r =
        snap_stream_state(stream, &snap_python_random_family, "random", err);

    if (r == NULL) {
        return SNAP_INVALID;
    }
    *value = snap_python_random_double(r);
    return SNAP_OK;
}

enum snap_status snap_numpy_randint(struct snap_stream *stream, int64_t low, int64_t high,
                                    int64_t *out, size_t n, struct snap_error *err)
{
    struct snap_numpy_random_state *r =
        snap_stream_state(stream, &snap_numpy_random_state_family, "randint", err);

    if (r == NULL) {
        return SNAP_INVALID;
    }
    return snap_numpy_randint_int64(r, low, high, out, n, err);
}

enum snap_status snap_numpy_random_sample(struct snap_stream *stream, double *out, size_t n,
                                          struct snap_error *err)
{
    struct snap_numpy_random_state *r =
        snap_stream_state(stream, &snap_numpy_random_state_family, "random_sample", err);

    if (r == NULL) {
        return SNAP_INVALID;
    }
    snap_mt19937_fill_double(&r->mt, out, n);
    return SNAP_OK;
}

enum snap_status snap_torch_uniform_f32(struct snap_stream *stream, double from, double to,
                                        float *out, size_t n, struct snap_error *err)
{
    struct snap_torch_cpu *t = snap_stream_state(stream, &snap_torch_cpu_family, "uniform_", err);

    if (t == NULL) {
        return SNAP_INVALID;
    }
    return snap_torch_uniform(t, SNAP_F32, from, to, out, n, err);
}
