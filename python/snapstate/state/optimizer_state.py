# SPDX-License-Identifier: Apache-2.0
"""Optimizers of torch, by their own state and groups. Never through load_state_dict(), which casts
slots to the parameter's dtype and moves them to other memory."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from .._dtypes import loaded
from .component import Component, Plan
from .planner import MISSING, Planner, assign, copy_containers, join
from .storages import Storages

# Which code makes the update: these are compared, and not set.
COMPARED = ("foreach", "fused", "capturable", "differentiable")


def unwrap(optimizer: Any) -> Any:
    """The optimizer of torch inside one that another library wraps."""
    torch = loaded("torch")
    for _ in range(8):
        inner = getattr(optimizer, "optimizer", None)
        if torch is None or isinstance(optimizer, torch.optim.Optimizer) and not hasattr(
                inner, "param_groups") or inner is None:
            break
        optimizer = inner
    return optimizer


class OptimizerState(Component):
    """{"class", "defaults", "state": {index: {slot: tensor or value}}, "param_groups"}: parameters
    by their index in the order of the groups, with their names where a model has them. Slots are
    filled in place; missing ones are made as the archive has them, surplus ones go."""

    def __init__(self, root: str, optimizer: Any,
                 names: Optional[Mapping[int, str]] = None) -> None:
        super().__init__(root)
        self.optimizer = unwrap(optimizer)
        self._names = dict(names or {})
        self._unknown: List[List[str]] = []  # keys of each group that the archive does not have

    def _parameters(self) -> List[Any]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def tree(self) -> Dict[str, Any]:
        kind = type(self.optimizer)
        parameters, groups, start = self._parameters(), [], 0
        for at, group in enumerate(self.optimizer.param_groups):
            count = len(group["params"])
            hidden = self._unknown[at] if at < len(self._unknown) else ()
            plain = {key: value for key, value in group.items()
                     if key != "params" and key not in hidden}
            plain["params"] = list(range(start, start + count))
            names = [self._names.get(id(parameter)) for parameter in group["params"]]
            if all(name is not None for name in names):
                plain["names"] = names
            groups.append(plain)
            start += count
        state = self.optimizer.state
        return {
            "class": f"{kind.__module__}.{kind.__qualname__}",
            "defaults": self._defaults(),
            "state": {index: state[parameter] for index, parameter in enumerate(parameters)
                      if parameter in state},
            "param_groups": groups,
        }

    def _defaults(self) -> Dict[str, Any]:
        hidden = {key for keys in self._unknown for key in keys}
        return {key: value for key, value in self.optimizer.defaults.items() if key not in hidden}

    def settled(self) -> None:
        """The restore is over: what the archive did not know counts again."""
        self._unknown = []

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        planner = Planner(self.root, storages)
        self._unknown = []
        live = self.tree()
        if not isinstance(archived, dict) or "param_groups" not in archived:
            return planner.keep(live, "the archive has no optimizer of torch there")
        plan = planner.plan
        self._compare(planner, archived, live)
        if plan.problems:
            plan.value = live
            return plan
        live = self.tree()  # without what the archive does not know
        parameters = self._parameters()
        path = join(self.root, "state")
        plan.value = {**live, "defaults": planner.value(
            live["defaults"], archived["defaults"], join(self.root, "defaults"), owned=True)}
        plan.value["state"] = {
            index: planner.value(live["state"].get(index, MISSING), slots, join(path, index),
                                 owned=True, like=parameters[index])
            for index, slots in archived["state"].items()}
        path = join(self.root, "param_groups")
        plan.value["param_groups"] = [
            planner.value(group, archived["param_groups"][at], join(path, at), owned=True)
            for at, group in enumerate(live["param_groups"])]
        plan.when_attached(lambda: self._attach(plan.value))
        return plan

    def _compare(self, planner: Planner, archived: Dict[str, Any], live: Dict[str, Any]) -> None:
        if archived["class"] != live["class"]:
            planner.problem(self.root, f"{archived['class']} in the archive, {live['class']} here")
            return
        there, here = archived["param_groups"], live["param_groups"]
        if len(there) != len(here):
            planner.problem(self.root, f"{len(there)} parameter groups in the archive, {len(here)} "
                                       f"here")
            return
        for at, (was, now) in enumerate(zip(there, here)):
            path = join(join(self.root, "param_groups"), at)
            if was["params"] != now["params"] or was.get("names") != now.get("names"):
                planner.problem(path, "other parameters than in the archive, or in another order")
            for key in COMPARED:
                if key in was and key in now and was[key] != now[key]:
                    planner.problem(path, f"{key} {was[key]} in the archive, {now[key]} here: make "
                                          f"the optimizer with {key}={was[key]}")
            lost = [key for key in was if key not in now]
            if lost:
                planner.problem(path, f"{lost[0]} is in the archive, and not here")
            unknown = [key for key in now if key not in was]
            self._unknown.append(unknown)
            planner.plan.notes += [f"{join(path, key)} is {now[key]!r} here, and the archive does "
                                   f"not know it" for key in unknown]
        parameters = self._parameters()
        planner_path = join(self.root, "state")
        for index in archived["state"]:
            if not isinstance(index, int) or not 0 <= index < len(parameters):
                planner.problem(planner_path, f"slots of parameter {index!r}, which is not there")

    def _attach(self, value: Dict[str, Any]) -> None:
        optimizer = self.optimizer
        for index, parameter in enumerate(self._parameters()):
            if index in value["state"]:
                optimizer.state[parameter] = assign(optimizer.state.get(parameter, MISSING),
                                                    value["state"][index])
            else:
                optimizer.state.pop(parameter, None)
        for group, wanted in zip(optimizer.param_groups, value["param_groups"]):
            for key, item in wanted.items():
                if key not in ("params", "names"):
                    group[key] = assign(group.get(key, MISSING), item)
        optimizer.defaults.update(copy_containers(value["defaults"]))
