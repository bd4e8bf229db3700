# SPDX-License-Identifier: Apache-2.0
"""The peer of the storage figures: the same state by torch.save and torch.load.

    peer_torch.py save FOLDER BYTES TENSORS   each line "go": one durable save, its seconds
    peer_torch.py load FILE BYTES TENSORS     one load into fresh memory, beside a model as large
"""

import os
import sys
import time

import torch


def tensors(size, count, seed):
    generator = torch.Generator().manual_seed(seed)
    return {f"layer{i:05}.weight": torch.empty(size // count // 4).uniform_(-0.5, 0.5,
                                                                          generator=generator)
            for i in range(count)}


def save(folder, size, count):
    state = tensors(size, count, 0)
    last = None
    for number, _ in enumerate(sys.stdin):
        path = os.path.join(folder, f"state-{number}.pt")
        began = time.perf_counter()
        with open(path, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        print(f"{time.perf_counter() - began:.6f}", flush=True)
        if last is not None:
            os.unlink(last)
        last = path


def load(path, size, count):
    model = tensors(size, count, 1)
    began = time.perf_counter()
    state = torch.load(path)
    print(f"{time.perf_counter() - began:.6f}", flush=True)
    assert len(state) == len(model) == count


def main():
    verb, where, size, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    {"save": save, "load": load}[verb](where, size, count)


if __name__ == "__main__":
    main()
