/* SPDX-License-Identifier: Apache-2.0 */
/* How a training is told: while it goes on, and at its end. For `run` and `restore`. */
#ifndef CMD_TRAINING_REPORT_H
#define CMD_TRAINING_REPORT_H

#include <jansson.h>

#include "output.h"
#include "trainer.h"

/* Make `listener` tell evaluations, snapshots and a restore on stdout (with report->json nothing),
 * line by line, and progress on stderr. A reader of stdout who goes away does not end the training:
 * SIGPIPE is ignored from here on, and the loss of output is told at the end. `report` is borrowed
 * as long as the listener is used. */
void cmd_training_listen(struct trn_listener *listener, struct cmd_report *report);

/* Tell how it ended, after any status of trn_run and trn_restore; returns `status`, or what went
 * wrong in telling. */
enum snap_status cmd_training_tell(const struct trn_result *result, enum snap_status status,
                                   struct cmd_report *report, struct snap_error *err);

/* For JSON: objects, or null. */
json_t *cmd_json_failure(const struct trn_failure *failure);
json_t *cmd_json_difference(const struct snap_ledger_difference *difference);
/* For people: what differs first. */
void cmd_print_difference(const struct snap_ledger_difference *difference);

#endif
