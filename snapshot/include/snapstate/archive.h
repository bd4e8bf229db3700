/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an archive: one snapshot, or one capsule, in a plain tar (docs/format.md). */
#ifndef SNAPSTATE_ARCHIVE_H
#define SNAPSTATE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/pool.h>
#include <snapstate/status.h>
#include <snapstate/tree.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNAP_DIGEST_BYTES 32
/* A hash in words: prefix, ':', 64 hex digits, NUL. */
#define SNAP_HASH_TEXT_BYTES 80

enum snap_member_kind {
    SNAP_MEMBER_README = 1,
    SNAP_MEMBER_MANIFEST = 2,
    SNAP_MEMBER_STATE_JSON = 3,
    SNAP_MEMBER_DATA = 4,
    SNAP_MEMBER_STREAM = 5,
    SNAP_MEMBER_TENSOR = 6,
    SNAP_MEMBER_EXTRA = 7,
    SNAP_MEMBER_ENVIRONMENT = 8,
    SNAP_MEMBER_LEDGER = 9,
    SNAP_MEMBER_STATE_LISTING = 10,
    SNAP_MEMBER_LISTING = 11
};

struct snap_member {
    size_t size_bytes;       /* sizeof(struct snap_member) */
    const char *name;        /* borrowed until the archive is closed */
    enum snap_member_kind kind;
    uint64_t data_size;      /* bytes of its content */
    uint64_t data_offset;    /* of its content in its file; 0 when withheld */
    bool in_state;           /* its digest is a line of STATE */
    bool withheld;           /* listed, and neither in this file nor in a volume that is there */
    bool elsewhere;          /* withheld, and read from an archive that lies beside this one */
    unsigned char sha256[SNAP_DIGEST_BYTES]; /* as SHA256SUMS has it (of SHA256SUMS: computed) */
    /* The volume that has it, a file beside this one, whether that is there or not; NULL: it is not
     * in one. Borrowed until the archive is closed. */
    const char *volume;
};

struct snap_archive;

/* Open `path` and insist on its structure: every tar header is the one that name and size give,
 * names are legal, unique and in order, padding is zero, the length is exact, JSON is canonical
 * and of a known format, listings agree with the manifest; README, manifest, state.json,
 * data.json, STATE and env.json are read and agree with their digests. The content of streams,
 * tensors, extras and the ledger is not read: snap_archive_read and snap_archive_check do that.
 * Where the archive has volumes, the same holds for each that is there; members of one that is not
 * are withheld. Members that are withheld are looked for, by digest, in the files "*.snap.tar" of
 * the same folder, and read from there. SNAP_IO: cannot be opened or read. SNAP_CORRUPT: not such a
 * file (the text names the member). SNAP_UNSUPPORTED: an archive of a newer format. Owned by the
 * caller. */
enum snap_status snap_archive_open(const char *path, struct snap_archive **archive,
                                   struct snap_error *err);
void snap_archive_close(struct snap_archive *archive);

/* Members in the order of the file, withheld ones in their place, manifest.json too. */
size_t snap_archive_member_count(const struct snap_archive *archive);
const struct snap_member *snap_archive_member(const struct snap_archive *archive, size_t index);
/* The member of that name, NULL when there is none. */
const struct snap_member *snap_archive_find(const struct snap_archive *archive, const char *name);

/* Read a member's content into `buffer` (data_size bytes) and compare it with its digest.
 * SNAP_ABSENT when withheld and not elsewhere, SNAP_CORRUPT when the digest differs (the buffer is
 * then filled with bytes not to be used). Safe to call from several threads. */
enum snap_status snap_archive_read(const struct snap_archive *archive,
                                   const struct snap_member *member, void *buffer,
                                   struct snap_error *err);

/* Read members of this archive, in any order and each at most once, into buffers of their
 * data_size bytes, in one pass: the threads of `pool` (NULL: the caller's alone) take every byte to
 * its place, and compare the digests of what is there. SNAP_ABSENT, before anything is read, when
 * one is withheld and not elsewhere; SNAP_CORRUPT names the first that differs, and then no buffer
 * is to be used. */
enum snap_status snap_archive_read_members(const struct snap_archive *archive,
                                           const struct snap_member *const *members,
                                           void *const *buffers, size_t count,
                                           struct snap_pool *pool, struct snap_error *err);

/* The next bytes of a member, borrowed until it returns; false: no more are wanted. */
typedef bool snap_archive_take(void *arg, const void *bytes, size_t size_bytes);
/* Read a member in pieces, for one that memory may not hold, and compare its digest after the last;
 * bytes that were given before that may be wrong ones. `take` NULL: they are compared alone. Once
 * no more are wanted nothing is compared. Status as snap_archive_read. */
enum snap_status snap_archive_read_pieces(const struct snap_archive *archive,
                                          const struct snap_member *member,
                                          snap_archive_take *take, void *arg,
                                          struct snap_error *err);

/* Read all members and compare every digest, in parallel; then read the file again through
 * libarchive, a second reader that shares no code with ours, and compare names and sizes.
 * SNAP_CORRUPT names the first member that differs. Withheld members are no failure here: see
 * snap_archive_withheld_count. */
enum snap_status snap_archive_check(const struct snap_archive *archive, struct snap_pool *pool,
                                    struct snap_error *err);
size_t snap_archive_withheld_count(const struct snap_archive *archive);

/* The files of the archive, all of one folder: its volumes (docs/format.md, 9.1), if it has some,
 * and its own file, the last. Whoever copies or sends it goes in this order, so that it is never
 * seen before it is whole, and whoever removes it in the other. */
size_t snap_archive_file_count(const struct snap_archive *archive);
/* The name of file `index`, without the folder, borrowed until close; NULL past the last. *size
 * (NULL: not wanted): its bytes; *present (NULL: not wanted) is false of a volume that is not
 * there. */
const char *snap_archive_file(const struct snap_archive *archive, size_t index, uint64_t *size,
                              bool *present);

/* What the manifest says. Strings are borrowed until close. */
const char *snap_archive_kind(const struct snap_archive *archive);   /* "snapshot", "capsule" */
const char *snap_archive_run_id(const struct snap_archive *archive); /* 16 hex digits */
uint64_t snap_archive_step(const struct snap_archive *archive);
const char *snap_archive_parent(const struct snap_archive *archive); /* "snap1:..." or NULL */
const char *snap_archive_profile(const struct snap_archive *archive);
/* "snap1:...", "state1:...", "run1:...". */
const char *snap_archive_snapshot_hash(const struct snap_archive *archive);
const char *snap_archive_state_hash(const struct snap_archive *archive);
const char *snap_archive_run_hash(const struct snap_archive *archive);

/* The text of a JSON member (manifest.json, state.json, data.json, env.json), with its final
 * newline and a NUL; borrowed until close. NULL for other names. */
const char *snap_archive_json(const struct snap_archive *archive, const char *name);
/* The training config in state.json as canonical JSON, and the binding; borrowed; NULL if null. */
const char *snap_archive_training(const struct snap_archive *archive);
const char *snap_archive_binding(const struct snap_archive *archive);

/* The tree. Roots in their order; borrowed until close. */
size_t snap_archive_root_count(const struct snap_archive *archive);
const char *snap_archive_root_name(const struct snap_archive *archive, size_t index);
const struct snap_node *snap_archive_root(const struct snap_archive *archive, size_t index);
/* Storages: the member name without part suffix, and bytes. */
size_t snap_archive_storage_count(const struct snap_archive *archive);
const char *snap_archive_storage_name(const struct snap_archive *archive, size_t index,
                                      uint64_t *size);
/* Read a whole storage (all its parts) into `buffer` of its size, digests compared. */
enum snap_status snap_archive_read_storage(const struct snap_archive *archive, size_t index,
                                           void *buffer, struct snap_error *err);
/* The kind of stream `name` ("python_random"), NULL when there is no such stream. */
const char *snap_archive_stream_kind(const struct snap_archive *archive, const char *name);

#ifdef __cplusplus
}
#endif

#endif
