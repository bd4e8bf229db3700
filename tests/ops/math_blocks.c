/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "math_blocks.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "golden_file.h"
#include "ops/math_functions.h"

#define CHUNK(name, function)                                                    \
    static void name(uint32_t first, uint32_t *out)                              \
    {                                                                            \
        for (uint32_t i = 0; i < MATH_CHUNK; i++) {                              \
            const float y = function(trn_float_of_bits(first + i));              \
            const uint32_t bits = trn_bits_of_float(y);                          \
            out[i] = (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : bits;    \
        }                                                                        \
    }

CHUNK(chunk_exp, trn_expf)
CHUNK(chunk_log, trn_logf)
CHUNK(chunk_tanh, trn_tanhf)
CHUNK(chunk_sin, trn_sinf)
CHUNK(chunk_cos, trn_cosf)
CHUNK(chunk_erf, trn_erff)

const struct math_function math_functions[MATH_FUNCTION_COUNT] = {
    { "exp", chunk_exp }, { "log", chunk_log }, { "tanh", chunk_tanh },
    { "sin", chunk_sin }, { "cos", chunk_cos }, { "erf", chunk_erf },
};

int math_block_hash(const struct math_function *function, unsigned block, char hex[65],
                    math_chunk_visitor *visit, void *arg)
{
    int result = -1;
    unsigned char digest[32];
    uint32_t *results = malloc(MATH_CHUNK * sizeof(*results));
    unsigned char *bytes = malloc(MATH_CHUNK * sizeof(*results));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!results || !bytes || !context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        goto out;
    }
    for (uint32_t done = 0; done < MATH_BLOCK_INPUTS; done += MATH_CHUNK) {
        const uint32_t first = ((uint32_t)block << 24) + done;
        function->chunk(first, results);
        for (uint32_t i = 0; i < MATH_CHUNK; i++) {
            bytes[4 * i] = (unsigned char)results[i];
            bytes[4 * i + 1] = (unsigned char)(results[i] >> 8);
            bytes[4 * i + 2] = (unsigned char)(results[i] >> 16);
            bytes[4 * i + 3] = (unsigned char)(results[i] >> 24);
        }
        if (EVP_DigestUpdate(context, bytes, 4 * (size_t)MATH_CHUNK) != 1) {
            goto out;
        }
        if (visit) {
            visit(arg, first, results);
        }
    }
    if (EVP_DigestFinal_ex(context, digest, NULL) != 1) {
        goto out;
    }
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    result = 0;
out:
    EVP_MD_CTX_free(context);
    free(bytes);
    free(results);
    return result;
}

void math_block_expected(const struct math_function *function, unsigned block, char hex[65])
{
    char name[32];
    snprintf(name, sizeof(name), "%s %02x", function->name, block);
    golden_find("math_hashes.txt", name, hex);
}
