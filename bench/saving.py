# SPDX-License-Identifier: Apache-2.0
"""How saving and restoring are measured, through C and through Python, against torch."""

from figure import Measurement, NotMeasured
from surroundings import TOP, drop_from_cache, read_into_cache, settle
from worker import Worker, once

PEER = str(TOP / "bench" / "peer_torch.py")


def sizes(bench):
    return [str(bench.bytes), str(bench.tensors)]


def newest(folder, pattern):
    found = sorted(folder.glob(pattern))
    if not found:
        raise NotMeasured(f"nothing was saved as {pattern}")
    return found[-1]


def in_turn(bench, first, second):
    """One run of each, as often as there are runs, after one of each that is not counted: memory
    and the file system are then as they will be."""
    rounds = []
    for _ in range(bench.runs + 1):
        pair = []
        for side in (first, second):
            settle()
            pair.append(side())
        rounds.append(pair)
    return [list(side) for side in zip(*rounds[1:])]


def compare_saves(bench, command, env=None):
    """`command(folder)` is our worker. Both sides hold their state in memory all the time, and
    remove the file before the last outside of the clock."""
    torch = bench.python("torch")
    peer_folder = str(bench.new_folder())
    with Worker(command(bench.new_folder()), env) as ours, \
            Worker([torch, PEER, "save", peer_folder, *sizes(bench)]) as peer:
        mine, theirs = in_turn(bench, ours.go, peer.go)
    return Measurement(mine, theirs, "torch.save and fsync")


def compare_restores(bench, archive, command, cached, env=None):
    """`command` is our worker for one restore of `archive`. Each run is a new process that holds a
    model as large as the state: a restore fills it, torch.load makes another."""
    torch = bench.python("torch")
    peer_folder = bench.new_folder()
    with Worker([torch, PEER, "save", str(peer_folder), *sizes(bench)]) as peer:
        peer.go()
    file = newest(peer_folder, "*.pt")

    def run(path, arguments, env=None):
        if cached:
            read_into_cache(path)
        else:
            drop_from_cache(path)
        return once(arguments, env)

    load = [torch, PEER, "load", str(file), *sizes(bench)]
    mine, theirs = in_turn(bench, lambda: run(archive, command, env), lambda: run(file, load))
    return Measurement(mine, theirs, "torch.load")
