/* SPDX-License-Identifier: Apache-2.0 */
/* Archives in a store: a folder, also on a share, or object storage. A store is named by its path
 * (or file:///path) or by s3://BUCKET/PREFIX, and is of one run; it holds
 *
 *     archives/step-0000000100-HEX.snap.tar    HEX: the digits of the snapshot hash
 *     latest                                   which of them is the newest, written last
 *     config.json, ledger.jsonl                of the run, when a whole run was pushed
 *
 * An archive is there as a whole or not at all. Where the server is, and who asks, is found in the
 * environment and profile files that other S3 programs use (docs/object-storage.md). Wherever the
 * library takes the path of an archive it takes the URI of an object too, and then reads only what
 * is needed. Every function here fails with SNAP_UNSUPPORTED on s3:// where object storage is not
 * built in, or libcurl is not installed. */
#ifndef SNAPSTATE_STORE_H
#define SNAPSTATE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/pool.h>
#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a name of an archive in a store, NUL counted in. */
#define SNAP_STORED_NAME_BYTES 160

/* Is it "SCHEME://...", and not the path of a file? */
bool snap_is_uri(const char *text);

struct snap_push_options {
    size_t size_bytes;      /* sizeof(struct snap_push_options) */
    unsigned connections;   /* parts on the way at a time; 0: four. Memory: one part for each */
    uint64_t part_bytes;    /* of a part, 5 MiB at least; 0: 16 MiB. More when there are many */
    bool keep_latest;       /* leave `latest` as it is */
    struct snap_pool *pool; /* borrowed; for folders. NULL: one thread */
    /* (optional) Called when another part has arrived, from any thread, one at a time: bytes of the
     * archive that the server has, of how many. */
    void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes);
    /* (optional) Asked often, from any thread: true gives the push up, with SNAP_IO; the next one
     * goes on with what was sent. */
    bool (*stopped)(void *arg);
    void *arg; /* of both */
    /* (optional) The folder of the archive's run: its config.json and ledger.jsonl are put beside
     * the archives before `latest` moves, as by snap_push_run_files. Not when all was there. */
    const char *run_dir;
};
#define SNAP_PUSH_OPTIONS_INIT { .size_bytes = sizeof(struct snap_push_options) }

/* What a push did. */
struct snap_push_result {
    size_t size_bytes;       /* sizeof(struct snap_push_result), set by the caller */
    char file[SNAP_STORED_NAME_BYTES]; /* "archives/step-..." */
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
    uint64_t bytes;          /* of the archive in the store */
    uint64_t sent_bytes;     /* on the way now */
    uint64_t kept_bytes;     /* of a push that was broken off: not sent again */
    bool was_there;          /* it is there already; nothing was sent */
    bool latest_moved;
    bool not_exclusive;      /* the server knows no conditions: two pushes at one time may meet */
};
#define SNAP_PUSH_RESULT_INIT { .size_bytes = sizeof(struct snap_push_result) }

/* Put an archive into a store, whose folder is made when it is not there (its parent must be).
 * What the archive withholds and another beside it has is put back, so that a stored archive needs
 * no other; every digest is compared on the way, and the server compares those of what arrives.
 * Then `latest` moves forward, never back; capsules and archives that lack members leave it. A
 * push that was broken off (SNAP_IO) is gone on with by the next one. *result (NULL: not wanted)
 * is written on success.
 * SNAP_CORRUPT: the archive is damaged; nothing is left in the store. SNAP_DIFFERS: the store is of
 * another run, or has other bytes by that name. SNAP_NOT_FOUND: no credentials, or no bucket. */
enum snap_status snap_push(const char *archive, const char *store,
                           const struct snap_push_options *options,
                           struct snap_push_result *result, struct snap_error *err);
/* What a push of a run's files did. */
struct snap_push_run_result {
    size_t size_bytes;  /* sizeof(struct snap_push_run_result), set by the caller */
    bool newer_there;   /* the store's ledger goes on from the folder's: both files stay there */
    bool not_exclusive; /* the server knows no conditions: two pushes at one time may meet */
};
#define SNAP_PUSH_RUN_RESULT_INIT { .size_bytes = sizeof(struct snap_push_run_result) }

/* Put the run's config.json and ledger.jsonl beside the archives, so that a pull makes a run folder
 * that goes on. The ledger's lines in the store are never fewer after, and never others where an
 * archive there reaches them: an older copy of the folder leaves both files as they are. *result
 * (NULL: not wanted) is written on success. SNAP_CORRUPT: the folder's ledger is off its chain, or
 * its config is not of that run. SNAP_DIFFERS: the store is of another run, or of other steps of
 * this one; or the folder has no ledger, and another config than the store. */
enum snap_status snap_push_run_files(const char *dir, const char *store,
                                     struct snap_push_run_result *result, struct snap_error *err);

struct snap_pull_options {
    size_t size_bytes;      /* sizeof(struct snap_pull_options) */
    bool has_step;          /* pull the snapshot of `step` */
    uint64_t step;
    bool all;               /* all archives. Neither: the one that `latest` names */
    struct snap_pool *pool; /* borrowed; as many threads read. NULL: one */
};
#define SNAP_PULL_OPTIONS_INIT { .size_bytes = sizeof(struct snap_pull_options) }

struct snap_pull_result {
    size_t size_bytes; /* sizeof(struct snap_pull_result), set by the caller */
    uint64_t pulled;   /* archives */
    uint64_t there;    /* archives that the folder had already */
    uint64_t bytes;    /* of those pulled */
    uint64_t step;     /* of the last one */
};
#define SNAP_PULL_RESULT_INIT { .size_bytes = sizeof(struct snap_pull_result) }

/* Get archives out of a store into the run folder `dir`, made when it is not there, with `latest`,
 * and config.json and ledger.jsonl where the folder has none. Every digest is compared; a file gets
 * its name when it is whole and durable. The ledger's chain must be whole and lead to each of the
 * archives that it reaches, and the training part of the config must be theirs. Of a snapshot that
 * the folder has in part, what the store has is added. SNAP_BUSY: somebody trains in the folder.
 * SNAP_NOT_FOUND: the store has no such archive. SNAP_CORRUPT: what is stored is damaged.
 * SNAP_DIFFERS: the folder has another archive of that step, or is of another run, or of other
 * steps of this one. */
enum snap_status snap_pull(const char *store, const char *dir,
                           const struct snap_pull_options *options,
                           struct snap_pull_result *result, struct snap_error *err);
/* Get one archive, a URI or path, into the file `output`, which must not be there. */
enum snap_status snap_pull_archive(const char *archive, const char *output, struct snap_pool *pool,
                                   struct snap_error *err);

/* An archive in a store, as its name tells. */
struct snap_stored {
    uint64_t step;
    uint64_t bytes;
    bool capsule;
    bool partial;   /* members that nobody had are absent */
    bool is_latest; /* `latest` names it */
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
    char file[SNAP_STORED_NAME_BYTES]; /* "archives/step-..." */
};
/* An upload that was broken off. */
struct snap_stored_upload {
    uint64_t bytes; /* that the server holds */
    char file[SNAP_STORED_NAME_BYTES];
};
struct snap_stored_list {
    size_t size_bytes; /* sizeof(struct snap_stored_list) */
    struct snap_stored *archives; /* by step, snapshots before capsules */
    size_t count;
    struct snap_stored_upload *uploads;
    size_t upload_count;
    char run_id[17]; /* of the store, as `latest` has it; "": there is none */
    bool uploads_unknown; /* the server does not list them, or not to whoever asks: none is here */
};
#define SNAP_STORED_LIST_INIT { .size_bytes = sizeof(struct snap_stored_list) }

/* Can it be a store? What names it is looked at, and credentials are looked for; a folder is made
 * when it is not there (its parent must be). No server is asked. */
enum snap_status snap_store_check(const char *store, struct snap_error *err);

/* What is in a store; objects of other names are passed over. To be released. SNAP_CORRUPT:
 * `latest` is broken, or names what is not there. A folder that is not there is SNAP_NOT_FOUND. */
enum snap_status snap_stored_list_read(const char *store, struct snap_stored_list *list,
                                       struct snap_error *err);
void snap_stored_list_release(struct snap_stored_list *list);
/* Have the server forget uploads that were broken off. *count, *bytes (NULL: not wanted). */
enum snap_status snap_stored_give_up(const char *store, uint64_t *count, uint64_t *bytes,
                                     struct snap_error *err);
/* "STORE/archives/step-..." of the archive that `latest` names, for whatever takes an archive;
 * freed with free(). SNAP_NOT_FOUND: the store has none. */
enum snap_status snap_stored_latest(const char *store, char **archive, struct snap_error *err);

#ifdef __cplusplus
}
#endif

#endif
