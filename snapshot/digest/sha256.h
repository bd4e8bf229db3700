/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4), by OpenSSL's EVP. */
#ifndef SNAP_DIGEST_SHA256_H
#define SNAP_DIGEST_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

/* In one call. SNAP_NO_MEMORY or SNAP_INTERNAL: only when OpenSSL fails. */
enum snap_status snap_sha256(const void *data, size_t size_bytes,
                             unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err);

/* Piece by piece. One thread at a time. */
struct snap_sha256_context {
    void *evp; /* EVP_MD_CTX, owned by the context */
};
#define SNAP_SHA256_CONTEXT_INIT { NULL }

/* Begin; also begins again after a finish, without fetching the algorithm anew. */
enum snap_status snap_sha256_begin(struct snap_sha256_context *context, struct snap_error *err);
enum snap_status snap_sha256_update(struct snap_sha256_context *context, const void *data,
                                    size_t size_bytes, struct snap_error *err);
enum snap_status snap_sha256_finish(struct snap_sha256_context *context,
                                    unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err);
void snap_sha256_release(struct snap_sha256_context *context);

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
