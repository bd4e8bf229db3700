/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a config; the `training` part of one that is taken is taken again, as the same. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "config/training_config.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_config config;
    struct trn_config second;
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL || trn_config_decode(root, "/", &config, &err) != SNAP_OK)
        return 0;
    char *text = trn_config_training_text(&config);
    if (text == NULL || trn_config_of_archive(text, NULL, &second, &err) != SNAP_OK)
        abort();
    char *again = trn_config_training_text(&second);
    if (again == NULL || strcmp(text, again) != 0)
        abort();
    free(again);
    free(text);
    trn_config_release(&second);
    trn_config_release(&config);
    return 0;
}
