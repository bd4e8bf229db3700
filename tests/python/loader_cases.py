# SPDX-License-Identifier: Apache-2.0
"""Datasets, samplers and loaders for the tests of snapstate.loader. Everything draws: from the
global streams of the process that it is in, and from generators of its own."""

import functools
import os
import random

import numpy
import torch
from torch.utils.data import (BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler,
                              Sampler, SubsetRandomSampler, WeightedRandomSampler,
                              get_worker_info)
from torch.utils.data.distributed import DistributedSampler

SAMPLES = 11

# With a number here, generators are seeded from it, each differently; without one, from the system:
# a process that restores makes all of them differently.
seeds = None


def seed():
    global seeds
    if seeds is None:
        return int.from_bytes(os.urandom(4), "little")
    seeds += 1
    return seeds


def seed_here():
    """For generators made at the first use: in a worker the same in every process."""
    info = get_worker_info()
    return seed() if info is None else info.seed


def own_generator():
    generator = torch.Generator()
    generator.manual_seed(seed())
    return generator


def draws(rng=None):
    """One number of each stream, and who asks."""
    info = get_worker_info()
    return [random.random(), float(numpy.random.rand()), float(torch.rand(())),
            float(rng.random()) if rng is not None else 0.0,
            -1.0 if info is None else float(info.id), 0.0 if info is None else float(info.seed),
            float(torch.initial_seed())]


class Noisy(Dataset):
    """Map-style, with a generator of its own."""

    def __init__(self, length=SAMPLES):
        self.length = length
        self.rng = numpy.random.default_rng(seed())

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        # As many draws as the index says, so that streams move unevenly.
        for _ in range(int(index) % 3):
            random.gauss(0, 1)
            numpy.random.standard_normal()
        return torch.tensor([float(index), *draws(self.rng)], dtype=torch.float64)


class Lazy(Noisy):
    """Makes its generators at the first use, differently each time."""

    def __init__(self):
        super().__init__()
        self.rng = None
        self.transforms = [Transform(), Transform()]

    def __getitem__(self, index):
        if self.rng is None:
            self.rng = random.Random(seed_here())
        item = super().__getitem__(index)
        for transform in self.transforms:
            item = transform(item)
        return item


class Transform:
    def __init__(self):
        self.held = {"generator": None}

    def __call__(self, item):
        if self.held["generator"] is None:
            self.held["generator"] = torch.Generator()
            self.held["generator"].manual_seed(seed_here())
        return item + torch.rand((), generator=self.held["generator"])


class Batched(Noisy):
    """Loads whole batches, and draws once for each."""

    def __getitems__(self, indices):
        offset = self.rng.random()
        return [self[index] + offset for index in indices]


class Counting(Noisy):
    """Has a state of its own that is not a generator."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __getitem__(self, index):
        self.count += 1
        return super().__getitem__(index) * self.count

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


class Stream(IterableDataset):
    """Its place is its own: items are dealt to the workers in turn, unevenly; behind the last one
    it draws, and begins again."""

    def __init__(self, length=SAMPLES):
        self.length = length
        self.at = 0
        self.rng = random.Random(seed())

    def __iter__(self):
        numpy.random.rand()
        return self.items()

    def items(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        length = self.length if first != 1 else self.length // 2
        while first + self.at * step < length:
            self.at += 1
            yield torch.tensor([float(first + (self.at - 1) * step), *draws(self.rng)],
                               dtype=torch.float64)
        random.random()
        self.rng.random()
        self.at = 0

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


class Walker:
    """An iterator that keeps its own place."""

    def __init__(self, length):
        self.length, self.at = length, 0
        self.order = list(range(length))
        random.shuffle(self.order)

    def __iter__(self):
        return self

    def __next__(self):
        if self.at == self.length:
            raise StopIteration
        self.at += 1
        return torch.tensor([float(self.order[self.at - 1]), *draws()], dtype=torch.float64)

    def state_dict(self):
        return {"at": self.at, "order": self.order[:]}

    def load_state_dict(self, state):
        self.at, self.order = state["at"], list(state["order"])


class Walked(IterableDataset):
    def __iter__(self):
        return Walker(SAMPLES)


class Plain(IterableDataset):
    """Keeps no place."""

    def __iter__(self):
        order = list(range(SAMPLES))
        random.shuffle(order)
        for index in order:
            yield torch.tensor([float(index), *draws()], dtype=torch.float64)


class Shuffled(Sampler):
    """A user's: a generator of its own, no state."""

    def __init__(self, length=SAMPLES):
        self.length = length
        self.rng = numpy.random.default_rng(seed())

    def __iter__(self):
        return iter(self.rng.permutation(self.length).tolist())

    def __len__(self):
        return self.length


class Stateful(Sampler):
    """A user's, with state; each epoch begins where the last one ended, in an order that it
    keeps."""

    def __init__(self, length=SAMPLES):
        self.length = length
        self.order, self.at = [], length

    def __iter__(self):
        if self.at == self.length:
            self.order, self.at = torch.randperm(self.length).tolist(), 0
        while self.at < self.length:
            self.at += 1
            yield self.order[self.at - 1]

    def __len__(self):
        return self.length

    def state_dict(self):
        return {"order": self.order, "at": self.at}

    def load_state_dict(self, state):
        self.order, self.at = list(state["order"]), state["at"]


class Drawing(Sampler):
    """A user's that draws each index from a global stream when it is asked."""

    def __init__(self):
        pass

    def __iter__(self):
        for _ in range(SAMPLES):
            yield random.randrange(SAMPLES)

    def __len__(self):
        return SAMPLES


class Pairs(Sampler):
    """A batch sampler: two or three samples in a batch, and what is left over is dropped."""

    def __init__(self):
        self.generator = random.Random(seed())

    def __iter__(self):
        order = list(range(SAMPLES))
        self.generator.shuffle(order)
        batch = []
        for index in order:
            batch.append(index)
            if len(batch) == 2 + index % 2:
                yield batch[:]
                del batch[:]

    def __len__(self):
        return SAMPLES // 2


class PairsAtOnce(Pairs):
    """Draws when it is asked for an iterator, not for its first batch."""

    def __iter__(self):
        return iter(list(super().__iter__()))


class NoisyCollate:
    """A collate_fn with a generator of its own, as its worker_init_fn has."""

    def __init__(self):
        self.rng = numpy.random.RandomState(seed())

    def __call__(self, items):
        return self.collate(items)

    def collate(self, items):
        return {"x": torch.stack(items) + self.rng.standard_normal(), "n": len(items)}


def init_worker(worker_id):
    info = get_worker_info()
    random.seed(info.seed + 1)
    info.dataset.rng = numpy.random.default_rng(info.seed)
    assert info.id == worker_id and type(info.dataset).__module__ == __name__


def loader(dataset, **options):
    return DataLoader(dataset, **{"batch_size": 3, **options})


def grid():
    """Workers 0 to 3, persistent or not, a generator given or not."""
    cases = {}
    for workers in range(4):
        for persistent in ([False, True] if workers else [False]):
            for given in (False, True):
                name = (f"{workers} workers{', persistent' if persistent else ''}, "
                        f"generator {'given' if given else 'global'}")
                cases[name] = lambda w=workers, p=persistent, g=given: loader(
                    Noisy(), shuffle=True, num_workers=w, persistent_workers=p,
                    generator=own_generator() if g else None)
    return cases


def _distributed():
    sampler = DistributedSampler(Noisy(), num_replicas=2, rank=1, seed=5)
    return loader(Noisy(), sampler=sampler, num_workers=2, batch_size=2)


def _replacement():
    data = Noisy()
    return loader(data, num_workers=2, sampler=RandomSampler(data, replacement=True,
                                                             num_samples=SAMPLES + 2))


def _given_batch_sampler():
    data = Noisy()
    return DataLoader(data, num_workers=3, persistent_workers=True, generator=own_generator(),
                      batch_sampler=BatchSampler(RandomSampler(data), 4, True))


def kinds():
    """Every other kind of loader."""
    return {
        "drop_last, 3 workers": lambda: loader(
            Noisy(), shuffle=True, num_workers=3, drop_last=True, generator=own_generator()),
        "prefetch 4, a whole number of batches": lambda: loader(
            Noisy(12), shuffle=True, num_workers=2, prefetch_factor=4),
        "prefetch 1, persistent": lambda: loader(
            Noisy(), shuffle=True, num_workers=2, prefetch_factor=1, persistent_workers=True),
        "sequential, more workers than batches": lambda: loader(
            Noisy(4), num_workers=3, persistent_workers=True),
        "with replacement": _replacement,
        "weighted": lambda: loader(Noisy(), num_workers=2, sampler=WeightedRandomSampler(
            [1.0, 2.0, 3.0] * 3, SAMPLES, generator=own_generator())),
        "subset": lambda: loader(Noisy(), num_workers=2, persistent_workers=True,
                                 sampler=SubsetRandomSampler([1, 2, 3, 5, 7, 8, 10])),
        "a user's sampler": lambda: loader(Noisy(), num_workers=2, sampler=Shuffled()),
        "a user's sampler, no workers": lambda: loader(Noisy(), sampler=Shuffled()),
        "a user's sampler, persistent": lambda: loader(
            Noisy(), num_workers=2, persistent_workers=True, sampler=Shuffled()),
        "a sampler with state": lambda: loader(Noisy(), num_workers=2, sampler=Stateful()),
        "a sampler with state, no workers": lambda: loader(Noisy(), sampler=Stateful()),
        "a sampler with state, persistent": lambda: loader(
            Noisy(), num_workers=3, persistent_workers=True, sampler=Stateful()),
        "distributed": _distributed,
        "a batch sampler given": _given_batch_sampler,
        "a user's batch sampler": lambda: DataLoader(Noisy(), batch_sampler=Pairs(),
                                                     num_workers=2),
        "a batch sampler that draws at once": lambda: DataLoader(
            Noisy(), batch_sampler=PairsAtOnce(), num_workers=2, persistent_workers=True),
        "samples, not batches": lambda: DataLoader(
            Noisy(5), batch_size=None, shuffle=True, num_workers=2, persistent_workers=True),
        "a dataset that loads batches": lambda: loader(Batched(), shuffle=True, num_workers=3),
        "a dataset with state": lambda: loader(Counting(), shuffle=True, num_workers=2,
                                               persistent_workers=True),
        "a dataset with state, no workers": lambda: loader(Counting(), shuffle=True),
        "generators made at the first use": lambda: loader(Lazy(), shuffle=True, num_workers=2,
                                                           persistent_workers=True),
        "generators made at the first use, no workers": lambda: loader(Lazy(), shuffle=True),
        "collate_fn and worker_init_fn": lambda: loader(
            Noisy(), shuffle=True, num_workers=2, collate_fn=NoisyCollate(),
            worker_init_fn=init_worker, persistent_workers=True),
        "collate_fn, no workers": lambda: loader(
            Noisy(), shuffle=True, collate_fn=functools.partial(NoisyCollate().collate)),
        "iterable": lambda: loader(Stream(), num_workers=2),
        "iterable, no workers": lambda: loader(Stream()),
        "iterable, persistent": lambda: loader(Stream(), num_workers=2, persistent_workers=True),
        "iterable, persistent, drop_last": lambda: loader(
            Stream(13), num_workers=3, persistent_workers=True, batch_size=2, drop_last=True),
        "iterable, samples": lambda: DataLoader(Stream(5), batch_size=None, num_workers=3),
        "iterable, samples, no workers": lambda: DataLoader(Stream(5), batch_size=None),
        "iterable whose iterator has state": lambda: loader(
            Walked(), num_workers=2, persistent_workers=True),
        "iterable whose iterator has state, no workers": lambda: loader(Walked()),
    }


def spawned():
    return {"spawned workers": lambda: loader(
        Noisy(), shuffle=True, num_workers=2, persistent_workers=True, collate_fn=NoisyCollate(),
        worker_init_fn=init_worker, multiprocessing_context="spawn")}
