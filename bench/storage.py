# SPDX-License-Identifier: Apache-2.0
"""Area `storage`: saving and restoring through the C library."""

from figure import Figure, Goal, Measurement
from saving import compare_restores, compare_saves, in_turn, newest, sizes
from surroundings import read_into_cache
from worker import Worker, once


def _command(bench, way):
    program = bench.program("bench/bench_state")
    return lambda folder: [program, "save", str(folder), *sizes(bench), way]


def _archive(bench):
    """An archive to restore from; the file is as a save leaves it."""
    folder = bench.new_folder()
    with Worker(_command(bench, "no-read-back")(folder)) as worker:
        worker.go()
    return newest(folder, "snapshots/*.snap.tar")


def save(bench):
    return compare_saves(bench, _command(bench, "no-read-back"))


def save_read_back(bench):
    return compare_saves(bench, _command(bench, "read-back"))


def save_ideal(bench):
    """Against the longer of hashing on all cores, and writing durably without a hash."""
    ideal = [bench.program("bench/bench_ideal"), "save", str(bench.new_folder()), str(bench.bytes)]
    with Worker(_command(bench, "no-read-back")(bench.new_folder())) as ours, \
            Worker(ideal) as peer:
        mine, theirs = in_turn(bench, ours.go, peer.go)
    return Measurement(mine, theirs, "the longer of SHA-256 by OpenSSL on all cores, and a "
                                     "durable direct write")


def stall(bench):
    """For how long a save keeps the training."""
    copy = [bench.program("bench/bench_ideal"), "copy", str(bench.new_folder()), str(bench.bytes)]
    with Worker(_command(bench, "stall")(bench.new_folder())) as ours, Worker(copy) as peer:
        mine, theirs = in_turn(bench, ours.go, peer.go)
    return Measurement(mine, theirs, "a copy of the same bytes in memory on all cores")


def _restore(bench, cached):
    archive = _archive(bench)
    command = [bench.program("bench/bench_state"), "restore", str(archive), *sizes(bench)]
    return compare_restores(bench, archive, command, cached)


def restore_cold(bench):
    return _restore(bench, cached=False)


def restore_warm(bench):
    return _restore(bench, cached=True)


def verify(bench):
    archive = _archive(bench)
    ideal = [bench.program("bench/bench_ideal"), "digest", str(bench.new_folder()),
             str(bench.bytes)]
    command = [bench.program("bench/bench_state"), "verify", str(archive), *sizes(bench)]
    read_into_cache(archive)
    with Worker(ideal) as peer:
        mine, theirs = in_turn(bench, lambda: once(command), peer.go)
    return Measurement(mine, theirs, "SHA-256 by OpenSSL of the same bytes in memory, all cores")


_HELD = "both states in memory, files new, fsync counted"
FIGURES = [
    Figure("storage", "save, not read back", Goal("ratio", 1.4), save, conditions=_HELD),
    Figure("storage", "save, read back", Goal("ratio", 0.9), save_read_back, conditions=_HELD),
    Figure("storage", "save, not read back, of the ideal", Goal("ratio", 0.85), save_ideal,
           conditions=_HELD),
    Figure("storage", "stall of a save", Goal("ratio", 0.83), stall,
           conditions="staging warm: it was used once; the save itself goes on behind"),
    Figure("storage", "restore, cache cold", Goal("ratio", 2.0), restore_cold,
           conditions="new processes that hold a model as large; file not in the page cache"),
    Figure("storage", "restore, cache warm", Goal("ratio", 2.0), restore_warm,
           conditions="new processes that hold a model as large; file in the page cache"),
    Figure("storage", "verify, cache warm", Goal("ratio", 0.9), verify,
           conditions="file in the page cache; the second reader counted"),
]
