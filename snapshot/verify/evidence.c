/* SPDX-License-Identifier: Apache-2.0 */
/* Gathering; evidence_judge.c says what it amounts to. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "digest/sha256.h"
#include "format/archive_read.h"
#include "ledger/ledger_line.h"
#include "verify/evidence.h"

static void take_manifest(struct snap_evidence_node *node, const struct snap_manifest *manifest)
{
    node->knows_manifest = true;
    node->step = manifest->step;
    node->not_captured = json_array_size(json_object_get(manifest->coverage, "not_captured"));
    snap_hash_text("run1", manifest->after.run, node->run);
    if (manifest->has_parent)
        snap_hash_text("snap1", manifest->parent, node->parent);
}

enum snap_status snap_evidence_add(struct snap_evidence *evidence,
                                   const struct snap_evidence_node *node, struct snap_error *err)
{
    struct snap_evidence_node *grown =
        snap_array_grow(evidence->nodes, evidence->count, sizeof *grown);
    if (grown == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "verify: out of memory");
    evidence->nodes = grown;
    grown[evidence->count++] = *node;
    return SNAP_OK;
}

enum snap_status snap_evidence_add_archive(struct snap_evidence *evidence,
                                           const struct snap_archive *archive, size_t lines,
                                           bool state_checked, struct snap_error *err)
{
    const struct snap_manifest *manifest = snap_archive_manifest(archive);
    struct snap_evidence_node node = { .state_checked = state_checked };
    take_manifest(&node, manifest);
    snprintf(node.snapshot, sizeof node.snapshot, "%s", snap_archive_snapshot_hash(archive));
    snprintf(node.state, sizeof node.state, "%s", snap_archive_state_hash(archive));
    node.absent = snap_archive_withheld_count(archive);
    node.members = snap_archive_member_count(archive) - node.absent;
    node.has_genesis = lines > 0 && !manifest->has_before;
    node.has_lines = lines > 0;
    if (node.has_lines && manifest->has_before)
        snap_hash_text("run1", manifest->before.run, node.before);
    node.first_line = manifest->step - (lines - node.has_genesis) + 1;
    return snap_evidence_add(evidence, &node, err);
}

enum snap_status snap_evidence_add_listing(struct snap_evidence *evidence, const char *snapshot,
                                           const char *state, const struct snap_manifest *manifest,
                                           size_t present, size_t absent, size_t contents,
                                           struct snap_error *err)
{
    struct snap_evidence_node node = { .members = present,
                                       .absent = absent,
                                       .is_listing = contents == 0 };
    snprintf(node.snapshot, sizeof node.snapshot, "%s", snapshot);
    snprintf(node.state, sizeof node.state, "%s", state);
    if (manifest != NULL)
        take_manifest(&node, manifest);
    return snap_evidence_add(evidence, &node, err);
}

struct snap_evidence_node *snap_evidence_find(const struct snap_evidence *evidence,
                                              const char *snapshot)
{
    for (size_t i = 0; i < evidence->count; i++)
        if (strcmp(evidence->nodes[i].snapshot, snapshot) == 0)
            return &evidence->nodes[i];
    return NULL;
}

void snap_evidence_release(struct snap_evidence *evidence)
{
    free(evidence->nodes);
    *evidence = (struct snap_evidence)SNAP_EVIDENCE_INIT;
}
