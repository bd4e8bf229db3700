/* SPDX-License-Identifier: Apache-2.0 */
/* How far a hash reaches: a snapshot hash to that snapshot, and by parents to the genesis; a state
 * hash to one state; a run hash to the ledger, and by its state digests to tensors. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "verify/evidence.h"

/* Where the judging starts, and what was met on the way back from there. */
struct reach {
    struct snap_evidence *evidence;
    const char *expected; /* NULL: none */
    bool anchored;        /* `expected` names something that is here */
    bool by_run;
    bool by_state;
    struct snap_evidence_node *start; /* NULL: the ledger alone */
    uint64_t step;
    /* The way back. */
    size_t snapshots;
    size_t members;
    size_t absent;
    size_t listings; /* snapshots of which only listings are here */
    bool at_genesis;
    uint64_t first_line; /* ledger lines from here to `step`, without a gap */
    bool has_lines;
    bool from_genesis;
    const struct snap_evidence_node *last; /* the end of the way */
};

/* ---- from the hash to the evidence ---- */

static void find_run_line(struct reach *reach)
{
    const struct snap_ledger *ledger = reach->evidence->ledger;
    for (size_t i = 0; ledger != NULL && i < snap_ledger_line_count(ledger); i++)
        if (strcmp(snap_ledger_chain(ledger, i), reach->expected + strlen("run1:")) == 0) {
            reach->anchored = true;
            reach->step = snap_ledger_first_step(ledger) + i;
        }
}

/* The snapshot furthest on whose ledger line is not past the step. */
static struct snap_evidence_node *newest(const struct snap_evidence *evidence, uint64_t step)
{
    struct snap_evidence_node *found = NULL;
    for (size_t i = 0; i < evidence->count; i++) {
        struct snap_evidence_node *node = &evidence->nodes[i];
        if (node->step <= step && (found == NULL || node->step > found->step))
            found = node;
    }
    return found;
}

static void find_start(struct reach *reach)
{
    const struct snap_evidence *evidence = reach->evidence;
    reach->by_run = reach->expected != NULL && strncmp(reach->expected, "run1:", 5) == 0;
    reach->by_state = reach->expected != NULL && strncmp(reach->expected, "state1:", 7) == 0;
    for (size_t i = 0; reach->expected != NULL && i < evidence->count; i++) {
        struct snap_evidence_node *node = &evidence->nodes[i];
        const char *hash = reach->by_run ? node->run
                                         : reach->by_state ? node->state : node->snapshot;
        if (strcmp(hash, reach->expected) == 0) {
            reach->anchored = true;
            reach->start = node;
            reach->step = node->step;
        }
    }
    if (reach->by_run && !reach->anchored)
        find_run_line(reach);
    if (reach->start == NULL)
        reach->start = newest(evidence, reach->anchored ? reach->step : UINT64_MAX);
}

/* ---- back to the genesis ---- */

/* The snapshot before, by what the hash vouches for: a snapshot hash for the name of the parent, a
 * run hash for the head that the ledger lines follow on, a state hash for nothing before. */
static struct snap_evidence_node *step_back(const struct reach *reach,
                                            const struct snap_evidence_node *node)
{
    const struct snap_evidence *evidence = reach->evidence;
    if (reach->by_state)
        return NULL;
    if (!reach->by_run)
        return snap_evidence_find(evidence, node->parent);
    for (size_t i = 0; node->before[0] != '\0' && i < evidence->count; i++)
        if (strcmp(evidence->nodes[i].run, node->before) == 0)
            return &evidence->nodes[i];
    return NULL;
}

static void take_lines(struct reach *reach, const struct snap_evidence_node *node)
{
    if (!node->has_lines || reach->from_genesis ||
        (reach->has_lines && node->step + 1 < reach->first_line))
        return;
    reach->has_lines = true;
    reach->first_line = node->first_line;
    reach->from_genesis = node->has_genesis;
}

static void walk(struct reach *reach)
{
    struct snap_evidence_node *node = reach->start;
    const struct snap_ledger *ledger = reach->evidence->ledger;
    /* A loop cannot be made without breaking SHA-256; the count ends it all the same. */
    while (node != NULL && reach->snapshots < reach->evidence->count) {
        node->reached = true;
        reach->snapshots++;
        reach->members += node->members;
        reach->absent += node->is_listing ? 0 : node->absent;
        reach->listings += node->is_listing;
        reach->last = node;
        take_lines(reach, node);
        if (!reach->by_run && node->parent[0] == '\0') {
            reach->at_genesis = node->knows_manifest;
            break;
        }
        node = step_back(reach, node);
    }
    if (ledger != NULL) {
        reach->has_lines = true;
        reach->from_genesis = true;
        reach->first_line = snap_ledger_first_step(ledger) + 1;
    }
}

/* ---- sentences ---- */

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static enum snap_status judge_unanchored(const struct reach *reach, struct snap_verdict *verdict,
                                         struct snap_error *err)
{
    if (reach->expected != NULL)
        return snap_verdict_part(verdict, SNAP_STANDING_ABSENT, err, "hash",
                                 "%s is nowhere in what is here: it proves nothing of it",
                                 reach->expected);
    return snap_verdict_part(verdict, SNAP_STANDING_TRUST, err, "hash",
                             "none was given: all that is here agrees with itself, and whether it "
                             "is what its author made is not known");
}

static enum snap_status judge_content(const struct reach *reach, struct snap_verdict *verdict,
                                      struct snap_error *err)
{
    const struct snap_evidence *evidence = reach->evidence;
    size_t tied = 0, loose = 0;
    enum snap_status status = SNAP_OK;
    if (!reach->by_run && !reach->by_state)
        return snap_verdict_part(verdict, SNAP_STANDING_PROVEN, err, "content",
                                 "%zu member%s of %zu snapshot%s, byte for byte", reach->members,
                                 plural(reach->members), reach->snapshots,
                                 plural(reach->snapshots));
    if (reach->by_state)
        return snap_verdict_part(verdict, SNAP_STANDING_PROVEN, err, "content",
                                 "the members of STATE that are here, byte for byte; the others "
                                 "are outside a state hash");
    for (size_t i = 0; i < evidence->count; i++) {
        const struct snap_evidence_node *node = &evidence->nodes[i];
        /* On the chain: every archive beside a ledger was compared with it. */
        bool is_tied = node->step <= reach->step && node->state_checked &&
                       (node->reached || evidence->ledger != NULL);
        tied += is_tied;
        loose += !is_tied;
    }
    if (tied > 0)
        status = snap_verdict_part(verdict, SNAP_STANDING_PROVEN, err, "content",
                                   "tensors, streams and place in the data of %zu snapshot%s: a "
                                   "ledger line has their state digest",
                                   tied, plural(tied));
    if (status == SNAP_OK && loose > 0)
        status = snap_verdict_part(verdict, SNAP_STANDING_TRUST, err, "content",
                                   "of %zu snapshot%s: no state digest up to the run hash is of "
                                   "%s",
                                   loose, plural(loose), loose == 1 ? "it" : "them");
    return status;
}

static enum snap_status judge_ledger(const struct reach *reach, struct snap_verdict *verdict,
                                     struct snap_error *err)
{
    if (!reach->has_lines || reach->by_state)
        return snap_verdict_part(verdict, SNAP_STANDING_ABSENT, err, "ledger",
                                 reach->has_lines ? "a state hash does not reach it"
                                                  : "no line of it is here");
    if (reach->from_genesis)
        return snap_verdict_part(verdict, SNAP_STANDING_PROVEN, err, "ledger",
                                 "config, seeds, data digests, and what is recorded of steps "
                                 "%" PRIu64 " to %" PRIu64,
                                 reach->first_line, reach->step);
    return snap_verdict_part(verdict, SNAP_STANDING_PROVEN, err, "ledger",
                             "what is recorded of steps %" PRIu64 " to %" PRIu64 "; lines before "
                             "are not here",
                             reach->first_line, reach->step);
}

static enum snap_status judge_walk(const struct reach *reach, struct snap_verdict *verdict,
                                   struct snap_error *err)
{
    if (reach->last == NULL || reach->by_state || reach->by_run)
        return SNAP_OK;
    if (reach->at_genesis)
        return snap_verdict_part(verdict, SNAP_STANDING_PROVEN, err, "walk",
                                 "%zu snapshot%s from step %" PRIu64 " back to the genesis, each "
                                 "named by the next",
                                 reach->snapshots, plural(reach->snapshots), reach->start->step);
    if (!reach->last->knows_manifest)
        return snap_verdict_part(verdict, SNAP_STANDING_ABSENT, err, "walk",
                                 "the listing's manifest.json is not here: what came before is not "
                                 "known");
    return snap_verdict_part(verdict, SNAP_STANDING_ABSENT, err, "walk",
                             "it ends at step %" PRIu64 ": the snapshot before, %s, is not here",
                             reach->last->step, reach->last->parent);
}

static enum snap_status judge_later(const struct reach *reach, struct snap_verdict *verdict,
                                    struct snap_error *err)
{
    const struct snap_ledger *ledger = reach->evidence->ledger;
    size_t later = 0, aside = 0;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < reach->evidence->count; i++) {
        const struct snap_evidence_node *node = &reach->evidence->nodes[i];
        later += node->step > reach->step;
        aside += node->step <= reach->step && !node->reached;
    }
    if (aside > 0 && !reach->by_run)
        status = snap_verdict_part(verdict, SNAP_STANDING_TRUST, err, "other snapshots",
                                   "%zu that the hash does not lead to", aside);
    if (status == SNAP_OK && later > 0)
        status = snap_verdict_part(verdict, SNAP_STANDING_TRUST, err, "later snapshots",
                                   "%zu after step %" PRIu64 ", which the hash does not reach",
                                   later, reach->step);
    if (status == SNAP_OK && ledger != NULL && snap_ledger_last_step(ledger) > reach->step)
        status = snap_verdict_part(verdict, SNAP_STANDING_TRUST, err, "later lines",
                                   "of steps %" PRIu64 " to %" PRIu64 ", which the hash does not "
                                   "reach",
                                   reach->step + 1, snap_ledger_last_step(ledger));
    return status;
}

/* What no hash can prove. */
static enum snap_status judge_author(const struct reach *reach, struct snap_verdict *verdict,
                                     struct snap_error *err)
{
    const struct snap_evidence_node *start = reach->start;
    enum snap_status status = snap_verdict_part(
        verdict, SNAP_STANDING_TRUST, err, "execution",
        "that this training took place: no stretch of it was replayed");
    if (status == SNAP_OK && start != NULL && start->knows_manifest)
        status = snap_verdict_part(verdict, SNAP_STANDING_TRUST, err, "coverage",
                                   "that nothing else decides the next step: the author's "
                                   "statement, with %zu thing%s named as not captured",
                                   start->not_captured, plural(start->not_captured));
    return status;
}

static enum snap_status judge_absent(const struct reach *reach, struct snap_verdict *verdict,
                                     struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (reach->absent > 0)
        status = snap_verdict_part(verdict, SNAP_STANDING_ABSENT, err, "members",
                                   "%zu withheld; whoever has them can prove that they belong here",
                                   reach->absent);
    if (status == SNAP_OK && reach->listings > 0)
        status = snap_verdict_part(verdict, SNAP_STANDING_ABSENT, err, "snapshots",
                                   "the content of %zu, of which the listing alone is here",
                                   reach->listings);
    if (status == SNAP_OK && reach->has_lines && reach->from_genesis)
        status = snap_verdict_part(verdict, SNAP_STANDING_ABSENT, err, "data files",
                                   "only their digests are here");
    return status;
}

enum snap_status snap_evidence_judge(struct snap_evidence *evidence, const char *expected,
                                     struct snap_verdict *verdict, struct snap_error *err)
{
    struct reach reach = { .evidence = evidence, .expected = expected };
    enum snap_status status = SNAP_OK;
    find_start(&reach);
    walk(&reach);
    if (!reach.anchored) {
        status = judge_unanchored(&reach, verdict, err);
    } else {
        status = judge_content(&reach, verdict, err);
        if (status == SNAP_OK)
            status = judge_ledger(&reach, verdict, err);
        if (status == SNAP_OK)
            status = judge_walk(&reach, verdict, err);
        if (status == SNAP_OK)
            status = judge_later(&reach, verdict, err);
    }
    if (status == SNAP_OK)
        status = judge_author(&reach, verdict, err);
    if (status == SNAP_OK)
        status = judge_absent(&reach, verdict, err);
    return status;
}
