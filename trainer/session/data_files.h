/* SPDX-License-Identifier: Apache-2.0 */
/* The data files of a training: which ones an archive or ledger asks for, where they are, and
 * whether they are the right ones. Files are known by their digest, not by their name. With them
 * comes the binding that the run was made under. */
#ifndef TRN_DATA_FILES_H
#define TRN_DATA_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <snapstate/archive.h>
#include <snapstate/status.h>

#include "config/training_config.h"
#include "data/dataset.h"

struct trn_expected_file {
    bool known;
    unsigned char sha256[SNAP_DIGEST_BYTES];
    uint64_t file_size;
};

/* What is asked for, by role. `any`: nothing is (a new run). A role that is not known in one
 * that asks for something has no file. */
struct trn_expected_files {
    bool any;
    struct trn_expected_file files[TRN_ROLES];
    char *binding; /* of the run's profile, JSON; owned; NULL: a new run */
};
#define TRN_EXPECTED_FILES_INIT { .any = true }

/* From data.json of an archive, or from the genesis line of a ledger: the array `files`.
 * SNAP_UNSUPPORTED: a role that this trainer does not know. To be released. */
enum snap_status trn_expected_from_archive(const struct snap_archive *archive,
                                           struct trn_expected_files *expected,
                                           struct snap_error *err);
enum snap_status trn_expected_from_genesis(const char *line, struct trn_expected_files *expected,
                                           struct snap_error *err);

void trn_expected_release(struct trn_expected_files *expected); /* a zeroed struct is fine */

/* Find the file of `role`: in the folder `data_dir` by its digest (sub-folders are not
 * searched), or, when that is NULL, where the config says, and then it must have the digest.
 * *path is owned by the caller, NULL when the role has no file. SNAP_DIFFERS: another file than
 * asked for, with both digests; SNAP_IO: not found. */
enum snap_status trn_data_find(const struct trn_config *config,
                               const struct trn_expected_files *expected, const char *data_dir,
                               enum trn_role_index role, char **path, struct snap_error *err);

struct trn_data {
    struct trn_dataset train;
    struct trn_dataset test; /* no samples: none was given */
    bool is_text;
};

/* Find and load all. SNAP_INVALID: a role is missing that the config needs. */
enum snap_status trn_data_load(const struct trn_config *config,
                               const struct trn_expected_files *expected, const char *data_dir,
                               struct trn_data *data, struct snap_error *err);
void trn_data_release(struct trn_data *data); /* a zeroed struct is fine */

/* 64 hex digits and a terminator. */
void trn_digest_text(const unsigned char sha256[SNAP_DIGEST_BYTES], char text[65]);

#endif
