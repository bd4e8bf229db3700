/* SPDX-License-Identifier: Apache-2.0 */
/* The Nth allocation fails, for every N, while files of each format are imported, and while they
 * are exported: the answer is "out of memory", and nothing is written; a build with sanitizers
 * sees what leaks. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <snapstate/import.h>

#include "core/bytes.h"
#include "core/file.h"
#include "failing_memory.h"
#include "foreign/foreign_file.h"
#include "foreign/npy.h"
#include "foreign/zip_writer.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;
static char folder[] = "/tmp/snap-foreign-XXXXXX";

/* A value of every type, in protocol 0. */
static const char pickle[] =
    "(dVt\n(I1\nF2.5\nNI01\nL1180591620717411303424L\ntsVs\nc__builtin__\nset\n((lI1\naVb\natRs"
    "Vo\nccollections\nOrderedDict\n)RVa\nc_codecs\nencode\n(V\xff\nVlatin1\ntRs(dVm\nI1\nsbs"
    "Vc\nccollections\nCounter\n((dVa\nI1\nstRsVd\nccollections\ndefaultdict\n(cbuiltins\nlist\n"
    "tRs(I1\nI2\ntI3\nsVn\ncargparse\nNamespace\n)R(dVx\nVy\nsbsVz\nc__builtin__\ncomplex\n"
    "(F0\nF1\ntRsVu\nV\\ud800\nsVe\nctorch\ndevice\n(Vcuda\nI0\ntRsVf\nctorch\nfloat16\ns"
    "Va\ncnumpy\nndarray\n((I2\ntV>u2\nc_codecs\nencode\n(Vabcd\nVlatin1\ntRtRs"
    "Vg\ncnumpy.random._pickle\n__generator_ctor\n(VSFC64\ntR(dVbit_generator\nVSFC64\ns"
    "Vstate\n(dVstate\n(lI1\naI2\naI3\naI4\nassVhas_uint32\nI0\nsVuinteger\nI0\nsbs.";

/* A checkpoint of torch's, with two tensors over one storage, a stream, and what is not known. */
static const char torch_pickle[] =
    "(dVmodel\n(dVw\nctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\n"
    "Vcpu\nI4\ntQI0\n(I2\nI2\nt(I1\nI2\ntI00\nccollections\nOrderedDict\n)RtRsVv\n"
    "ctorch._utils\n_rebuild_parameter\n(ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\n"
    "FloatStorage\nV0\nVcpu\nI4\ntQI1\n(I2\nt(I1\ntI00\nccollections\nOrderedDict\n)RtRI01\n"
    "ccollections\nOrderedDict\n)RtRssVglobal_step\nI7\nsVrest\nctorch\nSize\n((I1\nttRs.";

static void path_of(const char *name, char path[200])
{
    snprintf(path, 200, "%s/%s", folder, name);
}

static void write_file(const char *name, const void *data, size_t size)
{
    char path[200];
    int fd;
    path_of(name, path);
    CHECK_OK(snap_file_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, &err));
    CHECK_OK(snap_file_write(fd, data, size, path, &err));
    CHECK_OK(snap_file_close(fd, path, &err));
}

static void write_zip(const char *name, const char *const *names, const void *const *data,
                      const size_t *sizes, size_t count)
{
    struct snap_zip_writer *writer = NULL;
    const struct snap_segment *segments = NULL;
    struct snap_buffer file = SNAP_BUFFER_INIT;
    size_t segment_count = 0;
    CHECK_OK(snap_zip_writer_new(&writer, &err));
    for (size_t i = 0; i < count; i++)
        CHECK_OK(snap_zip_writer_add(writer, names[i], data[i], sizes[i], &err));
    CHECK_OK(snap_zip_writer_finish(writer, &segments, &segment_count, &err));
    for (size_t i = 0; i < segment_count; i++)
        CHECK_OK(snap_buffer_append(&file, segments[i].data, segments[i].size_bytes, &err));
    write_file(name, file.data, file.size);
    snap_buffer_release(&file);
    snap_zip_writer_free(writer);
}

static void write_arrays(void)
{
    static const uint64_t shape[] = { 2 };
    static const char *const names[] = { "a.npy" };
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2],"
        "\"data_offsets\":[0,8]}}";
    struct snap_buffer file = SNAP_BUFFER_INIT;
    unsigned char length[8];
    CHECK_OK(snap_npy_write_header(SNAP_F32, 1, shape, &file, &err));
    CHECK_OK(snap_buffer_append(&file, "12345678", 8, &err));
    write_file("a.npy", file.data, file.size);
    const void *data[] = { file.data };
    size_t sizes[] = { file.size };
    write_zip("a.npz", names, data, sizes, 1);
    snap_buffer_clear(&file);
    snap_put_u64(length, strlen(header));
    CHECK_OK(snap_buffer_append(&file, length, 8, &err));
    CHECK_OK(snap_buffer_append_text(&file, header, &err));
    CHECK_OK(snap_buffer_append(&file, "12345678", 8, &err));
    write_file("a.safetensors", file.data, file.size);
    snap_buffer_release(&file);
}

static int set_up(void **state)
{
    static const char json[] = "{\"bit_generator\": \"PCG64\", \"state\": {\"state\": "
                               "35399562948360463058890781895381311971, \"inc\": "
                               "87136372517582989555478159403783844777}, \"has_uint32\": 0, "
                               "\"uinteger\": 0}";
    static const char *const names[] = { "archive/data.pkl", "archive/data/0", "archive/version" };
    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file("values.pkl", pickle, sizeof pickle - 1);
    write_file("state.json", json, sizeof json - 1);
    const void *data[] = { torch_pickle, "0123456789abcdef", "3\n" };
    size_t sizes[] = { sizeof torch_pickle - 1, 16, 2 };
    write_zip("torch.pt", names, data, sizes, 3);
    write_arrays();
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "values.pkl", "state.json", "torch.pt", "a.npy", "a.npz",
                                         "a.safetensors", "all.snap.tar", "out" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[200];
        path_of(names[i], path);
        unlink(path);
    }
    return rmdir(folder);
}

/* ---- each action with each allocation failing ---- */

static const char *file_name;

static enum snap_status import_one(void)
{
    struct snap_foreign_state state = SNAP_FOREIGN_STATE_INIT;
    struct snap_foreign_request request = { NULL, NULL, NULL };
    const char *format = NULL;
    const char *layout = NULL;
    char path[200];
    path_of(file_name, path);
    request.path = path;
    enum snap_status status = snap_foreign_file_take(&state, &request, &format, &layout, &err);
    if (status == SNAP_OK)
        assert_true(state.root_count + state.stream_count > 0);
    snap_foreign_state_release(&state);
    return status;
}

/* Jansson says that it failed, and not why: then any failure will do. */
static void try_each(enum snap_status (*action)(void), bool with_jansson)
{
    failing_memory_with_jansson(with_jansson);
    for (long n = 1; n < 100000; n++) {
        err = (struct snap_error)SNAP_ERROR_INIT;
        failing_memory_set(n);
        enum snap_status status = action();
        failing_memory_set(0);
        if (!failing_memory_hit()) {
            assert_int_equal(status, SNAP_OK);
            assert_true(n > 5);
            failing_memory_with_jansson(false);
            return;
        }
        if (with_jansson ? status == SNAP_OK : status != SNAP_NO_MEMORY)
            print_error("%s: allocation %ld: %s: %s\n", file_name, n, snap_status_name(status),
                        err.text);
        assert_true(with_jansson ? status != SNAP_OK : status == SNAP_NO_MEMORY);
    }
    fail_msg("it never ended");
}

static void imports(void **state)
{
    static const char *const names[] = { "values.pkl", "state.json",    "torch.pt",
                                         "a.npy",      "a.safetensors", "a.npz" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        file_name = names[i];
        try_each(import_one, false);
    }
}

/* ---- exports ---- */

static struct snap_export_options options = SNAP_EXPORT_OPTIONS_INIT;
static struct snap_archive *archive;

static enum snap_status export_one(void)
{
    char path[200];
    char *left_out = NULL;
    path_of("out", path);
    enum snap_status status = snap_export(archive, &options, path, &left_out, &err);
    if (status == SNAP_OK)
        free(left_out);
    return status;
}

static void import_all(void)
{
    static const char *const names[] = { "values.pkl", "state.json", "torch.pt", "a.safetensors" };
    struct snap_import *import = NULL;
    char path[200];
    CHECK_OK(snap_import_new(&import, &err));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct snap_import_file file = SNAP_IMPORT_FILE_INIT;
        path_of(names[i], path);
        file.path = path;
        CHECK_OK(snap_import_add(import, &file, &err));
    }
    path_of("all.snap.tar", path);
    CHECK_OK(snap_import_save(import, path, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, "something is there already",
                snap_import_save(import, path, NULL, &err));
    snap_import_free(import);
    CHECK_OK(snap_archive_open(path, &archive, &err));
    assert_int_equal(snap_archive_step(archive), 7);
}

static void exports(void **state)
{
    static const enum snap_export_form forms[] = { SNAP_EXPORT_TORCH, SNAP_EXPORT_SAFETENSORS,
                                                   SNAP_EXPORT_NPZ };
    (void)state;
    import_all();
    file_name = "a stream";
    options.stream = "numpy_pcg64";
    options.form = SNAP_EXPORT_PICKLE;
    try_each(export_one, false);
    options.stream = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        file_name = "a root";
        options.root = "values";
        options.form = forms[i];
        try_each(export_one, false);
        options.root = "model";
        try_each(export_one, false);
    }
    snap_archive_close(archive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imports),
        cmocka_unit_test(exports),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
