#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tensors of every dtype and stride come back from an archive with their bits, as NumPy, torch and
bytes; the small floats without the library that wrote them, widened exactly, code by code."""

import ctypes
import math
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from raises import caught, fails  # noqa: E402
from snapstate import _dtypes, errors  # noqa: E402
from snapstate.archive import Archive  # noqa: E402
from tap import Tap  # noqa: E402
from write_tree import leaf_node, memory_of, write_nodes  # noqa: E402


def check_dtypes(tap, folder):
    memories, wanted = [], {}
    for dtype, element in _dtypes.ELEMENTS.items():
        data = bytes(index % 2 if dtype == "bool" else (index * 37 + 11) % 256
                     for index in range(6 * element.size))
        buffer = ctypes.create_string_buffer(data, len(data))
        # The elements once in C order, and once transposed and every second one.
        for name, shape, strides in [("plain", (2, 3), (3, 1)), ("turned", (3, 2), (1, 3)),
                                     ("flat", (6, 1, 1), (1, 1, 1)), ("gaps", (2, 2), (3, 1)),
                                     ("scalar", (), ())]:
            wanted[f"{dtype}.{name}"] = gathered(data, element.size, shape, strides)
            memories.append((f"{dtype}.{name}", memory_of(dtype, buffer, shape, strides)))
    path = folder / "dtypes.snap.tar"
    node = {"map": [[name, leaf_node(memory, index)]
                    for index, (name, memory) in enumerate(memories)]}
    write_nodes(path, {"all": (node, [memory for _, memory in memories])})
    archive = Archive(path)
    tap.empty((name for name, leaf in archive["all"].items() if leaf.bytes() != wanted[name]),
              "every dtype as bytes, in C order")
    tap.ok(len(archive.storages) == len(_dtypes.ELEMENTS), "five tensors share each storage")
    return archive, wanted


def gathered(data, size, shape, strides):
    out = [0]
    for count, stride in zip(shape, strides):
        out = [at + index * stride for at in out for index in range(count)]
    return b"".join(data[at * size:(at + 1) * size] for at in out)


def check_numpy_dtypes(tap, numpy, archive, wanted):
    found, without = [], []
    hidden = sys.modules.get("ml_dtypes")
    sys.modules["ml_dtypes"] = None  # as if it were not installed
    try:
        for name, leaf in archive["all"].items():
            array = caught(leaf.numpy)
            if isinstance(array, errors.UnsupportedError):
                without.append((name.split(".")[0], str(array)))
            elif array.tobytes() != wanted[name] or array.shape != leaf.shape or \
                    _dtypes.numpy_name(array.dtype) != leaf.dtype or not array.flags.writeable:
                found.append(f"{name}: {array!r}")
            elif leaf.size > 1 and tuple(step // array.itemsize for step in array.strides) != \
                    leaf.strides:
                found.append(f"{name}: strides {array.strides}")
            if leaf.dtype == "c128":
                continue
            raw = leaf.numpy(raw=True)
            if raw.tobytes() != wanted[name] or raw.dtype.kind != "u" or raw.shape != leaf.shape:
                found.append(f"{name}: raw {raw!r}")
    finally:
        del sys.modules["ml_dtypes"]
        if hidden is not None:
            sys.modules["ml_dtypes"] = hidden
    tap.empty(found, "every dtype of NumPy, and the bits of the others")
    tap.ok({dtype for dtype, _ in without} == {"bf16", "c32"} |
           {dtype for dtype in _dtypes.ELEMENTS if dtype.startswith("f8")} and
           all("raw=True" in text and "widen=True" in text for _, text in without),
           "what NumPy lacks is unsupported, and the text says how to read it", without)
    fails(tap, errors.UnsupportedError, "c128: NumPy has no unsigned integer of 16 bytes",
          "there are no bits of c128", archive["all"]["c128.plain"].numpy, raw=True)
    fails(tap, errors.InvalidError, "ask for one", "raw and widened at once",
          archive["all"]["bf16.plain"].numpy, raw=True, widen=True)
    value = archive.load("all", widen=True)
    tap.ok(value["bf16.turned"].dtype == numpy.float32 and value["c128.flat"].shape == (6, 1, 1) and
           same_array(value["bf16.turned"], archive["all"]["bf16.turned"].numpy(widen=True)),
           "a load that widens")
    fails(tap, errors.InvalidError, "widen is for", "which is NumPy's", archive.load, "all",
          "torch", widen=True)
    shared = archive.load("all/f32.plain"), archive.load("all", widen=True)
    shared[1]["f32.plain"][0, 1] = 5
    tap.ok(shared[1]["f32.turned"][1, 0] == 5 and shared[0][0, 1] != 5,
           "a load shares what was shared, and nothing with another load")


def same_array(left, right):
    return (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())


def small_float(code, exponent_bits, mantissa_bits, bias, kind):
    """The value of an 8-bit float, from its definition in words: docs of OCP FP8 and of the fnuz
    forms."""
    sign = -1.0 if code >> 7 else 1.0
    exponent = (code & 0x7F) >> mantissa_bits
    mantissa = code & ((1 << mantissa_bits) - 1)
    full = (1 << exponent_bits) - 1
    if kind == "fnuz" and code == 0x80 or kind == "fn" and code & 0x7F == 0x7F or \
            kind == "ieee" and exponent == full and mantissa:
        return math.nan
    if kind == "ieee" and exponent == full:
        return sign * math.inf
    if exponent == 0:
        return sign * math.ldexp(mantissa, 1 - bias - mantissa_bits)
    return sign * math.ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits)


FORMS = {"f8_e4m3fn": (4, 3, 7, "fn"), "f8_e5m2": (5, 2, 15, "ieee"),
         "f8_e4m3fnuz": (4, 3, 8, "fnuz"), "f8_e5m2fnuz": (5, 2, 16, "fnuz")}


def check_widening(tap, numpy, torch, folder):
    codes = {dtype: bytes(range(256)) for dtype in [*FORMS, "f8_e8m0fnu"]}
    codes["bf16"] = codes["f16"] = codes["c32"] = struct.pack("<65536H", *range(65536))
    buffers = {dtype: ctypes.create_string_buffer(data, len(data)) for dtype, data in codes.items()}
    memories = [memory_of(dtype, buffers[dtype], (len(data) // _dtypes.size_bytes(dtype),))
                for dtype, data in codes.items()]
    path = folder / "codes.snap.tar"
    write_nodes(path, {"codes": ({"map": [[memory.dtype, leaf_node(memory, index)]
                                          for index, memory in enumerate(memories)]}, memories)})
    with Archive(path) as archive:
        wide = {name: leaf.numpy(widen=True) for name, leaf in archive["codes"].items()}
    tap.ok({name: array.dtype.name for name, array in wide.items()} ==
           {**dict.fromkeys(codes, "float32"), "c32": "complex64"}, "what is widened to what")

    def equal(values, array):
        return all(struct.pack(">f", value) == struct.pack(">f", item) or
                   math.isnan(value) and math.isnan(item) for value, item in zip(values, array))
    for dtype, form in FORMS.items():
        tap.ok(equal([small_float(code, *form) for code in range(256)], wide[dtype].tolist()),
               f"{dtype}: every code has its value")
    tap.ok(equal([math.ldexp(1, code - 127) for code in range(255)] + [math.nan],
                 wide["f8_e8m0fnu"].tolist()), "f8_e8m0fnu: every code is a power of two")
    tap.ok(wide["bf16"].view(numpy.uint32).tolist() == [code << 16 for code in range(65536)],
           "bf16: every code is the upper half of its value")
    halves = numpy.arange(65536, dtype=numpy.uint16).view(numpy.float16)
    tap.ok(wide["f16"].tobytes() == halves.astype(numpy.float32).tobytes(),
           "f16: every code is NumPy's value")
    tap.ok(wide["c32"].view(numpy.float32).tobytes() == halves.astype(numpy.float32).tobytes(),
           "c32: both halves are")
    for dtype in ("bf16", "f8_e4m3fn", "f8_e5m2"):
        torch_dtype = getattr(torch, _dtypes.ELEMENTS[dtype].torch, None)
        if torch_dtype is None:  # an old torch; a new one has them all
            continue
        raw = torch.from_numpy(numpy.frombuffer(bytearray(codes[dtype]), numpy.uint8))
        tap.ok(raw.view(torch_dtype).float().numpy().tobytes() == wide[dtype].tobytes(),
               f"{dtype}: every code has torch's bits")


def check_torch_dtypes(tap, torch, archive, wanted):
    found = []
    loaded = {}
    for name, leaf in archive["all"].items():
        tensor = caught(leaf.torch)
        if not hasattr(torch, _dtypes.ELEMENTS[leaf.dtype].torch):
            if not isinstance(tensor, errors.UnsupportedError) or \
                    torch.__version__ not in str(tensor):
                found.append(f"{name}: {tensor!r}")
            continue
        loaded[name] = archive.load(f"all/{name}", "torch")
        for one in (tensor, loaded[name]):
            if _dtypes.torch_names(torch).get(one.dtype) != leaf.dtype or \
                    tuple(one.shape) != leaf.shape or one.stride() != leaf.strides or \
                    bytes_of(torch, one) != wanted[name]:
                found.append(f"{name}: {one!r} {one.stride()}")
    tap.empty(found, "every dtype of this torch; others are unsupported")


def bytes_of(torch, tensor):
    """The elements in C order, by way of a contiguous copy and its storage."""
    copy = torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach())
    return ctypes.string_at(copy.data_ptr(), copy.numel() * copy.element_size())


def check_alone(tap, folder):
    """Neither torch nor NumPy is imported to open, list and read bytes."""
    code = ("import sys\nfrom snapstate.archive import Archive\n"
            "with Archive(sys.argv[1]) as archive:\n"
            "    archive.check()\n"
            "    names = [member.name for member in archive.members]\n"
            "    data = [leaf.bytes() for leaf in archive['all'].values()]\n"
            "print(len(data), sorted({'torch', 'numpy'} & set(sys.modules)))\n")
    done = subprocess.run([sys.executable, "-c", code, folder / "dtypes.snap.tar"], check=True,
                          env={**os.environ, "PYTHONPATH": str(TOP / "python")},
                          stdout=subprocess.PIPE, text=True)
    tap.ok(done.stdout == f"{5 * len(_dtypes.ELEMENTS)} []\n",
           "opening, listing and bytes import neither torch nor NumPy", done.stdout)


def main():
    tap = Tap()
    modules = {}
    with tempfile.TemporaryDirectory(prefix="snap-test.") as folder:
        folder = Path(folder)
        archive, wanted = check_dtypes(tap, folder)
        check_alone(tap, folder)
        for name in ("numpy", "torch"):
            try:
                modules[name] = __import__(name)
            except ImportError as problem:
                tap.skip(name, f"python3-{name} is not installed: {problem}")
        if "numpy" in modules:
            check_numpy_dtypes(tap, modules["numpy"], archive, wanted)
        if "torch" in modules:
            check_torch_dtypes(tap, modules["torch"], archive, wanted)
        if len(modules) == 2:
            check_widening(tap, modules["numpy"], modules["torch"], folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
