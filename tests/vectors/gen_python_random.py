# SPDX-License-Identifier: Apache-2.0
"""Vectors of CPython's random.Random (MT19937, seeding, derived draws, get/setstate)."""

import math
import random
import sys

import gen_common as g

sys.set_int_max_str_digits(0)


def state_of(r):
    version, internal, gauss = r.getstate()
    return encode_state((version, internal, gauss))


def encode_state(st):
    version, internal, gauss = st
    return {
        "version": version,
        "state": list(internal),
        "gauss_next": None if gauss is None else {"f64": gauss.hex(), "bits": g.f64_bits(gauss)},
    }


def seed_json(a, version):
    if isinstance(a, bool):
        d = {"kind": "bool", "value": a}
    elif isinstance(a, int):
        d = {"kind": "int", "value": str(a), "hex": hex(a)}
    elif isinstance(a, float):
        d = {"kind": "float", "f64": a.hex(), "bits": g.f64_bits(a)}
    elif isinstance(a, str):
        d = {"kind": "str", "utf8": a.encode().hex()}
    elif isinstance(a, bytearray):
        d = {"kind": "bytearray", "hex": bytes(a).hex()}
    else:
        d = {"kind": "bytes", "hex": a.hex()}
    d["version"] = version
    return d


def make(a, version=2):
    r = random.Random()
    r.seed(a, version=version)
    return r


def run(cid, a, ops, version=2, r=None, before=None, **more):
    """One case: ops is a list of (fn, args, function of r giving an encoded result)."""
    if r is None:
        r = make(a, version)
        seed = seed_json(a, version)
    else:
        seed = None
    before = before or state_of(r)
    calls = [g.call(fn, args, f(r)) for fn, args, f in ops]
    return g.case(cid, seed, before, calls, state_of(r), **more)


# ---- operations -----------------------------------------------------------


def rep(n, f):
    return [f() for _ in range(n)]


def op_random(n):
    return ("random", {"n": n}, lambda r: g.out_f64(rep(n, r.random)))


def op_bits(k, n):
    return ("getrandbits", {"k": k, "n": n}, lambda r: g.out_int(rep(n, lambda: r.getrandbits(k))))


def op_randrange(args, n):
    return (
        "randrange",
        {"range": list(args), "n": n},
        lambda r: g.out_int(rep(n, lambda: r.randrange(*args))),
    )


def op_randint(a, b, n):
    return (
        "randint",
        {"a": a, "b": b, "n": n},
        lambda r: g.out_int(rep(n, lambda: r.randint(a, b))),
    )


def op_below(n, m):
    return (
        "_randbelow",
        {"below": n, "n": m},
        lambda r: g.out_int(rep(m, lambda: r._randbelow(n))),
    )


def op_choice(pop, n):
    return (
        "choice",
        {"population": "range(%d)" % pop, "n": n},
        lambda r: g.out_int(rep(n, lambda: r.choice(range(pop)))),
    )


def op_shuffle(n):
    def f(r):
        x = list(range(n))
        r.shuffle(x)
        return g.out_int(x)

    return ("shuffle", {"list": "range(%d)" % n}, f)


def op_sample(pop, k):
    return (
        "sample",
        {"population": "range(%d)" % pop, "k": k},
        lambda r: g.out_int(r.sample(range(pop), k)),
    )


def op_sample_counts(counts, k):
    return (
        "sample",
        {"population": "range(%d)" % len(counts), "k": k, "counts": counts},
        lambda r: g.out_int(r.sample(range(len(counts)), k, counts=counts)),
    )


def op_choices(pop, k):
    return (
        "choices",
        {"population": "range(%d)" % pop, "k": k},
        lambda r: g.out_int(r.choices(range(pop), k=k)),
    )


def op_choices_w(w, k, cum=False):
    key = "cum_weights" if cum else "weights"
    return (
        "choices",
        {"population": "range(%d)" % len(w), key: w, "k": k},
        lambda r: g.out_int(r.choices(range(len(w)), k=k, **{key: w})),
    )


def op_bytes(n):
    return ("randbytes", {"length": n}, lambda r: g.out_bytes(r.randbytes(n)))


def op_dist(fn, args, n):
    return (
        fn,
        {"params": list(args), "n": n},
        lambda r: g.out_f64(rep(n, lambda: getattr(r, fn)(*args))),
    )


def op_stream(n):
    return ("stream_u32", {"n": n}, lambda r: g.digest(rep(n, lambda: r.getrandbits(32)), 4))


def any_op(p):
    k = p.below(22)
    n = p.span(1, 6)
    if k == 0:
        return op_random(n)
    if k == 1:
        return op_bits(p.span(1, 32), n)
    if k == 2:
        return op_bits(p.span(33, 200), n)
    if k == 3:
        return op_below(p.span(1, 1000), n)
    if k == 4:
        return op_below(p.bits(p.span(33, 90)), n)
    if k == 5:
        return op_randint(-p.span(0, 500), p.span(0, 500), n)
    if k == 6:
        return op_randrange([p.span(-50, 0), p.span(1, 400), p.span(1, 9)], n)
    if k == 7:
        return op_shuffle(p.span(2, 20))
    if k == 8:
        return op_sample(p.span(6, 40), p.span(1, 6))
    if k == 9:
        return op_sample(p.span(1000, 100000), p.span(1, 12))
    if k == 10:
        return op_choices(p.span(1, 90), n)
    if k == 11:
        return op_choices_w([p.span(1, 20) for _ in range(p.span(2, 7))], n)
    if k == 12:
        return op_choices_w([p.real(0, 3) + 0.25 for _ in range(p.span(2, 6))], n)
    if k == 13:
        return op_dist("uniform", [p.real(-9, 0), p.real(1, 9)], n)
    if k in (14, 15, 16):
        return op_dist("gauss", [p.real(-3, 3), p.real(0.5, 3)], n)
    if k == 17:
        return op_dist("normalvariate", [p.real(-3, 3), p.real(0.5, 3)], n)
    if k == 18:
        return op_dist("expovariate", [p.real(0.25, 4)], n)
    if k == 19:
        return op_choice(p.span(1, 300), n)
    if k == 20:
        return op_bits(p.one([32, 64, 128]), n)
    return op_random(1)


# ---- the set --------------------------------------------------------------

INT_SEEDS = [
    0,
    1,
    2,
    42,
    12345,
    -1,
    -42,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32 - 1,
    2**32,
    2**32 + 1,
    -(2**32),
    2**53,
    2**63 - 1,
    2**63,
    -(2**63),
    2**64 - 1,
    2**64,
    2**64 + 1,
    -(2**64),
    2**96 + 5,
    10**30,
    -(10**40),
    0xDEADBEEF << 64,
    1 << 4000,
]
STR_SEEDS = [
    "",
    "a",
    "snap",
    "hello world",
    "0",
    "na\u00efve \u2603 caf\u00e9",
    "\U0001f600 seed",
    "x" * 130,
    "line\nbreak\ttab",
    "-1",
    " ",
]
BYTES_SEEDS = [b"", b"\x00", b"\x00\x00", b"\x00\x01", b"snap", bytes(range(256)), b"\xff" * 65]
FLOAT_SEEDS = [
    0.0,
    0.5,
    1.5,
    -1.5,
    -1.0,
    3.141592653589793,
    1e300,
    -2.5e-310,
    float("inf"),
    1e16,
    2.0**61 - 1,
    0.1,
    -0.1,
]


def fresh_int(p):
    v = p.bits(p.one([7, 20, 31, 33, 48, 64, 65, 100, 127, 128, 129, 500]))
    return -v if p.below(4) == 0 else v


def build(p):
    cases = []
    add = cases.append

    seeds = [(s, 2) for s in p.some(INT_SEEDS, 14)]
    seeds += [(fresh_int(p), 2) for _ in range(4)]
    seeds += [(p.bits(32 * 624 + p.one([0, 1, 32, 33])), 2), (True, 2)]
    seeds += [(s, 2) for s in p.some(STR_SEEDS, 6)] + [("s%d" % p.u64(), 2)]
    seeds += [(s, 2) for s in p.some(BYTES_SEEDS, 4)] + [(p.u64().to_bytes(8, "little") * 3, 2)]
    seeds += [(bytearray(b"ba%d" % p.below(10**6)), 2)]
    seeds += [(s, 2) for s in p.some(FLOAT_SEEDS, 6)] + [(p.real(-1000, 1000), 2)]
    seeds += [(s, 1) for s in p.some(STR_SEEDS[:4] + STR_SEEDS[8:], 2)]
    seeds += [("v%d" % p.u64(), 1), (p.one(BYTES_SEEDS), 1), (fresh_int(p), 1)]
    for i, (s, v) in enumerate(seeds):
        kind = type(s).__name__
        add(run("seed/%02d-%s-v%d" % (i, kind, v), s, [op_bits(32, 3), op_random(2)], v))

    widths = [0, 1, 31, 32, 33, 63, 64, 65] + p.some(
        [2, 5, 8, 16, 24, 52, 53, 54, 62, 95, 96, 97, 127, 128, 160, 255, 256, 1000, 4096], 10
    )
    add(
        run(
            "bits/widths",
            fresh_int(p),
            [op_bits(k, 1 if k > 256 else 3) for k in p.some(widths, 99)],
        )
    )
    add(
        run(
            "bits/cross-block",
            fresh_int(p),
            [op_stream(p.span(618, 623)), op_bits(p.span(65, 500), 2), op_random(3)],
        )
    )

    ns = [
        1,
        2,
        3,
        4,
        5,
        255,
        256,
        257,
        2**16,
        2**31,
        2**32 - 1,
        2**32,
        2**32 + 1,
        2**53,
        2**63,
        2**64 - 1,
        2**64,
        2**64 + 1,
        2**100,
    ]
    add(run("below/edges", fresh_int(p), [op_below(n, 4) for n in p.some(ns, 14)]))
    add(run("below/any", fresh_int(p), [op_below(p.bits(p.span(1, 130)), 4) for _ in range(16)]))
    add(
        run(
            "range/steps",
            fresh_int(p),
            [
                op_randrange([0, p.span(50, 999), p.span(2, 17)], 6),
                op_randrange([p.span(10, 99), -p.span(10, 99), -p.span(1, 9)], 6),
                op_randrange([p.span(1, 10**6)], 4),
                op_randrange([-p.bits(70), p.bits(70)], 4),
                op_randrange([-p.bits(40), p.bits(40), p.span(3, 10**6)], 4),
                op_randint(0, 0, 2),
                op_randint(0, 1, 12),
                op_randint(-(2**63), 2**63 - 1, 3),
                op_randint(1, 6, 12),
                op_randint(0, 2**32 - 1, 3),
                op_randint(0, 2**31 - 1, 3),
            ],
        )
    )

    add(
        run(
            "seq/shuffle",
            fresh_int(p),
            [op_shuffle(n) for n in [0, 1, 2, 3, p.span(4, 9), p.span(10, 60), p.span(200, 400)]],
        )
    )
    add(run("seq/shuffle-long", fresh_int(p), [op_shuffle(p.span(1000, 1500))]))
    thr = []
    for k in p.some([1, 2, 3, 4, 5], 2) + p.some([6, 7, 10, 16, 20, 21, 22, 30, 64, 85, 86], 4):
        setsize = 21 + (4 ** math.ceil(math.log(k * 3, 4)) if k > 5 else 0)
        thr += [op_sample(setsize, k), op_sample(setsize + 1, k)]
    add(run("seq/sample-threshold", fresh_int(p), thr))
    add(
        run(
            "seq/sample",
            fresh_int(p),
            [
                op_sample(0, 0),
                op_sample(5, 0),
                op_sample(1, 1),
                op_sample(p.span(5, 20), 5),
                op_sample(10**9, p.span(5, 20)),
                op_sample(2**40, 3),
                op_sample(p.span(30, 50), 30),
                op_sample_counts([p.span(0, 5) for _ in range(4)] + [3], 3),
                op_sample_counts([10**6, 1, 10**6], 4),
            ],
        )
    )
    w = [p.span(0, 9) for _ in range(5)] + [1]
    wf = [p.real(0, 3) for _ in range(4)] + [0.25]
    cum, acc = [], 0
    for x in w:
        acc += x
        cum.append(acc)
    add(
        run(
            "seq/choices",
            fresh_int(p),
            [
                op_choice(1, 2),
                op_choice(2, 8),
                op_choice(p.span(3, 1000), 6),
                op_choice(2**33 + 7, 3),
                op_choices(1, 2),
                op_choices(p.span(2, 50), 10),
                op_choices(2**53, 3),
                op_choices_w(w, 10),
                op_choices_w(wf, 10),
                op_choices_w(cum, 10, True),
                op_choices_w([1], 3),
                op_choices_w([0, 0, 5, 0], 4),
            ],
        )
    )
    add(
        run(
            "seq/bytes",
            fresh_int(p),
            [op_bytes(n) for n in [0, 1, 3, 4, 5, 8, p.span(9, 40)]],
            optional=True,
        )
    )

    R = p.real
    add(
        run(
            "dist/uniform",
            fresh_int(p),
            [
                op_dist("uniform", [0.0, 1.0], 4),
                op_dist("uniform", [R(-9, 0), R(1, 9)], 8),
                op_dist("uniform", [5.5, -5.5], 4),
                op_dist("uniform", [1e300, -1e300], 2),
            ],
        )
    )
    add(
        run(
            "dist/gauss",
            fresh_int(p),
            [
                op_dist("gauss", [], 7),
                op_dist("gauss", [R(-5, 5), R(0.5, 3)], 20),
                op_dist("gauss", [0.0, 0.0], 1),
                op_random(1),
                op_dist("gauss", [0.0, 1.0], 2),
            ],
        )
    )
    add(
        run(
            "dist/normalvariate",
            fresh_int(p),
            [op_dist("normalvariate", [], 8), op_dist("normalvariate", [R(-5, 5), R(0.5, 3)], 20)],
        )
    )
    add(
        run(
            "dist/expovariate",
            fresh_int(p),
            [
                op_dist("expovariate", [1.0], 6),
                op_dist("expovariate", [R(0.25, 8)], 12),
                op_dist("expovariate", [-R(1, 3)], 4),
            ],
        )
    )
    add(
        run(
            "dist/other",
            fresh_int(p),
            [
                op_dist("triangular", [], 4),
                op_dist("triangular", [R(-5, 0), R(3, 9), R(0, 3)], 6),
                op_dist("triangular", [2.0, 2.0], 2),
                op_dist("lognormvariate", [R(-1, 1), R(0.25, 1)], 6),
                op_dist("paretovariate", [R(1, 4)], 6),
                op_dist("weibullvariate", [R(1, 3), R(0.5, 4)], 6),
            ],
            optional=True,
        )
    )
    add(
        run(
            "dist/gamma-beta",
            fresh_int(p),
            [
                op_dist("gammavariate", [1.0, R(0.5, 3)], 4),
                op_dist("gammavariate", [R(1.25, 9), R(0.5, 3)], 12),
                op_dist("gammavariate", [R(0.125, 0.875), R(0.5, 3)], 12),
                op_dist("betavariate", [R(0.25, 3), R(0.25, 3)], 8),
                op_dist("vonmisesvariate", [R(0, 6), R(0.25, 4)], 6),
                op_dist("vonmisesvariate", [0.0, 0.0], 2),
            ],
            optional=True,
        )
    )

    # Save and restore: states that were taken in the middle of a stream.
    tail = lambda: [
        op_dist("gauss", [0.0, 1.0], 3),
        op_random(2),
        op_bits(p.span(33, 90), 2),
        op_shuffle(p.span(5, 12)),
        op_dist("gauss", [1.5, 2.0], 2),
    ]
    r = make(fresh_int(p))
    r.gauss(0, 1)
    add(run("restore/gauss-cached", None, tail(), r=r))
    r = make(fresh_int(p))
    rep(624, lambda: r.getrandbits(32))
    add(run("restore/index-624-used-up", None, tail(), r=r))
    r = make(fresh_int(p))
    rep(623, lambda: r.getrandbits(32))
    add(run("restore/index-623-split-draw", None, tail(), r=r))
    for i in range(2):
        r = make(fresh_int(p))
        rep(p.span(1, 622) + 624 * i, lambda: r.getrandbits(32))
        add(run("restore/index-mid-%d" % i, None, tail(), r=r))
    r = make(fresh_int(p))
    rep(p.span(1, 300), r.random)
    r.gauss(0, 1)
    add(run("restore/mid-and-cached", None, tail(), r=r))
    r = make(fresh_int(p))
    st = r.getstate()
    r.setstate((3, st[1][:-1] + (0,), None))
    add(run("restore/index-0", None, tail(), r=r))
    r = make(fresh_int(p))
    rep(p.span(1, 622), lambda: r.getrandbits(32))
    v, st, gs = r.getstate()
    signed = tuple(x - 2**32 if x >= 2**31 else x for x in st)
    r2 = random.Random()
    r2.setstate((2, signed, p.real(-2, 2)))
    before = encode_state((2, signed, r2.gauss_next))
    add(run("restore/version-2-signed", None, tail(), r=r2, before=before))

    # Long streams.
    for i in range(2):
        add(run("stream/%d" % i, fresh_int(p), [op_stream(p.span(20000, 60000)), op_random(2)]))

    # Mixed sequences of calls.
    for i in range(10):
        add(
            run(
                "mixed/%02d" % i,
                p.one([fresh_int(p), "m%d" % p.u64()]),
                [any_op(p) for _ in range(p.span(12, 24))],
            )
        )
    return cases


if __name__ == "__main__":
    g.main(
        "python_random",
        build,
        "CPython random.Random",
        "%d.%d.%d" % sys.version_info[:3],
        g.LIBM_VARIANTS,
        [
            "Seed None takes system entropy, so no case uses it.",
            "random.choice/sample/choices draw from range(n), so an output is an index.",
        ],
    )
