/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "member_text.h"

const char *cmd_member_kind(enum snap_member_kind kind)
{
    switch (kind) {
    case SNAP_MEMBER_README:
        return "readme";
    case SNAP_MEMBER_MANIFEST:
        return "manifest";
    case SNAP_MEMBER_STATE_JSON:
        return "state";
    case SNAP_MEMBER_DATA:
        return "data";
    case SNAP_MEMBER_STREAM:
        return "stream";
    case SNAP_MEMBER_TENSOR:
        return "tensor";
    case SNAP_MEMBER_EXTRA:
        return "extra";
    case SNAP_MEMBER_ENVIRONMENT:
        return "environment";
    case SNAP_MEMBER_LEDGER:
        return "ledger";
    case SNAP_MEMBER_STATE_LISTING:
        return "state_listing";
    case SNAP_MEMBER_LISTING:
        return "listing";
    }
    return "unknown";
}

const char *cmd_digest_text(const unsigned char sha256[SNAP_DIGEST_BYTES],
                            char text[CMD_DIGEST_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SNAP_DIGEST_BYTES; i++) {
        text[2 * i] = digits[sha256[i] >> 4];
        text[2 * i + 1] = digits[sha256[i] & 15];
    }
    text[2 * SNAP_DIGEST_BYTES] = '\0';
    return text;
}
