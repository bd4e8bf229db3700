# SPDX-License-Identifier: Apache-2.0
"""Vectors of tf.random.Generator over Philox, on the CPU. Needs TensorFlow."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import tensorflow as tf  # noqa: E402

import gen_common as g  # noqa: E402


def state(generator):
    return {"form": "variable", "hex": generator.state.numpy().tobytes().hex()}


def draw(generator, fn, n):
    if fn == "f32":
        return g.out_f32(generator.uniform([n], dtype=tf.float32).numpy())
    if fn == "f64":
        return g.out_f64(generator.uniform([n], dtype=tf.float64).numpy())
    dtype = tf.uint32 if fn == "u32" else tf.uint64
    return g.out_int(generator.uniform_full_int([n], dtype=dtype).numpy())


def build(p):
    cases = []
    states = [[g.signed(p.u64()) for _ in range(3)] for _ in range(4)]
    states += [[-1, -1, 7], [-1, 2**63 - 1, -2**63], [2**63 - 1, 0, 0]]  # carries, and round
    for i, seed in enumerate([0, 1, 1234, 2**63 - 1, 2**63, 2**64 - 1, None] + states):
        by_seed = None
        if isinstance(seed, int):
            generator = tf.random.Generator.from_seed(seed)
            by_seed = {"kind": "stream", "value": str(seed)}
        else:
            generator = tf.random.Generator.from_state(seed or [5, 6, 7], alg="philox")
        before = state(generator)
        calls = []
        for fn in p.some(["f32", "f64", "u32", "u64"], 4) + ["u32"]:
            n = p.span(1, 20)
            calls.append(g.call(fn, {"n": n}, draw(generator, fn, n)))
        cases.append(g.case(f"philox/{i}", by_seed, before, calls, state(generator),
                            stream="tensorflow_generator"))
    return cases


if __name__ == "__main__":
    g.main("by_name", build, "tf.random.Generator, CPU", tf.__version__, [("base", {})],
           notes=["A state is the bytes of generator.state, int64."])
