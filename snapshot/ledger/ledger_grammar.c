/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in a line of a ledger. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "core/hex.h"
#include "format/data_json.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "ledger/ledger_line.h"

static enum snap_status optional_digest(const json_t *object, const char *key, const char *prefix,
                                        const char *what, struct snap_error *err)
{
    unsigned char digest[SNAP_DIGEST_BYTES];

    if (json_object_get(object, key) == NULL)
        return SNAP_OK;
    return snap_json_field_digest(object, key, prefix, what, digest, err);
}

static enum snap_status chain_fields(const json_t *document, const char *what,
                                     struct snap_error *err)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    enum snap_status status;

    status = snap_json_field_digest(document, "chain", NULL, what, digest, err);
    if (status != SNAP_OK)
        return status;
    return snap_json_field_digest(document, "host_chain", NULL, what, digest, err);
}

/* Words per stream. */
static enum snap_status check_draws(const json_t *part, const char *part_name, const char *what,
                                    struct snap_error *err)
{
    const json_t *draws;
    const json_t *value;
    const char *name;
    uint64_t words;
    enum snap_status status;

    status = snap_json_field(part, "draws", JSON_OBJECT, what, &draws, err);
    if (status != SNAP_OK)
        return status;
    json_object_foreach((json_t *)draws, name, value)
    {
        if (!snap_json_get_u64(value, &words)) {
            return snap_error_set(err, SNAP_CORRUPT, "%s: %s.draws.%s: not a number of words", what,
                                  part_name, name);
        }
    }
    return SNAP_OK;
}

/* Bits of a binary32 or binary64 number, or an integer up to 2^53. */
static bool is_scalar(const json_t *value)
{
    const char *text = json_string_value(value);
    uint64_t bits;
    uint32_t bits32;

    if (text == NULL)
        return json_is_integer(value) && snap_json_get_u64(value, &bits);
    return snap_hex_decode_u32(text, &bits32) || snap_hex_decode_u64(text, &bits);
}

static enum snap_status check_scalars(const json_t *part, const char *part_name, const char *what,
                                      struct snap_error *err)
{
    const json_t *scalars;
    const json_t *value;
    const char *name;
    enum snap_status status;

    status = snap_json_field(part, "scalars", JSON_OBJECT, what, &scalars, err);
    if (status != SNAP_OK)
        return status;
    json_object_foreach((json_t *)scalars, name, value)
    {
        if (!is_scalar(value)) {
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: %s.scalars.%s: neither 8 or 16 hex "
                                  "digits nor an integer",
                                  what, part_name, name);
        }
    }
    return SNAP_OK;
}

static bool is_tensor(const json_t *item)
{
    const char *role = json_string_value(json_array_get(item, 0));
    const char *name = json_string_value(json_array_get(item, 1));
    const char *digest = json_string_value(json_array_get(item, 2));
    unsigned char bytes[SNAP_DIGEST_BYTES];
    return json_array_size(item) == 3 && role != NULL && name != NULL && digest != NULL &&
           (strcmp(role, SNAP_LEDGER_OUTPUT) == 0 || strcmp(role, SNAP_LEDGER_GRADIENT) == 0 ||
            strcmp(role, SNAP_LEDGER_WEIGHT) == 0) &&
           name[0] != '\0' && strlen(digest) == 2 * SNAP_DIGEST_BYTES &&
           snap_hex_decode(digest, 2 * SNAP_DIGEST_BYTES, bytes);
}

static enum snap_status check_tensors(const json_t *floats, const char *what,
                                      struct snap_error *err)
{
    const json_t *tensors = json_object_get(floats, SNAP_LEDGER_TENSORS);
    if (tensors == NULL)
        return SNAP_OK;
    bool good = json_is_array(tensors) && json_array_size(tensors) > 0;
    for (size_t i = 0; good && i < json_array_size(tensors); i++)
        good = is_tensor(json_array_get(tensors, i));
    if (!good)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: float.tensors: something else than a list of [role, name, "
                              "digest]",
                              what);
    return SNAP_OK;
}

static enum snap_status step_field(const json_t *object, const char *what, uint64_t *step,
                                   struct snap_error *err)
{
    enum snap_status status = snap_json_field_u64(object, "step", what, step, err);
    if (status == SNAP_OK && *step > SNAP_MAX_STEP)
        status = snap_error_set(err, SNAP_CORRUPT, "%s: step %" PRIu64 ": at most %llu", what,
                                *step, SNAP_MAX_STEP);
    return status;
}

static enum snap_status check_parent(const json_t *host, const char *what, uint64_t *step,
                                     struct snap_error *err)
{
    const json_t *parent = json_object_get(host, "parent");
    unsigned char digest[SNAP_DIGEST_BYTES];

    *step = 0;
    if (json_is_null(parent)) {
        if (json_object_get(host, "step") == NULL)
            return SNAP_OK;
        enum snap_status status = step_field(host, what, step, err);
        if (status == SNAP_OK && *step == 0)
            status = snap_error_set(err, SNAP_CORRUPT, "%s: host.step: 0 is not written", what);
        return status;
    }
    if (json_object_get(host, "step") != NULL)
        return snap_error_set(err, SNAP_CORRUPT, "%s: host.step: stands beside a parent", what);
    if (!json_is_object(parent))
        return snap_error_set(err, SNAP_CORRUPT, "%s: host.parent: neither an object nor null",
                              what);
    enum snap_status status =
        snap_json_check_keys(parent, "chain host_chain snapshot step", what, err);
    if (status == SNAP_OK)
        status = chain_fields(parent, what, err);
    if (status == SNAP_OK)
        status = snap_json_field_digest(parent, "snapshot", "snap1", what, digest, err);
    if (status == SNAP_OK)
        status = step_field(parent, what, step, err);
    return status;
}

enum snap_status snap_ledger_check_genesis(const json_t *document, const char *what, uint64_t *step,
                                           struct snap_error *err)
{
    struct snap_data_doc files = SNAP_DATA_DOC_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    const json_t *host;
    const json_t *floats;
    const json_t *part;
    const char *profile;
    enum snap_status status;

    status = snap_json_field_format(document, SNAP_LEDGER_FORMAT, what, err);
    if (status == SNAP_OK)
        status = snap_json_check_keys(document, "chain float format host host_chain", what, err);
    if (status == SNAP_OK)
        status = chain_fields(document, what, err);
    if (status == SNAP_OK)
        status = snap_json_field(document, "host", JSON_OBJECT, what, &host, err);
    if (status == SNAP_OK)
        status = snap_json_field(document, "float", JSON_OBJECT, what, &floats, err);
    if (status == SNAP_OK)
        status = snap_json_check_keys(host, "data parent step? training", what, err);
    if (status == SNAP_OK)
        status = snap_json_check_keys(floats, "binding profile state", what, err);
    if (status == SNAP_OK)
        status = snap_json_field(host, "data", JSON_ARRAY, what, &part, err);
    if (status == SNAP_OK)
        status = snap_data_files_from_json(part, what, &files, err);
    if (status == SNAP_OK)
        status = check_parent(host, what, step, err);
    if (status == SNAP_OK) {
        part = json_object_get(host, "training");
        if (!json_is_object(part) && !json_is_null(part)) {
            status = snap_error_set(err, SNAP_CORRUPT,
                                    "%s: host.training: neither an object nor null", what);
        }
    }
    if (status == SNAP_OK)
        status = snap_json_field(floats, "binding", JSON_OBJECT, what, &part, err);
    if (status == SNAP_OK)
        status = snap_json_field_string(floats, "profile", what, &profile, err);
    if (status == SNAP_OK)
        status = snap_json_field_digest(floats, "state", "tree1", what, digest, err);
    snap_data_doc_release(&files);
    return status;
}

enum snap_status snap_ledger_check_step(const json_t *document, const char *what, uint64_t *step,
                                        struct snap_error *err)
{
    const json_t *host;
    const json_t *floats;
    const json_t *skipped;
    uint64_t epoch;
    enum snap_status status;

    status = snap_json_check_keys(document, "chain float host host_chain", what, err);
    if (status == SNAP_OK)
        status = chain_fields(document, what, err);
    if (status == SNAP_OK)
        status = snap_json_field(document, "host", JSON_OBJECT, what, &host, err);
    if (status == SNAP_OK)
        status = snap_json_field(document, "float", JSON_OBJECT, what, &floats, err);
    if (status == SNAP_OK) {
        status = snap_json_check_keys(host, "batch? draws epoch samples? scalars step", what, err);
    }
    if (status == SNAP_OK)
        status = snap_json_check_keys(floats, "draws scalars skipped? state? tensors?", what, err);
    if (status == SNAP_OK)
        status = step_field(host, what, step, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(host, "epoch", what, &epoch, err);
    if (status == SNAP_OK)
        status = optional_digest(host, "batch", NULL, what, err);
    if (status == SNAP_OK)
        status = optional_digest(host, "samples", NULL, what, err);
    if (status == SNAP_OK)
        status = optional_digest(floats, "state", "tree1", what, err);
    if (status == SNAP_OK)
        status = check_draws(host, "host", what, err);
    if (status == SNAP_OK)
        status = check_draws(floats, "float", what, err);
    if (status == SNAP_OK)
        status = check_scalars(host, "host", what, err);
    if (status == SNAP_OK)
        status = check_scalars(floats, "float", what, err);
    if (status == SNAP_OK)
        status = check_tensors(floats, what, err);
    if (status != SNAP_OK)
        return status;
    skipped = json_object_get(floats, "skipped");
    if (skipped != NULL && !json_is_true(skipped)) {
        return snap_error_set(err, SNAP_CORRUPT, "%s: float.skipped: something else than true",
                              what);
    }
    return SNAP_OK;
}
