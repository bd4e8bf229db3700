/* SPDX-License-Identifier: Apache-2.0 */
/* Roots as files of tensors. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/array.h"
#include "core/bytes.h"
#include "exchange/export_internal.h"
#include "foreign/foreign_tensor.h"
#include "foreign/npy.h"
#include "foreign/safetensors.h"
#include "foreign/tree_pickle.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/tree_codec.h"
#include "run/inventory.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "export: out of memory");
}

static enum snap_status find_root(const struct snap_archive *archive, const char *name,
                                  const struct snap_node **root, struct snap_error *err)
{
    for (size_t i = 0; i < snap_archive_root_count(archive); i++) {
        if (strcmp(snap_archive_root_name(archive, i), name) == 0) {
            *root = snap_archive_root(archive, i);
            return SNAP_OK;
        }
    }
    return snap_error_set(err, SNAP_NOT_FOUND, "export: the archive has no root %.100s", name);
}

/* ---- storages ---- */

/* What is in memory, and as what it was written: one entry for each storage and dtype. */
struct loaded {
    uint32_t storage;
    enum snap_dtype dtype;
    unsigned char *bytes;
    uint64_t size;
    bool written;  /* it is an entry of a file of torch's, as that dtype */
    size_t before; /* the place after the entry of the same storage before this one; 0: none */
};

struct tensors {
    struct snap_export_job *job;
    struct loaded *loaded;
    size_t count;
    size_t *newest; /* of each storage, the place after its newest entry; 0: none */
    struct snap_tree_pickle *tree; /* of torch's form */
};

/* The bytes of a storage, once. */
static enum snap_status load_storage(struct tensors *tensors, uint32_t storage,
                                     unsigned char **bytes, uint64_t *size, struct snap_error *err)
{
    size_t newest = tensors->newest[storage];
    if (newest > 0) {
        *bytes = tensors->loaded[newest - 1].bytes;
        *size = tensors->loaded[newest - 1].size;
        return SNAP_OK;
    }
    const struct snap_archive *archive = tensors->job->archive;
    snap_archive_storage_name(archive, storage, size);
    enum snap_status status = snap_export_block(tensors->job, *size, bytes, err);
    if (status == SNAP_OK)
        status = snap_archive_read_storage(archive, storage, *bytes, err);
    return status;
}

/* Remember it; *key is its number in a file of torch's. */
static enum snap_status keep_loaded(struct tensors *tensors, const struct loaded *made, size_t *key,
                                    struct snap_error *err)
{
    struct loaded *moved = snap_array_grow(tensors->loaded, tensors->count, sizeof *moved);
    if (moved == NULL)
        return no_memory(err);
    tensors->loaded = moved;
    *key = tensors->count;
    moved[tensors->count] = *made;
    moved[tensors->count].before = tensors->newest[made->storage];
    tensors->newest[made->storage] = ++tensors->count;
    return SNAP_OK;
}

/* The elements of a view in C order, in memory of the job's. */
static enum snap_status gather(struct tensors *tensors, const struct snap_tensor_view *view,
                               unsigned char **data, uint64_t *size, struct snap_error *err)
{
    unsigned char *bytes = NULL;
    uint64_t storage_size = 0;
    size_t width = snap_dtype_size_bytes(view->dtype);
    uint64_t elements = snap_view_elements(view);
    size_t ignored;
    enum snap_status status = load_storage(tensors, view->storage, &bytes, &storage_size, err);
    if (status == SNAP_OK) {
        struct loaded made = { .storage = view->storage,
                               .dtype = view->dtype,
                               .bytes = bytes,
                               .size = storage_size };
        status = keep_loaded(tensors, &made, &ignored, err);
    }
    *size = elements * width;
    if (status == SNAP_OK)
        status = snap_export_block(tensors->job, *size, data, err);
    if (status == SNAP_OK && elements > 0)
        snap_gather(*data, bytes + view->offset * width, width, view->ndim, view->shape,
                    view->strides);
    return status;
}

/* ---- torch ---- */

static enum snap_status put_numbers(struct snap_pickle_writer *writer, const uint64_t *numbers,
                                    size_t count, struct snap_error *err)
{
    enum snap_status status = snap_pickle_put_mark(writer, err);
    for (size_t i = 0; status == SNAP_OK && i < count; i++)
        status = snap_pickle_put_int(writer, (int64_t)numbers[i], err);
    return status == SNAP_OK ? snap_pickle_put_tuple(writer, err) : status;
}

/* The storage of a view: its id, and on first use its bytes. torch has one dtype for all tensors
 * of a storage: for another it is written once more. */
static enum snap_status put_storage(struct tensors *tensors, const struct snap_tensor_view *view,
                                    struct snap_error *err)
{
    struct loaded made = { .storage = view->storage, .dtype = view->dtype, .written = true };
    bool other = false;
    const struct loaded *there;
    for (size_t i = tensors->newest[view->storage]; i > 0; i = there->before) {
        there = &tensors->loaded[i - 1];
        if (!there->written)
            continue;
        if (there->dtype == view->dtype)
            return snap_export_storage(tensors->job, i - 1, view->dtype, there->bytes, there->size,
                                       false, view->on_device, err);
        other = true;
    }
    size_t key;
    enum snap_status status = load_storage(tensors, view->storage, &made.bytes, &made.size, err);
    if (status == SNAP_OK && other)
        status = snap_tree_pickle_leave_out(
            tensors->tree, "that it shares memory with tensors of another dtype", err);
    if (status == SNAP_OK)
        status = keep_loaded(tensors, &made, &key, err);
    if (status == SNAP_OK)
        status = snap_export_storage(tensors->job, key, view->dtype, made.bytes, made.size, true,
                                     view->on_device, err);
    return status;
}

/* torch has a class of storages for these dtypes, and for the others puts the dtype behind. */
static bool is_old_dtype(enum snap_dtype dtype)
{
    return dtype != SNAP_U16 && dtype != SNAP_U32 && dtype != SNAP_U64 && dtype != SNAP_C32 &&
           (dtype < SNAP_F8_E4M3FN || dtype > SNAP_F8_E8M0FNU);
}

static enum snap_status put_torch_tensor(struct tensors *tensors,
                                         const struct snap_tensor_view *view,
                                         struct snap_error *err)
{
    struct snap_pickle_writer *writer = &tensors->job->pickle;
    bool old = is_old_dtype(view->dtype);
    enum snap_status status = snap_pickle_put_name(
        writer, "torch._utils", old ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3", err);
    if (status == SNAP_OK)
        status = snap_pickle_put_mark(writer, err);
    if (status == SNAP_OK)
        status = put_storage(tensors, view, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_int(writer, (int64_t)view->offset, err);
    if (status == SNAP_OK)
        status = put_numbers(writer, view->shape, view->ndim, err);
    if (status == SNAP_OK)
        status = put_numbers(writer, view->strides, view->ndim, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_bool(writer, view->requires_grad, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_name(writer, "collections", "OrderedDict", err);
    if (status == SNAP_OK)
        status = put_numbers(writer, NULL, 0, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_call(writer, err);
    if (status == SNAP_OK && !old)
        status = snap_pickle_put_name(writer, "torch", snap_torch_dtype_text(view->dtype) + 6, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_tuple(writer, err);
    return status == SNAP_OK ? snap_pickle_put_call(writer, err) : status;
}

static enum snap_status put_tensor(void *arg, const struct snap_tensor_view *view, bool is_array,
                                   struct snap_error *err)
{
    struct tensors *tensors = arg;
    unsigned char *data = NULL;
    uint64_t size = 0;
    const char *dtype = snap_numpy_dtype_text(view->dtype);
    if (!is_array || dtype == NULL)
        return put_torch_tensor(tensors, view, err);
    enum snap_status status = gather(tensors, view, &data, &size, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_array(&tensors->job->pickle, dtype, view->ndim, view->shape, data,
                                       (size_t)size, err);
    return status;
}

static enum snap_status export_torch(struct tensors *tensors, const struct snap_node *root,
                                     struct snap_error *err)
{
    struct snap_export_job *job = tensors->job;
    struct snap_tree_pickle tree = {
        .writer = &job->pickle, .put_tensor = put_tensor, .arg = tensors, .root = job->options->root
    };
    tensors->tree = &tree;
    enum snap_status status = snap_pickle_put_begin(&job->pickle, err);
    if (status == SNAP_OK)
        status = snap_tree_pickle_put(&tree, root, err);
    if (status == SNAP_OK && tree.left_out.size > 0)
        status = snap_buffer_append(&job->left_out, tree.left_out.data, tree.left_out.size, err);
    snap_buffer_release(&tree.path);
    snap_buffer_release(&tree.left_out);
    return status == SNAP_OK ? snap_export_torch(job, err) : status;
}

/* ---- tables of tensors ---- */

struct table_row {
    char *name;
    const struct snap_tensor_view *view;
    unsigned char *data;
    uint64_t size;
};

struct table {
    struct tensors *tensors;
    struct table_row *rows;
    size_t count;
};

/* "~array" and other tags are no part of a name. */
static char *plain_name(const char *path)
{
    char *name = strdup(path);
    char *tag;
    while (name != NULL && (tag = strstr(name, ".~array")) != NULL &&
           (tag[7] == '.' || tag[7] == '\0'))
        memmove(tag, tag + 7, strlen(tag + 7) + 1);
    return name;
}

static enum snap_status add_row(void *arg, const char *path, const struct snap_tensor_view *view,
                                struct snap_error *err)
{
    struct table *table = arg;
    struct table_row *moved = snap_array_grow(table->rows, table->count, sizeof *moved);
    if (moved == NULL)
        return no_memory(err);
    table->rows = moved;
    struct table_row row = { .name = plain_name(path[0] != '\0' ? path : "tensor"), .view = view };
    if (row.name == NULL)
        return no_memory(err);
    table->rows[table->count++] = row;
    return gather(table->tensors, view, &table->rows[table->count - 1].data,
                  &table->rows[table->count - 1].size, err);
}

/* Leaves of a tree that are no tensors. */
static size_t count_others(const struct snap_node *node)
{
    size_t count = 0;
    if (snap_node_type(node) != SNAP_NODE_LIST && snap_node_type(node) != SNAP_NODE_MAP)
        return snap_node_type(node) != SNAP_NODE_TENSOR;
    for (size_t i = 0; i < snap_node_count(node); i++)
        count += count_others(snap_node_at(node, i));
    return count;
}

static enum snap_status add_header(struct snap_export_job *job, struct snap_buffer **header,
                                   struct snap_error *err)
{
    struct snap_buffer *moved = snap_array_grow(job->headers, job->header_count, sizeof *moved);
    if (moved == NULL)
        return no_memory(err);
    job->headers = moved;
    *header = &job->headers[job->header_count++];
    snap_buffer_init(*header);
    return SNAP_OK;
}

/* The .npy file of a row: one piece, in memory of the job's. */
static enum snap_status row_as_npy(struct snap_export_job *job, const struct table_row *row,
                                   struct snap_buffer **file, struct snap_error *err)
{
    enum snap_status status = add_header(job, file, err);
    if (status == SNAP_OK)
        status =
            snap_npy_write_header(row->view->dtype, row->view->ndim, row->view->shape, *file, err);
    return status == SNAP_OK ? snap_buffer_append(*file, row->data, (size_t)row->size, err)
                             : status;
}

static enum snap_status export_npy(struct table *table, struct snap_error *err)
{
    struct snap_buffer *file = NULL;
    struct snap_export_job *job = table->tensors->job;
    if (table->count != 1)
        return snap_error_set(err, SNAP_INVALID,
                              "export: root %s has %zu tensors, and a .npy file holds one: use npz",
                              job->options->root, table->count);
    enum snap_status status = row_as_npy(job, &table->rows[0], &file, err);
    if (status != SNAP_OK)
        return status;
    const void *pieces[] = { file->data };
    uint64_t sizes[] = { file->size };
    return snap_export_pieces(job, pieces, sizes, 1, err);
}

static enum snap_status export_npz(struct table *table, struct snap_error *err)
{
    struct snap_export_job *job = table->tensors->job;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < table->count; i++) {
        struct snap_buffer *file = NULL;
        struct snap_buffer name = SNAP_BUFFER_INIT;
        if (snap_numpy_dtype_text(table->rows[i].view->dtype) == NULL) {
            status = snap_buffer_appendf(&job->left_out, err, "%s: NumPy has no dtype for %s\n",
                                         table->rows[i].name,
                                         snap_dtype_name(table->rows[i].view->dtype));
            continue;
        }
        status = row_as_npy(job, &table->rows[i], &file, err);
        if (status == SNAP_OK)
            status = snap_buffer_appendf(&name, err, "%s.npy", table->rows[i].name);
        if (status == SNAP_OK)
            status =
                snap_zip_writer_add(job->zip, (const char *)name.data, file->data, file->size, err);
        snap_buffer_release(&name);
    }
    if (status == SNAP_OK)
        status = snap_zip_writer_finish(job->zip, &job->segments, &job->segment_count, err);
    return status;
}

/* Wider elements first, so that each tensor begins at a multiple of its element. */
static int compare_rows(const void *left, const void *right)
{
    const struct table_row *a = left;
    const struct table_row *b = right;
    size_t width_a = snap_dtype_size_bytes(a->view->dtype);
    size_t width_b = snap_dtype_size_bytes(b->view->dtype);
    if (width_a != width_b)
        return width_a > width_b ? -1 : 1;
    return strcmp(a->name, b->name);
}

static enum snap_status row_json(const struct table_row *row, uint64_t offset, json_t **made,
                                 struct snap_error *err)
{
    json_t *shape = json_array();
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < row->view->ndim; i++)
        status = snap_json_append(shape, json_integer((json_int_t)row->view->shape[i]), err);
    if (status != SNAP_OK) {
        json_decref(shape);
        return status;
    }
    *made = json_pack("{s:s, s:o, s:[I, I]}", "dtype", snap_safetensors_dtype(row->view->dtype),
                      "shape", shape, "data_offsets", (json_int_t)offset,
                      (json_int_t)(offset + row->size));
    return *made != NULL ? SNAP_OK : no_memory(err);
}

/* The length, and the header filled up with spaces to a multiple of eight. */
static enum snap_status put_safetensors_header(const json_t *header, struct snap_buffer *out,
                                               struct snap_error *err)
{
    unsigned char length[8];
    char *text = json_dumps(header, JSON_COMPACT);
    enum snap_status status = text != NULL ? SNAP_OK : no_memory(err);
    size_t size = text != NULL ? strlen(text) : 0;
    size_t fill = (8 - size % 8) % 8;
    snap_put_u64(length, size + fill);
    if (status == SNAP_OK)
        status = snap_buffer_append(out, length, sizeof length, err);
    if (status == SNAP_OK)
        status = snap_buffer_append(out, text, size, err);
    if (status == SNAP_OK)
        status = snap_buffer_append(out, "        ", fill, err);
    free(text);
    return status;
}

static enum snap_status export_safetensors(struct table *table, struct snap_error *err)
{
    struct snap_export_job *job = table->tensors->job;
    json_t *header = json_object();
    const void **pieces = calloc(table->count + 1, sizeof *pieces);
    uint64_t *sizes = calloc(table->count + 1, sizeof *sizes);
    uint64_t offset = 0;
    size_t count = 1;
    enum snap_status status =
        header != NULL && pieces != NULL && sizes != NULL ? SNAP_OK : no_memory(err);
    if (status == SNAP_OK && table->count > 0)
        qsort(table->rows, table->count, sizeof *table->rows, compare_rows);
    for (size_t i = 0; status == SNAP_OK && i < table->count; i++) {
        const struct table_row *row = &table->rows[i];
        json_t *entry = NULL;
        if (snap_safetensors_dtype(row->view->dtype) == NULL) {
            status =
                snap_buffer_appendf(&job->left_out, err, "%s: safetensors has no dtype for %s\n",
                                    row->name, snap_dtype_name(row->view->dtype));
            continue;
        }
        status = row_json(row, offset, &entry, err);
        if (status == SNAP_OK)
            status = snap_json_set(header, row->name, entry, err);
        pieces[count] = row->data;
        sizes[count++] = row->size;
        offset += row->size;
    }
    if (status == SNAP_OK)
        status = put_safetensors_header(header, &job->pickle.out, err);
    if (status == SNAP_OK) {
        pieces[0] = job->pickle.out.data;
        sizes[0] = job->pickle.out.size;
        status = snap_export_pieces(job, pieces, sizes, count, err);
    }
    json_decref(header);
    free(pieces);
    free(sizes);
    return status;
}

static enum snap_status export_table(struct tensors *tensors, const struct snap_node *root,
                                     struct snap_error *err)
{
    struct snap_export_job *job = tensors->job;
    struct table table = { .tensors = tensors };
    size_t others = count_others(root);
    enum snap_status status = snap_node_visit_tensors(root, add_row, &table, err);
    if (status == SNAP_OK && others > 0)
        status = snap_buffer_appendf(&job->left_out, err, "%s: %zu values that are no tensors\n",
                                     job->options->root, others);
    if (status == SNAP_OK && job->options->form == SNAP_EXPORT_NPY)
        status = export_npy(&table, err);
    else if (status == SNAP_OK && job->options->form == SNAP_EXPORT_NPZ)
        status = export_npz(&table, err);
    else if (status == SNAP_OK)
        status = export_safetensors(&table, err);
    for (size_t i = 0; i < table.count; i++)
        free(table.rows[i].name);
    free(table.rows);
    return status;
}

enum snap_status snap_export_root(struct snap_export_job *job, struct snap_error *err)
{
    struct tensors tensors = { .job = job };
    const struct snap_node *root = NULL;
    tensors.newest =
        calloc(snap_archive_storage_count(job->archive) + 1, sizeof *tensors.newest);
    enum snap_status status = tensors.newest != NULL ? SNAP_OK : no_memory(err);
    if (status == SNAP_OK)
        status = find_root(job->archive, job->options->root, &root, err);
    if (status == SNAP_OK && job->options->form == SNAP_EXPORT_TORCH)
        status = export_torch(&tensors, root, err);
    else if (status == SNAP_OK)
        status = export_table(&tensors, root, err);
    free(tensors.newest);
    free(tensors.loaded);
    return status;
}
