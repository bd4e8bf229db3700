# SPDX-License-Identifier: Apache-2.0
"""Anything with state_dict() and load_state_dict(): schedulers, scalers, metrics, a user's own; and
plain values that a user keeps in a dict or list."""

from __future__ import annotations

import reprlib
import types
import weakref
from typing import Any, List, Tuple

from ..errors import InvalidError
from .component import Component, Plan, call_user
from .planner import Planner, assign, copy_containers
from .shape import shaped, skeleton
from .storages import Storages


class GenericState(Component):
    """What state_dict() gives, without methods of the object itself, and of the schedulers in it.
    attach() is load_state_dict()."""

    def __init__(self, root: str, owner: Any) -> None:
        super().__init__(root)
        if not (hasattr(owner, "state_dict") and hasattr(owner, "load_state_dict")):
            raise InvalidError(f"{root}: a {type(owner).__module__}.{type(owner).__qualname__} has "
                               f"no state_dict() and load_state_dict(): give its values as values=")
        self.owner = owner
        self._like: Any = None  # the order of keys in the archive that was restored last
        self._restoring = False

    def tree(self) -> Any:
        return self._shaped([]) if self._restoring else \
            shaped(self._state_dict(), self._like, self.root)

    def _state_dict(self) -> Any:
        return _without_methods(self.owner.state_dict(), [self.owner, *_inner(self.owner)])

    def _shaped(self, surplus: List[Tuple[str, Any]]) -> Any:
        return shaped(self._state_dict(), self._like, self.root, surplus)

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        # What state_dict() gives may be the object's own memory, and may be a copy: new memory is
        # filled, and handed over.
        planner = Planner(self.root, storages)
        plan = planner.plan
        plan.value = planner.value(self._state_dict(), archived, self.root, owned=True, fresh=True)
        plan.calls_user_code = True
        plan.when_attached(lambda: self._attach(plan))
        return plan

    def _attach(self, plan: Plan) -> None:
        call_user(self.root, "load_state_dict()", self.owner.load_state_dict,
                  copy_containers(plan.value))
        self._like, self._restoring = skeleton(plan.value), True
        surplus: List[Tuple[str, Any]] = []
        self._shaped(surplus)
        plan.notes += [f"{path}: is {reprlib.repr(item)} here, and load_state_dict() left it so: "
                       f"the archive does not know it" for path, item in surplus]

    def settled(self) -> None:
        self._restoring = False


def _inner(scheduler: Any) -> List[Any]:
    """The schedulers in a scheduler, at any depth."""
    found: List[Any] = []
    for one in getattr(scheduler, "_schedulers", ()):
        found += [one, *_inner(one)]
    return found


def _without_methods(value: Any, owners: List[Any]) -> Any:
    """Without what is a part of how the object is made: its own methods, weak references."""
    if type(value) is dict:
        return {key: _without_methods(item, owners) for key, item in value.items()
                if not _is_method(item, owners)}
    if type(value) is list:
        return [_without_methods(item, owners) for item in value]
    return value


def _is_method(value: Any, owners: List[Any]) -> bool:
    return (isinstance(value, types.MethodType) and any(value.__self__ is one for one in owners)
            or isinstance(value, weakref.ref))


class ValuesState(Component):
    """A dict or list of the user's: plain values, tensors, arrays. A restore changes it in place,
    with all that is in it; what the archive does not have goes."""

    def __init__(self, root: str, values: Any) -> None:
        super().__init__(root)
        if not isinstance(values, (dict, list)):
            raise InvalidError(f"{root}: a {type(values).__name__} cannot be changed in place: "
                               f"give a dict or a list")
        self.values = values

    def tree(self) -> Any:
        return self.values

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        planner = Planner(self.root, storages)
        plan = planner.plan
        if type(archived) is not type(self.values):
            return planner.keep(self.values, f"a {type(archived).__name__} in the archive, a "
                                             f"{type(self.values).__name__} here")
        plan.value = planner.value(self.values, archived, self.root, owned=True)
        plan.when_attached(lambda: assign(self.values, plan.value))
        return plan
