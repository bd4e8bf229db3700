/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "foreign/pickle_names.h"

/* Rows of one kind: torch's storages have stood in three modules; NumPy 2 has moved what NumPy 1
 * had under numpy.core; and Python 2 had another name for the module of builtins, which protocols
 * 0 to 2 use. */
#define ROW(module, text, role)                                                                    \
    {                                                                                              \
        module, text, role, 0                                                                      \
    }
#define TYPED_ROW(module, text, role, element)                                                     \
    {                                                                                              \
        module, text, role, element                                                                \
    }
#define TORCH_STORAGE(text, element)                                                               \
    TYPED_ROW("torch", text, SNAP_ROLE_STORAGE, element),                                          \
        TYPED_ROW("torch.storage", text, SNAP_ROLE_STORAGE, element),                              \
        TYPED_ROW("torch.cuda", text, SNAP_ROLE_STORAGE, element)
#define TORCH_DTYPE(text, element) TYPED_ROW("torch", text, SNAP_ROLE_TORCH_DTYPE, element)
#define ELEMENT(text, element) TYPED_ROW("ml_dtypes", text, SNAP_ROLE_ELEMENT, element)
#define NUMPY_CORE(module, text, role)                                                             \
    ROW("numpy.core." module, text, role), ROW("numpy._core." module, text, role)
#define BIT_GENERATOR(module, text) ROW("numpy.random." module, text, SNAP_ROLE_BIT_GENERATOR_CLASS)
#define BUILTIN(text, role) ROW("builtins", text, role), ROW("__builtin__", text, role)

static const struct snap_pickle_name names[] = {
    ROW("_codecs", "encode", SNAP_ROLE_ENCODE),
    BUILTIN("object", SNAP_ROLE_BUILTIN),
    BUILTIN("dict", SNAP_ROLE_BUILTIN),
    BUILTIN("list", SNAP_ROLE_BUILTIN),
    BUILTIN("int", SNAP_ROLE_BUILTIN),
    BUILTIN("float", SNAP_ROLE_BUILTIN),
    BUILTIN("bytes", SNAP_ROLE_BYTES),
    BUILTIN("bytearray", SNAP_ROLE_BYTEARRAY),
    BUILTIN("set", SNAP_ROLE_SET),
    BUILTIN("frozenset", SNAP_ROLE_FROZENSET),
    BUILTIN("complex", SNAP_ROLE_COMPLEX),
    ROW("copyreg", "_reconstructor", SNAP_ROLE_RECONSTRUCTOR),
    ROW("copy_reg", "_reconstructor", SNAP_ROLE_RECONSTRUCTOR),
    ROW("collections", "OrderedDict", SNAP_ROLE_ORDERED_DICT),
    ROW("collections", "defaultdict", SNAP_ROLE_DEFAULT_DICT),
    ROW("collections", "Counter", SNAP_ROLE_COUNTER),
    ROW("argparse", "Namespace", SNAP_ROLE_NAMESPACE),
    ROW("datetime", "timedelta", SNAP_ROLE_TIMEDELTA),
    /* The enums that stand in the arguments which Megatron-LM keeps in a checkpoint. */
    ROW("megatron.core.enums", "ModelType", SNAP_ROLE_ENUM),
    ROW("megatron.core.transformer.enums", "AttnBackend", SNAP_ROLE_ENUM),
    ROW("megatron.core.transformer.enums", "AttnMaskType", SNAP_ROLE_ENUM),
    ROW("megatron.core.transformer.enums", "AttnType", SNAP_ROLE_ENUM),
    ROW("megatron.core.transformer.enums", "LayerType", SNAP_ROLE_ENUM),
    ROW("megatron.core.transformer.enums", "ModelType", SNAP_ROLE_ENUM),
    ROW("megatron.model.enums", "ModelType", SNAP_ROLE_ENUM),
    ROW("megatron.model.enums", "AttnMaskType", SNAP_ROLE_ENUM),
    ROW("megatron.model.enums", "PositionEmbeddingType", SNAP_ROLE_ENUM),

    ROW("numpy", "ndarray", SNAP_ROLE_NDARRAY),
    ROW("numpy", "dtype", SNAP_ROLE_DTYPE),
    NUMPY_CORE("multiarray", "_reconstruct", SNAP_ROLE_NDARRAY_RECONSTRUCT),
    NUMPY_CORE("multiarray", "scalar", SNAP_ROLE_SCALAR),
    NUMPY_CORE("numeric", "_frombuffer", SNAP_ROLE_FROMBUFFER),
    ROW("numpy.random._pickle", "__randomstate_ctor", SNAP_ROLE_RANDOM_STATE),
    ROW("numpy.random._pickle", "__generator_ctor", SNAP_ROLE_GENERATOR),
    ROW("numpy.random._pickle", "__bit_generator_ctor", SNAP_ROLE_BIT_GENERATOR),
    BIT_GENERATOR("_mt19937", "MT19937"),
    BIT_GENERATOR("_pcg64", "PCG64"),
    BIT_GENERATOR("_pcg64", "PCG64DXSM"),
    BIT_GENERATOR("_philox", "Philox"),
    BIT_GENERATOR("_sfc64", "SFC64"),
    ROW("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence", SNAP_ROLE_SEED_SEQUENCE),
    ROW("numpy.random.bit_generator", "SeedSequence", SNAP_ROLE_SEED_SEQUENCE_CLASS),
    ELEMENT("bfloat16", SNAP_BF16),
    ELEMENT("float8_e4m3fn", SNAP_F8_E4M3FN),
    ELEMENT("float8_e5m2", SNAP_F8_E5M2),
    ELEMENT("float8_e4m3fnuz", SNAP_F8_E4M3FNUZ),
    ELEMENT("float8_e5m2fnuz", SNAP_F8_E5M2FNUZ),
    ELEMENT("float8_e8m0fnu", SNAP_F8_E8M0FNU),

    ROW("torch._utils", "_rebuild_tensor_v2", SNAP_ROLE_TENSOR_V2),
    ROW("torch._utils", "_rebuild_tensor_v3", SNAP_ROLE_TENSOR_V3),
    ROW("torch._utils", "_rebuild_parameter", SNAP_ROLE_PARAMETER),
    ROW("torch._tensor", "_rebuild_from_type_v2", SNAP_ROLE_FROM_TYPE),
    ROW("torch._utils", "_rebuild_device_tensor_from_numpy", SNAP_ROLE_FROM_NUMPY),
    ROW("torch._utils", "_rebuild_xla_tensor", SNAP_ROLE_FROM_NUMPY),
    ROW("torch", "Tensor", SNAP_ROLE_TENSOR_CLASS),
    ROW("torch._tensor", "Tensor", SNAP_ROLE_TENSOR_CLASS),
    ROW("torch.nn.parameter", "Parameter", SNAP_ROLE_TENSOR_CLASS),
    ROW("torch.nn.parameter", "Buffer", SNAP_ROLE_TENSOR_CLASS),
    ROW("torch", "Size", SNAP_ROLE_SIZE),
    ROW("torch", "device", SNAP_ROLE_DEVICE),
    ROW("torch", "UntypedStorage", SNAP_ROLE_UNTYPED_STORAGE),
    ROW("torch.storage", "UntypedStorage", SNAP_ROLE_UNTYPED_STORAGE),
    TORCH_STORAGE("BoolStorage", SNAP_BOOL),
    TORCH_STORAGE("ByteStorage", SNAP_U8),
    TORCH_STORAGE("CharStorage", SNAP_I8),
    TORCH_STORAGE("ShortStorage", SNAP_I16),
    TORCH_STORAGE("IntStorage", SNAP_I32),
    TORCH_STORAGE("LongStorage", SNAP_I64),
    TORCH_STORAGE("HalfStorage", SNAP_F16),
    TORCH_STORAGE("BFloat16Storage", SNAP_BF16),
    TORCH_STORAGE("FloatStorage", SNAP_F32),
    TORCH_STORAGE("DoubleStorage", SNAP_F64),
    TORCH_STORAGE("ComplexFloatStorage", SNAP_C64),
    TORCH_STORAGE("ComplexDoubleStorage", SNAP_C128),
    TORCH_DTYPE("bool", SNAP_BOOL),
    TORCH_DTYPE("uint8", SNAP_U8),
    TORCH_DTYPE("int8", SNAP_I8),
    TORCH_DTYPE("uint16", SNAP_U16),
    TORCH_DTYPE("int16", SNAP_I16),
    TORCH_DTYPE("uint32", SNAP_U32),
    TORCH_DTYPE("int32", SNAP_I32),
    TORCH_DTYPE("uint64", SNAP_U64),
    TORCH_DTYPE("int64", SNAP_I64),
    TORCH_DTYPE("float16", SNAP_F16),
    TORCH_DTYPE("bfloat16", SNAP_BF16),
    TORCH_DTYPE("float32", SNAP_F32),
    TORCH_DTYPE("float64", SNAP_F64),
    TORCH_DTYPE("float8_e4m3fn", SNAP_F8_E4M3FN),
    TORCH_DTYPE("float8_e5m2", SNAP_F8_E5M2),
    TORCH_DTYPE("float8_e4m3fnuz", SNAP_F8_E4M3FNUZ),
    TORCH_DTYPE("float8_e5m2fnuz", SNAP_F8_E5M2FNUZ),
    TORCH_DTYPE("float8_e8m0fnu", SNAP_F8_E8M0FNU),
    TORCH_DTYPE("complex32", SNAP_C32),
    TORCH_DTYPE("complex64", SNAP_C64),
    TORCH_DTYPE("complex128", SNAP_C128),
};

static bool same(const char *text, size_t size, const char *name)
{
    return strlen(name) == size && memcmp(text, name, size) == 0;
}

const struct snap_pickle_name *snap_pickle_name_find(const char *module, size_t module_size,
                                                     const char *name, size_t name_size)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (same(name, name_size, names[i].name) && same(module, module_size, names[i].module))
            return &names[i];
    return NULL;
}

bool snap_pickle_name_is_callable(const struct snap_pickle_name *name)
{
    switch (name->role) {
    case SNAP_ROLE_BUILTIN:
    case SNAP_ROLE_ELEMENT:
    case SNAP_ROLE_BIT_GENERATOR_CLASS:
    case SNAP_ROLE_SEED_SEQUENCE_CLASS:
    case SNAP_ROLE_TENSOR_CLASS:
    case SNAP_ROLE_STORAGE:
    case SNAP_ROLE_UNTYPED_STORAGE:
    case SNAP_ROLE_TORCH_DTYPE:
        return false;
    default:
        return true;
    }
}

bool snap_pickle_name_takes_state(const struct snap_pickle_name *name)
{
    switch (name->role) {
    case SNAP_ROLE_NAMESPACE:
    case SNAP_ROLE_NDARRAY_RECONSTRUCT:
    case SNAP_ROLE_DTYPE:
    case SNAP_ROLE_RANDOM_STATE:
    case SNAP_ROLE_GENERATOR:
    case SNAP_ROLE_BIT_GENERATOR:
    case SNAP_ROLE_SEED_SEQUENCE:
        return true;
    default:
        return false;
    }
}
