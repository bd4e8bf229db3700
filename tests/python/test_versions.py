#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python 3.9 is enough for the package: its grammar reads every file, and each interpreter of 3.9
or later that is found here imports every module. And there is one version: configure.ac has it, the
package has it, and so has the library."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from snapstate import _library, _version  # noqa: E402
from tap import Tap  # noqa: E402

OLDEST = (3, 9)
PACKAGE = TOP / "python" / "snapstate"

# Without torch and NumPy, which such an interpreter seldom has: a module that needs them for its
# import would fail here.
# An integration alone may need something: the framework that it is for, which may need them.
IMPORT_ALL = """
import importlib, sys
FRAMEWORKS = {"snapstate.integrations." + name: name
              for name in ("accelerate", "lightning", "transformers")}
for name in ("dcp", "dcp_reader", "dcp_writer"):
    FRAMEWORKS["snapstate.integrations." + name] = "torch"  # torch.distributed.checkpoint
for name in ("numpy", "torch"):
    sys.modules[name] = None
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if name not in FRAMEWORKS or missing.name not in (FRAMEWORKS[name], "numpy", "torch"):
            raise
import snapstate
for name in snapstate.__all__:
    getattr(snapstate, name)
print("imported")
"""


def sources():
    return sorted(PACKAGE.rglob("*.py"))


def modules():
    for path in sources():
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def problem(text, path):
    """What the grammar of the oldest Python says against a text; None: nothing."""
    try:
        ast.parse(text, str(path), feature_version=OLDEST)
    except SyntaxError as error:
        return f"{path}:{error.lineno}: {error.msg}"
    return None


def interpreters():
    """Version -> path: ours, and those on PATH and of pyenv that are not older than the oldest."""
    names = [f"python{OLDEST[0]}.{minor}" for minor in range(OLDEST[1], 30)]
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders = [folder for folder in folders if folder.name != "shims"]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders += sorted(pyenv.glob("versions/*/bin"))
    found = {sys.version_info[:2]: Path(sys.executable)}
    for folder in folders:
        for name in names:
            if os.access(folder / name, os.X_OK):
                minor = int(name.rsplit(".", 1)[1])
                found.setdefault((OLDEST[0], minor), folder / name)
    return found


def check_imports(tap, version, path):
    done = subprocess.run([str(path), "-B", "-c", IMPORT_ALL, *modules()], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)})
    tap.ok(done.stdout == "imported\n",
           f"Python {version} imports every module, and finds every name", done.stdout)


def check_version(tap):
    configured = re.search(r"^AC_INIT\(\[\w+\], \[([^]]+)\]",
                           (TOP / "configure.ac").read_text(encoding="utf-8"), re.M).group(1)
    built = _library.library().snap_version().decode()
    tap.ok(configured == _version.__version__ == built,
           "configure.ac, the package and the library have one version",
           configured, _version.__version__, built)


def main():
    tap = Tap()
    texts = {path: path.read_text(encoding="utf-8") for path in sources()}
    tap.ok(len(texts) > 50 and problem("match x:\n    case 1: pass\n", "new") is not None,
           "the files are found, and a newer grammar is noticed", len(texts))
    tap.empty(filter(None, (problem(text, path.relative_to(TOP)) for path, text in texts.items())),
              "the grammar of Python 3.9 reads every file")
    for version, path in sorted(interpreters().items()):
        print(f"# {path}")
        check_imports(tap, ".".join(map(str, version)), path)
    check_version(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
