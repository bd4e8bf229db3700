#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make wheel`: what it packs is installed by pip into an environment of its own, without a
network, and works there, away from the tree and with the library that it brought."""

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("top_builddir", TOP))
sys.path.insert(0, str(TOP / "tests" / "support"))

from tap import Tap  # noqa: E402

# Nothing of the tree, of this make, or of pip's own settings decides what happens below.
APART = {name: value for name, value in os.environ.items()
         if not name.startswith(("PIP_", "PYTHON")) and name not in
         ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "SNAPSTATE_LIBRARY")}
APART.update(PYTHONDONTWRITEBYTECODE="1", PIP_CONFIG_FILE=os.devnull, PIP_NO_INPUT="1",
             PIP_DISABLE_PIP_VERSION_CHECK="1")

# What a user does first. It prints where each thing came from.
IMPORTED = """
import importlib.metadata, sys
import snapstate
print(snapstate.__file__)
print(snapstate.__version__, importlib.metadata.version("snapstate"))
print(*({"numpy", "torch"} & set(sys.modules)))
from snapstate import _library
print(_library.library()._name)
print(*({"numpy", "torch"} & set(sys.modules)))
"""
SAVED = """
import random, snapstate
random.seed(7)
values = {"text": "\\u00e9", "numbers": [1, 2.5, -0.0], "none": None}
hash_of_saved = snapstate.save("a.snap.tar", step=3, values=values)
rest = [random.random() for _ in range(5)]
values.clear()
receipt = snapstate.restore("a.snap.tar", values=values)
assert values == {"text": "\\u00e9", "numbers": [1, 2.5, -0.0], "none": None}, values
assert str(values["numbers"][2]) == "-0.0"
assert [random.random() for _ in range(5)] == rest
with snapstate.Archive("a.snap.tar") as archive:
    assert archive.step == 3 and archive.snapshot_hash == hash_of_saved
assert snapstate.verify("a.snap.tar").status == "ok"
print("done")
"""


def run(*command, folder, **options):
    return subprocess.run([str(word) for word in command], cwd=folder, env=APART, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)


def package_files():
    """The paths in the wheel that the package of the tree has."""
    return {path.relative_to(TOP / "python").as_posix()
            for path in (TOP / "python" / "snapstate").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts}


def check_content(tap, wheel):
    version = re.search(r"^AC_INIT\(\[\w+\], \[([^]]+)\]",
                        (TOP / "configure.ac").read_text(encoding="utf-8"), re.M).group(1)
    machine = os.uname().machine
    tap.ok(wheel.name == f"snapstate-{version}-py3-none-linux_{machine}.whl",
           "its name says the version of configure.ac, any Python 3, and this machine", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        facts = archive.read(f"snapstate-{version}.dist-info/WHEEL").decode()
        library = archive.read("snapstate/libsnapstate.so.0")
    wanted = package_files() | {"snapstate/libsnapstate.so.0"}
    tap.empty([f"{name}: is missing" for name in sorted(wanted - names)] +
              [f"{name}: does not belong there" for name in sorted(names - wanted)],
              "it holds the package, py.typed, the library, and nothing else")
    tap.ok("Root-Is-Purelib: false" in facts, "it goes where the machine's own files go", facts)
    tap.ok(library == (BUILD / ".libs" / "libsnapstate.so.0").read_bytes(),
           "the library is the one that was built")


def check_use(tap, wheel, work):
    """Installed into an environment, and used from a folder that holds nothing."""
    environment, empty = work / "environment", work / "empty"
    empty.mkdir()
    made = run(sys.executable, "-m", "venv", "--without-pip", environment, folder=work)
    if not tap.ok(made.returncode == 0, "an environment is made", made.stdout):
        return
    python = environment / "bin" / "python3"
    done = run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps",
               "--no-index", "--no-cache-dir", wheel, folder=empty)
    if not tap.ok(done.returncode == 0, "pip installs it without an index", done.stdout):
        return
    done = run(python, "-c", IMPORTED, folder=empty)
    lines = done.stdout.splitlines() + [""] * 5
    inside = str(environment.resolve())
    tap.ok(done.returncode == 0 and os.path.realpath(lines[0]).startswith(inside),
           "the package is imported from there", done.stdout)
    tap.ok(len(set(lines[1].split())) == 1 and lines[1], "both name one version", lines[1])
    tap.ok(done.returncode == 0 and lines[2] == lines[4] == "",
           "importing it and loading the library import neither torch nor NumPy", done.stdout)
    tap.ok(os.path.realpath(lines[3]).startswith(inside) and
           lines[3].endswith("/snapstate/libsnapstate.so.0"),
           "the library beside the package is the one that is loaded", lines[3])
    done = run(python, "-c", SAVED, folder=empty)
    tap.ok(done.returncode == 0 and done.stdout == "done\n",
           "an archive is saved, restored, read and verified, without NumPy", done.stdout)


def main():
    tap = Tap()
    for module in ("setuptools", "wheel", "pip"):
        if run(sys.executable, "-c", f"import {module}", folder=TOP).returncode:
            tap.skip("a wheel", f"python3-{module} is not installed")
            return tap.done()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        made = run("make", "-C", BUILD, "--no-print-directory", "wheel", f"wheeldir={work}",
                   folder=work)
        wheels = list(work.glob("*.whl"))
        if tap.ok(made.returncode == 0 and len(wheels) == 1 and
                  made.stdout.splitlines()[-1:] == [str(wheels[0])],
                  "make wheel makes one, and says its name", made.stdout, *wheels):
            check_content(tap, wheels[0])
            check_use(tap, wheels[0], work)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
