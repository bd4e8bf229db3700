/* SPDX-License-Identifier: Apache-2.0 */
/* Saves of tensors in the memory of CUDA device 0, which change as soon as they may: for the device
 * that is made of the CPU, and for real ones. */
#ifndef DEVICE_COPIES_TEST_H
#define DEVICE_COPIES_TEST_H

#include <cuda_runtime_api.h>

#include <snapstate/snapstate.h>

/* A training with three tensors: weight and moment, of `bytes` each, and `running`, a quarter of
 * that, which the forward pass changes. */
struct copied_run {
    size_t bytes; /* a multiple of 16 */
    bool on_host; /* in host memory, for comparison */
    unsigned char *memory;
    cudaStream_t stream;
    struct snap_run *run;
    struct snap_ticket *ticket; /* of a save under way */
};

/* Memory of one byte each, and a run of which nothing was restored; `device_copy` is the option.
 * After a failure too, copied_run_close gives all back. */
enum snap_status copied_run_open(struct copied_run *training, const char *dir,
                                 const char *device_copy, struct snap_error *err);
/* What of a step comes before the update, and what changes all that it may, with a line. */
enum snap_status copied_run_forward(struct copied_run *training, struct snap_error *err);
enum snap_status copied_run_update(struct copied_run *training, struct snap_error *err);
/* After a step. */
enum snap_status copied_run_capture(struct copied_run *training, struct snap_error *err);
/* A failure of the save is that of this. */
enum snap_status copied_run_wait(struct copied_run *training, struct snap_error *err);
enum snap_status copied_run_close(struct copied_run *training, struct snap_error *err);

/* Two steps in a new folder, the first one captured and the save waited for after the second. Both
 * are the caller's to remove and free. */
char *copied_run_two_steps(size_t bytes, bool on_host, const char *device_copy);
/* The snapshot and the ledger of both are the same. */
void copied_run_check_same(const char *left, const char *right);

#endif
