/* SPDX-License-Identifier: Apache-2.0 */
/* Making archives that mislead: the members of the sample, changed, put together again with honest
 * headers. The functions fail the test that calls them when they cannot. */
#ifndef SNAP_TESTS_FORGERY_H
#define SNAP_TESTS_FORGERY_H

#include <stddef.h>

#include <snapstate/status.h>

#include "core/buffer.h"

#define FORGERY_MOST_MEMBERS 20

/* A member, its content a copy that may be changed. */
struct forged_member {
    char name[120];
    struct snap_buffer content;
};

struct forgery {
    struct forged_member members[FORGERY_MOST_MEMBERS];
    size_t count;
};

/* The members of the sample, in file order. */
void forgery_init(struct forgery *forgery);
void forgery_release(struct forgery *forgery);
struct forged_member *forgery_member(struct forgery *forgery, const char *name);
/* The first `from` in a member becomes `to`. */
void forgery_change(struct forgery *forgery, const char *name, const char *from, const char *to);
/* Write the digests that the members have now into the lines of a listing. */
void forgery_relist(struct forgery *forgery, const char *listing);
/* Append a tar of the members as they are. */
void forgery_assemble(const struct forgery *forgery, struct snap_buffer *out);

/* Open and check a file of these bytes. */
enum snap_status forgery_examine(const struct snap_buffer *bytes, struct snap_error *error);

#endif
