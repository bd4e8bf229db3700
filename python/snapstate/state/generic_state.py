# SPDX-License-Identifier: Apache-2.0
"""Anything with state_dict() and load_state_dict(): schedulers, scalers, metrics, a user's own; and
plain values that a user keeps in a dict or list."""

from __future__ import annotations

import types
import weakref
from typing import Any, Dict

from ..errors import InvalidError
from .component import Component, Plan
from .planner import Planner, assign, copy_containers
from .storages import Storages


def _follows(owner: Any, value: Any) -> bool:
    """Whether the value is a part of how the object is made: a method of its own, a weak
    reference."""
    return (isinstance(value, types.MethodType) and value.__self__ is owner
            or isinstance(value, (weakref.ref, weakref.WeakMethod)))


class GenericState(Component):
    """What state_dict() gives, without methods of the object itself. attach() is
    load_state_dict()."""

    def __init__(self, root: str, owner: Any) -> None:
        super().__init__(root)
        if not (hasattr(owner, "state_dict") and hasattr(owner, "load_state_dict")):
            raise InvalidError(f"{root}: a {type(owner).__module__}.{type(owner).__qualname__} has "
                               f"no state_dict() and load_state_dict(): give its values as values=")
        self.owner = owner

    def tree(self) -> Dict[str, Any]:
        state = self.owner.state_dict()
        if type(state) is dict:
            return {key: value for key, value in state.items() if not _follows(self.owner, value)}
        return state

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        planner, live = Planner(self.root, storages), self.tree()
        plan = planner.plan
        # What state_dict() gives may be the object's own memory, and may be a copy: new memory is
        # filled, and handed over.
        plan.value = planner.value(_Copies(live), archived, self.root, owned=True)
        plan.by_content.append(self.root)
        plan.calls_user_code = True
        plan.when_attached(lambda: self.owner.load_state_dict(copy_containers(plan.value)))
        return plan


class _Copies(dict):
    """The live tree for names of functions to be found in; its tensors are not to be filled."""

    def __init__(self, live: Any) -> None:
        super().__init__(_without_tensors(live) if isinstance(live, dict) else {})


def _without_tensors(value: Any) -> Any:
    from ..tensors import describe
    if isinstance(value, dict):
        return {key: item for key, item in ((key, _without_tensors(item))
                                            for key, item in value.items()) if item is not _TENSOR}
    return _TENSOR if describe(value) is not None else value


_TENSOR = object()


class ValuesState(Component):
    """A dict or list of the user's: plain values, tensors, arrays. It is changed in place."""

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
