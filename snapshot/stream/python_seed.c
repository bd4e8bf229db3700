/* SPDX-License-Identifier: Apache-2.0 */
/* random.seed() for every type it takes. */
#include "config.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "stream/python_random.h"

#define SHA512_BYTES 64u
/* CPython hashes numbers modulo this prime, so that equal numbers of different types agree. */
#define HASH_BITS 61
#define HASH_MODULUS (((uint64_t)1 << HASH_BITS) - 1)

void snap_python_seed_words(struct snap_python_random *r, const uint32_t *words, size_t count)
{
    while (count > 1 && words[count - 1] == 0) {
        count--;
    }
    snap_mt19937_init_by_array(&r->mt, words, count);
    r->has_gauss_next = false;
    r->gauss_next = 0.0;
}

void snap_python_seed_uint(struct snap_python_random *r, uint64_t seed)
{
    uint32_t words[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };

    snap_python_seed_words(r, words, 2);
}

/* hash() of a float that is not NaN. */
static int64_t hash_double(double value)
{
    uint64_t x = 0;
    double m;
    int64_t hash;
    int e;

    if (isinf(value)) {
        return value > 0 ? 314159 : -314159;
    }
    m = frexp(fabs(value), &e);
    while (m != 0.0) {
        uint64_t digit;

        /* 28 bits of the fraction at a time, as a rotation modulo 2^61 - 1. */
        x = ((x << 28) & HASH_MODULUS) | x >> (HASH_BITS - 28);
        m *= 0x1p28;
        e -= 28;
        digit = (uint64_t)m;
        m -= (double)digit;
        x += digit;
        if (x >= HASH_MODULUS) {
            x -= HASH_MODULUS;
        }
    }
    e = e >= 0 ? e % HASH_BITS : HASH_BITS - 1 - ((-1 - e) % HASH_BITS);
    x = ((x << e) & HASH_MODULUS) | x >> (HASH_BITS - e);
    hash = value < 0 ? -(int64_t)x : (int64_t)x;
    return hash == -1 ? -2 : hash;
}

enum snap_status snap_python_seed_double(struct snap_python_random *r, double seed,
                                         struct snap_error *err)
{
    if (isnan(seed)) {
        return snap_error_set(err, SNAP_INVALID,
                              "stream python_random: seed: NaN is hashed by address in Python, so "
                              "no stream belongs to it");
    }
    snap_python_seed_uint(r, (uint64_t)hash_double(seed));
    return SNAP_OK;
}

/* Seed with the big-endian integer of `size_bytes` bytes. */
static enum snap_status seed_big_endian(struct snap_python_random *r, const unsigned char *bytes,
                                        size_t size_bytes, struct snap_error *err)
{
    size_t count = size_bytes / 4 + 1;
    uint32_t *words = calloc(count, sizeof *words);

    if (words == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "stream python_random: seed: no memory");
    }
    for (size_t i = 0; i < size_bytes; i++) {
        words[i / 4] |= (uint32_t)bytes[size_bytes - 1 - i] << (8 * (i % 4));
    }
    snap_python_seed_words(r, words, count);
    free(words);
    return SNAP_OK;
}

enum snap_status snap_python_seed_bytes(struct snap_python_random *r, const void *data,
                                        size_t size_bytes, struct snap_error *err)
{
    unsigned char *joined = NULL;
    enum snap_status status;

    if (size_bytes > SIZE_MAX - SHA512_BYTES) {
        return snap_error_set(err, SNAP_INVALID, "stream python_random: seed: too many bytes");
    }
    joined = malloc(size_bytes + SHA512_BYTES);
    if (joined == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "stream python_random: seed: no memory");
    }
    if (size_bytes > 0) {
        memcpy(joined, data, size_bytes);
    }
    if (EVP_Digest(joined, size_bytes, joined + size_bytes, NULL, EVP_sha512(), NULL) != 1) {
        status = snap_error_set(err, SNAP_INTERNAL,
                                "stream python_random: seed: libcrypto has no SHA-512");
        goto out;
    }
    status = seed_big_endian(r, joined, size_bytes + SHA512_BYTES, err);
out:
    free(joined);
    return status;
}

void snap_python_seed_version_1(struct snap_python_random *r, const uint32_t *characters,
                                size_t count)
{
    uint64_t x = count > 0 ? (uint64_t)characters[0] << 7 : 0;

    for (size_t i = 0; i < count; i++) {
        x = (1000003u * x) ^ characters[i];
    }
    snap_python_seed_uint(r, x ^ count);
}
