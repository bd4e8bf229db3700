/* SPDX-License-Identifier: Apache-2.0 */
/* The block function of SHA-256 by instructions of the processor, for one message or for two side
 * by side. The instructions wait for each other's results: two messages, which do not depend on one
 * another, take hardly longer than one. */
#ifndef SNAP_DIGEST_SHA256_BLOCKS_H
#define SNAP_DIGEST_SHA256_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#define SNAP_SHA256_BLOCK_BYTES 64u

struct snap_sha256_blocks {
    /* Take `blocks` blocks of 64 bytes into the eight words of the state. */
    void (*one)(uint32_t state[8], const unsigned char *data, size_t blocks);
    /* The same for two messages. */
    void (*pair)(uint32_t a_state[8], const unsigned char *a_data, uint32_t b_state[8],
                 const unsigned char *b_data, size_t blocks);
};

/* For the processor that this runs on; NULL: it has no such instructions, or none known here. */
const struct snap_sha256_blocks *snap_sha256_blocks(void);

#endif
