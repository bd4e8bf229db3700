/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "digest/sha256.h"
#include "signature/ssh_key.h"

/* What OpenSSL is asked to make a key from: of RSA, what is shorter proves nothing, and what is
 * longer only takes time. */
enum { LEAST_RSA_BITS = 2048, MOST_RSA_BITS = 16384 };

static enum snap_status not_good(struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT, "signature: it is not a signature of these bytes");
}

static enum snap_status bad_key(struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT, "signature: its public key cannot be read");
}

enum snap_status snap_ssh_key_describe(const struct snap_ssh_bytes *key,
                                       struct snap_signer *signer, struct snap_error *err)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    unsigned char base64[4 * ((SNAP_DIGEST_BYTES + 2) / 3) + 1];
    struct snap_ssh_bytes rest = *key;
    struct snap_ssh_bytes type;
    if (!snap_ssh_take_string(&rest, &type) || type.size == 0 ||
        type.size >= sizeof signer->key_type)
        return bad_key(err);
    for (size_t i = 0; i < type.size; i++)
        if (type.data[i] <= ' ' || type.data[i] > '~')
            return bad_key(err);
    enum snap_status status = snap_sha256(key->data, key->size, digest, err);
    if (status != SNAP_OK)
        return status;
    EVP_EncodeBlock(base64, digest, sizeof digest);
    base64[strcspn((const char *)base64, "=")] = '\0'; /* ssh-keygen prints no padding */
    snprintf(signer->key_type, sizeof signer->key_type, "%.*s", (int)type.size,
             (const char *)type.data);
    snprintf(signer->fingerprint, sizeof signer->fingerprint, "SHA256:%s", (const char *)base64);
    return SNAP_OK;
}

/* ---- keys for OpenSSL; each NULL when it is none ---- */

static EVP_PKEY *key_from(const char *kind, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return key;
}

static EVP_PKEY *ed25519_key(struct snap_ssh_bytes *rest)
{
    struct snap_ssh_bytes point;
    if (!snap_ssh_take_string(rest, &point) || point.size != 32 || rest->size != 0)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point.data, point.size);
}

static EVP_PKEY *ecdsa_key(struct snap_ssh_bytes *rest, const char *name, const char *group)
{
    struct snap_ssh_bytes curve, point;
    EVP_PKEY *key = NULL;
    if (!snap_ssh_take_string(rest, &curve) || !snap_ssh_is(&curve, name) ||
        !snap_ssh_take_string(rest, &point) || rest->size != 0)
        return NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.size))
        key = key_from("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static EVP_PKEY *rsa_key(struct snap_ssh_bytes *rest)
{
    struct snap_ssh_bytes e, n;
    EVP_PKEY *key = NULL;
    /* An exponent is a small number: a long one only takes time. */
    if (!snap_ssh_take_number(rest, &e) || e.size > 8 || !snap_ssh_take_number(rest, &n) ||
        n.size > MOST_RSA_BITS / 8 || rest->size != 0)
        return NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *exponent = BN_bin2bn(e.data, (int)e.size, NULL);
    BIGNUM *modulus = BN_bin2bn(n.data, (int)n.size, NULL);
    if (builder != NULL && exponent != NULL && modulus != NULL &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus))
        key = key_from("RSA", builder);
    BN_free(exponent);
    BN_free(modulus);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

/* ---- signatures ---- */

/* Two numbers, as OpenSSL wants them: in DER, owned by the caller (OPENSSL_free). 0: none. */
static int ecdsa_der(const struct snap_ssh_bytes *signature, unsigned char **der)
{
    struct snap_ssh_bytes rest = *signature, r, s;
    int size = 0;
    if (!snap_ssh_take_number(&rest, &r) || !snap_ssh_take_number(&rest, &s) || rest.size != 0 ||
        r.size > 66 || s.size > 66) /* 521 bits */
        return 0;
    ECDSA_SIG *made = ECDSA_SIG_new();
    BIGNUM *first = BN_bin2bn(r.data, (int)r.size, NULL);
    BIGNUM *second = BN_bin2bn(s.data, (int)s.size, NULL);
    if (made != NULL && first != NULL && second != NULL && ECDSA_SIG_set0(made, first, second)) {
        first = second = NULL; /* they are the signature's */
        size = i2d_ECDSA_SIG(made, der);
    }
    BN_free(first);
    BN_free(second);
    ECDSA_SIG_free(made);
    return size > 0 ? size : 0;
}

/* `digest` NULL: the algorithm's own. */
static bool is_signature(EVP_PKEY *key, const EVP_MD *digest, const unsigned char *signature,
                         size_t signature_bytes, const void *data, size_t size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL &&
                EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
                EVP_DigestVerify(context, signature, signature_bytes, data, size) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static enum snap_status verify_ecdsa(EVP_PKEY *key, const EVP_MD *digest,
                                     const struct snap_ssh_bytes *signature, const void *data,
                                     size_t size, struct snap_error *err)
{
    unsigned char *der = NULL;
    int der_bytes = ecdsa_der(signature, &der);
    bool good = der_bytes > 0 && is_signature(key, digest, der, (size_t)der_bytes, data, size);
    OPENSSL_free(der);
    return good ? SNAP_OK : not_good(err);
}

static const struct curve {
    const char *key_type;
    const char *name;
    const char *group;
    const EVP_MD *(*digest)(void);
} curves[] = {
    { "ecdsa-sha2-nistp256", "nistp256", "P-256", EVP_sha256 },
    { "ecdsa-sha2-nistp384", "nistp384", "P-384", EVP_sha384 },
    { "ecdsa-sha2-nistp521", "nistp521", "P-521", EVP_sha512 },
};

static enum snap_status other_kind(const struct snap_ssh_bytes *kind, struct snap_error *err)
{
    char text[40];
    size_t size = kind->size < sizeof text - 1 ? kind->size : sizeof text - 1;
    for (size_t i = 0; i < size; i++)
        text[i] = kind->data[i] > ' ' && kind->data[i] <= '~' ? (char)kind->data[i] : '?';
    text[size] = '\0';
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "signature: of kind %s, which is not checked here; ssh-keygen -Y verify "
                          "may know it",
                          text);
}

enum snap_status snap_ssh_key_verify(const struct snap_ssh_bytes *key,
                                     const struct snap_ssh_bytes *signature, const void *data,
                                     size_t size, struct snap_error *err)
{
    struct snap_ssh_bytes key_rest = *key, rest = *signature;
    struct snap_ssh_bytes key_type, kind, bytes;
    const struct curve *curve = NULL;
    EVP_PKEY *made = NULL;
    enum snap_status status = SNAP_OK;
    if (!snap_ssh_take_string(&key_rest, &key_type))
        return bad_key(err);
    if (!snap_ssh_take_string(&rest, &kind) || !snap_ssh_take_string(&rest, &bytes) ||
        rest.size != 0)
        return not_good(err);
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (snap_ssh_is(&key_type, curves[i].key_type))
            curve = &curves[i];
    bool rsa = snap_ssh_is(&key_type, "ssh-rsa");
    bool ed25519 = snap_ssh_is(&key_type, "ssh-ed25519");
    if (!rsa && !ed25519 && curve == NULL)
        return other_kind(&key_type, err);
    /* PROTOCOL.sshsig lets RSA sign with SHA-2 alone. */
    bool sha256 = rsa && snap_ssh_is(&kind, "rsa-sha2-256");
    if (rsa ? !sha256 && !snap_ssh_is(&kind, "rsa-sha2-512")
            : kind.size != key_type.size || memcmp(kind.data, key_type.data, kind.size) != 0)
        return other_kind(&kind, err);
    made = rsa ? rsa_key(&key_rest)
               : ed25519 ? ed25519_key(&key_rest)
                         : ecdsa_key(&key_rest, curve->name, curve->group);
    if (made == NULL)
        return bad_key(err);
    if (rsa && EVP_PKEY_get_bits(made) < LEAST_RSA_BITS)
        status = snap_error_set(err, SNAP_UNSUPPORTED,
                                "signature: by an RSA key of %d bits, which proves nothing",
                                EVP_PKEY_get_bits(made));
    else if (curve != NULL)
        status = verify_ecdsa(made, curve->digest(), &bytes, data, size, err);
    else if (!is_signature(made, ed25519 ? NULL : sha256 ? EVP_sha256() : EVP_sha512(), bytes.data,
                           bytes.size, data, size))
        status = not_good(err);
    EVP_PKEY_free(made);
    return status;
}
