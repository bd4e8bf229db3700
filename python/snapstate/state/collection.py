# SPDX-License-Identifier: Apache-2.0
"""Which component stands for which object, and plans for all of them together."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping

from .._dtypes import loaded
from ..errors import InvalidError
from ..tensors import describe
from .component import Component, Group, Plan
from .generic_state import GenericState, ValuesState
from .gradients import PRESENCE
from .module_state import ModuleFlags, ModuleState, named_parameters
from .optimizer_state import OptimizerState, unwrap
from .storages import Storages


def named(what: str, value: Any) -> Dict[str, Any]:
    """What is given, by name: one object under `what`, those of a dict under theirs, those of a
    list or tuple under their index; of None nothing."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        names = [str(name) for name in value]
        if len(set(names)) < len(names):
            raise InvalidError(f"the names {', '.join(map(repr, value))}: two of them are the same "
                               f"as text")
        return dict(zip(names, value.values()))
    if isinstance(value, (list, tuple)):
        return {str(index): item for index, item in enumerate(value)}
    return {what: value}


def insist_objects(objects: Mapping[str, Any]) -> None:
    """InvalidError for a class where an object of it is wanted."""
    for what, value in objects.items():
        for item in named(what, value).values():
            if isinstance(item, type):
                raise InvalidError(f"{what}: is the class {item.__module__}.{item.__qualname__}: "
                                   f"give an object of it")


def insist_steps(optimizers: Mapping[str, Any]) -> None:
    """InvalidError for what cannot make the updates of a run."""
    for name, optimizer in optimizers.items():
        if not callable(getattr(unwrap(optimizer), "step", None)):
            kind = type(optimizer)
            raise InvalidError(f"{name}: a {kind.__module__}.{kind.__qualname__} has no "
                               f"step(): give the object that makes the updates")


def _is_several(value: Any) -> bool:
    """A dict or list of objects, as opposed to one (a ModuleDict is one module)."""
    return isinstance(value, (dict, list, tuple))


def _holds_tensors(value: Any) -> bool:
    """A dict or list of tensors or arrays: the weights themselves."""
    items = value.values() if isinstance(value, dict) else value
    return _is_several(value) and len(items) > 0 and all(describe(item) is not None
                                                         for item in items)


def _part(root: str, value: Any, make: Callable[[str, Any], Component]) -> Component:
    if _holds_tensors(value) and isinstance(value, (dict, list)):
        return ValuesState(root, value)
    if not _is_several(value):
        return make(root, value)
    return Group(root, {name: make(f"{root}.{name}", item)
                        for name, item in named(root, value).items()})


def _is_module(value: Any) -> bool:
    torch = loaded("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def _modules(root: str, value: Any) -> Dict[str, Any]:
    """The modules of torch among what was given, by a name of their own."""
    items = {f"{root}.{name}" if _is_several(value) else name: item
             for name, item in named(root, value).items()}
    return {name: item for name, item in items.items() if _is_module(item)}


def _model(root: str, value: Any) -> Component:
    if _is_module(value):
        return ModuleState(root, value)
    if isinstance(value, (dict, list)):
        return ValuesState(root, value)
    return GenericState(root, value)


def _optimizer(names: Mapping[int, str]) -> Callable[[str, Any], Component]:
    def make(root: str, value: Any) -> Component:
        if hasattr(unwrap(value), "param_groups"):
            return OptimizerState(root, value, names)
        return GenericState(root, value)
    return make


def collect(*, gradients: str = PRESENCE, model: Any = None, optimizer: Any = None,
            scheduler: Any = None, scaler: Any = None, ema: Any = None,
            values: Any = None) -> List[Component]:
    """The components of what a user gives: one object of a kind, or a dict or list of them. Roots:
    model, modules, optimizer, scheduler, scaler, ema, values, of those that are there."""
    insist_objects({"model": model, "optimizer": optimizer, "scheduler": scheduler,
                    "scaler": scaler, "ema": ema})
    parts: List[Component] = []
    modules = {**_modules("model", model), **_modules("ema", ema)}
    names: Dict[int, str] = {}
    for name, module in modules.items():
        for parameter_name, parameter in named_parameters(module):
            names.setdefault(id(parameter), f"{name}.{parameter_name}")
    if model is not None:
        parts.append(_part("model", model, _model))
    if modules:
        parts.append(Group("modules", {name: ModuleFlags(f"modules.{name}", module, gradients)
                                       for name, module in modules.items()}))
    if optimizer is not None:
        parts.append(_part("optimizer", optimizer, _optimizer(names)))
    if scheduler is not None:
        parts.append(_part("scheduler", scheduler, GenericState))
    if scaler is not None:
        parts.append(_part("scaler", scaler, GenericState))
    if ema is not None:
        parts.append(_part("ema", ema, _model))
    if values is not None:
        parts.append(ValuesState("values", values))
    return parts


def plan_all(components: List[Component], archived: Mapping[str, Any]) -> List[Plan]:
    """A plan for each component, of what `archived` has by root; what shares memory across them is
    seen. Nothing live is changed."""
    storages = Storages(archived.values())
    for component in components:
        if component.root in archived:
            component.plan_in(archived[component.root], storages)
    storages.survey_done()
    plans = []
    for component in components:
        if component.root in archived:
            plans.append(component.plan_in(archived[component.root], storages))
        else:
            plan = Plan(component.root, component.tree())
            plan.problems.append(f"{component.root}: is not in the archive: left as it is")
            plans.append(plan)
    return plans
