/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/numpy_seed_sequence.h"

#include <stdlib.h>
#include <string.h>

#include "format/json_fields.h"
#include "stream/stream_json.h"

/* Words that are gathered, or a pool, on the stack; more go to the heap. */
#define FEW 32u

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "stream: seed sequence: no memory");
}

/* ---- lists ---- */

static void release_list(struct snap_big_uint_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        snap_big_uint_release(&list->items[i]);
    }
    free(list->items);
    *list = (struct snap_big_uint_list){ NULL, 0 };
}

/* A list of `count` zeros, with room for one more. */
static enum snap_status new_list(size_t count, struct snap_big_uint_list *list,
                                 struct snap_error *err)
{
    list->items = calloc(count + 1, sizeof *list->items);
    if (list->items == NULL) {
        return no_memory(err);
    }
    list->count = count;
    return SNAP_OK;
}

static enum snap_status copy_list(const struct snap_big_uint_list *from,
                                  struct snap_big_uint_list *to, struct snap_error *err)
{
    enum snap_status status = new_list(from->count, to, err);

    for (size_t i = 0; status == SNAP_OK && i < from->count; i++) {
        status = snap_big_uint_set(&to->items[i], from->items[i].words, from->items[i].count, err);
    }
    return status;
}

/* ---- life ---- */

enum snap_status snap_numpy_seed_sequence_init(struct snap_numpy_seed_sequence *sequence,
                                               const uint32_t *entropy, size_t count,
                                               const uint32_t *spawn_key, size_t key_count,
                                               size_t pool_size, struct snap_error *err)
{
    struct snap_numpy_seed_sequence made = SNAP_NUMPY_SEED_SEQUENCE_INIT;
    enum snap_status status;

    if (pool_size < SNAP_SEED_SEQUENCE_POOL || pool_size > SNAP_MAX_SEED_POOL) {
        return snap_error_set(err, SNAP_INVALID,
                              "stream: seed sequence: a pool of %zu words, not 4 to %u", pool_size,
                              SNAP_MAX_SEED_POOL);
    }
    made.pool_size = (uint32_t)pool_size;
    status = snap_big_uint_set(&made.entropy, entropy, count, err);
    if (status == SNAP_OK && key_count > 0) {
        status = new_list(key_count, &made.spawn_key, err);
    }
    for (size_t i = 0; status == SNAP_OK && i < key_count; i++) {
        status = snap_big_uint_set(&made.spawn_key.items[i], &spawn_key[i], 1, err);
    }
    if (status == SNAP_OK) {
        *sequence = made;
    } else {
        snap_numpy_seed_sequence_release(&made);
    }
    return status;
}

void snap_numpy_seed_sequence_release(struct snap_numpy_seed_sequence *sequence)
{
    snap_big_uint_release(&sequence->entropy);
    release_list(&sequence->entropy_list);
    release_list(&sequence->spawn_key);
}

enum snap_status snap_numpy_seed_sequence_spawn(struct snap_numpy_seed_sequence *sequence,
                                                struct snap_numpy_seed_sequence *child,
                                                struct snap_error *err)
{
    const uint32_t n = sequence->n_children_spawned;
    struct snap_numpy_seed_sequence made = SNAP_NUMPY_SEED_SEQUENCE_INIT;
    struct snap_big_uint_list *key = &made.spawn_key;
    enum snap_status status;

    if (n == UINT32_MAX) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "stream: seed sequence: spawn: 2^32-1 children were spawned before");
    }
    made.pool_size = sequence->pool_size;
    made.entropy_is_list = sequence->entropy_is_list;
    status = snap_big_uint_set(&made.entropy, sequence->entropy.words, sequence->entropy.count,
                               err);
    if (status == SNAP_OK && made.entropy_is_list) {
        status = copy_list(&sequence->entropy_list, &made.entropy_list, err);
    }
    if (status == SNAP_OK) {
        status = copy_list(&sequence->spawn_key, key, err);
    }
    if (status == SNAP_OK) {
        status = snap_big_uint_set(&key->items[key->count], &n, 1, err);
    }
    if (status == SNAP_OK) {
        key->count++;
        sequence->n_children_spawned++;
        *child = made;
    } else {
        snap_numpy_seed_sequence_release(&made);
    }
    return status;
}

/* ---- hash ---- */

static size_t words_of(const struct snap_big_uint *number)
{
    return number->count > 0 ? number->count : 1;
}

static uint32_t *gather(const struct snap_big_uint *number, uint32_t *at)
{
    at[0] = 0;
    if (number->count > 0) {
        memcpy(at, number->words, number->count * sizeof *at);
    }
    return at + words_of(number);
}

static const struct snap_big_uint *entropy_of(const struct snap_numpy_seed_sequence *sequence,
                                              size_t *count)
{
    *count = sequence->entropy_is_list ? sequence->entropy_list.count : 1;
    return sequence->entropy_is_list ? sequence->entropy_list.items : &sequence->entropy;
}

/* get_assembled_entropy(): the words of the entropy, zeros up to the size of the pool when there
 * is a key, and the words of the key. `words` is NULL to count them only. */
static size_t assemble(const struct snap_numpy_seed_sequence *sequence, uint32_t *words)
{
    const struct snap_big_uint_list *key = &sequence->spawn_key;
    size_t entropy_count;
    const struct snap_big_uint *entropy = entropy_of(sequence, &entropy_count);
    size_t total = 0;

    for (size_t i = 0; i < entropy_count; i++) {
        if (words != NULL) {
            gather(&entropy[i], words + total);
        }
        total += words_of(&entropy[i]);
    }
    for (; key->count > 0 && total < sequence->pool_size; total++) {
        if (words != NULL) {
            words[total] = 0;
        }
    }
    for (size_t i = 0; i < key->count; i++) {
        if (words != NULL) {
            gather(&key->items[i], words + total);
        }
        total += words_of(&key->items[i]);
    }
    return total;
}

enum snap_status snap_numpy_seed_sequence_pool(const struct snap_numpy_seed_sequence *sequence,
                                               uint32_t *pool, struct snap_error *err)
{
    size_t count = assemble(sequence, NULL);
    uint32_t few[FEW];
    uint32_t *words = few;

    if (count > FEW) {
        words = calloc(count, sizeof *words);
        if (words == NULL) {
            return no_memory(err);
        }
    }
    assemble(sequence, words);
    snap_seed_pool_mix(pool, sequence->pool_size, words, count);
    if (words != few) {
        free(words);
    }
    return SNAP_OK;
}

enum snap_status snap_numpy_seed_sequence_generate(const struct snap_numpy_seed_sequence *sequence,
                                                   uint32_t *words, size_t count,
                                                   struct snap_error *err)
{
    uint32_t pool[SNAP_MAX_SEED_POOL];
    enum snap_status status = snap_numpy_seed_sequence_pool(sequence, pool, err);

    if (status == SNAP_OK) {
        snap_seed_pool_generate(pool, sequence->pool_size, words, count);
    }
    return status;
}

/* ---- JSON ---- */

static enum snap_status put_list(const struct snap_big_uint_list *list, struct snap_buffer *text,
                                 struct snap_error *err)
{
    enum snap_status status = snap_buffer_append_text(text, "[", err);

    for (size_t i = 0; status == SNAP_OK && i < list->count; i++) {
        if (i > 0) {
            status = snap_buffer_append_text(text, ",", err);
        }
        if (status == SNAP_OK) {
            status = snap_big_uint_put(text, list->items[i].words, list->items[i].count, err);
        }
    }
    return status == SNAP_OK ? snap_buffer_append_text(text, "]", err) : status;
}

enum snap_status snap_numpy_seed_sequence_put(const struct snap_numpy_seed_sequence *sequence,
                                              struct snap_buffer *text, struct snap_error *err)
{
    enum snap_status status = snap_buffer_append_text(text, "{\"entropy\":", err);

    if (status == SNAP_OK) {
        status = sequence->entropy_is_list
                     ? put_list(&sequence->entropy_list, text, err)
                     : snap_big_uint_put(text, sequence->entropy.words, sequence->entropy.count,
                                         err);
    }
    if (status == SNAP_OK) {
        status = snap_buffer_appendf(text, err,
                                     ",\"n_children_spawned\":%u,\"pool_size\":%u,"
                                     "\"spawn_key\":",
                                     (unsigned)sequence->n_children_spawned,
                                     (unsigned)sequence->pool_size);
    }
    if (status == SNAP_OK) {
        status = put_list(&sequence->spawn_key, text, err);
    }
    return status == SNAP_OK ? snap_buffer_append_text(text, "}", err) : status;
}

static enum snap_status read_list(const char *what, const char *key, const json_t *array,
                                  struct snap_big_uint_list *list, struct snap_error *err)
{
    enum snap_status status;
    const json_t *item;
    size_t i;

    if (!json_is_array(array)) {
        return snap_error_set(err, SNAP_CORRUPT, "%s: \"%s\": expected a list of integers", what,
                              key);
    }
    status = new_list(json_array_size(array), list, err);
    json_array_foreach(array, i, item) {
        if (status == SNAP_OK) {
            status = snap_big_uint_from_json(what, key, item, &list->items[i], err);
        }
    }
    return status;
}

enum snap_status snap_numpy_seed_sequence_from_json(const char *what, const json_t *object,
                                                    struct snap_numpy_seed_sequence *sequence,
                                                    struct snap_error *err)
{
    struct snap_numpy_seed_sequence made = SNAP_NUMPY_SEED_SEQUENCE_INIT;
    const json_t *entropy = json_object_get(object, "entropy");
    uint64_t pool_size = 0;
    uint64_t children = 0;
    enum snap_status status;

    status = snap_json_check_keys(object, "entropy n_children_spawned pool_size spawn_key", what,
                                  err);
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(what, object, "pool_size", SNAP_MAX_SEED_POOL,
                                           &pool_size, err);
    }
    if (status == SNAP_OK && pool_size < SNAP_SEED_SEQUENCE_POOL) {
        status = snap_error_set(err, SNAP_CORRUPT, "%s: \"pool_size\": below 4", what);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(what, object, "n_children_spawned", UINT32_MAX,
                                           &children, err);
    }
    if (status == SNAP_OK) {
        made.pool_size = (uint32_t)pool_size;
        made.n_children_spawned = (uint32_t)children;
        made.entropy_is_list = json_is_array(entropy);
        status = made.entropy_is_list
                     ? read_list(what, "entropy", entropy, &made.entropy_list, err)
                     : snap_big_uint_from_json(what, "entropy", entropy, &made.entropy, err);
    }
    if (status == SNAP_OK) {
        status = read_list(what, "spawn_key", json_object_get(object, "spawn_key"),
                           &made.spawn_key, err);
    }
    if (status == SNAP_OK) {
        *sequence = made;
    } else {
        snap_numpy_seed_sequence_release(&made);
    }
    return status;
}
