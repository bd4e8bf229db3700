/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "digest/sha256.h"
#include "folder/stored_name.h"
#include "format/archive_fill.h"

#define SUFFIX ".snap.tar"
#define WITHOUT "-without-"
#define WITHOUT_DIGITS 16
#define HASH_DIGITS (2 * SNAP_DIGEST_BYTES)
#define HASH_PREFIX "snap1:"

static enum snap_status digest_absent(const struct snap_archive *archive,
                                      char digits[HASH_DIGITS + 1], struct snap_error *err)
{
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES] = { 0 };
    enum snap_status status = snap_sha256_begin(&context, err);
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (!snap_member_is_absent(member))
            continue;
        status = snap_sha256_update(&context, member->name, strlen(member->name), err);
        if (status == SNAP_OK)
            status = snap_sha256_update(&context, "\n", 1, err);
    }
    if (status == SNAP_OK)
        status = snap_sha256_finish(&context, digest, err);
    snap_sha256_release(&context);
    snap_hex_encode(digest, sizeof digest, digits);
    return status;
}

enum snap_status snap_stored_name_make(const struct snap_archive *archive,
                                       char name[SNAP_STORED_NAME_BYTES], struct snap_error *err)
{
    char digits[HASH_DIGITS + 1] = "";
    bool partial = snap_archive_absent_count(archive) > 0;
    enum snap_status status = partial ? digest_absent(archive, digits, err) : SNAP_OK;
    snprintf(name, SNAP_STORED_NAME_BYTES, "%s-%010" PRIu64 "-%s%s%.*s" SUFFIX,
             strcmp(snap_archive_kind(archive), "capsule") == 0 ? "capsule" : "step",
             snap_archive_step(archive),
             snap_archive_snapshot_hash(archive) + strlen(HASH_PREFIX), partial ? WITHOUT : "",
             WITHOUT_DIGITS, digits);
    return status;
}

/* The number that `text` begins with, and what follows; it has 10 digits, or more without zeros
 * before. */
static const char *parse_step(const char *text, uint64_t *step)
{
    char again[32];
    size_t digits = strspn(text, "0123456789");
    uint64_t value = 0;
    if (digits < 10 || digits > 20)
        return NULL;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    snprintf(again, sizeof again, "%010" PRIu64, value);
    if (strlen(again) != digits || strncmp(again, text, digits) != 0)
        return NULL; /* past 2^64, or another name for one step */
    *step = value;
    return text + digits;
}

bool snap_stored_name_parse(const char *name, struct snap_stored_name *stored)
{
    static const char hex[] = "0123456789abcdef";
    struct snap_stored_name made = { .capsule = strncmp(name, "capsule-", 8) == 0 };
    const char *rest = name + (made.capsule ? 8 : 5);
    if (!made.capsule && strncmp(name, "step-", 5) != 0)
        return false;
    rest = parse_step(rest, &made.step);
    if (rest == NULL || rest[0] != '-' || strspn(rest + 1, hex) != HASH_DIGITS)
        return false;
    snprintf(made.snapshot_hash, sizeof made.snapshot_hash, HASH_PREFIX "%.*s", HASH_DIGITS,
             rest + 1);
    rest += 1 + HASH_DIGITS;
    made.partial = strncmp(rest, WITHOUT, strlen(WITHOUT)) == 0;
    if (made.partial) {
        rest += strlen(WITHOUT);
        if (strspn(rest, hex) != WITHOUT_DIGITS)
            return false;
        rest += WITHOUT_DIGITS;
    }
    if (strcmp(rest, SUFFIX) != 0)
        return false;
    *stored = made;
    return true;
}
