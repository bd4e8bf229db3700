/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>

#include "core/array.h"

void *snap_array_grow(void *array, size_t count, size_t element_bytes)
{
    if (array != NULL && (count & (count - 1)) != 0)
        return array;
    return reallocarray(array, count > 0 ? 2 * count : 1, element_bytes);
}
