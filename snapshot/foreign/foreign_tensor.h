/* SPDX-License-Identifier: Apache-2.0 */
/* A tensor or array of another library's file: its view, and where its bytes are. */
#ifndef SNAP_FOREIGN_FOREIGN_TENSOR_H
#define SNAP_FOREIGN_FOREIGN_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>
#include <snapstate/tree.h>

#include "foreign/pickle_value.h"

struct snap_foreign_tensor {
    enum snap_dtype dtype;
    size_t ndim;
    uint64_t shape[SNAP_MAX_DIMS];
    uint64_t strides[SNAP_MAX_DIMS]; /* in elements */
    uint64_t offset;                 /* of element 0, in elements */
    bool requires_grad;
    bool big_endian; /* the bytes of an element are the other way round */
    bool is_array;   /* NumPy's, not torch's */
    /* Its bytes: these, borrowed from the pickle; or of the storage with this persistent id, a
     * value that snap_torch_storage reads. The other is NULL. */
    const unsigned char *data;
    uint64_t data_bytes;
    const struct snap_pickle_value *storage;
};
#define SNAP_FOREIGN_TENSOR_INIT                                                                   \
    {                                                                                              \
        .dtype = 0                                                                                 \
    }

/* Strides of C order, or of Fortran's. */
void snap_foreign_tensor_order(struct snap_foreign_tensor *tensor, bool fortran);
/* Elements; false when the number is past 2^64. */
bool snap_foreign_tensor_elements(const struct snap_foreign_tensor *tensor, uint64_t *elements);
/* Turn the bytes of each element round (of a complex one, of its two halves). */
void snap_foreign_swap(unsigned char *data, size_t size_bytes, enum snap_dtype dtype);

/* ---- NumPy (numpy_value.c) ---- */

/* A dtype in the form "<f4" or "f4"; false when the format has none such. */
bool snap_numpy_dtype_from_text(const char *text, size_t size_bytes, enum snap_dtype *dtype,
                                bool *big_endian);
/* "<f4"; NULL when NumPy has none such. Static. */
const char *snap_numpy_dtype_text(enum snap_dtype dtype);
/* Is it what a pickle has for an ndarray, a scalar? */
bool snap_numpy_is_array(const struct snap_pickle_value *value);
bool snap_numpy_is_scalar(const struct snap_pickle_value *value);
/* Read one. SNAP_UNSUPPORTED: a kind of element that the format does not have; SNAP_CORRUPT.
 * `what` begins the messages. */
enum snap_status snap_numpy_array(const struct snap_pickle_value *value, const char *what,
                                  struct snap_foreign_tensor *tensor, struct snap_error *err);
/* A scalar, as an array of no dimension. */
enum snap_status snap_numpy_scalar(const struct snap_pickle_value *value, const char *what,
                                   struct snap_foreign_tensor *tensor, struct snap_error *err);

/* ---- torch (torch_value.c) ---- */

bool snap_torch_is_tensor(const struct snap_pickle_value *value);
/* Read one; SNAP_UNSUPPORTED: a class of its own, or with attributes. */
enum snap_status snap_torch_tensor(const struct snap_pickle_value *value, const char *what,
                                   struct snap_foreign_tensor *tensor, struct snap_error *err);
/* "torch.float32"; NULL when torch has none such. Static. */
const char *snap_torch_dtype_text(enum snap_dtype dtype);

/* A storage, as a persistent id names it. Texts are borrowed from the pickle, and not terminated.
 */
struct snap_torch_storage {
    const char *key;
    size_t key_size;
    const char *location; /* "cpu", "cuda:0" */
    size_t location_size;
    enum snap_dtype dtype; /* U8 when it is untyped */
    uint64_t elements;
    uint64_t size_bytes;
};
enum snap_status snap_torch_storage(const struct snap_pickle_value *id, const char *what,
                                    struct snap_torch_storage *storage, struct snap_error *err);

#endif
