#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The arrows of the Python package: it reaches the library through the shared library alone, which
one module loads; its rooms import themselves and what is listed for them below; and it can be
imported where there is neither torch nor NumPy. Each module of `integrations`, which nobody
imports, imports the framework that it is named after."""

import ast
import re
import sys

import source_tree
from tap import Tap

PACKAGE = "python/snapstate/"

# What of the package a room may import besides itself. A folder is a room; so are these groups of
# modules; modules that are in none are the room "runs", which may import everything, and nobody it.
MODULES = {
    "binding": {"_library", "_prototypes", "_structs", "_version", "errors"},
    "values": {"_digests", "_dtypes", "_staging", "_tree_adopt", "_tree_decode", "_tree_encode",
               "_tree_names", "_tree_text", "tensors", "tree"},
    "reading": {"_archive_file", "_archived", "archive", "receipt", "verify"},
    "facts": {"environment", "flags", "profile"},
}
ROOMS = {
    "binding": set(),
    "values": {"binding"},
    "reading": {"binding", "values"},
    "facts": {"binding"},
    "generators": {"binding"},
    "loader": {"binding"},
    "state": {"binding", "values"},
    "runs": {"binding", "values", "reading", "facts", "generators", "loader", "state"},
    "integrations": {"binding", "values", "reading", "facts", "generators", "loader", "state",
                     "runs"},
}
FRAMEWORKS = {"numpy", "torch", "ml_dtypes"}

LOADERS = {"CDLL", "PyDLL", "cdll", "pydll", "LibraryLoader", "dlopen"}
LOADING = PACKAGE + "_library.py"
PROGRAMS = {"subprocess", "pty"}
OF_TORCH = {PACKAGE + f"integrations/{name}.py" for name in ("dcp_reader", "dcp_writer")}
RUNS_GIT = PACKAGE + "environment.py"
FOREIGN_FILE = re.compile(r"(?<![\w-])(?:snapshot|trainer|cli|agent|tests|schema)/\w")


def room_of(module):
    """The room of a module, as a tuple of names below the package; None: the package itself."""
    if not module:
        return None
    if module[0] in ROOMS and module[0] not in MODULES and module[0] != "runs":
        return module[0]
    return next((room for room, names in MODULES.items() if module[0] in names), "runs")


def module_of(path):
    parts = path[len(PACKAGE):-len(".py")].split("/")
    return tuple(parts[:-1] if parts[-1] == "__init__" else parts)


def targets(node, path, modules):
    """What an import within the package imports, each as a tuple of names."""
    folder = tuple(path[len(PACKAGE):].split("/")[:-1])
    if node.level - 1 > len(folder):
        return [("..",)]
    base = folder[:len(folder) - node.level + 1] + tuple((node.module or "").split("."))
    base = tuple(name for name in base if name)
    return [base + (alias.name,) if base + (alias.name,) in modules else base
            for alias in node.names]


def at_import(tree):
    """The nodes that run when the module is imported: not those in functions."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)


def docstrings(tree):
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            yield body[0].value


def wrong_import(node, path, modules, early):
    """Why an import is wrong, one line each."""
    if isinstance(node, ast.ImportFrom) and node.level:
        room = room_of(module_of(path))
        for target in targets(node, path, modules):
            other = room_of(target)
            if other is None and room is not None:
                yield "a module must not import the package"
            elif room is not None and other != room and other not in ROOMS[room]:
                yield f"{room} must not import {'.'.join(target)} of {other}"
        return
    names = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
    for name in (name.split(".")[0] for name in names):
        if name in FRAMEWORKS:
            if node in early and (name != "torch" or path not in OF_TORCH):
                yield f"importing it must not import {name}: do that in a function"
        elif name in PROGRAMS and path != RUNS_GIT:
            yield f"only {RUNS_GIT} runs a program"
        elif name not in sys.stdlib_module_names and \
                path != f"{PACKAGE}integrations/{name}.py":
            yield f"{name} is neither of the standard library nor imported as `from .`"


def wrong_arrows(sources):
    """What breaks an arrow in `sources` ({path: text}), one line each."""
    modules = {module_of(path) for path in sources}
    wrong = []
    for path, text in sorted(sources.items()):
        tree = ast.parse(text, path)
        early = set(at_import(tree))
        documentation = set(docstrings(tree))
        for node in ast.walk(tree):
            found = []
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                found = list(wrong_import(node, path, modules, early))
                found += [f"only {LOADING} loads a library" for alias in node.names
                          if alias.name in LOADERS and path != LOADING]
            elif isinstance(node, ast.Attribute) and node.attr in LOADERS and path != LOADING:
                found = [f"only {LOADING} loads a library"]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                if node not in documentation and FOREIGN_FILE.search(node.value):
                    found = [f"names a file of another part: {node.value!r}"]
            wrong += [f"{path}:{node.lineno}: {line}" for line in found]
    return wrong


# Files that each break one arrow, next to files that break none.
RIGHT = {
    "__init__.py": "from .errors import SnapError\nfrom .run import Run\nimport importlib\n",
    "errors.py": "import os.path\n",
    "_library.py": "import ctypes\nctypes.CDLL('libsnapstate.so.0')\nfrom . import errors\n",
    "tensors.py": "from ._library import call\ndef f():\n    import torch\n    import numpy as n\n",
    "archive.py": "'''Of trainer/data.'''\nfrom . import errors, tensors\n",
    "environment.py": "import subprocess\n",
    "state/__init__.py": "\n",
    "state/planner.py": "from .. import tensors\nfrom ..errors import SnapError\nfrom . import x\n",
    "state/x.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n",
    "loader/__init__.py": "from .loop import Loop\n",
    "loader/loop.py": "from .. import errors\n",
    "run.py": "from .state.planner import plan\nfrom .loader import Loop\nfrom ._trap import trap\n"
              "path = 'snapshots/step.snap.tar'\n",
    "_trap.py": "from . import archive\n",
    "integrations/dcp_writer.py": "import torch\nfrom ..run import Run\n",
    "integrations/lightning.py": "from lightning import Trainer\nfrom ..run import Run\n",
}
PLANTED = {
    "errors.py": "from .tensors import describe\n",
    "tensors.py": "from . import archive\n",
    "archive.py": "def f():\n    from .run import Run\n",
    "environment.py": "from ._trap import trap\n",
    "state/planner.py": "from ..loader.loop import Loop\n",
    "state/x.py": "import torch\n",
    "loader/loop.py": "from ..run import Run\n",
    "loader/held.py": "from .. import Run\n",
    "loader/ids.py": "from snapstate import errors\n",
    "_trap.py": "class Trap:\n    import numpy\n",
    "_line.py": "from torch import nn\n",
    "_hooks.py": "import yaml\n",
    "_guard.py": "import subprocess\n",
    "run.py": "import ctypes\nctypes.cdll\n",
    "sidecar.py": "from ctypes import CDLL\n",
    "integrations/accelerate.py": "import lightning\n",
    "integrations/dcp_writer.py": "import numpy\n",
    "integrations/feed.py": "import torch\n",
    "verify.py": "from .integrations.feed import Feed\n",
    "profile.py": "open('../trainer/config.c')\n",
}


def main():
    tap = Tap()
    right = {PACKAGE + name: text for name, text in RIGHT.items()}
    tap.empty(wrong_arrows(right), "imports along the arrows are accepted")
    for name, text in PLANTED.items():
        found = wrong_arrows({**right, PACKAGE + name: text})
        tap.ok(len(found) == 1 and found[0].startswith(PACKAGE + name),
               f"a wrong one in {name} is caught", *found)
    sources = {path: source_tree.read(path) for path in source_tree.files(".py")
               if path.startswith(PACKAGE)}
    tap.ok(len(sources) > 50, "the modules are found", f"{len(sources)} files")
    listed = set().union(*MODULES.values())
    tap.empty(sorted(listed - {"".join(module_of(path)[:1]) for path in sources}),
              "every module that is given a room is there")
    tap.empty(wrong_arrows(sources), "every import of the package follows the arrows")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
