# SPDX-License-Identifier: Apache-2.0
"""Vectors of jax.random on the CPU, or on a GPU with --device cuda: keys of threefry2x32 in both
layouts, rbg and unsafe_rbg; seeds with and without 64-bit types. Needs JAX, for such a device."""

import json

import jax
import jax.numpy as jnp
import numpy as np

import gen_common as g

DTYPES = {"u8": jnp.uint8, "u16": jnp.uint16, "u32": jnp.uint32, "u64": jnp.uint64}


def words(key):
    return [int(x) for x in np.asarray(jax.random.key_data(key)).reshape(-1)]


def member(impl, key, partitionable, x64):
    text = json.dumps({"impl": impl, "key": words(key), "kind": "jax_key",
                       "partitionable": partitionable, "x64": x64},
                      sort_keys=True, separators=(",", ":")) + "\n"
    return {"form": "member", "hex": text.encode().hex()}


def calls_of(p, key):
    # Numbers of 64 bits need the flag; it does not change what the others are.
    calls = []
    with jax.enable_x64(True):
        for n in (1, p.span(2, 9), p.span(30, 70)):
            for fn, dtype in DTYPES.items():
                numbers = np.asarray(jax.random.bits(key, (n,), dtype))
                calls.append(g.call(fn, {"n": n}, g.out_int(numbers)))
            calls.append(g.call("f32", {"n": n}, g.out_f32(jax.random.uniform(
                key, (n,), jnp.float32))))
            calls.append(g.call("f64", {"n": n}, g.out_f64(jax.random.uniform(
                key, (n,), jnp.float64))))
        for dtype in ("int32", "int64"):
            for low, high in ((0, 10), (-5, -4), (-2**31, 2**31 - 1), (0, 2**20 + 7)):
                n = p.span(1, 9)
                calls.append(g.call("randint", {"n": n, "minval": low, "maxval": high,
                                                "dtype": dtype},
                                    g.out_int(np.asarray(jax.random.randint(
                                        key, (n,), low, high, jnp.dtype(dtype))))))
    for n in (1, 2, p.span(3, 30), 1625, 1626, 3000):
        order = [int(x) for x in np.asarray(jax.random.permutation(key, n))]
        calls.append(g.call("permutation", {"n": n},
                            g.out_int(order) if n < 50 else g.digest(order, 4)))
    for n in (1, 2, p.span(3, 9)):
        split = np.asarray(jax.random.key_data(jax.random.split(key, n))).reshape(-1)
        calls.append(g.call("split", {"num": n}, g.out_int(split)))
    for data in (0, 1, p.bits(32)):
        folded = jax.random.fold_in(key, np.uint32(data))
        calls.append(g.call("fold_in", {"data": data}, g.out_int(words(folded))))
    return calls


def build(p):
    cases = []
    for impl in ("threefry2x32", "rbg", "unsafe_rbg"):
        for partitionable in (True, False):
            for x64 in (False, True):
                seed = p.one([0, 42, 2**32 + 1, 2**63 - 1]) if x64 else p.bits(31)
                with jax.threefry_partitionable(partitionable):
                    with jax.enable_x64(x64):
                        key = jax.random.key(seed, impl=impl)
                    before = member(impl, key, partitionable, x64)
                    # A new stream of ours has the configuration that JAX begins with.
                    ours = impl == "threefry2x32" and partitionable and not x64
                    name = f"{impl}/{'part' if partitionable else 'orig'}/{'x64' if x64 else 'x32'}"
                    cases.append(g.case(name, {"kind": "stream", "value": str(seed)} if ours
                                        else None, before, calls_of(p, key), before,
                                        stream="jax_key"))
    # The counter of rbg carries from its low half to its high one, and round.
    for i, raw in enumerate(([1, 2, 0xfffffffe, 0xffffffff], [0xffffffff] * 4)):
        key = jax.random.wrap_key_data(jnp.array(raw, dtype=jnp.uint32), impl="rbg")
        before = member("rbg", key, True, False)
        cases.append(g.case(f"rbg/carry/{i}", None, before, calls_of(p, key), before,
                            stream="jax_key"))
    return cases


if __name__ == "__main__":
    g.main("by_name", build, "jax.random, %s backend", jax.__version__, [("base", {})],
           notes=["A state is our member; its words are jax.random.key_data(key). Draws do not "
                  "change a key.", "JAX does not promise that rbg and unsafe_rbg are the same on "
                  "every backend."],
           device_env="JAX_PLATFORMS")
