/* SPDX-License-Identifier: Apache-2.0 */
/* The small archive that docs/format.md shows: everything an archive can hold, in a few
 * kilobytes. */
#ifndef SNAP_TESTS_SAMPLE_ARCHIVE_H
#define SNAP_TESTS_SAMPLE_ARCHIVE_H

#include <stddef.h>

#include <snapstate/status.h>

#include "core/buffer.h"
#include "format/archive_write.h"
#include "format/data_json.h"
#include "format/manifest.h"
#include "format/state_json.h"

#define SAMPLE_MEMBERS 12

/* What the members and the manifest are made of; alive until sample_release. */
struct sample_archive {
    struct snap_state_doc state;
    struct snap_data_doc data;
    struct snap_manifest manifest;
    struct snap_buffer state_text;
    struct snap_buffer data_text;
    struct snap_buffer ledger;
    struct snap_write_member members[SAMPLE_MEMBERS];
};

enum snap_status sample_init(struct sample_archive *sample, struct snap_error *err);
void sample_release(struct sample_archive *sample);

/* The bytes of the whole file, appended to `out`; `pool` may be NULL. */
enum snap_status sample_encode(struct sample_archive *sample, struct snap_pool *pool,
                               struct snap_buffer *out, struct snap_error *err);
/* Leave members out: those whose bit is set, by their index in `members` once that is sorted. */
enum snap_status sample_withhold(struct sample_archive *sample, unsigned mask,
                                 struct snap_error *err);

/* The bytes of the file that a plan is for, appended to `out`; `pool` may be NULL. */
enum snap_status plan_encode(struct snap_archive_plan *plan, struct snap_pool *pool,
                             struct snap_buffer *out, struct snap_error *err);

/* A memfd that holds the bytes, -1 on failure. */
int memory_file(const void *data, size_t size_bytes);

#endif
