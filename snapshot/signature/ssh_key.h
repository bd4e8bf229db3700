/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys in SSH's encoding (RFC 4253 section 6.6, RFC 5656, RFC 8709), and one signature by
 * one. */
#ifndef SNAP_SIGNATURE_SSH_KEY_H
#define SNAP_SIGNATURE_SSH_KEY_H

#include <snapstate/signature.h>
#include <snapstate/status.h>

#include "signature/ssh_bytes.h"

/* `key_type` and `fingerprint` of *signer, of a key's bytes. SNAP_CORRUPT: no key. */
enum snap_status snap_ssh_key_describe(const struct snap_ssh_bytes *key,
                                       struct snap_signer *signer, struct snap_error *err);

/* Is `signature` (SSH's encoding: its algorithm, and its bytes) one by `key` of `data`?
 * SNAP_CORRUPT: it is not, or one of the two cannot be read. SNAP_UNSUPPORTED: a kind of key or
 * signature that is not known here, or an RSA key that is too short to mean anything. */
enum snap_status snap_ssh_key_verify(const struct snap_ssh_bytes *key,
                                     const struct snap_ssh_bytes *signature, const void *data,
                                     size_t size, struct snap_error *err);

#endif
