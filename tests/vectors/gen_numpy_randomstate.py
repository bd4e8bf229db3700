# SPDX-License-Identifier: Apache-2.0
"""Vectors of NumPy's legacy RandomState (MT19937 with legacy seeding and distributions)."""

import numpy as np

import gen_common as g

INT_TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def encode_state(st):
    name, key, pos, has_gauss, cached = st
    return {
        "bit_generator": name,
        "key": [int(x) for x in key],
        "pos": int(pos),
        "has_gauss": int(has_gauss),
        "cached_gaussian": {"f64": float(cached).hex(), "bits": g.f64_bits(float(cached))},
    }


def state_of(r):
    return encode_state(r.get_state(legacy=True))


def make(seed):
    """seed: int, list of ints (init_by_array), or {"seed_sequence": entropy}."""
    if isinstance(seed, dict):
        return np.random.RandomState(
            np.random.MT19937(np.random.SeedSequence(seed["seed_sequence"]))
        )
    return np.random.RandomState(seed)


def seed_json(seed):
    if isinstance(seed, dict):
        return {"kind": "seed_sequence", "entropy": str(seed["seed_sequence"])}
    if isinstance(seed, list):
        return {"kind": "array", "value": seed}
    return {"kind": "int", "value": str(seed)}


def run(cid, seed, ops, r=None, before=None, **more):
    if r is None:
        r = make(seed)
        sj = seed_json(seed)
    else:
        sj = None
    before = before or state_of(r)
    calls = [g.call(fn, args, f(r)) for fn, args, f in ops]
    return g.case(cid, sj, before, calls, state_of(r), **more)


def flat(x):
    return np.asarray(x).ravel()


def op(fn, result, *a, **k):
    args = dict(k)
    if a:
        args["params"] = list(a)
    return (fn, args, lambda r: result(flat(getattr(r, fn)(*a, **k))))


def op_f(fn, *a, **k):
    return op(fn, g.out_f64, *a, **k)


def op_i(fn, *a, **k):
    return op(fn, g.out_int, *a, **k)


def op_randint(lo, hi, size, dtype):
    return (
        "randint",
        {"low": lo, "high": hi, "size": size, "dtype": dtype},
        lambda r: g.out_int(flat(r.randint(lo, hi, size=size, dtype=dtype))),
    )


def op_randint_scalar(lo, hi, n, dtype):
    """n calls with size=None: each call starts with an empty 8/16-bit buffer."""
    return (
        "randint_scalar",
        {"low": lo, "high": hi, "n": n, "dtype": dtype},
        lambda r: g.out_int([r.randint(lo, hi, dtype=dtype) for _ in range(n)]),
    )


def op_bytes(n):
    return ("bytes", {"length": n}, lambda r: g.out_bytes(r.bytes(n)))


def op_shuffle(n, kind="array"):
    def f(r):
        x = np.arange(n) if kind == "array" else list(range(n))
        if kind == "array-u8":
            x = np.arange(n, dtype=np.uint8)
        r.shuffle(x)
        return g.out_int(x)

    return ("shuffle", {"x": "arange(%d)" % n, "container": kind}, f)


def op_shuffle_rows(n, m):
    def f(r):
        x = np.arange(n * m).reshape(n, m)
        r.shuffle(x)
        return g.out_int(flat(x))

    return ("shuffle", {"x": "arange(%d).reshape(%d,%d)" % (n * m, n, m), "container": "array"}, f)


def op_perm_rows(n, m):
    return (
        "permutation",
        {"x": "arange(%d).reshape(%d,%d)" % (n * m, n, m)},
        lambda r: g.out_int(flat(r.permutation(np.arange(n * m).reshape(n, m)))),
    )


def op_choice(pop, size, replace=True, w=None):
    pr = None
    if w is not None:
        pr = [x / float(sum(w)) for x in w]
    return (
        "choice",
        {"a": pop, "size": size, "replace": replace, "p": pr},
        lambda r: g.out_int(flat(r.choice(pop, size=size, replace=replace, p=pr))),
    )


def op_stream(n):
    return (
        "stream_u32",
        {"n": n},
        lambda r: g.digest(r.randint(0, 2**32, size=n, dtype=np.uint32), 4),
    )


def bounds(p, dtype):
    """A low and an exclusive high for a dtype: edge ranges and any others."""
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
    w = p.bits(p.span(1, ii.bits))
    w = min(w, hi - lo)
    a = lo + p.below(hi - lo - w + 1)
    return a, a + w + 1


def any_op(p):
    k = p.below(19)
    n = p.span(1, 7)
    dt = p.one(INT_TYPES)
    if k == 0:
        return op_f("random_sample", size=n)
    if k == 1:
        return op_f("random_sample")
    if k in (2, 3):
        return op_randint(*bounds(p, dt), n, dt)
    if k == 4:
        return op_randint_scalar(*bounds(p, dt), n, dt)
    if k == 5:
        return op_randint(0, 2, n * 5, "bool")
    if k in (6, 7):
        return op_f("standard_normal", size=n)
    if k == 8:
        return op_f("normal", p.real(-4, 4), p.real(0.25, 3), size=n)
    if k == 9:
        return op_f("standard_normal")
    if k == 10:
        return op_f("uniform", p.real(-9, 0), p.real(1, 9), size=n)
    if k == 11:
        return op_shuffle(p.span(1, 25), p.one(["array", "list", "array-u8"]))
    if k == 12:
        return op_i("permutation", p.span(1, 25))
    if k == 13:
        return op_choice(p.span(8, 90), n)
    if k == 14:
        return op_choice(p.span(8, 90), n, False)
    if k == 15:
        return op_choice(6, n, True, [p.span(1, 9) for _ in range(6)])
    if k == 16:
        return op_f("rand", n, 2)
    if k == 17:
        return op_f("randn", n, 3)
    return op_choice(5, 2, False, [p.span(1, 9) for _ in range(5)])


INT_SEEDS = [
    0,
    1,
    2,
    42,
    123,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32 - 2,
    1234567890,
    65536,
    624,
    19650218,
]
ARRAY_SEEDS = [
    [0],
    [1],
    [42],
    [2**32 - 1],
    [0, 0],
    [1, 2],
    [1, 2, 3],
    [0, 0, 0, 0],
    [0x123, 0x234, 0x345, 0x456],
    [5489],
]


def build(p):
    cases = []
    add = cases.append
    fresh = lambda: p.bits(p.one([8, 17, 31, 32]))
    farr = lambda n: [p.below(2**32) for _ in range(n)]

    seeds = p.some(INT_SEEDS, 8) + [fresh() for _ in range(3)]
    seeds += p.some(ARRAY_SEEDS, 6) + [
        farr(2),
        farr(p.span(5, 30)),
        farr(623),
        farr(624),
        farr(p.span(625, 700)),
    ]
    seeds += [{"seed_sequence": p.one([0, 1, 42])}, {"seed_sequence": p.bits(100)}]
    for i, s in enumerate(seeds):
        kind = "ss" if isinstance(s, dict) else "array%d" % len(s) if isinstance(s, list) else "int"
        add(
            run(
                "seed/%02d-%s" % (i, kind),
                s,
                [op_randint(0, 2**32, 3, "uint32"), op_f("random_sample", size=2)],
            )
        )

    for dt in INT_TYPES:
        ops = []
        for _ in range(9):
            ops.append(op_randint(*bounds(p, dt), p.span(1, 11), dt))
        ii = np.iinfo(dt)
        ops += [
            op_randint(int(ii.min), int(ii.max) + 1, 6, dt),
            op_randint(3, 4, 3, dt),
            op_randint_scalar(*bounds(p, dt), 5, dt),
            op_f("random_sample", size=1),
        ]
        add(run("randint/" + dt, fresh(), ops))
    add(
        run(
            "randint/bool",
            fresh(),
            [
                op_randint(0, 2, p.span(33, 70), "bool"),
                op_randint(0, 1, 3, "bool"),
                op_randint(1, 2, 3, "bool"),
                op_randint_scalar(0, 2, 6, "bool"),
                op_f("random_sample", size=1),
            ],
        )
    )
    add(
        run(
            "randint/int64-edges",
            fresh(),
            [
                op_randint(0, 2**32, 3, "int64"),
                op_randint(0, 2**32 + 1, 3, "int64"),
                op_randint(0, 2**32 - 1, 3, "int64"),
                op_randint(-(2**63), 2**63, 3, "int64"),
                op_randint(-(2**63), 2**63 - 1, 3, "int64"),
                op_randint(0, 2**33, 3, "int64"),
                op_randint(0, 2**63, 3, "int64"),
                op_randint(5, 6, 2, "int64"),
                op_f("random_sample"),
            ],
        )
    )

    def op_bcast(lo, hi, dtype):
        return (
            "randint_broadcast",
            {"low": lo, "high": hi, "dtype": dtype},
            lambda r: g.out_int(flat(r.randint(lo, hi, dtype=dtype))),
        )

    add(
        run(
            "randint/broadcast",
            fresh(),
            [
                op_bcast([0, 1, 5], [10, 20, 7], "uint8"),
                op_bcast([0] * 6, [200, 3, 256, 1, 99, 5], "uint8"),
                op_bcast([-5, 0, 100], [5, 70, 30000], "int16"),
                op_bcast([0, -9], [2**32, 9], "int64"),
                op_bcast(
                    [p.span(0, 50) for _ in range(5)], [p.span(51, 300) for _ in range(5)], "int32"
                ),
                op_f("random_sample"),
            ],
        )
    )
    add(
        run(
            "ints/other",
            fresh(),
            [
                op_i("tomaxint", size=3),
                op_i("tomaxint"),
                op_bytes(1),
                op_bytes(4),
                op_bytes(5),
                op_bytes(p.span(6, 40)),
                op_f("random_sample"),
            ],
            optional=True,
        )
    )

    R = p.real
    add(
        run(
            "float/uniform",
            fresh(),
            [
                op_f("random_sample"),
                op_f("random_sample", size=p.span(2, 20)),
                op_f("rand", 2, 3),
                op_f("uniform", size=3),
                op_f("uniform", R(-9, 0), R(1, 9), size=8),
                op_f("uniform", 3.5, -2.5, size=3),
            ],
        )
    )
    add(
        run(
            "float/normal",
            fresh(),
            [
                op_f("standard_normal"),
                op_f("standard_normal"),
                op_f("standard_normal", size=5),
                op_f("randn", 2, 2),
                op_f("normal", R(-5, 5), R(0.5, 4), size=7),
                op_f("normal"),
                op_f("random_sample"),
                op_f("standard_normal", size=1),
            ],
        )
    )
    add(run("float/normal-many", fresh(), [op_f("standard_normal", size=p.span(80, 121))]))
    add(
        run(
            "float/other",
            fresh(),
            [
                op_f("lognormal", R(-1, 1), R(0.25, 1), size=4),
                op_f("standard_exponential", size=6),
                op_f("exponential", R(0.25, 4), size=6),
                op_f("standard_gamma", 1.0, size=3),
                op_f("standard_gamma", R(0.125, 0.9), size=5),
                op_f("gamma", R(1.25, 6), R(0.5, 2), size=5),
                op_f("beta", R(0.25, 1), R(0.25, 1), size=4),
                op_f("beta", R(1.5, 4), R(0.5, 4), size=4),
                op_f("chisquare", R(1, 9), size=4),
                op_f("laplace", 0.0, R(0.5, 2), size=4),
                op_f("triangular", -1.0, R(0, 1), 3.0, size=4),
            ],
            optional=True,
        )
    )

    add(
        run(
            "seq/shuffle",
            fresh(),
            [
                op_shuffle(0),
                op_shuffle(1),
                op_shuffle(2),
                op_shuffle(p.span(3, 40)),
                op_shuffle(p.span(3, 40), "list"),
                op_shuffle(p.span(30, 90), "array-u8"),
                op_shuffle_rows(p.span(3, 9), p.span(2, 4)),
                op_shuffle(p.span(200, 400)),
            ],
        )
    )
    add(
        run(
            "seq/permutation",
            fresh(),
            [
                op_i("permutation", 1),
                op_i("permutation", p.span(2, 40)),
                op_perm_rows(p.span(3, 9), 2),
                op_i("permutation", p.span(500, 900)),
                op_i("permutation", 65536 // 64),
            ],
        )
    )
    w = [p.span(0, 9) for _ in range(6)] + [2, 3, 4]
    add(
        run(
            "seq/choice",
            fresh(),
            [
                op_choice(1, 2),
                op_choice(p.span(2, 99), 9),
                op_choice(2**33 + 3, 3),
                op_choice(p.span(20, 60), 20, False),
                op_choice(p.span(200, 400), 3, False),
                op_choice(9, 12, True, w),
                op_choice(9, 3, False, w),
                op_choice(4, 4, False, [1, 2, 3, 4]),
                op_choice(p.span(2, 9), None),
            ],
        )
    )

    tail = lambda: [
        op_f("standard_normal", size=3),
        op_f("random_sample", size=2),
        op_randint(*bounds(p, "int64"), 3, "int64"),
        op_randint(0, 200, 5, "uint8"),
        op_shuffle(p.span(5, 12)),
        op_f("standard_normal"),
    ]
    r = make(fresh())
    r.standard_normal()
    add(run("restore/gauss-cached", None, tail(), r))
    r = make(fresh())
    r.randint(0, 2**32, size=624, dtype=np.uint32)
    add(run("restore/pos-624-used-up", None, tail(), r))
    r = make(fresh())
    r.randint(0, 2**32, size=623, dtype=np.uint32)
    add(run("restore/pos-623-split-draw", None, tail(), r))
    for i in range(2):
        r = make(farr(3))
        r.randint(0, 2**32, size=p.span(1, 622) + 624 * i, dtype=np.uint32)
        add(run("restore/pos-mid-%d" % i, None, tail(), r))
    r = make(fresh())
    r.random_sample(p.span(1, 300))
    r.standard_normal(p.span(2, 5) | 1)
    add(run("restore/mid-and-cached", None, tail(), r))
    r = make(fresh())
    st = r.get_state()
    r.set_state((st[0], st[1], 0, 0, 0.0))
    add(run("restore/pos-0", None, tail(), r))
    r = make(fresh())
    st = r.get_state()
    r.set_state((st[0], st[1], p.span(1, 600), 1, p.real(-2, 2)))
    add(run("restore/gauss-set-by-hand", None, tail(), r))

    for i in range(2):
        add(run("stream/%d" % i, fresh(), [op_stream(p.span(20000, 60000)), op_f("random_sample")]))
    for i in range(12):
        add(
            run(
                "mixed/%02d" % i,
                p.one([fresh(), farr(p.span(1, 4))]),
                [any_op(p) for _ in range(p.span(12, 24))],
            )
        )
    return cases


if __name__ == "__main__":
    g.main(
        "numpy_randomstate",
        build,
        "NumPy numpy.random.RandomState",
        np.__version__,
        g.LIBM_VARIANTS,
        [
            "get_state(legacy=True) is given with its five fields named.",
            "An array result is given flat, in C order.",
        ],
    )
