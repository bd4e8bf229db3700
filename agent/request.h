/* SPDX-License-Identifier: Apache-2.0 */
/* What a client of the socket asks. */
#ifndef AGN_REQUEST_H
#define AGN_REQUEST_H

#include <limits.h>
#include <stdint.h>

#include <snapstate/agent.h>
#include <snapstate/archive.h>
#include <snapstate/status.h>

enum agn_request_kind {
    AGN_REQUEST_OFFER = 1,  /* a save of `bytes` is to be handed over: is there room? */
    AGN_REQUEST_SAVE = 2,   /* here it is; after an offer */
    AGN_REQUEST_SETTLE = 3, /* answer when nothing of the run is under way */
    AGN_REQUEST_FETCH = 4,  /* the snapshot `hash` of the run, from memory */
    AGN_REQUEST_STATUS = 5  /* who, what and how far */
};

struct agn_request {
    enum agn_request_kind kind;
    char dir[PATH_MAX];              /* of all but SAVE and STATUS: the run, absolute */
    char file[64];                   /* of an offer: the archive in the run folder */
    char hash[SNAP_HASH_TEXT_BYTES]; /* of a fetch */
    uint64_t bytes;                  /* of an offer: all memory that comes with it */
    uint64_t head_bytes;             /* of a save */
    size_t files;                    /* that come with it */
};

/* Read a message. SNAP_INVALID: it is no request, or does not bring the files that it should;
 * SNAP_UNSUPPORTED: of another version. The text is for the client. */
enum snap_status agn_request_read(const struct snap_agent_message *message,
                                  struct agn_request *request, struct snap_error *err);

#endif
