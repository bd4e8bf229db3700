# SPDX-License-Identifier: Apache-2.0
"""Lightning: a callback that makes a training of `Trainer.fit` a run.

    snap = SnapCallback("runs/exp1", every=500)
    trainer = Trainer(..., callbacks=[snap])
    trainer.fit(module, snap.loader(loader))     # started again, it goes on where it was
"""

from __future__ import annotations

import os
from typing import Any, Dict, Optional, Union

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.utilities import CombinedLoader

from .. import errors
from .loop_run import ROOT, Feed, LoopRun, insist_on_one_process, refuse_lasting_workers

GAPS = {"lightning.logged": "means that self.log(on_epoch=True) gathers over an epoch begin anew "
                            "when a training goes on in the middle of one",
        "lightning.metrics": "states of torchmetrics that are not persistent, but for numbers and "
                             "flags, stand in no state"}


class LoopState:
    """What the Trainer counts, the metrics that were logged last, which schedules and callbacks
    look at, and what callbacks keep; not those that write checkpoints, whose state is paths."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def _callbacks(self) -> Dict[str, Callback]:
        return {one.state_key: one for one in self.trainer.callbacks  # type: ignore[attr-defined]
                if not isinstance(one, Checkpoint) and one.state_dict()}

    def state_dict(self) -> Dict[str, Any]:
        loops = self.trainer.fit_loop.state_dict()
        progress = loops["epoch_progress"]
        if progress["current"]["processed"] == progress["current"]["ready"] > 0:
            self._as_between_steps(loops)
        return {"loops": loops, "metrics": dict(self.trainer.callback_metrics),
                "callbacks": {key: one.state_dict() for key, one in self._callbacks().items()}}

    def _as_between_steps(self, loops: Dict[str, Any]) -> None:
        """At the end of fit() the counters as the next step would find them: the next epoch was
        entered, or, when a limit of steps ended it, the epoch was not left."""
        ended = self.trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        for counters in (loops["epoch_progress"]["total"], loops["epoch_progress"]["current"]):
            for name, change in ((("ready", 1), ("started", 1)) if ended
                                 else (("processed", -1), ("completed", -1))):
                counters[name] += change
        if ended:
            loops["epoch_loop.batch_progress"]["is_last_batch"] = False
            _zero(loops["epoch_loop.batch_progress"]["current"])
            _zero(loops["epoch_loop.scheduler_progress"]["current"])
            optimizer = loops["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]
            for name in ("step", "zero_grad"):
                _zero(optimizer[name]["current"])
            _zero(loops["epoch_loop.val_loop.batch_progress"]["total"])

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """The loops were given their counters before they began and must have come to the same
        ones; but a validation that is due again is skipped with a step counted."""
        loop = self.trainer.fit_loop.epoch_loop
        loop.on_load_checkpoint(state["loops"]["epoch_loop.state_dict"])
        self.trainer.callback_metrics.update(state["metrics"])
        for key, one in self._callbacks().items():
            if key in state["callbacks"]:
                one.load_state_dict(state["callbacks"][key])


def _zero(counters: Dict[str, int]) -> None:
    for name in counters:
        counters[name] = 0


class SnapCallback(Callback):
    """
    dir      the run folder
    every    a snapshot after each so many steps; 0: at the end, and by signals
    options  as of Run: state_every, streams, data, ema, values, profile, gradients, ...

    Model, optimizers, schedulers and scaler are the Trainer's. `run` is there from the start of
    fit() to its end; run.receipt from the first batch on.
    """

    def __init__(self, dir: "Union[str, os.PathLike[str]]", every: int = 0,
                 **options: Any) -> None:
        self._dir = dir
        self._options = {"every": every, **options}
        self._feed: Optional[Feed] = None
        self.run: Optional[LoopRun] = None

    def loader(self, loader: Any) -> Feed:
        """What fit(), or train_dataloader(), is to be given in the place of a DataLoader."""
        try:
            len(loader)
        except TypeError:
            raise errors.UnsupportedError(
                "loader: it has no length, and Lightning takes such data one batch ahead of the "
                "step: give the data set a __len__, or drive the module by snapstate.Run") from None
        self._feed = Feed(loader)
        return self._feed

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        insist_on_one_process("Lightning", trainer.world_size)
        if trainer.ckpt_path is not None:
            raise errors.InvalidError(
                f"{trainer.ckpt_path}: fit: both a checkpoint and the run {self._dir} are to be "
                f"gone on with: leave ckpt_path out, or load the weights from it before")
        if self._feed is None:
            raise errors.InvalidError("fit: the run has no loader: give fit() or "
                                      "train_dataloader() snap.loader(loader)")
        state = LoopState(trainer)
        schedulers = [one.scheduler for one in trainer.lr_scheduler_configs]
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        self.run = LoopRun(self._dir, model=pl_module, optimizer=list(trainer.optimizers),
                           scheduler=schedulers or None, scaler=scaler, loader=self._feed,
                           framework=state, gaps=GAPS, **self._options)
        archived = self.run.archived(ROOT)
        if archived is not None:
            trainer.fit_loop.load_state_dict(archived[ROOT]["loops"])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for loader in CombinedLoader(trainer.val_dataloaders or []).flattened:
            if getattr(loader, "persistent_workers", False):
                refuse_lasting_workers("fit: a loader of the validation",
                                       "make it with persistent_workers=False")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any,
                           batch: Any, batch_idx: int) -> None:
        assert self.run is not None
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        self.run.step(loss=loss)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self.run is not None
        # Between steps, where other snapshots are made, the module names no hook.
        hook, pl_module._current_fx_name = pl_module._current_fx_name, None
        try:
            self.run.finish()
        finally:
            pl_module._current_fx_name = hook

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.run is not None:
            self.run.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule,
                     exception: BaseException) -> None:
        if self.run is not None:
            self.run.close()
