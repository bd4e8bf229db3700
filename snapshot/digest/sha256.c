/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "core/file.h"
#include "core/hex.h"
#include "digest/sha256.h"

/* Read at once from a file: long enough that calls cost nothing, short enough for the cache. */
#define READ_BYTES ((size_t)1 << 18)

static enum snap_status evp_failed(struct snap_error *err)
{
    return snap_error_set(err, SNAP_INTERNAL, "SHA-256: OpenSSL failed");
}

enum snap_status snap_sha256_begin(struct snap_sha256_context *context, struct snap_error *err)
{
    if (context->evp != NULL) {
        /* NULL keeps the algorithm that was fetched the first time. */
        if (EVP_DigestInit_ex2(context->evp, NULL, NULL) != 1)
            return evp_failed(err);
        return SNAP_OK;
    }
    EVP_MD_CTX *evp = EVP_MD_CTX_new();
    if (evp == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "SHA-256: out of memory");
    if (EVP_DigestInit_ex2(evp, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(evp);
        return evp_failed(err);
    }
    context->evp = evp;
    return SNAP_OK;
}

enum snap_status snap_sha256_update(struct snap_sha256_context *context, const void *data,
                                    size_t size_bytes, struct snap_error *err)
{
    if (size_bytes > 0 && EVP_DigestUpdate(context->evp, data, size_bytes) != 1)
        return evp_failed(err);
    return SNAP_OK;
}

enum snap_status snap_sha256_finish(struct snap_sha256_context *context,
                                    unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (EVP_DigestFinal_ex(context->evp, digest, NULL) != 1)
        return evp_failed(err);
    memcpy(out, digest, SNAP_DIGEST_BYTES);
    return SNAP_OK;
}

void snap_sha256_release(struct snap_sha256_context *context)
{
    EVP_MD_CTX_free(context->evp);
    context->evp = NULL;
}

enum snap_status snap_sha256(const void *data, size_t size_bytes,
                             unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    enum snap_status status = snap_sha256_begin(&context, err);
    if (status == SNAP_OK)
        status = snap_sha256_update(&context, data, size_bytes, err);
    if (status == SNAP_OK)
        status = snap_sha256_finish(&context, out, err);
    snap_sha256_release(&context);
    return status;
}

enum snap_status snap_sha256_fd(int fd, const char *what, unsigned char out[SNAP_DIGEST_BYTES],
                                uint64_t *size, struct snap_error *err)
{
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    uint64_t offset = 0;
    enum snap_status status = SNAP_OK;
    unsigned char *buffer = malloc(READ_BYTES);
    if (buffer == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: reading: out of memory", what);
        goto out;
    }
    status = snap_sha256_begin(&context, err);
    while (status == SNAP_OK) {
        ssize_t got = pread(fd, buffer, READ_BYTES, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = snap_error_set_os(err, SNAP_IO, errno, "%s: reading", what);
            goto out;
        }
        if (got == 0)
            break;
        status = snap_sha256_update(&context, buffer, (size_t)got, err);
        offset += (uint64_t)got;
    }
    if (status == SNAP_OK)
        status = snap_sha256_finish(&context, out, err);
    if (status == SNAP_OK && size != NULL)
        *size = offset;
out:
    snap_sha256_release(&context);
    free(buffer);
    return status;
}

enum snap_status snap_sha256_file(const char *path, unsigned char out[SNAP_DIGEST_BYTES],
                                  uint64_t *size, struct snap_error *err)
{
    struct stat info;
    int fd;
    /* Not to hang on a pipe. */
    enum snap_status status =
        snap_file_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0, &fd, err);
    if (status != SNAP_OK)
        return status;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        status = snap_error_set(err, SNAP_IO, "%s: taking its SHA-256: it is no regular file",
                                path);
    else
        status = snap_sha256_fd(fd, path, out, size, err);
    close(fd); /* only read: nothing can be lost */
    return status;
}

void snap_hash_text(const char *prefix, const unsigned char digest[SNAP_DIGEST_BYTES],
                    char text[SNAP_HASH_TEXT_BYTES])
{
    char digits[2 * SNAP_DIGEST_BYTES + 1];
    snap_hex_encode(digest, SNAP_DIGEST_BYTES, digits);
    snprintf(text, SNAP_HASH_TEXT_BYTES, "%s:%s", prefix, digits);
}
