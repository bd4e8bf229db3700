#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""States go round: library -> its own file -> snap import -> archive -> snap export -> file ->
library, and the library hands out the same state and draws the same; with caches that are stale,
blocks that are used up, every pickle protocol, the spelling of NumPy 1 and 2, torch's files of both
forms, and states of both sizes. The files of the trainers are written here as their sources write
them (named at each)."""

import argparse
import collections
import io
import json
import os
import pickle
import random
import struct
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("top_builddir", TOP))
sys.path.insert(0, str(TOP / "tests" / "support"))

from tap import Tap  # noqa: E402

SNAP = os.environ.get("SNAP", str(BUILD / "snap"))
PROTOCOLS = range(6)


class Folder:
    """Files, and the archives that are made of them."""

    def __init__(self, path):
        self.path = Path(path)

    def snap(self, *words):
        done = subprocess.run([SNAP, *map(str, words)], cwd=self.path, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"snap {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    def take(self, *names, more=()):
        """Import; what was found, as --json says it."""
        archive = self.path / "taken.snap.tar"
        archive.unlink(missing_ok=True)
        return json.loads(self.snap("import", *names, "-o", archive, *more, "--json"))["result"]

    def give(self, form, *words):
        """Export; the bytes of the file."""
        self.snap("export", "taken.snap.tar", "--to", form, "-o", "given", *words)
        return (self.path / "given").read_bytes()

    def write(self, name, data):
        (self.path / name).write_bytes(data)
        return name


def names(found):
    return [stream["name"] for stream in found["streams"]]


def kinds(found):
    return {stream["name"]: stream["kind"] for stream in found["streams"]}


# ---- Python ----

def python_states():
    for label, draws, gauss in [("fresh", 0, 0), ("in a block", 10, 0), ("a cached normal", 10, 1),
                                ("a used-up block", 312, 0), ("two normals", 0, 2)]:
        made = random.Random(42)
        for _ in range(draws):
            made.random()
        for _ in range(gauss):
            made.gauss(0, 1)
        yield label, made


def check_python(tap, folder):
    for label, made in python_states():
        state, wrong = made.getstate(), []
        for protocol in PROTOCOLS:
            folder.take(folder.write("state.pkl", pickle.dumps(state, protocol)))
            again = random.Random()
            again.setstate(pickle.loads(folder.give("pickle", "--stream", "python")))
            if again.getstate() != state or again.gauss(0, 1) != random_copy(made).gauss(0, 1):
                wrong.append(f"protocol {protocol}")
        tap.empty(wrong, f"Python's random, {label}: the same in every protocol")
    found = folder.take(folder.write("state.json", json.dumps(made.getstate()).encode()))
    tap.ok(names(found) == ["python"] and
           pickle.loads(folder.give("pickle", "--stream", "python")) == made.getstate(),
           "Python's random, as JSON", found)


def random_copy(made):
    copy = random.Random()
    copy.setstate(made.getstate())
    return copy


# ---- NumPy ----

def spelled_as_numpy_2(data):
    """The pickle as NumPy 2 would have written it."""
    out = data.replace(b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n")
    for module in (b"numpy.core.multiarray", b"numpy.core.numeric"):
        other = module.replace(b"core", b"_core")
        out = out.replace(bytes([0x8c, len(module)]) + module, bytes([0x8c, len(other)]) + other)
    return out


def unframed(data):
    """Without the frames of protocol 4, whose sizes the other spelling changes."""
    place = data.find(b"\x95")
    while place >= 0 and place < 3:
        data = data[:place] + data[place + 9:]
        place = data.find(b"\x95")
    return data


def legacy_states(numpy):
    for label, draws, normals in [("fresh", 0, 0), ("in a block", 5, 0), ("a cached normal", 5, 1),
                                  ("a used-up block", 312, 0), ("a stale normal", 0, 2)]:
        made = numpy.random.RandomState(42)
        made.random_sample(draws)
        for _ in range(normals):
            made.randn()
        yield label, made
    made = numpy.random.RandomState(1)
    made.set_state(("MT19937", made.get_state()[1], 0, 0, 1.25))
    yield "position 0, and a value that nobody uses", made


def same_legacy(a, b):
    return a[0] == b[0] and (a[1] == b[1]).all() and a[1].dtype == b[1].dtype and \
        tuple(a[2:4]) == tuple(b[2:4]) and struct.pack("d", a[4]) == struct.pack("d", b[4])


def check_numpy_legacy(tap, folder, numpy):
    for label, made in legacy_states(numpy):
        state, wrong = made.get_state(), []
        for protocol in PROTOCOLS:
            plain = pickle.dumps(state, protocol)
            for spelling, data in (("1", plain), ("2", spelled_as_numpy_2(unframed(plain)))):
                folder.take(folder.write("state.pkl", data))
                again = numpy.random.RandomState()
                again.set_state(pickle.loads(folder.give("numpy-pickle", "--stream", "numpy")))
                if not same_legacy(again.get_state(), state) or again.randn() != copy_of(
                        numpy, made).randn():
                    wrong.append(f"protocol {protocol}, NumPy {spelling}")
        tap.empty(wrong, f"NumPy's RandomState, {label}: the same in every protocol and spelling")
        folder.take(folder.write("state.pkl", pickle.dumps(made.get_state(legacy=False), 4)))
        written = folder.give("numpy-pickle", "--stream", "numpy", "--numpy", "1")
        tap.ok(same_legacy(pickle.loads(written), state) and b"numpy.core" in written,
               f"NumPy's RandomState, {label}: from a dict, to NumPy 1's own form")


def copy_of(numpy, made):
    copy = numpy.random.RandomState()
    copy.set_state(made.get_state())
    return copy


def check_numpy_generators(tap, folder, numpy):
    engines = ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"]
    for engine in engines:
        made = numpy.random.Generator(getattr(numpy.random, engine)(7))
        made.random(3)
        made.integers(0, 5, dtype=numpy.int32)  # leaves half a word
        wrong = []
        for protocol in PROTOCOLS:
            plain = pickle.dumps({"sampler": made}, protocol)
            for data in (plain, spelled_as_numpy_2(unframed(plain))):
                found = folder.take(folder.write("loader.pkl", data))
                state = pickle.loads(folder.give("pickle", "--stream", "loader_sampler"))
                again = getattr(numpy.random, engine)()
                again.state = state
                expected = pickle.loads(plain)["sampler"]
                if numpy.random.Generator(again).integers(0, 2**31, 9, dtype=numpy.int32).tolist() \
                        != expected.integers(0, 2**31, 9, dtype=numpy.int32).tolist():
                    wrong.append(f"protocol {protocol}: {found}")
        tap.empty(wrong, f"NumPy's Generator over {engine}, inside a dict: the same draws")
    made = {"x" * 70: [numpy.random.default_rng(seed) for seed in (1, 2)],
            "a b": numpy.random.default_rng(3), "a_b": numpy.random.default_rng(4)}
    made["again"] = [made["a b"]] * 9  # one object is one stream
    found = folder.take("s=" + folder.write("loader.pkl", pickle.dumps(made, 4)))
    given = [pickle.loads(folder.give("pickle", "--stream", name)) for name in names(found)]
    tap.ok(given == [each.bit_generator.state for each in (*made["x" * 70], made["a b"],
                                                           made["a_b"])] and
           names(found)[1:] == ["s_" + "x" * 60 + "_2", "s_a_b", "s_a_b_2"],
           "Generators whose places are one name: each is kept", found)
    state = numpy.random.PCG64(3).state
    found = folder.take(folder.write("rng.json", json.dumps(state).encode()))
    tap.ok(kinds(found) == {"numpy_pcg64": "numpy_pcg64"} and
           pickle.loads(folder.give("pickle", "--stream", "numpy_pcg64")) == state,
           "the state of a Generator as JSON, with integers of 128 bits", found)
    folder.take(folder.write("rs.pkl", pickle.dumps(numpy.random.RandomState(9), 4)))
    tap.ok(same_legacy(pickle.loads(folder.give("pickle", "--stream", "rs")),
                       numpy.random.RandomState(9).get_state()), "a RandomState object")


def check_arrays(tap, folder, numpy):
    values = {"c": numpy.arange(6.0).reshape(2, 3), "f": numpy.arange(6.0).reshape(2, 3).T,
              "big": numpy.arange(3, dtype=">c16"), "none": numpy.zeros((0, 3), "u1"),
              "one": numpy.array(2.5, "f2"), "flags": numpy.array([True, False])}
    for form, write in (("npz", numpy.savez), ("npz", numpy.savez_compressed)):
        out = io.BytesIO()
        write(out, **values)
        found = folder.take(folder.write("arrays.npz", out.getvalue()))
        folder.give(form, "--tensors", "arrays")
        again = numpy.load(folder.path / "given")
        tap.ok(found["roots"] == [{"bytes": again_bytes(values), "name": "arrays", "tensors": 6}]
               and all(equal_arrays(numpy, again[key], value) for key, value in values.items()),
               f"{write.__name__}: the same arrays, little-endian", found)
    wrong = []
    for key, value in values.items():
        out = io.BytesIO()
        numpy.save(out, value)
        folder.take(folder.write("x.npy", out.getvalue()))
        folder.give("npy", "--tensors", "x")
        if not equal_arrays(numpy, numpy.load(folder.path / "given"), value):
            wrong.append(key)
    tap.empty(wrong, "numpy.save: the same array")
    for protocol in PROTOCOLS:
        folder.take(folder.write("v.pkl", pickle.dumps({"a": values, "s": numpy.float32(1.5)},
                                                       protocol)))
        folder.give("npz", "--tensors", "v")
        again = numpy.load(folder.path / "given")
        tap.ok(all(equal_arrays(numpy, again["a." + key], value) for key, value in values.items()),
               f"arrays in a pickle of protocol {protocol}", list(again))


def check_python_2(tap, folder, numpy):
    """Arrays as NumPy under Python 2 pickled them: their bytes are a str."""
    head = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R(K\x01"
    dtype = b"cnumpy\ndtype\nU\x02i2K\0K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xff" \
            b"J\xff\xff\xff\xffK\0tb"
    for what, raw in (("ASCII", b"\1\0\x7f\0"), ("any", b"\xff\xff\0\x80")):
        data = b"\x80\x02" + head + b"K\x02\x85" + dtype + b"\x89U\x04" + raw + b"tb."
        folder.take("a=" + folder.write("a.pkl", data))
        folder.give("npy", "--tensors", "a")
        tap.ok(equal_arrays(numpy, numpy.load(folder.path / "given"),
                            pickle.loads(data, encoding="latin1")),
               f"an array of Python 2, of {what} bytes")


def again_bytes(values):
    return sum(value.nbytes for value in values.values())


def equal_arrays(numpy, a, b):
    native = b.dtype.newbyteorder("=")
    return a.shape == b.shape and a.dtype == native and \
        numpy.ascontiguousarray(a).tobytes() == numpy.ascontiguousarray(b.astype(native)).tobytes()


# ---- torch ----

def torch_bytes(torch, value, old=False):
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=not old)
    return out.getvalue()


def torch_load(torch, data):
    return torch.load(io.BytesIO(data), weights_only=False)


def torch_states(torch):
    for label, draw in [("fresh", lambda g: None),
                        ("in a block", lambda g: torch.rand(10, generator=g)),
                        ("a used-up block", lambda g: torch.rand(624, generator=g)),
                        ("a cached normal", lambda g: torch.randn(3, generator=g)),
                        ("a seed past 32 bits", lambda g: g.manual_seed(2**40 + 5))]:
        made = torch.Generator()
        made.manual_seed(42)
        draw(made)
        yield label, made


def check_torch_streams(tap, folder, torch):
    for label, made in torch_states(torch):
        state, wrong = made.get_state(), []
        for old in (False, True):
            found = folder.take(folder.write("state.pt", torch_bytes(torch, state, old)))
            again = torch.Generator()
            again.set_state(torch_load(torch, folder.give("torch", "--stream", "torch")))
            copy = torch.Generator()
            copy.set_state(state)
            if not torch.equal(again.get_state(), state) or not torch.equal(
                    torch.randn(7, generator=again), torch.randn(7, generator=copy)):
                wrong.append(f"{found}")
        tap.empty(wrong, f"torch's CPU generator, {label}: the same from both forms of file")
    state = made.get_state()
    folder.take(folder.write("old.pt", torch_bytes(torch, state[:5048].clone())))
    tap.ok(torch.equal(torch_load(torch, folder.give("torch", "--stream", "torch")), state),
           "the 5048 bytes of old torch become the 5056 of now")
    new = struct.pack("<Qq", 77, 40)
    for what, data in (("816", b"\xff" * 800 + new), ("16", new)):
        tensor = torch.tensor(list(data), dtype=torch.uint8)
        found = folder.take(folder.write("cuda.pt", torch_bytes(torch, tensor)),
                            more=("--as", "torch_cuda"))
        given = torch_load(torch, folder.give("torch", "--stream", "torch_cuda.0"))
        tap.ok(bytes(given.tolist()) == new and kinds(found) == {"torch_cuda.0": "torch_cuda"},
               f"the {what} bytes of torch's CUDA generator come out as 16", found, given)
    folder.give("npy", "--stream", "torch_cuda.0")
    tap.ok((folder.path / "given").read_bytes().endswith(new), "and as .npy")


def check_tensors(tap, folder, torch):
    base = torch.arange(12.0)
    value = {
        "base": base, "view": base[3:7], "turned": base.view(3, 4).t(), "again": base,
        "own": torch.ones(2, 2), "none": torch.zeros(0, 3), "scalar": torch.tensor(2.5),
        "grad": torch.nn.Parameter(torch.ones(3)), "bool": torch.tensor([True, False]),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "complex": torch.ones(2, dtype=torch.complex64),
        "plain": [1, 2.5, "a", None, True, b"\x00\xff", (1, (2,)), {3}, frozenset([4]), 2**70,
                  1 + 2j],
        "odd": {1: "a", (1, 2): "b", None: "c"}, "counter": collections.Counter("aab"),
        "size": torch.Size([2, 3]), "device": torch.device("cpu"), "dtype": torch.float16,
        "text": "lone \ud800 and \0", "slots": bytearray(b"xy"),
    }
    for old in (False, True):
        form = "the old form" if old else "the zip form"
        found = folder.take(folder.write("value.pt", torch_bytes(torch, value, old)))
        again = torch_load(torch, folder.give("torch", "--tensors", "value"))
        tap.empty(differences(torch, value, again), f"torch.save, {form}: every value is the same")
        pointers = {key: again[key].storage().data_ptr()
                    for key in ("base", "view", "turned", "own")}
        tap.ok(len(set(list(pointers.values())[:3])) == 1 and
               pointers["own"] != pointers["base"], f"{form}: what shared memory still does",
               pointers)
        tap.ok(found["not_captured"] == [], f"{form}: nothing was left out", found)


class Rebuilt:
    """Pickled as torch 2.5 and later pickle a tensor with attributes and flags."""

    def __init__(self, torch, attributes, metadata):
        arguments = (torch.ones(2).storage(), 0, (2,), (1,), False, collections.OrderedDict())
        self.made = (torch._tensor._rebuild_from_type_v2,
                     (torch._utils._rebuild_tensor_v2, torch.Tensor,
                      arguments + ((metadata,) if metadata else ()), attributes))

    def __reduce__(self):
        return self.made


def check_left_out_tensors(tap, folder, torch):
    """A tensor that cannot be kept is told by its path, once; a Buffer's attributes are no more
    than its module's."""
    value = {"buffer": Rebuilt(torch, {"persistent": True, "_is_buffer": True}, {}),
             "own": Rebuilt(torch, {"persistent": True, "colour": "red"}, {}),
             "conjugate": Rebuilt(torch, {}, {"conj": True})}
    found = folder.take(folder.write("value.pt", torch_bytes(torch, value)))
    reasons = {gap["name"]: gap["reason"] for gap in found["not_captured"]}
    tap.ok(found["roots"][0]["tensors"] == 1 and
           reasons.get("value/own") == "a tensor with attributes of its own" and
           reasons.get("value/conjugate", "").startswith("a tensor with metadata"),
           "tensors with attributes: a Buffer is taken, others are told", found)


def differences(torch, a, b, path=""):
    if isinstance(a, torch.Tensor):
        if a.dtype != b.dtype or a.shape != b.shape or a.stride() != b.stride() or \
                a.requires_grad != b.requires_grad or not torch.equal(a, b):
            yield path
    elif isinstance(a, dict):
        if list(a) != list(b) or type(a) is not type(b):
            yield f"{path}: {a} {b}"
        else:
            for key in a:
                yield from differences(torch, a[key], b[key], f"{path}.{key}")
    elif isinstance(a, (list, tuple)):
        if type(a) is not type(b) or len(a) != len(b):
            yield f"{path}: {a} {b}"
        else:
            for index, (x, y) in enumerate(zip(a, b)):
                yield from differences(torch, x, y, f"{path}[{index}]")
    elif type(a) is not type(b) or a != b:
        yield f"{path}: {a!r} {b!r}"


# ---- trainers ----

def cuda_state(torch, seed, old=False):
    data = (b"\xff" * 800 if old else b"") + struct.pack("<Qq", seed, 4 * seed)
    return torch.tensor(list(data), dtype=torch.uint8)


def states(numpy, torch, seed):
    """What each library hands out."""
    random.seed(seed)
    random.gauss(0, 1)
    numpy.random.seed(seed)
    numpy.random.randn()
    torch.manual_seed(seed)
    torch.randn(1)
    return random.getstate(), numpy.random.get_state(), torch.get_rng_state()


def check_accelerate(tap, folder, numpy, torch):
    """accelerate/checkpointing.py, save_accelerator_state: random_states_{process_index}.pkl."""
    ranks = []
    for rank in range(2):
        python, legacy, cpu = states(numpy, torch, rank + 1)
        ranks.append({"step": 17, "random_state": python, "numpy_random_seed": legacy,
                      "torch_manual_seed": cpu,
                      "torch_cuda_manual_seed": [cuda_state(torch, 5 + rank, old=True),
                                                 cuda_state(torch, 9 + rank)],
                      "xm_seed": torch.tensor(123), "torch_xpu_manual_seed": [cpu]})
        folder.write(f"random_states_{rank}.pkl", torch_bytes(torch, ranks[rank], old=rank == 1))
    found = folder.take("random_states_0.pkl")
    tap.ok(names(found) == ["python", "numpy", "torch", "torch_cuda.0", "torch_cuda.1"] and
           found["step"] == 17 and found["files"][0]["layout"] == "accelerate",
           "Accelerate: every stream of a rank, and the step", found)
    missing = {gap["name"]: gap["reason"] for gap in found["not_captured"]}
    tap.ok("XLA" in missing.get("random_states_0.pkl: xm_seed", "") and
           "xpu" in missing.get("random_states_0.pkl: torch_xpu_manual_seed", ""),
           "Accelerate: what there is no stream for is named", found["not_captured"])
    tap.ok("xm_seed" in folder.snap("show", "taken.snap.tar"),
           "and stands in the coverage statement")
    again = torch_load(torch, folder.give("accelerate"))
    tap.ok(set(again) == {"step", "random_state", "numpy_random_seed", "torch_manual_seed",
                          "torch_cuda_manual_seed"} and
           again["random_state"] == ranks[0]["random_state"] and
           same_legacy(again["numpy_random_seed"], ranks[0]["numpy_random_seed"]) and
           torch.equal(again["torch_manual_seed"], ranks[0]["torch_manual_seed"]) and
           torch.equal(again["torch_cuda_manual_seed"][0], cuda_state(torch, 5)) and
           torch.equal(again["torch_cuda_manual_seed"][1], cuda_state(torch, 9)),
           "Accelerate: its own file again", again)
    found = folder.take("random_states_0.pkl", "random_states_1.pkl")
    tap.ok(names(found)[0] == "shard-000/python" and names(found)[5] == "shard-001/python",
           "Accelerate: two ranks are two shards", found)
    again = torch_load(torch, folder.give("accelerate", "--shard", "1"))
    tap.ok(again["random_state"] == ranks[1]["random_state"], "and each can be taken out")


def check_hf_trainer(tap, folder, numpy, torch):
    """transformers/trainer.py, _save_rng_state: rng_state.pth."""
    python, legacy, cpu = states(numpy, torch, 3)
    for label, cuda in (("one device", cuda_state(torch, 8)),
                        ("all devices", [cuda_state(torch, 8), cuda_state(torch, 9)])):
        value = {"python": python, "numpy": legacy, "cpu": cpu, "cuda": cuda}
        found = folder.take(folder.write("rng_state.pth", torch_bytes(torch, value)))
        again = torch_load(torch, folder.give("hf-trainer"))
        tap.ok(found["files"][0]["layout"] == "hf-trainer" and list(again) == list(value) and
               again["python"] == python and same_legacy(again["numpy"], legacy) and
               torch.equal(again["cpu"], cpu) and
               all(torch.equal(a, b) for a, b in zip(again["cuda"], cuda)),
               f"HF Trainer, {label}: its own file again", found)


def give_states(folder, torch, form):
    """Export all random states: the file's dict, and what was left out."""
    said = json.loads(folder.snap("export", "taken.snap.tar", "--to", form, "-o", "given",
                                  "--json"))["result"]["left_out"]
    return torch_load(torch, (folder.path / "given").read_bytes()), said


def check_left_out(tap, folder, numpy, torch):
    """What a form has no place for is told: a device behind a gap, a second stream of a kind."""
    devices = {index: cuda_state(torch, 40 + index) for index in (0, 1, 3)}
    for missing in (2, 1, 0):
        files = [f"torch_cuda.{index}=" + folder.write(f"{index}.bin", bytes(state.tolist()))
                 for index, state in devices.items() if index != missing]
        folder.take(*files, more=("--as", "torch_cuda"))
        if missing == 0:
            done = subprocess.run([SNAP, "export", "taken.snap.tar", "--to", "hf-trainer", "-o",
                                   "x"], cwd=folder.path, stderr=subprocess.PIPE, text=True)
            tap.ok("no state of that form" in done.stderr and not (folder.path / "x").exists(),
                   "without device 0 there is nothing to write", done)
            continue
        for form, key in (("accelerate", "torch_cuda_manual_seed"), ("hf-trainer", "cuda")):
            again, said = give_states(folder, torch, form)
            found = again[key] if isinstance(again[key], list) else [again[key]]
            tap.ok(len(found) == missing and
                   all(torch.equal(state, devices[i]) for i, state in enumerate(found)) and
                   any(line.startswith("torch_cuda.3: the form has the devices from 0 on")
                       for line in said),
                   f"{form}: the devices before {missing}, and the others are told", found, said)
    python, legacy, cpu = states(numpy, torch, 4)
    folder.write("rng_state.pth", torch_bytes(torch, {"python": python, "numpy": legacy,
                                                      "cpu": cpu}))
    folder.take("rng_state.pth", "augment=" + folder.write("augment.pkl", pickle.dumps(python)))
    for form in ("accelerate", "hf-trainer"):
        said = give_states(folder, torch, form)[1]
        tap.ok("augment: the form has no key for it" in said,
               f"{form}: a second stream of a kind is told", said)


def check_two_files(tap, folder, numpy, torch):
    """Two files of one layout: what they share in names stands behind the names given."""
    value = {"model": {"w": torch.ones(2)}, "rng_state": [{
        "random_rng_state": states(numpy, torch, 7)[0], "np_rng_state": states(numpy, torch, 7)[1],
        "torch_rng_state": states(numpy, torch, 7)[2], "cuda_rng_state": cuda_state(torch, 7)}]}
    own = ["python", "numpy", "torch", "torch_cuda.0"]
    folder.write("one.pt", torch_bytes(torch, value))
    found = folder.take("one.pt", "b=one.pt")
    tap.ok([root["name"] for root in found["roots"]] == ["model", "b.model"] and
           names(found) == own + ["b." + name for name in own],
           "two checkpoints: parts and streams of the second", found)
    rng = {"python": value["rng_state"][0]["random_rng_state"],
           "numpy": value["rng_state"][0]["np_rng_state"],
           "cpu": value["rng_state"][0]["torch_rng_state"], "cuda": [cuda_state(torch, 7)]}
    folder.write("rng.pth", torch_bytes(torch, rng))
    found = folder.take("rng.pth", "b=rng.pth")
    tap.ok(names(found) == own + ["b." + name for name in own],
           "two files of random states: the devices' too", found)
    composer = {"state": {"model": {}, "rest": 1}, "rng": value["rng_state"], "more": 2}
    folder.write("ba1.pt", torch_bytes(torch, composer))
    found = folder.take("ba1.pt", "b=ba1.pt")
    tap.ok([root["name"] for root in found["roots"]] ==
           ["model", "ba1", "composer", "b.model", "b", "b.composer"] and
           len(names(found)) == 8, "two of Composer's", found)
    for cuda in ("cuda:0", 5):
        folder.write("rng.pth", torch_bytes(torch, {**rng, "cuda": cuda}))
        gaps = folder.take("rng.pth")["not_captured"]
        tap.ok([gap["name"] for gap in gaps] == ["rng.pth: torch_cuda.0"],
               f"a CUDA state that is {cuda!r} is told", gaps)
    folder.write("rng.pth", torch_bytes(torch, {**rng, "cuda": None}))
    found = folder.take("rng.pth")
    tap.ok(names(found) == own[:3] and found["not_captured"] == [], "and None is none", found)


def check_lists(tap, folder, numpy, torch):
    """composer/utils/reproducibility.py, get_rng_state, in a checkpoint; and
    megatron/training/checkpointing.py, get_rng_state."""
    ranks = [states(numpy, torch, seed) for seed in (4, 5)]
    weights = {"fc.weight": torch.ones(2, 2)}
    composer = {"state": {"model": weights, "optimizers": {"Adam": {"state": {}}},
                          "timestamp": {"Timestamp": {"epoch": 1, "batch": 9}}},
                "rng": [{"python": p, "numpy": n, "torch": c,
                         "cuda": cuda_state(torch, 6, old=True)}
                        for p, n, c in ranks]}
    found = folder.take(folder.write("ba9.pt", torch_bytes(torch, composer)))
    tap.ok(names(found) == [f"shard-00{rank}/{name}" for rank in (0, 1)
                            for name in ("python", "numpy", "torch", "torch_cuda.0")] and
           found["step"] == 9 and [root["name"] for root in found["roots"]][:2] ==
           ["model", "optimizer"], "Composer: the list of ranks, weights and the step", found)
    given = pickle.loads(folder.give("pickle", "--stream", "shard-001/python"))
    tap.ok(given == ranks[1][0], "Composer: each rank has its own")
    megatron = {"args": argparse.Namespace(lr=0.1, layers=[1], params_dtype=torch.bfloat16),
                "checkpoint_version": 3.0, "iteration": 11, "model": weights,
                "rng_state": [{"random_rng_state": ranks[0][0], "np_rng_state": ranks[0][1],
                               "torch_rng_state": ranks[0][2],
                               "cuda_rng_state": cuda_state(torch, 7),
                               "rng_tracker_states": {
                                   "model-parallel-rng": cuda_state(torch, 8, old=True)}}]}
    found = folder.take(folder.write("model_optim_rng.pt", torch_bytes(torch, megatron)))
    tap.ok(names(found) == ["python", "numpy", "torch", "torch_cuda.0",
                            "torch_cuda.model-parallel-rng"] and found["step"] == 11,
           "Megatron: the streams of its tracker too", found)
    args = torch_load(torch, folder.give("torch", "--tensors", "model_optim_rng"))["args"]
    tap.ok(args == {"lr": 0.1, "layers": [1], "params_dtype": torch.bfloat16},
           "Megatron: its arguments are data", args)


def check_lightning(tap, folder, numpy, torch):
    """lightning's checkpoint_connector.py, dump_checkpoint; and fabric/utilities/seed.py,
    _collect_rng_states, as a user keeps it."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    python, legacy, cpu = states(numpy, torch, 6)
    value = {"epoch": 3, "global_step": 40, "pytorch-lightning_version": "2.6.6",
             "state_dict": model.state_dict(), "loops": {"fit_loop": {"state_dict": {}}},
             "callbacks": {}, "optimizer_states": [optimizer.state_dict()],
             "lr_schedulers": [{"milestones": collections.Counter([30])}],
             "rng_states": {"python": python, "numpy": legacy, "torch": cpu,
                            "torch.cuda": [cuda_state(torch, 5)]}}
    found = folder.take(folder.write("epoch=3-step=40.ckpt", torch_bytes(torch, value)))
    tap.ok(found["step"] == 40 and found["files"][0]["layout"] == "lightning" and
           [root["name"] for root in found["roots"]] == ["model", "optimizer", "scheduler",
                                                         "checkpoint"] and
           names(found) == ["python", "numpy", "torch", "torch_cuda.0"],
           "Lightning: a checkpoint's parts, streams and step", found)
    again = torch_load(torch, folder.give("torch", "--tensors", "model"))
    other = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    other.load_state_dict(again)
    tap.empty(differences(torch, dict(model.state_dict()), dict(other.state_dict())),
              "Lightning: the weights load into the module")
    again = torch_load(torch, folder.give("torch", "--tensors", "optimizer"))
    optimizer.load_state_dict(again[0])
    tap.empty(differences(torch, value["optimizer_states"], again), "and the optimizer's state")


def main():
    tap = Tap()
    warnings.simplefilter("ignore")  # torch and NumPy speak of versions to come
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(name)
        check_python(tap, folder)
        try:
            import numpy
        except ImportError as problem:
            tap.skip("NumPy", f"python3-numpy is not installed: {problem}")
            return tap.done()
        check_numpy_legacy(tap, folder, numpy)
        check_numpy_generators(tap, folder, numpy)
        check_arrays(tap, folder, numpy)
        check_python_2(tap, folder, numpy)
        try:
            import torch
        except ImportError as problem:
            tap.skip("torch", f"python3-torch is not installed: {problem}")
            return tap.done()
        check_torch_streams(tap, folder, torch)
        check_tensors(tap, folder, torch)
        check_left_out_tensors(tap, folder, torch)
        for check in (check_accelerate, check_hf_trainer, check_left_out, check_two_files,
                      check_lists, check_lightning):
            check(tap, folder, numpy, torch)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
