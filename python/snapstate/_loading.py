# SPDX-License-Identifier: Apache-2.0
"""The place in the data, as part of a run: a DataLoader of torch, another iterable, or none."""

from __future__ import annotations

import contextlib
import copy
from typing import Any, Iterator, List, Mapping, Optional

from . import errors
from ._dtypes import loaded
from ._line import Line
from .loader.plain_loader import PlainLoader
from .receipt import Receipt
from .state.component import Component, Plan
from .state.planner import MISSING, Planner
from .state.storages import Storages
from .generators import Stream
from .generators.registry import make_stream, name_of, streams as all_streams


class Verbatim(Component):
    """A root whose content is taken as it is in the archive, and put to use by its owner later:
    what was archived stands for it until then."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.archived: Any = None

    def now(self) -> Any:
        raise NotImplementedError

    def tree(self) -> Any:
        return self.now() if self.archived is None else self.archived

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        planner = Planner(self.root, storages)
        planner.plan.value = planner.value(MISSING, archived, self.root, owned=True)
        planner.plan.when_attached(lambda: setattr(self, "archived", planner.plan.value))
        return planner.plan


class Ignored(Verbatim):
    """A root that nothing live stands for."""

    def now(self) -> Any:
        return None


class LoaderState(Verbatim):
    """Root `loader`. `strict`: a place that cannot be had exactly is a problem of the plan."""

    strict = False

    def __init__(self, tracker: Any) -> None:
        super().__init__("loader")
        self._tracker = tracker

    def now(self) -> Any:
        return self._tracker.state()

    def problems(self, archived: Any) -> List[str]:
        """Why the place that was archived cannot be had exactly, when that is asked for."""
        if not self.strict:
            return []
        reasons = [*self._tracker.compare(archived), *self._tracker.exactness()[1]]
        return [f'loader: {reason} (require="streams" goes on all the same)'
                for reason in reasons]

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        plan = super().plan_in(archived, storages)
        plan.problems += self.problems(archived)
        return plan


RUN_ROOT = "run"


class RunState(Verbatim):
    """Root `run`: losses that the next line will hold; an archive of save() has none."""

    may_be_absent = True

    def __init__(self, line: Line) -> None:
        super().__init__(RUN_ROOT)
        self._line = line

    def now(self) -> Any:
        return {"pending_losses": self._line.pending()}

    def settled(self) -> None:
        """What was restored is put to use."""
        archived, self.archived = self.archived, None
        if archived is not None:
            self._line.set_pending(archived["pending_losses"])


class Loading:
    """A run without a loader: no place in any data."""

    epoch = 0
    samples = 0
    last_ids: Optional[List[int]] = None

    @staticmethod
    def of(loader: Any) -> "Loading":
        """For what a user gives as a loader; None: none."""
        if loader is None:
            return Loading()
        if hasattr(loader, "iterate"):  # a TrackedLoader
            return Tracked(loader)
        torch = loaded("torch")
        if torch is not None and isinstance(loader, torch.utils.data.DataLoader):
            from .loader import TrackedLoader
            return Tracked(TrackedLoader(loader, set_epoch_of(loader)))
        return Tracked(PlainLoader(loader))

    @staticmethod
    def of_tracker(tracker: Any) -> "Loading":
        """For a TrackedLoader that the user iterates; None: none."""
        if tracker is None:
            return Loading()
        if not hasattr(tracker, "iterate"):
            raise errors.InvalidError(
                f"loader: a {type(tracker).__name__} does not say where it is: wrap it in a "
                f"snapstate.TrackedLoader before it is iterated")
        return Tracked(tracker)

    def insist(self) -> None:
        raise errors.InvalidError("batches(): the run has no loader: give it one as loader=, or "
                                  "use steps()")

    def components(self) -> List[Component]:
        return []

    def require(self, require: str) -> None:
        """What the restore to come asks for."""

    def known(self) -> List[Any]:
        """Generators that the place in the data holds."""
        return []

    def searched(self) -> Mapping[str, Any]:
        """What may hold generators that nobody holds."""
        return {}

    def resume(self, receipt: Receipt) -> None:
        """After the restore; leaves the streams as that left them."""

    def keep_place(self) -> None:
        """Before the batches of a step are drawn: for a capsule, which is from before the step."""

    @contextlib.contextmanager
    def at_kept_place(self) -> Iterator[None]:
        """The components are as keep_place() found them."""
        yield

    def next_batch(self, epochs: Optional[int]) -> Any:
        raise StopIteration

    @staticmethod
    def stream(name: str, generator: Any) -> Stream:
        """The stream of a generator that was given: a registered one keeps being that."""
        known = name_of(generator)
        if known is not None:
            raise errors.InvalidError(f"stream {name}: the generator is the stream {known} already")
        if name in all_streams():
            raise errors.InvalidError(f"stream {name}: the name is that of another stream")
        return make_stream(name, generator)


def set_epoch_of(loader: Any) -> Any:
    """What a sampler for several processes is to be told of each epoch; None: nothing."""
    for part in (loader.sampler, loader.batch_sampler):
        told = getattr(part, "set_epoch", None)
        if told is not None:
            return told
    return None


class Tracked(Loading):
    """A run with a loader."""

    def __init__(self, tracker: Any) -> None:
        self._tracker = tracker
        self._state = LoaderState(tracker)
        self._kept: Any = None
        self._iterator: Optional[Iterator[Any]] = None

    @property
    def epoch(self) -> int:  # type: ignore[override]
        return int(self._tracker.epoch)

    @property
    def samples(self) -> int:  # type: ignore[override]
        return int(self._tracker.samples)

    @property
    def last_ids(self) -> Optional[List[int]]:  # type: ignore[override]
        return self._tracker.last_ids

    def insist(self) -> None:
        pass

    def components(self) -> List[Component]:
        return [self._state]

    def require(self, require: str) -> None:
        self._state.strict = require == "exact"

    def known(self) -> List[Any]:
        return list(self._tracker.dataset_generators().values())

    def searched(self) -> Mapping[str, Any]:
        searched = getattr(self._tracker, "searched", None)
        return {} if searched is None else searched()

    def resume(self, receipt: Receipt) -> None:
        state, self._state.archived = self._state.archived, None
        if state is None:
            return  # the weights alone were asked for
        self._tracker.restore(state)
        self._tracker.start()
        reasons = self._tracker.exactness()[1]
        if reasons and self._state.strict:
            raise errors.CorruptError(
                f"restore: the place in the data did not come back: {reasons[0]}; memory is "
                f"unusable: the restore had begun to change it")
        for reason in reasons:
            receipt.lower(f"loader: {reason}")

    def keep_place(self) -> None:
        self._kept = copy.deepcopy(self._tracker.state())

    @contextlib.contextmanager
    def at_kept_place(self) -> Iterator[None]:
        self._state.archived = self._kept
        try:
            yield
        finally:
            self._state.archived = None

    def next_batch(self, epochs: Optional[int]) -> Any:
        while True:
            if self._iterator is None:
                if epochs is not None and self.epoch >= epochs:
                    raise StopIteration
                self._iterator = iter(self._tracker.iterate())
            try:
                return next(self._iterator)
            except StopIteration:
                self._iterator = None
                if epochs is None and self._tracker.batches == 0:
                    raise  # an epoch without a batch would go on for ever
