# SPDX-License-Identifier: Apache-2.0
"""What the forward and backward pass of a step change, as it was before, to be put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Mapping, Tuple

from ._dtypes import loaded
from .state.module_state import plain_attributes

if TYPE_CHECKING:
    from .run import Run


class NoUpdate(Exception):
    """Ends a pass of a step where its update would begin."""


def named_parameters(models: Mapping[str, Any]) -> List[Tuple[str, Any]]:
    return [(f"{model}.{name}" if len(models) > 1 else name, parameter)
            for model, module in models.items() if hasattr(module, "named_parameters")
            for name, parameter in module.named_parameters()]


class Before:
    """What the forward and backward pass change, as it was: streams, buffers, numbers and flags in
    attributes of modules, which gradients were there."""

    def __init__(self, run: "Run") -> None:
        self.streams = [(stream, stream.get()) for stream in run.streams.values()]
        self.buffers = [(buffer, buffer.detach().clone()) for model in run.models.values()
                        if hasattr(model, "buffers") for buffer in model.buffers()]
        self.attributes = [(part, plain_attributes(part)) for model in run.models.values()
                           if hasattr(model, "modules") for part in model.modules()]
        self.had_gradient = [(parameter, parameter.grad is not None)
                             for _, parameter in named_parameters(run.models)]

    def put_back(self) -> None:
        torch = loaded("torch")
        for stream, state in self.streams:
            stream.set(state)
        for part, attributes in self.attributes:
            for name in plain_attributes(part).keys() - attributes.keys():
                delattr(part, name)
            vars(part).update(attributes)
        with torch.no_grad():
            for buffer, value in self.buffers:
                buffer.copy_(value)
            for parameter, had in self.had_gradient:
                parameter.grad = torch.zeros_like(parameter) if had else None
