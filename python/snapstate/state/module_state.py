# SPDX-License-Identifier: Apache-2.0
"""Modules of torch: parameters and buffers as a flat map; beside it what else decides a step of
theirs."""

from __future__ import annotations

import functools
import importlib
import reprlib
from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, Optional, Tuple

from .component import Component, Plan, call_user
from .gradients import PRESENCE, VALUES, gradient, plan_gradient, put_gradient
from .planner import Planner, copy_containers, framework_of_value, join
from .shape import shaped, skeleton
from .storages import Storages

COMPILED = "_orig_mod"  # where torch.compile() puts the module that it wraps


def plain_name(name: str) -> str:
    """A qualified name as it is without torch.compile()."""
    return ".".join(part for part in name.split(".") if part != COMPILED)


def named_tensors(module: Any) -> Iterator[Tuple[str, Any]]:
    """Parameters and buffers, also those that are not persistent, in module order; tied ones under
    every name. Those that are None are left out."""
    for prefix, part in module.named_modules(remove_duplicate=False):
        for name, tensor in [*part._parameters.items(), *part._buffers.items()]:
            if tensor is not None:
                yield plain_name(f"{prefix}.{name}" if prefix else name), tensor


def named_parameters(module: Any) -> Iterator[Tuple[str, Any]]:
    """Each parameter once, under its first name."""
    for name, parameter in module.named_parameters():
        yield plain_name(name), parameter


_REGISTERED = ("_parameters", "_buffers", "_modules")


def _tensors_in(value: Any, depth: int = 3) -> Iterator[Any]:
    """The tensor or array that an attribute is, or those that it holds."""
    if framework_of_value(value) is not None:
        yield value
    elif depth > 0 and type(value) in (dict, list, tuple):
        for item in value.values() if type(value) is dict else value:
            yield from _tensors_in(item, depth - 1)


class ModuleState(Component):
    """{qualified name: tensor}. A restore fills the tensors that are there and replaces none."""

    def __init__(self, root: str, module: Any) -> None:
        super().__init__(root)
        self.module = module

    @property
    def not_captured(self) -> List[Tuple[str, str]]:  # type: ignore[override]
        known = {id(tensor) for _, tensor in named_tensors(self.module)}
        return [(f"{self.root}.{plain_name(f'{prefix}.{name}').lstrip('.')}",
                 "a tensor in a plain attribute: if steps change it, make it a buffer "
                 "(register_buffer, with persistent=False to keep it out of state_dict())")
                for prefix, part in self.module.named_modules()
                for name, value in vars(part).items() if name not in _REGISTERED
                if any(id(tensor) not in known for tensor in _tensors_in(value))]

    def tree(self) -> Dict[str, Any]:
        return dict(named_tensors(self.module))

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        planner, live = Planner(self.root, storages), self.tree()
        if not isinstance(archived, dict):
            return planner.keep(live, "the archive has no module there")
        planner.same_keys(archived, live, self.root, lambda name: f"tensor {name}")
        order = [name for name in archived if name in live]
        if order != [name for name in live if name in archived]:
            planner.problem(self.root, "its tensors stand in another order in the archive: the "
                                       "modules were made in another order")
        planner.plan.value = {
            name: (planner.value(tensor, archived[name], join(self.root, name), owned=False)
                   if name in archived else tensor) for name, tensor in live.items()}
        return planner.plan


PLAIN = (bool, int, float, type(None))


@functools.lru_cache(maxsize=None)
def _common() -> FrozenSet[str]:
    """The attributes that every module has."""
    return frozenset(vars(importlib.import_module("torch").nn.Module()))


def plain_attributes(part: Any) -> Dict[str, Any]:
    """Numbers and flags that a module has as attributes of its own, by name: the rate of a dropout,
    a temperature, a count of calls. Steps may change them, and use them."""
    return {name: value for name, value in vars(part).items()
            if type(value) in PLAIN and name not in _common()}


class ModuleFlags(Component):
    """What of a module is no tensor of its own: which parts train, numbers and flags in attributes,
    which buffers are not persistent, extra state, gradients."""

    def __init__(self, root: str, module: Any, gradients: str) -> None:
        super().__init__(root)
        self.module = module
        self.gradients = gradients
        # In a restore: what the archive kept of gradients, and the attributes that it knows.
        self._archived_gradients: Optional[str] = None
        self._archived_names: Any = None

    def _parts(self) -> List[Tuple[str, Any]]:
        """Every part, also what torch.compile() wraps around one, which has that one's name."""
        return [(plain_name(name), part) for name, part in self.module.named_modules()]

    def _unwrapped(self) -> List[Tuple[str, Any]]:
        """The same without what torch.compile() wraps around them."""
        return [(plain_name(name), part) for name, part in self.module.named_modules()
                if COMPILED not in part._modules]

    def _attributes(self) -> Dict[str, Dict[str, Any]]:
        found = {name: plain_attributes(part) for name, part in self._unwrapped()}
        return {name: attributes for name, attributes in found.items() if attributes}

    def _with_extra_state(self) -> List[Tuple[str, Any]]:
        torch_module: Any = next(kind for kind in type(self.module).__mro__
                                 if kind.__module__ == "torch.nn.modules.module")
        return [(name, part) for name, part in self._parts()
                if type(part).get_extra_state is not torch_module.get_extra_state]

    def tree(self) -> Dict[str, Any]:
        kept = self._archived_gradients or self.gradients
        attributes, unknown = self._attributes(), []  # type: ignore[var-annotated]
        if self._archived_names is not None:
            attributes = shaped(attributes, self._archived_names, "", unknown)
        return {
            "training": {name: part.training for name, part in self._parts()},
            "attributes": attributes,
            "non_persistent": [f"{name}.{buffer}" if name else buffer
                               for name, part in self._parts()
                               for buffer in sorted(part._non_persistent_buffers_set)],
            "extra_state": {name: part.get_extra_state()
                            for name, part in self._with_extra_state()},
            "gradients": {name: gradient(parameter, kept)
                          for name, parameter in named_parameters(self.module)},
            "gradients_kept": kept,
        }

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        planner, live = Planner(self.root, storages), self.tree()
        kept = archived.get("gradients_kept") if isinstance(archived, dict) else None
        if kept not in (PRESENCE, VALUES):
            return planner.keep(live, "the archive has no flags of a module there")
        plan, path = planner.plan, join(self.root, "gradients")
        for what in ("training", "extra_state", "gradients"):
            planner.same_keys(archived[what], live[what], join(self.root, what), repr)
        if archived["non_persistent"] != live["non_persistent"]:
            planner.problem(self.root, "other buffers are persistent in the archive")
        self._note_attributes(plan, archived["attributes"])
        plan.value = {**live, "training": archived["training"], "gradients_kept": kept,
                      "attributes": archived["attributes"]}
        # What get_extra_state() gives may be a copy: new memory is filled, and handed over.
        plan.value["extra_state"] = planner.value(
            live["extra_state"], archived["extra_state"], join(self.root, "extra_state"),
            owned=True, fresh=True)
        plan.value["gradients"] = {
            name: plan_gradient(planner, parameter, archived["gradients"][name], kept,
                                join(path, name))
            for name, parameter in named_parameters(self.module) if name in archived["gradients"]}
        plan.calls_user_code = bool(live["extra_state"])
        plan.when_attached(lambda: self._attach(plan.value))
        return plan

    def _note_attributes(self, plan: Plan, archived: Mapping[str, Any]) -> None:
        """What only this side knows: it is left as it is. What only the archive knows is set."""
        unknown: List[Tuple[str, Any]] = []
        shaped(self._attributes(), skeleton(archived), join(self.root, "attributes"), unknown)
        plan.notes += [f"{path}: is {reprlib.repr(value)} here, and the archive does not know it"
                       for path, value in unknown]

    def _attach(self, value: Mapping[str, Any]) -> None:
        self._archived_gradients = value["gradients_kept"]
        self._archived_names = skeleton(value["attributes"])
        for name, part in self._unwrapped():
            vars(part).update(value["attributes"].get(name, {}))
        for name, part in self._with_extra_state():
            if name in value["extra_state"]:
                call_user(join(join(self.root, "extra_state"), name), "set_extra_state()",
                          part.set_extra_state, copy_containers(value["extra_state"][name]))
        for name, part in self._parts():
            part.training = value["training"].get(name, part.training)
        for name, parameter in named_parameters(self.module):
            put_gradient(parameter, value["gradients"].get(name))

    def settled(self) -> None:
        self._archived_gradients = self._archived_names = None
