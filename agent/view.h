/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown over HTTP, as text to be freed with free(); NULL: memory is out. */
#ifndef AGN_VIEW_H
#define AGN_VIEW_H

#include "agent_internal.h"
#include "run_list.h"

/* ---- view_json.c: schema/agent-http.schema.json ---- */
char *agn_view_runs(struct agn_agent *agent, const struct agn_run_list *list);
char *agn_view_run(struct agn_agent *agent, const struct agn_found *run);
char *agn_view_receipts(const struct agn_found *run);

/* ---- view_page.c ---- */
/* The runs, with links to their pages. */
char *agn_view_index(struct agn_agent *agent, const struct agn_run_list *list);

/* ---- view_metrics.c ---- */
/* For Prometheus, in its text format 0.0.4. */
char *agn_view_metrics(struct agn_agent *agent, const struct agn_run_list *list);

#endif
