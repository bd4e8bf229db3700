#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The memory of torch tensors and NumPy arrays is where describe() says, element by element; what
is no plain view of memory is refused, by path; new tensors have the dtype, shape, strides and
sharing that was asked for; staged copies share what was shared, and go back."""

import ctypes
import re
import sys
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from raises import caught  # noqa: E402
from snapstate import _dtypes, errors, tree  # noqa: E402
from snapstate.archive import Archive  # noqa: E402
from snapstate._staging import stage  # noqa: E402
from snapstate.tensors import describe, new_like, new_views  # noqa: E402
from tap import Tap  # noqa: E402
from write_tree import write_tree  # noqa: E402


def gathered(memory):
    """The elements in C order, read from where the memory says that they are."""
    size = _dtypes.size_bytes(memory.dtype)
    places = [memory.pointer]
    for count, stride in zip(memory.shape, memory.strides):
        places = [at + index * stride * size for at in places for index in range(count)]
    return b"".join(ctypes.string_at(at, size) for at in places)


def refused(tap, cases):
    """What tree.encode() says of (name, value, pattern), in a tree of one tensor that is fine."""
    found = []
    for name, value, pattern in cases:
        problem = caught(tree.encode, {"a": [0, value]}, path="model")
        if type(problem) is not errors.CaptureError or \
                not problem.path.startswith("model.a[1]") or \
                not re.search(pattern, str(problem)) or "\n" in str(problem):
            found.append(f"{name}: {problem!r}")
    return found


def check_numpy(tap, numpy):
    base = numpy.arange(60, dtype="i2").reshape(3, 4, 5)
    frozen = base.copy()
    frozen.flags.writeable = False
    views = {"whole": base, "turned": base.T, "row": base[1], "every second": base[::2, 1:, ::2],
             "scalar": base[1, 2, 3, ...], "broadcast": numpy.broadcast_to(base[0, 0], (4, 5)),
             "of Fortran": numpy.asfortranarray(base), "read-only": frozen,
             "none": base[:, :0], "one": base[:1, :1, ::-1][:, :, :1]}
    found = []
    for name, array in views.items():
        memory = describe(array)
        if gathered(memory) != array.tobytes() or memory.shape != array.shape or \
                memory.dtype != "i16" or memory.writable != array.flags.writeable or \
                memory.owner is not array or (memory.device, memory.framework) != ("cpu", "numpy"):
            found.append(f"{name}: {memory}")
    tap.empty(found, "arrays of every stride")
    memory = describe(base[1:, ::3])
    tap.ok(memory.strides == (20, 15, 1) and memory.nbytes == (20 + 15 + 4 + 1) * 2 and
           memory.pointer == base.ctypes.data + 20 * 2, "pointer, strides and extent", memory)
    names = {dtype: describe(numpy.zeros(1, element.numpy)).dtype
             for dtype, element in _dtypes.ELEMENTS.items() if element.numpy}
    tap.ok(all(dtype == name for dtype, name in names.items()), "every dtype of NumPy", names)

    class Sub(numpy.ndarray):
        pass
    structured = numpy.zeros(3, [("a", "u1"), ("b", "f4")])
    tap.empty(refused(tap, [
        ("negative", base[::-1], "negative strides cannot stand in an archive: keep numpy.array"),
        ("byte order", base.astype(base.dtype.newbyteorder()), "other byte order: keep x.astype"),
        ("objects", numpy.array([None]), "no element type for NumPy's object"),
        ("text", numpy.array(["a"]), "no element type for NumPy's <U1"),
        ("times", numpy.array([1], "M8[s]"), "no element type for NumPy's datetime64"),
        ("structured", structured, "no element type"),
        ("a field", structured["b"], "strides are no multiple"),
        ("long double", numpy.zeros(1, "g"), "no element type for NumPy's (float128|longdouble)"),
        ("masked", numpy.ma.array([1]), "subclass numpy.ma.* may hold more"),
        ("subclass", base.view(Sub), "subclass .*Sub may hold more than its memory"),
        ("a time", numpy.datetime64(1, "s"), "no element type for NumPy's datetime64"),
    ]), "what is no plain array is refused, by path")
    return views


def check_torch(tap, torch):
    base = torch.arange(60, dtype=torch.int16).reshape(3, 4, 5)
    views = {"whole": base, "turned": base.permute(2, 0, 1), "row": base[1],
             "every second": base[::2, 1:, ::2], "scalar": base[1, 2, 3],
             "expanded": base[0, 0].expand(4, 5), "none": base[:, :0],
             "channels last": torch.arange(48, dtype=torch.int16).reshape(1, 3, 4, 4).to(
                 memory_format=torch.channels_last)}
    found = []
    for name, tensor in views.items():
        memory = describe(tensor)
        if gathered(memory) != tensor.contiguous().numpy().tobytes() or \
                memory.shape != tuple(tensor.shape) or memory.dtype != "i16" or \
                memory.strides != tensor.stride() or memory.owner is not tensor or \
                (memory.device, memory.framework, memory.writable) != ("cpu", "torch", True):
            found.append(f"{name}: {memory}")
    tap.empty(found, "tensors of every stride")
    weight = torch.nn.Parameter(torch.ones(2, 2))
    tap.ok(describe(weight).requires_grad and describe(weight * 2).requires_grad and
           not describe(weight.detach()).requires_grad, "requires_grad as it is")
    names = {name: describe(torch.zeros(1, dtype=dtype)).dtype
             for dtype, name in _dtypes.torch_names(torch).items()}
    tap.ok(len(names) >= 13 and all(dtype == name for dtype, name in names.items()),
           "every dtype of this torch", names)
    tap.ok(describe([1]) is None and describe(None) is None, "what is no tensor is none")

    class Sub(torch.Tensor):
        pass
    complex_numbers = torch.tensor([1 + 2j])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = [
            ("sparse", base.to_sparse(), "layout torch.sparse_coo is no view"),
            ("compressed", torch.eye(2).to_sparse_csr(), "layout torch.sparse_csr is no view"),
            ("quantized", torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
             "int_repr"),
            ("meta", torch.empty(2, device="meta"), "meta has no memory"),
            ("conjugate", complex_numbers.conj(), "resolve_conj"),
            ("negative", complex_numbers.conj().imag, "resolve_neg"),
            ("subclass", torch.ones(2).as_subclass(Sub), "subclass .*Sub may hold more"),
            ("lazy", torch.nn.LazyLinear(2).weight, "not initialised yet"),
            ("nested", nested(torch), "nested tensor|layout"),
            ("many dimensions", torch.ones([1] * 17), "17 dimensions: the format has 16"),
            ("generator", torch.Generator(), "register it as a stream"),
            ("module", torch.nn.Linear(1, 1), "state_dict"),
            ("optimizer", torch.optim.SGD([weight], 0.1), "state_dict"),
            ("in a set", {weight}, "a tensor cannot be in a set"),
            ("a key", {weight: 1}, "a tensor cannot be a key"),
        ]
        freed = torch.ones(4)
        if hasattr(freed, "untyped_storage"):
            freed.untyped_storage().resize_(0)
            cases.append(("freed", freed, "has no memory"))
        if hasattr(torch, "uint1"):
            cases.append(("bits", torch.empty(1, dtype=torch.uint1), "no element type for torch"))
        tap.empty(refused(tap, cases), "what is no plain tensor is refused, by path")
    node, memories = tree.encode({"m": torch.nn.Linear(2, 1).state_dict(), "w": [weight, weight]})
    tap.ok(len(memories) == 4 and
           memories[2].pointer == memories[3].pointer == weight.data_ptr() and
           node["map"][1][1]["list"][1]["tensor"]["storage"] == 3,
           "one memory for each time that a tensor stands in the tree")


def nested(torch):
    make = getattr(torch, "nested_tensor", None) or torch.nested.nested_tensor
    return make([torch.ones(1), torch.ones(2)])


def leaf(dtype, shape, strides, offset=0, storage=0, requires_grad=False):
    return SimpleNamespace(dtype=dtype, shape=shape, strides=strides, offset=offset,
                           storage=storage, requires_grad=requires_grad)


def check_new(tap, torch, numpy):
    leaves = [leaf("f32", (2, 3), (1, 2), 5, 0, True), leaf("f32", (3,), (2,), 5),
              leaf("f64", (), (), 0, 1), leaf("i8", (0, 3), (3, 1), 0, 2),
              leaf("bf16", (2,), (1,), 11, 0), leaf("c64", (4,), (0,), 9, 3)]
    made = new_views(leaves, "torch")
    tap.ok([(str(one.dtype), tuple(one.shape), one.stride(), one.requires_grad) for one in made] ==
           [(f"torch.{_dtypes.ELEMENTS[one.dtype].torch}", one.shape, one.strides,
             one.requires_grad) for one in leaves], "new tensors are as asked for", made)
    tap.ok(made[1].data_ptr() == made[0].data_ptr() == made[4].data_ptr() - 2 and
           made[2].data_ptr() != made[0].data_ptr() and made[0].data_ptr() % 4 == 0,
           "and share memory as it was shared")
    made = new_views([one for one in leaves if one.dtype != "bf16"], "numpy")
    made[0][1, 1] = 3.5
    tap.ok([(one.dtype.name, one.shape) for one in made] ==
           [("float32", (2, 3)), ("float32", (3,)), ("float64", ()), ("int8", (0, 3)),
            ("complex64", (4,))] and made[0].strides == (4, 8) and
           numpy.shares_memory(made[0], made[1]), "so are new arrays")
    made[0][0, 1] = 8.0
    tap.ok(made[1][1] == 8.0, "which share too")
    tap.ok(new_like(leaves[0], "torch").requires_grad and
           new_like(leaf("i64", (2,), (1,), requires_grad=True), "torch").requires_grad is False,
           "integers have no grad")
    problem = caught(new_like, leaf("f8_e8m0fnu", (1,), (1,)), "numpy")
    tap.ok(type(problem) is errors.UnsupportedError or hasattr(problem, "dtype"),
           "a dtype that is not there", problem)


def away(tensor, index=0):
    """The memory of a tensor as if it lay on a device."""
    memory = describe(tensor)
    memory.device, memory.device_index = "cuda", index
    memory.changes_in_forward = True
    return memory


def check_staging(tap, torch, folder):
    base, other, host = torch.arange(24.0), torch.arange(5, dtype=torch.int32), torch.ones(3)
    tensors = [base[4:8], other, base[:6].reshape(2, 3).t(), host, base[8:], base[:0],
               torch.nn.Parameter(base[5:7])]
    memories = [away(tensor) if tensor is not host else describe(tensor) for tensor in tensors]
    staging = stage(memories)
    copies = staging.memories
    tap.ok([gathered(memory) for memory in copies] == [gathered(memory) for memory in memories],
           "staged copies hold what was there")
    tap.ok(all(memory.device == "cpu" for memory in copies) and copies[3] is memories[3] and
           copies[0].changes_in_forward and copies[6].requires_grad and
           (copies[2].shape, copies[2].strides) == ((3, 2), (1, 3)), "on the host, as they were")
    tap.ok(copies[0].pointer - copies[2].pointer == 16 and
           copies[6].pointer - copies[2].pointer == 20 and
           copies[4].owner is not copies[2].owner is copies[0].owner,
           "what overlapped overlaps, and nothing else")
    before = base.clone()
    ctypes.memmove(copies[0].pointer + 4, bytes(4), 4)
    ctypes.memmove(copies[1].pointer, (7).to_bytes(4, "little"), 4)
    tap.ok(torch.equal(base, before), "a copy is a copy")
    staging.write_back()
    before[5] = 0
    tap.ok(torch.equal(base, before) and other.tolist() == [7, 1, 2, 3, 4], "and goes back", base)
    same = [away(base, 0), away(base, 1)]
    first, second = stage(same).memories
    tap.ok(first.pointer != second.pointer, "two devices have two memories")
    if torch.cuda.is_available():
        there = torch.arange(8.0, device="cuda").reshape(2, 4)
        path = folder / "cuda.snap.tar"
        staging = stage([describe(there), describe(there.t())])
        write_tree(path, root={"x": there.cpu()})
        ctypes.memset(staging.memories[0].pointer, 0, 4 * 4)
        staging.write_back()
        tap.ok(there.tolist() == [[0.0] * 4, [4.0, 5.0, 6.0, 7.0]], "on a real device", there)


def check_archive(tap, torch, numpy, folder):
    """What was described is what the library writes."""
    path = folder / "tensors.snap.tar"
    base = torch.arange(60, dtype=torch.int16).reshape(3, 4, 5)
    value = {"whole": base, "turned": base.permute(2, 0, 1), "some": base[::2, 1:, ::2],
             "expanded": torch.ones(2).expand(3, 2), "none": base[:, :0],
             "array": numpy.arange(6)[::2], "scalar": numpy.float64(0.1),
             "bool": torch.tensor(True)}
    write_tree(path, root=value)
    with Archive(path) as archive:
        back = archive.load("root", "torch")
    tap.empty((f"{name}: {there!r}" for (name, here), there in zip(value.items(), back.values())
               if type(here) is not type(there) or
               (there != here).any() or there.dtype != here.dtype), "and reads back")


def main():
    tap = Tap()
    modules = {}
    for name in ("numpy", "torch"):
        try:
            modules[name] = __import__(name)
        except ImportError as problem:
            tap.skip(name, f"python3-{name} is not installed: {problem}")
    with tempfile.TemporaryDirectory(prefix="snap-test.") as folder:
        folder = Path(folder)
        if "numpy" in modules:
            check_numpy(tap, modules["numpy"])
        if "torch" in modules:
            check_torch(tap, modules["torch"])
            check_staging(tap, modules["torch"], folder)
        if len(modules) == 2:
            check_new(tap, modules["torch"], modules["numpy"])
            check_archive(tap, modules["torch"], modules["numpy"], folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
