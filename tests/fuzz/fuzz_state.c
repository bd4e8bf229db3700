/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as state.json; one that is taken is written again as the same bytes. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "format/state_json.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_state_doc doc = SNAP_STATE_DOC_INIT;
    struct snap_buffer again = SNAP_BUFFER_INIT;
    if (snap_state_doc_decode(data, size, &doc, &err) == SNAP_OK &&
        (snap_state_doc_encode(&doc, &again, &err) != SNAP_OK || again.size != size ||
         memcmp(again.data, data, size) != 0))
        abort();
    snap_buffer_release(&again);
    snap_state_doc_release(&doc);
    return 0;
}
