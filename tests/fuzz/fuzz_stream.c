/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the state of a stream: the first says of which kind, the second in which form. What
 * is accepted must come out in the same form, and as a member that is accepted again and gives the
 * same bytes: the canonical form is one. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <snapstate/stream.h>

#include "fuzz_target.h"

/* In an order that stays, for the inputs that are kept. */
static const char *const kinds[] = {
    "python_random",  "numpy_random_state",
    "torch_cpu",      "torch_cuda",
    "philox_dropout", "opaque",
    "numpy_pcg64",    "numpy_pcg64dxsm",
    "numpy_mt19937",  "numpy_philox",
    "numpy_sfc64",    "curand_philox",
    "curand_xorwow",  "curand_host",
    "jax_key",        "tensorflow_generator",
    "std_mt19937",    "std_mt19937_64",
    "drand48",        "random_r",
};

static void decode_again(struct snap_stream *stream, const void *bytes, size_t size)
{
    struct snap_error err = SNAP_ERROR_INIT;
    void *again = NULL;
    size_t again_size = 0;
    if (snap_stream_decode(stream, bytes, size, &err) != SNAP_OK ||
        snap_stream_encode(stream, &again, &again_size, &err) != SNAP_OK || again_size != size ||
        memcmp(again, bytes, size) != 0)
        abort();
    free(again);
}

/* A form may have less than the state does; then what comes out of it is what went in. */
static void export_again(struct snap_stream *stream, const char *form)
{
    struct snap_error err = SNAP_ERROR_INIT;
    void *first = NULL, *second = NULL;
    size_t first_size = 0, second_size = 0;
    if (snap_stream_export(stream, form, &first, &first_size, &err) != SNAP_OK)
        return; /* this state cannot be said in it */
    if (snap_stream_import(stream, form, first, first_size, &err) != SNAP_OK ||
        snap_stream_export(stream, form, &second, &second_size, &err) != SNAP_OK ||
        first_size != second_size || memcmp(first, second, first_size) != 0)
        abort();
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap_stream *stream = NULL;
    struct snap_error err = SNAP_ERROR_INIT;
    void *bytes = NULL;
    size_t encoded = 0;
    if (size < 2 || data[0] >= sizeof kinds / sizeof kinds[0])
        return 0;
    const struct snap_form_info *form = snap_stream_form_at(kinds[data[0]], data[1]);
    if (form == NULL || snap_stream_new(kinds[data[0]], &stream, &err) != SNAP_OK)
        return 0;
    if (snap_stream_import(stream, form->name, data + 2, size - 2, &err) == SNAP_OK) {
        if (snap_stream_encode(stream, &bytes, &encoded, &err) != SNAP_OK)
            abort();
        decode_again(stream, bytes, encoded);
        export_again(stream, form->name);
    }
    free(bytes);
    snap_stream_free(stream);
    return 0;
}
