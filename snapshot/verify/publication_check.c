/* SPDX-License-Identifier: Apache-2.0 */
/* CHECK.md: what a reader types, with the hashes filled in. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "verify/publication_internal.h"

static enum snap_status add_hashes(const struct snap_publication *publication,
                                   struct snap_buffer *text, struct snap_error *err)
{
    enum snap_status status = snap_buffer_appendf(
        text, err,
        "# How to check this training run\n\n"
        "Everything here is of the state after step %" PRIu64 ". Compare these with the ones that "
        "the paper prints:\n\n"
        "    run hash       %s\n"
        "    snapshot hash  %s\n"
        "    state hash     %s\n\n"
        "## With tar and sha256sum alone\n\n"
        "All files are the ones listed:\n\n"
        "    sha256sum -c --ignore-missing SHA256SUMS\n\n"
        "The snapshot hash is that of the listing, and STATE in it gives the state hash:\n\n"
        "    sha256sum listings/step-%010" PRIu64 "/SHA256SUMS\n"
        "    grep STATE listings/step-%010" PRIu64 "/SHA256SUMS\n\n"
        "The archive holds what the listing says:\n\n"
        "    mkdir unpacked\n"
        "    tar -xf snapshots/step-%010" PRIu64 ".snap.tar -C unpacked\n",
        publication->step, publication->run_hash, publication->snapshot_hash,
        publication->state_hash, publication->step, publication->step, publication->step);
    if (status == SNAP_OK && publication->volumes > 0)
        status = snap_buffer_appendf(text, err,
                                     "    for volume in snapshots/step-%010" PRIu64 ".vol-*.tar\n"
                                     "    do tar -xf \"$volume\" -C unpacked\n"
                                     "    done\n",
                                     publication->step);
    if (status == SNAP_OK)
        status = snap_buffer_appendf(
            text, err,
            "    cmp unpacked/SHA256SUMS listings/step-%010" PRIu64 "/SHA256SUMS\n"
            "    (cd unpacked && sha256sum -c --ignore-missing SHA256SUMS)\n\n",
            publication->step);
    return status;
}

static enum snap_status add_signature(const struct snap_publication_options *options,
                                      struct snap_buffer *text, struct snap_error *err)
{
    const struct snap_signer *signer = options->signer;
    if (signer == NULL)
        return snap_buffer_append_text(text,
                                       "## Who made it\n\n"
                                       "Nobody has signed this folder.\n\n",
                                       err);
    return snap_buffer_appendf(
        text, err,
        "## Who made it\n\n"
        "SHA256SUMS.sig is a signature over SHA256SUMS, by the %s key\n\n"
        "    %s\n\n"
        "Whether that is the author's, only a source that you trust can tell. Is the signature "
        "good?\n\n"
        "    ssh-keygen -Y check-novalidate -n " SNAP_SIGNATURE_NAMESPACE
        " -s SHA256SUMS.sig < SHA256SUMS\n\n"
        "With the author's public key in a file `signers`, in a line `author KEY-TYPE KEY`:\n\n"
        "    ssh-keygen -Y verify -f signers -I author -n " SNAP_SIGNATURE_NAMESPACE
        " -s SHA256SUMS.sig < SHA256SUMS\n\n",
        signer->key_type, signer->fingerprint);
}

static enum snap_status add_snap(const struct snap_publication *publication,
                                 const struct snap_publication_options *options,
                                 struct snap_buffer *text, struct snap_error *err)
{
    const char *withheld = publication->withheld > 0 ? " --allow-withheld" : "";
    const char *signers = options->signer != NULL ? " --signers signers" : "";
    return snap_buffer_appendf(
        text, err,
        "## With snap\n\n"
        "Archives, ledger, listings and the way back to the genesis; the verdict says what is "
        "proven, what is taken on trust and what is absent:\n\n"
        "    snap verify . %s%s%s\n"
        "    snap verify . %s%s%s\n\n"
        "That the training took place shows by making parts of it again. With the data files in "
        "a folder `data`:\n\n"
        "    snap verify . %s%s --replay 2 --data data\n\n"
        "The parts are chosen by chance on your machine; `--challenge` with the number that is "
        "printed chooses the same ones.\n\n",
        publication->snapshot_hash, withheld, signers, publication->run_hash, withheld, signers,
        publication->run_hash, withheld);
}

static enum snap_status add_left_out(const struct snap_publication *publication,
                                     const struct snap_publication_options *options,
                                     struct snap_buffer *text, struct snap_error *err)
{
    enum snap_status status = snap_buffer_appendf(
        text, err,
        "## What is here, and what is not\n\n"
        "%zu archives, and the listings of %zu snapshots. The data files are not here; "
        "`ledger.jsonl` has their SHA-256 in its first line.\n",
        publication->archives, publication->listings);
    if (status == SNAP_OK && options->withhold != NULL)
        status = snap_buffer_appendf(text, err,
                                     "The tensors of `%s` were left out of the archives.\n",
                                     options->withhold);
    if (status == SNAP_OK && options->anonymous)
        status = snap_buffer_append_text(
            text, "`env.json`, and extras that are not in the state, were left out of the "
                  "archives: they can tell whose machine it was.\n",
            err);
    if (status == SNAP_OK && publication->withheld > 0)
        status = snap_buffer_append_text(
            text, "The hashes cover what was left out: a member that appears later can be "
                  "compared with its line in SHA256SUMS.\n",
            err);
    return status;
}

enum snap_status snap_publication_check_text(const struct snap_publication *publication,
                                             const struct snap_publication_options *options,
                                             struct snap_buffer *text, struct snap_error *err)
{
    enum snap_status status = add_hashes(publication, text, err);
    if (status == SNAP_OK)
        status = add_signature(options, text, err);
    if (status == SNAP_OK)
        status = add_snap(publication, options, text, err);
    if (status == SNAP_OK)
        status = add_left_out(publication, options, text, err);
    return status;
}
