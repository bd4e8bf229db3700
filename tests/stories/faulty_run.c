/* SPDX-License-Identifier: Apache-2.0 */
/* A training that meets one fault, of which nothing says that it was there:
 *
 *     faulty_run CONFIG DIR LAST_STEP FAULT STEP
 *
 * FAULT: "none"; "draw" (one word more of the NumPy stream, in the step), "order" (the samples of
 * the epoch from this step on, backwards), "weight", "moment" (one bit of the last parameter or of
 * its first state, after the step), "gradient" (one bit of the last parameter's, in the step). */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/train_session.h"
#include "session/training.h"
#include "trainer.h"

static struct trn_training *training;
static const struct trn_ops *true_ops;
static struct trn_ops ops;
static const char *fault;
static unsigned long fault_step, updates;
static struct trn_tensor last_parameter;

static void turn_order(void)
{
    struct trn_batch_order *order = &training->order;
    for (size_t i = order->position, k = order->samples - 1; i < k; i++, k--) {
        const uint32_t id = order->order[i];
        order->order[i] = order->order[k];
        order->order[k] = id;
    }
}

/* The highest bit of the fraction: a lower one can be lost in a rounding. */
static void flip_bit(float *values)
{
    ((unsigned char *)values)[2] ^= 0x40;
}

/* Called when the last parameter is about to be updated, and when it was. */
static enum snap_status meet(bool after, float *moment, struct snap_error *err)
{
    int64_t bit;
    const bool now = updates == fault_step;
    if (!after && now && strcmp(fault, "draw") == 0)
        return snap_numpy_randint(training->numpy, 0, 2, &bit, 1, err);
    if (!after && now && strcmp(fault, "gradient") == 0)
        flip_bit(last_parameter.gradient);
    if (after && updates + 1 == fault_step && strcmp(fault, "order") == 0)
        turn_order();
    if (after && now && strcmp(fault, "weight") == 0)
        flip_bit(last_parameter.data);
    if (after && now && strcmp(fault, "moment") == 0)
        flip_bit(moment);
    return SNAP_OK;
}

static enum snap_status faulty_sgd(struct trn_backend *backend, const struct trn_sgd *args,
                                   struct snap_error *err)
{
    const bool last = args->weight == last_parameter.data;
    enum snap_status status = SNAP_OK;
    updates += last;
    if (last)
        status = meet(false, args->velocity, err);
    if (status == SNAP_OK)
        status = true_ops->sgd(backend, args, err);
    return status == SNAP_OK && last ? meet(true, args->velocity, err) : status;
}

static void find_last_parameter(void)
{
    const struct trn_tensor *tensors = trn_model_tensors(training->model);
    for (size_t i = 0; i < trn_model_tensor_count(training->model); i++)
        if (tensors[i].role == TRN_PARAMETER)
            last_parameter = tensors[i];
}

static enum snap_status run(char **argv, struct snap_error *err)
{
    struct trn_training_options making = { .threads = 1 };
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct trn_result result = TRN_RESULT_INIT;
    struct trn_config config;
    enum snap_status status = trn_config_load(argv[1], NULL, &config, err);
    opening.dir = argv[2];
    opening.must_be_new = true;
    if (status == SNAP_OK)
        status = trn_training_new(&config, &making, &training, err);
    if (status == SNAP_OK)
        status = trn_training_open_run(training, &opening, err);
    if (status != SNAP_OK)
        return status;
    find_last_parameter();
    true_ops = training->backend->ops;
    ops = *true_ops;
    ops.sgd = faulty_sgd;
    training->backend->ops = &ops;
    status = trn_session_train(training, strtoul(argv[3], NULL, 10), NULL, &result, err);
    trn_result_release(&result);
    return status == SNAP_OK ? trn_training_free(training, err) : status;
}

int main(int argc, char **argv)
{
    struct snap_error err = SNAP_ERROR_INIT;
    if (argc != 6)
        return 2;
    fault = argv[4];
    fault_step = strtoul(argv[5], NULL, 10);
    if (run(argv, &err) == SNAP_OK)
        return 0;
    fprintf(stderr, "faulty_run: %s\n", err.text);
    return 1;
}
