/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_state.h"
#include "uploads.h"

/* A value of a label: backslash, quote and newline are escaped, as the format has it. */
static void write_label(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            fputs("\\n", file);
        else if (*text == '\\' || *text == '"')
            fprintf(file, "\\%c", *text);
        else
            putc(*text, file);
    }
}

void agn_metric_head(FILE *file, const char *name, const char *type, const char *help)
{
    fprintf(file, "# HELP snap_%s %s\n# TYPE snap_%s %s\n", name, help, name, type);
}

/* One that belongs to a run, by its folder. */
void agn_metric_of_run(FILE *file, const struct agn_agent *agent, const char *name,
                       const char *dir, double value)
{
    size_t root = strlen(agent->root);
    bool below = strncmp(dir, agent->root, root) == 0 && dir[root] == '/';
    fprintf(file, "snap_%s{run=\"", name);
    write_label(file, below ? dir + root + 1 : dir);
    fprintf(file, "\"} %.17g\n", value);
}

/* Of the runs that came since the agent began. */
static void write_saves(FILE *file, const struct agn_agent *agent)
{
    agn_metric_head(file, "agent_saves_total", "counter", "Saves that the agent made for a run.");
    for (size_t i = 0; i < agent->run_count; i++)
        agn_metric_of_run(file, agent, "agent_saves_total", agent->runs[i].dir,
                     (double)agent->runs[i].saves);
    agn_metric_head(file, "agent_save_failures_total", "counter",
               "Saves that the agent was asked for and did not make.");
    for (size_t i = 0; i < agent->run_count; i++)
        agn_metric_of_run(file, agent, "agent_save_failures_total", agent->runs[i].dir,
                     (double)agent->runs[i].failures);
    agn_metric_head(file, "agent_save_duration_seconds", "gauge",
               "How long the last save of a run took.");
    for (size_t i = 0; i < agent->run_count; i++)
        agn_metric_of_run(file, agent, "agent_save_duration_seconds", agent->runs[i].dir,
                     (double)agent->runs[i].duration_ms / 1000);
    agn_metric_head(file, "agent_saved_step", "gauge", "The step of the last save of a run.");
    for (size_t i = 0; i < agent->run_count; i++)
        agn_metric_of_run(file, agent, "agent_saved_step", agent->runs[i].dir,
                     (double)agent->runs[i].step);
}

static void write_agent(FILE *file, struct agn_agent *agent)
{
    size_t stages[4] = { 0 };
    pthread_mutex_lock(&agent->lock);
    for (const struct agn_job *job = agent->jobs; job != NULL; job = job->next)
        stages[job->stage]++;
    agn_metric_head(file, "agent_info", "gauge", "The agent's version.");
    fprintf(file, "snap_agent_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
    agn_metric_head(file, "agent_uptime_seconds", "gauge", "Since the agent began.");
    fprintf(file, "snap_agent_uptime_seconds %.3f\n",
            (double)(agn_clock_ms() - agent->began_ms) / 1000);
    agn_metric_head(file, "agent_memory_bytes", "gauge",
               "Memory of states handed over and snapshots kept.");
    fprintf(file, "snap_agent_memory_bytes %" PRIu64 "\n", agent->used);
    agn_metric_head(file, "agent_memory_limit_bytes", "gauge", "What the agent may hold.");
    fprintf(file, "snap_agent_memory_limit_bytes %" PRIu64 "\n", agent->limit);
    agn_metric_head(file, "agent_pages_total", "counter", "Pages of runs that were made.");
    fprintf(file, "snap_agent_pages_total %llu\n", atomic_load(&agent->pages));
    agn_metric_head(file, "agent_jobs", "gauge", "Saves between their offer and their answer.");
    for (int stage = 0; stage < 4; stage++)
        fprintf(file, "snap_agent_jobs{stage=\"%s\"} %zu\n",
                agn_stage_name((enum agn_stage)stage), stages[stage]);
    write_saves(file, agent);
    pthread_mutex_unlock(&agent->lock);
}

/* Of all runs that are there. False: memory is out. */
static bool write_runs(FILE *file, const struct agn_agent *agent, const struct agn_run_list *list)
{
    struct agn_run_state *states = calloc(list->count + 1, sizeof *states);
    if (states == NULL)
        return false;
    for (size_t i = 0; i < list->count; i++)
        agn_run_state_read(list->runs[i].dir, &states[i]);
    agn_metric_head(file, "run_step", "gauge", "The last step in a run's ledger.");
    for (size_t i = 0; i < list->count; i++)
        agn_metric_of_run(file, agent, "run_step", list->runs[i].dir, (double)states[i].step);
    agn_metric_head(file, "run_training", "gauge", "Whether a process trains in a run.");
    for (size_t i = 0; i < list->count; i++)
        agn_metric_of_run(file, agent, "run_training", list->runs[i].dir,
                     states[i].stage == AGN_RUN_TRAINING);
    free(states);
    return true;
}

char *agn_view_metrics(struct agn_agent *agent, const struct agn_run_list *list)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        return NULL;
    write_agent(file, agent);
    agn_uploads_write_metrics(agent->uploads, agent, file);
    bool good = write_runs(file, agent, list) && !ferror(file);
    if (fclose(file) != 0 || !good) {
        free(text);
        return NULL;
    }
    return text;
}
