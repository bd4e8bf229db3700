/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/data_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <snapstate/run.h>

void trn_digest_text(const unsigned char sha256[SNAP_DIGEST_BYTES], char text[65])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SNAP_DIGEST_BYTES; i++) {
        text[2 * i] = digits[sha256[i] >> 4];
        text[2 * i + 1] = digits[sha256[i] & 15];
    }
    text[64] = '\0';
}

static bool digest_from_text(const char *text, unsigned char sha256[SNAP_DIGEST_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    if (text == NULL || strlen(text) != 64)
        return false;
    for (size_t i = 0; i < SNAP_DIGEST_BYTES; i++) {
        const char *high = strchr(digits, text[2 * i]);
        const char *low = strchr(digits, text[2 * i + 1]);
        if (high == NULL || low == NULL)
            return false;
        sha256[i] = (unsigned char)((high - digits) << 4 | (low - digits));
    }
    return true;
}

static enum snap_status read_files(const json_t *files, struct trn_expected_files *expected,
                                   struct snap_error *err)
{
    struct trn_expected_files read = { .any = false };
    size_t i;
    json_t *file;
    json_array_foreach(files, i, file)
    {
        const char *name = json_string_value(json_object_get(file, "name"));
        const char *digest = json_string_value(json_object_get(file, "sha256"));
        size_t role = 0;
        while (role < TRN_ROLES && (name == NULL || strcmp(name, trn_role_names[role]) != 0))
            role++;
        if (role == TRN_ROLES || !digest_from_text(digest, read.files[role].sha256))
            return snap_error_set(err, SNAP_UNSUPPORTED,
                                  "data file %s: a role that this trainer does not know",
                                  name != NULL ? name : "(none)");
        read.files[role].known = true;
        read.files[role].file_size =
            (uint64_t)json_integer_value(json_object_get(file, "size"));
    }
    *expected = read;
    return SNAP_OK;
}

enum snap_status trn_expected_from_archive(const struct snap_archive *archive,
                                           struct trn_expected_files *expected,
                                           struct snap_error *err)
{
    const char *text = snap_archive_json(archive, "data.json");
    json_t *document = text != NULL ? json_loads(text, 0, NULL) : NULL;
    if (document == NULL)
        return snap_error_set(err, SNAP_ABSENT, "archive: it has no data.json");
    enum snap_status status = read_files(json_object_get(document, "files"), expected, err);
    json_decref(document);
    if (status == SNAP_OK && (expected->binding = strdup(snap_archive_binding(archive))) == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "archive: no memory for its binding");
    return status;
}

enum snap_status trn_expected_from_genesis(const char *line, struct trn_expected_files *expected,
                                           struct snap_error *err)
{
    json_t *document = json_loads(line, 0, NULL);
    if (document == NULL)
        return snap_error_set(err, SNAP_CORRUPT, "ledger: its first line is not JSON");
    enum snap_status status =
        read_files(json_object_get(json_object_get(document, "host"), "data"), expected, err);
    const json_t *binding = json_object_get(json_object_get(document, "float"), "binding");
    if (status == SNAP_OK && binding != NULL &&
        (expected->binding = json_dumps(binding, JSON_COMPACT | JSON_SORT_KEYS)) == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "ledger: no memory for its binding");
    json_decref(document);
    return status;
}

void trn_expected_release(struct trn_expected_files *expected)
{
    free(expected->binding);
    *expected = (struct trn_expected_files)TRN_EXPECTED_FILES_INIT;
}

/* The file in the config, which must be the one asked for. */
static enum snap_status find_by_path(const char *path, const char *role,
                                     const struct trn_expected_file *expected, char **found,
                                     struct snap_error *err)
{
    if (expected != NULL) {
        unsigned char sha256[SNAP_DIGEST_BYTES];
        uint64_t file_size;
        enum snap_status status = snap_file_digest(path, sha256, &file_size, err);
        if (status != SNAP_OK)
            return status;
        if (memcmp(sha256, expected->sha256, SNAP_DIGEST_BYTES) != 0) {
            char here[65];
            char asked[65];
            trn_digest_text(sha256, here);
            trn_digest_text(expected->sha256, asked);
            return snap_error_set(err, SNAP_DIFFERS,
                                  "data file %s: %s has SHA-256 %s, the run was trained on %s: "
                                  "name the folder of the right file with --data",
                                  role, path, here, asked);
        }
    }
    *found = strdup(path);
    if (*found == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "data file %s: no memory", role);
    return SNAP_OK;
}

static enum snap_status find_by_digest(const char *data_dir, const char *role,
                                       const struct trn_expected_file *expected, char **found,
                                       struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    char *path = NULL;
    char asked[65];
    DIR *dir = opendir(data_dir);
    if (dir == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "data folder %s: cannot be opened", data_dir);
    for (;;) {
        struct stat info;
        unsigned char sha256[SNAP_DIGEST_BYTES];
        uint64_t file_size;
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL)
            break;
        free(path);
        if (asprintf(&path, "%s/%s", data_dir, entry->d_name) < 0) {
            path = NULL;
            status = snap_error_set(err, SNAP_NO_MEMORY, "data file %s: no memory", role);
            goto out;
        }
        if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) ||
            (uint64_t)info.st_size != expected->file_size)
            continue;
        /* A file that cannot be read is not the one looked for. */
        if (snap_file_digest(path, sha256, &file_size, NULL) != SNAP_OK ||
            memcmp(sha256, expected->sha256, SNAP_DIGEST_BYTES) != 0)
            continue;
        *found = path;
        path = NULL;
        goto out;
    }
    trn_digest_text(expected->sha256, asked);
    if (errno != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "data folder %s: cannot be read", data_dir);
    else
        status = snap_error_set(err, SNAP_IO,
                                "data file %s: no file of %llu bytes with SHA-256 %s is in %s",
                                role, (unsigned long long)expected->file_size, asked, data_dir);
out:
    free(path);
    closedir(dir); /* only read from: nothing to lose */
    return status;
}

enum snap_status trn_data_find(const struct trn_config *config,
                               const struct trn_expected_files *expected, const char *data_dir,
                               enum trn_role_index role, char **path, struct snap_error *err)
{
    const struct trn_expected_file *file = expected->any ? NULL : &expected->files[role];
    const char *name = trn_role_names[role];
    *path = NULL;
    if (file != NULL && !file->known)
        return SNAP_OK;
    if (file != NULL && data_dir != NULL)
        return find_by_digest(data_dir, name, file, path, err);
    if (config->paths[role] != NULL)
        return find_by_path(config->paths[role], name, file, path, err);
    if (file != NULL)
        return snap_error_set(err, SNAP_IO,
                              "data file %s: nothing says where it is: name its folder with --data",
                              name);
    return SNAP_OK;
}

/* What the config needs must be there, and labels come with images. */
static enum snap_status check_roles(const struct trn_config *config, char *const paths[TRN_ROLES],
                                    struct snap_error *err)
{
    if (config->is_text) {
        if (paths[TRN_TEXT_FILE] == NULL)
            return snap_error_set(err, SNAP_INVALID,
                                  "config: running.data.%s: expected the path of a file: it is "
                                  "missing",
                                  trn_role_names[TRN_TEXT_FILE]);
        return SNAP_OK;
    }
    bool test = paths[TRN_TEST_IMAGES] != NULL || paths[TRN_TEST_LABELS] != NULL ||
                config->evaluate > 0;
    for (size_t role = 0; role < TRN_TEXT_FILE; role++) {
        bool needed = role == TRN_TRAIN_IMAGES || role == TRN_TRAIN_LABELS || test;
        if (needed && paths[role] == NULL)
            return snap_error_set(err, SNAP_INVALID,
                                  "config: running.data.%s: expected the path of a file: it is "
                                  "missing%s",
                                  trn_role_names[role],
                                  role >= TRN_TEST_IMAGES && config->evaluate > 0
                                      ? " (training.evaluate 0 does without)"
                                      : "");
    }
    return SNAP_OK;
}

static enum snap_status load_text(const struct trn_config *config, const char *path,
                                  struct trn_data *data, struct snap_error *err)
{
    enum snap_status status =
        trn_text_load(path, &config->text, &data->train, &data->test, err);
    if (status == SNAP_OK && config->evaluate > 0 && data->test.samples == 0)
        return snap_error_set(err, SNAP_INVALID,
                              "data file %s: training.data.held_out leaves not one window of "
                              "training.data.context %zu and the byte after it for evaluation: "
                              "expected a larger share (training.evaluate 0 does without)",
                              path, config->text.context);
    return status;
}

static enum snap_status load_images(const struct trn_config *config, char *const paths[TRN_ROLES],
                                    struct trn_data *data, struct snap_error *err)
{
    enum snap_status status = trn_dataset_load(paths[TRN_TRAIN_IMAGES], paths[TRN_TRAIN_LABELS],
                                               &config->shape, &data->train, err);
    if (status != SNAP_OK || paths[TRN_TEST_IMAGES] == NULL)
        return status;
    return trn_dataset_load(paths[TRN_TEST_IMAGES], paths[TRN_TEST_LABELS], &config->shape,
                            &data->test, err);
}

enum snap_status trn_data_load(const struct trn_config *config,
                               const struct trn_expected_files *expected, const char *data_dir,
                               struct trn_data *data, struct snap_error *err)
{
    struct trn_data loaded = { .is_text = config->is_text };
    char *paths[TRN_ROLES] = { NULL };
    enum snap_status status = SNAP_OK;
    for (size_t role = 0; role < TRN_ROLES && status == SNAP_OK; role++)
        status = trn_data_find(config, expected, data_dir, (enum trn_role_index)role, &paths[role],
                               err);
    if (status == SNAP_OK)
        status = check_roles(config, paths, err);
    if (status == SNAP_OK)
        status = config->is_text ? load_text(config, paths[TRN_TEXT_FILE], &loaded, err)
                                 : load_images(config, paths, &loaded, err);
    for (size_t role = 0; role < TRN_ROLES; role++)
        free(paths[role]);
    if (status != SNAP_OK) {
        trn_data_release(&loaded);
        return status;
    }
    *data = loaded;
    return SNAP_OK;
}

void trn_data_release(struct trn_data *data)
{
    trn_dataset_release(&data->train);
    trn_dataset_release(&data->test);
}
