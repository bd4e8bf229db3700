/* SPDX-License-Identifier: Apache-2.0 */
/* What archives are called in a store (docs/format.md, "A store"): by step and snapshot hash, so
 * that a name never stands for other bytes. */
#ifndef SNAP_STORED_NAME_H
#define SNAP_STORED_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/store.h>

#define SNAP_STORED_FOLDER "archives"
#define SNAP_STORED_LATEST "latest"
#define SNAP_MAX_STORED_LATEST_BYTES 4096u

struct snap_stored_name {
    bool capsule;
    bool partial; /* members that nobody had are absent */
    uint64_t step;
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
};

/* "step-0000000100-HEX.snap.tar", "capsule-...": HEX are the digits of the snapshot hash. Where
 * members are absent "-without-" and 16 digits stand before the suffix: of the SHA-256 over their
 * names, a line each. `name` is without the folder. */
enum snap_status snap_stored_name_make(const struct snap_archive *archive,
                                       char name[SNAP_STORED_NAME_BYTES], struct snap_error *err);
/* False: no such name. */
bool snap_stored_name_parse(const char *name, struct snap_stored_name *stored);

#endif
