# SPDX-License-Identifier: Apache-2.0
"""Optimizers of torch, by their own state and groups. Never through load_state_dict(), which casts
slots to the parameter's dtype and moves them to other memory."""

from __future__ import annotations

import reprlib
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .. import tree
from .._dtypes import loaded
from ..errors import CaptureError
from .component import Component, Plan, call_user
from .planner import MISSING, Planner, assign, copy_containers, framework_of_value, join
from .shape import put_in_order, shaped, skeleton
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
    by their index in the order of the groups, with their names where a model has them. What an
    optimizer keeps under keys of its own stands in "state" behind the slots. Slots are filled in
    place; missing ones are made as the archive has them, surplus ones go.

    Options that only one side knows, as those of another version of torch, are noted: the archive's
    are set, and those that are only here are left as they are. When there are such, the archive is
    of an older version, and once the restore is over the optimizer brings slots to their new form,
    as it does for files of torch.save()."""

    def __init__(self, root: str, optimizer: Any,
                 names: Optional[Mapping[int, str]] = None) -> None:
        super().__init__(root)
        self.optimizer = unwrap(optimizer)
        self._names = dict(names or {})
        self._like: Any = None  # in a restore: what the archive knows
        self._older: Optional[Plan] = None  # in a restore from an archive of an older version

    # ---- capture ----

    def _parameters(self) -> List[Any]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def tree(self) -> Dict[str, Any]:
        return self._tree() if self._like is None else self._known(self._like, [])

    def _tree(self) -> Dict[str, Any]:
        kind = type(self.optimizer)
        groups, start = [], 0
        for group in self.optimizer.param_groups:
            count = len(group["params"])
            plain = {key: value for key, value in group.items() if key != "params"}
            plain["params"] = list(range(start, start + count))
            names = [self._names.get(id(parameter)) for parameter in group["params"]]
            if all(name is not None for name in names):
                plain["names"] = names
            groups.append(plain)
            start += count
        return {"class": f"{kind.__module__}.{kind.__qualname__}",
                "defaults": dict(self.optimizer.defaults), "state": self._slots(),
                "param_groups": groups}

    def _slots(self) -> Dict[Any, Any]:
        state, path = self.optimizer.state, f"{self.root}.state"
        slots: Dict[Any, Any] = {index: state[parameter]
                                 for index, parameter in enumerate(self._parameters())
                                 if parameter in state}
        own = {key: value for key, value in state.items() if not _is_tensor(key)}
        for key in own:
            if isinstance(key, int):
                raise CaptureError(f"{path}: the optimizer keeps something under the integer "
                                   f"{key}, which is as the index of a parameter: give it a name",
                                   path=f"{path}[{key}]")
        return {**slots, **own}

    @property
    def not_captured(self) -> List[Tuple[str, str]]:  # type: ignore[override]
        known = {id(parameter) for parameter in self._parameters()}
        return [(f"{self.root}.state", f"slots of a tensor of shape {list(key.shape)} that is in "
                                       f"no group")
                for key in self.optimizer.state if _is_tensor(key) and id(key) not in known]

    def _known(self, like: Any, surplus: List[Tuple[str, Any]]) -> Dict[str, Any]:
        """The tree without the options that the archive does not know."""
        live = self._tree()
        for part in ("defaults", "param_groups"):
            live[part] = shaped(live[part], like[part], join(self.root, part), surplus)
        return live

    # ---- restore ----

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        planner, live = Planner(self.root, storages), self._tree()
        if not isinstance(archived, dict) or "param_groups" not in archived:
            return planner.keep(live, "the archive has no optimizer of torch there")
        plan = planner.plan
        self._compare(planner, archived, live)
        if plan.problems:
            plan.value = live
            return plan
        like = {part: skeleton(archived[part]) for part in ("defaults", "param_groups")}
        is_older = self._note_options(plan, archived, live, like)
        parameters, path = self._parameters(), join(self.root, "state")
        plan.value = {"class": live["class"]}
        plan.value["defaults"] = planner.value(live["defaults"], archived["defaults"],
                                               join(self.root, "defaults"), owned=True)
        plan.value["state"] = {
            key: planner.value(live["state"].get(key, MISSING), slots, join(path, key), owned=True,
                               like=parameters[key] if isinstance(key, int) else None)
            for key, slots in archived["state"].items()}
        plan.value["param_groups"] = planner.value(
            live["param_groups"], archived["param_groups"], join(self.root, "param_groups"),
            owned=True)
        plan.when_attached(lambda: self._attach(plan, like, is_older))
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
            path = f"{self.root}.param_groups[{at}]"
            if "names" in was and "names" not in now:
                planner.problem(path, f"the archive has {was['names'][0]} and so on there, which "
                                      f"are in no model that was given: give it as model=")
            elif was["params"] != now["params"] or was.get("names") != now.get("names"):
                planner.problem(path, "other parameters than in the archive, or in another order")
            for key in COMPARED:
                if key in was and key in now and was[key] != now[key]:
                    planner.problem(path, f"{key} {was[key]} in the archive, {now[key]} here: make "
                                          f"the optimizer with {key}={was[key]}")
        count, path = len(self._parameters()), join(self.root, "state")
        for index in archived["state"]:
            if isinstance(index, int) and not 0 <= index < count:
                planner.problem(path, f"slots of parameter {index}, which is not there")

    def _note_options(self, plan: Plan, archived: Dict[str, Any], live: Dict[str, Any],
                      like: Dict[str, Any]) -> bool:
        """What only one side knows; what stands in the groups is not told of the defaults again.
        Is there something that only this side knows?"""
        only_here: List[Tuple[str, Any]] = []
        only_there: List[Tuple[str, Any]] = []
        for part in ("param_groups", "defaults"):
            path = join(self.root, part)
            shaped(live[part], like[part], path, only_here)
            shaped(archived[part], skeleton(live[part]), path, only_there)
        for found, text in ((only_here, "here, and the archive does not know it"),
                            (only_there, "in the archive, and was not known here")):
            told = set()
            for path, value in found:
                option = path.rsplit(".", 1)[-1]
                if ".defaults" not in path or option not in told:
                    plan.notes.append(f"{path}: is {reprlib.repr(value)} {text}")
                told.add(option)
        return bool(only_here)

    def _attach(self, plan: Plan, like: Dict[str, Any], is_older: bool) -> None:
        optimizer, parameters = self.optimizer, self._parameters()
        value, state = plan.value, optimizer.state
        slots = value["state"]
        own = {key: state.pop(key) for key in [key for key in state if not _is_tensor(key)]}
        for index, parameter in enumerate(parameters):
            if index in slots:
                state[parameter] = assign(state.get(parameter, MISSING), slots[index])
            else:
                state.pop(parameter, None)
        for key in [key for key in slots if not isinstance(key, int)]:
            state[key] = assign(own.get(key, MISSING), slots[key])
        for group, wanted in zip(optimizer.param_groups, value["param_groups"]):
            for key, item in wanted.items():
                if key not in ("params", "names"):
                    group[key] = assign(group.get(key, MISSING), item)
            put_in_order(group, [key for key in wanted if key in group])
        optimizer.defaults.update(copy_containers(value["defaults"]))
        put_in_order(optimizer.defaults, value["defaults"])
        self._like, self._older = like, plan if is_older else None

    def settled(self) -> None:
        plan, self._like, self._older = self._older, None, None
        if plan is None:
            return
        path = join(self.root, "state")
        before = tree.encode(self._slots(), path=path)[0]
        call_user(self.root, "__setstate__()", self.optimizer.__setstate__,
                  {"state": self.optimizer.state, "param_groups": self.optimizer.param_groups})
        if tree.encode(self._slots(), path=path)[0] != before:
            plan.notes.append(f"{path}: slots of an older version were brought to the form that "
                              f"this one has")


def _is_tensor(value: Any) -> bool:
    return framework_of_value(value) == "torch"
