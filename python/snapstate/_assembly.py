# SPDX-License-Identifier: Apache-2.0
"""The parts of a training state, gathered for a run of the library: components as trees, streams,
and what is known not to be captured."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import errors, tree
from ._digests import tensor_digest
from ._library import json_text
from ._run_handle import Node, RunHandle
from ._structs import Tier
from .archive import Archive
from .receipt import Receipt
from .state.component import Component, Plan
from .state.collection import plan_all
from ._staging import stage
from .tensors import TensorMemory

TIERS = {"exact": Tier.EXACT, "streams": Tier.STREAMS, "weights": Tier.WEIGHTS}

# The roots that are arguments of Run and restore().
GIVEN = ("model", "optimizer", "scheduler", "scaler", "ema", "values", "loader")


def required_tier(require: str, profile: str) -> Tier:
    """The library's tier for what a caller requires. Under profile none nothing is promised of the
    next step, and "exact" asks for every component and stream."""
    if require not in TIERS:
        raise errors.InvalidError(
            f"require {require!r}: it is \"exact\", \"streams\" or \"weights\"")
    tier = TIERS[require]
    return Tier.STREAMS if tier == Tier.EXACT and profile == "none" else tier


class Assembly:
    """`components` in the order of the archive's roots; `streams` by name; `gaps` are pairs of a
    name and the reason why it is not captured."""

    def __init__(self, components: Sequence[Component], streams: Mapping[str, Any],
                 gaps: Iterable[Tuple[str, str]] = ()) -> None:
        self.components = list(components)
        self.streams = dict(streams)
        self.gaps = dict(gaps)

    def registered_streams(self) -> List[Any]:
        """As the run is to have them."""
        return list(self.streams.values())

    def gather(self, give: Callable[[], Any]) -> List[Any]:
        """What each process of the run gives, before its line or a step: here it is one."""
        return [give()]

    def insist_distinct(self) -> None:
        """DiffersError when processes draw the same numbers and should not: here it is one."""

    def twins(self) -> List[Tuple[str, int, int]]:
        """Streams that are in one state on two processes: name and ranks. Here it is one."""
        return []

    def share(self, receipt: Receipt) -> None:
        """What lowers the tier on one process lowers it on all."""

    # ---- capture ----

    def register(self, handle: RunHandle) -> None:
        """Once, before anything of the run has begun: streams, trees, what is not captured."""
        self.add_streams(handle)
        self.set_trees(handle)
        self.add_gaps(handle)

    def add_streams(self, handle: RunHandle) -> None:
        for stream in self.registered_streams():
            handle.add_stream(stream)

    def add_gaps(self, handle: RunHandle) -> None:
        gaps = dict(self.gaps)
        for component in self.components:
            gaps.update((path, reason) for path, reason in component.not_captured)
        for name, reason in gaps.items():
            handle.add_not_captured(name, reason)

    def set_trees(self, handle: RunHandle) -> None:
        """Every component as it is now."""
        place(handle, {component.root: component.tree() for component in self.components})

    # ---- restore ----

    def restore(self, handle: RunHandle, require: str) -> Optional[Receipt]:
        """Bring back what the run's source has; None: there is nothing yet. AbsentError: not at the
        tier required, and nothing was changed."""
        source = handle.source()
        tier = required_tier(require, handle.profile)
        if source is None:
            return handle.restore(tier)
        with Archive(source) as archive:
            absent = [part for part in self.components
                      if part.may_be_absent and part.root not in archive.roots]
            plans = plan_all([part for part in self.components if part not in absent],
                             {root: archive[root] for root in archive.roots})
            nodes = {root: archive.node(root) for root in archive.roots}
        problems = [problem for plan in plans for problem in plan.problems]
        if tier == Tier.EXACT:
            problems += [note for plan in plans for note in plan.notes]
        problems += _not_given(nodes, self.components)
        if problems and tier > Tier.WEIGHTS:
            more = f", and {len(problems) - 1} more problems" if len(problems) > 1 else ""
            raise errors.AbsentError(
                f"restore: {source}: {problems[0]}{more}; nothing was changed")
        placed = Placed({plan.root: plan.value for plan in plans})
        for root in placed.nodes:
            placed.nodes[root] = without_marks(placed.nodes[root], nodes.get(root))
            take_requires_grad(placed.nodes[root], nodes.get(root, {}))  # attach() sets it
        placed.give(handle)
        for part in absent:
            handle.drop_tree(part.root)
        try:
            receipt = handle.restore(tier)
        finally:
            place(handle, {part.root: part.tree() for part in absent})
        assert receipt is not None  # there was a source, under the run's lock
        try:
            placed.staging.write_back()
            self._attach(plans, placed, receipt)
        except Exception as problem:
            raise errors.CorruptError(f"restore: {source}: {problem}; memory is unusable: the "
                                      f"restore had begun to change it") from problem
        return receipt

    def _attach(self, plans: Sequence[Plan], placed: "Placed", receipt: Receipt) -> None:
        if not receipt.complete:  # weights alone: nothing but the model is to be touched
            plans = [plan for plan in plans if plan.root == "model"]
        for plan in sorted(plans, key=lambda plan: not plan.calls_user_code):
            plan.attach()
        by_root = {component.root: component for component in self.components}
        for plan in plans:
            compare(plan.root, placed, by_root[plan.root].tree())
            by_root[plan.root].settled()
            for note in plan.notes:
                if receipt.required == "exact":
                    raise errors.CorruptError(note)
                receipt.lower(note)


def _not_given(nodes: Mapping[str, Node], components: Sequence[Component]) -> Iterator[str]:
    """What the archive has and no component stands for, in the words of who calls Run or
    restore()."""
    known = {component.root for component in components}
    for root in [root for root in nodes if root not in known]:
        yield (f"{root}: is in the archive, and was not given: give it as {root}=, pass over it "
               f"(ignore= of restore()), or ask for the model alone (require=\"weights\")"
               if root in GIVEN else f"{root}: is in the archive, and nothing here stands for it")


class Placed:
    """Trees as they were given to the library."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.nodes: Dict[str, Node] = {}
        self.memories: Dict[str, List[TensorMemory]] = {}
        for root, value in values.items():
            self.nodes[root], self.memories[root] = tree.encode(value, path=root)
        # All of them at once: what is shared between roots is shared in the copies too.
        self.staging = stage([memory for memories in self.memories.values()
                              for memory in memories])

    def staged(self) -> Iterator[Tuple[str, List[TensorMemory]]]:
        """The memories in the host, by root."""
        start = 0
        for root, memories in self.memories.items():
            yield root, self.staging.memories[start:start + len(memories)]
            start += len(memories)

    def give(self, handle: RunHandle) -> None:
        """Set each as the content of its root."""
        for root, memories in self.staged():
            handle.set_tree(root, self.nodes[root], memories)


def place(handle: RunHandle, values: Mapping[str, Any]) -> Placed:
    """Give values to the library, each as the content of a root."""
    placed = Placed(values)
    placed.give(handle)
    return placed


def take_requires_grad(node: Any, archived: Any) -> None:
    """Where both nodes have a tensor, the first gets the second's requires_grad."""
    if "tensor" in node and "tensor" in archived:
        node["tensor"]["requires_grad"] = archived["tensor"]["requires_grad"]
    elif "map" in node and "map" in archived:
        others = dict(archived["map"])
        for key, item in node["map"]:
            if key in others:
                take_requires_grad(item, others[key])
    elif "list" in node and "list" in archived:
        for item, other in zip(node["list"], archived["list"]):
            take_requires_grad(item, other)


def without_marks(node: Any, archived: Any) -> Any:
    """The node, in which an array of NumPy is a plain tensor where the archive has one: a trainer
    in C knows no arrays."""
    if isinstance(node, dict) and isinstance(archived, dict):
        entries = node.get("map")
        if "tensor" in archived and isinstance(entries, list) and len(entries) == 1 and \
                entries[0][0] == "~array":
            requires_grad = archived["tensor"]["requires_grad"]  # which arrays do not have
            return {"tensor": {**entries[0][1]["tensor"], "requires_grad": requires_grad}}
        return {key: without_marks(item, archived.get(key)) for key, item in node.items()}
    if isinstance(node, list) and isinstance(archived, list):
        others = [*archived, *[None] * len(node)]
        return [without_marks(item, other) for item, other in zip(node, others)]
    return node


def compare(root: str, placed: Placed, now: Any) -> None:
    """What is there after attach() must be what the plan said: the same plain values, and the same
    memory, or, where a tree is made anew each time, the same bits. CorruptError by path."""
    node, memories = placed.nodes[root], dict(placed.staged())[root]
    there = Placed({root: now})
    there.nodes[root] = without_marks(there.nodes[root], node)
    if json_text(node) != json_text(there.nodes[root]):
        raise errors.CorruptError(f"{first_difference(node, there.nodes[root], root)}: read back "
                                  f"after the restore: it is not what was set")
    for index, (live, wanted, got, read) in enumerate(
            zip(there.memories[root], placed.memories[root], memories, there.staging.memories)):
        if live.pointer != wanted.pointer and tensor_digest(got) != tensor_digest(read):
            raise errors.CorruptError(f"{root}: tensor {index}: read back after the restore: it is "
                                      f"not what was set")


def first_difference(left: Node, right: Node, path: str) -> str:
    """Where two nodes differ first, as a path of keys."""
    for kind in ("map", "list"):
        if kind not in left or kind not in right:
            continue
        entries = [dict(node[kind]) if kind == "map" else dict(enumerate(node[kind]))
                   for node in (left, right)]
        for key, item in entries[0].items():
            if key not in entries[1]:
                return f"{path}.{key}"
            if item != entries[1][key]:
                return first_difference(item, entries[1][key], f"{path}.{key}")
        for key in entries[1]:
            if key not in entries[0]:
                return f"{path}.{key}"
    return path
