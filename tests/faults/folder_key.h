/* SPDX-License-Identifier: Apache-2.0 */
/* What a run folder holds, as a digest: two folders that differ in times and in the digits of
 * temporaries alone have the same. */
#ifndef SNAP_TESTS_FOLDER_KEY_H
#define SNAP_TESTS_FOLDER_KEY_H

#include <snapstate/snapstate.h>

void folder_key(const char *dir, unsigned char key[SNAP_DIGEST_BYTES]);

#endif
