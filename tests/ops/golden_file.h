/* SPDX-License-Identifier: Apache-2.0 */
/* Files of known hashes: lines "HASH name with spaces". */
#ifndef GOLDEN_FILE_H
#define GOLDEN_FILE_H

#include <stddef.h>

/* SHA-256 as 64 hex digits and a terminator. Aborts when OpenSSL fails. */
void golden_hash(const void *bytes, size_t size_bytes, char hex[65]);

/* The hash of `name` in the file of that name beside this source, or an empty text. The file is
 * looked for in $top_srcdir/tests/ops, or below the current folder where that is unset. */
void golden_find(const char *file_name, const char *name, char hex[65]);

#endif
