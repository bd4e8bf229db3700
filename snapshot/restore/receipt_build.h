/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a receipt; <snapstate/receipt.h> says what stands in it. */
#ifndef SNAP_RECEIPT_BUILD_H
#define SNAP_RECEIPT_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <snapstate/archive.h>
#include <snapstate/receipt.h>

#include "core/buffer.h"

struct snap_receipt {
    enum snap_tier tier;
    uint64_t step;
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
    char state_hash[SNAP_HASH_TEXT_BYTES];
    json_t *components;
    json_t *reasons;
    struct snap_buffer json;
    struct snap_buffer table;
};

enum snap_status snap_receipt_new(const struct snap_archive *archive, struct snap_receipt **receipt,
                                  struct snap_error *err);

/* Add a component; `why` may be NULL. Its place in the list is its index. */
enum snap_status snap_receipt_add(struct snap_receipt *receipt, const char *kind, const char *name,
                                  const char *action, const char *why, struct snap_error *err);
/* Component `index` was restored; one digest more of it. */
enum snap_status snap_receipt_restored(struct snap_receipt *receipt, size_t index,
                                       const unsigned char sha256[SNAP_DIGEST_BYTES],
                                       struct snap_error *err);
/* Lower the tier to at most `tier`, and say why. */
enum snap_status snap_receipt_lower(struct snap_receipt *receipt, enum snap_tier tier,
                                    struct snap_error *err, const char *format, ...)
    SNAP_PRINTF(4, 5);

/* Make the two texts. */
enum snap_status snap_receipt_finish(struct snap_receipt *receipt, enum snap_tier required,
                                     bool restored, const struct snap_archive *archive,
                                     struct snap_error *err);

#endif
