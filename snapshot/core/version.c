/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <snapstate/snapstate.h>

const char *snap_version(void)
{
    return PACKAGE_VERSION;
}
