/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures as `ssh-keygen -Y sign` makes them (OpenSSH's PROTOCOL.sshsig), of keys that people
 * have already: ed25519, ECDSA over the NIST curves, RSA of 2048 bits and more. */
#ifndef SNAPSTATE_SIGNATURE_H
#define SNAPSTATE_SIGNATURE_H

#include <stddef.h>

#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is signed for one purpose is no signature for another: ssh-keygen's -n. */
#define SNAP_SIGNATURE_NAMESPACE "snapstate"

/* Who signed. */
struct snap_signer {
    size_t size_bytes;     /* sizeof(struct snap_signer) */
    char key_type[32];     /* "ssh-ed25519" */
    char fingerprint[64];  /* "SHA256:...", as `ssh-keygen -l` prints it */
    char principals[256];  /* as the file of signers has them; "": no such file was given */
};
#define SNAP_SIGNER_INIT { .size_bytes = sizeof(struct snap_signer) }

/* Is `signature`, the text of a .sig file, one of `message`, in our namespace, and does `signers`
 * (the text of an allowed_signers file, as in ssh-keygen(1); NULL: any key will do) let that key
 * sign now? *signer is filled for SNAP_OK and SNAP_DIFFERS. SNAP_CORRUPT: no signature, or not of
 * these bytes. SNAP_DIFFERS: a good signature, by a key that `signers` does not let sign.
 * SNAP_UNSUPPORTED: a kind of key (of a security token, a certificate) or hash that is not known
 * here. SNAP_INVALID: a line of `signers` that cannot be read. */
enum snap_status snap_signature_verify(const void *message, size_t message_bytes,
                                       const char *signature, size_t signature_bytes,
                                       const char *signers, size_t signers_bytes,
                                       struct snap_signer *signer, struct snap_error *err);

/* The fingerprint and kind of a public key, the text of a .pub file. SNAP_INVALID: no key. */
enum snap_status snap_signature_key(const char *text, size_t size_bytes,
                                    struct snap_signer *signer, struct snap_error *err);

#ifdef __cplusplus
}
#endif

#endif
