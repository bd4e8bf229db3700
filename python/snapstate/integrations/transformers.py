# SPDX-License-Identifier: Apache-2.0
"""Transformers: a callback that makes a training of the `Trainer` a run.

    trainer = Trainer(...)
    snap = SnapCallback(trainer, "runs/exp1", every=500)
    trainer.train()                              # started again, it goes on where it was
"""

from __future__ import annotations

import os
from typing import Any, Dict, Iterator, Optional, Union

from transformers import (Trainer, TrainerCallback, TrainerControl, TrainerState,
                          TrainingArguments)
from transformers.trainer_callback import ExportableState

from .. import errors
from .loop_run import ROOT, Feed, LoopRun, insist_on_one_process, refuse_lasting_workers

FIELDS = ("global_step", "epoch", "best_metric", "best_global_step", "num_input_tokens_seen",
          "total_flos")
GAPS = {"transformers.logs": "log_history, and the sums behind the next mean of the loss that is "
                             "logged, begin anew when a training goes on"}


class LoopState:
    """What the Trainer counts, and what callbacks keep."""

    def __init__(self, trainer: Trainer, state: TrainerState) -> None:
        self.trainer = trainer
        self.state = state

    def _callbacks(self) -> Dict[str, ExportableState]:
        return {type(one).__name__: one for one in self.trainer.callback_handler.callbacks
                if isinstance(one, ExportableState)}

    def state_dict(self) -> Dict[str, Any]:
        return {"state": {name: getattr(self.state, name) for name in FIELDS},
                "callbacks": {name: dict(one.state()["attributes"])
                              for name, one in self._callbacks().items()}}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        for name, value in state["state"].items():
            setattr(self.state, name, value)
        for name, one in self._callbacks().items():
            for attribute, value in state["callbacks"].get(name, {}).items():
                setattr(one, attribute, value)


class TrainerFeed(Feed):
    """A Feed for a loop that always begins with epoch 0. It gives the epochs before `first`, which
    were made in an earlier process, no batch."""

    first = 0
    begun = 0
    gave = False

    def __iter__(self) -> Iterator[Any]:
        self.begun += 1
        self.gave = False
        return self._epoch(self.begun <= self.first)

    def _epoch(self, made: bool) -> Iterator[Any]:
        for batch in () if made else super().__iter__():
            self.gave = True
            yield batch


class LastCallback(TrainerCallback):
    """Behind the other callbacks: at the end of an epoch that was made in an earlier process, what
    they and the Trainer, who saw no batch, ask for is taken back."""

    def __init__(self, snap: "SnapCallback") -> None:
        self._snap = snap

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
                     **kwargs: Any) -> None:
        feed = self._snap.feed
        assert feed is not None
        if not feed.gave and feed.begun <= feed.first + 1:
            control.should_training_stop = state.global_step >= state.max_steps
            control.should_log = control.should_evaluate = control.should_save = False


class SnapCallback(TrainerCallback):
    """
    trainer  to which it adds itself; its get_train_dataloader and training_step are wrapped
    dir      the run folder
    every    a snapshot after each so many steps; 0: at the end, and by signals
    options  as of Run: state_every, streams, data, ema, values, profile, gradients, ...

    `run` is there from the start of train() to its end; run.receipt from the first batch on.
    """

    def __init__(self, trainer: Trainer, dir: "Union[str, os.PathLike[str]]", every: int = 0,
                 **options: Any) -> None:
        insist_on_one_process("Transformers", trainer.args.world_size)
        self._trainer = trainer
        self._dir = dir
        self._options = {"every": every, **options}
        self.feed: Optional[TrainerFeed] = None
        self.run: Optional[LoopRun] = None
        self._make_loader = trainer.get_train_dataloader
        self._training_step = trainer.training_step
        trainer.get_train_dataloader = self._loader
        trainer.training_step = self._step
        trainer.callback_handler.callbacks.insert(0, self)  # others see the epoch that it corrects
        trainer.add_callback(LastCallback(self))

    def _loader(self) -> TrainerFeed:
        """Accelerate's loader takes a batch ahead of the step: what is in it is gone through."""
        prepared = self._make_loader()
        inner = getattr(prepared, "base_dataloader", prepared)
        self.feed = TrainerFeed(inner, getattr(prepared, "set_epoch", None))
        return self.feed

    def _step(self, *arguments: Any, **named: Any) -> Any:
        loss = self._training_step(*arguments, **named)
        if self.run is not None:
            self.run.step(loss=loss.detach())  # kept: the update comes behind it
        return loss

    def _insist(self, args: TrainingArguments, feed: TrainerFeed) -> None:
        if args.dataloader_persistent_workers and args.eval_strategy != "no":
            refuse_lasting_workers("train: the loader of the evaluation",
                                   "set dataloader_persistent_workers=False, or eval_strategy="
                                   '"no"')
        try:
            left = len(feed) % args.gradient_accumulation_steps
        except TypeError:
            return
        if left:
            raise errors.UnsupportedError(
                f"train: the last update of an epoch is of {left} batches and not of "
                f"{args.gradient_accumulation_steps}, which the Trainer does not know in an epoch "
                f"that is gone on with: let gradient_accumulation_steps divide {len(feed)}")

    def on_train_begin(self, args: TrainingArguments, state: TrainerState,
                       control: TrainerControl, **kwargs: Any) -> None:
        trainer, feed = self._trainer, self.feed
        assert feed is not None  # the Trainer has asked for it
        self._insist(args, feed)
        if state.global_step:
            raise errors.InvalidError(
                f"train: both a checkpoint and the run {self._dir} are to be gone on with: leave "
                f"resume_from_checkpoint out")
        self.run = LoopRun(self._dir, model=trainer.model, optimizer=trainer.optimizer,
                           scheduler=trainer.lr_scheduler, scaler=trainer.accelerator.scaler,
                           loader=feed, framework=LoopState(trainer, state), gaps=GAPS,
                           **self._options)
        archived = self.run.archived("loader", ROOT)
        if archived is not None:
            feed.first = archived["loader"]["epoch"]
            state.global_step = archived[ROOT]["state"]["global_step"]

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
                    **kwargs: Any) -> None:
        assert self.run is not None and self.feed is not None
        self.run.step()
        tracker = self.feed.tracker
        try:  # the Trainer counts from the batch that it began with
            state.epoch = tracker.epoch + tracker.batches / len(tracker)
        except TypeError:
            pass

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
                     **kwargs: Any) -> None:
        if self.run is not None:
            self.run.finish()
            self.run.close()
            self.run = None
