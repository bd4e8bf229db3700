# SPDX-License-Identifier: Apache-2.0
"""Vectors of Philox and Threefry: the Random123 library, PyTorch's at::Philox4_32, and JAX keys.

Needs a C and a C++ compiler, the Random123 headers, the libtorch headers and, with
--kat, a known-answer file of Random123 (tests/kat_vectors or tests/old_kat_vectors).
JAX itself is not used: its key operations are composed here from Random123's
Threefry2x32-20 and the composition is checked against figures of JAX's own tests.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile

import gen_common as g

C_SRC = r"""
#include <Random123/philox.h>
#include <Random123/threefry.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#define CASE(NAME, W, N, KN, FMT, SCN)                                      \
  if (!strcmp(name, #NAME)) {                                               \
    NAME##_ctr_t c; NAME##_ukey_t k; int i;                                 \
    for (i = 0; i < N; i++) if (scanf("%" SCN, &c.v[i]) != 1) return 1;     \
    for (i = 0; i < KN; i++) if (scanf("%" SCN, &k.v[i]) != 1) return 1;    \
    c = NAME##_R(rounds, c, NAME##keyinit(k));                              \
    for (i = 0; i < N; i++) printf("%s%0" W FMT, i ? " " : "", c.v[i]);     \
    putchar('\n'); continue;                                                \
  }
int main(void) {
  char name[32]; unsigned rounds;
  while (scanf("%31s %u", name, &rounds) == 2) {
    CASE(philox2x32, "8", 2, 1, PRIx32, SCNx32)
    CASE(philox4x32, "8", 4, 2, PRIx32, SCNx32)
    CASE(philox2x64, "16", 2, 1, PRIx64, SCNx64)
    CASE(philox4x64, "16", 4, 2, PRIx64, SCNx64)
    CASE(threefry2x32, "8", 2, 2, PRIx32, SCNx32)
    CASE(threefry4x32, "8", 4, 4, PRIx32, SCNx32)
    CASE(threefry2x64, "16", 2, 2, PRIx64, SCNx64)
    CASE(threefry4x64, "16", 4, 4, PRIx64, SCNx64)
    return 2;
  }
  return 0;
}
"""

CXX_SRC = r"""
#include <ATen/core/PhiloxRNGEngine.h>
#include <cinttypes>
#include <cstdio>
int main() {
  uint64_t seed, sub, off; int n;
  while (scanf("%" SCNu64 " %" SCNu64 " %" SCNu64 " %d", &seed, &sub, &off, &n) == 4) {
    at::Philox4_32 e(seed, sub, off);
    for (int i = 0; i < n; i++) printf("%s%" PRIu32, i ? " " : "", e());
    putchar('\n');
  }
}
"""

# name: (words in the counter, words in the key, bits of a word)
KINDS = {
    "philox2x32": (2, 1, 32),
    "philox4x32": (4, 2, 32),
    "philox2x64": (2, 1, 64),
    "philox4x64": (4, 2, 64),
    "threefry2x32": (2, 2, 32),
    "threefry4x32": (4, 4, 32),
    "threefry2x64": (2, 2, 64),
    "threefry4x64": (4, 4, 64),
}
M32 = 0xFFFFFFFF


class Tool:
    """A compiled helper that answers lines with lines."""

    def __init__(self, src, suffix, cc, flags):
        self.dir = tempfile.TemporaryDirectory()
        path = os.path.join(self.dir.name, "t" + suffix)
        with open(path, "w") as f:
            f.write(src)
        self.exe = os.path.join(self.dir.name, "t")
        subprocess.check_call([cc, "-O1", "-w", *flags, path, "-o", self.exe])

    def ask(self, lines):
        r = subprocess.run(
            [self.exe], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True
        )
        return r.stdout.splitlines()


def hashes(tool, queries):
    """queries: (name, rounds, counter words, key words) -> list of output words."""
    lines = [
        "%s %d %s" % (n, r, " ".join("%x" % w for w in list(c) + list(k))) for n, r, c, k in queries
    ]
    return [[int(x, 16) for x in line.split()] for line in tool.ask(lines)]


def hash_case(cid, name, rounds, ctr, key, out):
    w = KINDS[name][2] // 4
    h = lambda ws: ["%0*x" % (w, x) for x in ws]
    st = {"counter": h(ctr), "key": h(key)}
    return g.case(
        cid,
        None,
        st,
        [g.call(name, {"rounds": rounds}, {"type": "hex%d" % KINDS[name][2], "out": h(out)})],
        st,
    )


def from_kat(path, tool):
    cases, count = [], {}
    for line in open(path):
        t = line.split("#")[0].split()
        if not t or t[0] not in KINDS:
            continue
        n, k, _ = KINDS[t[0]]
        v = [int(x, 16) for x in t[2:]]
        ctr, key, out = v[:n], v[n : n + k], v[n + k :]
        assert len(out) == n
        assert hashes(tool, [(t[0], int(t[1]), ctr, key)])[0] == out
        i = count[t[0]] = count.get(t[0], -1) + 1
        cases.append(hash_case("%s/kat/%d" % (t[0], i), t[0], int(t[1]), ctr, key, out))
    return cases


# ---- jax.random, original and "partitionable" forms -------------------------


class Jax:
    def __init__(self, tool):
        self.tool = tool

    def tf(self, key, counters):
        return [
            tuple(o) for o in hashes(self.tool, [("threefry2x32", 20, c, key) for c in counters])
        ]

    def flat(self, key, counts):
        c = list(counts) + [0] * (len(counts) % 2)
        h = len(c) // 2
        o = self.tf(key, [(c[i], c[h + i]) for i in range(h)])
        return ([x[0] for x in o] + [x[1] for x in o])[: len(counts)]

    def split(self, key, n, part):
        if part:
            return self.tf(key, [(i >> 32, i & M32) for i in range(n)])
        o = self.flat(key, range(2 * n))
        return [(o[2 * i], o[2 * i + 1]) for i in range(n)]

    def fold_in(self, key, data):
        return self.tf(key, [(0, data & M32)])[0]

    def bits(self, key, width, n, part):
        if part:
            o = self.tf(key, [(i >> 32, i & M32) for i in range(n)])
            return [(a << 32 | b) if width == 64 else (a ^ b) & ((1 << width) - 1) for a, b in o]
        r = self.flat(key, range(-(-width * n // 32)))
        if width == 64:
            return [r[i] << 32 | r[n + i] for i in range(n)]
        per = 32 // width
        return [(r[i // per] >> (width * (i % per))) & ((1 << width) - 1) for i in range(n)]

    def randint(self, key, n, lo, hi, width, part):
        k1, k2 = self.split(key, 2, part)
        span, w = hi - lo, (1 << width) - 1
        m = (1 << (width // 2)) % span
        m = (m * m & w) % span
        return [
            lo + ((((a % span) * m & w) + b % span) & w) % span
            for a, b in zip(self.bits(k1, width, n, part), self.bits(k2, width, n, part))
        ]


def seed_key(s):
    s &= (1 << 64) - 1
    return (s >> 32, s & M32)


def jax_self_check(j):
    """Figures of tests/random_test.py in jax-ml/jax."""
    k = seed_key(0)
    assert j.split(k, 4, False) == [
        (2285895361, 1501764800),
        (1518642379, 4090693311),
        (433833334, 4221794875),
        (839183663, 3740430601),
    ]
    assert j.fold_in(k, 4) == (2285895361, 433833334)
    assert j.randint(k, 9, 0, 8, 32, False) == [2, 1, 3, 6, 1, 5, 6, 3, 4]
    assert j.randint(k, 9, 0, 8, 64, False) == [7, 2, 6, 2, 1, 0, 6, 7, 7]
    k = seed_key(1701)
    assert j.bits(k, 8, 3, False) == [216, 115, 43]
    assert j.bits(k, 16, 3, False) == [41682, 1300, 55017]
    assert j.bits(k, 32, 3, False) == [56197195, 4200222568, 961309823]
    assert j.bits(k, 64, 3, False) == [
        3982329540505020460,
        16822122385914693683,
        7882654074788531506,
    ]
    k = seed_key(72)
    assert [j.fold_in(k, i) for i in range(3)] == j.split(k, 3, True)


def jax_cases(j, p):
    cases = []
    for i, s in enumerate(
        p.some([0, 1, 42, 1701, 2**31 - 1, 2**32 - 1, 2**32, 2**63 - 1, -1], 5)
        + [p.bits(31), p.bits(60)]
    ):
        k = seed_key(s)
        for part in (False, True):
            st = {"key": list(k), "partitionable": part}
            f = p.below(1000)
            n, lo, hi = p.span(3, 9), -p.span(0, 50), p.span(1, 999)
            calls = [
                g.call("split", {"num": m}, g.out_int([w for q in j.split(k, m, part) for w in q]))
                for m in (2, p.span(3, 7))
            ]
            calls.append(g.call("fold_in", {"data": f}, g.out_int(j.fold_in(k, f))))
            for w in (8, 16, 32, 64):
                m = p.span(1, 11)
                calls.append(g.call("bits", {"width": w, "n": m}, g.out_int(j.bits(k, w, m, part))))
            calls.append(
                g.call(
                    "randint",
                    {"minval": lo, "maxval": hi, "dtype": "int32", "n": n},
                    g.out_int(j.randint(k, n, lo, hi, 32, part)),
                )
            )
            m = p.span(2, 9)
            u = [((b >> 9) | 0x3F800000) for b in j.bits(k, 32, m, part)]
            calls.append(
                g.call(
                    "uniform",
                    {"dtype": "float32", "n": m},
                    g.out_f32([(x & 0x7FFFFF) * 2.0**-23 for x in u]),
                )
            )
            cases.append(
                g.case(
                    "jax/%02d-%s" % (i, "part" if part else "orig"),
                    {"kind": "jax_seed_x64", "value": str(s)},
                    st,
                    calls,
                    st,
                )
            )
    return cases


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seed", type=lambda s: int(s, 0), default=1)
    ap.add_argument("--out", required=True)
    ap.add_argument("--kat", help="a known-answer file of Random123")
    ap.add_argument("--include", default="/usr/include")
    a = ap.parse_args()
    p = g.Pick(a.seed)
    tool = Tool(C_SRC, ".c", "gcc", ["-I" + a.include])
    cases = from_kat(a.kat, tool) if a.kat else []
    for name, (n, k, bits) in KINDS.items():
        full = [10, 7] if name.startswith("philox") else [20, 13]
        qs = [
            (
                name,
                r,
                [p.u64() >> (64 - bits) for _ in range(n)],
                [p.u64() >> (64 - bits) for _ in range(k)],
            )
            for r in full + full[:1] * 4
        ]
        top = (1 << bits) - 1
        qs.append((name, full[0], [top] + [0] * (n - 1), [1] + [0] * (k - 1)))
        qs.append((name, full[0], [0] * (n - 1) + [p.below(99)], [0] * (k - 1) + [top]))
        for i, (q, o) in enumerate(zip(qs, hashes(tool, qs))):
            cases.append(hash_case("%s/any/%d" % (name, i), *q, o))

    # at::Philox4_32(seed, subsequence, offset): offset counts blocks of four words.
    eng = Tool(CXX_SRC, ".cpp", "g++", ["-std=c++17", "-I" + a.include])
    qs = [(0, 0, 0, 12), (67280421310721, 0, 0, 8)]
    qs += [(p.u64(), p.below(1 << 20), p.below(1 << 16), p.span(5, 13)) for _ in range(8)]
    qs += [
        (p.u64(), p.u64(), p.u64(), 6),
        (p.bits(40), 3, 2**32 - 1, 9),
        (p.bits(40), p.below(9), 2**64 - 1, 9),
        (p.bits(40), 2**32 - 1, 2**64 - 2, 14),
    ]
    for i, (q, line) in enumerate(zip(qs, eng.ask(["%d %d %d %d" % q for q in qs]))):
        st = {"seed": str(q[0]), "subsequence": str(q[1]), "offset": str(q[2])}
        cases.append(
            g.case(
                "at_philox4_32/%02d" % i,
                dict(st, kind="philox"),
                st,
                [g.call("next_u32", {"n": q[3]}, g.out_int(line.split()))],
                None,
            )
        )
    j = Jax(tool)
    jax_self_check(j)
    cases += jax_cases(j, p)
    cc = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True).stdout.strip()
    g.dump(
        a.out,
        {
            "schema": g.SCHEMA,
            "family": "counter_based",
            "library": "Random123 (philox.h, threefry.h); PyTorch at::Philox4_32; JAX key "
            "operations composed from Random123",
            "version": "Random123 1.14.0, PyTorch headers 1.13.1, gcc " + cc,
            "generated_by": "%s --seed %d%s"
            % (
                os.path.basename(sys.argv[0]),
                a.seed,
                " --kat " + os.path.basename(a.kat) if a.kat else "",
            ),
            "platform": "%s %s" % (platform.system(), platform.machine()),
            "notes": [
                "*/kat/*: the published known answers of Random123 (D. E. Shaw Research), "
                "confirmed by its headers.",
                "A hash case keeps counter and key in state_before; hash calls do not change them.",
                "jax/*: key words as jax.random.key_data gives them with 64-bit seeds; the "
                "composition is checked "
                "against figures in JAX's tests. partitionable is JAX's default from 0.5.0 on.",
            ],
        },
        cases,
    )
    print("%s: %d cases, %d bytes" % (a.out, len(cases), os.path.getsize(a.out)))


if __name__ == "__main__":
    main()
