# SPDX-License-Identifier: Apache-2.0
"""The run folder as every rank sees it: rank 0 has it, the others ask."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

from .._run_handle import RunHandle
from .._structs import Tier, Wanted
from ..receipt import Receipt


class RanksHandle:
    """What RunHandle offers, for all ranks to call together but for request() and close(). A
    failure of rank 0 is one of all.

    For a restore the other ranks open the archive too, which must lie where they can read it: each
    fills its own memory from it, with the same digests compared. After it they have nothing open.
    """

    def __init__(self, link: Any, options: Dict[str, Any]) -> None:
        self._link = link
        self.own: Optional[RunHandle] = None
        self.profile: str = options["profile"]
        self.dir: Optional[str] = options.get("dir")
        self.steps_done = 0
        self._wish = Wanted.NOTHING  # of this rank, when it does not lead
        source = link.lead(lambda: self._open(options))
        if source is not None:
            link.each(lambda: None if link.leads else self._open_copy(source, options))

    def _open(self, options: Dict[str, Any]) -> Optional[str]:
        """The folder; the path of what a restore would take."""
        self.own = RunHandle(**options)
        source = self.own.source()
        return None if source is None else os.path.abspath(source)

    def _open_copy(self, source: str, options: Dict[str, Any]) -> None:
        kept = {name: options[name] for name in ("binding", "profile", "state_every", "training")}
        self.own = RunHandle(archive=source, **kept)

    @property
    def pointer(self) -> Any:
        assert self.own is not None  # only rank 0 looks into the run
        return self.own.pointer

    def _lead(self, method: str, *arguments: Any, **named: Any) -> Any:
        return self._link.lead(lambda: getattr(self.own, method)(*arguments, **named))

    # ---- the inventory, and restoring: of those that have something open ----

    def set_tree(self, *arguments: Any) -> None:
        if self.own is not None:
            self.own.set_tree(*arguments)

    def drop_tree(self, root: str) -> None:
        if self.own is not None:
            self.own.drop_tree(root)

    def add_stream(self, stream: Any) -> None:
        if self.own is not None:
            self.own.add_stream(stream)

    def add_not_captured(self, name: str, reason: str) -> None:
        if self.own is not None:
            self.own.add_not_captured(name, reason)

    def add_data_file(self, role: str, path: str) -> None:
        if self.own is not None:
            self.own.add_data_file(role, path)

    def source(self) -> Optional[str]:
        return None if self.own is None else self.own.source()

    def restore(self, require: Tier) -> Optional[Receipt]:
        return None if self.own is None else self.own.restore(require)

    def restored(self) -> None:
        """After restore() on all."""
        self.steps_done = self._link.lead(lambda: self.own and self.own.steps_done)
        if not self._link.leads and self.own is not None:
            self.own.close()
            self.own = None

    @property
    def expected_last(self) -> int:
        return 0 if self.own is None else self.own.expected_last

    # ---- steps ----

    def set_position(self, epoch: int, samples: int) -> None:
        if self.own is not None:
            self.own.set_position(epoch, samples)

    def begin_step(self) -> None:
        self._lead("begin_step")

    def cancel_step(self) -> None:
        self._lead("cancel_step")

    def before_update(self) -> None:
        if self.own is not None:
            self.own.before_update()

    def step(self, step: int, epoch: int, **record: Any) -> None:
        self._lead("step", step, epoch, **record)
        self.steps_done = step

    def difference(self) -> Optional[Dict[str, object]]:
        return None if self.own is None else self.own.difference()

    # ---- saving ----

    def request(self, wanted: Wanted) -> None:
        """From a signal handler, which need not run on all ranks."""
        if self.own is not None:
            self.own.request(wanted)
        else:
            self._wish = max(self._wish, wanted)

    def wanted(self) -> Wanted:
        """The strongest wish of any rank. Where warnings are errors, what is told of the agent here
        ends all ranks, and not rank 0 alone."""
        wishes = self._link.together(self._own_wish)
        asked = Wanted(max(wishes))
        if self.own is not None and asked > wishes[0]:
            self.own.request(asked)
        return asked

    def _own_wish(self) -> Wanted:
        if self.own is not None:
            return self.own.wanted()
        wish, self._wish = self._wish, Wanted.NOTHING
        return wish

    def capture(self, step: int) -> str:
        return str(self._lead("capture", step))

    def capture_behind(self, step: int) -> None:
        self._lead("capture_behind", step)

    def wait(self) -> None:
        self._lead("wait")

    # ---- looking ----

    def run_hash(self) -> str:
        return str(self._lead("run_hash"))

    def state_hash(self) -> str:
        return str(self._lead("state_hash"))

    def event(self, event: str, fields: Any) -> None:
        if self.own is not None:
            self.own.event(event, fields)

    def close(self) -> None:
        own, self.own = self.own, None
        if own is not None:
            own.close()
