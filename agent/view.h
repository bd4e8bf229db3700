/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown over HTTP, as text to be freed with free(); NULL: memory is out. */
#ifndef AGN_VIEW_H
#define AGN_VIEW_H

#include <stdio.h>

#include "agent_internal.h"
#include "run_list.h"

/* ---- view_json.c: schema/agent-http.schema.json ---- */
char *agn_view_runs(struct agn_agent *agent, const struct agn_run_list *list);
char *agn_view_run(struct agn_agent *agent, const struct agn_found *run);
char *agn_view_receipts(const struct agn_found *run);

/* Text that may be no UTF-8, as a value; a new reference. */
json_t *agn_view_text(const char *text);

/* ---- view_page.c ---- */
/* The runs, with links to their pages. */
char *agn_view_index(struct agn_agent *agent, const struct agn_run_list *list);

/* ---- view_metrics.c ---- */
/* For Prometheus, in its text format 0.0.4. */
char *agn_view_metrics(struct agn_agent *agent, const struct agn_run_list *list);
/* What stands before the values of a metric, without "snap_"; and the value of a run. */
void agn_metric_head(FILE *file, const char *name, const char *type, const char *help);
void agn_metric_of_run(FILE *file, const struct agn_agent *agent, const char *name,
                       const char *dir, double value);

#endif
