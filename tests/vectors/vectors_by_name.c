/* SPDX-License-Identifier: Apache-2.0 */
/* Files of family "by_name", for kinds whose calls are all draws by name: the kind is the case's
 * "stream", a state is bytes of one of its forms, and `fn` is a draw. Keys of JAX have a few calls
 * more. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "vectors.h"

static struct snap_error err = SNAP_ERROR_INIT;

static const char *kind_of(const json_t *a_case)
{
    return argument_text(a_case, "stream");
}

static void seed(struct snap_stream *stream, const json_t *seed_given)
{
    must(snap_stream_seed(stream, decimal_u64(argument_text(seed_given, "value")), &err), &err,
         "seed");
}

static void restore(struct snap_stream *stream, const json_t *state)
{
    size_t size;
    unsigned char *bytes = hex_to_bytes(argument_text(state, "hex"), &size);

    must(snap_stream_import(stream, argument_text(state, "form"), bytes, size, &err), &err,
         "import");
    free(bytes);
}

static bool same_state(struct snap_stream *stream, const json_t *a_case, const json_t *state,
                       bool seeded)
{
    size_t size, size_expected;
    unsigned char *expected = hex_to_bytes(argument_text(state, "hex"), &size_expected);
    void *bytes = NULL;
    bool same;

    (void)a_case;
    (void)seeded;
    must(snap_stream_export(stream, argument_text(state, "form"), &bytes, &size, &err), &err,
         "export");
    same = size == size_expected && memcmp(bytes, expected, size) == 0;
    free(bytes);
    free(expected);
    return same;
}

static const struct snap_draw_info *find_draw(const char *kind, const char *name)
{
    const struct snap_draw_info *info;

    for (size_t i = 0; (info = snap_stream_draw_at(kind, i)) != NULL; i++) {
        if (strcmp(info->name, name) == 0) {
            return info;
        }
    }
    return NULL;
}

static void add_numbers(struct result *result, enum snap_dtype dtype, const void *numbers, size_t n)
{
    if (dtype == SNAP_F32 || dtype == SNAP_F64) {
        result_add_tensor(result, dtype, numbers, n);
        return;
    }
    result->is_unsigned = dtype != SNAP_I32 && dtype != SNAP_I64;
    for (size_t i = 0; i < n; i++) {
        switch (dtype) {
        case SNAP_U8:
            result_add(result, ((const uint8_t *)numbers)[i]);
            break;
        case SNAP_U16:
            result_add(result, ((const uint16_t *)numbers)[i]);
            break;
        case SNAP_U32:
            result_add(result, ((const uint32_t *)numbers)[i]);
            break;
        case SNAP_I32:
            result_add_int(result, ((const int32_t *)numbers)[i]);
            break;
        default:
            result_add(result, ((const uint64_t *)numbers)[i]);
            break;
        }
    }
}

static bool call(struct snap_stream *stream, const char *fn, const json_t *args,
                 struct result *result)
{
    const char *kind = snap_stream_kind(stream);
    const struct snap_draw_info *info = find_draw(kind, fn);
    size_t n = argument_size(args, "n", 1);
    void *numbers;

    if (info == NULL) {
        return strcmp(kind, "jax_key") == 0 && jax_family.call(stream, fn, args, result);
    }
    numbers = allocate(n, snap_dtype_size_bytes(info->dtype));
    must(snap_stream_draw(stream, fn, numbers, n, &err), &err, fn);
    add_numbers(result, info->dtype, numbers, n);
    free(numbers);
    return true;
}

const struct family by_name_family = {
    .name = "by_name",
    .kind_of = kind_of,
    .seed = seed,
    .restore = restore,
    .same_state = same_state,
    .call = call,
};
