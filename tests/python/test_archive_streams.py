#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The streams of an archive in the libraries that they are named after: Python's random, fed from
it, orders the next epoch as the trainer did; NumPy makes the next augmented batch to the last byte;
torch's generator draws what our engine draws next."""

import hashlib
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("top_builddir", TOP))
sys.path.insert(0, str(TOP / "tests" / "support"))

from tap import Tap  # noqa: E402

SNAP = os.environ.get("SNAP", str(BUILD / "snap"))
SHIFT, NOISE, BATCH = 1, 0.1, 128
CONFIG = {
    "training": {
        "profile": "portable-1", "seed": 42,
        "data": {"format": "idx", "shape": [8, 8, 1], "classes": 10, "mean": "0.0192",
                 "std": "0.0236"},
        "augment": {"shift": SHIFT, "flip": True, "noise": str(NOISE)},
        "model": [{"name": "flatten", "kind": "flatten"},
                  {"name": "fc1", "kind": "linear", "features": 10}],
        "loss": "cross_entropy",
        "optimizer": {"kind": "sgd", "learning_rate": "0.02"},
        "epochs": 2, "batch_size": BATCH,
        "ledger": {"state_every": 1, "batch_bytes": True},
    },
    "running": {"threads": 1, "every": 6, "data": {
        role: str(TOP / "data" / f"digits-{part}")
        for role, part in [("train_images", "train-images.idx3-ubyte"),
                           ("train_labels", "train-labels.idx1-ubyte"),
                           ("test_images", "test-images.idx3-ubyte"),
                           ("test_labels", "test-labels.idx1-ubyte")]}},
}


def idx(part):
    data = (TOP / "data" / f"digits-{part}").read_bytes()
    return data[4 + 4 * data[3]:]


class Archive:
    """The archive of one step, unpacked by tar."""

    def __init__(self, run, step, folder):
        self.folder = folder / str(step)
        self.folder.mkdir()
        subprocess.run(["tar", "-xf", run / "snapshots" / f"step-{step:010}.snap.tar", "-C",
                        self.folder], check=True)

    def bytes(self, member):
        return (self.folder / member).read_bytes()

    def json(self, member):
        return json.loads(self.bytes(member))


def set_python(value):
    gauss = value["gauss_next"]
    if gauss is not None:
        gauss = struct.unpack(">d", bytes.fromhex(gauss))[0]
    random.setstate((value["version"], tuple(value["state"]), gauss))


def order_of(archive, samples):
    """The order of the epoch that the archive stands in or, at its end, of the next one; and the
    samples of it that are behind."""
    data = archive.json("data.json")
    in_epoch = 0 < data["position"] < samples
    set_python(data["order"]["start"]["json"] if in_epoch else archive.json("rng/python"))
    ids = list(range(samples))
    random.shuffle(ids)
    return ids, data["position"] if in_epoch else 0


def ids_digest(ids):
    return hashlib.sha256(struct.pack(f"<{len(ids)}I", *ids)).hexdigest()


def set_numpy(numpy, value):
    gauss = struct.unpack(">d", bytes.fromhex(value["gauss"]))[0]
    numpy.random.set_state((value["bit_generator"], value["state"]["key"], value["state"]["pos"],
                            value["has_gauss"], gauss))


def next_batch(numpy, archive, ids):
    """What trainer/data/augment.h says that a NumPy user would write, and the bytes of it."""
    set_numpy(numpy, archive.json("rng/numpy"))
    table = numpy.frombuffer(archive.bytes("extra/input_scale"), "<f4")
    images = numpy.frombuffer(idx("train-images.idx3-ubyte"), "u1").reshape(-1, 8, 8)
    labels = numpy.frombuffer(idx("train-labels.idx1-ubyte"), "u1")
    batch = []
    for sample in ids:
        dy, dx = numpy.random.randint(-SHIFT, SHIFT + 1, 2)
        mirror = numpy.random.randint(0, 2)
        noise = numpy.random.uniform(-NOISE, NOISE, (8, 8)).astype("f4")
        shifted = numpy.zeros((8, 8), "u1")
        for y in range(8):
            for x in range(8):
                if 0 <= y - dy < 8 and 0 <= x - dx < 8:
                    shifted[y, x] = images[sample, y - dy, x - dx]
        if mirror:
            shifted = shifted[:, ::-1]
        batch.append(table[shifted] + noise)
    return numpy.stack(batch).astype("<f4").tobytes() + labels[ids].astype("<i4").tobytes()


def draw_with_our_engine(kind, member, *draw):
    """Feed member bytes into a stream of ours and make one draw."""
    arguments = ["1"] if kind == "torch_cpu" else []
    done = subprocess.run([str(BUILD / "tests" / "stream_tool"), kind, *arguments], text=True,
                          input=f"decode {member.hex()}\n{' '.join(map(str, draw))}\n",
                          stdout=subprocess.PIPE, check=True)
    return done.stdout.splitlines()[-1].split()


def check_python(tap, archives, ledger, samples):
    for step, text in ((6, "in mid-epoch"), (12, "at the end of an epoch")):
        ids, behind = order_of(archives[step], samples)
        following = ids[behind:behind + BATCH]
        tap.ok(ids_digest(following) == ledger[step + 1]["host"]["samples"],
               f"Python's random, fed from an archive {text}, orders the next batch")
    ids, _ = order_of(archives[12], samples)
    tap.ok(ids_digest(ids) == archives[18].json("data.json")["order"]["digest"],
           "and the whole epoch, as a later archive has it")
    set_python(archives[24].json("rng/python"))
    tap.ok([str(random.getrandbits(32)) for _ in range(700)] ==
           draw_with_our_engine("python_random", archives[24].bytes("rng/python"), "getrandbits",
                                700, 32), "it draws what our engine draws next")


def check_numpy(tap, numpy, archives, ledger, samples):
    for step in (6, 12, 18):
        ids, behind = order_of(archives[step], samples)
        batch = next_batch(numpy, archives[step], ids[behind:behind + BATCH])
        tap.ok(hashlib.sha256(batch).hexdigest() == ledger[step + 1]["host"]["batch"],
               f"NumPy, fed from the archive of step {step}, makes batch {step + 1}, every byte")
    set_numpy(numpy, archives[24].json("rng/numpy"))
    tap.ok([str(x) for x in numpy.random.randint(0, 2**32, size=700)] ==
           draw_with_our_engine("numpy_random_state", archives[24].bytes("rng/numpy"), "randint",
                                700, 0, 2**32), "it draws what our engine draws next")


def check_torch(tap, torch, archives):
    member = archives[24].bytes("rng/host")
    torch.set_rng_state(torch.frombuffer(bytearray(member), dtype=torch.uint8).clone())
    theirs = [f"{x & 0xffffffff:08x}" for x in
              torch.empty(700).uniform_(0, 1).view(torch.int32).tolist()]
    tap.ok(theirs == draw_with_our_engine("torch_cpu", member, "uniform_", 700, 0.0, 1.0),
           "torch's generator, fed from an archive, draws what our engine draws next")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="snap-test.") as folder:
        folder = Path(folder)
        (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
        run = folder / "run"
        subprocess.run([SNAP, "run", folder / "config.json", "--dir", run],
                       stdout=subprocess.DEVNULL, check=True)
        lines = (run / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
        ledger = [json.loads(line) for line in lines]
        archives = {step: Archive(run, step, folder) for step in (6, 12, 18, 24)}
        samples = len(idx("train-labels.idx1-ubyte"))

        check_python(tap, archives, ledger, samples)
        try:
            import numpy
        except ImportError as problem:
            tap.skip("NumPy", f"python3-numpy is not installed: {problem}")
        else:
            check_numpy(tap, numpy, archives, ledger, samples)
        try:
            import torch
        except ImportError as problem:
            tap.skip("torch", f"python3-torch is not installed: {problem}")
        else:
            check_torch(tap, torch, archives)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
