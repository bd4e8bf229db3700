/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's port: answers to GET and HEAD, by libmicrohttpd where configure found it
 * (http_server.c), else none (http_none.c). */
#ifndef AGN_HTTP_H
#define AGN_HTTP_H

#include "agent_internal.h"

struct agn_http;

/* Listen as the agent's options say. SNAP_INVALID: the address is none, or one of the network
 * without a token; SNAP_UNSUPPORTED: it was not built in. */
enum snap_status agn_http_start(struct agn_agent *agent, struct agn_http **http,
                                struct snap_error *err);
/* Say where, and who can read there. NULL is fine. */
void agn_http_say(const struct agn_http *http);
/* Answers under way end. NULL is fine. */
void agn_http_stop(struct agn_http *http);

#endif
