/* SPDX-License-Identifier: Apache-2.0 */
/* The profile files of object storage: sections of `key = value` lines. */
#ifndef SNAP_STORE_INI_FILE_H
#define SNAP_STORE_INI_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* The value of `key` in `section`, the last one where it stands several times, without blanks at
 * its ends; borrowed from `text`, which need not be terminated. Lines that begin with '#' or ';'
 * are comments; lines that begin with a blank belong to the value before, a table of its own, and
 * are passed over; so is what is no such line. False: it is not there, or empty. */
bool snap_ini_find(const char *text, size_t size_bytes, const char *section, const char *key,
                   const char **value, size_t *value_bytes);

#endif
