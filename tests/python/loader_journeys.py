# SPDX-License-Identifier: Apache-2.0
"""Loops over loaders in processes of their own, for the tests of snapstate.loader. A place goes
from one process to the next as JSON."""

import hashlib
import json
import os
import pickle
import random
import signal
import traceback

import loader_cases
import numpy
import torch

from snapstate.loader import TrackedLoader, generators
from snapstate.loader.held_state import HeldGenerators

EPOCHS = 2


def to_json(value):
    return json.dumps(value, sort_keys=True, default=lambda data: {"hex": data.hex()})


def from_json(text):
    def bytes_again(value):
        return bytes.fromhex(value["hex"]) if value.keys() == {"hex"} else value
    return json.loads(text, object_hook=bytes_again)


def digest(value):
    return hashlib.sha256(pickle.dumps(value)).hexdigest()[:16]


def batch_bytes(batch):
    if isinstance(batch, dict):
        return [(key, batch_bytes(value)) for key, value in batch.items()]
    return batch.numpy().tobytes() if hasattr(batch, "numpy") else batch


def train():
    """A step draws, in the process of the loop."""
    random.random()
    numpy.random.rand()
    torch.rand(1)


def in_child(work):
    """The lines that `work(write)` writes in a process of its own, up to its end or its death, and
    its wait status."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read_end)
            with os.fdopen(write_end, "w") as pipe:
                def write(line):
                    pipe.write(json.dumps(line) + "\n")
                    pipe.flush()
                work(write)
            status = 0
        except BaseException:  # noqa: B902 - it must not run on as a second parent
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        lines = [json.loads(line) for line in pipe if line.endswith("\n")]
    return lines, os.waitpid(child, 0)[1]


class Journey:
    """Loops over a loader; each line says what was got and where every generator stands."""

    def __init__(self, make, seeds):
        loader_cases.seeds = seeds
        seed = loader_cases.seed()
        random.seed(seed)
        numpy.random.seed(seed)
        torch.manual_seed(seed)
        self.loader = make()
        self.held = HeldGenerators({
            "dataset": self.loader.dataset, "collate_fn": self.loader.collate_fn,
            "sampler": self.loader.sampler, "batch_sampler": self.loader.batch_sampler,
            "loader": {"generator": self.loader.generator}})
        self.on_epoch = getattr(self.loader.sampler, "set_epoch", None)

    def here(self, batch):
        return {"batch": digest(batch_bytes(batch)), "streams": digest(generators.read_globals()),
                "held": digest(self.held.read())}

    def bare(self, write, epochs):
        for epoch in range(epochs):
            if self.on_epoch is not None:
                self.on_epoch(epoch)
            for batch in self.loader:
                train()
                write(self.here(batch))
            train()
            write(self.here(None))

    def tracked(self, write, epochs, start=None, kill=None):
        """Behind each batch also the place; from `start`, a line, if it is given; behind batch
        `kill` of the second epoch the process kills itself."""
        tracked = TrackedLoader(self.loader, on_epoch=self.on_epoch)
        if start is not None:
            tracked.restore(from_json(start["place"]))
            tracked.start()
            generators.write_globals(from_json(start["globals"]))
            level, reasons = tracked.exactness()
            if to_json(tracked.state()) != start["place"]:
                reasons.append("the state is not the one that was restored")
            write({"exact": level == "exact", "reasons": reasons})
        while tracked.epoch < epochs:
            for batch in tracked.iterate():
                train()
                self._write(write, batch, tracked)
                if kill == tracked.batches and tracked.epoch == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
            train()
            self._write(write, None, tracked)

    def _write(self, write, batch, tracked):
        write({**self.here(batch), "ids": None if batch is None else tracked.last_ids,
               "place": to_json(tracked.state()),
               "globals": to_json(generators.read_globals()),
               "at": [tracked.epoch, tracked.batches, tracked.samples]})


def check_transparent(tap, name, make):
    """Three epochs, bare and tracked."""
    bare, _ = in_child(lambda write: Journey(make, 7).bare(write, 3))
    tracked, _ = in_child(lambda write: Journey(make, 7).tracked(write, 3))
    tracked = [{key: line[key] for key in ("batch", "streams", "held")} for line in tracked]
    tap.ok(bare == tracked and len(bare) > 3, f"{name}: tracked as bare", *different(bare, tracked))


def different(wanted, found):
    """Where two lists of lines differ, for the diagnostics of a test point."""
    for number, (left, right) in enumerate(zip(wanted, found)):
        keys = [key for key in left if left[key] != right.get(key)]
        if keys:
            yield f"line {number}: {keys}"
        if "place" in keys:
            places = json.loads(left["place"]), json.loads(right["place"])
            yield from (f"  {key}: {str(places[0][key])[:300]} | {str(places[1][key])[:300]}"
                        for key in places[0] if places[0][key] != places[1][key])
        if keys:
            return
    yield f"{len(wanted)} and {len(found)} lines"


def check_restores(tap, name, make, some=None):
    """From behind each batch of two epochs, and from between them, or from `some` of these places.
    A process that begins early in the first epoch goes on to its end: the place there is the one
    that the next begins from."""
    lines, _ = in_child(lambda write: Journey(make, 7).tracked(write, EPOCHS))
    end = [line["at"][0] for line in lines].index(1)
    problems = []
    places = range(len(lines)) if some is None else [end + place for place in some]
    for number in places:
        start = lines[number]
        until = 1 if number < end - 1 else EPOCHS
        wanted = lines[number + 1:end + 1] if until == 1 else lines[number + 1:]
        again, _ = in_child(lambda write: Journey(make, None).tracked(write, until, start))
        exact, rest = again[:1], again[1:]
        if exact != [{"exact": True, "reasons": []}]:
            problems.append(f"from line {number}: {exact}")
        if rest != wanted:
            problems += [f"from line {number}, {start['at']}:", *different(wanted, rest)]
    tap.ok(len(lines) > EPOCHS and not problems, f"{name}: restored from {len(places)} places",
           *problems[:12])
    return lines
