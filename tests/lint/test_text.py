#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What every text file of the tree obeys: names, lengths, and nothing of one machine in it."""

import collections
import os
import re
import sys

import source_tree
from tap import Tap

CODE = (".c", ".h", ".cu", ".py", ".sh", ".m4")
TEXT = CODE + (".md", ".json", ".ac", ".am", ".inc", ".in", ".1", ".html")
LINES_ASKED_WHY = 500
LINES_MOST = 800
COLUMNS_MOST = 100

# Patterns are written so that they do not find themselves.
LEFT_OVER = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
PRIVATE = re.compile(
    r"(?<![\w.~$})/-])/(?:ho[m]e|ro[o]t|Us[e]rs)/\w"       # someone's folder
    r"|(?:deb|security|snapshot|ftp)\.deb[i]an\.org"      # hosts of package registries
    r"|(?:archive|security|ports)\.ubunt[u]\.com"
    r"|py[p]i\.org|pythonh[o]sted\.org|registry\.np[m]js")
SPDX = "SPDX-License-Identifier: Apache-2.0"


def this_folder():
    """A pattern for the path of this very tree; none if it is too short to mean anything."""
    top = str(source_tree.TOP)
    if top.count("/") < 2:
        return None
    return re.compile(r"(?<![\w./-])" + re.escape(top) + r"(?![\w-])")


def lines_with(pattern, texts):
    for path, text in texts.items():
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.search(line):
                yield f"{path}:{number}: {line.strip()[:100]}"


def same_names(paths):
    folders = collections.defaultdict(list)
    for path in paths:
        if os.path.basename(path) != "__init__.py":  # a package's own name is its folder's
            folders[os.path.basename(path)].append(path)
    return [f"{name}: {', '.join(found)}" for name, found in folders.items() if len(found) > 1]


def main():
    tap = Tap()
    code = {path: source_tree.read(path) for path in source_tree.files(*CODE)}
    scripts = {path: source_tree.read(path) for path in ("bootstrap", ".ci/run")}
    texts = {path: source_tree.read(path) for path in source_tree.files(*TEXT)} | scripts

    tap.ok(same_names(["a/x.c", "b/x.c", "b/y.c"]) == ["x.c: a/x.c, b/x.c"],
           "two files of one name are noticed")
    tap.empty(same_names(code), "a file name says which file: no two are the same")

    lengths = {path: text.count("\n") for path, text in code.items()}
    for path, length in lengths.items():
        if LINES_ASKED_WHY < length <= LINES_MOST:
            print(f"# {path} has {length} lines: why?")
    tap.empty((f"{path}: {length} lines" for path, length in lengths.items()
               if length > LINES_MOST), f"no file is longer than {LINES_MOST} lines")
    tap.empty((f"{path}:{number}: {len(line)} columns" for path, text in (code | scripts).items()
               for number, line in enumerate(text.splitlines(), start=1)
               if len(line) > COLUMNS_MOST and "http" not in line),
              f"no line is longer than {COLUMNS_MOST} columns")
    tap.empty((path for path, text in (code | scripts).items()
               if SPDX not in "\n".join(text.splitlines()[:2])),
              "every source names its licence in its first or second line")
    tap.empty((path for path, text in texts.items() if text and not text.endswith("\n")),
              "every file ends with a newline")
    tap.empty(lines_with(re.compile(r"[ \t]+$"), texts), "no line ends in blanks")
    tap.empty(lines_with(re.compile(r"\t"), {path: text for path, text in code.items()
                                             if path.endswith((".c", ".h", ".cu", ".py"))}),
              "sources are indented by spaces")

    tap.ok(list(lines_with(PRIVATE, {"x": "a\nsee /ho" "me/ann/run\n"})) ==
           ["x:2: see /ho" "me/ann/run"], "a path of one machine is noticed")
    tap.empty(lines_with(PRIVATE, texts), "no file names a folder of one machine, or a registry")
    if this_folder():
        tap.empty(lines_with(this_folder(), texts), "no file names the folder of this tree")
    tap.empty(lines_with(LEFT_OVER, texts), "nothing is left for later")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
