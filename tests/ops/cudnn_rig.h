/* SPDX-License-Identifier: Apache-2.0 */
/* Trainings under cudnn-1 on libraries that are made of the CPU: a folder to work in, a config in
 * it, and what runs and restores it. A call that may not fail fails the test. */
#ifndef CUDNN_RIG_H
#define CUDNN_RIG_H

#include <stdint.h>

#include "cuda_on_cpu.h"
#include "cudnn_on_cpu.h"
#include "trainer.h"

#define STEPS 6 /* of a whole run: two epochs of three, the last of each with fewer samples */

/* The libraries as they are new, and a run of all steps with them. */
extern const struct cudnn_on_cpu cudnn_rig_libraries;
extern struct trn_result cudnn_rig_undisturbed;

/* Set-up and tear-down of a group, which works in a folder of its own, with cnn.json; and of each
 * test, which begins with new libraries and leaves nothing held. */
int cudnn_rig_begin_all(void **state);
int cudnn_rig_end_all(void **state);
int cudnn_rig_begin(void **state);
int cudnn_rig_end(void **state);

void cudnn_rig_write_file(const char *path, const char *text);
/* NAME.json, with `extra` among the keys of `training`. */
void cudnn_rig_write_config(const char *name, const char *extra);

enum snap_status cudnn_rig_try_run(const char *config, const char *dir, uint64_t steps,
                                   const struct trn_listener *listener, struct trn_result *result,
                                   struct snap_error *err);
void cudnn_rig_run(const char *config, const char *dir, uint64_t steps, struct trn_result *result);
enum snap_status cudnn_rig_try_restore(const char *target, const char *dir, enum snap_tier require,
                                       uint64_t steps, struct trn_result *result,
                                       struct snap_error *err);
void cudnn_rig_go_on(const char *dir, uint64_t steps, struct trn_result *result);

/* One step, ledger, state and archive. */
void cudnn_rig_assert_same(const struct trn_result *a, const struct trn_result *b);

#endif
