# SPDX-License-Identifier: Apache-2.0
"""What the user's own objects hold that decides batches: generators as attributes, and what their
state_dict() says. In the main process and in workers."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from . import generators
from .generators import State, Walk, find_slot

# Objects with up to so many others in them are walked for every batch (some ten microseconds);
# larger ones for reads 1, 2, 4, 8 and so on: generators that were found are read each time.
NODES_EACH_READ = 100


def has_state(value: Any) -> bool:
    """Whether it keeps the protocol state_dict() and load_state_dict()."""
    return (callable(getattr(value, "state_dict", None))
            and callable(getattr(value, "load_state_dict", None)))


class HeldGenerators:
    """The generators that `roots` hold, by path: "dataset.rng", "sampler.generator". One that
    several hold has the first path."""

    def __init__(self, roots: Dict[str, Any]) -> None:
        self._roots = roots
        self._walks: Tuple[Walk, ...] = ()
        self._reads = 0

    def walk(self) -> Dict[str, Any]:
        """The generators that are there now."""
        self._reads += 1
        if (sum(walk.nodes for walk in self._walks) <= NODES_EACH_READ
                or not self._reads & (self._reads - 1)):
            walks = []
            apart = tuple(self._roots.values())
            for name, root in self._roots.items():
                walks.append(Walk(root, name, apart))
                apart += tuple(walks[-1].generators().values())
            self._walks = tuple(walks)
        found: Dict[str, Any] = {}
        for walk in self._walks:
            found.update(walk.generators())
        return found

    def read(self) -> Dict[str, State]:
        """Their states."""
        states = {}
        for path, generator in self.walk().items():
            kind = generators.kind_of(generator)
            if kind is not None:
                states[path] = generators.read(generator, kind)
        return states

    def problem(self, path: str, state: State) -> Optional[str]:
        """Why write() could not set this one; None: it can."""
        slot = self._slot(path)
        if slot is None:
            return f"{path} was a generator ({state['kind']}), and there is no such place"
        present = slot.get()
        if present is None or generators.kind_of(present) == state["kind"]:
            return None
        return f"{path} was a generator ({state['kind']}), and is a {type(present).__name__}"

    def write(self, states: Dict[str, State]) -> None:
        """Set them. One that its holder makes at the first use is made here, if it is not there
        yet. LookupError: there is no place for it."""
        for path, state in states.items():
            problem = self.problem(path, state)
            if problem is not None:
                raise LookupError(f"restore: {problem}: make the loader as it was when the state "
                                  f"was saved")
            slot = self._slot(path)
            assert slot is not None  # that would have been a problem
            present = slot.get()
            if present is None:
                slot.put(generators.make(state))
            else:
                generators.write(present, state)

    def _slot(self, path: str) -> Optional[generators.Slot]:
        name = path.split(".", 1)[0]
        return find_slot(self._roots[name], name, path) if name in self._roots else None


class HeldState:
    """The same with the dataset's own state: {"dataset": what its state_dict() returned, or None,
    "generators": states by path}."""

    def __init__(self, dataset: Any, collate: Any) -> None:
        self.dataset = dataset
        self.generators = HeldGenerators({"dataset": dataset, "collate_fn": collate})

    def read(self) -> State:
        return {"generators": self.generators.read(), "dataset": self.read_own()}

    def read_own(self) -> Any:
        return self.dataset.state_dict() if has_state(self.dataset) else None

    def write_own(self, state: State) -> None:
        if state["dataset"] is not None and has_state(self.dataset):
            self.dataset.load_state_dict(state["dataset"])
