/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a pickle, and what was read as a tree and as streams: the way that a file of
 * `snap import` goes, from a plain file and from one of torch's. */
#include "config.h"

#include <stdlib.h>

#include "foreign/foreign_peers.h"
#include "foreign/foreign_source.h"
#include "foreign/pickle_reader.h"
#include "fuzz_target.h"

static void take(const uint8_t *data, size_t size, bool persistent_ids)
{
    struct snap_pickle_options options = { .what = "input", .persistent_ids = persistent_ids };
    struct snap_foreign_state state = SNAP_FOREIGN_STATE_INIT;
    struct snap_foreign_source source;
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_pickle *pickle = NULL;
    const struct snap_pickle_value *root = NULL;
    const char *layout;
    if (snap_pickle_read(data, size, &options, &pickle, &root, NULL, &err) != SNAP_OK)
        return;
    if (snap_foreign_source_init(&source, "input", NULL, &state, &err) == SNAP_OK)
        snap_foreign_peers_take(&source, root, "root", false, NULL, &layout, &err);
    snap_foreign_source_release(&source);
    snap_foreign_state_release(&state);
    snap_pickle_free(pickle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take(data, size, false);
    take(data, size, true);
    return 0;
}
