/* SPDX-License-Identifier: Apache-2.0 */
/* The two parts of a config, each read in a file of its own. For training_config.c alone. */
#ifndef TRN_CONFIG_PARTS_H
#define TRN_CONFIG_PARTS_H

#include "config/config_fields.h"
#include "config/training_config.h"

/* Read "training" of the whole config `root`, and write its defaults out there. What *config owns
 * is released by the caller with trn_config_release, also after a failure. */
enum snap_status trn_config_read_training(const struct trn_fields *root, struct trn_config *config,
                                          struct snap_error *err);

/* The same for "running". `folder`: what relative paths are relative to. */
enum snap_status trn_config_read_running(const struct trn_fields *root, const char *folder,
                                         struct trn_config *config, struct snap_error *err);

#endif
