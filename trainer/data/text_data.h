/* SPDX-License-Identifier: Apache-2.0 */
/* Text as a file of bytes, of any encoding: 256 tokens. A sample is a window of `context` bytes;
 * the label of each of its places is the byte that follows it. The end of the file can be held out
 * for evaluation. */
#ifndef TRN_TEXT_DATA_H
#define TRN_TEXT_DATA_H

#include <stddef.h>

#include <snapstate/status.h>

#include "data/dataset.h"

#define TRN_TEXT_TOKENS 256

struct trn_text {
    size_t context;  /* bytes of a window */
    size_t stride;   /* from the start of a window to that of the next one, in training */
    double held_out; /* 0 <= share < 1: floor(share * size) bytes at the end of the file */
};

/* Load a file. Windows of `train` begin at 0, stride, 2 stride, ... as long as they and the byte
 * after them are in front of the part held out; those of `test` lie end to end in that part, and
 * there may be none. `test` borrows the bytes of `train`. SNAP_INVALID: not one window is left to
 * train on. */
enum snap_status trn_text_load(const char *path, const struct trn_text *text,
                               struct trn_dataset *train, struct trn_dataset *test,
                               struct snap_error *err);

#endif
