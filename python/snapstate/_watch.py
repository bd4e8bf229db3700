# SPDX-License-Identifier: Apache-2.0
"""`watch`: a ledger of a training and nothing else, so that two runs can be compared.

    snapstate.watch(model, optimizer=optimizer, every=10, dir="watch/a")

Then `snap diff watch/a watch/b` names the first step and the first tensor that differ.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from . import errors
from ._arguments import count_of, json_of
from ._hooks import around_step
from ._line import scalar_bits
from ._operations import tensors_of
from ._digests import tensor_digest
from ._run_handle import RunHandle
from .errors import CaptureError
from .state.collection import named
from .generators import Stream, streams as all_streams
from ._staging import stage
from .tensors import describe

Remove = Callable[[], None]


class Watch:
    """Every `every` steps the line holds, in the order in which the step made them: the digests of
    the weights and buffers as they were before the forward pass, of the outputs of every module
    that was called, and of the gradients before the update. Every line holds how much each global
    stream drew. Use it as made by `watch`."""

    def __init__(self, models: Mapping[str, Any], handle: RunHandle, every: int,
                 streams: Mapping[str, Stream]) -> None:
        self._models = dict(models)
        self._handle = handle
        self._every = every
        self._steps = 0
        self._digests: List[Tuple[str, str, bytes]] = []
        self._weights_taken = self._gradients_taken = False
        self._remove: List[Remove] = []
        self._closed = False
        for stream in streams.values():
            handle.add_stream(stream)
        for model_name, model in self._models.items():
            for name, module in model.named_modules():
                full = self._name(model_name, name) or type(module).__name__
                self._hook(module.register_forward_pre_hook(lambda *_: self._before_forward()))
                self._hook(module.register_forward_hook(
                    lambda _module, _inputs, output, n=full: self._output(n, output)))
        handle.begin_step()

    def _hook(self, handle: Any) -> None:
        self._remove.append(handle.remove)

    def _name(self, model: str, name: str) -> str:
        return f"{model}.{name}".rstrip(".") if len(self._models) > 1 else name

    def add_optimizer(self, optimizer: Any) -> None:
        """Steps are its updates: gradients are looked at before each, and the line is written
        after it."""
        self._remove.append(around_step(optimizer, self._take_gradients, self.step))

    @property
    def steps_done(self) -> int:
        return self._steps

    def _due(self) -> bool:
        return (self._steps + 1) % self._every == 0

    def _add(self, role: str, name: str, tensor: Any) -> None:
        for part, plain in _plain_parts(tensor.detach()):
            try:
                memory = describe(plain)
            except CaptureError as problem:
                raise CaptureError(f"watch: {role} {name}: {problem}") from None
            assert memory is not None  # it is a tensor
            self._digests.append((role, name + part, tensor_digest(stage([memory]).memories[0])))

    def _before_forward(self) -> None:
        if self._weights_taken or not self._due():
            return
        self._weights_taken = True
        for model_name, model in self._models.items():
            for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
                self._add("weight", self._name(model_name, name), tensor)

    def _output(self, name: str, output: Any) -> None:
        if not self._due():
            return
        for index, tensor in enumerate(tensors_of(output)):
            self._add("output", f"{name}[{index}]" if index else name, tensor)

    def _take_gradients(self) -> None:
        if self._gradients_taken or not self._due():
            return
        self._gradients_taken = True
        for model_name, model in self._models.items():
            for name, parameter in model.named_parameters():
                if parameter.grad is not None:
                    self._add("gradient", self._name(model_name, name), parameter.grad)

    def step(self, loss: Any = None, **scalars: Any) -> None:
        """Write the line of a step, after its update; with `optimizer` it is called by itself, and
        without a loss."""
        self._take_gradients()
        given = {**({} if loss is None else {"loss": loss}), **scalars}
        floats: Dict[str, Any] = {name: scalar_bits(name, value) for name, value in given.items()}
        floats = {name: value for name, value in floats.items() if value is not None}
        self._handle.step(self._steps + 1, 0, floats=floats, tensors=self._digests)
        self._steps += 1
        self._digests = []
        self._weights_taken = self._gradients_taken = False
        self._handle.begin_step()

    def run_hash(self) -> str:
        return self._handle.run_hash()

    def close(self) -> None:
        """Take the hooks away and close the ledger."""
        while self._remove:
            self._remove.pop()()
        if not self._closed:
            self._closed = True
            self._handle.cancel_step()
            self._handle.close()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _plain_parts(tensor: Any) -> List[Tuple[str, Any]]:
    """Views of memory that hold what a tensor holds, with an addition to its name: of a sparse one
    the indices and the values, of a conjugate or negative view its elements."""
    if tensor.is_sparse:
        return [(".indices", tensor._indices()), (".values", tensor._values())]
    return [("", tensor.resolve_conj().resolve_neg())]


def watch(model: Any, *, every: int = 1, dir: "Union[str, os.PathLike[str]]",
          optimizer: Optional[Any] = None, training: Optional[Mapping[str, Any]] = None) -> Watch:
    """Watch a module of torch, or several by name, from now on.

    every      steps between two lines with digests of tensors
    dir        a new folder, for the ledger
    optimizer  its updates are the steps; without it call step() after each update
    training   what the ledger's first line is to say of the run, as JSON without reals

    InvalidError when the folder holds a run already, or `every` is below 1."""
    every = count_of("watch: every", every, least=1)
    models = named("model", model)
    for name, one in models.items():
        if not hasattr(one, "named_modules"):
            raise errors.InvalidError(f"watch: {name}: a {type(one).__name__} is no module of "
                                      f"torch")
    handle = RunHandle(dir=os.fspath(dir), must_be_new=True, profile="none",
                       training={"watch": {"every": every}, "user": json_of("training", training)})
    made = Watch(models, handle, every, all_streams())
    if optimizer is not None:
        made.add_optimizer(optimizer)
    return made
