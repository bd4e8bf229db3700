# SPDX-License-Identifier: Apache-2.0
"""A step of torch, operation by operation: which one first gave something that is not finite, or
not what it gave before."""

from __future__ import annotations

import importlib
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from ._dtypes import loaded
from ._digests import tensor_digest
from .errors import CaptureError
from ._staging import stage
from .tensors import describe

# Operations that give memory which is yet to be written.
UNWRITTEN = ("aten.empty", "aten.new_empty")

# name of the operation, digests of its outputs ("" for one that is no plain memory)
Trace = List[Tuple[str, List[str]]]


def tensors_of(value: Any) -> Iterator[Any]:
    """The torch tensors in a nest of lists, tuples and dicts, in their order."""
    torch = loaded("torch")
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_of(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_of(item)


def is_finite(tensor: Any) -> bool:
    """Whether no element is NaN or infinite; integers are finite."""
    torch = loaded("torch")
    if not (tensor.is_floating_point() or tensor.is_complex()) or tensor.numel() == 0:
        return True
    if bool(torch.isfinite(tensor.detach().sum())):
        return True
    return bool(torch.isfinite(tensor.detach()).all())  # a sum may overflow


def first_nonfinite(tensor: Any) -> Tuple[int, str]:
    """The index in C order of the first element that is not finite, and "nan", "+inf" or "-inf"."""
    torch = loaded("torch")
    flat = tensor.detach().reshape(-1)
    index = int((~torch.isfinite(flat)).nonzero()[0])
    value = flat[index]
    if value.is_complex():
        value = value.real if not torch.isfinite(value.real) else value.imag
    return index, "nan" if bool(torch.isnan(value)) else "+inf" if float(value) > 0 else "-inf"


def digest(tensor: Any) -> str:
    """Of the elements in C order; "" for what is no plain memory (sparse, quantized)."""
    try:
        memory = describe(tensor.detach())
    except CaptureError:
        return ""
    return tensor_digest(stage([memory]).memories[0]).hex() if memory is not None else ""


class Operation:
    """What is kept of the operation that was looked for."""

    def __init__(self, index: int, name: str, module: str, arguments: Sequence[Any],
                 keywords: Dict[str, Any], outputs: Sequence[Any], what: str) -> None:
        self.index = index
        self.name = name
        self.module = module
        self.what = what
        self.inputs = [tensor.detach().clone() for tensor in tensors_of([arguments, keywords])]
        self.input_names: List[str] = []
        self.outputs = [tensor.detach().clone() for tensor in tensors_of(outputs)]
        plain = [item for item in arguments if not list(tensors_of([item]))]
        named = {key: item for key, item in keywords.items() if not list(tensors_of([item]))}
        self.arguments = ", ".join([repr(item) for item in plain] +
                                   [f"{key}={item!r}" for key, item in named.items()])


def recorder(models: Dict[str, Any], expected: Optional[Trace] = None) -> Any:
    """A dispatch mode of torch, to be entered around the step. Afterwards `found` is the first
    operation with finite inputs and an output that is not, or, with `expected`, one whose outputs
    are not as there; None: there was none. `trace` lists all operations up to it."""
    mode = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode
    names = {}
    for model_name, model in models.items():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            names[tensor.data_ptr()] = f"{model_name}.{name}" if len(models) > 1 else name

    class Recorder(mode):  # type: ignore[misc,valid-type]
        def __init__(self) -> None:
            super().__init__()
            self.found: Optional[Operation] = None
            self.trace: Trace = []
            self.module = ""
            self._hooks: List[Any] = []

        def watch_modules(self) -> None:
            """So that an operation can be placed: `module` is the one whose forward runs."""
            for model_name, model in models.items():
                for name, module in model.named_modules():
                    full = f"{model_name}.{name}".rstrip(".") if len(models) > 1 else name
                    self._hooks += [
                        module.register_forward_pre_hook(lambda *_, n=full: self._enter(n)),
                        module.register_forward_hook(lambda *_, n=full: self._enter(
                            n.rpartition(".")[0]))]

        def unwatch(self) -> None:
            while self._hooks:
                self._hooks.pop().remove()

        def _enter(self, name: str) -> None:
            self.module = name

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (),
                               kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            inputs = list(tensors_of([args, kwargs]))
            finite = self.found is not None or all(is_finite(tensor) for tensor in inputs)
            outputs = func(*args, **kwargs)
            if self.found is not None:
                return outputs
            if func.namespace == "profiler":  # its handles are numbers of this process
                return outputs
            index, name = len(self.trace), str(func)
            if name.startswith(UNWRITTEN):
                self.trace.append((name, []))
                return outputs
            made = list(tensors_of([outputs]))
            self.trace.append((name, [digest(tensor) for tensor in made]))
            what = ""
            if finite and not all(is_finite(tensor) for tensor in made):
                what = "not finite"
            elif expected is not None and (index >= len(expected)
                                           or list(expected[index]) != list(self.trace[index])):
                what = "not as before"
            if what:
                self.found = Operation(index, name, self.module, args, kwargs, [outputs], what)
                self.found.input_names = [names.get(tensor.data_ptr(), "") for tensor in inputs]
            return outputs

    return Recorder()
