/* SPDX-License-Identifier: Apache-2.0 */
/* How much a restore can promise of the next step, once the parts of the state are matched. */
#include "config.h"

#include <string.h>

#include "ledger/json_differences.h"
#include "restore/restore_match.h"
#include "run/rank_streams.h"

/* The state here, with the archive's scalars, must be the archive's state.json to the byte: that
 * also sees the order of entries, requires_grad, and whatever was not compared one by one. */
static enum snap_status match_document(struct snap_restore *restore, struct snap_error *err)
{
    struct snap_state_doc doc = SNAP_STATE_DOC_INIT;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    const struct snap_state_doc *there = snap_archive_state_doc(restore->archive);
    enum snap_status status =
        snap_inventory_state_doc(&restore->run->inventory, there->profile, there->binding,
                                 there->training, restore->scalars, &doc, err);
    if (status == SNAP_OK)
        status = snap_state_doc_encode(&doc, &text, err);
    const char *theirs = snap_archive_json(restore->archive, "state.json");
    if (status == SNAP_OK && strcmp((const char *)text.data, theirs) != 0 &&
        !(restore->other_ranks &&
          snap_rank_streams_alone_differ(theirs, (const char *)text.data)))
        status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                    "the tree has another "
                                    "shape here: order of registration, requires_grad or nesting");
    snap_state_doc_release(&doc);
    snap_buffer_release(&text);
    return status;
}

bool snap_same_training(const json_t *there, const json_t *here)
{
    if (there == NULL || json_is_null(there))
        return here == NULL || json_is_null(here);
    return here != NULL && json_equal(there, here);
}

struct binding_facts {
    struct snap_restore *restore;
    enum snap_status status;
    struct snap_error *err;
};

/* A fact of the binding, a reason each: together they are the table of what differs. */
static void fact_differs(void *arg, const char *path, const json_t *there, const json_t *here)
{
    struct binding_facts *facts = arg;
    char there_text[120];
    char here_text[120];
    if (facts->status != SNAP_OK)
        return;
    snap_json_value_text(there, there_text, sizeof there_text);
    snap_json_value_text(here, here_text, sizeof here_text);
    facts->status = snap_receipt_lower(facts->restore->receipt, SNAP_TIER_STREAMS, facts->err,
                                       "the binding is another one: %s is %s in the archive, and "
                                       "%s here", path, there_text, here_text);
}

/* Profile, training config and binding: what the next step follows from, beside the state. */
static enum snap_status match_binding(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_state_doc *there = snap_archive_state_doc(restore->archive);
    const struct snap_run *run = restore->run;
    if (strcmp(there->profile, run->profile) != 0)
        return snap_receipt_lower(restore->receipt, SNAP_TIER_STREAMS, err,
                                  "the profile is %s in the archive, and %s here", there->profile,
                                  run->profile);
    if (strcmp(run->profile, "none") == 0)
        return snap_receipt_lower(restore->receipt, SNAP_TIER_STREAMS, err,
                                  "the profile is none: nothing is promised of the next step");
    if (!snap_same_training(there->training, run->training))
        return snap_receipt_lower(restore->receipt, SNAP_TIER_STREAMS, err,
                                  "the training config is another one here: the next step follows "
                                  "from it too");
    struct binding_facts facts = { restore, SNAP_OK, err };
    snap_json_differences(there->binding, run->binding, fact_differs, &facts);
    return facts.status;
}

static enum snap_status match_weights(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    size_t registered = 0;
    size_t found = 0;
    for (size_t i = 0; i < inventory->tensor_count; i++) {
        if (strcmp(inventory->roots[inventory->tensors[i].root].name, "model") != 0)
            continue;
        registered++;
        found += restore->views[i] != NULL;
    }
    if (found == 0)
        return snap_receipt_lower(restore->receipt, SNAP_TIER_NONE, err,
                                  "no tensor of root model is on both sides");
    if (found < registered)
        return snap_receipt_lower(restore->receipt, SNAP_TIER_NONE, err,
                                  "only %zu of the %zu tensors of root model are in the archive as "
                                  "they are here",
                                  found, registered);
    return SNAP_OK;
}

enum snap_status snap_restore_match_promise(struct snap_restore *restore, struct snap_error *err)
{
    enum snap_status status = match_binding(restore, err);
    if (status == SNAP_OK && restore->receipt->tier >= SNAP_TIER_STREAMS)
        status = match_document(restore, err);
    if (status == SNAP_OK && restore->receipt->tier == SNAP_TIER_WEIGHTS)
        status = match_weights(restore, err);
    return status;
}
