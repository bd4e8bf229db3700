#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train a small CNN on MNIST, in a run that can be killed at any moment and goes on as if it had
not been.

    python3 train_mnist.py FOLDER IMAGES LABELS [--epochs N]

IMAGES and LABELS are IDX files, gzipped or not. Kill it (Ctrl-C, or kill -9), start it again with
the same words, and it goes on; docs/python.md walks through it."""

import argparse
import gzip
import os
import struct

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import snapstate


def read_idx(path):
    """An IDX file of bytes as a tensor."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        raw = file.read()
    dims = struct.unpack(f">{raw[3]}I", raw[4:4 + 4 * raw[3]])
    return torch.frombuffer(bytearray(raw[4 + 4 * raw[3]:]), dtype=torch.uint8).reshape(dims)


def main():
    parser = argparse.ArgumentParser(description="train a small CNN on MNIST")
    parser.add_argument("folder")
    parser.add_argument("images")
    parser.add_argument("labels")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--samples", type=int, default=2000)
    given = parser.parse_args()

    snapstate.seed_all(42)
    images = read_idx(given.images)[:given.samples, None].float() / 255
    labels = read_idx(given.labels)[:given.samples].long()
    loader = DataLoader(TensorDataset(images, labels), batch_size=50, shuffle=True)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(),
                          nn.Dropout(0.2), nn.Linear(288, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 80)

    with snapstate.Run(given.folder, model=model, optimizer=optimizer, scheduler=scheduler,
                       loader=loader, every=10, data={"images": given.images},
                       training={"example": "mnist"}) as run:
        receipt = run.restore()
        print(receipt if receipt else "a fresh run", flush=True)
        for images, labels in run.batches(epochs=given.epochs):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
            run.step(loss=loss)
            if os.environ.get("DIE_AT") == str(run.steps_done):  # for the test of this example
                run.wait()
                os.kill(os.getpid(), 9)
        print(f"step {run.steps_done}, loss {loss.item():.4f}")
        print(run.run_hash())


if __name__ == "__main__":
    main()
