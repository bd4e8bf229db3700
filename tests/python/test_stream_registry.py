#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The streams of a process as a set: which there are, registering and seeding them, finding those
that nobody registered, telling how far one moved; and their callbacks in a run of the library."""

import ctypes
import functools
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from snapstate import errors  # noqa: E402
from snapstate._library import call, library  # noqa: E402
from snapstate._structs import Status, Tier, snap_error, snap_run_options  # noqa: E402
from snapstate._structs import snap_step_record  # noqa: E402
from snapstate.seed import derive_seed, seed_all  # noqa: E402
from snapstate.generators import distance, find_generators, register, streams  # noqa: E402
from snapstate.generators import unregister  # noqa: E402
from snapstate.generators.python_streams import PythonStream  # noqa: E402
from tap import Tap  # noqa: E402

try:
    import numpy
except ImportError as problem:
    numpy, NO_NUMPY = None, f"python3-numpy is not installed: {problem}"
try:
    import torch
except ImportError as problem:
    torch, NO_TORCH = None, f"python3-torch is not installed: {problem}"


def caught(call_it):
    try:
        call_it()
    except Exception as problem:  # pylint: disable=broad-except
        return problem
    return None


# ---- registering ----

def generators():
    """One of each kind that can be registered, all of one seed."""
    made = {"dice": random.Random(5)}
    if numpy is not None:
        made["legacy"] = numpy.random.RandomState(5)
        made["augment"] = numpy.random.default_rng(5)
        made["twister"] = numpy.random.Generator(numpy.random.MT19937(5))
    if torch is not None:
        made["sampler"] = torch.Generator().manual_seed(5)
    return made


def draw(generator):
    if isinstance(generator, random.Random):
        return generator.random()
    if torch is not None and isinstance(generator, torch.Generator):
        return torch.rand(3, generator=generator).tolist()
    return generator.bytes(40)


def check_registry(tap):
    made = generators()
    before = list(streams())
    for name, generator in made.items():
        stream = register(name, generator)
        tap.ok(streams()[name] is stream and stream.generator is generator
               and repr(stream).startswith(f"<snapstate stream {name}: {stream.kind}, a "),
               f"registered: {stream!r}")
    tap.ok(list(streams()) == before + list(made), "in order, after the global ones")
    for name, generator, text in (
            ("dice", random.Random(1), "the name is taken"), ("again", made["dice"],
                                                              "is the stream dice already"),
            ("python", random.Random(1), "that of a global generator"),
            ("torch_cuda.0", random.Random(1), "that of a global generator"),
            ("a/b", random.Random(1), "not legal"), ("", random.Random(1), "not legal"),
            ("x" * 97, random.Random(1), "not legal"), ("Shard-007", random.Random(1), "not legal"),
            ("\u212a", random.Random(1), "not legal"), ("global", random, "the stream python"),
            ("inner", random._inst, "the stream python"), ("text", "abc", "str is none of")):
        found = caught(lambda name=name, generator=generator: register(name, generator))
        tap.ok(isinstance(found, errors.InvalidError) and text in str(found),
               f"register refuses: {name[:12]!r}, {text}", repr(found))
    others = []
    if numpy is not None:
        others += [(numpy.random.mtrand._rand, "numpy"), (made["augment"], "augment"),
                   (numpy.random.Generator(made["augment"].bit_generator), "augment"),
                   (numpy.random.Generator(numpy.random.mtrand._rand._bit_generator), "numpy")]
    if torch is not None:
        others += [(torch.default_generator, "torch"), (made["sampler"], "sampler")]
    for generator, name in others:
        found = caught(lambda generator=generator: register("twice", generator))
        tap.ok(isinstance(found, errors.InvalidError) and f"stream {name} already" in str(found),
               f"one generator is one stream: {name}", repr(found))
    state = {name: streams()[name].get() for name in made}
    first = {name: draw(generator) for name, generator in made.items()}
    for name in made:
        streams()[name].set(state[name])
    tap.ok({name: draw(generator) for name, generator in made.items()} == first,
           "they are read and set like the global ones")
    for name in made:
        unregister(name)
    tap.ok(list(streams()) == before, "unregistered")
    tap.ok(isinstance(caught(lambda: unregister("dice")), errors.NotFoundError),
           "what is not registered cannot be unregistered")


# ---- seeding ----

def check_seed_all(tap):
    made = generators()
    for name, generator in made.items():
        register(name, generator)

    def draws():
        found = {name: draw(generator) for name, generator in made.items()}
        found["python"] = random.random()
        if numpy is not None:
            found["numpy"] = numpy.random.bytes(8)
        if torch is not None:
            found["torch"] = torch.rand(3).tolist()
        return found

    given = seed_all(42)
    first = draws()
    tap.ok(seed_all(42) == given and draws() == first, "a seed gives the same draws everywhere")
    seed_all(43)
    other = draws()
    tap.ok(all(other[name] != first[name] for name in first), "and another seed others")
    random.seed(42)
    plain = {"python": random.random()}
    if numpy is not None:
        numpy.random.seed(42)
        plain["numpy"] = numpy.random.bytes(8)
        plain["augment"] = numpy.random.default_rng(derive_seed(42, "augment")).bytes(40)
        plain["legacy"] = numpy.random.RandomState(given["legacy"]).bytes(40)
    if torch is not None:
        torch.manual_seed(42)
        plain["torch"] = torch.rand(3).tolist()
        plain["sampler"] = draw(torch.Generator().manual_seed(derive_seed(42, "sampler")))
    plain["dice"] = random.Random(derive_seed(42, "dice")).random()
    tap.ok(all(first[name] == value for name, value in plain.items()),
           "each as a user of its library would seed it", first, plain)
    tap.ok(list(given) == list(streams()) and given["python"] == 42
           and given["dice"] == derive_seed(42, "dice") == 0xe6c6aa6d1b392742,
           "what was seeded is told, and the derivation is the documented one", given,
           hex(given["dice"]))
    state = {name: stream.get() for name, stream in streams().items()}
    wrong = [(-1, "not in 0 to 2^64-1"), (1 << 64, "not in 0 to 2^64-1"), (True, "no integer"),
             ("1", "no integer")]
    if numpy is not None:
        wrong.append((1 << 32, "largest that numpy.random.seed takes"))
    for seed, text in wrong:
        found = caught(lambda seed=seed: seed_all(seed))
        tap.ok(isinstance(found, errors.InvalidError) and text in str(found)
               and all(streams()[name].get() == state[name] for name in state),
               f"seed_all refuses {seed!r}, and seeds nothing", repr(found))
    for name in made:
        unregister(name)


# ---- finding ----

class Slotted:
    __slots__ = ("rng", "empty")

    def __init__(self, rng):
        self.rng = rng


class Loud:
    """What a search may not do to an object."""

    @property
    def rng(self):
        raise RuntimeError("a property was called")

    def __getattr__(self, name):
        raise RuntimeError(f"an attribute was asked for: {name}")

    def __eq__(self, other):
        raise RuntimeError("it was compared")


def check_search(tap):
    dice, own = random.Random(1), random.Random(2)

    def transform(sample, rng=own):
        return sample + dice.random() + rng.random()

    class Dataset:
        def __init__(self):
            self.transform = transform
            self.parts = [Slotted(random.Random(3)), {"deep": (random.Random(4),)}]
            self.function = functools.partial(max, random.Random(5))
            self.bound = Slotted(random.Random(6)).__repr__
            self.loud = Loud()
            self.me = self
            self.system = random.SystemRandom()
            self.shared = random._inst
            self.again = dice

    found = {one.path: one for one in find_generators({"dataset": Dataset(), "other": 3})}
    expected = {"dataset.again", "dataset.system", "dataset.transform.__defaults__[0]",
                "dataset.parts[0].rng", "dataset.parts[1]['deep'][0]", "dataset.function.args[0]"}
    tap.ok(set(found) == expected, "generators are found wherever an object holds them",
           sorted(found))
    tap.ok(found["dataset.again"].generator is dice
           and "snapstate.register(NAME, it)" in found["dataset.again"].reason
           and "operating system" in found["dataset.system"].reason, "with what can be done")
    register("dice", dice)
    found = [one.path for one in find_generators(Dataset(), "data")]
    tap.ok("data.again" not in found and "data.system" in found, "what is registered is no find")
    unregister("dice")
    found = [one.path for one in find_generators(Dataset(), "data", known=[dice])]
    tap.ok("data.again" not in found and "data.system" in found, "nor what the caller captures")
    deep = inner = []
    for _ in range(40):
        inner.append([])
        inner = inner[0]
    inner.append(random.Random(1))
    tap.ok(find_generators(deep) == [] and find_generators([0] * 500 + [random.Random(1)]) == [],
           "the search has bounds")
    if numpy is not None:
        engine = numpy.random.PCG64(1)
        found = [one.path for one in find_generators(
            [numpy.random.default_rng(1), numpy.random.RandomState(1), engine,
             numpy.random.Generator(engine), numpy.random.mtrand._rand, numpy.ones(3)])]
        tap.ok(found == ["[0]", "[1]", "[2]"], "NumPy's, each once", found)
    if torch is not None:
        loader = torch.utils.data.DataLoader([1, 2], shuffle=True, generator=torch.Generator())
        model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(2, 2))
        model[0].rng = torch.Generator()
        found = [one.path for one in find_generators({"loader": loader, "model": model,
                                                      "default": torch.default_generator})]
        tap.ok(found == ["loader.generator", "model.0.rng"], "torch's, each once", found)
        lstm = torch.nn.LSTM(2, 2, num_layers=2, dropout=0.5)
        tap.ok(find_generators(lstm) == [], "an LSTM on the CPU draws from the CPU's generator")
        lstm.parameters = lambda: iter([type("OnDevice", (), {"is_cuda": True})])
        found = find_generators(lstm, "lstm")
        tap.ok(len(found) == 1 and "cuDNN keeps" in found[0].reason, "on a GPU from cuDNN's state")


# ---- moves ----

def check_moves(tap):
    python = streams()["python"]
    random.seed(1)
    state = python.get()
    random.gauss(0, 1)
    random.gauss(0, 1)
    twice = python.get()
    random.gauss(0, 1)
    cached = python.get()
    random.gauss(0, 1)
    uncached = python.get()
    for text, before, after in (
            ("stream python: did not move", state, state),
            ("is 4 draws of 32 bits ahead", state, twice),
            ("is 4 draws of 32 bits behind: it was set back", twice, state),
            ("at the same place, with another number kept back: random.gauss()", cached, uncached)):
        found = python.describe_move(before, after)
        tap.ok(text in found, f"a move is told: {text}", found)
    random.seed(2)
    found = python.describe_move(state, python.get())
    tap.ok("random.seed() was called" in found, "a move is told: seeded", found)
    tap.ok(distance("python_random", state, twice, 3) is None, "a distance past the limit is none")
    if torch is None:
        tap.skip("moves of torch", NO_TORCH)
        return
    host = streams()["torch"]
    torch.manual_seed(1)
    state = host.get()
    batches = iter(torch.utils.data.DataLoader(range(4), shuffle=True))
    one = host.get()
    next(batches)
    two = host.get()
    torch.manual_seed(2)
    for text, before, after in (
            ("stream torch: is one 64-bit draw ahead: `iter(DataLoader)` draws a base seed", state,
             one),
            ("is 4 draws of 32 bits ahead: `iter(DataLoader)` draws a base seed, and the first "
             "batch of a shuffling loader the seed of its sampler", state, two),
            ("has the seed 2 and had 1 before: torch.manual_seed()", state, host.get())):
        found = host.describe_move(before, after)
        tap.ok(text in found, f"a move is told: {text}", found)


# ---- callbacks ----

def check_ops(tap):
    stream = PythonStream("dice", random.Random(3))
    ops, error = stream.ops, snap_error()
    data, size = ctypes.c_void_p(), ctypes.c_size_t()
    status = ops.get(stream.arg, ctypes.byref(data), ctypes.byref(size), ctypes.byref(error))
    state = ctypes.string_at(data, size.value)
    tap.ok(status == Status.OK and state == stream.get(), "a run reads a stream")
    stream.generator.random()
    status = ops.set(stream.arg, state, len(state), ctypes.byref(error))
    tap.ok(status == Status.OK and stream.get() == state, "and sets it")
    stream.generator.random()
    tap.ok(ops.words_drawn(stream.arg) == 4, "and counts its draws, before and after")
    status = ops.set(stream.arg, b"{}", 2, ctypes.byref(error))
    tap.ok(status == Status.CORRUPT and error.status == Status.CORRUPT
           and b"stream python_random" in error.text and isinstance(stream.failure,
                                                                    errors.CorruptError),
           "an error goes back with its text, and is kept", error.text)

    class Broken:
        def getstate(self):
            raise KeyboardInterrupt("in a\ncallback")

    stream._generator = Broken()
    before = stream._run.words_drawn
    status = ops.get(None, ctypes.byref(data), ctypes.byref(size), ctypes.byref(error))
    tap.ok(status == Status.INTERNAL and error.text ==
           b"stream dice: read its state: KeyboardInterrupt: in a callback"
           and isinstance(stream.failure, KeyboardInterrupt),
           "an exception in a callback becomes a status and a line, and is kept", error.text)
    stream.failure = None
    tap.ok(ops.words_drawn(None) == before and isinstance(stream.failure, KeyboardInterrupt),
           "a count that cannot be made is the last one, and the exception is kept")
    tap.ok(ops.get(None, ctypes.byref(data), ctypes.byref(size), None) == Status.INTERNAL,
           "nobody need want the error")


def new_run(folder, every_stream):
    run = ctypes.c_void_p()
    options = snap_run_options(dir=str(folder).encode(), profile=b"none", training=b"{}")
    call("snap_run_open", ctypes.byref(options), ctypes.byref(run))
    for stream in every_stream:
        call("snap_run_add_stream", run, stream.name.encode(), stream.kind.encode(),
             ctypes.byref(stream.ops), stream.arg)
    return run


def check_alone(tap):
    """Neither NumPy nor torch is imported for the sake of looking."""
    script = ("import sys; from snapstate.generators import streams; "
              "print(list(streams()), 'numpy' in sys.modules, 'torch' in sys.modules)")
    found = subprocess.run([sys.executable, "-c", script], text=True, stdout=subprocess.PIPE,
                           check=True, env={**os.environ, "PYTHONPATH": str(TOP / "python")})
    tap.ok(found.stdout == "['python'] False False\n", "NumPy and torch are not imported by us",
           found.stdout)


def check_run(tap):
    """The words of a step in the ledger; and a run that is restored draws as the first one did."""
    every = list(streams().values())

    def draws():
        found = [random.random()]
        if numpy is not None:
            found += numpy.random.random_sample(2).tolist()
        if torch is not None:
            found += torch.rand(3).tolist()
        return found

    words = {name: count for name, count in (("python", 2), ("numpy", 4), ("torch", 3))
             if name in streams()}
    with tempfile.TemporaryDirectory(prefix="snap-test.") as folder:
        folder = Path(folder) / "run"
        run = new_run(folder, every)
        status = library().snap_run_restore(run, Tier.STREAMS, None, None, None)
        tap.ok(status == Status.NOT_FOUND, "a fresh run")
        call("snap_run_begin_step", run)
        draws()
        call("snap_run_before_update", run, None)
        record = snap_step_record(step=1)
        call("snap_run_step", run, ctypes.byref(record))
        call("snap_run_capture", run, 1, None, None)
        following = draws()
        call("snap_run_close", run)
        line = json.loads((folder / "ledger.jsonl").read_text(encoding="utf-8").splitlines()[1])
        tap.ok(line["host"]["draws"] == words, "the ledger has the words of each stream", line)
        run = new_run(folder, every)
        call("snap_run_restore", run, Tier.STREAMS, None, None)
        tap.ok(draws() == following, "after a restore every stream draws what it drew")
        problem = caught(lambda: call("snap_run_begin_step", run))
        tap.ok(isinstance(problem, errors.DiffersError) and "moved by" in str(problem),
               "draws between restore and step are noticed", repr(problem))
        call("snap_run_close", run)


def main():
    tap = Tap()
    check_registry(tap)
    check_seed_all(tap)
    check_search(tap)
    check_moves(tap)
    check_ops(tap)
    check_run(tap)
    check_alone(tap)
    if numpy is None:
        tap.skip("NumPy", NO_NUMPY)
    if torch is None:
        tap.skip("torch", NO_TORCH)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
