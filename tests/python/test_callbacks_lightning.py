#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The callback for Lightning: trainings by `Trainer.fit`, killed and gone on with."""

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
    import logging
    import torch
    import lightning.pytorch as lightning
    from lightning.pytorch.callbacks import Callback, EarlyStopping
    from torch.utils.data import DataLoader
    from callback_journeys import EVERY, Bomb, Noisy, in_child, journeys, network, results, seed
    MISSING = None
except ImportError as problem:
    MISSING = problem.name

import snapstate  # noqa: E402

BATCHES, EPOCHS = 8, 3


if not MISSING:
    from snapstate.integrations.lightning import SnapCallback

    class Module(lightning.LightningModule):
        def __init__(self, bomb, manual=False):
            super().__init__()
            self.net, self.bomb = network(), bomb
            self.automatic_optimization = not manual

        def training_step(self, batch, index):
            self.bomb.tick(self.trainer.global_step)
            loss = self.net(batch).pow(2).mean()
            if not self.automatic_optimization:
                self.optimizers().zero_grad()
                self.manual_backward(loss)
                self.optimizers().step()
            return loss

        def validation_step(self, batch, index):
            self.log("watched", self.net(batch).pow(2).mean() + torch.rand(()))

        def configure_optimizers(self):
            optimizer = torch.optim.Adam(self.parameters(), 0.01)
            if not self.automatic_optimization:
                return optimizer
            kinds = torch.optim.lr_scheduler
            schedulers = [
                {"scheduler": kinds.LinearLR(optimizer, 0.2), "interval": "step"},
                {"scheduler": kinds.ReduceLROnPlateau(optimizer, patience=1), "interval": "step",
                 "monitor": "watched", "strict": False},
                {"scheduler": kinds.StepLR(optimizer, 1, 0.9), "interval": "epoch"}]
            return [optimizer], schedulers


    class Endless(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(())

    class Late(Callback):
        """Draws and changes weights behind the ledger line."""

        def on_train_batch_end(self, trainer, module, *rest):
            with torch.no_grad():
                module.net[0].bias.add_(torch.rand(()) * 1e-3)


def fit(folder, kill_at, workers=0, persistent=False, accumulate=1, manual=False, epochs=EPOCHS,
        limit=1.0, steps=-1, bare=False, lasting=False):
    seed()
    module = Module(Bomb(kill_at, lambda: snap.run.wait()), manual)
    snap = SnapCallback(folder, every=EVERY, state_every=1, read_back=False)
    train = DataLoader(Noisy(4 * BATCHES), batch_size=4, shuffle=True, num_workers=workers,
                       persistent_workers=persistent)
    callbacks = [snap, Late()] if manual else [
        snap, Late(), EarlyStopping("watched", patience=9, strict=False)]
    trainer = lightning.Trainer(
        max_epochs=epochs, max_steps=steps, accelerator="cpu", callbacks=callbacks, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        val_check_interval=4, accumulate_grad_batches=accumulate, limit_train_batches=limit)
    validation = DataLoader(Noisy(8), batch_size=4, num_workers=2 * lasting,
                            persistent_workers=lasting)
    trainer.fit(module, train if bare else snap.loader(train), validation)
    assert trainer.global_step > 0
    return snap


def stopping(folder):
    """SIGTERM in the middle of a step: it is saved, and the program ends."""
    class Terminator:
        def tick(self, done):
            if done == 4:
                os.kill(os.getpid(), signal.SIGTERM)
    Bomb.tick = Terminator.tick
    fit(folder, None)


def main():
    tap = Tap()
    if not may_go_on(tap, "lightning", MISSING):
        return tap.done()
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        edges = [0, 2, 3, 4, 7, 8, 9, 13, 16, 17, 23]
        plain = journeys(tap, "no workers", fit, work, edges)
        journeys(tap, "2 workers", fit, work, [5, 9], workers=2)
        journeys(tap, "2 persistent workers", fit, work, [5, 10], workers=2, persistent=True)
        journeys(tap, "accumulation of 3", fit, work, [1, 4, 7], accumulate=3)
        journeys(tap, "manual optimization", fit, work, [4, 10], manual=True)
        journeys(tap, "6 batches of an epoch", fit, work, [7, 13], limit=6)
        folder = work / "grown"
        tap.ok(in_child(fit, folder, None, epochs=2) == 0 and
               in_child(fit, folder, None) == 0 and
               results(folder)[0] == plain[0], "2 epochs, and then a third")
        folder = work / "limited"
        tap.ok(in_child(fit, folder, None, steps=11) == 0 and
               in_child(fit, folder, None, steps=15) == 0 and
               len(results(folder)[0].splitlines()) == 16, "11 steps, and then 4 more")
        folder = work / "stopped"
        stopped, again = in_child(stopping, folder), in_child(fit, folder, None)
        tap.ok((stopped, again) == (75, 0) and results(folder)[0] == plain[0],
               "stopped by SIGTERM, and gone on with", stopped, again)
        looked_at(tap, work)
    return tap.done()


def looked_at(tap, work):
    folder = work / "whole"
    shutil.rmtree(folder)
    in_child(fit, folder, 10)
    snap = fit(folder, None)
    receipt = snap.run.receipt
    tap.ok(receipt.exact and receipt.step == 9, "the receipt is exact", receipt)
    with snapstate.Archive(folder / "snapshots" / results(folder)[1]) as archive:
        told = [gap["name"] for gap in archive.coverage["not_captured"]]
    tap.ok("lightning.logged" in told, "what Lightning keeps to itself is in the coverage", told)
    fails(tap, snapstate.InvalidError, r"snap\.loader\(loader\)", "a loader that was not wrapped",
          fit, work / "bare", None, bare=True)
    fails(tap, snapstate.UnsupportedError, "persistent_workers=False",
          "a validation whose workers live on", fit, work / "lasting", None,
          lasting=True)
    fails(tap, snapstate.UnsupportedError, "no length", "data without a length",
          SnapCallback(work / "stream").loader, DataLoader(Endless()))


if __name__ == "__main__":
    sys.exit(main())
