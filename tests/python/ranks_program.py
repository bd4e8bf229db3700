#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A training of several processes, for torchrun or a fork: DistributedDataParallel, dropout and
batch norm, a DistributedSampler, Adam, a schedule. It knows when it is to be killed.

    ranks_program.py FOLDER [STEP]     killed by SIGKILL on rank 1 (or 0) before that step
"""

import os
import random
import signal
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "python")]

import numpy  # noqa: E402
import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.parallel import DistributedDataParallel  # noqa: E402
from torch.utils.data import DataLoader, Dataset, DistributedSampler  # noqa: E402

SAMPLES, BATCH, EPOCHS, EVERY = 96, 4, 2, 3


class Points(Dataset):
    """Noise is drawn where a sample is made, from torch's stream of the rank or its worker."""

    def __init__(self):
        generator = torch.Generator().manual_seed(1)
        self.inputs = torch.randn(SAMPLES, 48, generator=generator)
        self.labels = torch.randint(0, 10, (SAMPLES,), generator=generator)

    def __len__(self):
        return SAMPLES

    def __getitem__(self, index):
        return self.inputs[index] + 0.1 * torch.randn(48), self.labels[index]


def network():
    torch.manual_seed(3)
    layers = []
    for _ in range(6):
        layers += [nn.Linear(48, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(0.1)]
    return nn.Sequential(*layers, nn.Linear(48, 10))


class Training:
    """`accumulate` batches make an update, without an exchange of gradients in all but the last."""

    def __init__(self, workers=0, accumulate=1, **parallel):
        self.accumulate, self.counts = accumulate, {"batches": 0}
        self.model = DistributedDataParallel(network(), **parallel)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-3)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 5, 0.5)
        for seed in (torch.manual_seed, random.seed, numpy.random.seed):
            seed(100 + dist.get_rank())
        data = Points()
        sampler = DistributedSampler(data, shuffle=True, seed=9)
        self.loader = DataLoader(data, batch_size=BATCH, sampler=sampler, num_workers=workers)

    def objects(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler,
                "loader": self.loader, "values": self.counts}

    def step(self, batch):
        self.counts["batches"] += 1
        last = self.counts["batches"] % self.accumulate == 0
        if not last:
            with self.model.no_sync():
                return self.backward(batch)
        loss = self.backward(batch)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.scheduler.step()
        return loss

    def backward(self, batch):
        inputs, labels = batch
        loss = F.cross_entropy(self.model(inputs), labels)
        loss.backward()
        return loss


def join():
    """Rank and world from the environment, as torchrun sets them; a fork names a file to meet."""
    torch.set_num_threads(1)
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group("gloo", init_method=os.environ.get("MEET", "env://"), rank=rank,
                            world_size=world)
    return rank, world


def train(folder, die_at=None, thrown_away=True, workers=0, accumulate=1, stop_at=None, **options):
    """Rank and world, and what run_hash() and state_hash() say at the end; each rank leaves its own
    losses."""
    import snapstate
    from snapstate.ranks.throw_away import ThrowAway
    rank, world = join()
    if not thrown_away:
        ThrowAway.restored = lambda self, steps: None
    training = Training(workers, accumulate)
    with snapstate.Run(folder, every=EVERY, state_every=1, read_back=False, **training.objects(),
                       **options) as run:
        make_step = run.distributed(training.step)
        for batch in run.batches(epochs=EPOCHS):
            if die_at is not None and run.steps_done + 1 == die_at:
                run.wait()  # what is under way is durable, so that it is the same one each time
                if rank == min(1, world - 1):
                    os.kill(os.getpid(), signal.SIGKILL)
            if stop_at is not None and run.steps_done + 1 == stop_at and rank == world - 1:
                os.kill(os.getpid(), signal.SIGTERM)
            run.step(loss=make_step(batch))
        if rank == 0:
            print("receipt", None if run.receipt is None else run.receipt.tier, flush=True)
        done = f"{run.run_hash()} {run.state_hash()}"
    (Path(folder) / f"done-{rank}").write_text(done)
    dist.destroy_process_group()


if __name__ == "__main__":
    from ranks_program import train  # so that its classes are named as in a fork of a test
    train(sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else None)
