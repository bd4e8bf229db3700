# SPDX-License-Identifier: Apache-2.0
"""Shared helpers of the vector generators: argument choice, encoding, merging.

A generator module supplies build(pick) -> list of cases and calls main().
main() runs build() once per numeric variant of the machine (see VARIANTS),
each time in a fresh process, and writes one JSON file.  The first variant is
the base; a call whose result differs under another variant gets an "alt" entry.
"""

import argparse
import hashlib
import json
import os
import platform
import struct
import subprocess
import sys
import tempfile

SCHEMA = "snap-vectors/1"
M64 = (1 << 64) - 1
NOFMA = "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4,-AVX512F,-AVX512VL"

# name -> extra environment; the first one is the base.
LIBM_VARIANTS = [("base", {}), ("libm-nofma", {"GLIBC_TUNABLES": NOFMA})]


class Pick:
    """splitmix64, so that the choice of arguments depends on no library under test."""

    def __init__(self, seed):
        self.s = seed & M64

    def u64(self):
        self.s = (self.s + 0x9E3779B97F4A7C15) & M64
        z = self.s
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
        return z ^ (z >> 31)

    def below(self, n):
        return self.u64() % n

    def span(self, lo, hi):
        """An integer in [lo, hi]."""
        return lo + self.below(hi - lo + 1)

    def bits(self, n):
        """A non-negative integer of at most n bits, top bit set."""
        v = 0
        for _ in range((n + 63) // 64):
            v = v << 64 | self.u64()
        return (v & ((1 << n) - 1)) | (1 << (n - 1))

    def one(self, seq):
        return seq[self.below(len(seq))]

    def some(self, seq, k):
        """k different members, in a random order."""
        pool = list(seq)
        out = []
        for _ in range(min(k, len(pool))):
            out.append(pool.pop(self.below(len(pool))))
        return out

    def real(self, lo, hi):
        """A double with a short expansion (multiples of 1/64) in [lo, hi]."""
        return lo + self.below(int((hi - lo) * 64) + 1) / 64.0


def signed(x):
    """The 64-bit number with sign that has the bits of x."""
    return x - (1 << 64) if x >> 63 else x


def f64_bits(x):
    return "%016x" % struct.unpack("<Q", struct.pack("<d", x))[0]


def f32_bits(x):
    return "%08x" % struct.unpack("<I", struct.pack("<f", x))[0]


def arg(v):
    """Encode one argument."""
    if v is None or isinstance(v, (bool, str)):
        return v
    if isinstance(v, int):
        return v if abs(v) < 1 << 53 else {"int": str(v)}
    if isinstance(v, float):
        return {"f64": v.hex()}
    if isinstance(v, (bytes, bytearray)):
        return {"hex": bytes(v).hex()}
    if isinstance(v, (list, tuple)):
        return [arg(x) for x in v]
    if isinstance(v, dict):
        return {k: arg(x) for k, x in v.items()}
    raise TypeError(repr(v))


def out_f64(values):
    v = [float(x) for x in values]
    return {"type": "f64", "out": [x.hex() for x in v], "bits": [f64_bits(x) for x in v]}


def out_f32(values):
    v = [float(x) for x in values]
    return {"type": "f32", "out": [x.hex() for x in v], "bits": [f32_bits(x) for x in v]}


def out_int(values):
    v = [int(x) for x in values]
    if all(abs(x) < 1 << 53 for x in v):
        return {"type": "int", "out": v}
    return {"type": "bigint", "out": [str(x) for x in v]}


def out_bytes(b):
    return {"type": "bytes", "out": [bytes(b).hex()]}


def digest(words, width):
    """Summary of a long stream of unsigned words: count, sum mod 2^64, xor, SHA-256."""
    words = [int(w) for w in words]
    raw = b"".join(w.to_bytes(width, "little") for w in words)
    x = 0
    for w in words:
        x ^= w
    return {
        "type": "digest",
        "word_bytes": width,
        "out": [str(len(words)), str(sum(words) & M64), str(x), hashlib.sha256(raw).hexdigest()],
    }


def call(fn, args, result, **more):
    c = {"fn": fn, "args": arg(args)}
    c.update(result)
    c.update(more)
    return c


def case(cid, seed, before, calls, after, **more):
    c = {"id": cid, "seed": seed, "calls": calls, "state_before": before, "state_after": after}
    c.update(more)
    return c


def dump(path, header, cases):
    with open(path, "w") as f:
        f.write("{\n")
        for k, v in header.items():
            f.write(" %s: %s,\n" % (json.dumps(k), json.dumps(v)))
        f.write(' "cases": [\n')
        f.write(",\n".join("  " + json.dumps(c, separators=(",", ":")) for c in cases))
        f.write("\n ]\n}\n")


def merge(base, others):
    """Note in base where another variant's results differ."""
    for name, cases in others:
        assert [c["id"] for c in cases] == [c["id"] for c in base], "case ids differ"
        for b, o in zip(base, cases):
            for cb, co in zip(b["calls"], o["calls"]):
                assert (cb["fn"], cb["args"]) == (co["fn"], co["args"])
                if cb["out"] != co["out"] or cb.get("bits") != co.get("bits"):
                    alt = {k: co[k] for k in ("out", "bits") if k in co}
                    cb.setdefault("alt", {})[name] = alt
            if b["state_before"] != o["state_before"]:
                b.setdefault("state_before_alt", {})[name] = o["state_before"]
            if b["state_after"] != o["state_after"]:
                b.setdefault("state_after_alt", {})[name] = o["state_after"]
    return base


def main(family, build, library, version, variants, notes=(), env_check=None, device_env=None):
    """`device_env`: the environment variable by which the library is told the device of --device;
    its name, in capitals, is put in place of %s in `library`."""
    ap = argparse.ArgumentParser()
    ap.add_argument(
        "--seed",
        type=lambda s: int(s, 0),
        default=1,
        help="chooses the seeds, sizes and call sequences",
    )
    ap.add_argument("--out", required=True)
    ap.add_argument("--child", help=argparse.SUPPRESS)
    if device_env:
        ap.add_argument("--device", default="cpu", help="what draws: cpu (the default), cuda")
    a = ap.parse_args()
    if a.child:
        with open(a.child, "w") as f:
            json.dump(build(Pick(a.seed)), f)
        return
    results = []
    for name, env in variants:
        fd, tmp = tempfile.mkstemp(suffix=".json")
        os.close(fd)
        e = dict(os.environ)
        e.update(env)
        e.setdefault("PYTHONHASHSEED", "0")
        if device_env:
            e[device_env] = a.device
        subprocess.check_call(
            [
                sys.executable,
                os.path.abspath(sys.argv[0]),
                "--seed",
                str(a.seed),
                "--out",
                a.out,
                "--child",
                tmp,
                *(["--device", a.device] if device_env else []),
            ],
            env=e,
        )
        with open(tmp) as f:
            results.append((name, json.load(f)))
        os.unlink(tmp)
    cases = merge(results[0][1], results[1:])
    header = {
        "schema": SCHEMA,
        "family": family,
        "library": library % a.device.upper() if device_env else library,
        "version": version,
        "generated_by": "%s --seed %d" % (os.path.basename(sys.argv[0]), a.seed),
        "platform": "%s %s, %s %s, Python %s"
        % (platform.system(), platform.machine(), *platform.libc_ver(), platform.python_version()),
        "variants": {
            n: (", ".join("%s=%s" % kv for kv in e.items()) or "this machine's own choice")
            for n, e in variants
        },
        "notes": list(notes),
    }
    dump(a.out, header, cases)
    alts = sum(1 for c in cases for k in c["calls"] if "alt" in k)
    print(
        "%s: %d cases, %d calls, %d with alternatives, %d bytes"
        % (a.out, len(cases), sum(len(c["calls"]) for c in cases), alts, os.path.getsize(a.out))
    )
