/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as manifest.json; one that is taken is written again as the same bytes. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "format/json_canonical.h"
#include "format/manifest.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_manifest manifest = SNAP_MANIFEST_INIT;
    struct snap_buffer again = SNAP_BUFFER_INIT;
    json_t *document = NULL;
    if (snap_json_decode(data, size, "input", &document, &err) != SNAP_OK)
        return 0;
    if (snap_manifest_decode(document, &manifest, &err) == SNAP_OK &&
        (snap_manifest_encode(&manifest, &again, &err) != SNAP_OK || again.size != size ||
         memcmp(again.data, data, size) != 0))
        abort();
    snap_buffer_release(&again);
    snap_manifest_release(&manifest);
    json_decref(document);
    return 0;
}
