/* SPDX-License-Identifier: Apache-2.0 */
/* Where files go: one interface for a folder, memory, and object storage. Names are relative
 * paths of legal words with at most one '/' ("latest", "snapshots/step-0000000100.snap.tar"). */
#ifndef SNAP_STORE_STORE_OPS_H
#define SNAP_STORE_STORE_OPS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/pool.h>
#include <snapstate/status.h>

#include "core/buffer.h"
#include "core/ranges.h"
#include "core/segment.h"
#include "core/stop.h"

enum snap_put_mode {
    /* The name must be free. A file that is there already with the same bytes is success; with
     * others SNAP_DIFFERS. */
    SNAP_PUT_CREATE = 1,
    /* Replace what is there: a reader sees the old bytes or the new, never less. */
    SNAP_PUT_REPLACE = 2
};

/* A file of which other processes write the segments that are `elsewhere`, under a temporary name.
 * Both are called once, one after the other, whatever went wrong: `status` says how it went so far,
 * with its text in `err`, and the answer is how it goes on. */
struct snap_put_share {
    /* The file `temporary`, beside the one that is put, is there in its whole size. */
    enum snap_status (*begin)(void *arg, const char *temporary, enum snap_status status,
                              struct snap_error *err);
    /* The own segments are written. After SNAP_OK so are the others: durable, read back, and with
     * their digests. */
    enum snap_status (*end)(void *arg, enum snap_status status, struct snap_error *err);
    void *arg;
};

/* What happened in a put. */
struct snap_put_note {
    bool was_there;      /* nothing was to be written */
    bool not_exclusive;  /* the server has no way to create only once: of two one is lost */
    uint64_t sent_bytes; /* of the content, to a server */
    uint64_t kept_bytes; /* a server had them already, of an upload that was broken off */
};

struct snap_put_options {
    enum snap_put_mode mode;
    bool no_read_back; /* do not read the bytes back from the disk before they get their name */
    struct snap_pool *pool; /* (optional) how many threads; NULL: the caller's alone */
    const struct snap_put_share *share; /* (optional) who else writes it; of a folder alone */
    atomic_ullong *written; /* (optional) as of snap_write_options */
    struct snap_put_note *note; /* (optional) filled in, on failure too */
    /* Of object storage alone: parts on the way at a time (0: a few), and bytes of one (0: as the
     * store thinks fit). No byte of the object depends on them. */
    unsigned connections;
    uint64_t part_bytes;
    /* (optional) Called when a part has arrived, from any thread, one at a time. */
    void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes);
    void *arg;
};

/* Decide what a file should hold. `old` is what it holds, NULL when it is not there. Nothing is
 * written unless *write. May be called several times, when others write meanwhile. */
typedef enum snap_status snap_store_decide(void *arg, const struct snap_buffer *old,
                                           struct snap_buffer *content, bool *write,
                                           struct snap_error *err);

struct snap_store;
struct snap_store_lock;

/* The contract of a store; every store passes tests/unit/test_store.c. `store` is the store itself.
 * All but `lock` may be called from several threads at once. A function that is NULL is what the
 * store cannot do: the call through the table answers SNAP_UNSUPPORTED. */
struct snap_store_ops {
    /* A word for messages ("folder"). */
    const char *kind;
    /* Write a file. After SNAP_OK it survives a power cut, and the digests that the content asks
     * for are of the bytes in it. On failure the old content is there and nothing else is left,
     * unless the text says "written, durability unknown". Folders in the name are made. */
    enum snap_status (*put)(struct snap_store *store, const char *name,
                            const struct snap_content *content,
                            const struct snap_put_options *options, struct snap_error *err);
    /* Add bytes at the end of a file, made when it is not there, and make them durable. After a
     * failure the file may end in a part of them. */
    enum snap_status (*append)(struct snap_store *store, const char *name, const void *data,
                               size_t size_bytes, struct snap_error *err);
    /* Make a file that is there durable, its bytes and its name. SNAP_NOT_FOUND. */
    enum snap_status (*sync)(struct snap_store *store, const char *name, struct snap_error *err);
    /* (optional) Append a whole file of at most `limit` bytes to `out`: all of it as it was at one
     * moment. SNAP_NOT_FOUND; SNAP_CORRUPT past the limit. By default over `open`. */
    enum snap_status (*read)(struct snap_store *store, const char *name, uint64_t limit,
                             struct snap_buffer *out, struct snap_error *err);
    /* Replace a small file (at most `limit` bytes) by what `decide` says, so that no other update
     * is lost: under a lock, or by a condition that the server checks. Where it has none
     * (*exclusive is false) two updates at one time may lose one. */
    enum snap_status (*update)(struct snap_store *store, const char *name, uint64_t limit,
                               snap_store_decide *decide, void *arg, bool *exclusive,
                               struct snap_error *err);
    /* (optional) What is read at places, owned by the caller; by default over `open`.
     * SNAP_NOT_FOUND. */
    enum snap_status (*open_ranges)(struct snap_store *store, const char *name,
                                    struct snap_ranges **ranges, struct snap_error *err);
    /* (optional) Call `visit` for each upload that was broken off, with the bytes that the server
     * holds of it; `give_up`: and have the server forget it. *told is false when the server does
     * not tell them, or not to whoever asks; NULL: that is a failure. By default there is none. */
    enum snap_status (*uploads)(struct snap_store *store, bool give_up,
                                enum snap_status (*visit)(void *arg, const char *name,
                                                          uint64_t size, struct snap_error *err),
                                void *arg, bool *told, struct snap_error *err);
    /* A descriptor to read the file from, owned by the caller. SNAP_NOT_FOUND. */
    enum snap_status (*open)(struct snap_store *store, const char *name, int *fd,
                             struct snap_error *err);
    enum snap_status (*exists)(struct snap_store *store, const char *name, bool *exists,
                               struct snap_error *err);
    /* SNAP_NOT_FOUND when it is not there. Durable after SNAP_OK. */
    enum snap_status (*remove)(struct snap_store *store, const char *name,
                               struct snap_error *err);
    /* Call `visit` for each file right in `folder` ("" for the store itself), by bytes of the name,
     * which is without the folder. Folders and names that begin with '.' are left out. A folder
     * that is not there is empty. A status other than SNAP_OK ends it and is returned. */
    enum snap_status (*list)(struct snap_store *store, const char *folder,
                             enum snap_status (*visit)(void *arg, const char *name,
                                                       uint64_t size, struct snap_error *err),
                             void *arg, struct snap_error *err);
    /* Lock `name`, a file that is made when it is not there, is only appended to and never
     * replaced. SNAP_BUSY when another holder has it. *lock is owned by the caller. */
    enum snap_status (*lock)(struct snap_store *store, const char *name,
                             struct snap_store_lock **lock, struct snap_error *err);
    void (*unlock)(struct snap_store *store, struct snap_store_lock *lock);
    /* (optional) A descriptor that holds the lock as long as it, or a copy of it in any process, is
     * open; borrowed until unlock. NULL: locks of this store cannot be shared. */
    int (*lock_file)(const struct snap_store_lock *lock);
    /* (optional) Give up what takes long when `stop` says so, with SNAP_IO; what can be gone on
     * with is left. Before the store is used by another thread; borrowed until close. By default
     * nothing is given up. */
    void (*heed)(struct snap_store *store, const struct snap_stop *stop);
    /* The file-system path of the store, NULL when it has none; borrowed until close. */
    const char *(*path)(const struct snap_store *store);
    /* Names the store in messages; borrowed until close. NULL: by its path, or kind. */
    const char *(*where)(const struct snap_store *store);
    /* Release what the store holds. */
    void (*close)(struct snap_store *store);
};

/* Every store begins with this. */
struct snap_store {
    const struct snap_store_ops *ops;
};

/* A folder. `create`: make it (its parent must be there); SNAP_NOT_FOUND when it is not there
 * else. */
enum snap_status snap_store_dir_open(const char *path, bool create, struct snap_store **store,
                                     struct snap_error *err);
/* Memory of this process: what the folder must behave like. */
enum snap_status snap_store_memory_open(struct snap_store **store, struct snap_error *err);

/* By what names it: the path of a folder, also as file:///path, or s3://bucket/prefix
 * (store_registry.c). `create` is for folders. SNAP_UNSUPPORTED: this build has no object storage.
 */
enum snap_status snap_store_open(const char *uri, bool create, struct snap_store **store,
                                 struct snap_error *err);
/* Is it "SCHEME://..."? Anything else is a path. */
bool snap_store_is_uri(const char *text);

/* Calls through the table. */
enum snap_status snap_store_put(struct snap_store *store, const char *name,
                                const struct snap_content *content,
                                const struct snap_put_options *options, struct snap_error *err);
/* The same for one piece of memory. */
enum snap_status snap_store_put_bytes(struct snap_store *store, const char *name,
                                      const void *data, size_t size_bytes,
                                      const struct snap_put_options *options,
                                      struct snap_error *err);
enum snap_status snap_store_append(struct snap_store *store, const char *name, const void *data,
                                   size_t size_bytes, struct snap_error *err);
enum snap_status snap_store_sync(struct snap_store *store, const char *name,
                                 struct snap_error *err);
enum snap_status snap_store_open_file(struct snap_store *store, const char *name, int *fd,
                                      struct snap_error *err);
/* Append a whole file to `out`. SNAP_NOT_FOUND; SNAP_CORRUPT past `limit`. */
enum snap_status snap_store_read(struct snap_store *store, const char *name, uint64_t limit,
                                 struct snap_buffer *out, struct snap_error *err);
/* The file as ranges, owned by the caller. SNAP_NOT_FOUND. */
enum snap_status snap_store_open_ranges(struct snap_store *store, const char *name,
                                        struct snap_ranges **ranges, struct snap_error *err);
enum snap_status snap_store_update(struct snap_store *store, const char *name, uint64_t limit,
                                   snap_store_decide *decide, void *arg, bool *exclusive,
                                   struct snap_error *err);
enum snap_status snap_store_uploads(struct snap_store *store, bool give_up,
                                    enum snap_status (*visit)(void *arg, const char *name,
                                                              uint64_t size,
                                                              struct snap_error *err),
                                    void *arg, bool *told, struct snap_error *err);
enum snap_status snap_store_exists(struct snap_store *store, const char *name, bool *exists,
                                   struct snap_error *err);
enum snap_status snap_store_remove(struct snap_store *store, const char *name,
                                   struct snap_error *err);
enum snap_status snap_store_list(struct snap_store *store, const char *folder,
                                 enum snap_status (*visit)(void *arg, const char *name,
                                                           uint64_t size,
                                                           struct snap_error *err),
                                 void *arg, struct snap_error *err);
enum snap_status snap_store_lock(struct snap_store *store, const char *name,
                                 struct snap_store_lock **lock, struct snap_error *err);
/* NULL is fine. */
void snap_store_unlock(struct snap_store *store, struct snap_store_lock *lock);
/* -1: there is none to share. */
int snap_store_lock_file(struct snap_store *store, const struct snap_store_lock *lock);
void snap_store_heed(struct snap_store *store, const struct snap_stop *stop);
const char *snap_store_path(const struct snap_store *store);
const char *snap_store_where(const struct snap_store *store);
/* NULL is fine. */
void snap_store_close(struct snap_store *store);

#endif
