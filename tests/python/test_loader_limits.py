#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""snapstate.loader where things go wrong or end early: as the bare loader does, and what cannot be
exact is said. Also that skipping loads nothing, and what is refused."""

import random
import sys
import tempfile
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from tap import Tap  # noqa: E402


def tracked_from(make, state):
    """A loader made again, brought to the place of `state` through JSON."""
    loader_cases.seeds = None
    tracked = TrackedLoader(make())
    tracked.restore(from_json(to_json(state)))
    tracked.start()
    return tracked


def seed_all(seed):
    loader_cases.seeds = seed
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def after(make, batches):
    """The state behind so many batches, and the ids of the rest of that epoch."""
    seed_all(3)
    tracked = TrackedLoader(make())
    state, rest = None, []
    for _ in tracked.iterate():
        if tracked.batches == batches:
            state = tracked.state()
        elif tracked.batches > batches:
            rest.append(tracked.last_ids)
    return state, rest


def check_nothing_loaded(tap, folder):
    """The samples of skipped batches are not loaded, whoever loads."""
    for name, options in {
            "no workers": {}, "3 workers": {"num_workers": 3},
            "samples": {"batch_size": None, "num_workers": 2},
            "persistent": {"num_workers": 2, "persistent_workers": True}}.items():
        log = folder / name

        def make(log=log, options=options):
            return loader(Logging(log, 3000), shuffle=True, **options)
        state, rest = after(make, 701)
        log.unlink()
        tracked = tracked_from(make, state)
        ids = []
        for _ in tracked.iterate():
            ids += tracked.last_ids
            if len(ids) > 60:
                break
        rest = [number for batch in rest for number in batch]
        loaded = [int(line) for line in log.read_text().split()]
        tap.ok(ids == rest[:len(ids)] and set(loaded) <= set(rest[:len(ids) + 40])
               and len(loaded) == len(set(loaded)),
               f"{name}: 701 batches are skipped, and none of their samples is loaded")


def steps(iterator, count):
    """What so many calls of next() give, errors included, and the streams behind each."""
    found = []
    for _ in range(count):
        try:
            what = batch_bytes(next(iterator))
        except StopIteration:
            what = "end"
        except ValueError as problem:
            what = str(problem).splitlines()[-1]
        found.append((what, digest(generators.read_globals())))
        train()
    return found


def check_errors(tap):
    for workers in (0, 2):
        def make(workers=workers):
            return loader(Failing(), num_workers=workers, batch_size=2, shuffle=True)
        bare, _ = in_child(lambda write: write(digest(steps(iter(Journey(make, 5).loader), 8))))
        tracked, _ = in_child(lambda write: write(digest(steps(
            TrackedLoader(Journey(make, 5).loader).iterate(), 8))))
        tap.ok(bare == tracked, f"{workers} workers: samples that fail: as without us")

    tracked = TrackedLoader(loader(Failing(), num_workers=2, batch_size=2))
    loop = tracked.iterate()
    level, states = [], []
    for _ in range(5):
        try:
            next(loop)
        except ValueError:
            pass
        level.append(tracked.exactness())
        states.append(tracked.state())
    tap.ok([name for name, _ in level] == ["exact", "exact", "streams", "streams", "exact"],
           "a batch that failed: its worker is not known until its next batch", level)
    tap.ok("worker 0" in level[2][1][0], "and it is said which", level[2])
    tap.ok(states[4]["taken"] == 5 and states[4]["batches"] == 4, "it is behind, and not consumed")
    rest = [batch_bytes(batch) for batch in loop]
    again = tracked_from(lambda: loader(Failing(), num_workers=2, batch_size=2), states[4])
    tap.ok([batch_bytes(batch) for batch in again.iterate()] == rest and again.epoch == 1,
           "from behind it: the same batches")


def check_left_early(tap):
    def left(make, how):
        """Loops of which some end early, tracked or bare."""
        journey = Journey(make, 9)
        tracked = TrackedLoader(journey.loader) if how else journey.loader
        found = []
        for limit in (2, 9, 1, 9):
            for number, batch in enumerate(tracked):
                train()
                found.append(journey.here(batch))
                if number + 1 == limit:
                    break
        return found
    for persistent in (False, True):
        def make(persistent=persistent):
            return loader(loader_cases.Noisy(), shuffle=True, num_workers=2,
                          persistent_workers=persistent)
        both = [in_child(lambda write: write(left(make, how)))[0] for how in (False, True)]
        tap.ok(both[0] == both[1] and both[0],
               f"loops that end early{', persistent' if persistent else ''}: as without us")

    tracked = TrackedLoader(make())
    for _ in tracked.iterate():
        break
    known = tracked.exactness()[0]
    loop = tracked.iterate()
    next(loop)
    level, reasons = tracked.exactness()
    next(loop)
    tap.ok(known == "exact" and level == "streams" and reasons[0].startswith("worker 1 ")
           and tracked.exactness() == ("exact", []) and (tracked.epoch, tracked.batches) == (1, 2),
           "persistent workers whose epoch was left: not known before their next batch", reasons)


def check_two_loops(tap):
    def make():
        return loader(loader_cases.Noisy(), shuffle=True)

    def nested(loops):
        found = []
        for outer in loops:
            found.append(batch_bytes(outer))
            found += [batch_bytes(inner) for inner in loops]
        return digest(found)
    both = [in_child(lambda write: write(nested(wrap(Journey(make, 4).loader))))[0]
            for wrap in (lambda bare: bare, TrackedLoader)]
    tap.ok(both[0] == both[1] and both[0], "a loop inside another: as without us")
    tracked = TrackedLoader(make())
    first = tracked.iterate()
    next(first)
    second = tracked.iterate()
    next(second)
    level, reasons = tracked.exactness()
    tap.ok(level == "streams" and "newest" in reasons[0] and tracked.epoch == 1, "and it is said",
           reasons)


def raises(tap, name, text, call):
    try:
        call()
    except errors.InvalidError as problem:
        tap.ok(text in str(problem) and "\n" not in str(problem), name, problem)
    else:
        tap.ok(False, name, "nothing was raised")


def check_refused(tap):
    class Own(DataLoader):
        def __iter__(self):
            return iter([])

    data = loader_cases.Noisy()
    raises(tap, "what is no DataLoader is refused", "not a list", lambda: TrackedLoader([1]))
    raises(tap, "an __iter__ of its own is refused", "Own has an __iter__",
           lambda: TrackedLoader(Own(data)))
    running = loader(data, num_workers=1, persistent_workers=True)
    iter(running)
    raises(tap, "persistent workers that run are refused", "persistent workers are running",
           lambda: TrackedLoader(running))
    if hasattr(torch.utils.data, "IterDataPipe"):
        class Pipe(torch.utils.data.IterDataPipe):
            def __iter__(self):
                return iter([])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            piped = DataLoader(Pipe())
        raises(tap, "a data pipe is refused", "data pipe", lambda: TrackedLoader(piped))
    state, _ = after(lambda: loader(data), 1)
    begun = TrackedLoader(loader(data))
    begun.iterate()
    raises(tap, "a restore after a loop has begun is refused", "has begun",
           lambda: begun.restore(state))
    raises(tap, "another format is refused", "format 2",
           lambda: TrackedLoader(loader(data)).restore({**state, "format": 2}))
    raises(tap, "the state of another kind of data is refused", "iterable",
           lambda: TrackedLoader(loader(loader_cases.Stream())).restore(state))


def check_differences(tap):
    data = loader_cases.Noisy()
    state, rest = after(lambda: loader(data, shuffle=True, num_workers=2), 2)
    for name, other in {
            "num_workers is 3, and was 2": {"num_workers": 3},
            "batch_size is 4, and was 3": {"num_workers": 2, "batch_size": 4},
            "prefetch_factor is 3, and was 2": {"num_workers": 2, "prefetch_factor": 3},
            "persistent_workers is True, and was False": {"num_workers": 2,
                                                          "persistent_workers": True},
            "drop_last is True, and was False": {"num_workers": 2, "drop_last": True},
            "generator is given, and was global": {"num_workers": 2,
                                                   "generator": torch.Generator()}}.items():
        changed = TrackedLoader(loader(data, shuffle=True, **other))
        lines = changed.compare(state)
        changed.restore(state)
        level, reasons = changed.exactness()
        tap.ok(any(line.startswith(name) for line in lines) and level == "streams"
               and reasons == lines, name, *lines)
    tap.ok(any("dataset_length is 12, and was 11" in line for line in
               TrackedLoader(loader(loader_cases.Noisy(12))).compare(state)),
           "the dataset's length")
    lines = TrackedLoader(loader(data, num_workers=2)).compare(state)
    tap.ok(any("SequentialSampler, and was" in line for line in lines), "another sampler", *lines)
    lines = TrackedLoader(loader(data, num_workers=2, shuffle=True)).compare(state)
    tap.ok(lines == [], "nothing, where nothing differs", *lines)

    more = tracked_from(lambda: loader(data, shuffle=True, num_workers=3), state)
    ids = [more.last_ids for _ in more.iterate()]
    tap.ok(ids == rest, "with another number of workers the order goes on", ids, rest)
    sampler = Epochs()
    state, _ = after(lambda: loader(data, sampler=sampler), 1)
    lines = TrackedLoader(loader(data, sampler=Epochs())).compare(
        {**state, "loader": describe(loader(data, sampler=sampler))})
    tap.ok(lines == ["sampler.inner.passes is 0, and was 1 when the state was saved"],
           "a sampler that counts for itself", *lines)


def check_streams_only(tap):
    for workers in (0, 2):
        def make(workers=workers):
            return loader(loader_cases.Plain(), num_workers=workers)
        seed_all(3)
        tracked = TrackedLoader(make())
        seen = [batch.tolist() for batch in tracked.iterate()]
        seed_all(3)
        tracked = TrackedLoader(make())
        loop = tracked.iterate()
        for _ in range(3):
            next(loop)
        state, behind = tracked.state(), generators.read_globals()
        again = tracked_from(make, state)
        level, reasons = again.exactness()
        generators.write_globals(behind)
        rest = [batch.tolist() for batch in again.iterate()]
        tap.ok(level == "streams" and "read again" in reasons[0] and rest == seen[3:],
               f"{workers} workers: iterable data without state: read again, and it is said",
               reasons)

    def drawing():
        return loader(loader_cases.Noisy(), sampler=loader_cases.Drawing(), num_workers=2,
                      batch_size=1)
    state, behind = None, None
    tracked = TrackedLoader(drawing())
    for _ in tracked.iterate():
        train()
        if tracked.batches == 5:
            state, behind = tracked.state(), generators.read_globals()
            break
    generators.write_globals(behind)
    level, reasons = tracked_from(drawing, state).exactness()
    tap.ok(level == "streams" and "the sampler gave other ids" in reasons[0],
           "a sampler that draws when the loop does: found out", reasons)

    state, _ = after(lambda: loader(loader_cases.Stream(), num_workers=2), 2)
    other = tracked_from(lambda: loader(loader_cases.Stream(), num_workers=1), state)
    level, reasons = other.exactness()
    tap.ok(level == "streams" and "begins again" in reasons[-1]
           and (other.batches, len(list(other.iterate()))) == (0, 4),
           "iterable data with another number of workers: the epoch begins again", reasons)
    if hasattr(loader(loader_cases.Noisy()), "in_order"):
        level, reasons = TrackedLoader(loader(loader_cases.Noisy(), num_workers=2,
                                              in_order=False)).exactness()
        tap.ok(level == "streams" and "in_order" in reasons[0], "in_order=False", reasons)
    else:
        tap.ok(True, "in_order=False: this torch has it not")


def check_pinned(tap):
    """What a worker sends goes through the loader's thread for pinned memory unharmed."""
    from torch.utils.data._utils.pin_memory import pin_memory
    side = WorkerSide(loader_cases.Noisy(), tuple, None, True, False, [None], 0, None)
    batch, worker, samples, cargo = pin_memory(side.collate(["a", "b"]))
    tap.ok(list(batch) == ["a", "b"] and (worker, samples) == (-1, 1)
           and open_cargo(cargo)["streams"] == generators.read_globals(),
           "the state that comes with a batch is not changed by pinning it")


def check_start(tap):
    def make():
        sampler = DistributedSampler(loader_cases.Noisy(), num_replicas=2, rank=1, seed=5)
        return loader(loader_cases.Noisy(), sampler=sampler, num_workers=2, batch_size=2)
    bare = make()
    bare.sampler.set_epoch(3)
    tracked = TrackedLoader(bare)
    loop = tracked.iterate()
    next(loop)
    state = tracked.state()
    rest = [tracked.last_ids for _ in loop]
    train()
    before = generators.read_globals()
    again = tracked_from(make, state)
    tap.ok(generators.read_globals() == before, "start() leaves the global streams as they are")
    tap.ok([again.last_ids for _ in again.iterate()] == rest,
           "an epoch that the user's own set_epoch() chose")
    again = TrackedLoader(make())
    again.restore(state)
    tap.ok((again.epoch, again.batches, again.samples) == (0, 1, 2)
           and again.state() is state, "between restore() and start() it is where the state says")
    tap.ok([again.last_ids for _ in again.iterate()] == rest,
           "iterate() starts what was not started")
    numpy_generators = TrackedLoader(loader(
        loader_cases.Lazy(), collate_fn=loader_cases.NoisyCollate())).dataset_generators()
    tap.ok(list(numpy_generators) == ["collate_fn.rng"], "generators of this process, by name",
           list(numpy_generators))


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="snap-test.") as folder:
        check_nothing_loaded(tap, Path(folder))
    check_errors(tap)
    check_left_early(tap)
    check_two_loops(tap)
    check_refused(tap)
    check_differences(tap)
    check_streams_only(tap)
    check_pinned(tap)
    check_start(tap)
    return tap.done()


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    try:
        import torch
    except ImportError as problem:
        tap = Tap()
        tap.skip("torch", f"python3-torch is not installed: {problem}")
        sys.exit(tap.done())

    from torch.utils.data import DataLoader, Dataset, Sampler
    from torch.utils.data.distributed import DistributedSampler

    import loader_cases
    import numpy
    from loader_cases import loader
    from loader_journeys import Journey, batch_bytes, digest, from_json, in_child, to_json, train
    from snapstate import errors
    from snapstate.loader import TrackedLoader, generators
    from snapstate.loader.description import describe
    from snapstate.loader.worker_side import WorkerSide, open_cargo

    class Logging(Dataset):
        """Writes down what is loaded."""

        def __init__(self, log, length):
            self.log, self.length = log, length

        def __len__(self):
            return self.length

        def __getitem__(self, index):
            with open(self.log, "a", encoding="ascii") as log:
                log.write(f"{index}\n")
            return index

    class Failing(loader_cases.Noisy):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            if index == 4:
                raise ValueError(f"sample {index} is damaged")
            return item

    class Epochs(Sampler):
        """Counts its passes, in a way of its own."""

        def __init__(self):
            self.passes = 0

        def __len__(self):
            return 11

        def __iter__(self):
            self.passes += 1
            order = list(range(11))
            random.Random(self.passes).shuffle(order)
            return iter(order)

    torch.set_num_threads(1)
    sys.exit(main())
