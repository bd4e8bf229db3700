# SPDX-License-Identifier: Apache-2.0
"""A part of the training state: one root of the archive's tree, and how it is put back.

    before = component.tree()                 # live tensors as leaves
    plan = component.plan_in(archived, ...)   # nothing live has changed
    ... the library writes the archive's bytes into the tensors of plan.value ...
    plan.attach()                             # new tensors and plain values go where they belong
    after = component.tree()                  # which must be plan.value
    component.settled()

`archived` is the tree of the same root in an archive, with ArchivedTensor leaves. Between `plan_in`
and `attach` the live objects must not be used. All components are planned together, with
collection.plan_all(), since memory may be shared across them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Sequence, Tuple

from ..errors import InvalidError

if TYPE_CHECKING:
    from .storages import Storages


@dataclass
class Plan:
    """What a restore of one root comes to.

    `value`: the tree as it will be after attach(), the same as the component's tree() then. Its
    tensors are live ones, to be filled in place, or new ones that nothing refers to yet. They have
    the requires_grad of before; attach() sets it.
    `problems`: what cannot be made equal to the archive, each a line that begins with the path.
    With problems the rest can be restored, but the next step is not promised.
    `notes`: what only one side knows, such as an option of another version of torch: lines that
    begin with the path. The state is set as the archive has it, and the next step is not promised.
    attach() and settled() may add some.
    `calls_user_code`: attach() runs load_state_dict() or the like, which may raise: such plans are
    attached first.
    """

    root: str
    value: Any = None
    problems: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    calls_user_code: bool = False
    _actions: List[Callable[[], None]] = field(default_factory=list)

    def attach(self) -> None:
        """Put everything in its place; once, when the tensors of `value` are filled. A second call
        does nothing."""
        actions, self._actions = self._actions, []
        for action in actions:
            action()

    def when_attached(self, action: Callable[[], None]) -> None:
        """Have attach() call `action`, after those that were given before."""
        self._actions.append(action)


def call_user(path: str, what: str, function: Any, *arguments: Any) -> None:
    """Call a function of the user's; what it raises is told with its path."""
    try:
        function(*arguments)
    except Exception as problem:
        raise InvalidError(
            f"{path}: {what} raised {type(problem).__name__}: {problem}") from problem


class Component:
    """A root of the tree. `root` is its name; `not_captured` lists pairs of a path and the reason,
    for the coverage statement: what is seen now and has no place in the archive."""

    may_be_absent = False  # from an archive, and then nothing is missing

    root: str
    not_captured: Sequence[Tuple[str, str]] = ()

    def __init__(self, root: str) -> None:
        self.root = root

    def tree(self) -> Any:
        """The state as nested dicts, lists and plain values, with live tensors as leaves, in the
        same order each time. CaptureError for what has no safe form."""
        raise NotImplementedError

    def plan_in(self, archived: Any, storages: "Storages") -> Plan:
        """How to make this root what `archived` says. Changes nothing that is live. Called twice:
        in the survey, for the sake of what it tells `storages` about live tensors, and then for
        the plan itself. CaptureError when the live side has no safe form."""
        raise NotImplementedError

    def settled(self) -> None:
        """A restore is over, and what was set was compared."""


class Group(Component):
    """Several components under one root, by name: two optimizers, three models."""

    def __init__(self, root: str, members: Mapping[str, Component]) -> None:
        super().__init__(root)
        self.members: Dict[str, Component] = dict(members)

    @property
    def not_captured(self) -> List[Tuple[str, str]]:  # type: ignore[override]
        return [gap for member in self.members.values() for gap in member.not_captured]

    def tree(self) -> Dict[str, Any]:
        return {name: member.tree() for name, member in self.members.items()}

    def plan_in(self, archived: Any, storages: "Storages") -> Plan:
        plan = Plan(self.root, {})
        known = archived if isinstance(archived, dict) else {}
        parts: List[Plan] = []
        for name, member in self.members.items():
            if name not in known:
                plan.value[name] = member.tree()
                plan.problems.append(f"{self.root}.{name}: not in the archive: left as it is")
                continue
            part = member.plan_in(known[name], storages)
            plan.value[name] = part.value
            plan.problems += part.problems
            plan.calls_user_code = plan.calls_user_code or part.calls_user_code
            plan.notes += part.notes
            part.notes = plan.notes  # what it notes from now on
            parts.append(part)
        was, now = [name for name in known if name in self.members], [*plan.value]
        if was != [name for name in now if name in known]:
            plan.problems.append(f"{self.root}: {', '.join(was)} in the archive, and "
                                 f"{', '.join(now)} here: give them in that order")
        plan.problems += [f"{self.root}.{name}: in the archive and not given here"
                          for name in known if name not in self.members]
        plan.when_attached(lambda: self._attach(parts))
        return plan

    @staticmethod
    def _attach(parts: List[Plan]) -> None:
        for part in sorted(parts, key=lambda part: not part.calls_user_code):
            part.attach()

    def settled(self) -> None:
        for member in self.members.values():
            member.settled()
