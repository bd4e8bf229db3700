# SPDX-License-Identifier: Apache-2.0
"""Area `package`: saving and restoring a torch model through the Python package."""

from figure import Figure, Goal
from saving import compare_restores, compare_saves, newest, sizes
from surroundings import TOP
from worker import Worker

OURS = str(TOP / "bench" / "package_state.py")


def _command(bench, way):
    torch = bench.python("torch")
    return lambda folder: [torch, OURS, "save", str(folder), *sizes(bench), way]


def save(bench):
    return compare_saves(bench, _command(bench, "no-read-back"), bench.package_environment())


def save_read_back(bench):
    return compare_saves(bench, _command(bench, "read-back"), bench.package_environment())


def _read(bench, verb, cached):
    environment = bench.package_environment()
    folder = bench.new_folder()
    with Worker(_command(bench, "no-read-back")(folder), environment) as worker:
        worker.go()
    archive = newest(folder, "*.snap.tar")
    command = [bench.python("torch"), OURS, verb, str(archive), *sizes(bench)]
    return compare_restores(bench, archive, command, cached, environment)


def restore_cold(bench):
    return _read(bench, "restore", cached=False)


def restore_warm(bench):
    return _read(bench, "restore", cached=True)


def load_cold(bench):
    return _read(bench, "load", cached=False)


def load_warm(bench):
    return _read(bench, "load", cached=True)


_HELD = "a model of one process each, files new, fsync counted"
FIGURES = [
    Figure("package", "save, not read back", Goal("ratio", 1.0), save, conditions=_HELD),
    Figure("package", "save, read back", Goal("ratio", 0.9), save_read_back, conditions=_HELD),
    Figure("package", "load, cache cold", Goal("ratio", 3.0), load_cold,
           conditions="Archive.load into fresh tensors, digests compared; file not in the page "
                      "cache"),
    Figure("package", "load, cache warm", Goal("ratio", 3.0), load_warm,
           conditions="the same; file in the page cache"),
    Figure("package", "restore, cache cold", Goal("ratio", 2.0), restore_cold,
           conditions="new processes that hold a model as large; file not in the page cache"),
    Figure("package", "restore, cache warm", Goal("ratio", 2.0), restore_warm,
           conditions="new processes that hold a model as large; file in the page cache"),
]
