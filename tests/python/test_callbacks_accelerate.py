#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The run for Accelerate: loops over what `prepare` made, killed and gone on with."""

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from callback_setting import may_go_on  # noqa: E402
from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

try:
    import torch
    import accelerate
    from torch.utils.data import DataLoader, Sampler
    from callback_journeys import EVERY, Bomb, Noisy, in_child, journeys, network, results, seed
    MISSING = None
except ImportError as problem:
    MISSING = problem.name

import snapstate  # noqa: E402

BATCHES, EPOCHS = 8, 3

if not MISSING:
    from snapstate.integrations.accelerate import SnapRun

    class Ordered(Sampler):
        """Another order for each epoch that it is told of."""

        def __init__(self):
            self.epoch = 0

        def set_epoch(self, epoch):
            self.epoch = epoch

        def __len__(self):
            return 4 * BATCHES

        def __iter__(self):
            return iter(random.Random(self.epoch).sample(range(len(self)), len(self)))


def train(folder, kill_at, workers=0, persistent=False, accumulate=1, seedable=False, told=False,
          drawn=0):
    """`drawn`: numbers that are drawn between the restore and the first step."""
    seed()
    accelerator = accelerate.Accelerator(
        cpu=True, gradient_accumulation_steps=accumulate,
        dataloader_config=accelerate.DataLoaderConfiguration(use_seedable_sampler=seedable))
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5)
    loader = DataLoader(Noisy(4 * BATCHES), batch_size=4, shuffle=not told,
                        sampler=Ordered() if told else None, num_workers=workers,
                        persistent_workers=persistent)
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)
    with SnapRun(accelerator, folder, model=model, optimizer=optimizer, scheduler=scheduler,
                 loader=loader, every=EVERY, state_every=1, read_back=False) as run:
        receipt = run.restore()
        torch.rand(drawn)
        bomb = Bomb(kill_at, run.wait)
        for batch in run.batches(epochs=EPOCHS):
            bomb.tick(run.steps_done)
            with accelerator.accumulate(model):
                loss = model(batch).pow(2).mean()
                accelerator.backward(loss)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
            run.step(loss=loss)
    return receipt


def not_prepared(folder):
    return SnapRun(accelerate.Accelerator(cpu=True), folder, loader=DataLoader(Noisy(8)))


def main():
    tap = Tap()
    if not may_go_on(tap, "accelerate", MISSING):
        return tap.done()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        journeys(tap, "no workers", train, work, [0, 2, 3, 4, 7, 8, 9, 13, 16, 17, 23])
        journeys(tap, "2 workers", train, work, [5, 9], workers=2)
        journeys(tap, "2 persistent workers", train, work, [5, 10], workers=2, persistent=True)
        journeys(tap, "a seedable sampler", train, work, [4, 10], seedable=True)
        whole = journeys(tap, "a sampler that is told the epoch", train, work, [10], told=True)
        orders = [json.loads(line)["host"]["samples"] for line in whole[0].splitlines()[1:]]
        tap.ok(len(set(orders)) == EPOCHS * BATCHES, "it is told each")
        whole = journeys(tap, "accumulation of 3", train, work, [1, 4, 7], accumulate=3)
        tap.ok(len(whole[0].splitlines()) == 1 + 3 * EPOCHS,
               "the last update of an epoch is of the batches that are left")
        folder = work / "whole"
        shutil.rmtree(folder)
        in_child(train, folder, 10)
        fails(tap, snapstate.DiffersError, "stream torch: is .* ahead",
              "the trap: draws before the first step", train, folder, None, drawn=2)
        receipt = train(folder, None)
        tap.ok(receipt.exact and receipt.step == 9 and results(folder)[1].count("24"),
               "the receipt is exact", receipt.step, results(folder)[1], receipt)
        fails(tap, snapstate.InvalidError, "was not prepared", "a loader that was not prepared",
              not_prepared, work / "other")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
