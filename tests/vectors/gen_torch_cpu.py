# SPDX-License-Identifier: Apache-2.0
"""Vectors of PyTorch's CPU generator: state, fills, permutations, initialisers, data order."""

import math
import random as pyrandom
import struct
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import (
    DataLoader,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)

import gen_common as g

warnings.simplefilter("ignore")
torch.set_num_threads(1)

VARIANTS = [
    ("base", {"ATEN_CPU_CAPABILITY": "avx2"}),
    ("libm-nofma", {"ATEN_CPU_CAPABILITY": "avx2", "GLIBC_TUNABLES": g.NOFMA}),
    ("aten-default", {"ATEN_CPU_CAPABILITY": "default"}),
    ("aten-default+libm-nofma", {"ATEN_CPU_CAPABILITY": "default", "GLIBC_TUNABLES": g.NOFMA}),
]

DT = {
    "f32": torch.float32,
    "f64": torch.float64,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "i64": torch.int64,
    "i32": torch.int32,
    "i16": torch.int16,
    "i8": torch.int8,
    "u8": torch.uint8,
    "bool": torch.bool,
}


def state_json(t):
    b = t.numpy().tobytes()
    d = {"hex": b.hex()}
    seed, left, seeded, nxt = struct.unpack_from("<QiiQ", b, 0)
    d["fields"] = {
        "initial_seed": str(seed),
        "left": left,
        "seeded": seeded,
        "next": nxt,
        "normal_is_valid": struct.unpack_from("<i", b, 24 + 8 * 624 + 24)[0],
        "normal_y": "%016x" % struct.unpack_from("<Q", b, 24 + 8 * 624 + 8)[0],
    }
    return d


def now():
    return state_json(torch.get_rng_state())


def enc(t):
    """Encode a tensor: values (and bits for floating types); a digest when long."""
    t = t.detach().contiguous().reshape(-1)
    dt = t.dtype
    if dt in (torch.float16, torch.bfloat16):
        bits = [x & 0xFFFF for x in t.view(torch.int16).tolist()]
        if len(bits) > 300:
            return g.digest(bits, 2)
        v = [float(x) for x in t.float().tolist()]
        return {
            "type": "f16" if dt == torch.float16 else "bf16",
            "out": [x.hex() for x in v],
            "bits": ["%04x" % b for b in bits],
        }
    if dt in (torch.float32, torch.float64):
        a = t.numpy()
        if len(a) > 300:
            w = 4 if dt == torch.float32 else 8
            return g.digest(a.view(np.uint32 if w == 4 else np.uint64), w)
        return g.out_f32(a) if dt == torch.float32 else g.out_f64(a)
    v = t.tolist()
    if len(v) > 1200:
        return g.digest([int(x) & 0xFFFFFFFFFFFFFFFF for x in v], 8)
    return g.out_int(v)


def run(cid, seed, ops, before=None, **more):
    """seed: an int for manual_seed, or None when the state was set beforehand."""
    sj = None
    if seed is not None:
        torch.manual_seed(seed)
        sj = {"kind": "manual_seed", "value": str(seed)}
    before = before or now()
    calls = [g.call(fn, args, f()) for fn, args, f in ops]
    return g.case(cid, sj, before, calls, now(), **more)


def fill(fn, params, n, dtype, strided=False):
    def f():
        t = torch.zeros(n, 2, dtype=DT[dtype])[:, 0] if strided else torch.zeros(n, dtype=DT[dtype])
        getattr(t, fn)(*params)
        return enc(t)

    return (fn, {"params": list(params), "n": n, "dtype": dtype, "contiguous": not strided}, f)


def op_words(n):
    """n 32-bit words of the engine, as random_() on int32 shows their low 31 bits."""
    return ("words", {"n": n}, lambda: enc(torch.empty(n, dtype=torch.int32).random_()))


def op_rand(n, dtype="f32"):
    return ("rand", {"n": n, "dtype": dtype}, lambda: enc(torch.rand(n, dtype=DT[dtype])))


def op_randn(n, dtype="f32"):
    return ("randn", {"n": n, "dtype": dtype}, lambda: enc(torch.randn(n, dtype=DT[dtype])))


def op_randint(lo, hi, n, dtype="i64"):
    return (
        "randint",
        {"low": lo, "high": hi, "n": n, "dtype": dtype},
        lambda: enc(torch.randint(lo, hi, (n,), dtype=DT[dtype])),
    )


def op_randperm(n, dtype="i64"):
    return ("randperm", {"n": n, "dtype": dtype}, lambda: enc(torch.randperm(n, dtype=DT[dtype])))


def op_bern_p(ps, dtype):
    return (
        "bernoulli",
        {"p": list(ps), "p_dtype": dtype},
        lambda: enc(torch.bernoulli(torch.tensor(ps, dtype=DT[dtype]))),
    )


def op_dropout(p, n, dtype="f32"):
    return (
        "dropout",
        {"p": p, "n": n, "dtype": dtype, "x": "ones"},
        lambda: enc(F.dropout(torch.ones(n, dtype=DT[dtype]), p, True)),
    )


def op_normal_t(means, stds):
    return (
        "normal_tensors",
        {"mean": list(means), "std": list(stds), "dtype": "f32"},
        lambda: enc(torch.normal(torch.tensor(means), torch.tensor(stds))),
    )


def op_multinomial(w, n, rep, dtype="f32"):
    return (
        "multinomial",
        {"weights": list(w), "n": n, "replacement": rep, "dtype": dtype},
        lambda: enc(torch.multinomial(torch.tensor(w, dtype=DT[dtype]), n, rep)),
    )


def op_init(name, shape, dtype="f32", **kw):
    def f():
        t = torch.zeros(*shape, dtype=DT[dtype])
        getattr(nn.init, name)(t, **kw)
        return enc(t)

    return ("init." + name, dict({"shape": list(shape), "dtype": dtype}, **kw), f)


def op_module(name, *a):
    def f():
        m = getattr(nn, name)(*a)
        return enc(torch.cat([p.reshape(-1) for p in m.parameters()]))

    return ("nn." + name, {"params": list(a), "out": "all parameters, in order, flat"}, f)


def ints(seq):
    return g.out_int(list(seq))


def op_random_sampler(n, replacement=False, num=None):
    return (
        "RandomSampler",
        {"n": n, "replacement": replacement, "num_samples": num, "generator": "default"},
        lambda: ints(RandomSampler(range(n), replacement=replacement, num_samples=num)),
    )


def op_subset(n):
    return (
        "SubsetRandomSampler",
        {"indices": "range(%d)" % n, "generator": "default"},
        lambda: ints(int(i) for i in SubsetRandomSampler(list(range(n)))),
    )


def op_weighted(w, k, rep):
    return (
        "WeightedRandomSampler",
        {"weights": list(w), "num_samples": k, "replacement": rep},
        lambda: ints(WeightedRandomSampler(w, k, rep)),
    )


def op_split(lengths):
    def f():
        return ints(i for s in random_split(range(sum(lengths)), lengths) for i in s.indices)

    return ("random_split", {"lengths": list(lengths), "out": "indices of every part, in order"}, f)


def op_loader(n, batch, epochs, drop_last=False, shuffle=True):
    def f():
        dl = DataLoader(
            TensorDataset(torch.arange(n)), batch_size=batch, shuffle=shuffle, drop_last=drop_last
        )
        return ints(int(i) for _ in range(epochs) for b in dl for i in b[0])

    return (
        "DataLoader",
        {
            "n": n,
            "batch_size": batch,
            "epochs": epochs,
            "drop_last": drop_last,
            "shuffle": shuffle,
            "num_workers": 0,
            "generator": "default",
        },
        f,
    )


def loader_explicit(cid, seed, n, batch, epochs, replacement=None):
    """DataLoader with its own generator: the states are that generator's."""
    gen = torch.Generator()
    gen.manual_seed(seed)
    before = state_json(gen.get_state())
    torch.manual_seed(seed ^ 0x55)
    default_before = torch.get_rng_state()
    ds = TensorDataset(torch.arange(n))
    if replacement is None:
        dl = DataLoader(ds, batch_size=batch, shuffle=True, generator=gen)
    else:
        dl = DataLoader(
            ds,
            batch_size=batch,
            sampler=RandomSampler(ds, replacement=True, num_samples=replacement, generator=gen),
            generator=gen,
        )
    calls = []
    for e in range(epochs):
        out = ints(int(i) for b in dl for i in b[0])
        calls.append(
            g.call(
                "DataLoader_epoch",
                {
                    "n": n,
                    "batch_size": batch,
                    "epoch": e,
                    "replacement_num_samples": replacement,
                    "generator": "explicit",
                },
                out,
            )
        )
    assert torch.equal(default_before, torch.get_rng_state())
    return g.case(
        cid, {"kind": "manual_seed", "value": str(seed)}, before, calls, state_json(gen.get_state())
    )


class Probe(torch.utils.data.Dataset):
    """What a worker process sees after its seeding."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        info = torch.utils.data.get_worker_info()
        return (
            info.id,
            str(info.seed),
            str(torch.initial_seed()),
            str(pyrandom.getrandbits(64)),
            str(int(np.random.randint(0, 2**32, dtype=np.uint32))),
            str(int(torch.empty((), dtype=torch.int64).random_())),
        )


def op_workers(k):
    def f():
        dl = DataLoader(Probe(k), batch_size=1, num_workers=k, collate_fn=lambda b: b[0])
        rows = sorted(tuple(r) for r in dl)
        return {
            "type": "workers",
            "out": [
                {
                    "worker": r[0],
                    "seed": r[1],
                    "torch_initial_seed": r[2],
                    "python_getrandbits64": r[3],
                    "numpy_randint_u32": r[4],
                    "torch_random_i64": r[5],
                }
                for r in rows
            ],
        }

    return ("DataLoader_workers", {"num_workers": k, "shuffle": False, "generator": "default"}, f)


def any_op(p):
    k = p.below(20)
    n = p.span(1, 7)
    R = p.real
    if k == 0:
        return op_rand(n)
    if k == 1:
        return op_rand(n, "f64")
    if k == 2:
        return op_randn(n)
    if k == 3:
        return op_randn(p.span(16, 40))
    if k == 4:
        return fill("normal_", [R(-2, 2), R(0.5, 3)], n, "f64")
    if k == 5:
        return fill("normal_", [R(-2, 2), R(0.5, 3)], p.span(16, 40), "f64")
    if k == 6:
        return fill("uniform_", [R(-5, 0), R(1, 5)], n, p.one(["f32", "f64"]))
    if k == 7:
        return fill("random_", [], n, p.one(["i64", "i32", "i16", "u8", "f32", "f64", "bool"]))
    if k == 8:
        return op_randint(-p.span(0, 99), p.span(1, 99), n)
    if k == 9:
        return op_randint(0, p.bits(p.span(33, 60)), n)
    if k == 10:
        return op_randperm(p.span(1, 30))
    if k == 11:
        return fill("bernoulli_", [R(0, 1)], n, "f32")
    if k == 12:
        return op_bern_p([R(0, 1) for _ in range(n)], p.one(["f32", "f64"]))
    if k == 13:
        return fill("uniform_", [-0.125, R(0.25, 0.75)], p.span(8, 30), "f32")
    if k == 14:
        return fill("normal_", [], n, "f32", strided=True)
    if k == 15:
        return op_module("Linear", p.span(1, 5), p.span(1, 5))
    if k == 16:
        return op_random_sampler(p.span(2, 20))
    if k == 17:
        return op_init("kaiming_uniform_", (p.span(1, 4), p.span(1, 5)), a=math.sqrt(5))
    if k == 18:
        return op_loader(p.span(3, 12), p.span(1, 4), 1)
    return op_words(n)


SEEDS = [
    0,
    1,
    42,
    1234,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**32 + 42,
    2**53,
    2**63 - 1,
    2**63,
    2**64 - 1,
    -1,
    -42,
    -(2**31),
    -(2**63),
    5489,
]


def set_state(b):
    torch.set_rng_state(torch.from_numpy(np.frombuffer(b, dtype=np.uint8).copy()))


def build(p):
    cases = []
    add = cases.append
    R = p.real
    fresh = lambda: p.bits(p.one([10, 31, 32, 33, 63, 64]))
    fdt = ["f32", "f64", "f16", "bf16"]

    for i, s in enumerate(p.some(SEEDS, 11) + [fresh(), fresh()]):
        add(run("seed/%02d" % i, s, [op_words(3), op_rand(2), op_rand(1, "f64")]))

    add(
        run(
            "random/all-types",
            fresh(),
            [
                fill("random_", [], p.span(3, 9), d)
                for d in p.some([d for d in DT if d not in ("f16", "bf16")], 99)
            ],
        )
    )
    add(
        run(
            "random/halves",
            fresh(),
            [
                fill("random_", t, p.span(3, 9), d)
                for d in ("f16", "bf16")
                for t in ([], [50], [-9, 9])
            ],
            optional=True,
        )
    )
    add(
        run(
            "random/to",
            fresh(),
            [fill("random_", [p.span(1, 100)], 6, d) for d in ("i64", "i32", "u8", "f32", "f64")]
            + [
                fill("random_", [t], 4, "i64")
                for t in (1, 2, 2**27, 2**28 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**62)
            ],
        )
    )
    add(
        run(
            "random/from-to",
            fresh(),
            [
                fill("random_", [-p.span(1, 99), p.span(1, 99)], 8, "i64"),
                fill("random_", [-p.span(1, 99), p.span(1, 28)], 8, "i8"),
                fill("random_", [-(2**40), 2**40], 4, "i64"),
                fill("random_", [-(2**63), None], 4, "i64"),
                fill("random_", [-5, None], 4, "i64"),
                fill("random_", [7, None], 4, "i32"),
                fill("random_", [p.span(0, 9), 2**24], 4, "f32"),
                fill("random_", [0, 2**40], 4, "f64"),
                op_randint(0, 2, 20),
                op_randint(0, 1, 3),
                op_randint(0, 2**32, 3),
                op_randint(0, 2**32 - 5, 3),
                op_randint(-(2**63), 2**63 - 1, 3),
                op_randint(0, 256, 5, "u8"),
                op_randint(0, 10, 5, "f32"),
            ],
        )
    )

    for d in fdt:
        add(
            run(
                "uniform/" + d,
                fresh(),
                [
                    op_rand(p.span(3, 20), d),
                    fill("uniform_", [R(-5, 0), R(1, 5)], p.span(20, 40), d),
                    fill("uniform_", [0.0, R(1, 9)], 8, d),
                    fill("uniform_", [-0.1, 0.1], 30, d),
                    fill("uniform_", [0.3, 0.7], 30, d),
                    fill("uniform_", [2.0, 2.0], 2, d),
                ],
                **({"optional": True} if "16" in d else {})
            )
        )
    for d in fdt:
        ops = [op_randn(n, d) for n in p.some([1, 2, 3, 7, 8, 14, 15], 4)]
        ops += [
            op_randn(n, d)
            for n in p.some([16, 17, 18, 23, 24, 31, 32, 33, 40, 47, 48, 63, 64, 65], 6)
        ]
        ops += [
            op_randn(1, d),
            fill("normal_", [R(-3, 3), R(0.5, 3)], p.span(1, 15), d),
            fill("normal_", [R(-3, 3), R(0.5, 3)], p.span(16, 60), d),
            fill("normal_", [0.0, 1.0], p.span(16, 30), d, strided=True),
            fill("normal_", [0.1, 0.02], p.span(16, 60), d),
        ]
        add(run("normal/" + d, fresh(), ops, **({"optional": True} if "16" in d else {})))
    add(run("normal/long-f32", fresh(), [op_randn(p.span(20000, 60000)), op_randn(1)]))
    add(run("normal/long-f64", fresh(), [op_randn(p.span(5000, 9000), "f64"), op_randn(1)]))
    add(
        run(
            "normal/cache-survives-fill",
            fresh(),
            [op_randn(1), op_randn(16), op_rand(1), op_randn(1, "f64"), op_randn(2)],
        )
    )
    k = p.span(16, 24)
    add(
        run(
            "normal/tensors",
            fresh(),
            [
                op_normal_t([R(-2, 2) for _ in range(5)], [R(0.25, 2) for _ in range(5)]),
                op_normal_t([R(-2, 2) for _ in range(k)], [R(0.25, 2) for _ in range(k)]),
            ],
            optional=True,
        )
    )

    add(
        run(
            "bernoulli/scalar",
            fresh(),
            [
                fill("bernoulli_", [q], p.span(10, 40), d)
                for q, d in (
                    (0.5, "f32"),
                    (R(0, 1), "f64"),
                    (0.1, "bool"),
                    (R(0, 1), "i64"),
                    (0.0, "f32"),
                    (1.0, "f32"),
                )
            ],
        )
    )
    add(
        run(
            "bernoulli/tensor",
            fresh(),
            [op_bern_p([R(0, 1) for _ in range(p.span(10, 30))], d) for d in ("f32", "f64")]
            + [op_rand(1)],
        )
    )
    add(
        run(
            "dropout",
            fresh(),
            [op_dropout(q, p.span(10, 40)) for q in (0.1, 0.5, R(0, 1))]
            + [op_dropout(0.2, 12, "f64"), op_dropout(0.0, 4), op_dropout(1.0, 4), op_rand(1)],
            optional=True,
        )
    )
    add(
        run(
            "other/continuous",
            fresh(),
            [
                fill("exponential_", [], 8, "f32"),
                fill("exponential_", [R(0.5, 3)], 8, "f64"),
                fill("log_normal_", [R(-1, 1), R(0.25, 1)], 5, "f32"),
                fill("geometric_", [R(0.125, 0.875)], 10, "f32"),
                fill("cauchy_", [R(-1, 1), R(0.5, 2)], 6, "f32"),
                fill("cauchy_", [R(-1, 1), R(0.5, 2)], 6, "f64"),
            ],
            optional=True,
        )
    )
    w = [R(0, 4) for _ in range(p.span(3, 9))] + [0.5, 1.0]
    add(
        run(
            "multinomial",
            fresh(),
            [
                op_multinomial(w, 15, True),
                op_multinomial(w, 3, False),
                op_multinomial(w, 1, False),
                op_multinomial(w, 15, True, "f64"),
                op_multinomial(w, 4, False, "f64"),
                op_rand(1),
            ],
            optional=True,
        )
    )
    add(
        run(
            "randperm",
            fresh(),
            [op_randperm(n) for n in (0, 1, 2, 3, p.span(4, 9), p.span(10, 99), p.span(500, 999))]
            + [
                op_randperm(p.span(10, 60), "i32"),
                op_randperm(p.span(10, 60), "f32"),
                op_randperm(p.span(20000, 40000)),
            ],
        )
    )

    s5 = math.sqrt(5)
    add(
        run(
            "init/uniform",
            fresh(),
            [
                op_init("kaiming_uniform_", (p.span(2, 6), p.span(2, 9)), a=s5),
                op_init("kaiming_uniform_", (3, 2, 3, 3), a=0.0),
                op_init("kaiming_uniform_", (4, p.span(2, 9)), mode="fan_out", nonlinearity="relu"),
                op_init("xavier_uniform_", (p.span(2, 6), p.span(2, 9))),
                op_init("xavier_uniform_", (4, 5), gain=R(0.5, 2)),
                op_init("kaiming_uniform_", (3, 4), dtype="f64", a=s5),
                op_init("uniform_", (7,), a=-0.3, b=0.2),
            ],
        )
    )
    add(
        run(
            "init/normal",
            fresh(),
            [
                op_init("kaiming_normal_", (p.span(2, 6), p.span(4, 9))),
                op_init("kaiming_normal_", (3, 3), nonlinearity="relu"),
                op_init("xavier_normal_", (p.span(4, 8), p.span(4, 9))),
                op_init("normal_", (p.span(16, 40),), mean=0.0, std=0.02),
                op_init("trunc_normal_", (p.span(16, 30),), std=0.02),
            ],
            optional=True,
        )
    )
    add(
        run(
            "init/modules",
            fresh(),
            [
                op_module("Linear", p.span(3, 12), p.span(2, 9)),
                op_module("Conv2d", 2, 3, 3),
                op_module("Linear", 1, 1),
                op_module("Linear", p.span(3, 12), 3, False),
                op_module("Conv1d", 4, 2, 5),
            ],
        )
    )
    add(
        run(
            "init/modules-other",
            fresh(),
            [
                op_module("Embedding", p.span(3, 9), p.span(4, 8)),
                op_module("LSTM", 3, 2),
                op_module("GRU", 2, 2),
                op_module("Embedding", 3, 5),
            ],
            optional=True,
        )
    )
    add(run("init/linear-large", fresh(), [op_module("Linear", p.span(60, 99), p.span(60, 99))]))

    n = p.span(8, 40)
    add(
        run(
            "data/samplers",
            fresh(),
            [
                op_random_sampler(n),
                op_random_sampler(n, False, n * 2),
                op_random_sampler(n, False, n + 3),
                op_random_sampler(n, True),
                op_random_sampler(n, True, p.span(33, 70)),
                op_rand(1),
            ],
        )
    )
    add(
        run(
            "data/samplers-other",
            fresh(),
            [
                op_subset(p.span(5, 30)),
                op_weighted([R(0, 3) + 0.125 for _ in range(6)], 12, True),
                op_weighted([R(0, 3) + 0.125 for _ in range(6)], 4, False),
                op_split([p.span(2, 9), p.span(2, 9), 3]),
                op_rand(1),
            ],
            optional=True,
        )
    )
    add(
        run(
            "data/loader-default",
            fresh(),
            [
                op_loader(p.span(7, 30), p.span(2, 5), 1),
                op_loader(p.span(7, 30), p.span(2, 5), 3),
                op_loader(p.span(7, 30), 4, 2, drop_last=True),
                op_loader(9, 4, 1, shuffle=False),
                op_rand(1),
            ],
        )
    )
    add(run("data/loader-workers", fresh(), [op_workers(p.span(2, 3)), op_rand(1)], optional=True))
    add(loader_explicit("data/loader-explicit", fresh(), p.span(7, 30), p.span(2, 5), 3))
    add(
        loader_explicit(
            "data/loader-explicit-replacement", fresh(), p.span(7, 30), 4, 2, p.span(40, 70)
        )
    )

    tail = lambda: [
        op_randn(1),
        op_rand(2),
        op_randn(2, "f64"),
        op_randint(0, 1000, 3),
        op_randperm(p.span(5, 12)),
        op_randn(17),
        op_randn(1),
    ]
    torch.manual_seed(fresh())
    torch.randn(1)
    add(run("restore/normal-cached", None, tail()))
    torch.manual_seed(fresh())
    torch.empty(624, dtype=torch.int32).random_()
    add(run("restore/next-624-used-up", None, tail()))
    torch.manual_seed(fresh())
    torch.empty(623, dtype=torch.int32).random_()
    add(run("restore/next-623-split-draw", None, tail()))
    for i in range(2):
        torch.manual_seed(fresh())
        torch.empty(p.span(1, 622) + 624 * i, dtype=torch.int32).random_()
        add(run("restore/next-mid-%d" % i, None, tail()))
    torch.manual_seed(fresh())
    torch.rand(p.span(1, 600))
    torch.randn(p.span(1, 7) | 1)
    add(run("restore/mid-and-cached", None, tail()))
    # The older 5048-byte form: the cached normal is rho * sin(2 pi x).
    torch.manual_seed(fresh())
    torch.rand(p.span(1, 600))
    b = bytearray(torch.get_rng_state().numpy().tobytes()[:5048])
    struct.pack_into("<ddd", b, 5016, R(0, 1), 0.0, R(0.5, 2))
    struct.pack_into("<i", b, 5040, 1)
    before = {"hex": bytes(b).hex(), "legacy_5048": True}
    set_state(bytes(b))
    add(run("restore/legacy-5048", None, tail(), before=before, optional=True))

    for i in range(10):
        add(run("mixed/%02d" % i, fresh(), [any_op(p) for _ in range(p.span(12, 22))]))
    return cases


if __name__ == "__main__":
    g.main(
        "torch_cpu",
        build,
        "PyTorch CPU generator (Debian build, no MKL)",
        torch.__version__,
        VARIANTS,
        [
            "base is the AVX2 kernel set, as a PyTorch wheel picks on any x86-64 machine "
            "with AVX2 and FMA.",
            "Builds with MKL draw scalar bernoulli_ (hence dropout) and, in some versions, "
            "exponential_ from another generator.",
            "randint/random_ with a range of 2^28 to 2^32-1 draw 64 bits an element from "
            "PyTorch 2.7 on, 32 bits here.",
            "PyTorch 2.0 and later compute log1p(-u) for log(1-u): in float64, normals of fewer "
            "than 16 elements (so the cached normal in the state too) and exponential_ may differ "
            "in the last bit; float32 results do not.",
            "A long tensor is given as a digest over the little-endian words of its elements "
            "(integers as 64-bit).",
        ],
    )
