/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "http.h"

enum snap_status agn_http_start(struct agn_agent *agent, struct agn_http **http,
                                struct snap_error *err)
{
    (void)agent;
    (void)http;
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "--listen: HTTP is not built in: install libmicrohttpd with its headers "
                          "(libmicrohttpd-dev), then configure and build again");
}

void agn_http_say(const struct agn_http *http)
{
    (void)http;
}

void agn_http_stop(struct agn_http *http)
{
    (void)http;
}
