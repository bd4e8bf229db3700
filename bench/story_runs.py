# SPDX-License-Identifier: Apache-2.0
"""Run folders as long as a story needs them. Of `write_run`, the ledger of a training that nobody
has made: its lines are as long as those of the trainer, and its chains are made up; nothing here
checks them. Of `train_run`, a training of a small network."""

import json
import math
import random
import struct
import subprocess

from figure import NotMeasured
from surroundings import TOP


def bits(value):
    return struct.pack(">f", value).hex()


def write_run(folder, steps, seed, evaluate=1000, save=5000):
    """A ledger of `steps` steps, and the events of its snapshots. Returns {name: [(step, value)]}
    of what the ledger says."""
    draw = random.Random(seed)
    digits = "%064x"
    series = {"loss": [], "grad_norm": [], "lr": [], "eval_loss": [], "eval_correct": []}
    folder.mkdir()
    training = {"batch_size": 64, "seeds": dict.fromkeys(
        ("device", "host", "numpy", "python"), seed)}
    genesis = {"chain": digits % draw.getrandbits(256), "float": {"profile": "portable-1"},
               "format": "snap-ledger-1", "host": {"parent": None, "training": training},
               "host_chain": digits % draw.getrandbits(256)}
    with (folder / "ledger.jsonl").open("w") as ledger:
        ledger.write(json.dumps(genesis, separators=(",", ":"), sort_keys=True) + "\n")
        for step in range(1, steps + 1):
            loss = 2.3 * math.exp(-3 * step / steps) * math.exp(draw.gauss(0, 0.1))
            numbers = {"grad_norm": bits(loss + draw.random()), "loss": bits(loss)}
            if step % evaluate == 0:
                numbers["eval_correct"] = int(359 * (1 - loss / 3))
                numbers["eval_loss"] = bits(loss)
            rate = bits(0.01 * (1 - step / (steps + 1)))
            for name, value in (*numbers.items(), ("lr", rate)):
                if isinstance(value, str):
                    value = struct.unpack(">f", bytes.fromhex(value))[0]
                series[name].append((step, value))
            scalars = ",".join(f'"{name}":{json.dumps(numbers[name])}' for name in sorted(numbers))
            ledger.write(
                f'{{"chain":"{digits % draw.getrandbits(256)}","float":{{"draws":{{"device":1}},'
                f'"scalars":{{{scalars}}},"state":"tree1:{digits % draw.getrandbits(256)}"}},'
                f'"host":{{"draws":{{"host":0,"numpy":128,"python":0}},"epoch":{step // evaluate},'
                f'"samples":"{digits % draw.getrandbits(256)}","scalars":{{"beta1":"3f666666",'
                f'"beta2":"3f7fbe77","correction1":"3f800000","correction2":"409c474f",'
                f'"eps":"322bcc77","lr":"{rate}","one_minus_beta1":"3dcccccd",'
                f'"one_minus_beta2":"3a83126f","weight_decay":"00000000"}},"step":{step}}},'
                f'"host_chain":"{digits % draw.getrandbits(256)}"}}\n')
    with (folder / "events.jsonl").open("w") as events:
        events.write(f'{{"event":"train","held_out":359,"last_step":{steps},"step":0,'
                     f'"time":"2026-01-31T12:00:00.000Z"}}\n')
        for step in range(save, steps + 1, save):
            events.write(f'{{"bytes":1,"duration_ms":1,"event":"save","file":"snapshots/step-'
                         f'{step:010}.snap.tar","hash":"snap1:{digits % step}","stall_ms":1,'
                         f'"step":{step},"time":"2026-01-31T12:00:01.000Z"}}\n')
    return series


def train_run(snap, folder, steps, every, cut):
    """A run of `steps` steps with a snapshot after each `every`; the learning rate is halved after
    each `cut`."""
    data = {role: str(TOP / "data" / f"digits-{part}-ubyte") for role, part in
            (("train_images", "train-images.idx3"), ("train_labels", "train-labels.idx1"))}
    config = folder.with_suffix(".json")
    config.write_text(json.dumps({
        "training": {
            "profile": "portable-1", "seed": 42, "epochs": steps, "batch_size": 8, "evaluate": 0,
            "data": {"format": "idx", "shape": [8, 8, 1], "classes": 10, "mean": "0.02",
                     "std": "0.02"},
            "model": [{"name": "flatten", "kind": "flatten"},
                      {"name": "fc1", "kind": "linear", "features": 10}],
            "loss": "cross_entropy", "optimizer": {"kind": "sgd", "learning_rate": "0.01"},
            "schedule": {"kind": "step", "every": cut, "gamma": "0.5"},
            "ledger": {"state_every": 0}},
        "running": {"threads": 1, "every": every, "steps": steps, "data": data}}))
    done = subprocess.run([snap, "run", str(config), "--dir", str(folder)], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise NotMeasured(f"snap run: {done.stderr.decode().strip()}")
