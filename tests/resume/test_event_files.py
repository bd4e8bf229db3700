#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The event files of a training: what they say is what the ledger says, they change nothing of the
run, a restored run takes back what it repeats, and TensorBoard's own reader sees the same.

That reader is taken from this Python, or else from PyPI, into a folder of the test."""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(Path(__file__).resolve().parent)]

import event_reader  # noqa: E402
from tap import Tap  # noqa: E402

HELD_OUT = 359
SCALARS = {"train/loss", "train/accuracy", "train/learning_rate", "train/step_seconds",
           "eval/loss", "eval/accuracy"}

# Prints {tag: {step: bits}} of the scalars that TensorBoard finds in a folder, and the texts.
READER = """
import json, struct, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
seen = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
seen.Reload()
print(json.dumps({
    "scalars": {tag: {e.step: struct.pack(">f", e.value).hex() for e in seen.Scalars(tag)}
                for tag in seen.Tags()["scalars"]},
    "texts": {tag: [[e.step, e.tensor_proto.string_val[0].decode()] for e in seen.Tensors(tag)]
              for tag in seen.Tags()["tensors"]}}))
"""


def bits(value):
    return struct.pack(">f", value).hex()


class Work:
    def __init__(self, folder):
        self.folder = Path(folder)

    def config(self, name, tensorboard, training=None, test="test"):
        data = {role: str(TOP / "data" / f"digits-{part}-ubyte") for role, part in (
            ("train_images", "train-images.idx3"), ("train_labels", "train-labels.idx1"),
            ("test_images", f"{test}-images.idx3"), ("test_labels", f"{test}-labels.idx1"))}
        document = {"training": {
            "seed": 42, "epochs": 2, "batch_size": 128, "loss": "cross_entropy",
            "data": {"shape": [8, 8, 1], "classes": 10, "mean": "0.0192", "std": "0.0236"},
            "augment": {"shift": 1, "noise": "0.1"},
            "model": [{"name": "flatten", "kind": "flatten"},
                      {"name": "drop1", "kind": "dropout", "probability": "0.25"},
                      {"name": "fc1", "kind": "linear", "features": 10}],
            "optimizer": {"kind": "adamw", "learning_rate": "0.002"},
            "schedule": {"kind": "cosine", "total_steps": 24, "minimum": "0.0001"},
            **(training or {})},
            "running": {"threads": 1, "every": 5, "tensorboard": tensorboard, "data": data}}
        (self.folder / name).write_text(json.dumps(document), encoding="utf-8")

    def snap(self, *arguments):
        done = subprocess.run([os.environ["SNAP"], *map(str, arguments)], cwd=self.folder,
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise RuntimeError(f"{arguments}: exit {done.returncode}: {done.stdout.decode()}")

    def files(self, run):
        return sorted((self.folder / run).glob("events.out.tfevents.*"))

    def curves(self, run):
        return event_reader.purged(path.read_bytes() for path in self.files(run))

    def ledger(self, run):
        """{step: scalars of both parts}"""
        lines = (self.folder / run / "ledger.jsonl").read_text("utf-8").splitlines()[1:]
        parsed = map(json.loads, lines)
        return {line["host"]["step"]: {**line["host"]["scalars"], **line["float"]["scalars"]}
                for line in parsed}

    def saves(self, run):
        lines = (self.folder / run / "events.jsonl").read_text("utf-8").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == "save"]


def check_one_run(tap, work):
    work.config("plain.json", False)
    work.config("told.json", True)
    work.snap("run", "plain.json", "--dir", "plain")
    work.snap("run", "told.json", "--dir", "told")
    tap.ok(not work.files("plain"), "no event file where none is asked for")
    paths = work.files("told")
    if not tap.ok(len(paths) == 1, "one event file for one process", *paths):
        return
    for name in ["ledger.jsonl", *(f"snapshots/{path.name}" for path in
                                   (work.folder / "plain" / "snapshots").iterdir())]:
        tap.ok((work.folder / "plain" / name).read_bytes() ==
               (work.folder / "told" / name).read_bytes(), f"{name} is as without event files")

    data = paths[0].read_bytes()
    found = list(event_reader.events(data))
    tap.ok(found[0] == (0, "version", "brain.Event:2", None), "it begins with its version")
    tap.ok(found[1] == (1, "session", "start", ""), "and says at which step it starts")
    ledger, curves = work.ledger("told"), work.curves("told")
    tap.ok(set(curves) == SCALARS, "every curve is there, and no other", *sorted(curves))
    for tag, scalar in (("train/loss", "loss"), ("train/learning_rate", "lr"),
                        ("eval/loss", "eval_loss")):
        wanted = {step: line[scalar] for step, line in ledger.items() if scalar in line}
        tap.ok(wanted and curves[tag] == wanted, f"{tag} has the bits of the ledger")
    wanted = {step: bits(line["eval_correct"] / HELD_OUT) for step, line in ledger.items()
              if "eval_correct" in line}
    tap.ok(len(wanted) == 2 and curves["eval/accuracy"] == wanted,
           "eval/accuracy is what the ledger counts")
    tap.ok(set(curves["train/step_seconds"]) == set(ledger), "every step has its time")
    saves = work.saves("told")
    tap.ok([(step, value) for step, what, _, value in found if what == "text"] ==
           [(save["step"], f"{save['hash']} {Path(save['file']).name}") for save in saves] and
           len(saves) > 3, "every snapshot is marked, with its hash")
    tap.ok([(step, Path(value).name) for step, what, name, value in found
            if (what, name) == ("session", "checkpoint")] ==
           [(save["step"], Path(save["file"]).name) for save in saves], "as a checkpoint too")

    whole = list(event_reader.records(data))
    tap.ok(all(list(event_reader.records(data[:len(data) - cut])) == whole[:-1]
               for cut in range(1, 17 + len(whole[-1]) - 1)),
           "a torn last record costs itself alone")


def check_accuracy(tap, work):
    """The whole training data in one batch, and as held-out data: what an evaluation counts after
    a step, the next step's forward pass counts too."""
    work.config("same.json", True, test="train", training={
        "batch_size": 1438, "epochs": 6, "augment": {}, "shards": 3,
        "model": [{"name": "flatten", "kind": "flatten"},
                  {"name": "fc1", "kind": "linear", "features": 10}]})
    work.snap("run", "same.json", "--dir", "same")
    curves = work.curves("same")
    held_out = curves["eval/accuracy"]
    tap.ok(len(set(held_out.values())) > 3, "the accuracy moves", held_out)
    tap.ok([held_out[step] for step in range(1, 6)] ==
           [curves["train/accuracy"][step] for step in range(2, 7)],
           "train/accuracy is what an evaluation on the same data counts")


def check_repeated(tap, work):
    """Steps 11 to 14 are made, taken back, and made again."""
    work.snap("run", "told.json", "--dir", "twice", "--steps", 14)
    work.snap("restore", "twice/snapshots/step-0000000010.snap.tar", "--dir", "twice")
    paths = work.files("twice")
    tap.ok(len(paths) == 2, "a second process writes a second file")
    second = list(event_reader.events(paths[1].read_bytes()))
    tap.ok((11, "session", "start", "") in second, "it starts at the first step that it makes")
    both, once = work.curves("twice"), work.curves("told")
    both.pop("train/step_seconds"), once.pop("train/step_seconds")
    tap.ok(both == once, "together they say what an undisturbed run says")


def tensorboard(work):
    """The environment of a Python that has TensorBoard; None and why not."""
    def has(env):
        return subprocess.run([sys.executable, "-c", READER.split("seen =")[0]], env=env,
                              check=False, stderr=subprocess.DEVNULL).returncode == 0

    env = dict(os.environ)
    if has(env):
        return env, None
    target = work.folder / "from-pypi"
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", target,
                           "tensorboard", "setuptools<80"], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    env["PYTHONPATH"] = str(target)
    if done.returncode == 0 and has(env):
        return env, None
    return None, "TensorBoard is not installed, and pip could not get it"


def check_tensorboard(tap, work):
    env, missing = tensorboard(work)
    if env is None:
        tap.skip("TensorBoard reads the files", missing)
        return
    for run in ("told", "twice"):
        done = subprocess.run([sys.executable, "-c", READER, work.folder / run], env=env,
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if not tap.ok(done.returncode == 0, f"{run}: TensorBoard reads it", done.stderr.decode()):
            continue
        seen = json.loads(done.stdout)
        ours = {tag: {str(step): value for step, value in curve.items()}
                for tag, curve in work.curves(run).items()}
        tap.ok(seen["scalars"] == ours, f"{run}: it sees the same values at the same steps")
        last = work.saves(run)[-1]
        tap.ok(seen["texts"]["snapshot"][-1] ==
               [last["step"], f"{last['hash']} {Path(last['file']).name}"],
               f"{run}: it sees the mark of a snapshot")


def main():
    tap = Tap()
    folder = tempfile.mkdtemp()
    try:
        work = Work(folder)
        check_one_run(tap, work)
        check_accuracy(tap, work)
        check_repeated(tap, work)
        check_tensorboard(tap, work)
    finally:
        shutil.rmtree(folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
