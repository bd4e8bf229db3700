/* SPDX-License-Identifier: Apache-2.0 */
/* Where the port is, and who may ask on it. */
#ifndef AGN_HTTP_ACCESS_H
#define AGN_HTTP_ACCESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

struct agn_access {
    struct sockaddr_storage address;
    bool is_loopback; /* only this machine reaches it */
    bool has_token;
    unsigned char token_sha256[SNAP_DIGEST_BYTES]; /* the token itself is nowhere */
};

/* `listen` and `token_file` as of struct agn_options. */
enum snap_status agn_access_read(const char *listen, const char *token_file,
                                 struct agn_access *access, struct snap_error *err);

/* May a request with these headers (NULL: it has none) be answered? `Authorization: Bearer TOKEN`,
 * or Basic with any name and the token as password, which browsers ask for. Digests are compared,
 * in constant time. */
bool agn_access_allows(const struct agn_access *access, const char *authorization);
/* Without a token a page of another site could have a browser ask here under that site's name: the
 * Host must be an address or localhost. */
bool agn_access_knows_host(const struct agn_access *access, const char *host);

#endif
