# SPDX-License-Identifier: Apache-2.0
"""Our side of the package figures: a torch model saved and restored through the Python package.

    package_state.py save FOLDER BYTES TENSORS read-back|no-read-back
    package_state.py restore|load ARCHIVE BYTES TENSORS

As bench_state.c: "go" on standard input makes one save; a restore is one, in place; a load is one,
into fresh memory.
"""

import os
import sys
import time

import torch

# By name, so that they are imported before the clock runs, as torch is.
from snapstate import Archive
from snapstate import restore as restore_state
from snapstate import save as save_state


class Model(torch.nn.Module):
    """`count` parameters of `size` bytes in all."""

    def __init__(self, size, count, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        for i in range(count):
            data = torch.empty(size // count // 4).uniform_(-0.5, 0.5, generator=generator)
            self.register_parameter(f"weight{i:05}", torch.nn.Parameter(data))


def save(folder, size, count, read_back):
    model = Model(size, count, 0)
    last = None
    for number, _ in enumerate(sys.stdin):
        path = os.path.join(folder, f"state-{number}.snap.tar")
        began = time.perf_counter()
        save_state(path, model=model, step=number, read_back=read_back)
        print(f"{time.perf_counter() - began:.6f}", flush=True)
        if last is not None:
            os.unlink(last)
        last = path


def restore(archive, size, count):
    model = Model(size, count, 1)
    began = time.perf_counter()
    restore_state(archive, model=model)
    print(f"{time.perf_counter() - began:.6f}", flush=True)


def load(archive, size, count):
    model = Model(size, count, 1)
    began = time.perf_counter()
    with Archive(archive) as opened:
        state = opened.load("model", "torch")
    print(f"{time.perf_counter() - began:.6f}", flush=True)
    assert len(state) == len(model.state_dict()) == count


def main():
    verb, where, size, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if verb == "save":
        save(where, size, count, sys.argv[5] == "read-back")
    else:
        {"restore": restore, "load": load}[verb](where, size, count)


if __name__ == "__main__":
    main()
