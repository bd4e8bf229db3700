/* SPDX-License-Identifier: Apache-2.0 */
/* The Nth allocation fails. The linker sends calls of malloc and its kin in the test's own objects
 * and in libsnapcore here: link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,
 * --wrap=reallocarray,--wrap=strdup,--wrap=json_loadb. Jansson is told, but for its parser, which
 * (2.14) reads freed memory when it can get no more; libarchive and OpenSSL keep theirs, for
 * libarchive ends the process. One thread at a time. */
#ifndef SNAP_TESTS_FAILING_MEMORY_H
#define SNAP_TESTS_FAILING_MEMORY_H

#include <stdbool.h>

/* Fail the Nth allocation from here on, and only that one; 0: none. */
void failing_memory_set(long n);
/* Has it failed since? */
bool failing_memory_hit(void);
/* Do Jansson's allocations count? */
void failing_memory_with_jansson(bool with_jansson);

#endif
