#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The callback for Transformers: trainings by the `Trainer`, killed and gone on with. No
distribution packages Transformers: where it is not installed, this is skipped, also in CI."""

import os
import shutil
import signal
import sys
import tempfile
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from callback_setting import may_go_on  # noqa: E402
from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

try:
    import torch
    import transformers
    import accelerate  # noqa: F401 - the Trainer needs it
    from callback_journeys import EVERY, Bomb, Noisy, in_child, journeys, network, results, seed
    MISSING = None
except ImportError as problem:
    MISSING = problem.name

import snapstate  # noqa: E402

BATCHES, EPOCHS = 8, 3

if not MISSING:
    from snapstate.integrations.transformers import SnapCallback

    class Model(torch.nn.Module):
        def __init__(self, bomb):
            super().__init__()
            self.net, self.bomb, self.updates = network(), bomb, 0

        def forward(self, x):
            if self.training:
                self.bomb()
            return {"loss": self.net(x).pow(2).mean()}

    class Patience(transformers.TrainerCallback, transformers.trainer_callback.ExportableState):
        """State of a callback that decides the next step: the weights are damped by it."""

        def __init__(self):
            self.seen = 0

        def state(self):
            return {"args": {}, "attributes": {"seen": self.seen}}

        def on_evaluate(self, args, state, control, **kwargs):
            self.seen += 1

        def on_step_end(self, args, state, control, model=None, **kwargs):
            with torch.no_grad():
                model.net[0].bias.add_(self.seen * 1e-3 + state.epoch * 1e-3 + torch.rand(()) / 1e3)


def collate(items):
    """Draws in this process, as collators that mask words do."""
    x = torch.stack(items)
    return {"x": x * (torch.rand(x.shape) > 0.1)}


def make(folder, kill_at, workers=0, persistent=False, accumulate=1, epochs=EPOCHS, steps=-1,
         eval_by="epoch", scheduler="cosine"):
    seed()
    model = Model(lambda: Bomb(kill_at, snap.run.wait).tick(trainer.state.global_step))
    options = transformers.TrainingArguments(
        output_dir=str(folder) + "-trainer", per_device_train_batch_size=4, num_train_epochs=epochs,
        max_steps=steps, learning_rate=0.01, lr_scheduler_type=scheduler, report_to=[],
        gradient_accumulation_steps=accumulate, save_strategy="no", disable_tqdm=True,
        eval_strategy=eval_by, eval_steps=4, logging_strategy="no", use_cpu=True,
        dataloader_num_workers=workers, dataloader_persistent_workers=persistent,
        dataloader_pin_memory=False, remove_unused_columns=False, label_names=["x"])
    trainer = transformers.Trainer(model, options, collate, Noisy(4 * BATCHES), Noisy(8),
                                   callbacks=[Patience()])
    snap = SnapCallback(trainer, folder, every=EVERY, state_every=1, read_back=False)
    return snap, trainer


def train(folder, kill_at, **options):
    _, trainer = make(folder, kill_at, **options)
    trainer.train()
    assert trainer.state.global_step > 0


def stopping(folder):
    """SIGTERM in the middle of a step: it is saved, and the program ends."""
    def tick(bomb, done):
        if done == 4:
            os.kill(os.getpid(), signal.SIGTERM)
    Bomb.tick = tick
    train(folder, None)


def main():
    tap = Tap()
    if not may_go_on(tap, "transformers", MISSING):
        return tap.done()
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        edges = [0, 2, 3, 4, 7, 8, 9, 13, 16, 17, 23]
        plain = journeys(tap, "no workers", train, work, edges)
        journeys(tap, "2 workers", train, work, [5, 9], workers=2)
        journeys(tap, "2 persistent workers", train, work, [5, 10], workers=2, persistent=True,
                 eval_by="no")
        journeys(tap, "accumulation of 2", train, work, [1, 4, 5, 7], accumulate=2)
        journeys(tap, "11 steps", train, work, [4, 8], steps=11)
        journeys(tap, "evaluation every 4 steps", train, work, [4, 10], eval_by="steps",
                 scheduler="linear")
        folder = work / "stopped"
        stopped, again = in_child(stopping, folder), in_child(train, folder, None)
        tap.ok((stopped, again) == (75, 0) and results(folder)[0] == plain[0],
               "stopped by SIGTERM, and gone on with", stopped, again)
        tap.ok(in_child(train, folder, None) == 0 and results(folder)[0] == plain[0],
               "started again at its end: nothing is left to do")
        more = [in_child(train, work / "grown", None, epochs=epochs, scheduler="constant")
                for epochs in (2, EPOCHS)]
        straight = in_child(train, work / "straight", None, scheduler="constant")
        tap.ok(more == [0, 0] and straight == 0 and
               results(work / "grown")[0] == results(work / "straight")[0],
               "2 epochs, and then a third", more)
        looked_at(tap, work)
    return tap.done()


def looked_at(tap, work):
    folder = work / "whole"
    shutil.rmtree(folder)
    in_child(train, folder, 10)
    snap, trainer = make(folder, None, eval_by="no")
    receipts = []

    class Look(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            receipts.append((snap.run.receipt, state.epoch))
            control.should_training_stop = True
    trainer.add_callback(Look())
    trainer.train()
    receipt, epoch = receipts[0]
    tap.ok(receipt.exact and receipt.step == 9 and epoch == 10 / BATCHES,
           "the receipt is exact, and the epoch is told", receipt, epoch)
    with snapstate.Archive(folder / "snapshots" / results(folder)[1]) as archive:
        told = [gap["name"] for gap in archive.coverage["not_captured"]]
    tap.ok("transformers.logs" in told, "what the Trainer keeps to itself is in the coverage", told)
    fails(tap, snapstate.UnsupportedError, "persistent_workers=False",
          "an evaluation whose workers live on", train, work / "lasting", None,
          workers=2, persistent=True)
    fails(tap, snapstate.UnsupportedError, "divide 8", "accumulation that does not fit", train,
          work / "three", None, accumulate=3)


if __name__ == "__main__":
    sys.exit(main())
