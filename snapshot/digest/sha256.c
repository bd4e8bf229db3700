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
#include "digest/sha256_blocks.h"

/* Read at once from a file: long enough that calls cost nothing, short enough for the cache. */
#define READ_BYTES ((size_t)1 << 18)
#define BLOCK_BYTES ((size_t)SNAP_SHA256_BLOCK_BYTES)

/* ---- by OpenSSL ---- */

static enum snap_status evp_failed(struct snap_error *err)
{
    return snap_error_set(err, SNAP_INTERNAL, "SHA-256: OpenSSL failed");
}

static enum snap_status evp_begin(struct snap_sha256_context *context, struct snap_error *err)
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

static enum snap_status evp_finish(struct snap_sha256_context *context,
                                   unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (EVP_DigestFinal_ex(context->evp, digest, NULL) != 1)
        return evp_failed(err);
    memcpy(out, digest, SNAP_DIGEST_BYTES);
    return SNAP_OK;
}

/* ---- by instructions of the processor ---- */

static void words_begin(struct snap_sha256_context *context)
{
    static const uint32_t first[8] = { /* FIPS 180-4, 5.3.3 */
                                       0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
    };
    memcpy(context->words, first, sizeof first);
    context->size_bytes = 0;
}

static void words_update(struct snap_sha256_context *context, const unsigned char *data,
                         size_t size_bytes)
{
    size_t kept = (size_t)(context->size_bytes % BLOCK_BYTES);
    context->size_bytes += size_bytes;
    if (kept > 0) {
        size_t room = BLOCK_BYTES - kept;
        size_t more = size_bytes < room ? size_bytes : room;
        memcpy(context->rest + kept, data, more);
        if (more < room)
            return;
        context->blocks->one(context->words, context->rest, 1);
        data += more;
        size_bytes -= more;
    }
    context->blocks->one(context->words, data, size_bytes / BLOCK_BYTES);
    size_t tail = size_bytes % BLOCK_BYTES;
    if (tail > 0)
        memcpy(context->rest, data + (size_bytes - tail), tail);
}

/* A one bit, zeros, and the size in bits as the last eight bytes of a block. */
static void words_finish(struct snap_sha256_context *context, unsigned char out[SNAP_DIGEST_BYTES])
{
    unsigned char end[2 * SNAP_SHA256_BLOCK_BYTES] = { 0x80 };
    uint64_t bits = context->size_bytes * 8;
    size_t kept = (size_t)(context->size_bytes % BLOCK_BYTES);
    size_t size = (kept < BLOCK_BYTES - sizeof bits ? BLOCK_BYTES : 2 * BLOCK_BYTES) - kept;
    for (size_t i = 0; i < sizeof bits; i++)
        end[size - 1 - i] = (unsigned char)(bits >> (8 * i));
    words_update(context, end, size);
    for (size_t i = 0; i < SNAP_DIGEST_BYTES; i++)
        out[i] = (unsigned char)(context->words[i / 4] >> (24 - 8 * (i % 4)));
}

/* ---- by either ---- */

enum snap_status snap_sha256_begin(struct snap_sha256_context *context, struct snap_error *err)
{
    context->blocks = context->portable ? NULL : snap_sha256_blocks();
    if (context->blocks == NULL)
        return evp_begin(context, err);
    words_begin(context);
    return SNAP_OK;
}

enum snap_status snap_sha256_update(struct snap_sha256_context *context, const void *data,
                                    size_t size_bytes, struct snap_error *err)
{
    if (size_bytes == 0)
        return SNAP_OK;
    if (context->blocks != NULL)
        words_update(context, data, size_bytes);
    else if (EVP_DigestUpdate(context->evp, data, size_bytes) != 1)
        return evp_failed(err);
    return SNAP_OK;
}

enum snap_status snap_sha256_finish(struct snap_sha256_context *context,
                                    unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    if (context->blocks == NULL)
        return evp_finish(context, out, err);
    words_finish(context, out);
    return SNAP_OK;
}

void snap_sha256_release(struct snap_sha256_context *context)
{
    EVP_MD_CTX_free(context->evp);
    context->evp = NULL;
}

/* ---- two side by side ---- */

/* Whole blocks that both can take at once, in bytes. */
static size_t common_bytes(const struct snap_sha256_lane *a, const struct snap_sha256_lane *b)
{
    size_t bytes = a->left_bytes < b->left_bytes ? a->left_bytes : b->left_bytes;
    if (bytes == 0 || a->context.blocks == NULL || b->context.blocks == NULL ||
        a->context.size_bytes % BLOCK_BYTES != 0 || b->context.size_bytes % BLOCK_BYTES != 0)
        return 0;
    return bytes - bytes % BLOCK_BYTES;
}

static void step_lane(struct snap_sha256_lane *lane, size_t bytes)
{
    lane->data += bytes;
    lane->left_bytes -= bytes;
}

enum snap_status snap_sha256_lanes(struct snap_sha256_lane lanes[2], struct snap_error *err)
{
    struct snap_sha256_lane *a = &lanes[0];
    struct snap_sha256_lane *b = &lanes[1];
    size_t common = common_bytes(a, b);
    if (common > 0) {
        a->context.blocks->pair(a->context.words, a->data, b->context.words, b->data,
                                common / BLOCK_BYTES);
        a->context.size_bytes += common;
        b->context.size_bytes += common;
        step_lane(a, common);
        step_lane(b, common);
        if (a->left_bytes == 0 || b->left_bytes == 0)
            return SNAP_OK;
    }
    /* What one of them has alone; else the shorter one, which ends inside a block. */
    struct snap_sha256_lane *next =
        a->left_bytes == 0 || (b->left_bytes > 0 && b->left_bytes < a->left_bytes) ? b : a;
    enum snap_status status =
        snap_sha256_update(&next->context, next->data, next->left_bytes, err);
    step_lane(next, next->left_bytes);
    return status;
}

/* Give a lane that has none left the next piece of memory; *out is where its digest goes, NULL when
 * there is no more. */
static enum snap_status refill_lane(struct snap_sha256_lane *lane, unsigned char **out,
                                    bool (*next)(void *arg, struct snap_sha256_work *work),
                                    void *arg, struct snap_error *err)
{
    struct snap_sha256_work work;
    enum snap_status status = SNAP_OK;
    while (status == SNAP_OK && lane->left_bytes == 0) {
        if (*out != NULL)
            status = snap_sha256_finish(&lane->context, *out, err);
        *out = NULL;
        if (status != SNAP_OK || !next(arg, &work))
            break;
        status = snap_sha256_begin(&lane->context, err);
        lane->data = work.data;
        lane->left_bytes = work.size_bytes;
        *out = work.out;
    }
    return status;
}

enum snap_status snap_sha256_all(bool (*next)(void *arg, struct snap_sha256_work *work), void *arg,
                                 struct snap_error *err)
{
    struct snap_sha256_lane lanes[2] = { { .left_bytes = 0 }, { .left_bytes = 0 } };
    unsigned char *outs[2] = { NULL, NULL };
    enum snap_status status;
    for (;;) {
        status = refill_lane(&lanes[0], &outs[0], next, arg, err);
        if (status == SNAP_OK)
            status = refill_lane(&lanes[1], &outs[1], next, arg, err);
        if (status != SNAP_OK || (outs[0] == NULL && outs[1] == NULL))
            break;
        status = snap_sha256_lanes(lanes, err);
        if (status != SNAP_OK)
            break;
    }
    snap_sha256_release(&lanes[0].context);
    snap_sha256_release(&lanes[1].context);
    return status;
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
