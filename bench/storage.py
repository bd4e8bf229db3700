# SPDX-License-Identifier: Apache-2.0
"""Area `storage`: saving and restoring through the C library."""

from backup import against_borg, against_restic
from figure import Figure, Goal, Measurement
from saving import compare_restores, compare_saves, in_turn, newest, sizes
from surroundings import read_into_cache
from worker import Worker, once


# What a worker of bench/bench_state.c answers, by place.
STALLED, FILE_BYTES, EXTRA_BYTES = 1, 2, 3
SMALL_TENSORS = 10_000


def _command(bench, way, tensors=None):
    program = bench.program("bench/bench_state")
    state = [str(bench.bytes), str(tensors or bench.tensors)]
    return lambda folder: [program, "save", str(folder), *state, way]


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
    with Worker(_command(bench, "no-read-back")(bench.new_folder())) as ours, \
            Worker(copy) as peer:
        mine, theirs = in_turn(bench, lambda: float(ours.ask("go")[STALLED]), peer.go)
    return Measurement(mine, theirs, "a copy of the same bytes in memory on all cores")


def save_borg(bench):
    return against_borg(bench, _command(bench, "no-read-back"))


def save_restic(bench):
    return against_restic(bench, _command(bench, "no-read-back"))


def extra_memory(bench):
    """MiB at the highest, beyond the state and the staging memory that holds its copy."""
    with Worker(_command(bench, "no-read-back")(bench.new_folder())) as ours:
        ours.go()
        return Measurement([float(ours.ask("go")[EXTRA_BYTES]) / (1 << 20)
                            for _ in range(bench.runs)])


def _thin(bench, place, way="no-read-back"):
    """Thin snapshots, and whole ones of the same training."""
    with Worker(_command(bench, f"thin-{way}")(bench.new_folder())) as ours, \
            Worker(_command(bench, f"whole-{way}")(bench.new_folder())) as peer:
        mine, theirs = in_turn(bench, lambda: float(ours.ask("go")[place]),
                               lambda: float(peer.ask("go")[place]))
    return Measurement(mine, theirs, "a whole snapshot of the same step")


def thin_time(bench):
    return _thin(bench, 0)


def thin_time_read_back(bench):
    return _thin(bench, 0, "read-back")


def thin_bytes(bench):
    return _thin(bench, FILE_BYTES)


def small_tensors(bench):
    """Per byte: both sides have equally many."""
    many = max(bench.tensors, min(SMALL_TENSORS, bench.bytes // 4096))
    with Worker(_command(bench, "no-read-back", many)(bench.new_folder())) as ours, \
            Worker(_command(bench, "no-read-back")(bench.new_folder())) as peer:
        mine, theirs = in_turn(bench, ours.go, peer.go)
    return Measurement(mine, theirs, "as many bytes in the usual number of tensors")


def _load(bench, cached):
    archive = _archive(bench)
    command = [bench.program("bench/bench_state"), "load", str(archive), *sizes(bench)]
    return compare_restores(bench, archive, command, cached)


def load_cold(bench):
    return _load(bench, cached=False)


def load_warm(bench):
    return _load(bench, cached=True)


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
    Figure("storage", "save, not read back, borg", Goal("ratio", 4.0), save_borg,
           conditions="the peer: no compression, no encryption, a new repository"),
    Figure("storage", "save, not read back, restic", Goal("ratio", 4.0), save_restic,
           conditions="the peer: no compression, a new repository, which it always encrypts"),
    Figure("storage", "memory of a save", Goal("most", 64), extra_memory, unit="MiB",
           conditions="resident at the highest, beyond the state and its staged copy"),
    Figure("storage", "thin save, 90 % frozen", Goal("ratio", 4.0), thin_time,
           conditions="neither side read back; a tenth of the tensors changed since"),
    Figure("storage", "thin save, 90 % frozen, read back", Goal("ratio", 4.0),
           thin_time_read_back, conditions="the same, both sides read back, as by default"),
    Figure("storage", "thin save, 90 % frozen, size", Goal("ratio", 6.67), thin_bytes, unit="B",
           conditions="bytes of the file"),
    Figure("storage", "save of 10,000 tensors", Goal("ratio", 0.5), small_tensors,
           conditions="as many bytes on both sides, not read back"),
    Figure("storage", "load, cache cold", Goal("ratio", 3.0), load_cold,
           conditions="all tensors into fresh memory in one pass, digests compared; file not in "
                      "the page cache"),
    Figure("storage", "load, cache warm", Goal("ratio", 3.0), load_warm,
           conditions="the same; file in the page cache"),
    Figure("storage", "restore, cache cold", Goal("ratio", 2.0), restore_cold,
           conditions="new processes that hold a model as large; file not in the page cache"),
    Figure("storage", "restore, cache warm", Goal("ratio", 2.0), restore_warm,
           conditions="new processes that hold a model as large; file in the page cache"),
    Figure("storage", "verify, cache warm", Goal("ratio", 0.9), verify,
           conditions="file in the page cache; the second reader counted"),
]
