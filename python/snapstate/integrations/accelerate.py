# SPDX-License-Identifier: Apache-2.0
"""Accelerate: a run of what an `Accelerator` has prepared.

    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    run = SnapRun(accelerator, "runs/exp1", model=model, optimizer=optimizer, loader=loader,
                  every=500)
    for batch in run.batches(epochs=10):         # on the accelerator's device
        with accelerator.accumulate(model):
            ...
        run.step(loss=loss)
"""

from __future__ import annotations

import os
from typing import Any, Iterator, Optional, Union

from accelerate import Accelerator
from accelerate.utils import send_to_device

from .. import errors
from ..run import Run
from ..loader import TrackedLoader
from .loop_run import insist_on_one_process


class SnapRun(Run):
    """As `Run`; model, optimizer, scheduler and loader are what prepare() gave. The scaler is the
    accelerator's. The batches are those of the loader that was prepared; accumulate() sees the end
    of an epoch. InvalidError when the loader was not prepared."""

    def __init__(self, accelerator: Accelerator, dir: "Union[str, os.PathLike[str]]", *,
                 loader: Any, model: Any = None, **options: Any) -> None:
        insist_on_one_process("Accelerate", accelerator.num_processes)
        if not hasattr(loader, "base_dataloader"):
            raise errors.InvalidError(f"loader: a {type(loader).__name__} that was not prepared: "
                                      f"give what accelerator.prepare() made of it")
        self._accelerator = accelerator
        self._prepared = loader
        if model is not None:
            model = accelerator.unwrap_model(model)
        # What is inside is gone through: the prepared one takes a batch ahead of the step.
        tracker = TrackedLoader(loader.base_dataloader, loader.set_epoch)
        super().__init__(dir, model=model, scaler=accelerator.scaler, loader=tracker, **options)
        self._tracker = tracker

    def batches(self, epochs: Optional[int] = None, steps: Optional[int] = None) -> Iterator[Any]:
        prepared = self._prepared
        prepared.begin()
        try:
            for batch in super().batches(epochs, steps):
                try:
                    last = self._tracker.batches == len(self._tracker)
                except TypeError:
                    last = False
                prepared.end_of_dataloader = last
                yield send_to_device(batch, self._accelerator.device)
        finally:
            prepared.end()
