/* SPDX-License-Identifier: Apache-2.0 */
/* How the uploads stand. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "agent_internal.h"
#include "upload_queue.h"
#include "view.h"

/* Runs in the status: with those of all that may be, it would be larger than a message. */
#define RUNS_SHOWN 256u

static json_t *run_value(const struct agn_upload_run *run)
{
    json_t *waiting = json_array();
    for (const struct agn_upload *one = run->waiting; one != NULL; one = one->next)
        json_array_append_new(waiting, json_integer((json_int_t)one->step));
    return json_pack("{s:I, s:s, s:I, s:I, s:I, s:o, s:o, s:I, s:s, s:o}", "bytes",
                     (json_int_t)run->bytes, "dir", run->dir, "done", (json_int_t)run->done,
                     "dropped", (json_int_t)run->dropped, "failed", (json_int_t)run->failed,
                     "hash", run->hash[0] != '\0' ? json_string(run->hash) : json_null(),
                     "problem",
                     run->problem[0] != '\0' ? agn_view_text(run->problem) : json_null(), "step",
                     (json_int_t)run->step, "store", run->store, "waiting", waiting);
}

static json_t *active_value(struct agn_uploads *uploads)
{
    const struct agn_upload *one = uploads->active != NULL ? uploads->active->waiting : NULL;
    while (one != NULL && !one->under_way)
        one = one->next;
    if (one == NULL)
        return json_null();
    return json_pack("{s:I, s:s, s:I, s:s, s:I}", "bytes",
                     (json_int_t)atomic_load(&uploads->total_bytes), "dir", uploads->active->dir,
                     "done_bytes", (json_int_t)atomic_load(&uploads->sent_bytes), "file", one->file,
                     "for_ms", (json_int_t)(agn_clock_ms() - uploads->active_since_ms));
}

json_t *agn_uploads_value(struct agn_uploads *uploads)
{
    struct agn_upload_run sum = { .done = 0 };
    json_t *runs = json_array();
    size_t shown = 0;
    if (uploads == NULL) {
        json_decref(runs);
        return json_null();
    }
    pthread_mutex_lock(&uploads->lock);
    for (const struct agn_upload_run *run = uploads->runs; run != NULL; run = run->next) {
        sum.done += run->done;
        sum.failed += run->failed;
        sum.dropped += run->dropped;
        sum.bytes += run->bytes;
        sum.waiting_count += run->waiting_count;
        if (shown++ < RUNS_SHOWN)
            json_array_append_new(runs, run_value(run));
    }
    json_t *value = json_pack("{s:I, s:I, s:I, s:I, s:o, s:s, s:o, s:I}", "bytes",
                              (json_int_t)sum.bytes, "done", (json_int_t)sum.done, "dropped",
                              (json_int_t)sum.dropped, "failed", (json_int_t)sum.failed, "runs",
                              runs, "store", uploads->store, "under_way", active_value(uploads),
                              "waiting", (json_int_t)sum.waiting_count);
    pthread_mutex_unlock(&uploads->lock);
    return value;
}

json_t *agn_uploads_run_value(struct agn_uploads *uploads, const char *dir)
{
    if (uploads == NULL)
        return json_null();
    pthread_mutex_lock(&uploads->lock);
    const struct agn_upload_run *run = agn_upload_run_find(uploads, dir, false);
    json_t *value = run != NULL ? run_value(run) : json_null();
    pthread_mutex_unlock(&uploads->lock);
    return value;
}

void agn_uploads_write_metrics(struct agn_uploads *uploads, const struct agn_agent *agent,
                               FILE *file)
{
    static const struct {
        const char *name, *type, *help;
    } rows[] = {
        { "agent_uploads_total", "counter", "Snapshots of a run that were put into the store." },
        { "agent_upload_failures_total", "counter", "Tries to do so that failed." },
        { "agent_uploads_dropped_total", "counter", "Snapshots that are not tried again." },
        { "agent_upload_bytes_total", "counter", "Bytes of archives that were sent." },
        { "agent_uploads_waiting", "gauge", "Snapshots that wait, with the one under way." },
        { "agent_uploaded_step", "gauge", "The step of the last one in the store." },
    };
    if (uploads == NULL)
        return;
    pthread_mutex_lock(&uploads->lock);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        agn_metric_head(file, rows[i].name, rows[i].type, rows[i].help);
        for (const struct agn_upload_run *run = uploads->runs; run != NULL; run = run->next) {
            const uint64_t values[] = { run->done,  run->failed,        run->dropped,
                                        run->bytes, run->waiting_count, run->step };
            agn_metric_of_run(file, agent, rows[i].name, run->dir, (double)values[i]);
        }
    }
    pthread_mutex_unlock(&uploads->lock);
}
