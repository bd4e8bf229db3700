/* SPDX-License-Identifier: Apache-2.0 */
/* The two chains of a ledger. A document is the canonical JSON of the part of a line that the
 * chain covers, with its final newline. */
#ifndef SNAP_DIGEST_CHAIN_H
#define SNAP_DIGEST_CHAIN_H

#include <stddef.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

/* What the first value of a chain begins with, so that a chain is never taken for another. */
#define SNAP_CHAIN_LEDGER "snap-ledger-1\n"
#define SNAP_CHAIN_HOST "snap-host-1\n"

/* chain_0 = SHA-256(tag, document). */
enum snap_status snap_chain_first(const char *tag, const void *document, size_t size_bytes,
                                  unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err);
/* chain_n = SHA-256(chain_{n-1}, document). `out` may be `before`. */
enum snap_status snap_chain_next(const unsigned char before[SNAP_DIGEST_BYTES],
                                 const void *document, size_t size_bytes,
                                 unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err);

#endif
