/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4): by the processor's own instructions where this library knows them, else by
 * OpenSSL's EVP. */
#ifndef SNAP_DIGEST_SHA256_H
#define SNAP_DIGEST_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

/* In one call. SNAP_NO_MEMORY or SNAP_INTERNAL: only when OpenSSL fails. */
enum snap_status snap_sha256(const void *data, size_t size_bytes,
                             unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err);

/* Piece by piece. One thread at a time. */
struct snap_sha256_context {
    bool portable; /* set before the first begin: by EVP in any case */
    void *evp;     /* EVP_MD_CTX, owned by the context */
    const struct snap_sha256_blocks *blocks; /* of the processor, with what follows; NULL: by EVP */
    uint32_t words[8];
    uint64_t size_bytes;    /* taken so far */
    unsigned char rest[64]; /* a block that is not full yet: size_bytes % 64 bytes */
};
#define SNAP_SHA256_CONTEXT_INIT                                                                   \
    {                                                                                              \
        .portable = false                                                                          \
    }

/* Begin; also begins again after a finish, without fetching the algorithm anew. */
enum snap_status snap_sha256_begin(struct snap_sha256_context *context, struct snap_error *err);
enum snap_status snap_sha256_update(struct snap_sha256_context *context, const void *data,
                                    size_t size_bytes, struct snap_error *err);
enum snap_status snap_sha256_finish(struct snap_sha256_context *context,
                                    unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err);
void snap_sha256_release(struct snap_sha256_context *context);

/* Two digests side by side, which takes less time than one after the other. A lane is a context
 * that was begun, and what it is to take next. */
struct snap_sha256_lane {
    struct snap_sha256_context context;
    const unsigned char *data; /* borrowed */
    size_t left_bytes;
};
/* Take data of both lanes until one of them (at least) has none left; a lane that has none to begin
 * with lets the other take all of its own. */
enum snap_status snap_sha256_lanes(struct snap_sha256_lane lanes[2], struct snap_error *err);

/* A piece of memory, and where its digest goes. */
struct snap_sha256_work {
    const void *data; /* borrowed */
    size_t size_bytes;
    unsigned char *out; /* SNAP_DIGEST_BYTES */
};
/* Digest all that `next` gives until it answers false, two at a time. */
enum snap_status snap_sha256_all(bool (*next)(void *arg, struct snap_sha256_work *work), void *arg,
                                 struct snap_error *err);

/* Of a file, read in pieces. *size (NULL: not wanted) is what was read. SNAP_NOT_FOUND, SNAP_IO. */
enum snap_status snap_sha256_file(const char *path, unsigned char out[SNAP_DIGEST_BYTES],
                                  uint64_t *size, struct snap_error *err);
/* The same from a descriptor, from its start to its end; the file position is not used. */
enum snap_status snap_sha256_fd(int fd, const char *what, unsigned char out[SNAP_DIGEST_BYTES],
                                uint64_t *size, struct snap_error *err);

/* "PREFIX:" and 64 hex digits ("snap1", "state1", "run1", "tree1"). */
void snap_hash_text(const char *prefix, const unsigned char digest[SNAP_DIGEST_BYTES],
                    char text[SNAP_HASH_TEXT_BYTES]);

#endif
