/* SPDX-License-Identifier: Apache-2.0 */
/* Names of members: which are legal, what kind each is, and their order in the file. */
#ifndef SNAP_FORMAT_MEMBER_NAME_H
#define SNAP_FORMAT_MEMBER_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/archive.h>

#include "format/limits.h"

/* [A-Za-z0-9_][A-Za-z0-9._-]*: a root, an extra, a component of a path. */
bool snap_name_is_word(const char *text, size_t size_bytes);
/* A word of at most 64 bytes: a profile, a stream's kind, a data file's role. */
bool snap_name_is_short_word(const char *text);
bool snap_root_name_is_legal(const char *root);
/* A word, or shard-NNN/word; a word alone must not look like a shard's folder. */
bool snap_stream_name_is_legal(const char *name);
bool snap_extra_name_is_legal(const char *name);

/* The kind of member that a legal name names; false for a name that is not legal. */
bool snap_member_kind_of(const char *name, enum snap_member_kind *kind);
/* The word in the manifest ("tensor"), and back. NULL, false: no such kind. */
const char *snap_member_kind_name(enum snap_member_kind kind);
bool snap_member_kind_from_name(const char *word, enum snap_member_kind *kind);

/* Order in the file: <0, 0, >0. Both names are legal. */
int snap_member_compare(const char *left, const char *right);
/* May its header and content be missing? */
bool snap_member_may_be_withheld(enum snap_member_kind kind);
/* Does a line of STATE hold its digest? Of an extra the caller says. */
bool snap_member_is_in_state(enum snap_member_kind kind);
/* Bytes of content that a member of this kind may have. */
unsigned long long snap_member_max_bytes(enum snap_member_kind kind);

/* The name of part `part` of a storage: "NAME~0003", or NAME itself for a storage of one member. */
void snap_storage_part_name(const char *storage, size_t part_count, size_t part,
                            char name[SNAP_MAX_MEMBER_NAME_BYTES + 1]);
/* Members of a storage of this size: 1 up to 64 MiB. */
size_t snap_storage_part_count(unsigned long long size);
/* Bytes of part `part`. */
size_t snap_storage_part_bytes(unsigned long long size, size_t part);

#endif
