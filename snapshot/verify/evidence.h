/* SPDX-License-Identifier: Apache-2.0 */
/* What lies before a reader - archives, listings, a ledger - and how far one hash from elsewhere
 * reaches in it: what is proven, what is taken on trust, and what is absent. */
#ifndef SNAP_EVIDENCE_H
#define SNAP_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/ledger.h>

#include "format/manifest.h"
#include "verify/verdict.h"

/* One snapshot, or what is there of it. Everything agrees with its own hashes already. */
struct snap_evidence_node {
    char snapshot[SNAP_HASH_TEXT_BYTES]; /* "": only its STATE is known */
    char state[SNAP_HASH_TEXT_BYTES];
    char run[SNAP_HASH_TEXT_BYTES];    /* "": its manifest is not here */
    char parent[SNAP_HASH_TEXT_BYTES]; /* "": it has none, or its manifest is not here */
    char before[SNAP_HASH_TEXT_BYTES]; /* run hash that its ledger lines follow on; "": none here */
    uint64_t step;
    bool knows_manifest;
    size_t members;      /* whose content is here */
    size_t absent;       /* members listed, whose content is not here */
    bool is_listing;     /* nothing of its content but what names the rest is here */
    bool state_checked;  /* its content is the one that a ledger line's state digest names */
    bool has_lines;      /* ledger lines are in it: */
    uint64_t first_line; /* from this step on; with has_genesis, from the genesis line on */
    bool has_genesis;
    bool reached;        /* set by the judge: the way back from the hash leads here */
    size_t not_captured; /* what its coverage statement says is not in it */
};

struct snap_evidence {
    struct snap_evidence_node *nodes; /* owned; in the order of adding */
    size_t count;
    const struct snap_ledger *ledger; /* of the folder; borrowed, NULL: there is none */
};
#define SNAP_EVIDENCE_INIT { .count = 0 }

/* An archive that snap_verify_content has passed; `lines` of its ledger were read (0 with a ledger
 * that is withheld). */
enum snap_status snap_evidence_add_archive(struct snap_evidence *evidence,
                                           const struct snap_archive *archive, size_t lines,
                                           bool state_checked, struct snap_error *err);
/* A listing of which `present` members are here, and `absent` are not; `contents` of those here are
 * more than lists of the others. `manifest` NULL: it is not
 * here. `snapshot` or `state` may be "". */
enum snap_status snap_evidence_add_listing(struct snap_evidence *evidence, const char *snapshot,
                                           const char *state, const struct snap_manifest *manifest,
                                           size_t present, size_t absent, size_t contents,
                                           struct snap_error *err);
/* One that another evidence has. */
enum snap_status snap_evidence_add(struct snap_evidence *evidence,
                                   const struct snap_evidence_node *node, struct snap_error *err);
/* The first node of that snapshot; NULL: it is not here. */
struct snap_evidence_node *snap_evidence_find(const struct snap_evidence *evidence,
                                              const char *snapshot);
void snap_evidence_release(struct snap_evidence *evidence);

/* Say of each part where it stands, in `verdict`. `expected`: the hash from elsewhere, NULL when
 * none was given: then nothing is proven, however well it all agrees with itself. */
enum snap_status snap_evidence_judge(struct snap_evidence *evidence, const char *expected,
                                     struct snap_verdict *verdict, struct snap_error *err);

#endif
