/* SPDX-License-Identifier: Apache-2.0 */
/* Streams as their libraries hand them out: the tuples and dicts that random.setstate(),
 * numpy.random.set_state() and bit_generator.state take, and torch's bytes as a tensor. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/array.h"
#include "core/bytes.h"
#include "core/hex.h"
#include "exchange/export_internal.h"
#include "foreign/foreign_tensor.h"
#include "foreign/npy.h"
#include "format/json_canonical.h"

#define MT19937_WORDS 624

/* A stream's member in memory. */
struct state {
    const char *name;
    const char *kind;
    unsigned char *bytes; /* owned by the job */
    uint64_t size;
};

static enum snap_status read_state(struct snap_export_job *job, const char *name,
                                   struct state *state, struct snap_error *err)
{
    char member_name[128];
    state->name = name;
    state->kind = snap_archive_stream_kind(job->archive, name);
    snprintf(member_name, sizeof member_name, "rng/%.100s", name);
    const struct snap_member *member = snap_archive_find(job->archive, member_name);
    if (state->kind == NULL || member == NULL)
        return snap_error_set(err, SNAP_NOT_FOUND, "export: the archive has no stream %.100s",
                              name);
    state->size = member->data_size;
    enum snap_status status = snap_export_block(job, state->size, &state->bytes, err);
    return status == SNAP_OK ? snap_archive_read(job->archive, member, state->bytes, err) : status;
}

static bool is_kind(const struct state *state, const char *kind)
{
    return strcmp(state->kind, kind) == 0;
}

/* ---- the kinds that are JSON ---- */

/* A number of a member: an integer, or decimal digits past 2^53. */
static enum snap_status put_number(struct snap_pickle_writer *writer, const json_t *value,
                                   struct snap_error *err)
{
    if (json_is_string(value))
        return snap_pickle_put_digits(writer, json_string_value(value), err);
    return snap_pickle_put_int(writer, json_integer_value(value), err);
}

static enum snap_status put_bits(struct snap_pickle_writer *writer, const json_t *value,
                                 struct snap_error *err)
{
    uint64_t bits = 0;
    double number;
    const char *digits = json_string_value(value);
    if (digits == NULL || !snap_hex_decode_u64(digits, &bits))
        return snap_pickle_put_none(writer, err);
    memcpy(&number, &bits, sizeof number);
    return snap_pickle_put_float(writer, number, err);
}

/* A list of words as an array of `dtype`, of 4 or 8 bytes each. */
static enum snap_status put_words(struct snap_pickle_writer *writer, const json_t *list,
                                  const char *dtype, struct snap_error *err)
{
    unsigned char bytes[8 * MT19937_WORDS];
    size_t width = dtype[2] == '8' ? 8 : 4;
    uint64_t count = json_array_size(list);
    if (count > MT19937_WORDS)
        return snap_error_set(err, SNAP_CORRUPT, "export: a state of %" PRIu64 " words", count);
    for (size_t i = 0; i < count; i++) {
        uint64_t word = 0;
        snap_json_get_u64(json_array_get(list, i), &word);
        if (width == 8)
            snap_put_u64(bytes + 8 * i, word);
        else
            snap_put_u32(bytes + 4 * i, (uint32_t)word);
    }
    return snap_pickle_put_array(writer, dtype, 1, &count, bytes, width * count, err);
}

/* random.getstate(): (3, (words and position), None or a float). */
static enum snap_status put_python(struct snap_pickle_writer *writer, const json_t *object,
                                   struct snap_error *err)
{
    const json_t *words = json_object_get(object, "state");
    enum snap_status status = snap_pickle_put_mark(writer, err);
    if (status == SNAP_OK)
        status = put_number(writer, json_object_get(object, "version"), err);
    if (status == SNAP_OK)
        status = snap_pickle_put_mark(writer, err);
    for (size_t i = 0; status == SNAP_OK && i < json_array_size(words); i++)
        status = put_number(writer, json_array_get(words, i), err);
    if (status == SNAP_OK)
        status = snap_pickle_put_tuple(writer, err);
    if (status == SNAP_OK)
        status = put_bits(writer, json_object_get(object, "gauss_next"), err);
    return status == SNAP_OK ? snap_pickle_put_tuple(writer, err) : status;
}

/* get_state(): ("MT19937", key, pos, has_gauss, cached_gaussian). */
static enum snap_status put_numpy(struct snap_pickle_writer *writer, const json_t *object,
                                  struct snap_error *err)
{
    const json_t *state = json_object_get(object, "state");
    enum snap_status status = snap_pickle_put_mark(writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_string(writer, "MT19937", err);
    if (status == SNAP_OK)
        status = put_words(writer, json_object_get(state, "key"), "<u4", err);
    if (status == SNAP_OK)
        status = put_number(writer, json_object_get(state, "pos"), err);
    if (status == SNAP_OK)
        status = put_number(writer, json_object_get(object, "has_gauss"), err);
    if (status == SNAP_OK)
        status = put_bits(writer, json_object_get(object, "gauss"), err);
    return status == SNAP_OK ? snap_pickle_put_tuple(writer, err) : status;
}

/* bit_generator.state: the member but for what is ours, with its lists as arrays. */
static enum snap_status put_bit_generator(struct snap_pickle_writer *writer, const json_t *object,
                                          const char *dtype, struct snap_error *err)
{
    json_t *at = (json_t *)(uintptr_t)object; /* for the iterator, which changes nothing */
    enum snap_status status = snap_pickle_put_dict(writer, err);
    for (void *it = json_object_iter(at); status == SNAP_OK && it != NULL;
         it = json_object_iter_next(at, it)) {
        const char *key = json_object_iter_key(it);
        const json_t *value = json_object_iter_value(it);
        if (strcmp(key, "kind") == 0 || strcmp(key, "seed_seq") == 0)
            continue;
        status = snap_pickle_put_string(writer, key, err);
        if (status != SNAP_OK)
            break;
        if (strcmp(key, "bit_generator") == 0)
            status = snap_pickle_put_string(writer, json_string_value(value), err);
        else if (json_is_object(value))
            status = put_bit_generator(writer, value, dtype, err);
        else if (json_is_array(value))
            status = put_words(writer, value, dtype, err);
        else
            status = put_number(writer, value, err);
    }
    return status == SNAP_OK ? snap_pickle_put_dict_end(writer, err) : status;
}

/* What the stream's library hands out. */
static enum snap_status put_state(struct snap_export_job *job, const struct state *state,
                                  struct snap_error *err)
{
    struct snap_pickle_writer *writer = &job->pickle;
    json_t *object = NULL;
    bool python = is_kind(state, "python_random");
    bool numpy = is_kind(state, "numpy_random_state");
    bool generator = strncmp(state->kind, "numpy_", 6) == 0 && !numpy;
    if (!python && !numpy && !generator)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "export: stream %s is of kind %s, whose state is no tuple or dict: "
                              "use the form torch or npy",
                              state->name, state->kind);
    enum snap_status status =
        snap_json_decode(state->bytes, (size_t)state->size, state->name, &object, err);
    if (status == SNAP_OK && python)
        status = put_python(writer, object, err);
    else if (status == SNAP_OK && numpy)
        status = put_numpy(writer, object, err);
    else if (status == SNAP_OK)
        status =
            put_bit_generator(writer, object, is_kind(state, "numpy_mt19937") ? "<u4" : "<u8", err);
    if (status == SNAP_OK && json_object_get(object, "seed_seq") != NULL)
        status =
            snap_buffer_appendf(&job->left_out, err,
                                "%s: the SeedSequence that it spawns from, which is no part of "
                                "bit_generator.state\n",
                                state->name);
    json_decref(object);
    return status;
}

/* ---- raw bytes ---- */

/* Push a tensor of bytes, whose storage is entry `key` of the zip. */
static enum snap_status put_tensor(struct snap_export_job *job, const struct state *state,
                                   size_t key, struct snap_error *err)
{
    struct snap_pickle_writer *writer = &job->pickle;
    enum snap_status status =
        snap_pickle_put_name(writer, "torch._utils", "_rebuild_tensor_v2", err);
    if (status == SNAP_OK)
        status = snap_pickle_put_mark(writer, err);
    if (status == SNAP_OK)
        status =
            snap_export_storage(job, key, SNAP_U8, state->bytes, state->size, true, false, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_int(writer, 0, err);
    for (int i = 0; status == SNAP_OK && i < 2; i++) {
        status = snap_pickle_put_mark(writer, err);
        if (status == SNAP_OK)
            status = snap_pickle_put_int(writer, i == 0 ? (int64_t)state->size : 1, err);
        if (status == SNAP_OK)
            status = snap_pickle_put_tuple(writer, err);
    }
    if (status == SNAP_OK)
        status = snap_pickle_put_bool(writer, false, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_name(writer, "collections", "OrderedDict", err);
    if (status == SNAP_OK)
        status = snap_pickle_put_mark(writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_tuple(writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_call(writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_tuple(writer, err);
    return status == SNAP_OK ? snap_pickle_put_call(writer, err) : status;
}

static enum snap_status export_npy(struct snap_export_job *job, const struct state *state,
                                   struct snap_error *err)
{
    enum snap_status status =
        snap_npy_write_header(SNAP_U8, 1, &state->size, &job->pickle.out, err);
    const void *pieces[] = { job->pickle.out.data, state->bytes };
    uint64_t sizes[] = { job->pickle.out.size, state->size };
    return status == SNAP_OK ? snap_export_pieces(job, pieces, sizes, 2, err) : status;
}

enum snap_status snap_export_stream(struct snap_export_job *job, struct snap_error *err)
{
    struct state state;
    enum snap_status status = read_state(job, job->options->stream, &state, err);
    if (status != SNAP_OK)
        return status;
    if (job->options->form == SNAP_EXPORT_NPY)
        return export_npy(job, &state, err);
    status = snap_pickle_put_begin(&job->pickle, err);
    if (job->options->form == SNAP_EXPORT_TORCH) {
        if (status == SNAP_OK)
            status = put_tensor(job, &state, 0, err);
        return status == SNAP_OK ? snap_export_torch(job, err) : status;
    }
    if (status == SNAP_OK)
        status = put_state(job, &state, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_stop(&job->pickle, err);
    const void *pieces[] = { job->pickle.out.data };
    uint64_t sizes[] = { job->pickle.out.size };
    return status == SNAP_OK ? snap_export_pieces(job, pieces, sizes, 1, err) : status;
}

/* ---- all random states ---- */

static const struct slot {
    const char *kind;
    const char *stream; /* its usual name; of devices before ".N" */
    const char *accelerate;
    const char *hf_trainer;
    bool devices;
} slots[] = {
    { "python_random", "python", "random_state", "python", false },
    { "numpy_random_state", "numpy", "numpy_random_seed", "numpy", false },
    { "torch_cpu", "torch", "torch_manual_seed", "cpu", false },
    { "torch_cuda", "torch_cuda", "torch_cuda_manual_seed", "cuda", true },
};
#define SLOTS (sizeof slots / sizeof slots[0])

/* The stream's name without its shard, when it is of the shard that is wanted; else NULL. */
static const char *in_shard(const char *name, int shard)
{
    char prefix[24];
    const char *slash = strchr(name, '/');
    if (shard < 0)
        return slash == NULL ? name : NULL;
    int length = snprintf(prefix, sizeof prefix, "shard-%03d/", shard);
    return strncmp(name, prefix, (size_t)length) == 0 ? name + length : NULL;
}

/* Call for each stream of the kind in the shard; member names are "rng/NAME". */
static const char *next_of_kind(const struct snap_export_job *job, const char *kind, size_t *at)
{
    while (*at < snap_archive_member_count(job->archive)) {
        const struct snap_member *member = snap_archive_member(job->archive, (*at)++);
        if (member->kind != SNAP_MEMBER_STREAM)
            continue;
        const char *name = member->name + strlen("rng/");
        const char *found = snap_archive_stream_kind(job->archive, name);
        if (found != NULL && strcmp(found, kind) == 0 &&
            in_shard(name, job->options->shard) != NULL)
            return name;
    }
    return NULL;
}

/* All random states under way. */
struct states {
    struct snap_export_job *job;
    const char **written; /* streams, each borrowed from the archive */
    size_t written_count;
    size_t key; /* of the next storage */
};

static bool is_written(const struct states *states, const char *name)
{
    for (size_t i = 0; i < states->written_count; i++)
        if (strcmp(states->written[i], name) == 0)
            return true;
    return false;
}

/* Is it the state of a device by its number: "torch_cuda.3"? */
static bool is_numbered(const struct slot *slot, const char *own)
{
    size_t length = strlen(slot->stream);
    return slot->devices && strncmp(own, slot->stream, length) == 0 && own[length] == '.' &&
           own[length + 1] != '\0' &&
           strspn(own + length + 1, "0123456789") == strlen(own + length + 1);
}

/* The stream of device `index`; NULL when there is none. */
static const char *find_device(const struct states *states, const struct slot *slot, size_t index)
{
    char own[80];
    size_t at = 0;
    const char *name;
    snprintf(own, sizeof own, "%s.%zu", slot->stream, index);
    while ((name = next_of_kind(states->job, slot->kind, &at)) != NULL)
        if (strcmp(in_shard(name, states->job->options->shard), own) == 0)
            return name;
    return NULL;
}

/* The one stream for a slot: of its usual name, or the only one of its kind. NULL: there is none,
 * or no telling which; the latter is told. */
static enum snap_status find_one(struct states *states, const struct slot *slot, const char **name,
                                 struct snap_error *err)
{
    struct snap_export_job *job = states->job;
    size_t at = 0;
    size_t count = 0;
    const char *found;
    *name = NULL;
    while ((found = next_of_kind(job, slot->kind, &at)) != NULL) {
        const char *own = in_shard(found, job->options->shard);
        if (is_numbered(slot, own))
            continue; /* of another device than the first */
        *name = found;
        if (strcmp(own, slot->stream) == 0)
            return SNAP_OK;
        count++;
    }
    if (count <= 1)
        return SNAP_OK;
    *name = NULL;
    return snap_buffer_appendf(&job->left_out, err,
                               "%s: there are %zu streams of kind %s, and none is called so\n",
                               slot->stream, count, slot->kind);
}

/* A stream's state, as the form has it. */
static enum snap_status put_stream(struct states *states, const struct slot *slot, const char *name,
                                   struct snap_error *err)
{
    struct state state;
    const char **moved =
        snap_array_grow(states->written, states->written_count, sizeof(const char *));
    if (moved == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "export: out of memory");
    states->written = moved;
    states->written[states->written_count++] = name;
    enum snap_status status = read_state(states->job, name, &state, err);
    if (status != SNAP_OK)
        return status;
    if (strncmp(slot->kind, "torch", 5) == 0)
        return put_tensor(states->job, &state, states->key++, err);
    return put_state(states->job, &state, err);
}

static enum snap_status put_slot(struct states *states, const struct slot *slot,
                                 struct snap_error *err)
{
    struct snap_export_job *job = states->job;
    bool accelerate = job->options->form == SNAP_EXPORT_ACCELERATE;
    const char *label = accelerate ? slot->accelerate : slot->hf_trainer;
    const char *name = slot->devices ? find_device(states, slot, 0) : NULL;
    bool numbered = name != NULL;
    enum snap_status status = SNAP_OK;
    if (!numbered)
        status = find_one(states, slot, &name, err);
    if (status == SNAP_OK && name == NULL)
        return snap_buffer_appendf(&job->left_out, err, "%s: the archive has no such state\n",
                                   label);
    if (status == SNAP_OK)
        status = snap_pickle_put_string(&job->pickle, label, err);
    /* Accelerate wants a list of them; HF Trainer one state where there is one device. */
    bool list = slot->devices &&
                (accelerate || (numbered && find_device(states, slot, 1) != NULL));
    if (status == SNAP_OK && list)
        status = snap_pickle_put_list(&job->pickle, err);
    for (size_t i = 1; status == SNAP_OK && name != NULL; i++) {
        status = put_stream(states, slot, name, err);
        name = numbered ? find_device(states, slot, i) : NULL;
    }
    return status == SNAP_OK && list ? snap_pickle_put_list_end(&job->pickle, err) : status;
}

/* What the form has no place for. */
static enum snap_status tell_others(struct states *states, struct snap_error *err)
{
    struct snap_export_job *job = states->job;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_member_count(job->archive); i++) {
        const struct snap_member *member = snap_archive_member(job->archive, i);
        const char *name = member->name + strlen("rng/");
        const char *reason = "the form has no key for it";
        if (member->kind != SNAP_MEMBER_STREAM || in_shard(name, job->options->shard) == NULL ||
            is_written(states, name))
            continue;
        for (size_t s = 0; s < SLOTS; s++)
            if (is_numbered(&slots[s], in_shard(name, job->options->shard)))
                reason = "the form has the devices from 0 on, and one before it is missing";
        status = snap_buffer_appendf(&job->left_out, err, "%s: %s\n", name, reason);
    }
    return status;
}

static enum snap_status put_states(struct states *states, struct snap_error *err)
{
    struct snap_export_job *job = states->job;
    struct snap_pickle_writer *writer = &job->pickle;
    enum snap_status status = snap_pickle_put_begin(writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_dict(writer, err);
    if (status == SNAP_OK && job->options->form == SNAP_EXPORT_ACCELERATE) {
        status = snap_pickle_put_string(writer, "step", err);
        if (status == SNAP_OK)
            status = snap_pickle_put_int(writer, (int64_t)snap_archive_step(job->archive), err);
    }
    for (size_t i = 0; status == SNAP_OK && i < SLOTS; i++)
        status = put_slot(states, &slots[i], err);
    if (status == SNAP_OK && states->written_count == 0)
        return snap_error_set(err, SNAP_NOT_FOUND, "export: the archive has no state of that form");
    if (status == SNAP_OK)
        status = tell_others(states, err);
    return status == SNAP_OK ? snap_pickle_put_dict_end(writer, err) : status;
}

enum snap_status snap_export_random_states(struct snap_export_job *job, struct snap_error *err)
{
    struct states states = { .job = job };
    enum snap_status status = put_states(&states, err);
    free(states.written);
    return status == SNAP_OK ? snap_export_torch(job, err) : status;
}
