/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.json: what the archive is, and size, kind and so the place of every member. */
#ifndef SNAP_FORMAT_MANIFEST_H
#define SNAP_FORMAT_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

#include "core/buffer.h"
#include "format/json_guard.h"

#define SNAP_RUN_ID_DIGITS 16

/* The heads of the two chains after some step. */
struct snap_chain_heads {
    unsigned char run[SNAP_DIGEST_BYTES];
    unsigned char host[SNAP_DIGEST_BYTES];
};

struct snap_manifest_member {
    char *name;
    enum snap_member_kind kind;
    uint64_t size;
    bool in_state; /* its line stands in STATE; follows from the kind but for extras */
};

/* All of it owned by the manifest. */
struct snap_manifest {
    bool capsule; /* "capsule", not "snapshot" */
    char run_id[SNAP_RUN_ID_DIGITS + 1];
    uint64_t step;
    bool has_parent;
    unsigned char parent[SNAP_DIGEST_BYTES]; /* its snapshot hash */
    struct snap_chain_heads after;           /* after `step` */
    bool has_before;
    struct snap_chain_heads before; /* at the parent snapshot, when that is of this run */
    json_t *coverage;               /* {"captured":[..],"not_captured":[..]} */
    json_t *failure;                /* object, in a capsule; else NULL */
    struct snap_manifest_member *members; /* in file order, manifest.json left out */
    size_t member_count;
};
#define SNAP_MANIFEST_INIT { .member_count = 0 }

/* A coverage statement, to be filled: a new reference, NULL when memory is out. */
json_t *snap_coverage_new(void);
enum snap_status snap_coverage_add(json_t *coverage, const char *captured, struct snap_error *err);
enum snap_status snap_coverage_add_not(json_t *coverage, const char *name, const char *reason,
                                       struct snap_error *err);

/* What the text of a manifest may have at most that lists up to `members` members. */
void snap_manifest_bounds(uint64_t members, struct snap_json_bounds *bounds);
/* Append the document. Names and order of the members are checked (SNAP_INVALID). */
enum snap_status snap_manifest_encode(const struct snap_manifest *manifest,
                                      struct snap_buffer *out, struct snap_error *err);
/* Read a document that snap_json_decode gave. Checks everything that can be known from it alone:
 * names legal, unique ignoring case and in order, kinds as the names say, sizes within limits, the
 * members that every archive has. SNAP_CORRUPT; SNAP_UNSUPPORTED for another version. *manifest
 * must be empty; it is filled on success only. */
enum snap_status snap_manifest_decode(const json_t *document, struct snap_manifest *manifest,
                                      struct snap_error *err);
void snap_manifest_release(struct snap_manifest *manifest);

#endif
