/* SPDX-License-Identifier: Apache-2.0 */
/* Streams as their libraries hand them out: the tuples and dicts that random.setstate(),
 * numpy.random.set_state() and bit_generator.state take, and torch's bytes as a tensor. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/bytes.h"
#include "core/hex.h"
#include "export_internal.h"
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

/* The one stream for a slot: of its usual name, or the only one of its kind. NULL: there is none,
 * or no telling which; the latter is told. */
static enum snap_status find_one(struct snap_export_job *job, const struct slot *slot,
                                 const char **name, struct snap_error *err)
{
    size_t at = 0;
    size_t count = 0;
    const char *found;
    *name = NULL;
    while ((found = next_of_kind(job, slot->kind, &at)) != NULL) {
        if (strcmp(in_shard(found, job->options->shard), slot->stream) == 0) {
            *name = found;
            return SNAP_OK;
        }
        *name = found;
        count++;
    }
    if (count <= 1)
        return SNAP_OK;
    *name = NULL;
    return snap_buffer_appendf(&job->left_out, err,
                               "%s: there are %zu streams of kind %s, and none is called so\n",
                               slot->stream, count, slot->kind);
}

/* The states of CUDA devices, in the order of their numbers: torch_cuda.0, torch_cuda.1, ... */
static enum snap_status put_devices(struct snap_export_job *job, const struct slot *slot,
                                    size_t *key, size_t *count, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (*count = 0; status == SNAP_OK; ++*count) {
        struct state state;
        char name[80];
        if (job->options->shard >= 0)
            snprintf(name, sizeof name, "shard-%03d/%s.%zu", job->options->shard, slot->stream,
                     *count);
        else
            snprintf(name, sizeof name, "%s.%zu", slot->stream, *count);
        if (snap_archive_stream_kind(job->archive, name) == NULL)
            return SNAP_OK;
        status = read_state(job, name, &state, err);
        if (status == SNAP_OK)
            status = put_tensor(job, &state, (*key)++, err);
    }
    return status;
}

static size_t device_count(const struct snap_export_job *job, const struct slot *slot)
{
    size_t at = 0;
    size_t count = 0;
    const char *name;
    size_t length = strlen(slot->stream);
    while ((name = next_of_kind(job, slot->kind, &at)) != NULL) {
        const char *own = in_shard(name, job->options->shard);
        if (strncmp(own, slot->stream, length) == 0 && own[length] == '.' &&
            strspn(own + length + 1, "0123456789") == strlen(own + length + 1))
            count++;
    }
    return count;
}

static enum snap_status put_slot(struct snap_export_job *job, const struct slot *slot, size_t *key,
                                 size_t *found, struct snap_error *err)
{
    bool accelerate = job->options->form == SNAP_EXPORT_ACCELERATE;
    const char *label = accelerate ? slot->accelerate : slot->hf_trainer;
    const char *name = NULL;
    struct state state;
    size_t devices = slot->devices ? device_count(job, slot) : 0;
    enum snap_status status = SNAP_OK;
    if (devices == 0)
        status = find_one(job, slot, &name, err);
    if (status == SNAP_OK && devices == 0 && name == NULL)
        return snap_buffer_appendf(&job->left_out, err, "%s: the archive has no such state\n",
                                   label);
    ++*found;
    if (status == SNAP_OK)
        status = snap_pickle_put_string(&job->pickle, label, err);
    /* Accelerate wants a list of them; HF Trainer one state where there is one device. */
    bool list = slot->devices && (accelerate || devices > 1);
    if (status == SNAP_OK && list)
        status = snap_pickle_put_list(&job->pickle, err);
    if (status == SNAP_OK && devices > 0) {
        status = put_devices(job, slot, key, &devices, err);
    } else if (status == SNAP_OK) {
        status = read_state(job, name, &state, err);
        if (status == SNAP_OK && strncmp(slot->kind, "torch", 5) == 0)
            status = put_tensor(job, &state, (*key)++, err);
        else if (status == SNAP_OK)
            status = put_state(job, &state, err);
    }
    return status == SNAP_OK && list ? snap_pickle_put_list_end(&job->pickle, err) : status;
}

/* What the form has no key for. */
static enum snap_status tell_others(struct snap_export_job *job, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_member_count(job->archive); i++) {
        const struct snap_member *member = snap_archive_member(job->archive, i);
        const char *name = member->name + strlen("rng/");
        const char *own =
            member->kind == SNAP_MEMBER_STREAM ? in_shard(name, job->options->shard) : NULL;
        bool known = false;
        for (size_t s = 0; own != NULL && s < SLOTS; s++)
            known =
                known || strcmp(snap_archive_stream_kind(job->archive, name), slots[s].kind) == 0;
        if (own != NULL && !known)
            status =
                snap_buffer_appendf(&job->left_out, err, "%s: the form has no key for it\n", name);
    }
    return status;
}

enum snap_status snap_export_random_states(struct snap_export_job *job, struct snap_error *err)
{
    struct snap_pickle_writer *writer = &job->pickle;
    size_t key = 0;
    size_t found = 0;
    enum snap_status status = snap_pickle_put_begin(writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_dict(writer, err);
    if (status == SNAP_OK && job->options->form == SNAP_EXPORT_ACCELERATE) {
        status = snap_pickle_put_string(writer, "step", err);
        if (status == SNAP_OK)
            status = snap_pickle_put_int(writer, (int64_t)snap_archive_step(job->archive), err);
    }
    for (size_t i = 0; status == SNAP_OK && i < SLOTS; i++)
        status = put_slot(job, &slots[i], &key, &found, err);
    if (status == SNAP_OK && found == 0)
        return snap_error_set(err, SNAP_NOT_FOUND, "export: the archive has no state of that form");
    if (status == SNAP_OK)
        status = tell_others(job, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_dict_end(writer, err);
    return status == SNAP_OK ? snap_export_torch(job, err) : status;
}
