#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The streams of the Python package against the libraries themselves: a state that was read, and
set after other draws, gives the same draws again, whatever was cached; words are counted as they
were drawn; and what is no state changes nothing."""

import ctypes
import json
import random
import struct
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from snapstate import errors  # noqa: E402
from snapstate._library import take_bytes  # noqa: E402
from snapstate.generators import streams  # noqa: E402
from snapstate.generators.mirror import FOLLOW_WORDS  # noqa: E402
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


def caught(call_it, kind=Exception):
    try:
        call_it()
    except kind as problem:
        return problem
    return None


def exact(tap, stream, name, prepare, draws):
    """After `prepare` the state is read; then `draws` twice, from the same state."""
    prepare()
    state = stream.get()
    first = draws()
    moved = stream.get()
    stream.set(state)
    again = stream.get()
    second = draws()
    tap.ok(again == state and first == second and stream.get() == moved and moved != state,
           f"{stream.kind}, {name}: the same draws from the same state", first, second)


def counts(tap, stream, table):
    """A table of (what, the draw, its words)."""
    stream.words_drawn()
    for name, draw, words in table:
        before, state = stream.words_drawn(), stream.get()
        draw()
        found, apart = stream.words_drawn() - before, stream.distance(state, stream.get())
        tap.ok(found == words == apart, f"{stream.kind}, {name}: {words} words", found, apart)


def follows_seeding(tap, stream, seed, draw, words):
    """`draw` takes `words`. What is not seen before a seeding is not counted."""
    ops = stream.ops
    seed(1)
    ops.words_drawn(None)
    before, jumps = ops.words_drawn(None), stream.jumps
    draw()
    tap.ok(ops.words_drawn(None) == before + words and stream.jumps == jumps,
           f"{stream.kind}: draws are followed")
    seed(2)
    draw()
    tap.ok(ops.words_drawn(None) == before + words and stream.jumps == jumps + 1,
           f"{stream.kind}: seeding is noticed, and counts nothing")
    draw()
    tap.ok(ops.words_drawn(None) == before + 2 * words and stream.jumps == jumps + 1,
           f"{stream.kind}: from there on draws are counted again")
    state = stream.get()
    draw()
    stream.set(state)
    tap.ok(ops.words_drawn(None) == before + 3 * words and stream.jumps == jumps + 1,
           f"{stream.kind}: setting the stream takes nothing from the count, and adds nothing")


def refusals(tap, stream, damaged):
    """Bytes that are no state: the generator stays where it is."""
    before = stream.get()
    for name, data in damaged:
        problem = caught(lambda data=data: stream.set(data))
        tap.ok(isinstance(problem, errors.CorruptError) and stream.get() == before,
               f"{stream.kind}: {name} is refused, and changes nothing", repr(problem))


# ---- Python ----

def check_python(tap):
    stream = streams()["python"]
    random.seed(11)
    version, words, gauss = random.getstate()
    own = {"gauss_next": gauss, "kind": "python_random", "state": list(words), "version": version}
    text = json.dumps(own, sort_keys=True, separators=(",", ":")) + "\n"
    tap.ok(stream.get() == text.encode(), "python_random: the member is getstate() in JSON")

    def draws():
        return [random.random(), random.gauss(0, 1), random.getrandbits(77),
                random.sample(range(50), 5), random.gauss(0, 1), random.gauss(0, 1)]

    exact(tap, stream, "just seeded", lambda: random.seed(5), draws)
    exact(tap, stream, "in mid-block", lambda: [random.random() for _ in range(100)], draws)
    exact(tap, stream, "a cached normal", lambda: (random.seed(6), random.gauss(0, 1)), draws)
    exact(tap, stream, "the end of a block",
          lambda: (random.seed(7), [random.getrandbits(32) for _ in range(624)]), draws)
    random.seed(8)
    counts(tap, stream, [
        ("random()", random.random, 2), ("getrandbits(32)", lambda: random.getrandbits(32), 1),
        ("getrandbits(100)", lambda: random.getrandbits(100), 4),
        ("randbytes(4000)", lambda: random.randbytes(4000), 1000),
        ("gauss()", lambda: random.gauss(0, 1), 4), ("the cached one", lambda: random.gauss(0, 1),
                                                     0),
        ("nothing", lambda: None, 0)])
    follows_seeding(tap, stream, random.seed, random.random, 2)
    state = stream.get()
    refusals(tap, stream, [
        ("an empty text", b""), ("a torn one", state[:-1]), ("another kind",
                                                             state.replace(b"python_random", b"x")),
        ("a position past the end", state.replace(b"],\"version\"", b"9999],\"version\""))])

    class Stubborn:
        """Takes a state, and another one than it was given."""

        def __init__(self, inner):
            self.inner, self.lies = inner, 1

        def getstate(self):
            return self.inner.getstate()

        def setstate(self, value):
            if self.lies:
                self.lies -= 1
                value = (value[0], (value[1][0] ^ 1, *value[1][1:]), value[2])
            self.inner.setstate(value)

    own = PythonStream("own", random.Random(3))
    target = PythonStream("other", random.Random(4)).get()
    before = own.get()
    own._generator = Stubborn(own._generator)
    problem = caught(lambda: own.set(target))
    tap.ok(isinstance(problem, errors.InternalError) and "reads back" in str(problem)
           and own.get() == before, "a state that does not read back is taken back", repr(problem))
    own.set(target)
    tap.ok(own.get() == target, "and set by a generator that takes it")


def check_python_instances(tap):
    class Plain(random.Random):
        def dice(self):
            return self.randint(1, 6)

    class Own(random.Random):
        def random(self):
            return 0.5

    dice = Plain(9)
    stream = PythonStream("dice", dice)
    exact(tap, stream, "a subclass", lambda: dice.dice(), lambda: [dice.dice() for _ in range(9)])
    for generator, text in ((random.SystemRandom(), "draws from the operating system"),
                            (Own(1), "redefines random()"), (object(), "is no random.Random")):
        problem = caught(lambda generator=generator: PythonStream("x", generator))
        tap.ok(isinstance(problem, errors.InvalidError) and text in str(problem),
               f"refused: {text}", repr(problem))


# ---- NumPy ----

def check_numpy(tap):
    from snapstate.generators.numpy_streams import RandomStateStream
    stream = streams()["numpy"]
    gen = numpy.random
    gen.seed(11)
    found = gen.get_state(legacy=False)
    own = {"bit_generator": "MT19937", "gauss": struct.pack(">d", found["gauss"]).hex(),
           "has_gauss": found["has_gauss"], "kind": "numpy_random_state",
           "state": {"key": found["state"]["key"].tolist(), "pos": found["state"]["pos"]}}
    text = json.dumps(own, sort_keys=True, separators=(",", ":")) + "\n"
    tap.ok(stream.get() == text.encode(), "numpy_random_state: the member is get_state() in JSON")

    def draws():
        return [gen.random_sample(3).tolist(), gen.randn(), gen.permutation(9).tolist(),
                gen.randint(0, 9, 5).tolist(), gen.randn(2).tolist()]

    def stale():
        gen.seed(3)
        state = gen.get_state(legacy=False)
        state["has_gauss"], state["gauss"] = 0, 0.25
        gen.set_state(state)

    exact(tap, stream, "just seeded", lambda: gen.seed(5), draws)
    exact(tap, stream, "a cached normal", lambda: (gen.seed(6), gen.randn()), draws)
    exact(tap, stream, "a stale normal", stale, draws)
    stale()
    state = stream.get()
    gen.randn()
    stream.set(state)
    now = gen.get_state(legacy=False)
    tap.ok(now["has_gauss"] == 0 and now["gauss"] == 0.25, "the stale normal is there again")
    exact(tap, stream, "the end of a block", lambda: (gen.seed(7), gen.bytes(2496)), draws)
    exact(tap, stream, "position 623, from a SeedSequence",
          lambda: gen.set_state(numpy.random.RandomState(numpy.random.MT19937(5)).get_state()),
          draws)
    counts(tap, stream, [
        ("random_sample(5)", lambda: gen.random_sample(5), 10),
        ("bytes(12)", lambda: gen.bytes(12), 3), ("bytes(40000)", lambda: gen.bytes(40000), 10000),
        ("nothing", lambda: None, 0)])
    follows_seeding(tap, stream, gen.seed, lambda: gen.bytes(8), 2)
    state = stream.get()
    refusals(tap, stream, [("a torn text", state[:-2]),
                           ("no flag", state.replace(b'"has_gauss":0', b'"has_gauss":2'))])

    own = numpy.random.RandomState(4)
    exact(tap, RandomStateStream("own", own), "an instance", lambda: own.randn(),
          lambda: own.randn(3).tolist())
    over = numpy.random.RandomState(numpy.random.PCG64(1))
    problem = caught(lambda: RandomStateStream("x", over))
    tap.ok(isinstance(problem, errors.UnsupportedError) and "stands over PCG64" in str(problem),
           "a RandomState over PCG64 is refused, by name", repr(problem))


def check_engine_that_moved(tap):
    """The global RandomState over another MT19937: its words lie elsewhere."""
    stream = streams()["numpy"]
    if not hasattr(numpy.random, "set_bit_generator"):
        tap.skip("a replaced bit generator", f"NumPy {numpy.__version__} cannot replace it")
        return
    held = numpy.random.get_bit_generator()
    stream.words_drawn()
    numpy.random.set_bit_generator(numpy.random.MT19937(3))
    stream.words_drawn()
    before = stream.words_drawn()
    numpy.random.bytes(20)
    tap.ok(stream.words_drawn() == before + 5, "numpy: an engine that was replaced is followed")
    numpy.random.set_bit_generator(numpy.random.SFC64(3))
    problem = caught(stream.get)
    other = caught(stream.words_drawn)
    tap.ok(isinstance(problem, errors.UnsupportedError) and "stands over SFC64" in str(problem)
           and isinstance(other, errors.UnsupportedError), "numpy: SFC64 in its place is refused")
    numpy.random.set_bit_generator(held)


def check_generators(tap):
    from snapstate.generators.numpy_generators import GENERATOR_KINDS, generator_stream

    class Own(numpy.random.PCG64):
        pass

    problem = caught(lambda: generator_stream("g", numpy.random.Generator(Own(5))))
    tap.ok(isinstance(problem, errors.UnsupportedError) and "Own has no kind" in str(problem),
           "a Generator over an engine of someone else's is refused, by name", repr(problem))
    for engine in GENERATOR_KINDS:
        generator = numpy.random.Generator(getattr(numpy.random, engine)(5))
        stream = generator_stream("g", generator)

        def draws(generator=generator):
            return [generator.random(3).tolist(), generator.integers(0, 9, 5).tolist(),
                    generator.random(1, dtype="f4").tolist(),
                    generator.standard_normal(3).tolist(), generator.permutation(7).tolist()]

        exact(tap, stream, "just seeded", lambda: None, draws)
        exact(tap, stream, "half a word left",
              lambda: generator.integers(0, 9, 3, dtype="u4"), draws)
        exact(tap, stream, "a stale half", lambda: generator.integers(0, 9, 1, dtype="u4"), draws)
        counts(tap, stream, [("random(5)", lambda: generator.random(5), 10),
                             ("integers(0, 2**63)", lambda: generator.bit_generator.random_raw(2),
                              2 if engine == "MT19937" else 4)])
        check_spawning(tap, stream, generator)


def check_spawning(tap, stream, generator):
    def spawn():
        sequence = getattr(generator.bit_generator, "seed_seq", None)
        if sequence is None:
            sequence = generator.bit_generator._seed_seq
        return sequence.spawn(1)[0].generate_state(2).tolist()

    def as_a_run_reads_it():
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        stream.ops.get(None, ctypes.byref(data), ctypes.byref(size), None)
        return take_bytes(data, size.value)

    engine = type(generator.bit_generator)
    state = stream.get()
    before = as_a_run_reads_it()
    first = spawn()
    tap.ok(before == state and as_a_run_reads_it() == stream.get() != state,
           f"{stream.kind}: a run notices what was spawned")
    from snapstate.generators.numpy_generators import generator_stream
    fresh = numpy.random.Generator(engine(5))
    later = generator_stream("later", fresh)
    moved = stream.get()
    later.set(moved)
    tap.ok(later.get() == moved, f"{stream.kind}: children that were spawned are in the state")
    old_numpy = int(numpy.__version__.split(".", 1)[0]) < 2
    problem = caught(lambda: stream.set(state))
    if old_numpy:
        tap.ok(isinstance(problem, errors.UnsupportedError) and "SeedSequence(5)" in str(problem)
               and stream.get() == moved,
               f"{stream.kind}: what was spawned cannot be taken back by this NumPy", repr(problem))
    else:
        tap.ok(problem is None and spawn() == first,
               f"{stream.kind}: the same child is spawned again", repr(problem))


# ---- torch ----

def check_torch(tap):
    stream = streams()["torch"]
    tap.ok(stream.get() == bytes(torch.get_rng_state().tolist()),
           "torch_cpu: the member is get_rng_state()")

    def draws():
        return [torch.rand(3).tolist(), torch.randn(1).item(), torch.randperm(9).tolist(),
                torch.randn(17).tolist(), torch.randn(1, dtype=torch.float64).item(),
                torch.initial_seed()]

    exact(tap, stream, "just seeded", lambda: torch.manual_seed(5), draws)
    exact(tap, stream, "a cached normal", lambda: (torch.manual_seed(6), torch.randn(1)), draws)
    exact(tap, stream, "a used up block", lambda: (torch.manual_seed(7), torch.rand(624)), draws)
    exact(tap, stream, "a seed past 2^32", lambda: (torch.manual_seed(2**63 + 7), torch.rand(9)),
          draws)
    counts(tap, stream, [
        ("rand(7)", lambda: torch.rand(7), 7),
        ("rand(3), float64", lambda: torch.rand(3, dtype=torch.float64), 6),
        ("randperm(1000)", lambda: torch.randperm(1000), 999),
        ("iter(DataLoader)", lambda: iter(torch.utils.data.DataLoader([1, 2])), 2)])
    follows_seeding(tap, stream, torch.manual_seed, lambda: torch.rand(5), 5)
    torch.rand(FOLLOW_WORDS + 624)
    before = stream.words_drawn()
    torch.rand(FOLLOW_WORDS + 624)
    tap.ok(stream.words_drawn() == before + FOLLOW_WORDS + 624,
           "torch_cpu: followed further than other kinds")
    state = stream.get()
    refusals(tap, stream, [("a torn state", state[:-1]), ("a flag of 2",
                                                          state[:5040] + b"\2" + state[5041:])])
    own = torch.Generator()
    from snapstate.generators.torch_streams import TorchStream
    exact(tap, TorchStream("own", own), "a torch.Generator", lambda: own.manual_seed(3),
          lambda: torch.rand(5, generator=own).tolist())


def check_cuda(tap):
    """No device is needed for the state's two forms, and for streams() to name the devices."""
    from snapstate.generators.torch_streams import TorchStream

    class Device(torch.Generator):
        device, prefix, state = torch.device("cuda:0"), b"", (7, 0)

        def get_state(self):
            return torch.tensor(list(self.prefix + struct.pack("<Qq", *self.state)),
                                dtype=torch.uint8)

        def set_state(self, state):
            data = bytes(state.tolist())
            if data[:-16] != self.prefix:
                raise RuntimeError("RNG state is wrong size")
            self.state = struct.unpack("<Qq", data[-16:])

    for prefix, name in ((b"", "of torch 2"), (b"\xff" * 800, "of torch 1")):
        device = Device()
        device.prefix = prefix
        stream = TorchStream("torch_cuda.0", device)
        state = stream.get()
        tap.ok(state == struct.pack("<Qq", 7, 0), f"torch_cuda: 16 bytes, {name}")
        device.state = (7, 12)
        moved = stream.get()
        tap.ok(stream.words_drawn() == 12, f"torch_cuda: the offset is what was drawn, {name}")
        stream.set(state)
        tap.ok(device.state == (7, 0), f"torch_cuda: the form {name} is set")
        tap.ok(stream.describe_move(state, moved).startswith(
            "stream torch_cuda.0: is 12 words a thread ahead: kernels that draw"),
            f"torch_cuda: a move is told, {name}", stream.describe_move(state, moved))
    cuda = torch.cuda
    held = cuda.is_available, cuda.is_initialized, cuda.default_generators
    try:
        cuda.is_available = cuda.is_initialized = lambda: True
        cuda.default_generators = (Device(), Device())
        names = list(streams())
    finally:
        cuda.is_available, cuda.is_initialized, cuda.default_generators = held
    tap.ok([name for name in names if "torch" in name] == ["torch", "torch_cuda.0", "torch_cuda.1"],
           "streams() has one for every device", names)


def main():
    tap = Tap()
    check_python(tap)
    check_python_instances(tap)
    if numpy is None:
        tap.skip("NumPy", NO_NUMPY)
    else:
        check_numpy(tap)
        check_engine_that_moved(tap)
        check_generators(tap)
    if torch is None:
        tap.skip("torch", NO_TORCH)
    else:
        check_torch(tap)
        check_cuda(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
