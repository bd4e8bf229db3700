/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a .npy, a .npz and a safetensors file, taken as roots. */
#include "config.h"

#include "foreign/foreign_arrays.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap_foreign_state state = SNAP_FOREIGN_STATE_INIT;
    struct snap_foreign_input input;
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_zip *zip = NULL;
    const char *layout;
    snap_foreign_input_memory(data, size, "input", &input);
    snap_foreign_take_npy(&state, &input, "npy", false, NULL, &layout, &err);
    snap_foreign_take_safetensors(&state, &input, "safetensors", &err);
    if (snap_zip_open(&input, &zip, &err) == SNAP_OK)
        snap_foreign_take_npz(&state, zip, "input", "npz", &err);
    snap_zip_close(zip);
    snap_foreign_state_release(&state);
    return 0;
}
