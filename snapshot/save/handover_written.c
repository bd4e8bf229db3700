/* SPDX-License-Identifier: Apache-2.0 */
/* What the next snapshot is compared with: it goes to the agent with a save, and comes back. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "save/handover.h"

#define WHAT "handover: written"

json_t *snap_written_encode(const struct snap_written *written)
{
    json_t *moving = written->moving.known
                         ? json_pack("{s:o, s:o}", "digest",
                                     snap_json_digest(NULL, written->moving.digest), "step",
                                     snap_json_u64(written->moving.step))
                         : json_null();
    return json_pack("{s:{s:o, s:s, s:s}, s:o, s:o}", "base", "followers",
                     snap_json_u64(written->base.followers), "hash", written->base.hash, "name",
                     written->base.name, "moving", moving, "stale_step",
                     snap_json_u64(written->stale_step));
}

/* Copy the text under `key` into room for `size` bytes. */
static enum snap_status take_text(const json_t *object, const char *key, char *out, size_t size,
                                  struct snap_error *err)
{
    const char *text;
    enum snap_status status = snap_json_field_string(object, key, WHAT, &text, err);
    if (status == SNAP_OK && strlen(text) >= size)
        status = snap_error_set(err, SNAP_CORRUPT, WHAT ": \"%s\" is too long", key);
    if (status == SNAP_OK)
        snprintf(out, size, "%s", text);
    return status;
}

static enum snap_status take_base(const json_t *value, struct snap_thin_base *base,
                                  struct snap_error *err)
{
    uint64_t step;
    enum snap_status status = snap_json_check_keys(value, "followers hash name", WHAT, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(value, "followers", WHAT, &base->followers, err);
    if (status == SNAP_OK)
        status = take_text(value, "hash", base->hash, sizeof base->hash, err);
    if (status == SNAP_OK)
        status = take_text(value, "name", base->name, sizeof base->name, err);
    if (status == SNAP_OK && base->name[0] != '\0' &&
        (strncmp(base->name, "snapshots/", 10) != 0 ||
         !snap_snapshot_name_parse(base->name + 10, &step)))
        status = snap_error_set(err, SNAP_CORRUPT, WHAT ": the base is no name of a snapshot");
    return status;
}

enum snap_status snap_written_decode(const json_t *value, struct snap_written *written,
                                     struct snap_error *err)
{
    struct snap_written read = { .stale_step = 0 };
    const json_t *moving = json_object_get(value, "moving");
    enum snap_status status = snap_json_check_keys(value, "base moving stale_step", WHAT, err);
    if (status == SNAP_OK)
        status = take_base(json_object_get(value, "base"), &read.base, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(value, "stale_step", WHAT, &read.stale_step, err);
    read.moving.known = !json_is_null(moving);
    if (status == SNAP_OK && read.moving.known)
        status = snap_json_check_keys(moving, "digest step", WHAT, err);
    if (status == SNAP_OK && read.moving.known)
        status = snap_json_field_u64(moving, "step", WHAT, &read.moving.step, err);
    if (status == SNAP_OK && read.moving.known)
        status = snap_json_field_digest(moving, "digest", NULL, WHAT, read.moving.digest, err);
    if (status == SNAP_OK)
        *written = read;
    return status;
}
