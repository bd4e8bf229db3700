# SPDX-License-Identifier: Apache-2.0
"""The structs and enums of the public headers, under their names and with their field names.

To add one: a class here with the fields in the header's order (`Sized` when its first field is
its own sizeof, which the constructor then sets). tests/python/test_library.py compares every size,
offset and number with the C compiler's.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_bool, c_char, c_char_p, c_int, c_size_t
from ctypes import c_double, c_ubyte, c_uint, c_uint32, c_uint64, c_void_p
from enum import IntEnum
from typing import Any

DIGEST_BYTES = 32
HASH_TEXT_BYTES = 80
MAX_DIMS = 16


class Status(IntEnum):
    OK = 0
    DIFFERS = 1
    INVALID = 2
    IO = 3
    UNSUPPORTED = 4
    CORRUPT = 5
    ABSENT = 6
    NONFINITE = 7
    NOT_FOUND = 8
    NO_MEMORY = 9
    BUSY = 10
    INTERNAL = 70


class Dtype(IntEnum):
    BOOL = 1
    U8 = 2
    I8 = 3
    U16 = 4
    I16 = 5
    U32 = 6
    I32 = 7
    U64 = 8
    I64 = 9
    F16 = 10
    BF16 = 11
    F32 = 12
    F64 = 13
    F8_E4M3FN = 14
    F8_E5M2 = 15
    F8_E4M3FNUZ = 16
    F8_E5M2FNUZ = 17
    F8_E8M0FNU = 18
    C32 = 19
    C64 = 20
    C128 = 21


class MemberKind(IntEnum):
    README = 1
    MANIFEST = 2
    STATE_JSON = 3
    DATA = 4
    STREAM = 5
    TENSOR = 6
    EXTRA = 7
    ENVIRONMENT = 8
    LEDGER = 9
    STATE_LISTING = 10
    LISTING = 11


class DeviceKind(IntEnum):
    CPU = 0
    CUDA = 1


class Tier(IntEnum):
    NONE = 0
    WEIGHTS = 1
    STREAMS = 2
    EXACT = 3


class ValueType(IntEnum):
    BOOL = 1
    INT64 = 2
    DOUBLE = 3


class ScalarType(IntEnum):
    F32 = 1
    F64 = 2
    INT = 3


class TensorRole(IntEnum):
    OUTPUT = 1
    GRADIENT = 2
    WEIGHT = 3


class CurandCall(IntEnum):
    UNIFORM = 1
    UNIFORM_DOUBLE = 2
    NORMAL = 3
    NORMAL_DOUBLE = 4
    POISSON = 5


class Wanted(IntEnum):
    NOTHING = 0
    SAVE = 1
    SAVE_AND_STOP = 2


# The C names of the constants: their prefix, for each class.
ENUM_PREFIXES = {Status: "SNAP_", Dtype: "SNAP_", MemberKind: "SNAP_MEMBER_",
                 DeviceKind: "SNAP_DEVICE_", Tier: "SNAP_TIER_", ValueType: "SNAP_VALUE_",
                 ScalarType: "SNAP_SCALAR_", TensorRole: "SNAP_TENSOR_",
                 CurandCall: "SNAP_CURAND_", Wanted: "SNAP_WANTED_"}


class Sized(ctypes.Structure):
    """A struct that begins with its own size."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self.size_bytes = ctypes.sizeof(self)


class snap_error(Sized):
    _fields_ = [("size_bytes", c_size_t), ("status", c_int), ("os_error", c_int),
                ("text", c_char * 1000)]


ERROR = POINTER(snap_error)


class snap_device(ctypes.Structure):
    _fields_ = [("kind", c_int), ("index", c_int)]


class snap_tensor_view(Sized):
    _fields_ = [("size_bytes", c_size_t), ("dtype", c_int), ("ndim", c_size_t),
                ("shape", c_uint64 * MAX_DIMS), ("strides", c_uint64 * MAX_DIMS),
                ("offset", c_uint64), ("storage", c_uint32), ("requires_grad", c_bool),
                ("on_device", c_bool), ("is_piece", c_bool),
                ("global_shape", c_uint64 * MAX_DIMS), ("global_offset", c_uint64 * MAX_DIMS)]


class snap_member(Sized):
    _fields_ = [("size_bytes", c_size_t), ("name", c_char_p), ("kind", c_int),
                ("data_size", c_uint64), ("data_offset", c_uint64), ("in_state", c_bool),
                ("withheld", c_bool), ("elsewhere", c_bool),
                ("sha256", c_ubyte * DIGEST_BYTES), ("volume", c_char_p)]


class snap_diff_entry(Sized):
    _fields_ = [("size_bytes", c_size_t), ("kind", c_char_p), ("name", c_char_p),
                ("text", c_char_p)]


class snap_ledger_difference(Sized):
    _fields_ = [("size_bytes", c_size_t), ("step", c_uint64), ("kind", c_char * 16),
                ("field", c_char * 160), ("left", c_char * 160), ("right", c_char * 160)]


class snap_float_deviation(Sized):
    _fields_ = [("size_bytes", c_size_t), ("lines", c_uint64), ("numbers", c_uint64),
                ("numbers_unequal", c_uint64), ("states", c_uint64), ("states_unequal", c_uint64),
                ("largest", c_double), ("step", c_uint64), ("field", c_char * 160),
                ("recorded", c_double), ("now", c_double)]


class snap_verify_options(Sized):
    _fields_ = [("size_bytes", c_size_t), ("only", c_char_p), ("expected", c_char_p),
                ("allow_withheld", c_bool), ("pool", c_void_p), ("signers", c_char_p)]


class snap_push_options(Sized):
    _fields_ = [("size_bytes", c_size_t), ("connections", c_uint), ("part_bytes", c_uint64),
                ("keep_latest", c_bool), ("pool", c_void_p), ("progress", c_void_p),
                ("stopped", c_void_p), ("arg", c_void_p), ("run_dir", c_char_p)]


class snap_push_result(Sized):
    _fields_ = [("size_bytes", c_size_t), ("file", c_char * 160),
                ("snapshot_hash", c_char * HASH_TEXT_BYTES), ("bytes", c_uint64),
                ("sent_bytes", c_uint64), ("kept_bytes", c_uint64), ("was_there", c_bool),
                ("latest_moved", c_bool), ("not_exclusive", c_bool)]


class snap_push_run_result(Sized):
    _fields_ = [("size_bytes", c_size_t), ("newer_there", c_bool), ("not_exclusive", c_bool)]


class snap_pull_options(Sized):
    _fields_ = [("size_bytes", c_size_t), ("has_step", c_bool), ("step", c_uint64),
                ("all", c_bool), ("pool", c_void_p)]


class snap_pull_result(Sized):
    _fields_ = [("size_bytes", c_size_t), ("pulled", c_uint64), ("there", c_uint64),
                ("bytes", c_uint64), ("step", c_uint64)]


class snap_stored(ctypes.Structure):
    _fields_ = [("step", c_uint64), ("bytes", c_uint64), ("capsule", c_bool), ("partial", c_bool),
                ("is_latest", c_bool), ("snapshot_hash", c_char * HASH_TEXT_BYTES),
                ("file", c_char * 160)]


class snap_stored_upload(ctypes.Structure):
    _fields_ = [("bytes", c_uint64), ("file", c_char * 160)]


class snap_stored_list(Sized):
    _fields_ = [("size_bytes", c_size_t), ("archives", POINTER(snap_stored)), ("count", c_size_t),
                ("uploads", POINTER(snap_stored_upload)), ("upload_count", c_size_t),
                ("run_id", c_char * 17), ("uploads_unknown", c_bool)]


class snap_import_file(Sized):
    _fields_ = [("size_bytes", c_size_t), ("path", c_char_p), ("name", c_char_p),
                ("as", c_char_p)]


class snap_export_options(Sized):
    _fields_ = [("size_bytes", c_size_t), ("form", c_int), ("stream", c_char_p),
                ("root", c_char_p), ("shard", c_int), ("numpy", c_int)]


class snap_run_options(Sized):
    _fields_ = [("size_bytes", c_size_t), ("dir", c_char_p), ("archive", c_char_p),
                ("must_be_new", c_bool), ("must_exist", c_bool), ("profile", c_char_p),
                ("binding", c_char_p), ("training", c_char_p), ("config", c_char_p),
                ("state_every", c_uint64), ("every", c_uint64), ("pool", c_void_p),
                ("staging_bytes", c_uint64), ("no_read_back", c_bool),
                ("first_step", c_uint64), ("group", c_void_p), ("thin", c_uint64),
                ("volume_size", c_uint64), ("agent", c_char_p),
                ("device_copy", c_char_p)]


class snap_run_tensor(Sized):
    _fields_ = [("size_bytes", c_size_t), ("root", c_char_p), ("name", c_char_p),
                ("data", c_void_p), ("device", snap_device), ("dtype", c_int), ("ndim", c_size_t),
                ("shape", POINTER(c_uint64)), ("strides", POINTER(c_uint64)),
                ("requires_grad", c_bool), ("changes_in_forward", c_bool)]


class snap_tree_memory(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("changes_in_forward", c_bool)]


class snap_position(Sized):
    _fields_ = [("size_bytes", c_size_t), ("epoch", c_uint64), ("position", c_uint64),
                ("order_stream", c_char_p), ("order_start", c_void_p),
                ("order_start_size", c_size_t), ("order_samples", c_uint64),
                ("order_digest", c_ubyte * DIGEST_BYTES)]


class snap_scalar(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("type", c_int), ("bits", c_uint64)]


class snap_tensor_digest(ctypes.Structure):
    _fields_ = [("role", c_int), ("name", c_char_p), ("sha256", c_ubyte * DIGEST_BYTES)]


class snap_step_record(Sized):
    _fields_ = [("size_bytes", c_size_t), ("step", c_uint64), ("epoch", c_uint64),
                ("sample_digest", POINTER(c_ubyte)), ("batch_digest", POINTER(c_ubyte)),
                ("host_scalars", POINTER(snap_scalar)), ("host_scalar_count", c_size_t),
                ("float_scalars", POINTER(snap_scalar)), ("float_scalar_count", c_size_t),
                ("skipped", c_bool), ("tensor_digests", POINTER(snap_tensor_digest)),
                ("tensor_digest_count", c_size_t)]


class snap_attachment(ctypes.Structure):
    """`size_bytes` is that of the data."""

    _fields_ = [("name", c_char_p), ("data", c_void_p), ("size_bytes", c_size_t)]


class snap_failure(Sized):
    _fields_ = [("size_bytes", c_size_t), ("step", c_uint64), ("what", c_char_p),
                ("name", c_char_p), ("value", c_char_p), ("element", c_uint64),
                ("attachments", POINTER(snap_attachment)), ("attachment_count", c_size_t)]


# The callbacks of a stream; see snap_stream_ops. `get` gives memory of _library.malloc_bytes.
STREAM_GET = CFUNCTYPE(c_int, c_void_p, POINTER(c_void_p), POINTER(c_size_t), ERROR)
STREAM_SET = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t, ERROR)
STREAM_WORDS_DRAWN = CFUNCTYPE(c_uint64, c_void_p)
POOL_TASK = CFUNCTYPE(None, c_void_p, c_size_t, c_uint)
ARCHIVE_TAKE = CFUNCTYPE(c_bool, c_void_p, c_void_p, c_size_t)


class snap_stream_ops(Sized):
    _fields_ = [("size_bytes", c_size_t), ("get", STREAM_GET), ("set", STREAM_SET),
                ("words_drawn", STREAM_WORDS_DRAWN)]


class snap_curand_host(Sized):
    _fields_ = [("size_bytes", c_size_t), ("type", c_int), ("ordering", c_int),
                ("seed", c_uint64), ("offset", c_uint64)]


class snap_mt19937_state(Sized):
    """`position` stands right behind `key`: 625 words, as random.getstate()[1] has them."""

    _fields_ = [("size_bytes", c_size_t), ("key", c_uint32 * 624), ("position", c_uint32),
                ("has_gauss", c_bool), ("gauss", c_double)]


STRUCTS = [snap_error, snap_device, snap_tensor_view, snap_member, snap_diff_entry,
           snap_ledger_difference, snap_float_deviation, snap_verify_options, snap_import_file,
           snap_export_options, snap_run_options, snap_run_tensor, snap_tree_memory,
           snap_position, snap_scalar,
           snap_tensor_digest, snap_step_record, snap_attachment, snap_failure, snap_stream_ops,
           snap_mt19937_state, snap_curand_host, snap_push_options, snap_push_result,
           snap_push_run_result, snap_pull_options, snap_pull_result, snap_stored,
           snap_stored_upload, snap_stored_list]
