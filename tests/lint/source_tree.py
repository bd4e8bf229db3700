# SPDX-License-Identifier: Apache-2.0
"""The files that belong to the project, for the lint tests. Import it first: it lets them find
tests/support."""

import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("top_builddir", TOP))
sys.path.insert(0, str(TOP / "tests" / "support"))

# What autoreconf, configure and make leave in a tree that was not cloned (a release that is built
# in its own folder, or by `make distcheck` in one below it).
MADE_FOLDERS = {".git", ".deps", ".libs", "autom4te.cache", "build-aux", "__pycache__", "_build",
                "_inst"}
MADE_FILES = {
    "Makefile", "Makefile.in", "aclocal.m4", "config.h", "config.h.in", "config.log",
    "config.status", "configure", "libtool", "snap", "snapshot/snapstate.pc", "stamp-h1",
}
MADE_SUFFIXES = (".o", ".lo", ".la", ".a", ".log", ".trs", ".dirstamp", "~")


def git_files():
    """Paths that git knows or would add, or None if this is no clone."""
    if not (TOP / ".git").exists():
        return None
    try:
        out = subprocess.run(
            ["git", "-c", f"safe.directory={TOP}", "-C", str(TOP), "ls-files", "-z",
             "--cached", "--others", "--exclude-standard"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return [name for name in out.decode().split("\0") if name and (TOP / name).is_file()]


def walked_files():
    for folder, folders, names in os.walk(TOP):
        folders[:] = sorted(set(folders) - MADE_FOLDERS)
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), TOP)
            generated_m4 = path.startswith("m4/") and not name.startswith("snap_")
            if path not in MADE_FILES and not path.endswith(MADE_SUFFIXES) and not generated_m4:
                yield path


def files(*suffixes):
    """Sorted paths relative to the top that end in one of `suffixes` (none given: all)."""
    found = git_files()
    if found is None:
        found = walked_files()
    return sorted(name for name in found if not suffixes or name.endswith(suffixes))


def read(path):
    return (TOP / path).read_text(encoding="utf-8")
