# SPDX-License-Identifier: Apache-2.0
"""Vectors of cuRAND: the functions of curand_kernel.h, compiled for the host, over arrays of
states; and the generators that curandCreateGeneratorHost makes. Needs a CUDA toolkit ($CUDA_HOME,
or /usr/local/cuda) and a C++ compiler ($CXX, or g++); no GPU."""

import json
import os
import re
import subprocess
import tempfile

import gen_common as g

FOLDER = os.environ.get("CUDA_HOME") or "/usr/local/cuda"

# Lines "philox|xorwow SEED SUBSEQUENCE OFFSET COUNT [FN N]...": COUNT states from SUBSEQUENCE on.
# Lines "host TYPE ORDERING SEED OFFSET FN N": what one call gives.
SOURCE = r"""
#define QUALIFIERS static inline
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>
#include <cuda_runtime.h>
#include <curand.h>
#include <curand_kernel.h>
static void put(const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        printf("%02x", static_cast<const unsigned char *>(data)[i]);
    printf("\n");
}
static void four(curandStateXORWOW_t *, uint32_t *) {}
static void four(curandStatePhilox4_32_10_t *state, uint32_t *out)
{
    uint4 x = curand4(state);
    memcpy(out, &x, sizeof x);
}
template <class State> static void device(std::istream &line)
{
    unsigned long long seed, subsequence, offset;
    size_t count, n;
    std::string fn;
    line >> seed >> subsequence >> offset >> count;
    std::vector<State> states(count);
    memset(states.data(), 0, count * sizeof(State));
    for (size_t i = 0; i < count; i++)
        curand_init(seed, subsequence + i, offset, &states[i]);
    put(states.data(), count * sizeof(State));
    while (line >> fn >> n) {
        std::vector<uint64_t> wide(n);
        std::vector<uint32_t> narrow(n + 3);
        for (size_t i = 0; i < n; i++) {
            State *state = &states[i % count];
            if (fn == "u32") {
                narrow[i] = curand(state);
            } else if (fn == "u32x4") {
                if (i % 4 == 0)
                    four(&states[i / 4 % count], &narrow[i]);
            } else if (fn == "f32") {
                float x = curand_uniform(state);
                memcpy(&narrow[i], &x, sizeof x);
            } else if (fn == "normal_f32") {
                float x = curand_normal(state);
                memcpy(&narrow[i], &x, sizeof x);
            } else {
                double x = fn == "f64" ? curand_uniform_double(state) : curand_normal_double(state);
                memcpy(&wide[i], &x, sizeof x);
            }
        }
        bool is_wide = fn == "f64" || fn == "normal";
        put(is_wide ? static_cast<void *>(wide.data()) : narrow.data(), n * (is_wide ? 8 : 4));
    }
    put(states.data(), count * sizeof(State));
}
static void host(std::istream &line)
{
    int type, ordering, status = 0;
    unsigned long long seed, offset;
    size_t n;
    std::string fn;
    curandGenerator_t generator;
    line >> type >> ordering >> seed >> offset >> fn >> n;
    std::vector<double> out(n + 1);
    status |= curandCreateGeneratorHost(&generator, static_cast<curandRngType_t>(type));
    status |= curandSetGeneratorOrdering(generator, static_cast<curandOrdering_t>(ordering));
    status |= curandSetPseudoRandomGeneratorSeed(generator, seed);
    status |= curandSetGeneratorOffset(generator, offset);
    if (fn == "u32")
        status |= curandGenerate(generator, reinterpret_cast<unsigned *>(out.data()), n);
    else if (fn == "f32")
        status |= curandGenerateUniform(generator, reinterpret_cast<float *>(out.data()), n);
    else
        status |= curandGenerateUniformDouble(generator, out.data(), n);
    curandDestroyGenerator(generator);
    if (status != 0)
        fprintf(stderr, "cuRAND: status %d\n", status);
    put(out.data(), status ? 0 : n * (fn == "f64" ? 8 : 4));
}
int main()
{
    std::string text, what;
    while (std::getline(std::cin, text)) {
        std::istringstream line(text);
        line >> what;
        if (what == "host")
            host(line);
        else if (what == "philox")
            device<curandStatePhilox4_32_10_t>(line);
        else
            device<curandStateXORWOW_t>(line);
    }
}
"""


class Tool:
    """The program above; it answers one line with several."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        source = os.path.join(self.folder.name, "oracle.cpp")
        program = os.path.join(self.folder.name, "oracle")
        with open(source, "w", encoding="ascii") as f:
            f.write(SOURCE)
        libraries = next(folder for folder in (FOLDER + "/lib64", FOLDER + "/lib")
                         if os.path.exists(folder + "/libcurand.so"))
        compiler = os.environ.get("CXX") or "g++"
        subprocess.check_call([*compiler.split(), "-std=c++17", "-O1", "-w",
                               "-I", FOLDER + "/include", source, "-o", program, "-L", libraries,
                               "-Wl,-rpath," + libraries, "-lcurand"])
        self.program = program

    def ask(self, line):
        done = subprocess.run([self.program], input=line + "\n", capture_output=True, text=True,
                              check=True)
        assert not done.stderr, done.stderr
        return [bytes.fromhex(x) for x in done.stdout.splitlines()]


def version():
    with open(FOLDER + "/include/curand.h", encoding="utf-8") as f:
        text = f.read()
    return ".".join(re.search(rf"#define CURAND_VER_{part} (\d+)", text).group(1)
                    for part in ("MAJOR", "MINOR", "PATCH"))


def result(fn, raw):
    if fn in ("f64", "normal"):
        return g.out_f64(memoryview(raw).cast("d"))
    if fn in ("f32", "normal_f32"):
        return g.out_f32(memoryview(raw).cast("f"))
    return g.out_int(memoryview(raw).cast("I"))


def device_cases(p, tool):
    cases = []
    for kind in ("philox", "xorwow"):
        fns = ["u32", "f32", "f64", "normal_f32", "normal", "u32"]
        fns += ["u32x4", "u32x4"] if kind == "philox" else []
        for i in range(14):
            count = [1, 1, 1, 1, 1, 3, 7][i % 7]
            seed = [0, 1, 2**64 - 1, 2**32 + 5, p.u64(), p.u64(), p.u64()][i % 7]
            subsequence = [0, 0, 0, p.below(1 << 20), p.u64() >> 20, p.below(99), 0][i % 7]
            offset = [0, 0, 1, p.below(1 << 30), p.u64() >> 8, p.below(9), 2][i % 7]
            some = [(fn, p.span(1, 21)) for fn in p.some(fns, 5)]
            if i == 0:  # each state alone goes through every place of a block
                some = [("u32", 1), ("u32x4" if kind == "philox" else "u32", 4)] * 5
            line = [kind, seed, subsequence, offset, count] + [x for pair in some for x in pair]
            answers = tool.ask(" ".join(map(str, line)))
            calls = [g.call(fn, {"n": n}, result(fn, raw))
                     for (fn, n), raw in zip(some, answers[1:])]
            by_seed = count == 1 and subsequence == 0 and offset == 0
            cases.append(g.case(f"{kind}/{i}",
                                {"kind": "stream", "value": str(seed)} if by_seed else None,
                                {"form": "member", "hex": answers[0].hex()}, calls,
                                {"form": "member", "hex": answers[-1].hex()},
                                stream="curand_" + kind))
    return cases


def host_state(type_name, ordering, seed, offset):
    def number(x):
        return x if x <= 1 << 53 else str(x)
    text = json.dumps({"kind": "curand_host", "offset": number(offset), "ordering": ordering,
                       "seed": number(seed), "type": type_name},
                      sort_keys=True, separators=(",", ":")) + "\n"
    return {"form": "member", "hex": text.encode().hex()}


def host_cases(p, tool):
    cases = []
    orderings = {"best": 100, "default": 101, "legacy": 103}
    for type_name, type_number in (("philox4_32_10", 161), ("xorwow", 101)):
        for i in range(15):
            ordering = list(orderings)[i % 3]
            seed = [0, 1, 2**64 - 1, p.u64(), p.u64()][i % 5]
            offset = [0, 1, 3, 4095, 4096, 4097, p.below(1 << 20), 4 * 65536 - 2,
                      8192 * p.below(99), p.u64() >> 12, 4 * 65536 + 1, p.u64() >> 12,
                      p.below(1 << 40), 5 * 65536 - 1, p.below(1 << 30)][i]
            fn = ["u32", "f32", "f64", "u32", "f64"][i % 5]
            n = [p.span(1, 30), p.span(1, 30), 300000][i // 5]
            step = n
            if type_name == "xorwow" and fn == "f64":
                offset, n, step = 4096 * p.below(1 << 30), [4096, 0, 3 * 4096][i // 5], 0
                step = 2 * n
            raw, = tool.ask(" ".join(map(str, ["host", type_number, orderings[ordering], seed,
                                               offset, fn, n])))
            out = result(fn, raw)
            if n > 50:
                width = 8 if fn == "f64" else 4
                out = g.digest(memoryview(raw).cast("Q" if width == 8 else "I"), width)
            cases.append(g.case(f"host/{type_name}/{i}", None,
                                host_state(type_name, ordering, seed, offset),
                                [g.call(fn, {"n": n}, out)],
                                host_state(type_name, ordering, seed, offset + step),
                                stream="curand_host"))
    return cases


def build(p):
    tool = Tool()
    return device_cases(p, tool) + host_cases(p, tool)


if __name__ == "__main__":
    g.main("by_name", build, "cuRAND: curand_kernel.h on the host, curandCreateGeneratorHost",
           version(), g.LIBM_VARIANTS,
           notes=["Element i of a draw is taken from state i mod count, u32x4 four at a time; "
                  "normals are what the header gives on the host, with its libm."])
