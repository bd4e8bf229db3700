/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/signature.h>

#include "core/file.h"
#include "core/hex.h"
#include "folder/run_folder.h"
#include "format/limits.h"
#include "format/listing.h"
#include "format/member_name.h"
#include "ledger/ledger_line.h"
#include "verify/verify_listing.h"
#include "verify/verify_published.h"

/* A line for each snapshot and three for its listing: hundreds of thousands of snapshots. */
enum { MOST_FILES_BYTES = 1 << 26 };
/* A signature of the longest RSA key is 6 KiB. */
enum { MOST_SIGNATURE_BYTES = 1 << 16, MOST_SIGNERS_BYTES = 1 << 20 };

/* ---- files ---- */

/* Words with slashes between: nothing that leads out of the folder. */
static bool is_inside(const char *name)
{
    for (;;) {
        size_t length = strcspn(name, "/");
        if (!snap_name_is_word(name, length))
            return false;
        if (name[length] == '\0')
            return true;
        name += length + 1;
    }
}

struct files {
    size_t here;
    size_t absent;
    char first_absent[PATH_MAX];
};

static enum snap_status check_file(int dirfd, const char *line, size_t length,
                                   struct files *files, struct snap_error *err)
{
    unsigned char listed[SNAP_DIGEST_BYTES], found[SNAP_DIGEST_BYTES];
    char name[PATH_MAX];
    if (length < 67 || length >= 66 + sizeof name || memcmp(line + 64, "  ", 2) != 0 ||
        !snap_hex_decode(line, 64, listed) || memchr(line, '\0', length) != NULL)
        return snap_error_set(err, SNAP_CORRUPT, "has a line that sha256sum does not write");
    memcpy(name, line + 66, length - 66);
    name[length - 66] = '\0';
    if (!is_inside(name))
        return snap_error_set(err, SNAP_CORRUPT, "names a file that is not in the folder");
    enum snap_status status = snap_listed_digest(dirfd, name, found, err);
    if (status == SNAP_NOT_FOUND) {
        if (files->absent++ == 0)
            memcpy(files->first_absent, name, sizeof name);
        return SNAP_OK;
    }
    if (status == SNAP_OK && memcmp(listed, found, sizeof found) != 0)
        return snap_error_set(err, SNAP_CORRUPT, "%s is not the file that it lists", name);
    files->here++;
    return status;
}

static enum snap_status check_files(int dirfd, const struct snap_buffer *text, struct files *files,
                                    struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t at = 0; status == SNAP_OK && at < text->size;) {
        const char *line = (const char *)text->data + at;
        const char *end = memchr(line, '\n', text->size - at);
        if (end == NULL)
            return snap_error_set(err, SNAP_CORRUPT, "its last line has no end");
        status = check_file(dirfd, line, (size_t)(end - line), files, err);
        at += (size_t)(end - line) + 1;
    }
    return status;
}

/* An archive that is in the folder and not in the list is covered by no signature. */
static enum snap_status check_strangers(struct snap_store *store, const struct snap_buffer *text,
                                        struct snap_error *err)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    char name[SNAP_SNAPSHOT_NAME_BYTES] = "ledger.jsonl";
    uint64_t *steps = NULL;
    size_t count = 0;
    bool listed = snap_listing_find(text->data, text->size, name, digest);
    enum snap_status status = snap_archives_list(store, "snapshots", &steps, &count, err);
    for (size_t i = 0; status == SNAP_OK && listed && i < count; i++) {
        snap_snapshot_name("snapshots", steps[i], name);
        listed = snap_listing_find(text->data, text->size, name, digest);
    }
    free(steps);
    if (status == SNAP_OK && !listed)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s is in the folder and not in the list: nothing vouches for it",
                                name);
    return status;
}

static enum snap_status tell_files(struct snap_verdict *verdict, const struct files *files,
                                   bool allowed, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_verdict_ok(verdict, false, err, SNAP_PUBLISHED_FILES,
                                              "%zu files, as it lists them", files->here);
    if (status != SNAP_OK || files->absent == 0)
        return status;
    if (allowed)
        return snap_verdict_ok(verdict, true, err, SNAP_PUBLISHED_FILES,
                               "%zu files are absent, the first is %s", files->absent,
                               files->first_absent);
    snap_error_set(&cause, SNAP_ABSENT, "%zu files are absent, the first is %s", files->absent,
                   files->first_absent);
    return snap_verdict_failed(verdict, SNAP_PUBLISHED_FILES, SNAP_ABSENT, &cause, err);
}

/* ---- the signature ---- */

static enum snap_status tell_signer(struct snap_verdict *verdict, const struct snap_signer *signer,
                                    struct snap_error *err)
{
    bool known = signer->principals[0] != '\0';
    enum snap_status status =
        snap_verdict_ok(verdict, !known, err, "signature", "good, by %s key %s", signer->key_type,
                        signer->fingerprint);
    if (status != SNAP_OK)
        return status;
    if (known)
        return snap_verdict_part(verdict, SNAP_STANDING_PROVEN, err, "signature",
                                 "all files of the folder are as %s signed them",
                                 signer->principals);
    return snap_verdict_part(verdict, SNAP_STANDING_TRUST, err, "signature",
                             "that %s is the author's key: --signers says whose keys you know",
                             signer->fingerprint);
}

static enum snap_status check_signature(struct snap_store *store, const struct snap_buffer *text,
                                        const char *signers_path, struct snap_verdict *verdict,
                                        struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_signer signer = SNAP_SIGNER_INIT;
    struct snap_buffer signature = SNAP_BUFFER_INIT;
    struct snap_buffer signers = SNAP_BUFFER_INIT;
    enum snap_status status = SNAP_OK;
    if (signers_path != NULL) {
        status = snap_file_read(AT_FDCWD, signers_path, MOST_SIGNERS_BYTES, &signers, err);
        if (status == SNAP_OK) /* an empty file lets nobody sign, and is not no file */
            status = snap_buffer_reserve(&signers, 1, err);
        if (status == SNAP_NOT_FOUND)
            status = SNAP_IO; /* a mistake of the caller, not of the folder */
    }
    if (status != SNAP_OK)
        goto out;
    status = snap_store_read(store, SNAP_PUBLISHED_SIGNATURE, MOST_SIGNATURE_BYTES, &signature,
                             &cause);
    if (status == SNAP_OK)
        status = snap_signature_verify(text->data, text->size,
                                       signature.size > 0 ? (const char *)signature.data : "",
                                       signature.size, (const char *)signers.data, signers.size,
                                       &signer, &cause);
    if (status == SNAP_OK) {
        status = tell_signer(verdict, &signer, err);
    } else if (status == SNAP_NOT_FOUND && signers_path == NULL) {
        status = snap_verdict_part(verdict, SNAP_STANDING_ABSENT, err, "signature",
                                   "nobody has signed the folder");
    } else {
        if (status == SNAP_NOT_FOUND)
            status = snap_error_set(&cause, SNAP_ABSENT,
                                    SNAP_PUBLISHED_SIGNATURE ": is missing: nobody has signed the "
                                                             "folder");
        status = snap_verdict_failed(verdict, "signature", status, &cause, err);
    }
out:
    snap_buffer_release(&signature);
    snap_buffer_release(&signers);
    return status;
}

enum snap_status snap_published_check(struct snap_store *store,
                                      const struct snap_verify_options *options,
                                      struct snap_verdict *verdict, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_error cause = SNAP_ERROR_INIT;
    struct files files = { .here = 0 };
    int dirfd = -1;
    enum snap_status status =
        snap_store_read(store, SNAP_PUBLISHED_FILES, MOST_FILES_BYTES, &text, &cause);
    if (status == SNAP_NOT_FOUND && options->signers != NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: signers were given, and it is no folder that snap publish has "
                              "made",
                              snap_store_path(store));
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK; /* a run folder */
    if (status == SNAP_OK)
        status = snap_file_open(AT_FDCWD, snap_store_path(store), O_RDONLY | O_DIRECTORY, 0,
                                &dirfd, &cause);
    if (status == SNAP_OK)
        status = check_files(dirfd, &text, &files, &cause);
    if (status == SNAP_OK)
        status = check_strangers(store, &text, &cause);
    if (status == SNAP_OK)
        status = tell_files(verdict, &files, options->allow_withheld, err);
    else
        status = snap_verdict_failed(verdict, SNAP_PUBLISHED_FILES, status, &cause, err);
    if (status == SNAP_OK)
        status = check_signature(store, &text, options->signers, verdict, err);
    if (dirfd >= 0)
        close(dirfd); /* it was only read */
    snap_buffer_release(&text);
    return status;
}

/* ---- listings ---- */

static enum snap_status on_chain(const struct snap_listing_folder *folder,
                                 const struct snap_ledger *ledger, struct snap_error *err)
{
    struct snap_chain_heads heads;
    size_t index;
    if (folder->of_state || !folder->has_manifest)
        return snap_error_set(err, SNAP_CORRUPT, "SHA256SUMS or manifest.json is missing");
    if (ledger == NULL)
        return SNAP_OK;
    if (!snap_ledger_find(ledger, folder->manifest.step, &index))
        return snap_error_set(err, SNAP_CORRUPT, "the ledger has no line of its step");
    snap_ledger_heads(ledger, index, &heads);
    if (memcmp(&heads, &folder->manifest.after, sizeof heads) != 0)
        return snap_error_set(err, SNAP_CORRUPT, "its chain is not the ledger's");
    return SNAP_OK;
}

static enum snap_status read_listing(const char *dir, const char *name,
                                     const struct snap_ledger *ledger,
                                     struct snap_verdict *verdict, struct snap_evidence *evidence,
                                     struct snap_error *err)
{
    struct snap_listing_folder folder = SNAP_LISTING_FOLDER_INIT;
    struct snap_error cause = SNAP_ERROR_INIT;
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return snap_error_set(err, SNAP_INVALID, "%.100s...: the path is too long", dir);
    enum snap_status status =
        snap_listing_folder_read(path, SNAP_PUBLISHED_FILES, &folder, NULL, &cause);
    if (status == SNAP_OK)
        status = on_chain(&folder, ledger, &cause);
    if (status == SNAP_OK) {
        status = snap_evidence_add_listing(evidence, folder.snapshot, folder.state,
                                           &folder.manifest, folder.present, folder.absent,
                                           folder.contents, err);
    } else {
        struct snap_error told = SNAP_ERROR_INIT;
        if (status == SNAP_NOT_FOUND)
            status = SNAP_CORRUPT;
        snap_error_set(&told, status, SNAP_PUBLISHED_LISTINGS "/%s: %s", name, cause.text);
        status = snap_verdict_failed(verdict, SNAP_PUBLISHED_LISTINGS, status, &told, err);
    }
    snap_listing_folder_release(&folder);
    return status;
}

enum snap_status snap_published_listings(struct snap_store *store,
                                         const struct snap_ledger *ledger,
                                         struct snap_verdict *verdict,
                                         struct snap_evidence *evidence, struct snap_error *err)
{
    char path[PATH_MAX];
    struct dirent **entries = NULL;
    if (snprintf(path, sizeof path, "%s/" SNAP_PUBLISHED_LISTINGS, snap_store_path(store)) >=
        (int)sizeof path)
        return snap_error_set(err, SNAP_INVALID, "%.100s...: the path is too long", path);
    int count = scandir(path, &entries, NULL, alphasort);
    enum snap_status status = SNAP_OK;
    if (count < 0 && errno != ENOENT)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: reading the folder", path);
    for (int i = 0; i < count; i++) {
        if (status == SNAP_OK && strncmp(entries[i]->d_name, "step-", 5) == 0)
            status = read_listing(path, entries[i]->d_name, ledger, verdict, evidence, err);
        free(entries[i]);
    }
    free(entries);
    if (status == SNAP_OK && evidence->count > 0)
        status = snap_verdict_ok(verdict, false, err, SNAP_PUBLISHED_LISTINGS,
                                 "of %zu snapshots, on the ledger's chain", evidence->count);
    return status;
}
