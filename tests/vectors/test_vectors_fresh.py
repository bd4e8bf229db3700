#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Vectors made now, by the real libraries of this machine, with a seed that nobody has seen: what
the files of this folder do not happen to have in them. The seed is printed; SNAP_VECTORS_SEED sets
it, to repeat a run."""

import importlib.util
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("top_builddir", TOP))
sys.path.insert(0, str(TOP / "tests" / "support"))

from tap import Tap  # noqa: E402

CHECK = BUILD / "tests" / "check_vectors"
FAMILIES = [("python_random", None), ("c_cxx", None), ("numpy_randomstate", "numpy"),
            ("numpy_generator", "numpy"), ("torch_cpu", "torch")]
# Of libraries that few machines have; the files of this folder say what they drew.
WHERE_THEY_ARE = [("jax", "jax"), ("tensorflow", "tensorflow"), ("curand", None),
                  ("torch_cuda", "torch")]


def run(*command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def has_avx2():
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return False
    return "avx2" in flags and "fma" in flags


def has_cuda():
    folder = Path(os.environ.get("CUDA_HOME") or "/usr/local/cuda")
    return (folder / "include" / "curand_kernel.h").exists() and any(
        (folder / lib / "libcurand.so").exists() for lib in ("lib", "lib64"))


def is_here(family, module):
    if module is None:
        return has_cuda()
    if importlib.util.find_spec(module) is None:
        return False
    return family != "torch_cuda" or importlib.import_module("torch").cuda.is_available()


def check(tap, family, seed, folder):
    file = Path(folder) / f"{family}.json"
    name = f"{family}, seed {seed}"
    generator = TOP / "tests" / "vectors" / f"gen_{family}.py"
    status, said = run(sys.executable, "-B", generator, "--seed", seed, "--out", file)
    if status != 0:
        tap.ok(False, f"{name}: the generator ran", said)
        return
    print(f"# {said.strip()}")
    status, said = run(CHECK, file)
    tap.ok(status == 0 and ", 0 mismatches" in said, name, said)


def main():
    tap = Tap()
    seed = int(os.environ.get("SNAP_VECTORS_SEED") or secrets.randbits(32))
    print(f"# seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        for family, module in FAMILIES:
            if module and importlib.util.find_spec(module) is None:
                tap.skip(family, f"python3-{module} is not installed")
            elif module == "torch" and not has_avx2():
                tap.skip(family, "this CPU has no AVX2, so its torch draws in another form")
            else:
                check(tap, family, seed, folder)
        for family, module in WHERE_THEY_ARE:
            if is_here(family, module):
                check(tap, family, seed, folder)
            else:
                print(f"# {family}: not on this machine")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
