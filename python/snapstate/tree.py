# SPDX-License-Identifier: Apache-2.0
"""Python values and nodes of state.json (docs/format.md, section 5.3; docs/python-tree.md).

    node, memories = encode({"model": {"weight": tensor}, "betas": (0.9, 0.999)})
    value = decode(node, tensor=lambda leaf: ...)

A node is made of dict, list, str, int, bool and None, ready for

    json.dumps(node, ensure_ascii=False, separators=(",", ":"))

Values go in and come out with their exact types; types that the format does not have are maps
with one key that begins with `~`. Nothing is pickled, and nothing of a node is imported or called.
Two places that hold one list or dict come out as two; tensors over one memory stay tied.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Callable, Dict, List, Optional, Tuple

from ._dtypes import loaded
from ._tree_adopt import adopt
from ._tree_decode import Decoder
from ._tree_encode import Encoder
from ._tree_text import Node, encoded_text
from ._tree_names import DefaultDict, DeviceName, DtypeName, EnumName, FunctionName, NamedFields
from ._tree_names import ScalarBits, Size
from .tensors import TensorMemory

__all__ = ["DefaultDict", "DeviceName", "DtypeName", "EnumName", "FunctionName", "NamedFields",
           "Node", "ROOT_DEPTH", "ScalarBits", "Size", "adopt", "decode", "encode", "encoded_text"]

# The depth in state.json of the node of a root: the document, "roots", the pair, the node.
ROOT_DEPTH = 4


def encode(value: Any, *, path: str = "", depth: int = ROOT_DEPTH
           ) -> Tuple[Node, List[TensorMemory]]:
    """The node of `value`, and the memories of its tensors in the order of the tree, each tensor
    counted: a tensor's `storage` is its index there, its `offset` 0.

    `path` is the name of the value in error texts, such as the root's name; `depth` that of its
    node in state.json. CaptureError, with `.path`, for a value without a safe form, one that
    contains itself, and one that goes past a limit of the format."""
    encoder = Encoder(path)
    node = encoder.node(value, None, None, 0, depth)
    return node, encoder.memories


def decode(node: Node, tensor: Callable[[Dict[str, Any]], Any],
           array: Optional[Callable[[Dict[str, Any]], Any]] = None, *, path: str = "",
           torch: Optional[ModuleType] = None, numpy: Optional[ModuleType] = None) -> Any:
    """The value of a node. `tensor(leaf)` makes what stands for a tensor, from the object under
    "tensor" (dtype, shape, strides, storage, offset, ...); `array(leaf)` what stands for a NumPy
    array, by default the same.

    `torch` and `numpy`, the modules, are used for their dtypes, devices, sizes and scalars; where
    one is not given, that one is used that somebody has imported; without it names stand for them
    (DtypeName, ...). Functions, enums and named tuples always come out as names: see adopt().

    CorruptError when a `~` map is not as docs/python-tree.md says, UnsupportedError when it is of a
    kind that this version does not know. The node itself is one of an archive that was opened, or
    of encode(): that it obeys the format is not checked again."""
    decoder = Decoder(tensor, array or tensor, path, torch or loaded("torch"),
                      numpy or loaded("numpy"))
    return decoder.value(node, None, None)
