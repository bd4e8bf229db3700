#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make dist` packs every file of the tree: one that no Makefile.inc names would be missing from a
release, and a source would not be compiled."""

import os
import subprocess
import sys

import source_tree
from tap import Tap


def distributed():
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    out = subprocess.run(["make", "-s", "--no-print-directory", "-C", str(source_tree.BUILD),
                          "list-dist-files"],
                         stdout=subprocess.PIPE, check=True, text=True, env=environment)
    names = set()
    for word in out.stdout.split():
        # What make found for itself is named from the build folder, the rest from the top.
        for path in (source_tree.TOP / word, source_tree.BUILD / word):
            names.add(os.path.relpath(path, source_tree.TOP))
        path = source_tree.TOP / word
        if path.is_dir():
            names.update(os.path.relpath(os.path.join(folder, name), source_tree.TOP)
                         for folder, _, found in os.walk(path) for name in found)
    return names


def main():
    tap = Tap()
    packed = distributed()
    tap.ok("configure.ac" in packed, "the files of a release are found", len(packed))
    tap.empty((path for path in source_tree.files() if path not in packed),
              "every file of the tree is in a release")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
