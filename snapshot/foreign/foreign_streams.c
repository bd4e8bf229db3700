/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/stream.h>

#include "core/buffer.h"
#include "foreign/foreign_stream_forms.h"
#include "foreign/foreign_streams.h"
#include "foreign/pickle_names.h"

static const struct {
    const char *name; /* of the bit generator */
    const char *kind;
} bit_generators[] = {
    { "PCG64", "numpy_pcg64" },     { "PCG64DXSM", "numpy_pcg64dxsm" },
    { "MT19937", "numpy_mt19937" }, { "Philox", "numpy_philox" },
    { "SFC64", "numpy_sfc64" },
};

static const char *bit_generator_kind(const struct snap_pickle_value *name)
{
    for (size_t i = 0; i < sizeof bit_generators / sizeof bit_generators[0]; i++)
        if (snap_pickle_is_text(name, bit_generators[i].name))
            return bit_generators[i].kind;
    return NULL;
}

/* Bytes of a value that is bytes: a tensor's are looked at without loading it. */
static uint64_t raw_size(const struct snap_pickle_value *value)
{
    struct snap_foreign_tensor tensor;
    enum snap_status status = SNAP_CORRUPT;
    if (snap_pickle_is(value, SNAP_PICKLE_BYTES) || snap_pickle_is(value, SNAP_PICKLE_BYTEARRAY))
        return value->as.bytes.size;
    if (snap_torch_is_tensor(value))
        status = snap_torch_tensor(value, "", &tensor, NULL);
    else if (snap_numpy_is_array(value))
        status = snap_numpy_array(value, "", &tensor, NULL);
    return status == SNAP_OK && tensor.dtype == SNAP_U8 && tensor.ndim == 1 ? tensor.shape[0] : 0;
}

const char *snap_foreign_stream_kind(const struct snap_pickle_value *value)
{
    const struct snap_pickle_value *words = snap_pickle_item(value, 1);
    if (snap_pickle_count(value) == 3 &&
        snap_pickle_is(snap_pickle_item(value, 0), SNAP_PICKLE_INT) &&
        snap_pickle_count(words) == SNAP_FOREIGN_MT19937_WORDS + 1)
        return "python_random";
    if (snap_pickle_count(value) >= 3 && snap_pickle_is_text(snap_pickle_item(value, 0), "MT19937"))
        return "numpy_random_state";
    if (snap_pickle_is(snap_pickle_get(value, "state"), SNAP_PICKLE_DICT)) {
        if (snap_pickle_get(value, "has_gauss") != NULL)
            return "numpy_random_state";
        return bit_generator_kind(snap_pickle_get(value, "bit_generator"));
    }
    switch (raw_size(value)) {
    case 5056:
    case 5048:
        return "torch_cpu";
    case 816:
        return "torch_cuda";
    default:
        return NULL;
    }
}

void snap_foreign_stream_name(const char *text, char name[SNAP_FOREIGN_STREAM_NAME_BYTES])
{
    size_t used = 0;
    for (; *text != '\0' && used + 1 < SNAP_FOREIGN_STREAM_NAME_BYTES; text++) {
        char c = *text;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        name[used] = letter || (used > 0 && (c == '.' || c == '-')) ? c : '_';
        used++;
    }
    if (used == 0)
        name[used++] = '_';
    name[used] = '\0';
}

/* Let the engine of the kind read the bytes, in the first of its forms that they are, and write
 * them anew. What a failure says is of the first, the member's. */
static enum snap_status canonical(const char *kind, const struct snap_buffer *text, void **bytes,
                                  size_t *size, struct snap_error *err)
{
    struct snap_stream *stream = NULL;
    const struct snap_form_info *form;
    struct snap_error ignored = SNAP_ERROR_INIT;
    enum snap_status status = snap_stream_new(kind, &stream, err);
    if (status == SNAP_OK)
        status = snap_stream_decode(stream, text->data, text->size, err);
    for (size_t i = 1; status == SNAP_CORRUPT && (form = snap_stream_form_at(kind, i)) != NULL; i++)
        if (snap_stream_import(stream, form->name, text->data, text->size, &ignored) == SNAP_OK)
            status = SNAP_OK;
    if (status == SNAP_OK)
        status = snap_stream_encode(stream, bytes, size, err);
    snap_stream_free(stream);
    return status;
}

/* `text` in the stream's form becomes a stream of the state, or a gap. */
static enum snap_status keep(struct snap_foreign_source *source, const char *name, const char *kind,
                             enum snap_status status, struct snap_buffer *text, const char *place,
                             struct snap_error *cause, struct snap_error *err)
{
    void *bytes = NULL;
    size_t size = 0;
    if (status == SNAP_OK)
        status = canonical(kind, text, &bytes, &size, cause);
    snap_buffer_release(text);
    if (status == SNAP_OK)
        return snap_foreign_state_add_stream(source->state, name, kind, source->rank, bytes, size,
                                             err);
    if ((status == SNAP_UNSUPPORTED || status == SNAP_CORRUPT) && !source->must_be_stream)
        return snap_foreign_state_add_gap(source->state, place, cause->text, err);
    if (status == SNAP_CORRUPT)
        status = SNAP_INVALID; /* the caller's word for it was wrong */
    const char *slash = strrchr(source->name, '/');
    return snap_error_set(
        err, status, "%s: %s", source->name,
        snap_foreign_text_behind(cause->text, slash != NULL ? slash + 1 : source->name));
}

enum snap_status snap_foreign_streams_add(struct snap_foreign_source *source, const char *name,
                                          const char *kind, const struct snap_pickle_value *value,
                                          const char *place, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status;
    if (snap_pickle_is(value, SNAP_PICKLE_BYTES)) /* in one of the kind's forms */
        status = snap_foreign_put_raw(source, kind, value, place, &text, &cause);
    else if (strcmp(kind, "python_random") == 0)
        status = snap_foreign_put_python(source, value, place, &text, &cause);
    else if (strcmp(kind, "numpy_random_state") == 0)
        status = snap_foreign_put_numpy(source, value, place, &text, &cause);
    else if (bit_generator_kind(snap_pickle_get(value, "bit_generator")) != NULL)
        status = snap_foreign_put_bit_generator(source, kind, value, NULL, place, &text, &cause);
    else
        status = snap_foreign_put_raw(source, kind, value, place, &text, &cause);
    return keep(source, name, kind, status, &text, place, &cause, err);
}

static int role_of(const struct snap_pickle_value *value)
{
    return snap_pickle_is(value, SNAP_PICKLE_OBJECT) ? (int)value->as.object.callable->role : 0;
}

/* Is it the first time that this object of the file is seen? */
static bool is_first_use(struct snap_foreign_source *source, const struct snap_pickle_value *object)
{
    char key[32];
    snprintf(key, sizeof key, "generator %" PRIu32, object->at);
    if (json_object_get(source->blocks, key) != NULL)
        return false;
    json_object_set_new(source->blocks, key, json_true()); /* without memory: it is taken twice */
    return true;
}

/* RandomState and Generator hold a BitGenerator: NumPy 1 names it and gives its state to them,
 * NumPy 2 gives them the object, with its state and SeedSequence. */
enum snap_status snap_foreign_streams_add_generator(struct snap_foreign_source *source,
                                                    const struct snap_pickle_value *object,
                                                    const char *place, struct snap_error *err)
{
    const struct snap_pickle_value *state = object->as.object.state;
    const struct snap_pickle_value *sequence = NULL;
    const struct snap_pickle_value *inner = snap_pickle_item(object->as.object.arguments, 0);
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_error cause = SNAP_ERROR_INIT;
    char name[SNAP_FOREIGN_STREAM_NAME_BYTES];
    if (!is_first_use(source, object))
        return SNAP_OK; /* it is one generator, wherever it is used */
    if ((state == NULL || snap_pickle_is(state, SNAP_PICKLE_NONE)) &&
        role_of(inner) == SNAP_ROLE_BIT_GENERATOR)
        state = inner->as.object.state;
    if (snap_pickle_is(state, SNAP_PICKLE_TUPLE)) {
        sequence = snap_pickle_item(state, 1);
        state = snap_pickle_item(state, 0);
    }
    const char *kind = snap_foreign_stream_kind(state);
    if (kind == NULL)
        return snap_foreign_state_add_gap(source->state, place,
                                          "a generator of NumPy of a kind that is not known", err);
    snap_foreign_stream_name(place, name);
    enum snap_status status =
        snap_foreign_state_number_stream(source->state, source->rank, name, err);
    if (status != SNAP_OK)
        return status;
    status =
        strcmp(kind, "numpy_random_state") == 0
            ? snap_foreign_put_numpy(source, state, place, &text, &cause)
            : snap_foreign_put_bit_generator(source, kind, state, sequence, place, &text, &cause);
    return keep(source, name, kind, status, &text, place, &cause, err);
}
