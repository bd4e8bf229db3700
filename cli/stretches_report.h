/* SPDX-License-Identifier: Apache-2.0 */
/* `snap verify --replay`: stretches made again, told to people and in a verdict. */
#ifndef CMD_STRETCHES_REPORT_H
#define CMD_STRETCHES_REPORT_H

#include <snapstate/verify.h>

#include "trainer.h"

/* The stretches, which were chosen and how, before the verdict. */
void cmd_print_stretches(const struct trn_stretches_result *result);
/* The same as a value of --json. */
json_t *cmd_json_stretches(const struct trn_stretches_result *result);

/* What the replay, which ended with `status` and its text, says of the execution. */
enum snap_status cmd_verdict_replayed(struct snap_verdict *verdict,
                                      const struct trn_stretches_result *result,
                                      enum snap_status status, struct snap_error *err);

#endif
