# SPDX-License-Identifier: Apache-2.0
"""A part of the training state: one root of the archive's tree, and how it is put back.

    before = component.tree()                 # live tensors as leaves
    plan = component.plan(archived)           # nothing live has changed
    ... write the bytes of each fill's source into its target ...
    plan.attach()                             # new tensors and plain values go where they belong

`archived` is the tree of the same root in an archive, with ArchivedTensor leaves. Between `plan`
and `attach` the live objects must not be used. Several components are planned together with
collection.plan_all(), since memory may be shared across them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple

if TYPE_CHECKING:
    from .storages import Storages


@dataclass(frozen=True)
class Fill:
    """Memory to be written: the elements of `source`, an ArchivedTensor, into `target`, a torch
    tensor or NumPy array of the same dtype and shape. `path` is the place in the tree after the
    restore, such as `optimizer.state.3.exp_avg`."""

    path: str
    target: Any
    source: Any


@dataclass
class Plan:
    """What a restore of one root comes to.

    `value`: the tree as it will be after attach(), the same as the component's tree() then. Its
    tensors are live ones, filled in place, or new ones that nothing refers to yet. They have the
    requires_grad of before; attach() sets it.
    `fills`: what must be written before attach(), tied tensors once for each name.
    `problems`: what cannot be made equal to the archive, each a line that begins with the path.
    With problems the rest can be restored, but the next step is not promised.
    `replaced`: paths of live tensors whose place a new one takes, since the archive's has another
    dtype, shape, strides, device or sharing: what holds the old ones, such as a captured graph,
    must be made again.
    `by_content`: paths, and all below them, whose tensors tree() makes anew at each call: compare
    their elements, not their pointers.
    `notes`: what the archive does not know and was left as it is, by path; it decides the next
    step.
    `calls_user_code`: attach() runs load_state_dict() or the like, which may raise: such plans are
    attached first.
    """

    root: str
    value: Any = None
    fills: List[Fill] = field(default_factory=list)
    problems: List[str] = field(default_factory=list)
    replaced: List[str] = field(default_factory=list)
    by_content: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    calls_user_code: bool = False
    _actions: List[Callable[[], None]] = field(default_factory=list)

    def attach(self) -> None:
        """Put everything in its place; once, after the fills are written. A second call does
        nothing."""
        actions, self._actions = self._actions, []
        for action in actions:
            action()

    def when_attached(self, action: Callable[[], None]) -> None:
        """Have attach() call `action`, after those that were given before."""
        self._actions.append(action)

    def take(self, other: "Plan") -> None:
        """Take over all of another plan but its value."""
        self.fills += other.fills
        self.problems += other.problems
        self.replaced += other.replaced
        self.by_content += other.by_content
        self.notes += other.notes
        self.calls_user_code = self.calls_user_code or other.calls_user_code
        self._actions += other._actions
        other._actions = []


class Component:
    """A root of the tree. `root` is its name; `not_captured` lists pairs of a path and the reason,
    for the coverage statement: what was seen at the last tree() and has no place in the archive."""

    root: str
    not_captured: List[Tuple[str, str]]

    def __init__(self, root: str) -> None:
        self.root = root
        self.not_captured = []

    def tree(self) -> Any:
        """The state as nested dicts, lists and plain values, with live tensors as leaves, in the
        same order each time. CaptureError for what has no safe form."""
        raise NotImplementedError

    def plan(self, archived: Any, storages: Optional["Storages"] = None) -> Plan:
        """How to make this root what `archived` says. `storages` says what shares memory; without
        it, what this root alone tells. Changes nothing that is live. CaptureError when the live
        side has no safe form."""
        if storages is None:
            from .storages import Storages
            storages = Storages([archived])
            self.plan_in(archived, storages)
            storages.survey_done()
        return self.plan_in(archived, storages)

    def plan_in(self, archived: Any, storages: "Storages") -> Plan:
        """plan() with what shares memory given. Called twice: in the survey, for the sake of what
        it tells `storages` about live tensors, and then for the plan itself."""
        raise NotImplementedError


    def settled(self) -> None:
        """A restore is over, and what was set was compared."""


class Group(Component):
    """Several components under one root, by name: two optimizers, three models."""

    def __init__(self, root: str, members: Mapping[str, Component]) -> None:
        super().__init__(root)
        self.members: Dict[str, Component] = dict(members)

    def tree(self) -> Dict[str, Any]:
        value = {name: member.tree() for name, member in self.members.items()}
        self.not_captured = [gap for member in self.members.values()
                             for gap in member.not_captured]
        return value

    def plan_in(self, archived: Any, storages: "Storages") -> Plan:
        plan = Plan(self.root, {})
        known = archived if isinstance(archived, dict) else {}
        for name, member in self.members.items():
            if name in known:
                part = member.plan_in(known[name], storages)
                plan.value[name] = part.value
                plan.take(part)
            else:
                plan.value[name] = member.tree()
                plan.problems.append(f"{self.root}.{name}: not in the archive: left as it is")
        plan.problems += [f"{self.root}.{name}: in the archive and not given here"
                          for name in known if name not in self.members]
        return plan

    def settled(self) -> None:
        for member in self.members.values():
            member.settled()
