/* SPDX-License-Identifier: Apache-2.0 */
/* Files of other libraries into an archive, and an archive into files that they load. Nothing of a
 * file is ever executed: pickles are read by an interpreter of their opcodes that builds data only
 * (docs/foreign-files.md says which files, and what of them). */
#ifndef SNAPSTATE_IMPORT_H
#define SNAPSTATE_IMPORT_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What was found in some files. */
struct snap_import;

enum snap_status snap_import_new(struct snap_import **import, struct snap_error *err);
/* NULL is fine. */
void snap_import_free(struct snap_import *import);

struct snap_import_file {
    size_t size_bytes; /* sizeof(struct snap_import_file) */
    const char *path;
    /* What its root, or its one stream, is called: [A-Za-z0-9_][A-Za-z0-9._-]*, at most 64 bytes.
     * NULL: the file's name up to its first dot when that is such a word, else "checkpoint";
     * streams have names of their own ("python", "numpy", "torch", "torch_cuda.0"). */
    const char *name;
    /* What it is, where that is not to be found out, or to be made sure of: a kind of
     * <snapstate/stream.h>, whose state its content is, or a layout: "accelerate", "hf-trainer",
     * "composer", "lightning", "megatron", "checkpoint", "state-dict", "stream". NULL: find
     * out. */
    const char *as;
};
#define SNAP_IMPORT_FILE_INIT { .size_bytes = sizeof(struct snap_import_file) }

/* Read a file (all of it: it may be gone afterwards) and take what is in it. What can be read but
 * not be taken will stand in the coverage statement. SNAP_NOT_FOUND, SNAP_IO: it cannot be read.
 * SNAP_CORRUPT: it is no file that is known, or a damaged one. SNAP_UNSUPPORTED: it holds
 * something that is refused; the text says what, and where. SNAP_INVALID: it is not as `as` says,
 * or gives a root or stream that another file has given. After a failure the import is to be
 * freed. */
enum snap_status snap_import_add(struct snap_import *import, const struct snap_import_file *file,
                                 struct snap_error *err);

/* What was found, as canonical JSON with a final newline: {"files":[{"format":"torch",
 * "layout":"accelerate","path":".."}...],"not_captured":[{"name":"..","reason":".."}...],
 * "roots":[{"bytes":N,"name":"model","tensors":N}...],"step":N,
 * "streams":[{"kind":"torch_cpu","name":"torch"}...]}. `bytes` are those of the elements, each
 * tensor counted. *text is freed with free(). */
enum snap_status snap_import_json(const struct snap_import *import, char **text,
                                  struct snap_error *err);

/* Write an archive at `path`, where nothing may be (SNAP_INVALID): of profile "none", after the
 * step that a file tells, or 0, with all that was not taken in its coverage statement. Streams of
 * several ranks become shards. `hash` (NULL: not wanted) receives the snapshot hash. */
enum snap_status snap_import_save(const struct snap_import *import, const char *path,
                                  char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err);

/* ---- the other way ---- */

enum snap_export_form {
    /* A pickle of what the stream's library hands out: random.getstate(),
     * numpy.random.get_state(), bit_generator.state. */
    SNAP_EXPORT_PICKLE = 1,
    /* torch.save of the dict of random states that Accelerate keeps in random_states_N.pkl, or HF
     * Trainer in rng_state.pth: of all streams that it has a key for. */
    SNAP_EXPORT_ACCELERATE = 2,
    SNAP_EXPORT_HF_TRAINER = 3,
    /* torch.save: of a root, or of a stream's bytes as a tensor. */
    SNAP_EXPORT_TORCH = 4,
    /* The tensors of a root by their paths; what is no tensor is left out. */
    SNAP_EXPORT_SAFETENSORS = 5,
    SNAP_EXPORT_NPZ = 6,
    /* The one tensor of a root, or a stream's bytes. */
    SNAP_EXPORT_NPY = 7
};
/* "numpy-pickle" and "pickle", "accelerate", "hf-trainer", "torch", "safetensors", "npz", "npy";
 * SNAP_INVALID: none of these. */
enum snap_status snap_export_form_parse(const char *name, enum snap_export_form *form,
                                        struct snap_error *err);

struct snap_export_options {
    size_t size_bytes; /* sizeof(struct snap_export_options) */
    enum snap_export_form form;
    const char *stream; /* its name ("python", "shard-001/python"); or NULL */
    const char *root;   /* the root whose tensors are written; or NULL */
    int shard;          /* whose streams ACCELERATE and HF_TRAINER take; -1: those of no shard */
    /* How arrays of NumPy are written. 0: so that every NumPy reads them, and torch's reader for
     * weights alone where it allows ndarray; they come out read only. 1, 2: as NumPy 1, 2 writes
     * them; 2's cannot be read by NumPy before 1.26, and 1's not by torch's reader for weights
     * beside NumPy 2. */
    int numpy;
};
#define SNAP_EXPORT_OPTIONS_INIT \
    { .size_bytes = sizeof(struct snap_export_options), .shard = -1 }

/* Write a file at `path`, which replaces what is there, as a whole or not at all. *left_out (NULL:
 * not wanted) receives what the form cannot hold, a line each, NULL when there is nothing; freed
 * with free(). SNAP_INVALID: the form takes no such part. SNAP_NOT_FOUND: there is no such stream
 * or root. SNAP_UNSUPPORTED: the form has nothing for it. */
enum snap_status snap_export(const struct snap_archive *archive,
                             const struct snap_export_options *options, const char *path,
                             char **left_out, struct snap_error *err);

#ifdef __cplusplus
}
#endif

#endif
