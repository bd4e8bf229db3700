/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/bytes.h"
#include "core/hex.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "foreign/foreign_stream_forms.h"
#include "foreign/pickle_names.h"

static enum snap_status corrupt(const char *what, const char *text, struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT, "%s: %s", what, text);
}

static enum snap_status no_memory(const char *what, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", what);
}

/* ---- numbers, however they are written ---- */

/* Element `index` of a tensor of integers of one dimension. */
static uint64_t element_at(const struct snap_foreign_tensor *tensor, const unsigned char *element,
                           size_t index)
{
    size_t width = snap_dtype_size_bytes(tensor->dtype);
    const unsigned char *at = element + index * tensor->strides[0] * width;
    uint64_t value = 0;
    for (size_t i = width; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

static bool is_integer_dtype(enum snap_dtype dtype)
{
    return dtype >= SNAP_U8 && dtype <= SNAP_I64;
}

/* `count` words below 2^32, from a list of integers or an array of them. */
static enum snap_status read_words(struct snap_foreign_source *source,
                                   const struct snap_pickle_value *value, size_t count,
                                   uint32_t *words, const char *what, struct snap_error *err)
{
    struct snap_foreign_tensor tensor;
    unsigned char *element = NULL;
    bool is_array = snap_foreign_is_tensor(value);
    if (is_array) {
        enum snap_status status =
            snap_foreign_source_load(source, value, what, &tensor, &element, err);
        if (status != SNAP_OK)
            return status;
        if (tensor.ndim != 1 || tensor.shape[0] != count || !is_integer_dtype(tensor.dtype))
            return corrupt(what, "a state whose words are not a row of so many integers", err);
    } else if (snap_pickle_count(value) != count) {
        return corrupt(what, "a state with another number of words", err);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t word;
        if (is_array)
            word = element_at(&tensor, element, i);
        else if (!snap_pickle_get_u64(snap_pickle_item(value, i), &word))
            return corrupt(what, "a state with a word that is no number from 0 on", err);
        if (word > UINT32_MAX)
            return corrupt(what, "a state with a word past 2^32 - 1", err);
        words[i] = (uint32_t)word;
    }
    return SNAP_OK;
}

static bool get_double(const struct snap_pickle_value *value, double *number)
{
    int64_t integer;
    if (snap_pickle_is(value, SNAP_PICKLE_FLOAT)) {
        *number = value->as.number;
        return true;
    }
    if (snap_pickle_get_i64(value, &integer)) {
        *number = (double)integer;
        return true;
    }
    return false;
}

static json_t *words_json(const uint32_t *words, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, json_integer(words[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *double_json(double number)
{
    char digits[17];
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    snap_hex_encode_u64(bits, digits);
    return json_string(digits);
}

/* ---- each kind: the value as the text of a member ---- */

static enum snap_status put_json(json_t *object, const char *what, struct snap_buffer *text,
                                 struct snap_error *err)
{
    enum snap_status status =
        object != NULL ? snap_json_encode(object, text, err) : no_memory(what, err);
    json_decref(object);
    return status;
}

/* random.getstate(): (3, (624 words, position), None or a float). In version 2, of Python before
 * 3.2, the words are signed. */
enum snap_status snap_foreign_put_python(struct snap_foreign_source *source,
                                         const struct snap_pickle_value *value, const char *what,
                                         struct snap_buffer *text, struct snap_error *err)
{
    uint32_t words[SNAP_FOREIGN_MT19937_WORDS + 1];
    uint64_t version = 0;
    double gauss = 0.0;
    const struct snap_pickle_value *next = snap_pickle_item(value, 2);
    bool has_gauss = !snap_pickle_is(next, SNAP_PICKLE_NONE);
    if (snap_pickle_count(value) != 3 ||
        !snap_pickle_get_u64(snap_pickle_item(value, 0), &version) ||
        (has_gauss && !get_double(next, &gauss)))
        return corrupt(what, "it is no state of random.Random", err);
    if (version != 3)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: a state of random.Random of version %" PRIu64 ": only 3, of "
                              "Python 3.2 and later, is read",
                              what, version);
    enum snap_status status = read_words(source, snap_pickle_item(value, 1),
                                         SNAP_FOREIGN_MT19937_WORDS + 1, words, what, err);
    if (status != SNAP_OK)
        return status;
    json_t *object = json_pack(
        "{s:o, s:s, s:o, s:i}", "gauss_next", has_gauss ? double_json(gauss) : json_null(), "kind",
        "python_random", "state", words_json(words, SNAP_FOREIGN_MT19937_WORDS + 1), "version", 3);
    return put_json(object, what, text, err);
}

/* get_state(): ("MT19937", key, pos, has_gauss, cached), of which the last two may be missing;
 * with legacy=False a dict. */
enum snap_status snap_foreign_put_numpy(struct snap_foreign_source *source,
                                        const struct snap_pickle_value *value, const char *what,
                                        struct snap_buffer *text, struct snap_error *err)
{
    uint32_t key[SNAP_FOREIGN_MT19937_WORDS];
    uint64_t position = 0;
    uint64_t has_gauss = 0;
    double gauss = 0.0;
    const struct snap_pickle_value *inner = snap_pickle_get(value, "state");
    bool is_dict = inner != NULL;
    const struct snap_pickle_value *name =
        is_dict ? snap_pickle_get(value, "bit_generator") : snap_pickle_item(value, 0);
    const struct snap_pickle_value *words =
        is_dict ? snap_pickle_get(inner, "key") : snap_pickle_item(value, 1);
    const struct snap_pickle_value *pos =
        is_dict ? snap_pickle_get(inner, "pos") : snap_pickle_item(value, 2);
    const struct snap_pickle_value *flag =
        is_dict ? snap_pickle_get(value, "has_gauss") : snap_pickle_item(value, 3);
    const struct snap_pickle_value *cached =
        is_dict ? snap_pickle_get(value, "gauss") : snap_pickle_item(value, 4);
    if (!snap_pickle_is_text(name, "MT19937") || !snap_pickle_get_u64(pos, &position) ||
        (flag != NULL && (!snap_pickle_get_u64(flag, &has_gauss) || !get_double(cached, &gauss))))
        return corrupt(what, "it is no state of numpy.random.RandomState", err);
    enum snap_status status = read_words(source, words, SNAP_FOREIGN_MT19937_WORDS, key, what, err);
    if (status != SNAP_OK)
        return status;
    json_t *object =
        json_pack("{s:s, s:o, s:o, s:s, s:{s:o, s:o}}", "bit_generator", "MT19937", "gauss",
                  double_json(gauss), "has_gauss", snap_json_u64(has_gauss), "kind",
                  "numpy_random_state", "state", "key", words_json(key, SNAP_FOREIGN_MT19937_WORDS),
                  "pos", snap_json_u64(position));
    return put_json(object, what, text, err);
}

/* A value of a bit generator's state: numbers past 2^53 are text, arrays lists. *made is NULL on
 * failure. */
static enum snap_status number_json(struct snap_foreign_source *source,
                                    const struct snap_pickle_value *value, const char *what,
                                    unsigned depth, json_t **made, struct snap_error *err);

static enum snap_status integer_json(const struct snap_pickle_value *value, const char *what,
                                     json_t **made, struct snap_error *err)
{
    struct snap_buffer digits = SNAP_BUFFER_INIT;
    uint64_t small;
    if (snap_pickle_get_u64(value, &small)) {
        *made = snap_json_u64(small);
        return *made != NULL ? SNAP_OK : no_memory(what, err);
    }
    enum snap_status status = snap_pickle_digits(value, SNAP_MAX_INTEGER_DIGITS, &digits, err);
    if (status == SNAP_OK)
        *made = json_string_nocheck((const char *)digits.data);
    snap_buffer_release(&digits);
    if (status == SNAP_OK && *made == NULL)
        status = no_memory(what, err);
    return status;
}

static enum snap_status array_json(struct snap_foreign_source *source,
                                   const struct snap_pickle_value *value, const char *what,
                                   json_t **made, struct snap_error *err)
{
    struct snap_foreign_tensor tensor;
    unsigned char *element = NULL;
    enum snap_status status = snap_foreign_source_load(source, value, what, &tensor, &element, err);
    if (status != SNAP_OK)
        return status;
    if (tensor.ndim != 1 || tensor.shape[0] > SNAP_FOREIGN_MT19937_WORDS ||
        !is_integer_dtype(tensor.dtype))
        return corrupt(what, "a state with an array that is no row of integers", err);
    *made = json_array();
    for (size_t i = 0; i < tensor.shape[0]; i++)
        if (json_array_append_new(*made, snap_json_u64(element_at(&tensor, element, i))) != 0)
            return no_memory(what, err);
    return *made != NULL ? SNAP_OK : no_memory(what, err);
}

static enum snap_status object_json(struct snap_foreign_source *source,
                                    const struct snap_pickle_value *dict, const char *what,
                                    unsigned depth, json_t **made, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    *made = json_object();
    for (size_t i = 0; status == SNAP_OK && i < dict->count; i += 2) {
        json_t *inner = NULL;
        char key[64];
        if (!snap_pickle_copy_text(dict->as.children.items[i], key, sizeof key))
            return corrupt(what, "a state with a key that is no text", err);
        status = number_json(source, dict->as.children.items[i + 1], what, depth + 1, &inner, err);
        if (status == SNAP_OK)
            status = snap_json_set(*made, key, inner, err);
    }
    return status;
}

static enum snap_status any_json(struct snap_foreign_source *source,
                                 const struct snap_pickle_value *value, const char *what,
                                 unsigned depth, json_t **made, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (depth > 4)
        return corrupt(what, "a state that is nested too deeply", err);
    if (snap_pickle_is(value, SNAP_PICKLE_DICT))
        return object_json(source, value, what, depth, made, err);
    if (snap_foreign_is_tensor(value))
        return array_json(source, value, what, made, err);
    if (snap_pickle_is(value, SNAP_PICKLE_LIST) || snap_pickle_is(value, SNAP_PICKLE_TUPLE)) {
        *made = json_array();
        for (size_t i = 0; status == SNAP_OK && i < value->count; i++) {
            json_t *inner = NULL;
            status = number_json(source, value->as.children.items[i], what, depth + 1, &inner, err);
            if (status == SNAP_OK)
                status = snap_json_append(*made, inner, err);
        }
        return status;
    }
    if (snap_pickle_is(value, SNAP_PICKLE_STR)) {
        char text[64];
        if (!snap_pickle_copy_text(value, text, sizeof text))
            return corrupt(what, "a state with odd text", err);
        *made = json_string(text);
        return *made != NULL ? SNAP_OK : no_memory(what, err);
    }
    if (snap_pickle_is(value, SNAP_PICKLE_INT) || snap_pickle_is(value, SNAP_PICKLE_LONG) ||
        snap_pickle_is(value, SNAP_PICKLE_BOOL))
        return integer_json(value, what, made, err);
    if (snap_numpy_is_scalar(value)) {
        struct snap_foreign_tensor tensor;
        unsigned char *element = NULL;
        status = snap_foreign_source_load(source, value, what, &tensor, &element, err);
        if (status == SNAP_OK && !is_integer_dtype(tensor.dtype))
            status = corrupt(what, "a state with a scalar that is no integer", err);
        if (status == SNAP_OK)
            *made = snap_json_u64(element_at(&tensor, element, 0));
        return status;
    }
    return corrupt(what, "a state with a value that is no number", err);
}

static enum snap_status number_json(struct snap_foreign_source *source,
                                    const struct snap_pickle_value *value, const char *what,
                                    unsigned depth, json_t **made, struct snap_error *err)
{
    *made = NULL;
    enum snap_status status = any_json(source, value, what, depth, made, err);
    if (status != SNAP_OK) {
        json_decref(*made);
        *made = NULL;
    }
    return status;
}

/* SeedSequence: (entropy, n_children_spawned, pool, pool_size, spawn_key). */
static enum snap_status sequence_json(struct snap_foreign_source *source,
                                      const struct snap_pickle_value *sequence, const char *what,
                                      json_t **made, struct snap_error *err)
{
    static const struct {
        const char *key;
        size_t index;
    } parts[] = {
        { "entropy", 0 }, { "n_children_spawned", 1 }, { "pool_size", 3 }, { "spawn_key", 4 }
    };
    const struct snap_pickle_value *state = NULL;
    *made = NULL;
    if (!snap_pickle_is(sequence, SNAP_PICKLE_OBJECT) ||
        sequence->as.object.callable->role != SNAP_ROLE_SEED_SEQUENCE)
        return SNAP_OK; /* not known, or one of the program's own */
    state = sequence->as.object.state;
    if (state == NULL)
        state = snap_pickle_item(sequence->as.object.arguments, 2);
    if (snap_pickle_count(state) < 5)
        return corrupt(what, "a SeedSequence whose state is none", err);
    *made = json_object();
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < sizeof parts / sizeof parts[0]; i++) {
        json_t *inner = NULL;
        status = number_json(source, snap_pickle_item(state, parts[i].index), what, 1, &inner, err);
        if (status == SNAP_OK)
            status = snap_json_set(*made, parts[i].key, inner, err);
    }
    return status;
}

/* A bit generator's state, and the SeedSequence that it spawns from (NULL: not known). */
enum snap_status snap_foreign_put_bit_generator(struct snap_foreign_source *source,
                                                const char *kind,
                                                const struct snap_pickle_value *state,
                                                const struct snap_pickle_value *sequence,
                                                const char *what, struct snap_buffer *text,
                                                struct snap_error *err)
{
    json_t *object = NULL;
    json_t *seed = NULL;
    enum snap_status status = number_json(source, state, what, 0, &object, err);
    if (status == SNAP_OK && !json_is_object(object))
        status = corrupt(what, "it is no state of a bit generator", err);
    if (status == SNAP_OK && json_object_get(object, "seed_seq") == NULL) {
        status = sequence_json(source, sequence, what, &seed, err);
        if (status == SNAP_OK && seed != NULL)
            status = snap_json_set(object, "seed_seq", seed, err);
        else
            json_decref(seed);
    }
    if (status == SNAP_OK)
        status = snap_json_set(object, "kind", json_string(kind), err);
    if (status == SNAP_OK)
        return put_json(object, what, text, err);
    json_decref(object);
    return status;
}

/* How wide the numbers of a list are, for kinds whose library hands out words. */
static size_t word_width(const char *kind)
{
    if (strcmp(kind, "jax_key") == 0)
        return 4;
    return strcmp(kind, "tensorflow_generator") == 0 ? 8 : 1;
}

/* One number of a list, little-endian, in `width` bytes. */
static enum snap_status put_word(const struct snap_pickle_value *value, size_t width,
                                 const char *what, struct snap_buffer *text, struct snap_error *err)
{
    unsigned char bytes[8];
    uint64_t word;
    int64_t negative;
    if (width == 8 && snap_pickle_get_i64(value, &negative))
        word = (uint64_t)negative;
    else if (!snap_pickle_get_u64(value, &word) || (width < 8 && word >> 8 * width != 0))
        return corrupt(what, "a state with a number that is too large, or none", err);
    snap_put_u64(bytes, word);
    return snap_buffer_append(text, bytes, width, err);
}

/* Anything that is bytes, or a row of integers: a tensor or array of them, or a list. */
enum snap_status snap_foreign_put_raw(struct snap_foreign_source *source, const char *kind,
                                      const struct snap_pickle_value *value, const char *what,
                                      struct snap_buffer *text, struct snap_error *err)
{
    struct snap_foreign_tensor tensor;
    unsigned char *element = NULL;
    enum snap_status status = SNAP_OK;
    if (snap_pickle_is(value, SNAP_PICKLE_BYTES) || snap_pickle_is(value, SNAP_PICKLE_BYTEARRAY))
        return snap_buffer_append(text, value->as.bytes.data, value->as.bytes.size, err);
    if (snap_foreign_is_tensor(value)) {
        status = snap_foreign_source_load(source, value, what, &tensor, &element, err);
        if (status != SNAP_OK)
            return status;
        if (tensor.ndim != 1 || !is_integer_dtype(tensor.dtype))
            return corrupt(what, "a state that is no row of bytes or integers", err);
        size_t width = snap_dtype_size_bytes(tensor.dtype);
        for (size_t i = 0; status == SNAP_OK && i < tensor.shape[0]; i++)
            status = snap_buffer_append(text, element + i * tensor.strides[0] * width, width, err);
        return status;
    }
    for (size_t i = 0; status == SNAP_OK && i < snap_pickle_count(value); i++)
        status = put_word(snap_pickle_item(value, i), word_width(kind), what, text, err);
    if (status == SNAP_OK && text->size == 0)
        status = corrupt(what, "a state that is no row of bytes or integers", err);
    return status;
}
