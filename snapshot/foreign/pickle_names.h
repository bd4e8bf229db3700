/* SPDX-License-Identifier: Apache-2.0 */
/* The short list: the classes, functions and constants that a pickle may name. What is not on it
 * is refused, and what is on it is never called: a name stands for the form that its arguments
 * have. Adding one: a row in pickle_names.c, and what it means where its role is read. */
#ifndef SNAP_FOREIGN_PICKLE_NAMES_H
#define SNAP_FOREIGN_PICKLE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/tree.h>

enum snap_pickle_role {
    /* Python */
    SNAP_ROLE_ENCODE = 1, /* _codecs.encode(str, "latin1"): how protocols 0 to 2 write bytes */
    SNAP_ROLE_BUILTIN,    /* a class that is an argument: object, dict, list, int, ... */
    SNAP_ROLE_BYTES,      /* bytes(): empty, in protocols 0 to 2 */
    SNAP_ROLE_BYTEARRAY,
    SNAP_ROLE_SET,
    SNAP_ROLE_FROZENSET,
    SNAP_ROLE_COMPLEX,
    SNAP_ROLE_RECONSTRUCTOR, /* copyreg._reconstructor(class, object, None), protocols 0 and 1 */
    SNAP_ROLE_ORDERED_DICT,
    SNAP_ROLE_DEFAULT_DICT,
    SNAP_ROLE_COUNTER,
    SNAP_ROLE_NAMESPACE, /* argparse.Namespace: attributes */
    SNAP_ROLE_TIMEDELTA, /* datetime.timedelta(days, seconds, microseconds) */
    SNAP_ROLE_ENUM,      /* a class of integers or text with names, called with one of them */
    /* NumPy */
    SNAP_ROLE_NDARRAY, /* the class; called, ndarray(shape, dtype, bytes): what we write */
    SNAP_ROLE_NDARRAY_RECONSTRUCT, /* _reconstruct(ndarray, (0,), b"b"), state */
    SNAP_ROLE_FROMBUFFER,          /* _frombuffer(bytes, dtype, shape, order): protocol 5 */
    SNAP_ROLE_DTYPE,
    SNAP_ROLE_ELEMENT, /* a scalar class of ml_dtypes; `dtype` */
    SNAP_ROLE_SCALAR,  /* scalar(dtype, bytes) */
    SNAP_ROLE_RANDOM_STATE,
    SNAP_ROLE_GENERATOR,
    SNAP_ROLE_BIT_GENERATOR,
    SNAP_ROLE_BIT_GENERATOR_CLASS,
    SNAP_ROLE_SEED_SEQUENCE,
    SNAP_ROLE_SEED_SEQUENCE_CLASS,
    /* torch */
    SNAP_ROLE_TENSOR_V2,  /* _rebuild_tensor_v2(storage, offset, size, stride, ...) */
    SNAP_ROLE_TENSOR_V3,  /* ... of an untyped storage, with the dtype behind */
    SNAP_ROLE_PARAMETER,  /* _rebuild_parameter(tensor, requires_grad, hooks) */
    SNAP_ROLE_FROM_TYPE,  /* _rebuild_from_type_v2(function, class, arguments, attributes) */
    SNAP_ROLE_FROM_NUMPY, /* _rebuild_device_tensor_from_numpy(array, dtype, device, grad) */
    SNAP_ROLE_TENSOR_CLASS,
    SNAP_ROLE_STORAGE, /* of elements of `dtype` */
    SNAP_ROLE_UNTYPED_STORAGE,
    SNAP_ROLE_SIZE,
    SNAP_ROLE_DEVICE,
    SNAP_ROLE_TORCH_DTYPE /* a constant; `dtype` */
};

struct snap_pickle_name {
    const char *module; /* as it stands in the pickle */
    const char *name;
    enum snap_pickle_role role;
    enum snap_dtype dtype; /* of some roles; else 0 */
};

/* The row of a name; NULL when it is not on the list. Neither text need be terminated. */
const struct snap_pickle_name *snap_pickle_name_find(const char *module, size_t module_size,
                                                     const char *name, size_t name_size);
/* May it be called? Others are constants, or classes that are arguments of a call. */
bool snap_pickle_name_is_callable(const struct snap_pickle_name *name);
/* May an object of it be given a state by BUILD? */
bool snap_pickle_name_takes_state(const struct snap_pickle_name *name);

#endif
