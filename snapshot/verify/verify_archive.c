/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict on archives: their content, what of it is not there, and a hash from elsewhere. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "core/hex.h"
#include "format/archive_fill.h"
#include "format/json_fields.h"
#include "ledger/ledger_line.h"
#include "verify/evidence.h"
#include "verify/verdict.h"

enum snap_status snap_check_hash_text(const char *hash, struct snap_error *err)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    const char *colon = strchr(hash, ':');
    size_t prefix = colon == NULL ? 0 : (size_t)(colon - hash);
    bool known = (prefix == 5 && strncmp(hash, "snap1", 5) == 0) ||
                 (prefix == 6 && strncmp(hash, "state1", 6) == 0) ||
                 (prefix == 4 && strncmp(hash, "run1", 4) == 0);
    if (!known || strlen(colon + 1) != 2 * SNAP_DIGEST_BYTES ||
        !snap_hex_decode(colon + 1, 2 * SNAP_DIGEST_BYTES, digest))
        return snap_error_set(err, SNAP_INVALID,
                              "\"%.100s\": is no hash: snap1:, state1: or run1: "
                              "and 64 hex digits",
                              hash);
    return SNAP_OK;
}

/* ---- volumes ---- */

enum snap_status snap_verify_volumes(struct snap_verdict *verdict, const char *check,
                                     const struct snap_archive *archive, bool allowed,
                                     struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t v = 0; status == SNAP_OK && v < snap_archive_volume_count(archive); v++) {
        struct snap_error cause = SNAP_ERROR_INIT;
        bool present = false;
        size_t absent = 0;
        const char *name = snap_archive_volume(archive, v, &present);
        for (size_t i = 0; !present && i < snap_archive_member_count(archive); i++) {
            const struct snap_member *member = snap_archive_member(archive, i);
            absent += member->volume != NULL && strcmp(member->volume, name) == 0 &&
                      snap_member_is_absent(member);
        }
        if (present)
            continue;
        snap_error_set(&cause, SNAP_ABSENT, "volume %s is not there, and with it %zu members", name,
                       absent);
        if (absent == 0)
            status = snap_verdict_ok(verdict, true, err, check,
                                     "volume %s is not there; its members are read from elsewhere",
                                     name);
        else if (allowed)
            status = snap_verdict_ok(verdict, true, err, check, "%s", cause.text);
        else
            status = snap_verdict_failed(verdict, check, SNAP_ABSENT, &cause, err);
    }
    return status;
}

/* ---- the verdict ---- */

static enum snap_status note_withheld(struct snap_verdict *verdict,
                                      const struct snap_archive *archive, bool allowed,
                                      struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    size_t count = snap_archive_absent_count(archive);
    size_t elsewhere = snap_archive_withheld_count(archive) - count;
    size_t fillers;
    const char *const *filled_by = snap_archive_filled_by(archive, &fillers);
    const char *first = NULL;
    enum snap_status status = snap_verify_volumes(verdict, "volumes", archive, allowed, err);
    if (status == SNAP_OK && elsewhere > 0)
        status = snap_verdict_ok(verdict, true, err, "thin",
                                 "%zu members are withheld, and read from %s%s", elsewhere,
                                 filled_by[0], fillers > 1 ? " and others" : "");
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (!snap_member_is_absent(member))
            continue;
        if (first == NULL)
            first = member->name;
        status = snap_json_append(verdict->withheld, json_string(member->name), err);
    }
    if (status != SNAP_OK || count == 0)
        return status;
    if (allowed)
        return snap_verdict_ok(verdict, true, err, "withheld", "%zu members, the first is %s",
                               count, first);
    snap_error_set(&cause, SNAP_ABSENT, "%zu members are withheld, the first is %s", count, first);
    return snap_verdict_failed(verdict, "withheld", SNAP_ABSENT, &cause, err);
}

static enum snap_status compare_expected(struct snap_verdict *verdict,
                                         const struct snap_evidence *evidence,
                                         const char *expected, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    const char *found = NULL;
    for (size_t i = 0; i < evidence->count; i++) {
        const struct snap_evidence_node *node = &evidence->nodes[i];
        found = strncmp(expected, "state1:", 7) == 0 ? node->state
                : strncmp(expected, "run1:", 5) == 0 ? node->run
                                                     : node->snapshot;
        if (strcmp(found, expected) == 0)
            return snap_verdict_ok(verdict, false, err, "expected hash",
                                   "is that of step %" PRIu64, node->step);
    }
    if (evidence->count == 1)
        snap_error_set(&cause, SNAP_DIFFERS, "the archive has %s, and %s was expected", found,
                       expected);
    else
        snap_error_set(&cause, SNAP_DIFFERS, "%s is that of none of the archives", expected);
    return snap_verdict_failed(verdict, "expected hash", SNAP_DIFFERS, &cause, err);
}

static enum snap_status check_all(struct snap_verdict *verdict, const struct snap_archive *archive,
                                  const struct snap_verify_options *options,
                                  struct snap_evidence *evidence, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    size_t lines;
    bool state_checked;
    size_t members = snap_archive_member_count(archive);
    size_t absent = snap_archive_absent_count(archive);
    enum snap_status status =
        snap_verify_content(archive, options->pool, &lines, &state_checked, &cause);
    if (status != SNAP_OK)
        return snap_verdict_failed(verdict, "content", status, &cause, err);
    status = snap_verdict_ok(verdict, false, err, "digests", "%zu members", members - absent);
    if (status == SNAP_OK)
        status = snap_verdict_ok(verdict, false, err, "second reader",
                                 "libarchive finds the same "
                                 "members");
    if (status == SNAP_OK && !snap_archive_find(archive, SNAP_LEDGER_FILE)->withheld)
        status = snap_verdict_ok(verdict, false, err, "ledger", "%zu lines, the chain reaches %s",
                                 lines, snap_archive_run_hash(archive));
    if (status == SNAP_OK && state_checked)
        status = snap_verdict_ok(verdict, false, err, "state digest",
                                 "the state is the one that the "
                                 "ledger's last line names");
    if (status == SNAP_OK)
        status = note_withheld(verdict, archive, options->allow_withheld, err);
    if (status == SNAP_OK)
        status = snap_evidence_add_archive(evidence, archive, lines, state_checked, err);
    return status;
}

static enum snap_status check_only(struct snap_verdict *verdict, const struct snap_archive *archive,
                                   const char *name, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    const struct snap_member *member = snap_archive_find(archive, name);
    enum snap_status status;
    if (member == NULL)
        status = snap_error_set(&cause, SNAP_NOT_FOUND, "%.200s: no member has this name", name);
    else
        status = snap_archive_read_pieces(archive, member, NULL, NULL, &cause);
    if (status != SNAP_OK)
        return snap_verdict_failed(verdict, "member", status, &cause, err);
    return snap_verdict_ok(verdict, false, err, "member",
                           "%s: %" PRIu64 " bytes as SHA256SUMS says", name, member->data_size);
}

/* All of one archive but the expected hash. */
static enum snap_status verify(struct snap_verdict *verdict, const char *path,
                               const struct snap_verify_options *options,
                               struct snap_evidence *evidence, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_archive *archive = NULL;
    enum snap_status status = snap_archive_open(path, &archive, &cause);
    if (status != SNAP_OK)
        return snap_verdict_failed(verdict, "structure", status, &cause, err);
    status = snap_verdict_hashes(verdict, archive, err);
    if (status == SNAP_OK)
        status = snap_verdict_ok(verdict, false, err, "structure",
                                 "a %s of step %" PRIu64 " of run "
                                 "%s, %zu members",
                                 snap_archive_kind(archive), snap_archive_step(archive),
                                 snap_archive_run_id(archive), snap_archive_member_count(archive));
    if (status == SNAP_OK && options->only != NULL)
        status = check_only(verdict, archive, options->only, err);
    if (status == SNAP_OK && options->only != NULL)
        status = snap_evidence_add_archive(evidence, archive, 0, false, err);
    else if (status == SNAP_OK)
        status = check_all(verdict, archive, options, evidence, err);
    snap_archive_close(archive);
    return status;
}

/* Archives of two runs prove nothing of each other. */
static enum snap_status belong_together(struct snap_verdict *verdict, const char *const *paths,
                                        size_t count, struct snap_error *err)
{
    struct snap_archive *first = NULL;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = SNAP_OK;
    if (snap_archive_open(paths[0], &first, NULL) != SNAP_OK)
        return SNAP_OK; /* what is wrong with it was told */
    for (size_t i = 1; status == SNAP_OK && i < count; i++) {
        struct snap_archive *other = NULL;
        if (snap_archive_open(paths[i], &other, NULL) != SNAP_OK)
            continue;
        if (strcmp(snap_archive_run_id(first), snap_archive_run_id(other)) != 0) {
            snap_error_set(&cause, SNAP_DIFFERS, "%s is of run %s, and %s is of run %s", paths[i],
                           snap_archive_run_id(other), paths[0], snap_archive_run_id(first));
            status = snap_verdict_failed(verdict, "run", SNAP_DIFFERS, &cause, err);
        }
        snap_archive_close(other);
    }
    snap_archive_close(first);
    return status;
}

enum snap_status snap_verify_archives(const char *const *paths, size_t count,
                                      const struct snap_verify_options *options,
                                      struct snap_verdict **verdict, struct snap_error *err)
{
    struct snap_verify_options none = SNAP_VERIFY_OPTIONS_INIT;
    struct snap_evidence evidence = SNAP_EVIDENCE_INIT;
    struct snap_verdict *made = NULL;
    if (options == NULL)
        options = &none;
    if (paths == NULL || count == 0 || paths[0] == NULL || options->size_bytes != sizeof *options)
        return snap_error_set(err, SNAP_INVALID,
                              "verify: no path, or options that are not "
                              "SNAP_VERIFY_OPTIONS_INIT");
    enum snap_status status = SNAP_OK;
    if (options->expected != NULL)
        status = snap_check_hash_text(options->expected, err);
    if (status == SNAP_OK)
        status = snap_verdict_new(&made, err);
    for (size_t i = 0; status == SNAP_OK && i < count; i++)
        status = verify(made, paths[i], options, &evidence, err);
    if (status == SNAP_OK && count > 1)
        status = belong_together(made, paths, count, err);
    if (status == SNAP_OK && options->expected != NULL && evidence.count > 0)
        status = compare_expected(made, &evidence, options->expected, err);
    if (status == SNAP_OK && options->only == NULL && evidence.count > 0)
        status = snap_evidence_judge(&evidence, options->expected, made, err);
    snap_evidence_release(&evidence);
    return snap_verdict_give(made, status, count == 1 ? "archive" : "archives", paths[0], verdict,
                             err);
}

enum snap_status snap_verify_archive(const char *path, const struct snap_verify_options *options,
                                     struct snap_verdict **verdict, struct snap_error *err)
{
    return snap_verify_archives(&path, 1, options, verdict, err);
}
