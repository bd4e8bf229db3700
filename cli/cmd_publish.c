/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/publication.h>
#include <snapstate/verify.h>

#include "command.h"
#include "run_files.h"
#include "ssh_keygen.h"
#include "target.h"

struct publish_arguments {
    const char *run;
    const char *output;
    const char *snapshots;
    const char *withhold;
    const char *sign;
    bool anonymous;
};

/* "all", or how many. */
static enum snap_status read_snapshots(const char *text, uint64_t *snapshots,
                                       struct snap_error *err)
{
    char *end;

    *snapshots = 0;
    if (text == NULL || strcmp(text, "all") == 0)
        return SNAP_OK;
    errno = 0;
    *snapshots = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end || errno || *snapshots == 0)
        return snap_error_set(err, SNAP_INVALID, "--snapshots: '%s': expected 'all', or how many",
                              text);
    return SNAP_OK;
}

/* What was written must convince us before it can convince others. */
static enum snap_status look_again(const char *dir, const struct snap_publication *made,
                                   struct snap_error *err)
{
    struct snap_verify_options options = SNAP_VERIFY_OPTIONS_INIT;
    struct snap_pool *pool = NULL;
    enum snap_status status = snap_pool_new(0, &pool, err);

    if (status != SNAP_OK)
        return status;
    options.expected = made->snapshot_hash;
    options.allow_withheld = true;
    options.pool = pool;
    status = snap_verify_run(dir, &options, NULL, err);
    snap_pool_free(pool);
    return status;
}

static void print_result(const struct publish_arguments *given, const struct snap_signer *signer,
                         const struct snap_publication *made)
{
    cmd_print_field("folder", "%s", given->output);
    cmd_print_field("archives", "%zu", made->archives);
    cmd_print_field("listings", "%zu", made->listings);
    if (made->withheld)
        cmd_print_field("left out", "%zu member%s of the archives", made->withheld,
                        cmd_plural(made->withheld));
    if (given->anonymous)
        cmd_print_field("anonymous", "env.json and extras outside the state are left out; what is "
                        "hashed, such as the training config, goes out as it is");
    if (given->sign)
        cmd_print_field("signed by", "%s %s", signer->key_type, signer->fingerprint);
    if (given->sign && given->anonymous)
        cmd_print_field("beware", "a key that you use elsewhere tells who you are");
    cmd_print_field("step", "%" PRIu64, made->step);
    cmd_print_field("run hash", "%s", made->run_hash);
    cmd_print_field("snapshot", "%s", made->snapshot_hash);
    cmd_print_field("next", "read %s/CHECK.md, upload the folder, print the hashes",
                    given->output);
}

static json_t *result_value(const struct publish_arguments *given,
                            const struct snap_signer *signer, const struct snap_publication *made)
{
    return json_pack("{s:o, s:b, s:o, s:o, s:s, s:o, s:s, s:s, s:o, s:o}", "archives",
                     cmd_json_uint(made->archives), "anonymous", given->anonymous, "folder",
                     cmd_json_text(given->output), "listings", cmd_json_uint(made->listings),
                     "run_hash", made->run_hash, "signer",
                     given->sign ? json_string(signer->fingerprint) : json_null(),
                     "snapshot_hash", made->snapshot_hash, "state_hash", made->state_hash, "step",
                     cmd_json_uint(made->step), "withheld", cmd_json_uint(made->withheld));
}

static enum snap_status publish(const void *arguments, struct cmd_report *report,
                                struct snap_error *err)
{
    const struct publish_arguments *given = arguments;
    struct snap_publication_options options = SNAP_PUBLICATION_OPTIONS_INIT;
    struct snap_publication made = SNAP_PUBLICATION_INIT;
    struct snap_signer signer = SNAP_SIGNER_INIT;
    char files[PATH_MAX];
    bool was_there = access(given->output, F_OK) == 0;
    enum cmd_target kind;
    enum snap_status status = cmd_target_find(given->run, CMD_TARGET_RUN, &kind, err);

    if (status == SNAP_OK)
        status = read_snapshots(given->snapshots, &options.snapshots, err);
    if (status == SNAP_OK && given->sign)
        status = cmd_ssh_signer(given->sign, &signer, err);
    options.withhold = given->withhold;
    options.anonymous = given->anonymous;
    options.signer = given->sign ? &signer : NULL;
    if (status == SNAP_OK)
        status = snap_publication_write(given->run, given->output, &options, &made, err);
    if (status != SNAP_OK)
        return status;
    status = cmd_path_join(given->output, "SHA256SUMS", files, err);
    if (status == SNAP_OK && given->sign)
        status = cmd_ssh_sign(given->sign, files, err);
    if (status == SNAP_OK)
        status = look_again(given->output, &made, err);
    if (status != SNAP_OK) {
        snap_publication_remove(given->output, was_there);
        return status;
    }
    if (report->json)
        return cmd_report_set(report, result_value(given, &signer, &made), err);
    print_result(given, &signer, &made);
    return SNAP_OK;
}

#define AT(member) offsetof(struct publish_arguments, member)

static const struct cmd_option options[] = {
    { "output", "DIR", CMD_OPTION_TEXT, AT(output), true, "the folder to make, also -o" },
    { "snapshots", "all|N", CMD_OPTION_TEXT, AT(snapshots), false,
      "archives of all snapshots (the default), or of N: the last, others evenly before it" },
    { "withhold", "ROOT", CMD_OPTION_TEXT, AT(withhold), false,
      "leave out the tensors of this root, such as optimizer; the hashes stand" },
    { "anonymous", NULL, CMD_OPTION_FLAG, AT(anonymous), false,
      "leave out what can name people and hosts, or refuse" },
    { "sign", "KEY", CMD_OPTION_TEXT, AT(sign), false, "have ssh-keygen sign it with this key" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN", AT(run), true },
    { .name = NULL },
};

const struct cmd_command cmd_publish = {
    .name = "publish",
    .summary = "make the folder that an author uploads",
    .description = "Make a folder of archives, ledger, listings, CHECK.md with the commands of a "
                   "reader, and a signature. Events, receipts and paths are never in it. No hash "
                   "changes.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct publish_arguments),
    .run = publish,
};
