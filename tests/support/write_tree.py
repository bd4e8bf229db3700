# SPDX-License-Identifier: Apache-2.0
"""An archive of given Python values, written by the library."""

import ctypes
import json

from snapstate import tree
from snapstate._library import call
from snapstate._structs import snap_run_options, snap_tree_memory
from snapstate.tensors import TensorMemory, contiguous_strides, extent_bytes


def write_nodes(path, roots):
    """Write an archive of `roots`: name -> (node, memories), as tree.encode() gives them."""
    run = ctypes.c_void_p()
    options = snap_run_options(profile=b"none")
    call("snap_run_open", ctypes.byref(options), ctypes.byref(run))
    try:
        for name, (node, memories) in roots.items():
            places = (snap_tree_memory * max(len(memories), 1))()
            for place, memory in zip(places, memories):
                place.data = memory.pointer
            text = json.dumps(node, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
            call("snap_run_set_tree", run, name.encode(), text, places, len(memories))
        call("snap_run_save_as", run, str(path).encode(), None)
    finally:
        call("snap_run_close", run)


def write_tree(path, **roots):
    """Write an archive of Python values: root name -> value."""
    write_nodes(path, {name: tree.encode(value, path=name) for name, value in roots.items()})


def leaf_node(memory, index):
    return {"tensor": {"device": memory.device, "dtype": memory.dtype, "offset": 0,
                       "requires_grad": False, "shape": list(memory.shape), "storage": index,
                       "strides": list(memory.strides)}}


def memory_of(dtype, content, shape, strides=None, start=0):
    """Memory in a ctypes buffer: no library of tensors is needed."""
    strides = contiguous_strides(shape) if strides is None else strides
    return TensorMemory(ctypes.addressof(content) + start, dtype, shape, strides, False, "cpu", 0,
                        extent_bytes(dtype, shape, strides), content, "none")
