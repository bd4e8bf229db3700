# SPDX-License-Identifier: Apache-2.0
"""The machine, the peers, and the folder that figures are measured in."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from figure import NotMeasured
from worker import Worker

TOP = Path(__file__).resolve().parents[1]


def machine():
    """What decides the figures and names nobody: processor, cores, memory, kernel."""
    processor = "unknown"
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    pages = os.sysconf("SC_PHYS_PAGES")
    return {"cpu": processor, "cores": len(os.sched_getaffinity(0)),
            "memory_bytes": pages * os.sysconf("SC_PAGE_SIZE"), "kernel": os.uname().release}


class Bench:
    """How to measure: sizes, runs, where, with which peers. A context manager: its folder goes."""

    def __init__(self, options):
        self.bytes = options.bytes
        self.tensors = options.tensors
        self.runs = options.runs
        self.build = Path(options.build)
        self.peers = options.peers
        self.cuda = options.cuda  # the index of a GPU
        self._parent = options.folder
        self.folder = None
        self._versions = {}
        self._pythons = {}
        self._workers = {}

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="snap-bench-", dir=self._parent))
        return self

    def __exit__(self, *unused):
        for worker in self._workers.values():
            worker.stop()
        shutil.rmtree(self.folder)

    def new_folder(self):
        return Path(tempfile.mkdtemp(dir=self.folder))

    def program(self, name):
        """A program of the build tree."""
        path = self.build / name
        if not path.exists():
            raise NotMeasured(f"{name} is not built: make bench builds it")
        return str(path)

    def worker(self, *command):
        """A program that serves every figure that asks for it, until the end."""
        if command not in self._workers:
            self._workers[command] = Worker(list(command))
        return self._workers[command]

    def python(self, module):
        """An interpreter that has the peer `module`; its version stands in the result."""
        if module in self._pythons:
            return self._pythons[module]
        for python in (f"{self.peers}/bin/python" if self.peers else None, sys.executable,
                       "/usr/bin/python3"):
            if python is None or not os.path.exists(python):
                continue
            done = subprocess.run([python, "-c", f"import {module}; print({module}.__version__)"],
                                  check=False, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                self._versions[module] = done.stdout.strip()
                self._pythons[module] = python
                return python
        raise NotMeasured(f"no Python here has {module}: bench/install_peers.sh makes one")

    def tool(self, name):
        """A peer that is a program of the system."""
        path = shutil.which(name)
        if path is None:
            raise NotMeasured(f"{name} is not installed: bench/install_peers.sh --backup")
        done = subprocess.run([path, "--version" if name == "borg" else "version"], check=False,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._versions[name] = " ".join(done.stdout.split()[:2])
        return path

    def versions(self):
        return dict(sorted(self._versions.items()))

    def package_environment(self):
        """For a Python that imports the package from the source tree, with the library built."""
        library = self.build / ".libs" / "libsnapstate.so.0"
        package = TOP / "python" / "snapstate" / "__init__.py"
        if not package.exists():
            raise NotMeasured("there is no package python/snapstate in this tree")
        if not library.exists():
            raise NotMeasured(f"{library.name} is not built")
        return {**os.environ, "PYTHONPATH": str(TOP / "python"),
                "SNAPSTATE_LIBRARY": str(library)}


def settle():
    """Let the disk come to rest: what was written or removed before is not to be paid for later."""
    os.sync()


def drop_from_cache(path):
    """The next reader of the file finds nothing in the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def read_into_cache(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 22):
            pass
