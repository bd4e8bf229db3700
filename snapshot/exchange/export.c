/* SPDX-License-Identifier: Apache-2.0 */
/* An archive into files that other libraries load. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <snapstate/import.h>

#include "core/array.h"
#include "exchange/export_internal.h"
#include "foreign/foreign_tensor.h"
#include "store/store_ops.h"

static const struct {
    const char *name;
    enum snap_export_form form;
} forms[] = {
    { "pickle", SNAP_EXPORT_PICKLE },
    { "numpy-pickle", SNAP_EXPORT_PICKLE },
    { "accelerate", SNAP_EXPORT_ACCELERATE },
    { "hf-trainer", SNAP_EXPORT_HF_TRAINER },
    { "torch", SNAP_EXPORT_TORCH },
    { "safetensors", SNAP_EXPORT_SAFETENSORS },
    { "npz", SNAP_EXPORT_NPZ },
    { "npy", SNAP_EXPORT_NPY },
};

enum snap_status snap_export_form_parse(const char *name, enum snap_export_form *form,
                                        struct snap_error *err)
{
    for (size_t i = 0; name != NULL && i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(forms[i].name, name) == 0) {
            *form = forms[i].form;
            return SNAP_OK;
        }
    }
    return snap_error_set(err, SNAP_INVALID,
                          "export: \"%.40s\" is no form: pickle, numpy-pickle, accelerate, "
                          "hf-trainer, torch, safetensors, npz and npy are",
                          name != NULL ? name : "");
}

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "export: out of memory");
}

enum snap_status snap_export_block(struct snap_export_job *job, uint64_t size,
                                   unsigned char **block, struct snap_error *err)
{
    unsigned char *made = malloc(size > 0 ? (size_t)size : 1);
    unsigned char **moved = snap_array_grow(job->blocks, job->block_count, sizeof *moved);
    if (moved != NULL)
        job->blocks = moved;
    if (moved == NULL || made == NULL) {
        free(made);
        return no_memory(err);
    }
    job->blocks[job->block_count++] = made;
    *block = made;
    return SNAP_OK;
}

enum snap_status snap_export_pieces(struct snap_export_job *job, const void *const *data,
                                    const uint64_t *sizes, size_t count, struct snap_error *err)
{
    uint64_t offset = 0;
    job->made = calloc(count + 1, sizeof *job->made);
    if (job->made == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        job->made[i] = (struct snap_segment) { .offset = offset,
                                                .data = data[i],
                                                .size_bytes = (size_t)sizes[i] };
        offset += sizes[i];
    }
    job->segments = job->made;
    job->segment_count = count;
    return SNAP_OK;
}

/* ---- torch.save ---- */

static const char *storage_class(enum snap_dtype dtype)
{
    switch (dtype) {
    case SNAP_BOOL:
        return "BoolStorage";
    case SNAP_U8:
        return "ByteStorage";
    case SNAP_I8:
        return "CharStorage";
    case SNAP_I16:
        return "ShortStorage";
    case SNAP_I32:
        return "IntStorage";
    case SNAP_I64:
        return "LongStorage";
    case SNAP_F16:
        return "HalfStorage";
    case SNAP_BF16:
        return "BFloat16Storage";
    case SNAP_F32:
        return "FloatStorage";
    case SNAP_F64:
        return "DoubleStorage";
    case SNAP_C64:
        return "ComplexFloatStorage";
    case SNAP_C128:
        return "ComplexDoubleStorage";
    default:
        return NULL;
    }
}

enum snap_status snap_export_storage(struct snap_export_job *job, size_t key, enum snap_dtype dtype,
                                     const void *data, uint64_t size, bool add, bool cuda,
                                     struct snap_error *err)
{
    struct snap_pickle_writer *writer = &job->pickle;
    const char *class_name = storage_class(dtype);
    uint64_t elements = class_name != NULL ? size / snap_dtype_size_bytes(dtype) : size;
    char text[24];
    char name[48];
    snprintf(text, sizeof text, "%zu", key);
    snprintf(name, sizeof name, "archive/data/%zu", key);
    enum snap_status status = snap_pickle_put_mark(writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_string(writer, "storage", err);
    if (status == SNAP_OK)
        status = class_name != NULL
                     ? snap_pickle_put_name(writer, "torch", class_name, err)
                     : snap_pickle_put_name(writer, "torch.storage", "UntypedStorage", err);
    if (status == SNAP_OK)
        status = snap_pickle_put_string(writer, text, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_string(writer, cuda ? "cuda:0" : "cpu", err);
    if (status == SNAP_OK)
        status = snap_pickle_put_int(writer, (int64_t)elements, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_tuple(writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_persistent(writer, err);
    if (status == SNAP_OK && add)
        status = snap_zip_writer_add(job->zip, name, data, size, err);
    return status;
}

enum snap_status snap_export_torch(struct snap_export_job *job, struct snap_error *err)
{
    static const char version[] = "3\n";
    static const char order[] = "little";
    enum snap_status status = snap_pickle_put_stop(&job->pickle, err);
    if (status == SNAP_OK)
        status = snap_zip_writer_add(job->zip, "archive/data.pkl", job->pickle.out.data,
                                     job->pickle.out.size, err);
    if (status == SNAP_OK)
        status = snap_zip_writer_add(job->zip, "archive/byteorder", order, strlen(order), err);
    if (status == SNAP_OK)
        status = snap_zip_writer_add(job->zip, "archive/version", version, strlen(version), err);
    if (status == SNAP_OK)
        status = snap_zip_writer_finish(job->zip, &job->segments, &job->segment_count, err);
    return status;
}

/* ---- the whole ---- */

/* The folder and the name of a path. */
static enum snap_status put_file(const char *path, const struct snap_export_job *job,
                                 struct snap_error *err)
{
    struct snap_put_options options = { .mode = SNAP_PUT_REPLACE };
    const struct snap_segment *last = &job->segments[job->segment_count - 1];
    struct snap_content content = { .segments = job->segments,
                                    .count = job->segment_count,
                                    .size_bytes = last->offset + last->size_bytes };
    struct snap_store *store = NULL;
    struct stat info;
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return snap_error_set(err, SNAP_INVALID, "%s: export: it is no name of a file", path);
    /* What is there is replaced: a device would become a file, for all programs. */
    if (lstat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return snap_error_set(err, SNAP_INVALID,
                              "%s: export: it is there, and no regular file: name another", path);
    char *folder = slash != NULL ? strndup(path, length) : strdup(".");
    if (folder == NULL)
        return no_memory(err);
    enum snap_status status = snap_store_dir_open(folder, false, &store, err);
    if (status == SNAP_NOT_FOUND) /* that status means that the archive lacks something */
        status = snap_error_set(err, SNAP_IO, "%s: export: no such folder", folder);
    if (status == SNAP_OK)
        status = snap_store_put(store, name, &content, &options, err);
    snap_store_close(store);
    free(folder);
    return status;
}

static enum snap_status check_options(const struct snap_export_options *options,
                                      struct snap_error *err)
{
    bool states =
        options->form == SNAP_EXPORT_ACCELERATE || options->form == SNAP_EXPORT_HF_TRAINER;
    bool stream_only = options->form == SNAP_EXPORT_PICKLE;
    bool root_only = options->form == SNAP_EXPORT_SAFETENSORS || options->form == SNAP_EXPORT_NPZ;
    if (options->form < SNAP_EXPORT_PICKLE || options->form > SNAP_EXPORT_NPY)
        return snap_error_set(err, SNAP_INVALID, "export: no form");
    if (options->numpy < 0 || options->numpy > 2)
        return snap_error_set(err, SNAP_INVALID, "export: NumPy %d: 1 and 2 are known",
                              options->numpy);
    if (states && (options->stream != NULL || options->root != NULL))
        return snap_error_set(err, SNAP_INVALID,
                              "export: this form takes all random states, not one stream or root");
    if (!states && (options->stream != NULL) == (options->root != NULL))
        return snap_error_set(err, SNAP_INVALID,
                              "export: this form takes one stream or one root: name one");
    if (stream_only && options->root != NULL)
        return snap_error_set(err, SNAP_INVALID, "export: this form takes a stream, not a root");
    if (root_only && options->stream != NULL)
        return snap_error_set(err, SNAP_INVALID, "export: this form takes a root, not a stream");
    return SNAP_OK;
}

static void release_job(struct snap_export_job *job)
{
    for (size_t i = 0; i < job->block_count; i++)
        free(job->blocks[i]);
    for (size_t i = 0; i < job->header_count; i++)
        snap_buffer_release(&job->headers[i]);
    free(job->blocks);
    free(job->headers);
    free(job->made);
    snap_zip_writer_free(job->zip);
    snap_buffer_release(&job->pickle.out);
    snap_buffer_release(&job->left_out);
}

enum snap_status snap_export(const struct snap_archive *archive,
                             const struct snap_export_options *options, const char *path,
                             char **left_out, struct snap_error *err)
{
    struct snap_export_job job = { .archive = archive, .options = options };
    if (archive == NULL || options == NULL || options->size_bytes != sizeof *options ||
        path == NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "export: no archive or path, or options that are not "
                              "SNAP_EXPORT_OPTIONS_INIT");
    enum snap_status status = check_options(options, err);
    if (options->numpy != 0)
        job.pickle.numpy = options->numpy == 2 ? "numpy._core" : "numpy.core";
    if (status == SNAP_OK)
        status = snap_zip_writer_new(&job.zip, err);
    if (status == SNAP_OK && options->root != NULL)
        status = snap_export_root(&job, err);
    else if (status == SNAP_OK && options->stream != NULL)
        status = snap_export_stream(&job, err);
    else if (status == SNAP_OK)
        status = snap_export_random_states(&job, err);
    if (status == SNAP_OK)
        status = put_file(path, &job, err);
    if (status == SNAP_OK && left_out != NULL)
        *left_out = job.left_out.size > 0 ? (char *)snap_buffer_steal(&job.left_out, NULL) : NULL;
    release_job(&job);
    return status;
}
