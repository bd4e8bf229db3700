/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/operations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

void trn_operation_of(const struct trn_op_record *record, struct trn_operation *operation)
{
    *operation = (struct trn_operation){ .index = record->index,
                                         .shard = record->shard,
                                         .dtype = trn_op_dtype_name(record->dtype),
                                         .rank = record->rank,
                                         .least = record->least,
                                         .largest = record->largest,
                                         .nonfinite = record->nonfinite,
                                         .first_nonfinite = record->first_nonfinite };
    snprintf(operation->op, sizeof(operation->op), "%s", record->op);
    snprintf(operation->output, sizeof(operation->output), "%s", record->output);
    snprintf(operation->phase, sizeof(operation->phase), "%s", record->phase);
    snprintf(operation->name, sizeof(operation->name), "%s", record->name);
    for (unsigned i = 0; i < record->rank; i++)
        operation->shape[i] = record->shape[i];
    memcpy(operation->sha256, record->sha256, sizeof(operation->sha256));
}

bool trn_operation_same_place(const struct trn_operation *a, const struct trn_operation *b)
{
    return a->index == b->index && a->shard == b->shard && strcmp(a->op, b->op) == 0 &&
           strcmp(a->output, b->output) == 0 && strcmp(a->phase, b->phase) == 0 &&
           strcmp(a->name, b->name) == 0 && a->rank == b->rank &&
           memcmp(a->shape, b->shape, a->rank * sizeof(a->shape[0])) == 0;
}

void trn_operation_text(const struct trn_operation *operation, char *text, size_t size)
{
    snprintf(text, size, "operation %" PRIu64 ", %s of %s%s%s, %s", operation->index,
             operation->output, operation->op, operation->name[0] != '\0' ? " of " : "",
             operation->name, operation->phase);
}

enum snap_status trn_operations_add(struct trn_operations *operations,
                                    const struct trn_operation *operation, struct snap_error *err)
{
    /* Grows by doubling, at the powers of two. */
    if ((operations->count & (operations->count - 1)) == 0) {
        size_t room = operations->count == 0 ? 1 : 2 * operations->count;
        struct trn_operation *grown = reallocarray(operations->list, room, sizeof(*grown));
        if (grown == NULL)
            return snap_error_set(err, SNAP_NO_MEMORY, "operations of the step: no memory");
        operations->list = grown;
    }
    operations->list[operations->count++] = *operation;
    return SNAP_OK;
}

void trn_operations_release(struct trn_operations *operations)
{
    free(operations->list);
    *operations = (struct trn_operations)TRN_OPERATIONS_INIT;
}

/* ---- as JSON ---- */

static json_t *bits_of(double value)
{
    uint64_t bits;
    char text[17];
    memcpy(&bits, &value, sizeof(bits));
    snprintf(text, sizeof(text), "%016" PRIx64, bits);
    return json_string(text);
}

static json_t *json_of(const struct trn_operation *operation)
{
    char digest[2 * SNAP_DIGEST_BYTES + 1];
    json_t *shape = json_array();
    json_t *first = operation->nonfinite > 0
                        ? json_integer((json_int_t)operation->first_nonfinite)
                        : json_null();
    for (size_t i = 0; i < SNAP_DIGEST_BYTES; i++)
        snprintf(digest + 2 * i, 3, "%02x", operation->sha256[i]);
    for (unsigned i = 0; i < operation->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)operation->shape[i]));
    return json_pack("{s:s, s:o, s:I, s:o, s:o, s:s, s:I, s:s, s:s, s:s, s:s, s:o, s:i}", "dtype",
                     operation->dtype, "first_nonfinite", first, "index",
                     (json_int_t)operation->index, "largest", bits_of(operation->largest), "least",
                     bits_of(operation->least), "name", operation->name, "nonfinite",
                     (json_int_t)operation->nonfinite, "op", operation->op, "output",
                     operation->output, "phase", operation->phase, "sha256", digest, "shape", shape,
                     "shard", (int)operation->shard);
}

enum snap_status trn_operations_encode(const struct trn_operations *operations, char **text,
                                       struct snap_error *err)
{
    json_t *list = json_array();
    bool good = list != NULL;
    for (size_t i = 0; good && i < operations->count; i++)
        good = json_array_append_new(list, json_of(&operations->list[i])) == 0;
    json_t *document = json_pack("{s:s, s:o}", "format", TRN_OPERATIONS_FORMAT, "operations", list);
    char *compact = good && document != NULL ? json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS)
                                             : NULL;
    json_decref(document);
    char *line = NULL;
    int length = compact != NULL ? asprintf(&line, "%s\n", compact) : -1;
    free(compact);
    if (length < 0)
        return snap_error_set(err, SNAP_NO_MEMORY, "operations of the step: no memory");
    *text = line;
    return SNAP_OK;
}

static bool take_text(const json_t *object, const char *key, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL && snprintf(text, size, "%s", value) < (int)size;
}

static bool take_number(const json_t *object, const char *key, uint64_t *number)
{
    const json_t *value = json_object_get(object, key);
    *number = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool take_bits(const json_t *object, const char *key, double *number)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return false;
    uint64_t bits = strtoull(text, NULL, 16);
    memcpy(number, &bits, sizeof(*number));
    return true;
}

static bool take_digest(const json_t *object, unsigned char sha256[SNAP_DIGEST_BYTES])
{
    const char *text = json_string_value(json_object_get(object, "sha256"));
    if (text == NULL || strlen(text) != 2 * SNAP_DIGEST_BYTES ||
        strspn(text, "0123456789abcdef") != 2 * SNAP_DIGEST_BYTES)
        return false;
    for (size_t i = 0; i < SNAP_DIGEST_BYTES; i++) {
        const char pair[3] = { text[2 * i], text[2 * i + 1], '\0' };
        sha256[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

static bool take_shape(const json_t *object, struct trn_operation *operation)
{
    const json_t *shape = json_object_get(object, "shape");
    size_t rank = json_array_size(shape);
    if (!json_is_array(shape) || rank > sizeof(operation->shape) / sizeof(operation->shape[0]))
        return false;
    operation->rank = (unsigned)rank;
    for (size_t i = 0; i < rank; i++)
        operation->shape[i] = (uint64_t)json_integer_value(json_array_get(shape, i));
    return true;
}

static bool take_operation(const json_t *object, struct trn_operation *operation)
{
    const char *dtype = json_string_value(json_object_get(object, "dtype"));
    uint64_t shard = 0;
    bool good = take_number(object, "index", &operation->index) &&
                take_number(object, "nonfinite", &operation->nonfinite) &&
                (operation->nonfinite == 0 ||
                 take_number(object, "first_nonfinite", &operation->first_nonfinite)) &&
                take_number(object, "shard", &shard) &&
                take_text(object, "op", operation->op, sizeof(operation->op)) &&
                take_text(object, "output", operation->output, sizeof(operation->output)) &&
                take_text(object, "phase", operation->phase, sizeof(operation->phase)) &&
                take_text(object, "name", operation->name, sizeof(operation->name)) &&
                take_bits(object, "least", &operation->least) &&
                take_bits(object, "largest", &operation->largest) &&
                take_shape(object, operation) && take_digest(object, operation->sha256);
    if (!good || dtype == NULL)
        return false;
    operation->shard = (unsigned)shard;
    operation->dtype = trn_op_dtype_name(strcmp(dtype, "i32") == 0 ? TRN_OP_I32 : TRN_OP_F32);
    return true;
}

enum snap_status trn_operations_decode(const void *bytes, size_t size_bytes,
                                       struct trn_operations *operations, struct snap_error *err)
{
    struct trn_operations read = TRN_OPERATIONS_INIT;
    json_t *document = json_loadb(bytes, size_bytes, JSON_REJECT_DUPLICATES, NULL);
    const char *format = json_string_value(json_object_get(document, "format"));
    const json_t *list = json_object_get(document, "operations");
    enum snap_status status = SNAP_OK;
    if (format == NULL || strcmp(format, TRN_OPERATIONS_FORMAT) != 0 || !json_is_array(list))
        status = snap_error_set(err, SNAP_CORRUPT,
                                "capsule: extra/" TRN_OPERATIONS ": none of the format "
                                TRN_OPERATIONS_FORMAT);
    for (size_t i = 0; status == SNAP_OK && i < json_array_size(list); i++) {
        struct trn_operation operation = { .index = 0 };
        if (take_operation(json_array_get(list, i), &operation))
            status = trn_operations_add(&read, &operation, err);
        else
            status = snap_error_set(err, SNAP_CORRUPT,
                                    "capsule: extra/" TRN_OPERATIONS ": operation %zu is not of "
                                    "the grammar", i);
    }
    json_decref(document);
    if (status != SNAP_OK) {
        trn_operations_release(&read);
        return status;
    }
    *operations = read;
    return SNAP_OK;
}
