#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engines against the libraries that they are named after, side by side: equal seeds give equal
states and draws, our states go into the libraries and draw on, and theirs into ours."""

import json
import os
import random
import struct
import subprocess
import sys
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("top_builddir", TOP))
sys.path.insert(0, str(TOP / "tests" / "support"))

from tap import Tap  # noqa: E402

# The engine has the form of torch's AVX2 kernels; torch reads this when it is imported.
os.environ["ATEN_CPU_CAPABILITY"] = "avx2"

TOOL = BUILD / "tests" / "stream_tool"
SEEDS = [42, 0, 1, 624, 2**31, 2**32 - 1]
WORDS = (0, 1, 300, 623, 624, 625)  # drawn before a state is taken
WIDE_SEEDS = [2**32, 2**32 + 42, 2**53, 2**53 + 1, 2**63, 2**64 - 1]


class Ours:
    """One of our streams, in a process of the test tool."""

    def __init__(self, kind, *arguments):
        self.tool = subprocess.Popen([str(TOOL), kind, *map(str, arguments)], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *fields):
        self.tool.stdin.write(" ".join(map(str, fields)) + "\n")
        self.tool.stdin.flush()
        answer = self.tool.stdout.readline()
        if not answer.endswith("\n") or answer.startswith("error"):
            raise RuntimeError(f"stream_tool: {fields[0]}: {answer}")
        return answer.split()

    def seed(self, seed):
        self.ask("seed", seed)

    def get(self):
        return bytes.fromhex(self.ask("encode")[0])

    def set(self, state):
        self.ask("decode", state.hex())

    def draw(self, fn, *arguments):
        return self.ask(fn, *(x.hex() if isinstance(x, float) else x for x in arguments))

    def words(self):
        return int(self.ask("words")[0])

    def close(self):
        self.tool.stdin.close()
        return self.tool.wait()


def canonical(value):
    return (json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n").encode()


def double_bits(x):
    return struct.pack(">d", x).hex()


class Python:
    """CPython's random."""
    kind = "python_random"
    arguments = ()
    seeds = SEEDS + WIDE_SEEDS

    def seed(self, seed):
        random.seed(seed)

    def get(self):
        version, state, gauss = random.getstate()
        return canonical({"kind": self.kind, "version": version, "state": list(state),
                          "gauss_next": None if gauss is None else double_bits(gauss)})

    def set(self, state):
        value = json.loads(state)
        gauss = value["gauss_next"]
        if gauss is not None:
            gauss = struct.unpack(">d", bytes.fromhex(gauss))[0]
        random.setstate((value["version"], tuple(value["state"]), gauss))

    def draw(self, fn, n, *arguments):
        if fn == "shuffle":
            numbers = list(range(n))
            random.shuffle(numbers)
        elif fn == "sample":
            numbers = random.sample(range(*arguments), n)
        else:
            numbers = [getattr(random, fn)(*arguments) for _ in range(n)]
        return [double_bits(x) if isinstance(x, float) else str(x) for x in numbers]

    exact = [("random", 700), ("shuffle", 300), ("getrandbits", 5, 31), ("getrandbits", 5, 32),
             ("getrandbits", 5, 64), ("getrandbits", 5, 33), ("randrange", 9, 1000),
             ("randrange", 9, 2**40 + 1), ("sample", 20, 60), ("sample", 20, 10**6)]
    libm = [("gauss", 20001, 0.5, 2.0), ("normalvariate", 5000, -1.0, 0.25),
            ("expovariate", 20000, 1.5), ("gammavariate", 3000, 2.5, 1.0),
            ("gammavariate", 3000, 0.5, 2.0), ("betavariate", 1000, 0.5, 2.0),
            ("vonmisesvariate", 1000, 1.0, 4.0)]
    # A cached normal, and a position inside a block.
    mixed = [("random", 101), ("gauss", 3, 0.0, 1.0)]
    one_word = ("getrandbits", 1, 32)


class NumPy:
    """numpy.random, the RandomState behind it."""
    kind = "numpy_random_state"
    arguments = ()
    seeds = SEEDS

    def __init__(self, numpy):
        self.random = numpy.random
        self.floating = numpy.floating

    def seed(self, seed):
        self.random.seed(seed)

    def get(self):
        state = self.random.get_state(legacy=False)
        return canonical({"kind": self.kind, "bit_generator": state["bit_generator"],
                          "has_gauss": state["has_gauss"], "gauss": double_bits(state["gauss"]),
                          "state": {"key": [int(x) for x in state["state"]["key"]],
                                    "pos": state["state"]["pos"]}})

    def set(self, state):
        value = json.loads(state)
        gauss = struct.unpack(">d", bytes.fromhex(value["gauss"]))[0]
        self.random.set_state((value["bit_generator"], value["state"]["key"],
                               value["state"]["pos"], value["has_gauss"], gauss))

    def draw(self, fn, n, *arguments):
        if fn == "permutation":
            numbers = self.random.permutation(n)
        elif fn == "laplace":
            numbers = self.random.laplace(0.0, 1.0, n)
        else:
            numbers = getattr(self.random, fn)(*arguments, size=n)
        return [double_bits(x) if isinstance(x, self.floating) else str(x) for x in numbers]

    exact = [("random_sample", 700), ("randint", 50, 0, 10), ("randint", 50, -(2**40), 2**40),
             ("randint", 9, -(2**63), 2**63 - 1), ("randint", 9, 0, 2**32), ("randint", 3, 7, 8),
             ("permutation", 300)]
    libm = [("standard_normal", 20001), ("standard_exponential", 20000),
            ("standard_gamma", 3000, 2.5), ("standard_gamma", 3000, 0.5), ("beta", 1000, 0.5, 0.5),
            ("beta", 1000, 1e-3, 1e-3),
            ("laplace", 3000)]
    mixed = [("random_sample", 101), ("standard_normal", 3)]
    one_word = ("randint", 1, 0, 2**32)


def member_form(value):
    """A state of NumPy's in the form of a member: lists, and integers past 2^53 as text."""
    if isinstance(value, dict):
        return {key: member_form(item) for key, item in value.items()}
    if isinstance(value, str):
        return value
    if hasattr(value, "__len__"):
        return [member_form(item) for item in value]
    return int(value) if int(value) <= 2**53 else str(int(value))


def state_form(value):
    """And back."""
    if isinstance(value, dict):
        return {key: state_form(item) for key, item in value.items()}
    if isinstance(value, list):
        return [state_form(item) for item in value]
    return int(value) if not isinstance(value, str) or value.isdigit() else value


class Generator:
    """numpy.random.Generator over one of the bit generators."""
    arguments = ()
    seeds = SEEDS + WIDE_SEEDS

    def __init__(self, numpy, name):
        self.numpy = numpy
        self.kind = f"numpy_{name.lower()}"
        self.engine = getattr(numpy.random, name)
        self.__doc__ = f"Generator({name})"
        self.generator = None
        self.seed(0)

    def seed(self, seed):
        self.generator = self.numpy.random.Generator(self.engine(seed))

    def sequence(self):
        """The SeedSequence; its name was a private one before NumPy 1.25."""
        bits = self.generator.bit_generator
        return bits.seed_seq if hasattr(bits, "seed_seq") else bits._seed_seq

    def get(self):
        sequence = self.sequence()
        names = ("entropy", "n_children_spawned", "pool_size", "spawn_key")
        return canonical({"kind": self.kind, **member_form(self.generator.bit_generator.state),
                          "seed_seq": {name: member_form(getattr(sequence, name))
                                       for name in names}})

    def set(self, state):
        value = state_form(json.loads(state))
        sequence = value.pop("seed_seq")
        del value["kind"]
        self.seed(self.numpy.random.SeedSequence(**sequence))
        self.generator.bit_generator.state = value

    def draw(self, fn, n, *arguments):
        draws, numpy = self.generator, self.numpy
        name = fn[:-4] if fn.endswith("_f32") else fn
        keywords = {"dtype": numpy.float32} if name != fn else {}
        if fn == "random_raw":
            numbers = draws.bit_generator.random_raw(n)
        elif fn == "integers":
            dtype, low, span = arguments
            dtype = numpy.dtype({"b": "?"}.get(dtype[0], dtype[0]) +
                                ("" if dtype == "bool" else str(int(dtype[1:]) // 8)))
            numbers = draws.integers(low, low + span, n, dtype, endpoint=True)
            numbers = numbers.view(f"u{dtype.itemsize}")
        elif fn == "permutation":
            numbers = draws.permutation(n)
        elif fn == "permuted":
            columns, rows = arguments
            shape = (n // rows // columns, rows, columns)
            numbers = draws.permuted(numpy.arange(n).reshape(shape), axis=1).ravel()
        elif fn.startswith("choice"):
            keywords = {"replace": False, "shuffle": bool(arguments[1])} if len(arguments) > 1 \
                else {}
            numbers = draws.choice(arguments[0], n, **keywords)
        elif name == "inverse_exponential":
            numbers = draws.standard_exponential(n, method="inv", **keywords)
        else:
            numbers = getattr(draws, name)(*arguments, size=n, **keywords)
        if numbers.dtype.kind != "f":
            return [str(int(x)) for x in numbers]
        width = numbers.dtype.itemsize
        return [f"{x:0{2 * width}x}" for x in numbers.view(f"u{width}").tolist()]

    exact = [("random", 700), ("random_f32", 701), ("random_raw", 9), ("random_f32", 2),
             ("integers", 50, "i64", 0, 9), ("integers", 9, "i64", -(2**63), 2**64 - 1),
             ("integers", 99, "i64", 0, 2**32), ("integers", 99, "u64", 5, 3 * 2**61),
             ("integers", 999, "u32", 7, 3 * 2**30), ("integers", 9, "i32", -(2**31), 2**32 - 1),
             ("integers", 999, "u16", 3, 50000), ("integers", 999, "i8", -100, 200),
             ("integers", 9, "u8", 0, 255), ("integers", 70, "bool", 0, 1),
             ("integers", 3, "i16", 7, 0), ("permutation", 300), ("permuted", 60, 5, 4),
             ("choice", 50, 2**33 + 3), ("choice_distinct", 50, 1000, 1),
             ("choice_distinct", 9, 2**40, 0), ("choice_distinct", 3000, 20000, 1),
             ("choice_distinct", 3000, 20000, 0)]
    libm = [("standard_normal", 200000), ("standard_normal_f32", 200000),
            ("standard_exponential", 200000), ("standard_exponential_f32", 200000),
            ("inverse_exponential", 3001), ("inverse_exponential_f32", 3001),
            ("gamma", 20000, 2.5, 0.75), ("gamma", 20000, 0.5, 2.0), ("gamma", 3000, 1.0, 1.0),
            ("standard_gamma_f32", 20000, 2.5), ("standard_gamma_f32", 20000, 0.5),
            ("lognormal", 3000, 0.5, 0.25)]
    mixed = [("random_f32", 101), ("integers", 3, "u8", 0, 255)]
    one_word = ("integers", 1, "u32", 0, 2**32 - 1)


class Torch:
    """torch's default CPU generator."""
    kind = "torch_cpu"
    seeds = SEEDS + WIDE_SEEDS

    def __init__(self, torch):
        self.torch = torch
        release = tuple(int(x) for x in torch.__version__.split(".")[:2])
        self.arguments = (1 if release < (2, 0) else 2 if release < (2, 7) else 3,)
        torch.set_num_threads(1)
        warnings.simplefilter("ignore", UserWarning)  # ranges that float32 does not hold exactly
        # MKL has another generator for scalar bernoulli_, and in some releases exponential_.
        if torch.backends.mkl.is_available():
            self.exact = [x for x in self.exact if x[0] != "bernoulli_"]
            self.libm = [x for x in self.libm if x[0] != "exponential_f64"]
        if release >= (2, 0):  # of these only the form of 1.13 was seen
            self.libm = [x for x in self.libm
                         if x[0] not in ("truncnormal_", "normal_f16", "normal_bf16")]

    def seed(self, seed):
        self.torch.manual_seed(seed)

    def get(self):
        return self.torch.get_rng_state().numpy().tobytes()

    def set(self, state):
        self.torch.set_rng_state(self.torch.frombuffer(bytearray(state),
                                                       dtype=self.torch.uint8).clone())

    def draw(self, fn, n, *arguments):
        t = self.torch
        name, _, dtype = fn.partition("_")
        dtype = {"": t.float32, "f64": t.float64, "f16": t.float16, "bf16": t.bfloat16}[dtype]
        if fn == "randperm":
            return [str(x) for x in t.randperm(n).tolist()]
        if fn == "randint":
            return [str(x) for x in t.randint(*arguments, (n,)).tolist()]
        if fn == "multinomial":
            weights = t.tensor(arguments, dtype=t.float64)
            return [str(x) for x in t.multinomial(weights, n, True).tolist()]
        tensor = t.empty(n, dtype=dtype)
        if name == "truncnormal":
            t.nn.init.trunc_normal_(tensor)
        else:
            getattr(tensor, name + "_")(*arguments)
        width = tensor.element_size()
        integers = {2: t.int16, 4: t.int32, 8: t.int64}[width]
        return [f"{x & (2**(8 * width) - 1):0{2 * width}x}" for x in tensor.view(integers).tolist()]

    exact = [("uniform_", 700, 0.0, 1.0), ("uniform_", 20000, -0.1, 0.1),
             ("uniform_f64", 3000, -0.1, 0.3), ("normal_", 20001, 0.5, 2.0),
             ("bernoulli_", 300, 0.3), ("randint", 50, 0, 10), ("randint", 9, 0, 2**28 + 1),
             ("randint", 9, 0, 2**40), ("randperm", 300), ("multinomial", 50, 0.5, 3.0, 1.25),
             ("random_", 99, 2**24 + 1, 2**24 + 9), ("random_", 99, -2**25 - 3, -2**24),
             ("random_", 99, 2**30 + 1, 2**31 - 1), ("random_", 99, -2**40 - 1, 2**40 + 1)]
    libm = [("normal_", 15, 0.0, 1.0), ("normal_f64", 15, 0.5, 2.0), ("normal_f64", 5001, 0.5, 2.0),
            ("exponential_f64", 20000, 1.5), ("multinomial", 1, 0.5, 3.0, 1.25),
            ("truncnormal_", 20000), ("normal_f16", 60000, 0.7, 2.8),
            ("normal_bf16", 20000, 0.7, 2.8), ("uniform_f16", 5000, -0.3, 0.7),
            ("uniform_bf16", 5000, -0.3, 0.7)]
    mixed = [("uniform_", 101, 0.0, 1.0), ("normal_", 1, 0.0, 1.0)]
    one_word = ("uniform_", 1, 0.0, 1.0)


def first_difference(name, theirs, ours):
    for i, (a, b) in enumerate(zip(theirs, ours)):
        if a != b:
            return f"{name}: number {i} of {len(theirs)} is {b}, the library drew {a}"
    return f"{name}: {len(ours)} numbers, the library drew {len(theirs)}"


def compare_draws(library, ours, calls):
    """What differs when both make the calls; empty when nothing does."""
    wrong = []
    for fn, *arguments in calls:
        theirs = library.draw(fn, *arguments)
        found = ours.draw(fn, *arguments)
        if theirs != found:
            wrong.append(first_difference(fn, theirs, found))
    if library.get() != ours.get():
        wrong.append("the states differ after the calls")
    return wrong


def compare(tap, library):
    name = library.__doc__.split(",")[0].rstrip(".")
    ours = Ours(library.kind, *library.arguments)

    wrong = []
    for seed in library.seeds:
        library.seed(seed)
        ours.seed(seed)
        if library.get() != ours.get():
            wrong.append(f"seed {seed}: the states differ")
        wrong += [f"seed {seed}: {text}"
                  for text in compare_draws(library, ours, library.exact)]
    tap.empty(wrong, f"{name}: equal seeds give equal states and draws")

    library.seed(42)
    ours.seed(42)
    tap.empty(compare_draws(library, ours, library.libm), f"{name}: draws that call libm")

    for source, target, text in ((ours, library, "takes our states, and draws what we draw next"),
                                 (library, ours, "we take its states, and draw what it draws")):
        wrong = []
        for words in WORDS:
            for mixed in ([], library.mixed):
                source.seed(7)
                for call in [library.one_word] * words + mixed:
                    source.draw(*call)
                target.seed(99)
                target.set(source.get())
                wrong += [f"after {words} words: {difference}" for difference in
                          compare_draws(library, ours, library.mixed + library.exact[:4])]
        tap.empty(wrong, f"{name}: {text}")

    wrong = []
    for words in WORDS:
        library.seed(5)
        ours.seed(5)
        before = ours.words()
        wrong += [f"after {words} words: {difference}" for difference in
                  compare_draws(library, ours, [library.one_word] * words)]
        if ours.words() - before != words:
            wrong.append(f"{words} words were counted as {ours.words() - before}")
    tap.empty(wrong, f"{name}: the states agree wherever in a block they are")

    library.seed(1)
    ours.seed(1)
    library.draw(*library.exact[0])
    tap.ok(compare_draws(library, ours, library.exact[:1]), f"{name}: a stream that moved differs")
    tap.ok(ours.close() == 0, f"{name}: the tool ended well")


def has_avx2():
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return False
    return "avx2" in flags and "fma" in flags


def main():
    tap = Tap()
    compare(tap, Python())
    try:
        import numpy
    except ImportError as problem:
        tap.skip("NumPy", f"python3-numpy is not installed: {problem}")
    else:
        compare(tap, NumPy(numpy))
        for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"):
            compare(tap, Generator(numpy, name))
    if not has_avx2():
        tap.skip("torch", "this CPU has no AVX2, so its torch draws in another form")
        return tap.done()
    try:
        import torch
    except ImportError as problem:
        tap.skip("torch", f"python3-torch is not installed: {problem}")
    else:
        compare(tap, Torch(torch))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
