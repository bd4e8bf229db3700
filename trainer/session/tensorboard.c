/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/tensorboard.h"

#include <stdlib.h>

#include <jansson.h>

#include "optim/schedule.h"
#include "process/progress.h"

/* A reader who looks on sees a value at most so much later. */
#define FLUSH_SECONDS 2.0

/* loss, accuracy, learning rate, step time; of held-out data loss and accuracy */
enum { MOST_SCALARS = 6 };

/* The first failure is told once, and ends the file. */
static void give_up(struct trn_tensorboard *board, const struct snap_error *problem)
{
    json_t *fields = json_pack("{s:s}", "problem", problem->text);
    char *text = fields != NULL ? json_dumps(fields, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(fields);
    (void)snap_run_event(board->training->run, "tensorboard", text, NULL);
    free(text);
    trn_event_file_close(board->file, NULL); /* it has failed already */
    board->file = NULL;
}

void trn_tensorboard_begin(struct trn_tensorboard *board, struct trn_training *training)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    *board = (struct trn_tensorboard){ .training = training };
    if (!training->config.tensorboard)
        return;
    board->flushed = trn_clock_seconds();
    if (trn_event_file_open(snap_run_dir(training->run), snap_run_steps_done(training->run) + 1,
                            &board->file, &problem) != SNAP_OK)
        give_up(board, &problem);
}

static float share(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (float)((double)part / (double)whole) : 0.0f;
}

void trn_tensorboard_step(struct trn_tensorboard *board, const struct trn_step *step,
                          double seconds)
{
    const struct trn_training *t = board->training;
    const struct trn_dataset *test = &t->data.test;
    struct trn_event_scalar scalars[MOST_SCALARS];
    struct snap_error problem = SNAP_ERROR_INIT;
    size_t count = 0;
    if (board->file == NULL)
        return;
    scalars[count++] = (struct trn_event_scalar){ "train/loss", step->loss };
    scalars[count++] = (struct trn_event_scalar){
        "train/accuracy", share(step->correct, step->samples * t->data.train.labels_size)
    };
    scalars[count++] = (struct trn_event_scalar){
        "train/learning_rate", trn_schedule_rate(&t->config.schedule, step->step - 1)
    };
    scalars[count++] = (struct trn_event_scalar){ "train/step_seconds", (float)seconds };
    if (step->evaluated) {
        scalars[count++] = (struct trn_event_scalar){ "eval/loss", step->evaluation_loss };
        scalars[count++] = (struct trn_event_scalar){
            "eval/accuracy", share(step->evaluation_correct, test->samples * test->labels_size)
        };
    }
    enum snap_status status =
        trn_event_file_scalars(board->file, step->step, scalars, count, &problem);
    double now = trn_clock_seconds();
    if (status == SNAP_OK && now - board->flushed >= FLUSH_SECONDS) {
        board->flushed = now;
        status = trn_event_file_flush(board->file, &problem);
    }
    if (status != SNAP_OK)
        give_up(board, &problem);
}

void trn_tensorboard_saved(struct trn_tensorboard *board, uint64_t step, const char *hash,
                           const char *path)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    if (board->file != NULL &&
        trn_event_file_snapshot(board->file, step, hash, path, &problem) != SNAP_OK)
        give_up(board, &problem);
}

void trn_tensorboard_end(struct trn_tensorboard *board)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    struct trn_event_file *file = board->file;
    board->file = NULL;
    if (trn_event_file_close(file, &problem) != SNAP_OK)
        give_up(board, &problem);
}
