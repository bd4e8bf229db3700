# SPDX-License-Identifier: Apache-2.0
"""Vectors of NumPy's Generator: SeedSequence and the five bit generators, state dicts, draws."""

import numpy as np
from numpy.random import MT19937, PCG64, PCG64DXSM, SFC64, Generator, Philox, SeedSequence

import gen_common as g

BITGENS = {
    "PCG64": PCG64,
    "PCG64DXSM": PCG64DXSM,
    "MT19937": MT19937,
    "Philox": Philox,
    "SFC64": SFC64,
}
INT_TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def plain(x):
    """bit_generator.state with arrays as lists and 64/128-bit integers as decimal strings."""
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, np.ndarray):
        return [str(int(v)) if x.dtype == np.uint64 else int(v) for v in x]
    if isinstance(x, str):
        return x
    x = int(x)
    return x if x < 1 << 33 else str(x)


def fix(st):
    """PCG state and increment are strings whatever their size."""
    d = plain(st)
    if d["bit_generator"].startswith("PCG64"):
        d["state"] = {k: str(v) for k, v in d["state"].items()}
    return d


def state_of(gen):
    return fix(gen.bit_generator.state)


def flat(x):
    return np.asarray(x).ravel()


def seed_json(name, ent, key=(), pool=4):
    def num(v):
        return [str(x) for x in v] if isinstance(v, (list, tuple)) else str(v)

    return {
        "kind": "seed_sequence",
        "bit_generator": name,
        "entropy": num(ent),
        "spawn_key": list(key),
        "pool_size": pool,
    }


def run(cid, name, ent, ops, key=(), pool=4, gen=None, **more):
    if gen is None:
        gen = Generator(BITGENS[name](SeedSequence(ent, spawn_key=key, pool_size=pool)))
        sj = seed_json(name, ent, key, pool)
    else:
        sj = None
    before = state_of(gen)
    calls = [g.call(fn, args, f(gen)) for fn, args, f in ops]
    return g.case(cid, sj, before, calls, state_of(gen), **more)


def op(fn, result, *a, **k):
    args = dict(k)
    if a:
        args["params"] = list(a)
    return (fn, args, lambda r: result(flat(getattr(r, fn)(*a, **k))))


def op_d(fn, *a, **k):
    return op(fn, g.out_f64, *a, **k)


def op_f(fn, *a, **k):
    return op(fn, g.out_f32, *a, dtype="float32", **k)


def op_i(fn, *a, **k):
    return op(fn, g.out_int, *a, **k)


def op_ints(lo, hi, size, dtype, endpoint=False):
    return (
        "integers",
        {"low": lo, "high": hi, "size": size, "dtype": dtype, "endpoint": endpoint},
        lambda r: g.out_int(flat(r.integers(lo, hi, size=size, dtype=dtype, endpoint=endpoint))),
    )


def op_ints_scalar(lo, hi, n, dtype):
    return (
        "integers_scalar",
        {"low": lo, "high": hi, "n": n, "dtype": dtype},
        lambda r: g.out_int([r.integers(lo, hi, dtype=dtype) for _ in range(n)]),
    )


def op_raw(n):
    return ("random_raw", {"size": n}, lambda r: g.out_int(r.bit_generator.random_raw(n)))


def op_bytes(n):
    return ("bytes", {"length": n}, lambda r: g.out_bytes(r.bytes(n)))


def op_shuffle(n, kind="array"):
    def f(r):
        x = (
            list(range(n))
            if kind == "list"
            else np.arange(n, dtype=np.uint16 if kind == "array-u16" else None)
        )
        r.shuffle(x)
        return g.out_int(x)

    return ("shuffle", {"x": "arange(%d)" % n, "container": kind}, f)


def op_shuffle_axis(n, m, axis):
    def f(r):
        x = np.arange(n * m).reshape(n, m)
        r.shuffle(x, axis=axis)
        return g.out_int(flat(x))

    return ("shuffle", {"x": "arange(%d).reshape(%d,%d)" % (n * m, n, m), "axis": axis}, f)


def op_2d(fn, n, m, axis):
    return (
        fn,
        {"x": "arange(%d).reshape(%d,%d)" % (n * m, n, m), "axis": axis},
        lambda r: g.out_int(flat(getattr(r, fn)(np.arange(n * m).reshape(n, m), axis=axis))),
    )


def op_choice(pop, size, replace=True, w=None, shuffle=True):
    pr = None if w is None else [x / float(sum(w)) for x in w]

    def f(r):
        x = flat(r.choice(pop, size=size, replace=replace, p=pr, shuffle=shuffle))
        return g.out_int(x) if len(x) <= 400 else g.digest(x.astype(np.uint64), 8)

    return ("choice", {"a": pop, "size": size, "replace": replace, "p": pr, "shuffle": shuffle}, f)


def op_stream(n):
    return ("stream_u64", {"n": n}, lambda r: g.digest(r.bit_generator.random_raw(n), 8))


def op_jumped(j):
    def f(r):
        b = r.bit_generator.jumped(j)
        return {"type": "state", "out": [fix(b.state)]}

    return ("jumped", {"jumps": j}, f)


def op_advance(d):
    """In place; clears the buffered half word."""

    def f(r):
        r.bit_generator.advance(d)
        return {"type": "state", "out": [state_of(r)]}

    return ("advance", {"delta": d}, f)


def bounds(p, dtype):
    ii = np.iinfo(dtype)
    lo, hi = int(ii.min), int(ii.max)
    k = p.below(6)
    if k == 0:
        return lo, hi + 1
    if k == 1:
        return lo, hi
    if k == 2:
        return 0, 1
    if k == 3:
        a = p.span(0, 9)
        return a, a + p.span(2, 100)
    w = min(p.bits(p.span(1, ii.bits)), hi - lo)
    a = lo + p.below(hi - lo - w + 1)
    return a, a + w + 1


def any_op(p):
    k = p.below(20)
    n = p.span(1, 7)
    dt = p.one(INT_TYPES)
    if k == 0:
        return op_d("random", size=n)
    if k == 1:
        return op_d("random")
    if k == 2:
        return op_f("random", size=n)
    if k in (3, 4, 5):
        return op_ints(*bounds(p, dt), n, dt)
    if k == 6:
        return op_ints_scalar(*bounds(p, dt), n, dt)
    if k == 7:
        return op_d("standard_normal", size=n)
    if k == 8:
        return op_f("standard_normal", size=n)
    if k == 9:
        return op_d("normal", p.real(-4, 4), p.real(0.25, 3), size=n)
    if k == 10:
        return op_d("uniform", p.real(-9, 0), p.real(1, 9), size=n)
    if k == 11:
        return op_choice(p.span(8, 90), n, False, shuffle=False)
    if k == 12:
        return op_2d("permuted", p.span(2, 5), p.span(2, 5), 1)
    if k == 13:
        return op_shuffle(p.span(1, 25), p.one(["array", "list", "array-u16"]))
    if k == 14:
        return op_i("permutation", p.span(1, 25))
    if k == 15:
        return op_choice(p.span(8, 90), n)
    if k == 16:
        return op_choice(p.span(8, 90), n, False)
    if k == 17:
        return op_choice(6, n, True, [p.span(1, 9) for _ in range(6)])
    if k == 18:
        return op_ints(0, 2, n * 5, "bool")
    return op_raw(n)


ENTROPIES = [
    0,
    1,
    42,
    12345,
    2**31,
    2**32 - 1,
    2**32,
    2**64 - 1,
    2**64,
    2**96 + 7,
    2**128 - 1,
    2**128,
    [0],
    [1],
    [0, 0],
    [1, 2, 3],
    [1, 2, 3, 4, 5],
    [2**32, 1],
    [42, 2**70],
]


def seq_case(cid, ent, key, pool, p):
    ss = SeedSequence(ent, spawn_key=key, pool_size=pool)
    before = {"pool": [int(x) for x in ss.pool], "n_children_spawned": int(ss.n_children_spawned)}
    calls = []
    for n in (1, 4, p.span(5, 12)):
        calls.append(
            g.call(
                "generate_state", {"n_words": n, "dtype": "uint32"}, g.out_int(ss.generate_state(n))
            )
        )
        calls.append(
            g.call(
                "generate_state",
                {"n_words": n, "dtype": "uint64"},
                g.out_int(ss.generate_state(n, np.uint64)),
            )
        )
    for n in (1, 2):
        kids = ss.spawn(n)
        calls.append(
            g.call(
                "spawn",
                {"n_children": n},
                {
                    "type": "children",
                    "out": [
                        {
                            "spawn_key": list(map(int, k.spawn_key)),
                            "pool": [int(x) for x in k.pool],
                            "generate_state_4": [int(x) for x in k.generate_state(4)],
                        }
                        for k in kids
                    ],
                },
            )
        )
    kid = ss.spawn(1)[0].spawn(2)[1]
    calls.append(
        g.call(
            "spawn_of_child",
            {"child": 3, "grandchild": 1},
            {
                "type": "children",
                "out": [
                    {
                        "spawn_key": list(map(int, kid.spawn_key)),
                        "pool": [int(x) for x in kid.pool],
                        "generate_state_4": [int(x) for x in kid.generate_state(4)],
                    }
                ],
            },
        )
    )
    after = {"pool": [int(x) for x in ss.pool], "n_children_spawned": int(ss.n_children_spawned)}
    sj = seed_json(None, ent, key, pool)
    return g.case(cid, sj, before, calls, after)


def build(p):
    cases = []
    add = cases.append
    names = list(BITGENS)
    fresh = lambda: p.one(
        [p.bits(p.span(1, 32)), p.bits(64), p.bits(128), p.bits(p.span(129, 300))]
    )

    for i, e in enumerate(p.some(ENTROPIES, 11) + [fresh(), fresh(), [p.bits(40), p.bits(20), 0]]):
        add(seq_case("seedseq/%02d" % i, e, (), 4, p))
    add(seq_case("seedseq/spawn-key", p.bits(20), (p.span(0, 9),), 4, p))
    add(seq_case("seedseq/spawn-keys", p.bits(100), (p.span(0, 9), p.bits(33), 0), 4, p))
    add(seq_case("seedseq/pool8", p.bits(70), (), 8, p))
    add(seq_case("seedseq/pool8-key", p.bits(300), (1, 2), 8, p))

    for name in names:
        for i, e in enumerate(p.some(ENTROPIES, 4) + [fresh()]):
            add(
                run(
                    "%s/seed/%d" % (name, i),
                    name,
                    e,
                    [op_raw(3), op_d("random", size=2), op_f("random", size=3)],
                )
            )
        add(
            run(
                "%s/seed/spawned" % name,
                name,
                p.bits(60),
                [op_raw(3), op_d("random")],
                key=(p.span(0, 5), 1),
            )
        )

        for dt in p.some(INT_TYPES, 8):
            ops = [op_ints(*bounds(p, dt), p.span(1, 11), dt) for _ in range(6)]
            ii = np.iinfo(dt)
            ops += [
                op_ints(int(ii.min), int(ii.max), 5, dt, True),
                op_ints(3, 3, 2, dt, True),
                op_ints_scalar(*bounds(p, dt), 5, dt),
                op_d("random"),
            ]
            add(run("%s/integers/%s" % (name, dt), name, fresh(), ops))
        add(
            run(
                "%s/integers/bool" % name,
                name,
                fresh(),
                [
                    op_ints(0, 2, p.span(33, 70), "bool"),
                    op_ints_scalar(0, 2, 5, "bool"),
                    op_ints(0, 1, 3, "bool"),
                    op_d("random"),
                ],
            )
        )
        add(
            run(
                "%s/bytes" % name,
                name,
                fresh(),
                [op_bytes(1), op_bytes(5), op_bytes(8), op_bytes(p.span(9, 30)), op_d("random")],
                optional=True,
            )
        )
        add(
            run(
                "%s/integers/int64-edges" % name,
                name,
                fresh(),
                [
                    op_ints(0, 2**32, 3, "int64"),
                    op_ints(0, 2**32 - 1, 3, "int64"),
                    op_ints(0, 2**32 + 1, 3, "int64"),
                    op_ints(-(2**63), 2**63, 3, "int64"),
                    op_ints(-(2**63), 2**63 - 1, 3, "int64"),
                    op_ints(0, 2**63, 3, "int64"),
                    op_ints(0, 3 * 2**61, 6, "int64"),
                    op_ints(0, 3 * 2**30, 6, "uint32"),
                    op_ints(5, 6, 2, "int64"),
                    op_d("random"),
                ],
            )
        )

        def op_bcast(lo, hi, dtype):
            return (
                "integers_broadcast",
                {"low": lo, "high": hi, "dtype": dtype},
                lambda r: g.out_int(flat(r.integers(lo, hi, dtype=dtype))),
            )

        add(
            run(
                "%s/integers/broadcast" % name,
                name,
                fresh(),
                [
                    op_bcast([0] * 6, [200, 3, 256, 1, 99, 5], "uint8"),
                    op_bcast([-5, 0, 100], [5, 70, 30000], "int16"),
                    op_bcast(
                        [p.span(0, 50) for _ in range(5)],
                        [p.span(51, 300) for _ in range(5)],
                        "int32",
                    ),
                    op_bcast([0, -9], [2**32, 9], "int64"),
                    op_d("random"),
                ],
            )
        )

        # A 32-bit draw leaves half a word behind; 64-bit draws step over it.
        add(
            run(
                "%s/float/halves" % name,
                name,
                fresh(),
                [
                    op_f("random", size=1),
                    op_d("random", size=2),
                    op_f("random", size=2),
                    op_d("standard_normal", size=1),
                    op_f("standard_normal", size=3),
                    op_ints(0, 10, 1, "uint8"),
                    op_d("random"),
                    op_f("random", size=2),
                ],
            )
        )
        add(
            run(
                "%s/float/normal" % name,
                name,
                fresh(),
                [
                    op_d("uniform", p.real(-9, 0), p.real(1, 9), size=6),
                    op_d("standard_normal"),
                    op_d("standard_normal", size=p.span(30, 60)),
                    op_d("normal", p.real(-5, 5), p.real(0.5, 4), size=9),
                    op_f("standard_normal", size=p.span(20, 41)),
                ],
            )
        )
        add(
            run(
                "%s/float/other" % name,
                name,
                fresh(),
                [
                    op_d("standard_exponential", size=9),
                    op_f("standard_exponential", size=9),
                    op_d("standard_exponential", size=4, method="inv"),
                    op_f("standard_exponential", size=4, method="inv"),
                    op_d("exponential", p.real(0.25, 4), size=4),
                    op_d("standard_gamma", p.real(0.125, 0.9), size=4),
                    op_d("standard_gamma", p.real(1.25, 5), size=4),
                    op_f("standard_gamma", p.real(1.25, 5), size=4),
                    op_d("lognormal", 0.0, p.real(0.25, 1), size=4),
                ],
                optional=True,
            )
        )

        add(
            run(
                "%s/seq/shuffle" % name,
                name,
                fresh(),
                [
                    op_shuffle(0),
                    op_shuffle(1),
                    op_shuffle(2),
                    op_shuffle(p.span(3, 40)),
                    op_shuffle(p.span(3, 40), "list"),
                    op_shuffle(p.span(3, 40), "array-u16"),
                    op_shuffle_axis(p.span(3, 7), 3, 0),
                    op_shuffle_axis(3, p.span(3, 7), 1),
                ],
            )
        )
        add(
            run(
                "%s/seq/permute" % name,
                name,
                fresh(),
                [
                    op_i("permutation", 1),
                    op_i("permutation", p.span(2, 60)),
                    op_2d("permutation", p.span(3, 7), 2, 0),
                    op_2d("permutation", 2, p.span(3, 7), 1),
                    op_2d("permuted", 3, p.span(3, 6), 1),
                    op_2d("permuted", p.span(3, 6), 3, 0),
                    op_2d("permuted", 3, 3, None),
                ],
            )
        )
        w = [p.span(0, 9) for _ in range(6)] + [2, 3, 4]
        big = p.span(10001, 12000)
        add(
            run(
                "%s/seq/choice" % name,
                name,
                fresh(),
                [
                    op_choice(1, 2),
                    op_choice(p.span(2, 99), 9),
                    op_choice(2**33 + 3, 3),
                    op_choice(p.span(2, 9), None),
                    op_choice(p.span(20, 60), 20, False),
                    op_choice(p.span(200, 400), 5, False),
                    op_choice(p.span(200, 400), 5, False, shuffle=False),
                    op_choice(7, 7, False),
                    op_choice(big, big // 50, False),
                    op_choice(big, big // 50 + 1, False),
                    op_choice(big, big // 20, False, shuffle=False),
                    op_choice(big, big // 20 + 1, False, shuffle=False),
                    op_choice(10000, 300, False),
                    op_choice(9, 12, True, w),
                    op_choice(9, 3, False, w),
                ],
            )
        )

        jumps = [op_jumped(1), op_jumped(p.span(2, 4))] if name != "SFC64" else []
        if name not in ("SFC64", "MT19937"):
            jumps += [
                op_f("random", size=1),
                op_advance(p.span(1, 1000)),
                op_raw(2),
                op_advance(p.bits(100)),
                op_raw(2),
            ]
        if jumps:
            add(run("%s/jump" % name, name, fresh(), jumps, optional=True))

        tail = lambda: [
            op_f("random", size=1),
            op_d("random", size=2),
            op_ints(0, 1000, 3, "int64"),
            op_shuffle(p.span(5, 12)),
            op_d("standard_normal", size=2),
            op_f("random", size=2),
        ]
        gen = Generator(BITGENS[name](fresh()))
        gen.random(p.span(1, 9), dtype=np.float32)
        gen.integers(0, 100, size=p.span(1, 9))
        add(run("%s/restore/mid" % name, name, None, tail(), gen=gen))
        gen = Generator(BITGENS[name](fresh()))
        gen.bit_generator.random_raw(p.span(1, 700))
        gen.random(1, dtype=np.float32)
        add(run("%s/restore/half-word" % name, name, None, tail(), gen=gen))
        if name == "Philox":
            for k in (1, 2, 3, 4):
                gen = Generator(Philox(fresh()))
                gen.bit_generator.random_raw(4 * p.span(0, 5) + k)
                add(run("Philox/restore/buffer-pos-%d" % k, name, None, tail(), gen=gen))
            gen = Generator(Philox(key=p.bits(128), counter=2**64 * p.span(1, 9) - 1))
            add(run("Philox/restore/counter-carry", name, None, [op_raw(9)] + tail(), gen=gen))
            gen = Generator(Philox(key=p.bits(128), counter=2**256 - 2))
            add(run("Philox/restore/counter-wrap", name, None, [op_raw(13)] + tail(), gen=gen))
        if name == "MT19937":
            for k in (1, 623, 624):
                gen = Generator(MT19937(fresh()))
                gen.bit_generator.random_raw(1 + 624 - (624 - k if k < 624 else 0))
                st = gen.bit_generator.state
                add(run("MT19937/restore/pos-%d" % st["state"]["pos"], name, None, tail(), gen=gen))
        add(
            run("%s/stream" % name, name, fresh(), [op_stream(p.span(3000, 20000)), op_d("random")])
        )
        for i in range(4):
            add(
                run(
                    "%s/mixed/%d" % (name, i),
                    name,
                    fresh(),
                    [any_op(p) for _ in range(p.span(12, 24))],
                )
            )
    return cases


if __name__ == "__main__":
    g.main(
        "numpy_generator",
        build,
        "NumPy numpy.random.Generator",
        np.__version__,
        g.LIBM_VARIANTS,
        [
            "bit_generator.state is given as the dict NumPy returns; uint64 words and the PCG "
            "integers are decimal strings.",
            "float32 draws are exact for NumPy 1.22 and later.",
            "An array result is given flat, in C order.",
        ],
    )
