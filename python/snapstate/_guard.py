# SPDX-License-Identifier: Apache-2.0
"""Capsules: what is kept of a step that failed, and running such a step again."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple

from . import errors
from ._assembly import place
from ._before import Before, NoUpdate, named_parameters
from ._operations import Operation, Trace, first_nonfinite, is_finite, recorder, tensors_of

if TYPE_CHECKING:
    from .run import Run


class _Failure(Exception):
    """Raised out of an optimizer's step(), before it changes anything."""

    def __init__(self, what: str, name: str, tensor: Any) -> None:
        super().__init__(f"{what} {name}".strip())
        self.what = what
        self.name = name
        self.element, self.value = first_nonfinite(tensor)


class Guard:
    """Watches the steps of a run that go through a wrapped function."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._batches: List[Any] = []
        self._check = False     # in a wrapped call, for the first time
        self._repeating = False  # and for the second
        self._updated = False
        self.watches = False  # a function was wrapped

    def begin(self) -> None:
        self._batches = []

    def new_batch(self, batch: Any) -> None:
        self._batches.append(batch)

    def end(self) -> None:
        self._batches = []

    def before_update(self) -> None:
        """In an optimizer's step(), before it changes anything."""
        if self._repeating:
            raise NoUpdate()
        if self._check:
            for name, parameter in named_parameters(self._run.models):
                if parameter.grad is not None and not is_finite(parameter.grad):
                    raise _Failure("gradient", name, parameter.grad)
            self._updated = True

    def wrap(self, train: Callable[..., Any]) -> Callable[..., Any]:
        self.watches = True

        @functools.wraps(train)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            self._run.begin()
            before = Before(self._run)
            self._check, self._updated = True, False
            try:
                result = train(*args, **kwargs)
                for tensor in tensors_of(result):
                    if not is_finite(tensor):
                        raise _Failure("loss", "", tensor)
                return result
            except _Failure as failure:
                if self._updated:
                    raise errors.NonfiniteError(
                        f"step {self._run.steps_done + 1}: the result is {failure.value}, and the "
                        f"update was made, with finite gradients: no capsule") from None
                self._check = False
                path, text = self._keep(train, args, kwargs, before, failure)
                problem = errors.NonfiniteError(
                    f"step {self._run.steps_done + 1}: {text}; nothing was updated; capsule {path}")
                problem.capsule = path  # type: ignore[attr-defined]
                raise problem from None
            finally:
                self._check = False
        return guarded

    def _keep(self, train: Callable[..., Any], args: Any, kwargs: Any, before: Before,
              failure: _Failure) -> Tuple[str, str]:
        """Run the step once more, and save the capsule: its path, and what happened as text."""
        before.put_back()
        self._repeating = True
        try:
            again, record = run_recorded(self._run.models, train, args, kwargs)
        finally:
            self._repeating = False
            before.put_back()
        repeated = again is not None and (again.what, again.name, again.element, again.value) == (
            failure.what, failure.name, failure.element, failure.value)
        where = record.found
        text = f"{failure} is {failure.value} at element {failure.element}"
        if where is not None:
            text += f", first in operation {where.index}, {where.name}"
            text += f", of module {where.module}" if where.module else ""
        text += "; it repeated" if repeated else "; it did not repeat when the step was run again"
        return self._run.save_capsule(
            {"failure": describe_failure(failure, where, record.trace, repeated),
             "batch": list(self._batches) or [list(args), dict(kwargs)]},
            failure.what, failure.name, failure.value, failure.element), text


def run_recorded(models: Mapping[str, Any], train: Callable[..., Any], args: Any, kwargs: Any,
                 expected: Optional[Trace] = None) -> Tuple[Optional[_Failure], Any]:
    """Run a step operation by operation; it ends where an update would begin, if an optimizer's
    hook says so. The failure that came of it, if one did, and the recorder."""
    record = recorder(dict(models), expected)
    record.watch_modules()
    failure: Optional[_Failure] = None
    result: Any = None
    try:
        with record:
            result = train(*args, **kwargs)
    except NoUpdate:
        pass
    finally:
        record.unwatch()
    for name, parameter in named_parameters(models):
        if failure is None and parameter.grad is not None and not is_finite(parameter.grad):
            failure = _Failure("gradient", name, parameter.grad)
    for tensor in tensors_of(result):
        if failure is None and not is_finite(tensor):
            failure = _Failure("loss", "", tensor)
    return failure, record


def describe_failure(failure: _Failure, where: Optional[Operation], trace: Trace,
                     repeated: bool) -> Dict[str, Any]:
    """The root `failure` of a capsule: plain values and tensors, which anything can read."""
    operation = None if where is None else {
        "index": where.index, "name": where.name, "module": where.module, "what": where.what,
        "arguments": where.arguments, "input_names": where.input_names, "inputs": where.inputs,
        "outputs": where.outputs}
    return {"what": failure.what, "name": failure.name, "value": failure.value,
            "element": failure.element, "repeated": repeated, "operation": operation,
            "operations": [[name, list(digests)] for name, digests in trace]}


def save_capsule(handle: Any, roots: Dict[str, Any], step: int, what: str, name: str, value: str,
                 element: int) -> str:
    """A capsule with more roots than the state; the path."""
    placed = place(handle, roots)
    try:
        return str(handle.capsule(step, what, name, value, element, {}))
    finally:
        for root in placed.nodes:
            handle.drop_tree(root)


def capsule(run: "Run") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator for the function that makes a step of `run`; see Run.capsule()."""
    return run.capsule
