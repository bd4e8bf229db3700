# SPDX-License-Identifier: Apache-2.0
"""Trainings in the loop of a framework, in processes of their own that are killed and started
again. What they leave behind must be what an undisturbed one leaves: the ledger, and the last
archive, byte for byte."""

import os
import random
import shutil
import signal
import sys
import traceback

import numpy as np
import torch
from torch.utils.data import Dataset

EVERY = 3


class Noisy(Dataset):
    """Every item draws from all three libraries, in whatever process it is made."""

    def __init__(self, count, form=lambda item: item):
        self.count, self.form = count, form

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.form(torch.tensor([index / self.count, random.random(), np.random.rand(),
                                       torch.rand(()).item()]))


def network():
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6),
                               torch.nn.Dropout(0.3), torch.nn.Linear(6, 1))


def seed():
    torch.set_num_threads(1)
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)


class Bomb:
    """Kills the process at the update behind `at` others, when snapshots that are under way are
    durable, which `wait` waits for; None: never."""

    def __init__(self, at, wait):
        self.at, self.wait = at, wait

    def tick(self, steps_done):
        if steps_done == self.at:
            self.wait()
            os.kill(os.getpid(), signal.SIGKILL)


def in_child(train, *arguments, **options):
    """The exit status of a training in a process of its own; 75: it was stopped."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            train(*arguments, **options)
            status = 0
        except SystemExit as stopped:
            status = stopped.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def results(folder):
    snapshots = folder / "snapshots"
    last = max(os.listdir(snapshots))
    return (folder / "ledger.jsonl").read_bytes(), last, (snapshots / last).read_bytes()


def journeys(tap, label, train, work, kills, **options):
    """`train(folder, kill_at, **options)` undisturbed, and killed behind each of `kills` steps."""
    whole, killed = work / "whole", work / "killed"
    shutil.rmtree(whole, ignore_errors=True)
    if not tap.ok(in_child(train, whole, None, **options) == 0, f"{label}: undisturbed"):
        return None
    for kill_at in kills:
        shutil.rmtree(killed, ignore_errors=True)
        first = in_child(train, killed, kill_at, **options)
        second = in_child(train, killed, None, **options)
        tap.ok(first == -signal.SIGKILL and second == 0 and results(killed) == results(whole),
               f"{label}: killed behind step {kill_at}", first, second,
               "" if second else differences(killed, whole))
    return results(whole)


def differences(left, right):
    """For a person: what differs."""
    ledgers = [(folder / "ledger.jsonl").read_text().splitlines() for folder in (left, right)]
    lines = [f"{a}\n{b}" for a, b in zip(*ledgers) if a != b]
    if lines or len(ledgers[0]) != len(ledgers[1]):
        return f"lines {len(ledgers[0])} {len(ledgers[1])}\n" + "\n".join(lines[:1])
    import snapstate
    names = [folder / "snapshots" / results(folder)[1] for folder in (left, right)]
    return str(snapstate.diff(*names))
