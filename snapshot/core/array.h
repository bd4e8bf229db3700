/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that grow by one element at a time. */
#ifndef SNAP_CORE_ARRAY_H
#define SNAP_CORE_ARRAY_H

#include <stddef.h>

/* Make room for element `count` of an array that holds `count` and was grown by this function
 * alone (NULL with 0 at first). It moves at powers of two only. NULL, and the array as it was, when
 * memory is out. */
void *snap_array_grow(void *array, size_t count, size_t element_bytes);

#endif
