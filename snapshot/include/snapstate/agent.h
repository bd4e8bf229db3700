/* SPDX-License-Identifier: Apache-2.0 */
/* The agent of a training machine (snap serve), from both sides: messages between it and trainers,
 * and a save that a trainer has handed over. docs/agent-protocol.md is the specification.
 *
 * A trainer needs none of this: snap_run_options.agent, and the calls of <snapstate/run.h>. */
#ifndef SNAPSTATE_AGENT_H
#define SNAPSTATE_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/keep.h>
#include <snapstate/pool.h>
#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The socket's name in the folder that an agent serves, and the version of what is said there. */
#define SNAP_AGENT_SOCKET ".snap-agent.sock"
#define SNAP_AGENT_VERSION 1

/* ---- messages ---- */

/* Bytes of a message's document at most: the status of a thousand runs; what is larger is handed
 * over as memory. Files that travel with one at most. */
#define SNAP_AGENT_MESSAGE_BYTES 1048576u
#define SNAP_AGENT_MESSAGE_FILES 3u

struct snap_agent_message {
    char *text;        /* canonical JSON, an object, terminated; owned */
    size_t size_bytes; /* of the text */
    int files[SNAP_AGENT_MESSAGE_FILES]; /* owned; -1: taken out */
    size_t file_count;
};
#define SNAP_AGENT_MESSAGE_INIT { .file_count = 0 }
/* Frees the text and closes the files that are left in it. */
void snap_agent_message_release(struct snap_agent_message *message);

/* Send `text`, a JSON object (spaces and the order of keys are free), with `file_count`
 * descriptors, which stay the caller's. SNAP_NOT_FOUND: the other side is gone; SNAP_BUSY: it did
 * not take it within `timeout_ms` (-1: no limit). */
enum snap_status snap_agent_send(int fd, const char *text, const int *files, size_t file_count,
                                 int timeout_ms, struct snap_error *err);
/* Receive one message into *message, which must be empty. SNAP_NOT_FOUND: the other side is gone,
 * and sent nothing more; SNAP_BUSY: the whole of it did not come within `timeout_ms` (-1: no
 * limit); SNAP_CORRUPT: it is no message, and nothing more can be read from there. */
enum snap_status snap_agent_receive(int fd, int timeout_ms, struct snap_agent_message *message,
                                    struct snap_error *err);

/* Connect to the agent's socket at `path`. It must belong to this process's user, or to root.
 * SNAP_NOT_FOUND: nobody listens there. *fd is the caller's. */
enum snap_status snap_agent_connect(const char *path, int *fd, struct snap_error *err);
/* Ask one question and return the answer's document, to be freed with free(). */
enum snap_status snap_agent_ask(const char *path, const char *question, int timeout_ms,
                                char **answer, struct snap_error *err);

/* ---- a save that was handed over: for the agent ---- */

struct snap_handover;

struct snap_handover_options {
    size_t size_bytes;   /* sizeof(struct snap_handover_options) */
    const char *dir;     /* the run folder */
    int lock;            /* the run's lock: its events.jsonl, opened and locked by the trainer */
    int documents;       /* memory that can no longer be changed: the head and small members */
    uint64_t head_bytes; /* of the head, at the beginning of the documents */
    int staging;         /* the trainer's staging memory, whose size is sealed; -1: none */
};
#define SNAP_HANDOVER_OPTIONS_INIT                                                                 \
    {                                                                                              \
        .size_bytes = sizeof(struct snap_handover_options), .lock = -1, .documents = -1,           \
        .staging = -1                                                                              \
    }

/* Take a save over: the three descriptors are consumed in any case. SNAP_CORRUPT, SNAP_INVALID: it
 * is none that this library made, or memory that can be changed; SNAP_BUSY: the lock is not the
 * run's, or not held by who handed it over. *handover is owned by the caller. */
enum snap_status snap_handover_open(const struct snap_handover_options *options,
                                    struct snap_handover **handover, struct snap_error *err);
/* The run's lock is given up, the memory unmapped. NULL is fine. */
void snap_handover_close(struct snap_handover *handover);
/* Its step; the file of its archive in the run folder, borrowed until close; the bytes of members
 * that it has. */
uint64_t snap_handover_step(const struct snap_handover *handover);
const char *snap_handover_file(const struct snap_handover *handover);
uint64_t snap_handover_bytes(const struct snap_handover *handover);
/* What the archive will have, at most. */
uint64_t snap_handover_archive_bytes(const struct snap_handover *handover);

/* Bytes of the archive that are written so far; from any thread until close. */
uint64_t snap_handover_written(const struct snap_handover *handover);

struct snap_handover_saving {
    size_t size_bytes;            /* sizeof(struct snap_handover_saving) */
    struct snap_pool *pool;       /* NULL: one thread; borrowed */
    bool keep_copy;               /* the archive in memory too, where there is memory for it */
    const struct snap_keep *keep; /* which snapshots of the run stay after it; NULL: all */
};
#define SNAP_HANDOVER_SAVING_INIT { .size_bytes = sizeof(struct snap_handover_saving) }

struct snap_handover_saved {
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
    char *answer;        /* what the trainer is to be told, JSON; freed with free() */
    int copy;            /* the archive in memory that can no longer be changed, owned by the
                          * caller; -1: there is none */
    uint64_t copy_bytes;
    /* Rules were to be applied, and could not: why. "": they were. The save stands. */
    char prune_problem[1000];
};

/* Hash, write, read back, publish, move `latest`, as the trainer would. *saved is filled on success
 * only. Once for each handover. */
enum snap_status snap_handover_save(struct snap_handover *handover,
                                    const struct snap_handover_saving *saving,
                                    struct snap_handover_saved *saved, struct snap_error *err);

/* ---- an upload by the agent ---- */

/* A snapshot that was to be put into a store (snap_push) and was not, or not yet. */
struct snap_upload_trouble {
    size_t size_bytes; /* sizeof(struct snap_upload_trouble) */
    const char *file;  /* "snapshots/step-...", in the run folder; all texts are borrowed */
    uint64_t step;
    const char *store; /* what names it; without credentials */
    const char *why;
};
/* Write it down in the events of the run in `dir`, as "upload_trouble". SNAP_BUSY: somebody holds
 * the run's lock, and nothing was written. */
enum snap_status snap_upload_note(const char *dir, const struct snap_upload_trouble *trouble,
                                  struct snap_error *err);
/* The same under the lock that was handed over. */
enum snap_status snap_handover_note_upload(struct snap_handover *handover,
                                           const struct snap_upload_trouble *trouble,
                                           struct snap_error *err);

#ifdef __cplusplus
}
#endif

#endif
