/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "command.h"

/* In the order in which someone meets them. */
const struct cmd_command *const cmd_table[] = {
    &cmd_run,  &cmd_save, &cmd_restore, &cmd_replay, &cmd_verify, &cmd_hash,
    &cmd_show, &cmd_cat,  &cmd_list,    &cmd_diff,   &cmd_check,  &cmd_rng,
    &cmd_import, &cmd_export, &cmd_fsck, &cmd_thin, &cmd_pack, &cmd_prune,
    &cmd_sweep, &cmd_report, &cmd_cite, &cmd_publish, &cmd_prove, &cmd_bisect,
    &cmd_serve, &cmd_push, &cmd_pull, NULL,
};

const struct cmd_command *cmd_find(const char *name)
{
    for (size_t i = 0; cmd_table[i]; i++)
        if (strcmp(cmd_table[i]->name, name) == 0)
            return cmd_table[i];
    return NULL;
}
