# SPDX-License-Identifier: Apache-2.0
"""The pass that is thrown away after a restore.

DistributedDataParallel adds gradients bucket by bucket. The first backward pass of a process finds
out in which order they come, and from the second on the buckets are made by it: elements then stand
elsewhere in what is sent, and are added in another order. So a process that is new makes one pass
more, of which nothing stays but the buckets, before it goes on where another was past its first."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Mapping

from .. import errors
from .._before import Before, NoUpdate, named_parameters
from .._dtypes import loaded
from ..state.planner import assign, copy_containers, framework_of_value

if TYPE_CHECKING:
    from ..run import Run

Train = Callable[..., Any]


def _arrays(value: Any) -> Iterator[Any]:
    """The tensors and arrays in a nest of dicts and lists."""
    if framework_of_value(value) is not None:
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _arrays(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _arrays(item)


class _AllBefore(Before):
    """What a pass up to its update changes, values of gradients included. Put back, no draw since
    counts."""

    def __init__(self, run: "Run", scalers: Mapping[str, Any], values: Any) -> None:
        super().__init__(run)
        self._gradients = [(parameter, parameter.grad, parameter.grad.detach().clone())
                           for _, parameter in named_parameters(run.models)
                           if parameter.grad is not None]
        self._scalers = [(scaler, {name: copy.copy(item) if isinstance(item, dict) else item
                                   for name, item in vars(scaler).items()})
                         for scaler in scalers.values()]
        self._values, self._containers = values, copy_containers(values)
        self._arrays = [(array, array.detach().clone() if hasattr(array, "detach")
                         else array.copy()) for array in _arrays(values)]

    def put_back(self) -> None:
        torch: Any = loaded("torch")
        streams, self.streams = self.streams, []  # set() would count what was drawn
        super().put_back()
        for scaler, attributes in self._scalers:
            vars(scaler).update(attributes)
        if self._values is not None:
            assign(self._values, self._containers)
        with torch.no_grad():
            for parameter, gradient, value in self._gradients:
                gradient.copy_(value)
                parameter.grad = gradient
            for array, value in self._arrays:
                array[...] = value
        for stream, state in streams:
            stream.undo(state)


class ThrowAway:
    """Of one run. `wrappers`: its models that are a DistributedDataParallel, by name; with none,
    nothing is thrown away. UnsupportedError for several: a pass ends at the first update, and
    would not reach the others."""

    def __init__(self, run: "Run", wrappers: Mapping[str, Any], scalers: Mapping[str, Any],
                 values: Any) -> None:
        if len(wrappers) > 1:
            raise errors.UnsupportedError(
                f"{', '.join(wrappers)}: several models in DistributedDataParallel: a run has one "
                f"of them in this version: put them into one module and wrap that")
        self._run = run
        self._wrappers = dict(wrappers)
        self._scalers = scalers
        self._values = values
        self._wrapped = False
        self._due = False      # a restore was made, and no pass since
        self._passing = False  # one is under way
        self._synchronized: Dict[str, bool] = {}

    def restored(self, steps: int) -> None:
        """A run is gone on with; before the first step of all, no buckets had been made anew."""
        self._due = bool(self._wrappers) and steps > 0

    def insist_wrapped(self) -> None:
        """InvalidError when the training would not be repeatable: told at the first step of the
        first run, and not when it is gone on with."""
        if self._wrappers and not self._wrapped:
            name = next(iter(self._wrappers))
            raise errors.InvalidError(
                f"{name}: is a DistributedDataParallel, which adds gradients in another order in "
                f"the first pass of a process: have the function that makes a step wrapped, before "
                f"the loop: train = run.distributed(train)")

    def wrap(self, train: Train) -> Train:
        self._wrapped = True

        @functools.wraps(train)
        def distributed(*args: Any, **kwargs: Any) -> Any:
            self._run.begin()
            if self._due:
                self._throw_away(train, args, kwargs)
            return train(*args, **kwargs)
        return distributed

    def before_update(self) -> None:
        if self._passing:
            raise NoUpdate()

    def _throw_away(self, train: Train, args: Any, kwargs: Any) -> None:
        """Run the step up to its update. Inside an accumulation gradients may not be exchanged
        yet; then the next call has to do it once more."""
        before = _AllBefore(self._run, self._scalers, self._values)
        self._synchronized = dict.fromkeys(self._wrappers, False)
        hooks = [wrapper.register_forward_pre_hook(functools.partial(self._forward, name))
                 for name, wrapper in self._wrappers.items()]
        self._passing = True
        try:
            train(*args, **kwargs)
        except NoUpdate:
            pass
        finally:
            self._passing = False
            for hook in hooks:
                hook.remove()
            before.put_back()
        self._due = not all(self._synchronized.values())

    def _forward(self, name: str, wrapper: Any, _inputs: Any) -> None:
        torch: Any = loaded("torch")
        if torch.is_grad_enabled() and wrapper.require_backward_grad_sync:
            self._synchronized[name] = True
