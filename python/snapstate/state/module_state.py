# SPDX-License-Identifier: Apache-2.0
"""Modules of torch: parameters and buffers as a flat map; beside it what else decides a step of
theirs."""

from __future__ import annotations

import importlib
from typing import Any, Dict, Iterator, List, Mapping, Tuple

from .component import Component, Plan
from .planner import Planner, join
from .storages import Storages

PRESENCE, VALUES = "presence", "values"


def named_tensors(module: Any) -> Iterator[Tuple[str, Any]]:
    """Parameters and buffers, also those that are not persistent, in module order; tied ones under
    every name. Those that are None are left out."""
    for prefix, part in module.named_modules(remove_duplicate=False):
        for name, tensor in [*part._parameters.items(), *part._buffers.items()]:
            if tensor is not None:
                yield f"{prefix}.{name}" if prefix else name, tensor


class ModuleState(Component):
    """{qualified name: tensor}. A restore fills the tensors that are there and replaces none."""

    def __init__(self, root: str, module: Any) -> None:
        super().__init__(root)
        self.module = module

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


class ModuleFlags(Component):
    """What of a module is no tensor: which parts train, which buffers are not persistent, extra
    state, and gradients: their presence (None and zero make two different updates), or their
    values."""

    def __init__(self, root: str, module: Any, gradients: str) -> None:
        super().__init__(root)
        self.module = module
        self.gradients = gradients

    def _parameters(self) -> List[Tuple[str, Any]]:
        return list(self.module.named_parameters())

    def _parts(self) -> List[Tuple[str, Any]]:
        return list(self.module.named_modules())

    def _with_extra_state(self) -> List[Tuple[str, Any]]:
        torch_module: Any = next(kind for kind in type(self.module).__mro__
                                 if kind.__module__ == "torch.nn.modules.module")
        return [(name, part) for name, part in self._parts()
                if type(part).get_extra_state is not torch_module.get_extra_state]

    def tree(self) -> Dict[str, Any]:
        values = self.gradients == VALUES
        return {
            "training": {name: part.training for name, part in self._parts()},
            "non_persistent": [f"{name}.{buffer}" if name else buffer
                               for name, part in self._parts()
                               for buffer in sorted(part._non_persistent_buffers_set)],
            "extra_state": {name: part.get_extra_state()
                            for name, part in self._with_extra_state()},
            "gradients": {name: parameter.grad if values else parameter.grad is not None
                          for name, parameter in self._parameters()},
            "gradients_kept": self.gradients,
        }

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        planner = Planner(self.root, storages)
        if not isinstance(archived, dict) or archived.get("gradients_kept") not in (
                PRESENCE, VALUES):
            return planner.keep(self.tree(), "the archive has no flags of a module there")
        self.gradients = archived["gradients_kept"]
        live, plan, parameters = self.tree(), planner.plan, dict(self._parameters())
        for what in ("training", "extra_state", "gradients"):
            planner.same_keys(archived[what], live[what], join(self.root, what), repr)
        if archived["non_persistent"] != live["non_persistent"]:
            planner.problem(self.root, "other buffers are persistent in the archive")
        plan.value = {**live, "training": archived["training"]}
        plan.value["extra_state"] = planner.value(live["extra_state"], archived["extra_state"],
                                                  join(self.root, "extra_state"), owned=True)
        plan.value["gradients"] = {
            name: planner.value(gradient, archived["gradients"][name],
                                join(join(self.root, "gradients"), name), owned=True,
                                like=parameters[name])
            for name, gradient in live["gradients"].items() if name in archived["gradients"]}
        plan.calls_user_code = bool(live["extra_state"])
        plan.when_attached(lambda: self._attach(plan.value))
        return plan

    def _attach(self, value: Mapping[str, Any]) -> None:
        zeros_like = importlib.import_module("torch").zeros_like
        for name, part in self._with_extra_state():
            if name in value["extra_state"]:
                part.set_extra_state(value["extra_state"][name])
        for name, part in self._parts():
            part.training = value["training"].get(name, part.training)
        for name, parameter in self._parameters():
            wanted = value["gradients"].get(name, False)
            if wanted is True:
                parameter.grad = zeros_like(parameter)
            else:
                parameter.grad = wanted if wanted is not None and wanted is not False else None
