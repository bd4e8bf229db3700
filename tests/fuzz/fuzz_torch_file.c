/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a zip file, or as one of torch's old form: every entry is read; and what torch.save
 * could have written is taken, storages and all. */
#include "config.h"

#include <stdlib.h>

#include "foreign/foreign_peers.h"
#include "foreign/foreign_source.h"
#include "foreign/torch_file.h"
#include "fuzz_target.h"

static void take(const struct snap_foreign_input *input, struct snap_zip *zip)
{
    struct snap_foreign_state state = SNAP_FOREIGN_STATE_INIT;
    struct snap_foreign_source source;
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_torch_file *file = NULL;
    const char *layout;
    if (snap_torch_file_open(input, zip, &file, &err) != SNAP_OK)
        return;
    if (snap_foreign_source_init(&source, "input", file, &state, &err) == SNAP_OK)
        snap_foreign_peers_take(&source, snap_torch_file_root(file), "root", false, NULL, &layout,
                                &err);
    snap_foreign_source_release(&source);
    snap_foreign_state_release(&state);
    snap_torch_file_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap_foreign_input input;
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_zip *zip = NULL;
    snap_foreign_input_memory(data, size, "input", &input);
    if (snap_zip_open(&input, &zip, &err) == SNAP_OK) {
        for (size_t i = 0; i < snap_zip_count(zip); i++) {
            unsigned char *bytes = NULL;
            if (snap_zip_load(zip, snap_zip_at(zip, i), &bytes, &err) == SNAP_OK)
                free(bytes);
        }
        take(&input, zip);
        snap_zip_close(zip);
    } else if (snap_torch_old_is(data, size)) {
        take(&input, NULL);
    }
    return 0;
}
