/* SPDX-License-Identifier: Apache-2.0 */
/* Words and digits for members. */
#ifndef CMD_MEMBER_TEXT_H
#define CMD_MEMBER_TEXT_H

#include <stddef.h>

#include <snapstate/archive.h>

/* The kind's word in manifest.json ("tensor"); static. */
const char *cmd_member_kind(enum snap_member_kind kind);

/* 64 lower-case hex digits into `text`, which is returned. */
#define CMD_DIGEST_TEXT_BYTES (2 * SNAP_DIGEST_BYTES + 1)
const char *cmd_digest_text(const unsigned char sha256[SNAP_DIGEST_BYTES],
                            char text[CMD_DIGEST_TEXT_BYTES]);

#endif
