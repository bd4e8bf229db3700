# SPDX-License-Identifier: Apache-2.0
"""The functions of the public headers: name, what it returns, its arguments.

One row for each name of snapshot/libsnapstate.sym, in the order of the headers. To add a function:
a row here. A row that the loaded library does not export is an error when it is loaded, and
tests/python/test_library.py compares the rows with libsnapstate.sym.
"""

from __future__ import annotations

from ctypes import POINTER, c_bool, c_char_p, c_double, c_float, c_int, c_int64, c_size_t, c_ubyte
from ctypes import c_uint, c_uint32, c_uint64, c_void_p
from typing import Any, Dict, Tuple

from ._structs import ERROR, POOL_TASK, snap_curand_host, snap_device, snap_diff_entry, snap_failure
from ._structs import snap_export_options, snap_import_file
from ._structs import snap_ledger_difference, snap_member, snap_mt19937_state, snap_position
from ._structs import snap_run_options
from ._structs import snap_run_tensor, snap_scalar, snap_step_record, snap_stream_ops
from ._structs import snap_tensor_view, snap_tree_memory, snap_verify_options

STATUS = ENUM = c_int
TEXT = c_char_p  # const char *, UTF-8; None is NULL
HANDLE = c_void_p  # a struct that only the library knows
DATA = c_void_p  # const void * or void *
OUT = POINTER(c_void_p)  # struct ** and void **
DIGEST = POINTER(c_ubyte)  # 32 bytes
SIZE_OUT = POINTER(c_size_t)
U64_OUT = POINTER(c_uint64)
I64_OUT = POINTER(c_int64)
F64_OUT = POINTER(c_double)
F32_OUT = POINTER(c_float)
NOTHING = None


def _p(struct: Any) -> Any:
    return POINTER(struct)


PROTOTYPES: Dict[str, Tuple[Any, ...]] = {
    # snapstate.h, status.h
    "snap_version": (TEXT,),
    "snap_status_name": (TEXT, ENUM),
    "snap_error_set": (STATUS, ERROR, STATUS, TEXT),  # and what the format needs
    "snap_error_set_os": (STATUS, ERROR, STATUS, c_int, TEXT),  # the same
    # archive.h
    "snap_archive_open": (STATUS, TEXT, OUT, ERROR),
    "snap_archive_close": (NOTHING, HANDLE),
    "snap_archive_member_count": (c_size_t, HANDLE),
    "snap_archive_member": (_p(snap_member), HANDLE, c_size_t),
    "snap_archive_find": (_p(snap_member), HANDLE, TEXT),
    "snap_archive_read": (STATUS, HANDLE, _p(snap_member), DATA, ERROR),
    "snap_archive_check": (STATUS, HANDLE, HANDLE, ERROR),
    "snap_archive_withheld_count": (c_size_t, HANDLE),
    "snap_archive_kind": (TEXT, HANDLE),
    "snap_archive_run_id": (TEXT, HANDLE),
    "snap_archive_step": (c_uint64, HANDLE),
    "snap_archive_parent": (TEXT, HANDLE),
    "snap_archive_profile": (TEXT, HANDLE),
    "snap_archive_snapshot_hash": (TEXT, HANDLE),
    "snap_archive_state_hash": (TEXT, HANDLE),
    "snap_archive_run_hash": (TEXT, HANDLE),
    "snap_archive_json": (TEXT, HANDLE, TEXT),
    "snap_archive_training": (TEXT, HANDLE),
    "snap_archive_binding": (TEXT, HANDLE),
    "snap_archive_root_count": (c_size_t, HANDLE),
    "snap_archive_root_name": (TEXT, HANDLE, c_size_t),
    "snap_archive_root": (HANDLE, HANDLE, c_size_t),
    "snap_archive_storage_count": (c_size_t, HANDLE),
    "snap_archive_storage_name": (TEXT, HANDLE, c_size_t, U64_OUT),
    "snap_archive_read_storage": (STATUS, HANDLE, c_size_t, DATA, ERROR),
    "snap_archive_stream_kind": (TEXT, HANDLE, TEXT),
    # device.h
    "snap_device_parse": (STATUS, TEXT, _p(snap_device), ERROR),
    # diff.h
    "snap_diff_archives": (STATUS, TEXT, TEXT, OUT, ERROR),
    "snap_diff_ledgers": (STATUS, TEXT, TEXT, OUT, ERROR),
    "snap_diff_count": (c_size_t, HANDLE),
    "snap_diff_at": (_p(snap_diff_entry), HANDLE, c_size_t),
    "snap_diff_json": (TEXT, HANDLE),
    "snap_diff_text": (TEXT, HANDLE),
    "snap_diff_free": (NOTHING, HANDLE),
    # fsck.h, keep.h: the program's; their options are only the library's here
    "snap_fsck_run": (STATUS, TEXT, HANDLE, OUT, ERROR),
    "snap_salvage": (STATUS, TEXT, HANDLE, OUT, ERROR),
    "snap_thin": (STATUS, TEXT, HANDLE, SIZE_OUT, U64_OUT, ERROR),
    "snap_pack": (STATUS, TEXT, HANDLE, SIZE_OUT, ERROR),
    "snap_prune_run": (STATUS, TEXT, HANDLE, c_bool, HANDLE, OUT, SIZE_OUT, ERROR),
    "snap_run_prune": (STATUS, HANDLE, HANDLE, U64_OUT, ERROR),
    # import.h
    "snap_import_new": (STATUS, OUT, ERROR),
    "snap_import_free": (NOTHING, HANDLE),
    "snap_import_add": (STATUS, HANDLE, _p(snap_import_file), ERROR),
    "snap_import_json": (STATUS, HANDLE, POINTER(TEXT), ERROR),
    "snap_import_save": (STATUS, HANDLE, TEXT, DATA, ERROR),
    "snap_export_form_parse": (STATUS, TEXT, POINTER(ENUM), ERROR),
    "snap_export": (STATUS, HANDLE, _p(snap_export_options), TEXT, POINTER(TEXT),
                    ERROR),
    # ledger.h
    "snap_ledger_open": (STATUS, TEXT, OUT, U64_OUT, ERROR),
    "snap_ledger_decode": (STATUS, DATA, c_size_t, TEXT, OUT, ERROR),
    "snap_ledger_free": (NOTHING, HANDLE),
    "snap_ledger_line_count": (c_size_t, HANDLE),
    "snap_ledger_first_step": (c_uint64, HANDLE),
    "snap_ledger_last_step": (c_uint64, HANDLE),
    "snap_ledger_line": (TEXT, HANDLE, c_size_t, SIZE_OUT),
    "snap_ledger_chain": (TEXT, HANDLE, c_size_t),
    "snap_ledger_host_chain": (TEXT, HANDLE, c_size_t),
    "snap_ledger_find": (c_bool, HANDLE, c_uint64, SIZE_OUT),
    "snap_ledger_compare_lines": (STATUS, TEXT, TEXT, _p(snap_ledger_difference), ERROR),
    "snap_ledger_compare": (STATUS, HANDLE, HANDLE, U64_OUT, _p(snap_ledger_difference), ERROR),
    # pool.h
    "snap_pool_new": (STATUS, c_uint, OUT, ERROR),
    "snap_pool_run": (NOTHING, HANDLE, c_size_t, POOL_TASK, DATA),
    "snap_pool_threads": (c_uint, HANDLE),
    "snap_pool_free": (NOTHING, HANDLE),
    # publication.h
    "snap_publication_write": (STATUS, TEXT, TEXT, HANDLE, HANDLE, ERROR),
    # receipt.h
    "snap_tier_name": (TEXT, ENUM),
    "snap_receipt_tier": (ENUM, HANDLE),
    "snap_receipt_step": (c_uint64, HANDLE),
    "snap_receipt_snapshot_hash": (TEXT, HANDLE),
    "snap_receipt_state_hash": (TEXT, HANDLE),
    "snap_receipt_json": (TEXT, HANDLE),
    "snap_receipt_table": (TEXT, HANDLE),
    "snap_receipt_free": (NOTHING, HANDLE),
    # run.h
    "snap_run_open": (STATUS, _p(snap_run_options), OUT, ERROR),
    "snap_run_add_tensor": (STATUS, HANDLE, _p(snap_run_tensor), ERROR),
    "snap_run_add_slab": (STATUS, HANDLE, TEXT, DATA, snap_device, ENUM, c_size_t,
                          POINTER(c_char_p), U64_OUT, ERROR),
    "snap_run_set_tree": (STATUS, HANDLE, TEXT, TEXT, _p(snap_tree_memory), c_size_t, ERROR),
    "snap_run_drop_tree": (STATUS, HANDLE, TEXT, ERROR),
    "snap_run_add_stream": (STATUS, HANDLE, TEXT, TEXT, _p(snap_stream_ops), DATA, ERROR),
    "snap_run_add_scalar": (STATUS, HANDLE, TEXT, TEXT, ENUM, DATA, ERROR),
    "snap_run_add_value": (STATUS, HANDLE, TEXT, c_bool, DATA, c_size_t, ERROR),
    "snap_run_add_not_captured": (STATUS, HANDLE, TEXT, TEXT, ERROR),
    "snap_run_add_data_file": (STATUS, HANDLE, TEXT, DIGEST, c_uint64, ERROR),
    "snap_file_digest": (STATUS, TEXT, DIGEST, U64_OUT, ERROR),
    "snap_run_restore": (STATUS, HANDLE, ENUM, DATA, OUT, ERROR),
    "snap_run_source": (STATUS, HANDLE, DATA, c_size_t, ERROR),
    "snap_run_expect": (STATUS, HANDLE, HANDLE, ERROR),
    "snap_run_steps_done": (c_uint64, HANDLE),
    "snap_run_expected_last": (c_uint64, HANDLE),
    "snap_run_set_position": (STATUS, HANDLE, _p(snap_position), ERROR),
    "snap_run_position": (STATUS, HANDLE, _p(snap_position), ERROR),
    "snap_sample_digest": (STATUS, POINTER(c_uint32), c_size_t, DIGEST, ERROR),
    "snap_bytes_digest": (STATUS, DATA, c_size_t, DIGEST, ERROR),
    "snap_run_begin_step": (STATUS, HANDLE, ERROR),
    "snap_run_cancel_step": (STATUS, HANDLE, ERROR),
    "snap_run_before_update": (STATUS, HANDLE, DATA, ERROR),
    "snap_scalar_f32": (snap_scalar, TEXT, c_float),
    "snap_scalar_f64": (snap_scalar, TEXT, c_double),
    "snap_scalar_int": (snap_scalar, TEXT, c_uint64),
    "snap_tensor_digest": (STATUS, DATA, ENUM, c_size_t, U64_OUT, U64_OUT, DIGEST, ERROR),
    "snap_run_step": (STATUS, HANDLE, _p(snap_step_record), ERROR),
    "snap_run_difference": (_p(snap_ledger_difference), HANDLE),
    "snap_run_request": (NOTHING, HANDLE, ENUM),
    "snap_run_wanted": (ENUM, HANDLE),
    "snap_run_capture": (STATUS, HANDLE, c_uint64, DATA, OUT, ERROR),
    "snap_run_ended": (c_bool, HANDLE, HANDLE),
    "snap_run_wait": (STATUS, HANDLE, HANDLE, DATA, ERROR),
    "snap_run_stale_step": (c_uint64, HANDLE),
    "snap_run_save_as": (STATUS, HANDLE, TEXT, DATA, ERROR),
    "snap_run_capsule": (STATUS, HANDLE, _p(snap_failure), DATA, c_size_t, ERROR),
    "snap_run_hash": (STATUS, HANDLE, DATA, DATA, ERROR),
    "snap_run_state_hash": (STATUS, HANDLE, DATA, ERROR),
    "snap_run_compare": (STATUS, HANDLE, HANDLE, DATA, c_size_t, ERROR),
    "snap_run_event": (STATUS, HANDLE, TEXT, TEXT, ERROR),
    "snap_run_dir": (TEXT, HANDLE),
    "snap_run_after_fork": (NOTHING, HANDLE),
    "snap_run_close": (STATUS, HANDLE, ERROR),
    # signature.h
    "snap_signature_verify": (STATUS, DATA, c_size_t, TEXT, c_size_t, TEXT, c_size_t, HANDLE,
                              ERROR),
    "snap_signature_key": (STATUS, TEXT, c_size_t, HANDLE, ERROR),
    # stream.h
    "snap_stream_new": (STATUS, TEXT, OUT, ERROR),
    "snap_stream_free": (NOTHING, HANDLE),
    "snap_stream_kind": (TEXT, HANDLE),
    "snap_stream_seed": (STATUS, HANDLE, c_uint64, ERROR),
    "snap_stream_encode": (STATUS, HANDLE, OUT, SIZE_OUT, ERROR),
    "snap_stream_decode": (STATUS, HANDLE, DATA, c_size_t, ERROR),
    "snap_stream_words_drawn": (c_uint64, HANDLE),
    "snap_stream_distance": (STATUS, TEXT, DATA, c_size_t, DATA, c_size_t, c_uint64,
                             POINTER(c_int64), POINTER(c_bool), ERROR),
    "snap_stream_distance_unit": (TEXT, TEXT, c_bool),
    "snap_stream_kind_at": (TEXT, c_size_t),
    "snap_stream_draw_at": (HANDLE, TEXT, c_size_t),
    "snap_stream_draw": (STATUS, HANDLE, TEXT, DATA, c_size_t, ERROR),
    "snap_stream_form_at": (HANDLE, TEXT, c_size_t),
    "snap_stream_export": (STATUS, HANDLE, TEXT, OUT, SIZE_OUT, ERROR),
    "snap_stream_import": (STATUS, HANDLE, TEXT, DATA, c_size_t, ERROR),
    "snap_python_shuffle": (STATUS, HANDLE, POINTER(c_uint32), c_size_t, ERROR),
    "snap_python_randbelow": (STATUS, HANDLE, c_uint64, U64_OUT, ERROR),
    "snap_python_random": (STATUS, HANDLE, POINTER(c_double), ERROR),
    "snap_numpy_randint": (STATUS, HANDLE, c_int64, c_int64, POINTER(c_int64), c_size_t, ERROR),
    "snap_numpy_random_sample": (STATUS, HANDLE, POINTER(c_double), c_size_t, ERROR),
    "snap_torch_uniform_f32": (STATUS, HANDLE, c_double, c_double, POINTER(c_float), c_size_t,
                               ERROR),
    "snap_torch_cuda_kernel": (STATUS, HANDLE, ENUM, c_uint64, DATA, c_size_t, ERROR),
    "snap_jax_split": (STATUS, HANDLE, c_size_t, POINTER(c_uint32), ERROR),
    "snap_jax_fold_in": (STATUS, HANDLE, c_uint32, POINTER(c_uint32), ERROR),
    "snap_jax_randint": (STATUS, HANDLE, ENUM, c_int64, c_int64, I64_OUT, c_size_t, ERROR),
    "snap_curand_host_set": (STATUS, HANDLE, _p(snap_curand_host), ERROR),
    "snap_curand_host_get": (STATUS, HANDLE, _p(snap_curand_host), ERROR),
    "snap_curand_host_generated": (STATUS, HANDLE, ENUM, c_uint64, ERROR),
    "snap_philox_dropout_block": (NOTHING, c_uint64, c_uint64, c_uint32, c_uint32,
                                  POINTER(c_uint32)),
    "snap_philox_dropout_seed": (STATUS, HANDLE, U64_OUT, ERROR),
    "snap_philox_dropout_counter": (STATUS, HANDLE, POINTER(c_uint32), ERROR),
    "snap_philox_dropout_advance": (STATUS, HANDLE, c_uint32, ERROR),
    "snap_stream_set_mt19937": (STATUS, HANDLE, _p(snap_mt19937_state), ERROR),
    "snap_stream_get_mt19937": (STATUS, HANDLE, _p(snap_mt19937_state), ERROR),
    "snap_stream_follow_mt19937": (STATUS, HANDLE, _p(snap_mt19937_state), c_uint64, U64_OUT,
                                   POINTER(c_bool), ERROR),
    "snap_stream_follow": (STATUS, HANDLE, DATA, c_size_t, c_uint64, U64_OUT, POINTER(c_bool),
                           ERROR),
    "snap_stream_ops": (_p(snap_stream_ops),),
    # stream_draws.h
    "snap_generator_seed": (STATUS, HANDLE, POINTER(c_uint32), c_size_t, POINTER(c_uint32),
                            c_size_t, ERROR),
    "snap_generator_spawn": (STATUS, HANDLE, OUT, ERROR),
    "snap_generator_advance": (STATUS, HANDLE, U64_OUT, ERROR),
    "snap_generator_jump": (STATUS, HANDLE, c_uint64, ERROR),
    "snap_generator_random_raw": (STATUS, HANDLE, U64_OUT, c_size_t, ERROR),
    "snap_generator_bytes": (STATUS, HANDLE, DATA, c_size_t, ERROR),
    "snap_generator_random_f64": (STATUS, HANDLE, F64_OUT, c_size_t, ERROR),
    "snap_generator_random_f32": (STATUS, HANDLE, F32_OUT, c_size_t, ERROR),
    "snap_generator_uniform": (STATUS, HANDLE, c_double, c_double, F64_OUT, c_size_t, ERROR),
    "snap_generator_integers": (STATUS, HANDLE, ENUM, c_int64, c_uint64, DATA, c_size_t, ERROR),
    "snap_generator_integers_each": (STATUS, HANDLE, ENUM, I64_OUT, U64_OUT, DATA, c_size_t, ERROR),
    "snap_generator_shuffle": (STATUS, HANDLE, DATA, c_size_t, c_size_t, ERROR),
    "snap_generator_permutation": (STATUS, HANDLE, I64_OUT, c_size_t, ERROR),
    "snap_generator_permuted": (STATUS, HANDLE, DATA, c_size_t, c_size_t, c_size_t, c_size_t,
                                ERROR),
    "snap_generator_choice": (STATUS, HANDLE, c_uint64, I64_OUT, c_size_t, ERROR),
    "snap_generator_choice_distinct": (STATUS, HANDLE, c_uint64, c_bool, I64_OUT, c_size_t, ERROR),
    "snap_generator_choice_weighted": (STATUS, HANDLE, F64_OUT, c_size_t, c_bool, I64_OUT, c_size_t,
                                       ERROR),
    "snap_generator_standard_normal_f64": (STATUS, HANDLE, F64_OUT, c_size_t, ERROR),
    "snap_generator_standard_normal_f32": (STATUS, HANDLE, F32_OUT, c_size_t, ERROR),
    "snap_generator_normal": (STATUS, HANDLE, c_double, c_double, F64_OUT, c_size_t, ERROR),
    "snap_generator_lognormal": (STATUS, HANDLE, c_double, c_double, F64_OUT, c_size_t, ERROR),
    "snap_generator_standard_exponential_f64": (STATUS, HANDLE, ENUM, F64_OUT, c_size_t, ERROR),
    "snap_generator_standard_exponential_f32": (STATUS, HANDLE, ENUM, F32_OUT, c_size_t, ERROR),
    "snap_generator_exponential": (STATUS, HANDLE, c_double, F64_OUT, c_size_t, ERROR),
    "snap_generator_standard_gamma_f64": (STATUS, HANDLE, c_double, F64_OUT, c_size_t, ERROR),
    "snap_generator_standard_gamma_f32": (STATUS, HANDLE, c_double, F32_OUT, c_size_t, ERROR),
    "snap_generator_gamma": (STATUS, HANDLE, c_double, c_double, F64_OUT, c_size_t, ERROR),
    # tree.h
    "snap_dtype_size_bytes": (c_size_t, ENUM),
    "snap_dtype_name": (TEXT, ENUM),
    "snap_dtype_from_name": (c_bool, TEXT, POINTER(c_int)),
    "snap_node_type": (ENUM, HANDLE),
    "snap_node_new_null": (HANDLE,),
    "snap_node_new_bool": (HANDLE, c_bool),
    "snap_node_new_int": (HANDLE, c_int64),
    "snap_node_new_uint": (HANDLE, c_uint64),
    "snap_node_new_float": (HANDLE, c_double),
    "snap_node_new_string": (HANDLE, TEXT),
    "snap_node_new_bytes": (HANDLE, DATA, c_size_t),
    "snap_node_new_list": (HANDLE,),
    "snap_node_new_map": (HANDLE,),
    "snap_node_new_tensor": (HANDLE, _p(snap_tensor_view)),
    "snap_node_free": (NOTHING, HANDLE),
    "snap_node_append": (STATUS, HANDLE, HANDLE, ERROR),
    "snap_node_set": (STATUS, HANDLE, TEXT, HANDLE, ERROR),
    "snap_node_set_int_key": (STATUS, HANDLE, c_int64, HANDLE, ERROR),
    "snap_node_bool": (c_bool, HANDLE, POINTER(c_bool)),
    "snap_node_int": (c_bool, HANDLE, POINTER(c_int64)),
    "snap_node_uint": (c_bool, HANDLE, U64_OUT),
    "snap_node_float": (c_bool, HANDLE, POINTER(c_double)),
    "snap_node_string": (TEXT, HANDLE),
    "snap_node_bytes": (DATA, HANDLE, SIZE_OUT),
    "snap_node_tensor": (_p(snap_tensor_view), HANDLE),
    "snap_node_count": (c_size_t, HANDLE),
    "snap_node_at": (HANDLE, HANDLE, c_size_t),
    "snap_node_key_at": (TEXT, HANDLE, c_size_t, POINTER(c_int64)),
    "snap_node_get": (HANDLE, HANDLE, TEXT),
    # verify.h
    "snap_verify_archive": (STATUS, TEXT, _p(snap_verify_options), OUT, ERROR),
    "snap_verify_run": (STATUS, TEXT, _p(snap_verify_options), OUT, ERROR),
    "snap_verify_archives": (STATUS, POINTER(c_char_p), c_size_t, _p(snap_verify_options), OUT,
                             ERROR),
    "snap_verify_checkpoint": (STATUS, TEXT, _p(snap_verify_options), OUT, ERROR),
    "snap_verify_listing": (STATUS, TEXT, _p(snap_verify_options), OUT, ERROR),
    "snap_verdict_replayed": (STATUS, HANDLE, ENUM, TEXT, TEXT, ERROR),
    "snap_verdict_json": (TEXT, HANDLE),
    "snap_verdict_text": (TEXT, HANDLE),
    "snap_verdict_free": (NOTHING, HANDLE),
}
