/* SPDX-License-Identifier: Apache-2.0 */
/* What the files publication*.c share. */
#ifndef SNAP_PUBLICATION_INTERNAL_H
#define SNAP_PUBLICATION_INTERNAL_H

#include <snapstate/publication.h>

#include "core/buffer.h"
#include "format/archive_read.h"
#include "format/archive_write.h"
#include "store/store_ops.h"

/* ---- publication_archive.c ---- */

/* Is the member left out? */
bool snap_publication_withholds(const struct snap_publication_options *options,
                                const struct snap_member *member);
/* Write the archive as `name` of the store, new and durable, without the members that are left out,
 * in volumes no larger than those that it has, if it has some; *withheld counts those left out, and
 * the ones that were not there before. *plan, which borrows from the archive, says which files
 * there are now, and is the caller's to free. SNAP_CORRUPT: a member is damaged. */
enum snap_status snap_publication_copy(const struct snap_archive *archive, struct snap_store *store,
                                       const char *name,
                                       const struct snap_publication_options *options,
                                       size_t *withheld, struct snap_archive_plan **plan,
                                       struct snap_error *err);

/* ---- publication_names.c ---- */

/* Names that an anonymous folder must not have in it. */
struct snap_publication_names {
    char name[5][256];     /* in small letters; "" where there is none */
    const char *what[5];
};
void snap_publication_names_find(struct snap_publication_names *names);
/* SNAP_INVALID when `text` has one of them as a word; `where` names the text. */
enum snap_status snap_publication_names_check(const struct snap_publication_names *names,
                                              const char *where, const char *text,
                                              size_t size_bytes, struct snap_error *err);

/* ---- publication_check.c ---- */

/* CHECK.md. */
enum snap_status snap_publication_check_text(const struct snap_publication *publication,
                                             const struct snap_publication_options *options,
                                             struct snap_buffer *text, struct snap_error *err);

#endif
