#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The arrows: who may include whom. `cli, agent -> trainer -> snapshot`, and inside each the rooms
listed below. A room may include itself and what stands right of it."""

import os.path
import re
import sys

import source_tree
from tap import Tap

ROOMS = {
    "snapshot/core": set(),
    "snapshot/digest": {"snapshot/core"},
    "snapshot/io": {"snapshot/core", "snapshot/digest"},
    "snapshot/format": {"snapshot/core", "snapshot/digest", "snapshot/io"},
    "snapshot/include/snapstate": set(),
    "trainer/ops": {"trainer/ops/cuda"},  # its registry
    "trainer/ops/cuda": {"trainer/ops"},
    "trainer/ops/cudnn": {"trainer/ops", "trainer/ops/cuda"},
    "trainer/data": {"trainer/ops"},
    "trainer/layers": {"trainer/ops"},
    "trainer/optim": {"trainer/ops"},
    "examples": set(),
}
MIDDLE = ["stream", "device", "store", "group", "ledger", "foreign", "signature", "handover"]
for room in MIDDLE:
    ROOMS[f"snapshot/{room}"] = {"snapshot/core", "snapshot/digest", "snapshot/io",
                                 "snapshot/format"}
BELOW = {f"snapshot/{room}" for room in MIDDLE + ["core", "digest", "io", "format"]}
ROOMS["snapshot/folder"] = BELOW
for room in ("run", "save", "restore"):  # the three of a run in memory know one another
    ROOMS[f"snapshot/{room}"] = BELOW | {"snapshot/folder", "snapshot/run", "snapshot/save",
                                         "snapshot/restore"}
ROOMS["snapshot/verify"] = BELOW | {"snapshot/folder"}
ROOMS["snapshot/salvage"] = BELOW | {"snapshot/folder", "snapshot/verify"}
for room in ("diff", "exchange"):
    ROOMS[f"snapshot/{room}"] = BELOW | {"snapshot/folder", "snapshot/run", "snapshot/save"}
PARTS = {f"trainer/{room}" for room in ("ops", "data", "layers", "optim")}
ROOMS["trainer"] = PARTS  # trainer.h, which all know
for room in ("config", "process"):
    ROOMS[f"trainer/{room}"] = PARTS | {"trainer"}
ROOMS["trainer/metrics"] = PARTS | {"trainer", "trainer/process"}
ROOMS["trainer/session"] = PARTS | {"trainer", "trainer/config", "trainer/process",
                                    "trainer/metrics"}
ROOMS["trainer/replay"] = ROOMS["trainer/session"] | {"trainer/session"}
ROOMS["agent"] = {"trainer", "trainer/process"}
ROOMS["cli"] = {"agent", "trainer", "trainer/config", "trainer/metrics", "trainer/process"}

# Who may be included as "room/file.h" from the folders of a part.
ROOTS = {"snapshot": ["snapshot"], "trainer": ["trainer"], "cli": ["cli", "trainer", "agent"],
         "agent": ["agent", "trainer"], "examples": []}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)
BACKEND = re.compile(r"^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif)\b.*\bHAVE_(?:CUDA|CUDNN|MPI|S3)\b",
                     re.MULTILINE)


def resolve(path, name, paths):
    """The file that `#include "name"` in `path` means, or None."""
    part = path.split("/")[0]
    for folder in [os.path.dirname(path)] + ROOTS[part]:
        target = os.path.normpath(os.path.join(folder, name))
        if target in paths:
            return target
    return None


def wrong_includes(sources):
    """What breaks an arrow in `sources` ({path: text}), one line each."""
    wrong = []
    for path, text in sorted(sources.items()):
        room = os.path.dirname(path)
        if path.split("/")[0] not in ROOTS:
            continue
        if room not in ROOMS:
            wrong.append(f"{path}: {room} is no room: give it its arrows in {__file__}")
            continue
        for bracket, name in INCLUDE.findall(text):
            if name == "config.h" and room not in ("examples", "snapshot/include/snapstate"):
                continue
            if bracket == "<":
                public = f"snapshot/include/{name}"
                if name.startswith("snapstate/") and public not in sources:
                    wrong.append(f"{path}: <{name}> is no public header")
                continue
            target = resolve(path, name, sources)
            if target is None:
                wrong.append(f'{path}: "{name}" is not found within its part')
            elif os.path.dirname(target) not in ROOMS[room] | {room}:
                wrong.append(f'{path}: {room} must not include "{name}"')
        if BACKEND.search(text) and not path.endswith("_registry.c"):
            wrong.append(f"{path}: only a registry asks for a backend by #if HAVE_...")
    return wrong


# Files that each break one arrow, next to files that break none.
RIGHT = {
    "snapshot/include/snapstate/status.h": "#include <stddef.h>\n",
    "snapshot/core/bytes.h": "#include <snapstate/status.h>\n",
    "snapshot/core/bytes.c": '#include "config.h"\n#include "core/bytes.h"\n#include "bytes.h"\n',
    "snapshot/store/store_ops.h": '#include "core/bytes.h"\n',
    "snapshot/stream/philox.h": "\n",
    "snapshot/save/save.c": '#include "store/store_ops.h"\n',
    "trainer/ops/ops.h": "\n",
    "trainer/layers/linear.h": '#include "ops/ops.h"\n',
    "trainer/trainer.h": '#include "layers/linear.h"\n#include <snapstate/status.h>\n',
    "cli/main.c": '#include "trainer.h"\n',
}
PLANTED = {
    "snapshot/core/up.c": '#include "store/store_ops.h"\n',
    "snapshot/core/dots.c": '#include "../store/store_ops.h"\n',
    "snapshot/store/sideways.c": '#include "stream/philox.h"\n',
    "snapshot/include/snapstate/inner.h": '#include "core/bytes.h"\n',
    "snapshot/run/to_trainer.c": '#include "trainer.h"\n',
    "snapshot/run/no_header.c": "#include <snapstate/nowhere.h>\n",
    "snapshot/core/backend.c": "#if HAVE_CUDA\n#endif\n",
    "trainer/session/inner.c": '#include "core/bytes.h"\n',
    "trainer/ops/up.c": '#  include "layers/linear.h"\n',
    "trainer/layers/top.c": '#include "trainer.h"\n',
    "cli/inner.c": '#include "../snapshot/core/bytes.h"\n',
    "cli/below.c": '#include "layers/linear.h"\n',
    "examples/embed.c": '#include "trainer.h"\n',
    "trainer/new_room/x.c": "\n",
}


def main():
    tap = Tap()
    tap.empty(wrong_includes(RIGHT), "includes along the arrows are accepted")
    for path, text in PLANTED.items():
        found = wrong_includes({**RIGHT, path: text})
        tap.ok(len(found) == 1 and found[0].startswith(path), f"a wrong one in {path} is caught",
               *found)
    sources = {path: source_tree.read(path) for path in source_tree.files(".c", ".h", ".cu")}
    tap.ok(len(sources) > 50, "the sources are found", f"{len(sources)} files")
    tap.empty(wrong_includes(sources), "every include of the tree follows the arrows")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
