/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a JSON file of another program, taken as streams and a tree. */
#include "config.h"

#include "foreign/foreign_peers.h"
#include "foreign/foreign_source.h"
#include "foreign/json_values.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap_foreign_state state = SNAP_FOREIGN_STATE_INIT;
    struct snap_foreign_source source;
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_pickle *pickle = NULL;
    const struct snap_pickle_value *root = NULL;
    const char *layout;
    if (snap_json_values_read(data, size, "input", &pickle, &root, &err) != SNAP_OK)
        return 0;
    if (snap_foreign_source_init(&source, "input", NULL, &state, &err) == SNAP_OK)
        snap_foreign_peers_take(&source, root, "root", false, NULL, &layout, &err);
    snap_foreign_source_release(&source);
    snap_foreign_state_release(&state);
    snap_pickle_free(pickle);
    return 0;
}
