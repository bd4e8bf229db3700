/* SPDX-License-Identifier: Apache-2.0 */
/* Copying an archive without some of its members. */
#include "config.h"

#include <string.h>

#include "folder/archive_put.h"
#include "format/archive_fill.h"
#include "verify/publication_internal.h"

bool snap_publication_withholds(const struct snap_publication_options *options,
                                const struct snap_member *member)
{
    static const char tensors[] = "tensors/";
    const size_t prefix = sizeof tensors - 1;
    if (options->anonymous &&
        (member->kind == SNAP_MEMBER_ENVIRONMENT ||
         (member->kind == SNAP_MEMBER_EXTRA && !member->in_state)))
        return true;
    if (options->withhold == NULL || member->kind != SNAP_MEMBER_TENSOR)
        return false;
    size_t length = strlen(options->withhold);
    return strncmp(member->name, tensors, prefix) == 0 &&
           strncmp(member->name + prefix, options->withhold, length) == 0 &&
           member->name[prefix + length] == '/';
}

/* What was not there before is not taken from elsewhere. */
static bool withhold(const void *arg, const struct snap_member *member)
{
    return member->withheld || snap_publication_withholds(arg, member);
}

enum snap_status snap_publication_copy(const struct snap_archive *archive, struct snap_store *store,
                                       const char *name,
                                       const struct snap_publication_options *options,
                                       size_t *withheld, struct snap_archive_plan **plan,
                                       struct snap_error *err)
{
    const struct snap_archive_put_options put = { .put = { .mode = SNAP_PUT_CREATE },
                                                  .volume_size =
                                                      snap_archive_largest_volume(archive) };
    struct snap_archive_plan *made = NULL;
    enum snap_status status = snap_archive_again(archive, withhold, options, &made, err);
    if (status == SNAP_OK)
        status = snap_archive_put(store, name, made, &put, err);
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_member_count(archive); i++)
        *withheld += withhold(options, snap_archive_member(archive, i));
    if (status == SNAP_OK)
        *plan = made;
    else
        snap_archive_plan_free(made);
    return status;
}
