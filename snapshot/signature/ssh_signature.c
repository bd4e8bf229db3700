/* SPDX-License-Identifier: Apache-2.0 */
/* SSHSIG: the armour, the blob, and what was really signed (OpenSSH, PROTOCOL.sshsig). */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include <snapstate/signature.h>

#include "signature/allowed_signers.h"
#include "signature/ssh_key.h"

static const char magic[] = "SSHSIG";
enum { MAGIC_BYTES = sizeof magic - 1, SSHSIG_VERSION = 1 };

struct parts {
    struct snap_ssh_bytes key;
    struct snap_ssh_bytes name_space;
    struct snap_ssh_bytes reserved;
    struct snap_ssh_bytes hash;
    struct snap_ssh_bytes signature;
};

static enum snap_status no_signature(struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT,
                          "signature: it is none that ssh-keygen -Y sign has written");
}

/* The bytes between the two lines. */
static enum snap_status take_armour(const char *text, size_t size, struct snap_buffer *blob,
                                    struct snap_error *err)
{
    static const char begin[] = "-----BEGIN SSH SIGNATURE-----\n";
    static const char end[] = "-----END SSH SIGNATURE-----";
    const size_t head = sizeof begin - 1;
    bool valid = false;
    if (size < head || memcmp(text, begin, head) != 0)
        return no_signature(err);
    const char *foot = memmem(text + head, size - head, end, sizeof end - 1);
    if (foot == NULL)
        return no_signature(err);
    /* Nothing but the end of the line may follow: it would be covered by nothing. */
    size_t rest = size - (size_t)(foot - text) - (sizeof end - 1);
    if (rest > 1 || (rest == 1 && foot[sizeof end - 1] != '\n'))
        return no_signature(err);
    enum snap_status status =
        snap_ssh_base64(text + head, (size_t)(foot - text) - head, blob, &valid, err);
    return status == SNAP_OK && !valid ? no_signature(err) : status;
}

static enum snap_status take_parts(const struct snap_buffer *blob, struct parts *parts,
                                   struct snap_error *err)
{
    struct snap_ssh_bytes rest = { blob->data, blob->size };
    uint32_t version = 0;
    if (rest.size < MAGIC_BYTES || memcmp(rest.data, magic, MAGIC_BYTES) != 0)
        return no_signature(err);
    rest.data += MAGIC_BYTES;
    rest.size -= MAGIC_BYTES;
    if (!snap_ssh_take_u32(&rest, &version))
        return no_signature(err);
    if (version != SSHSIG_VERSION)
        return snap_error_set(err, SNAP_UNSUPPORTED, "signature: of version %u; 1 is known here",
                              (unsigned)version);
    if (!snap_ssh_take_string(&rest, &parts->key) ||
        !snap_ssh_take_string(&rest, &parts->name_space) ||
        !snap_ssh_take_string(&rest, &parts->reserved) ||
        !snap_ssh_take_string(&rest, &parts->hash) ||
        !snap_ssh_take_string(&rest, &parts->signature) || rest.size != 0)
        return no_signature(err);
    if (!snap_ssh_is(&parts->name_space, SNAP_SIGNATURE_NAMESPACE))
        return snap_error_set(err, SNAP_CORRUPT,
                              "signature: made for another purpose: its namespace is not "
                              "\"" SNAP_SIGNATURE_NAMESPACE "\"");
    return SNAP_OK;
}

/* The bytes that the key has signed: not the message, but a frame round its hash. */
static enum snap_status signed_bytes(const struct parts *parts, const void *message, size_t size,
                                     struct snap_buffer *out, struct snap_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    bool sha512 = snap_ssh_is(&parts->hash, "sha512");
    if (!sha512 && !snap_ssh_is(&parts->hash, "sha256"))
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "signature: over a hash that is neither sha512 nor sha256");
    if (EVP_Digest(message, size, digest, &digest_bytes, sha512 ? EVP_sha512() : EVP_sha256(),
                   NULL) != 1)
        return snap_error_set(err, SNAP_NO_MEMORY, "signature: OpenSSL cannot hash the message");
    enum snap_status status = snap_buffer_append(out, magic, MAGIC_BYTES, err);
    if (status == SNAP_OK)
        status = snap_ssh_append_string(out, parts->name_space.data, parts->name_space.size, err);
    if (status == SNAP_OK)
        status = snap_ssh_append_string(out, parts->reserved.data, parts->reserved.size, err);
    if (status == SNAP_OK)
        status = snap_ssh_append_string(out, parts->hash.data, parts->hash.size, err);
    if (status == SNAP_OK)
        status = snap_ssh_append_string(out, digest, digest_bytes, err);
    return status;
}

static enum snap_status find_signer(const struct parts *parts, const char *signers, size_t size,
                                    struct snap_signer *signer, struct snap_error *err)
{
    bool found = false;
    enum snap_status status = snap_allowed_signers_find(
        signers, size, &parts->key, SNAP_SIGNATURE_NAMESPACE, time(NULL), &found,
        signer->principals, sizeof signer->principals, err);
    if (status == SNAP_OK && !found)
        status = snap_error_set(err, SNAP_DIFFERS,
                                "signature: good, but by %s key %s, which is not among the "
                                "signers allowed",
                                signer->key_type, signer->fingerprint);
    return status;
}

enum snap_status snap_signature_verify(const void *message, size_t message_bytes,
                                       const char *signature, size_t signature_bytes,
                                       const char *signers, size_t signers_bytes,
                                       struct snap_signer *signer, struct snap_error *err)
{
    struct snap_signer found = SNAP_SIGNER_INIT;
    struct snap_buffer blob = SNAP_BUFFER_INIT;
    struct snap_buffer framed = SNAP_BUFFER_INIT;
    struct parts parts;
    if (signature == NULL || signer == NULL || signer->size_bytes != sizeof found)
        return snap_error_set(err, SNAP_INVALID, "signature: none given, or no place for who "
                                                 "signed");
    enum snap_status status = take_armour(signature, signature_bytes, &blob, err);
    if (status == SNAP_OK)
        status = take_parts(&blob, &parts, err);
    if (status == SNAP_OK)
        status = snap_ssh_key_describe(&parts.key, &found, err);
    if (status == SNAP_OK)
        status = signed_bytes(&parts, message, message_bytes, &framed, err);
    if (status == SNAP_OK)
        status = snap_ssh_key_verify(&parts.key, &parts.signature, framed.data, framed.size, err);
    if (status == SNAP_OK && signers != NULL)
        status = find_signer(&parts, signers, signers_bytes, &found, err);
    if (status == SNAP_OK || status == SNAP_DIFFERS)
        *signer = found;
    snap_buffer_release(&blob);
    snap_buffer_release(&framed);
    return status;
}

enum snap_status snap_signature_key(const char *text, size_t size_bytes,
                                    struct snap_signer *signer, struct snap_error *err)
{
    struct snap_signer found = SNAP_SIGNER_INIT;
    struct snap_buffer blob = SNAP_BUFFER_INIT;
    bool valid = false;
    /* key-type base64 [comment] */
    const char *blank = memchr(text, ' ', size_bytes);
    const char *base64 = blank != NULL ? blank + 1 : text;
    size_t size = size_bytes - (size_t)(base64 - text);
    size_t length = 0;
    while (length < size && base64[length] != ' ' && base64[length] != '\n')
        length++;
    enum snap_status status = snap_ssh_base64(base64, length, &blob, &valid, err);
    struct snap_ssh_bytes key = { blob.data, blob.size };
    if (status == SNAP_OK && (blank == NULL || !valid ||
                              snap_ssh_key_describe(&key, &found, NULL) != SNAP_OK ||
                              strlen(found.key_type) != (size_t)(blank - text) ||
                              memcmp(found.key_type, text, (size_t)(blank - text)) != 0))
        status = snap_error_set(err, SNAP_INVALID, "no public key as ssh-keygen writes it");
    if (status == SNAP_OK)
        *signer = found;
    snap_buffer_release(&blob);
    return status;
}
