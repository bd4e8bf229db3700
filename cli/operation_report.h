/* SPDX-License-Identifier: Apache-2.0 */
/* How the operations of a step are told. */
#ifndef CMD_OPERATION_REPORT_H
#define CMD_OPERATION_REPORT_H

#include <jansson.h>

#include "output.h"
#include "trainer.h"

/* For a listener's `operation`: a line each, or an array. */
struct cmd_operations {
    bool json;
    json_t *list; /* the array, NULL when memory is out; null where nobody asks */
};
void cmd_tell_operation(void *arg, const struct trn_operation *operation,
                        enum trn_recorded recorded);

/* One as a value of --json, and as a field. */
json_t *cmd_json_operation(const struct trn_operation *operation);
void cmd_print_operation_field(const char *label, const struct trn_operation *operation);

#endif
