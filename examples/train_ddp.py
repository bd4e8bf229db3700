#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train a small CNN on MNIST with several processes, in a run that can be killed at any moment and
goes on as if it had not been.

    torchrun --nproc_per_node=3 train_ddp.py FOLDER IMAGES LABELS [--epochs N]

IMAGES and LABELS are IDX files, gzipped or not. docs/torchrun.md walks through it."""

import argparse
import gzip
import os
import struct

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import snapstate


def read_idx(path):
    """An IDX file of bytes as a tensor."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        raw = file.read()
    dims = struct.unpack(f">{raw[3]}I", raw[4:4 + 4 * raw[3]])
    return torch.frombuffer(bytearray(raw[4 + 4 * raw[3]:]), dtype=torch.uint8).reshape(dims)


def main():
    parser = argparse.ArgumentParser(description="train a small CNN on MNIST with torchrun")
    parser.add_argument("folder")
    parser.add_argument("images")
    parser.add_argument("labels")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--samples", type=int, default=1500)
    given = parser.parse_args()

    dist.init_process_group("gloo")
    rank = dist.get_rank()
    snapstate.seed_all(42)  # the weights are made alike on all ranks
    model = DistributedDataParallel(nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Dropout(0.2),
        nn.Linear(288, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10)))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    images = read_idx(given.images)[:given.samples, None].float() / 255
    labels = read_idx(given.labels)[:given.samples].long()
    data = TensorDataset(images, labels)
    loader = DataLoader(data, batch_size=25, sampler=DistributedSampler(data, seed=42))
    snapstate.seed_all(1000 + rank)  # and dropout is each rank's own

    def step(batch):
        images, labels = batch
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    with snapstate.Run(given.folder, model=model, optimizer=optimizer, scheduler=scheduler,
                       loader=loader, every=10, data={"images": given.images},
                       training={"example": "ddp"}, distinct=["torch"]) as run:
        receipt = run.restore()
        if rank == 0:
            print(receipt if receipt else "a fresh run", flush=True)
        step = run.distributed(step)
        for batch in run.batches(epochs=given.epochs):
            loss = step(batch)
            run.step(loss=loss)
            if os.environ.get("DIE_AT") == str(run.steps_done):  # for the test of this example
                run.wait()
                if rank == 1:
                    os.kill(os.getpid(), 9)
        run_hash = run.run_hash()
        if rank == 0:
            print(f"step {run.steps_done}")
            print(run_hash)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
