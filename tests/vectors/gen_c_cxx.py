# SPDX-License-Identifier: Apache-2.0
"""Vectors of the generators of C and C++ programs: random_r in all types and drand48 of glibc,
std::mt19937 and std::mt19937_64 of libstdc++. Needs glibc, and a C++ compiler ($CXX, or g++)."""

import ctypes
import json
import os
import platform
import subprocess
import tempfile

import gen_common as g

CXX_SOURCE = r"""
#include <cstdint>
#include <iostream>
#include <random>
template <class Engine> void answer(uint64_t seed, unsigned long long skip, unsigned n)
{
    Engine engine(static_cast<typename Engine::result_type>(seed));
    engine.discard(skip);
    std::cout << engine << '\n';
    for (unsigned i = 0; i < n; i++)
        std::cout << (i ? " " : "") << engine();
    std::cout << '\n' << engine << '\n';
}
int main()
{
    unsigned bits, n;
    uint64_t seed;
    unsigned long long skip;
    while (std::cin >> bits >> seed >> skip >> n) {
        if (bits == 32)
            answer<std::mt19937>(seed, skip, n);
        else
            answer<std::mt19937_64>(seed, skip, n);
    }
}
"""


class RandomData(ctypes.Structure):
    _fields_ = [("fptr", ctypes.c_void_p), ("rptr", ctypes.c_void_p), ("state", ctypes.c_void_p),
                ("rand_type", ctypes.c_int), ("rand_deg", ctypes.c_int),
                ("rand_sep", ctypes.c_int), ("end_ptr", ctypes.c_void_p)]


class Drand48Data(ctypes.Structure):
    _fields_ = [("x", ctypes.c_ushort * 3), ("old_x", ctypes.c_ushort * 3), ("c", ctypes.c_ushort),
                ("init", ctypes.c_ushort), ("a", ctypes.c_ulonglong)]


LIBC = ctypes.CDLL("libc.so.6")


def must(status):
    assert status == 0, status


def state(form, raw):
    return {"form": form, "hex": bytes(raw).hex()}


def seed_of(value):
    return {"kind": "stream", "value": str(value)}


class Random:
    """random_r over one buffer, and another to which it is switched, so that the first one says
    all of the state."""

    def __init__(self, seed, size):
        self.data = RandomData()
        self.buffer = ctypes.create_string_buffer(size)
        self.other = ctypes.create_string_buffer(8)
        must(LIBC.initstate_r(ctypes.c_uint(seed), self.buffer, size, ctypes.byref(self.data)))

    def state(self):
        must(LIBC.initstate_r(1, self.other, 8, ctypes.byref(self.data)))
        must(LIBC.setstate_r(self.buffer, ctypes.byref(self.data)))
        return state("statebuf", self.buffer.raw)

    def draw(self, n):
        out = ctypes.c_int32()
        numbers = []
        for _ in range(n):
            must(LIBC.random_r(ctypes.byref(self.data), ctypes.byref(out)))
            numbers.append(out.value)
        return numbers


def random_cases(p):
    cases = []
    for size, type_number in ((8, 0), (32, 1), (64, 2), (128, 3), (256, 4)):
        seeds = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, p.bits(32), p.bits(20)]
        for i, seed in enumerate(seeds):
            r = Random(seed, size)
            r.draw(p.below(200) if i % 2 else 0)
            drawn = i % 2
            before = r.state()
            calls = []
            for n in (1, p.span(2, 9), p.span(60, 130)):
                calls.append(g.call("u31", {"n": n}, g.out_int(r.draw(n))))
            # A new stream of ours is of type 3.
            by_seed = seed_of(seed) if type_number == 3 and not drawn else None
            cases.append(g.case(f"random_r/{type_number}/{i}", by_seed, before, calls, r.state(),
                                stream="random_r"))
    return cases


class Drand48:
    def __init__(self):
        self.data = Drand48Data()

    def state(self):
        x = sum(word << (16 * i) for i, word in enumerate(self.data.x))
        member = {"a": self.data.a, "c": self.data.c, "kind": "drand48", "x": x}
        text = json.dumps(member, sort_keys=True, separators=(",", ":")) + "\n"
        return state("member", text.encode())

    def raw(self):
        return state("drand48_data", bytes(self.data))

    def draw(self, fn, n):
        call, result = {"f64": (LIBC.drand48_r, ctypes.c_double()),
                        "u31": (LIBC.lrand48_r, ctypes.c_long()),
                        "i32": (LIBC.mrand48_r, ctypes.c_long())}[fn]
        numbers = []
        for _ in range(n):
            must(call(ctypes.byref(self.data), ctypes.byref(result)))
            numbers.append(result.value)
        return numbers


def drand48_cases(p):
    cases = []
    for i in range(10):
        d = Drand48()
        by_seed = None
        if i < 6:
            seed = [0, 1, 2**32 - 1, 2**32 + 5, p.bits(32), p.u64()][i]
            must(LIBC.srand48_r(ctypes.c_long(g.signed(seed)), ctypes.byref(d.data)))
            by_seed = seed_of(seed)
        elif i < 8:
            words = (ctypes.c_ushort * 7)(*[p.below(1 << 16) for _ in range(7)])
            must(LIBC.lcong48_r(words, ctypes.byref(d.data)))
        elif i == 8:
            words = (ctypes.c_ushort * 3)(*[p.below(1 << 16) for _ in range(3)])
            must(LIBC.seed48_r(words, ctypes.byref(d.data)))
        before = d.state() if i < 9 else d.raw()  # the last one is not initialised
        calls = []
        for fn in p.some(["f64", "u31", "i32", "f64"], 4):
            n = p.span(1, 40)
            numbers = d.draw(fn, n)
            calls.append(g.call(fn, {"n": n},
                                g.out_f64(numbers) if fn == "f64" else g.out_int(numbers)))
        cases.append(g.case(f"drand48/{i}", by_seed, before, calls, d.state(), stream="drand48"))
    return cases


def cxx_cases(p):
    questions = []
    for bits, words in ((32, 624), (64, 312)):
        for i, seed in enumerate([0, 1, 42, 5489, 2**32 - 1, 2**32 + 1, p.u64(), p.u64()]):
            skip = [0, 0, 1, words - 1, words, words + 1, p.below(5 * words), 0][i]
            questions.append((bits, seed, skip, p.span(1, 2 * words) if i % 2 else p.span(1, 9)))
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "engines.cpp")
        with open(source, "w", encoding="ascii") as f:
            f.write(CXX_SOURCE)
        program = os.path.join(folder, "engines")
        compiler = os.environ.get("CXX") or "g++"
        subprocess.check_call([*compiler.split(), "-std=c++11", "-O1", source, "-o", program])
        text = "".join("%d %d %d %d\n" % q for q in questions)
        lines = subprocess.run([program], input=text, capture_output=True, text=True,
                               check=True).stdout.splitlines()
    cases = []
    for i, (bits, seed, skip, n) in enumerate(questions):
        before, drawn, after = lines[3 * i:3 * i + 3]
        words = [int(x) for x in drawn.split()]
        result = g.out_int(words) if n < 20 else g.digest(words, bits // 8)
        cases.append(g.case(
            f"mt19937_{bits}/{i % 8}", None if skip else seed_of(seed),
            state("text", (before + "\n").encode()),
            [g.call("u%d" % bits, {"n": n}, result)], state("text", (after + "\n").encode()),
            stream="std_mt19937" if bits == 32 else "std_mt19937_64"))
    return cases


def build(p):
    return random_cases(p) + drand48_cases(p) + cxx_cases(p)


if __name__ == "__main__":
    g.main("by_name", build, "random_r and drand48 of glibc; <random> of libstdc++",
           "glibc " + platform.libc_ver()[1], [("base", {})],
           notes=["States of random_r are the buffer of initstate_r(), with the rear in its first "
                  "word; of drand48 the fields of struct drand48_data that decide the numbers; of "
                  "the engines what operator<< writes."])
