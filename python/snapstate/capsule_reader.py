# SPDX-License-Identifier: Apache-2.0
"""`Capsule`: what is kept of a step that failed, read anywhere, and run again where torch is."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Union

from . import errors
from .archive import Archive


class Capsule:
    """A capsule of a run of this package. The plain facts need neither torch nor NumPy.

        capsule = snapstate.Capsule("runs/exp1/capsules/step-0000000137.snap.tar")
        print(capsule)                             # what failed, where, whether it repeated
        capsule.operation["inputs"][0].numpy()
        capsule.rerun(train, model=model, optimizer=optimizer)
    """

    def __init__(self, path: "Union[str, os.PathLike[str]]") -> None:
        self.path = os.fspath(path)
        self.archive = Archive(path)
        if self.archive.kind != "capsule" or "failure" not in self.archive:
            raise errors.InvalidError(f"{self.path}: is no capsule of this package")
        self.failure: Dict[str, Any] = self.archive["failure"]

    @property
    def step(self) -> int:
        """The step that failed."""
        return self.archive.step + 1

    @property
    def operation(self) -> Optional[Dict[str, Any]]:
        """The first operation whose output was not finite, though its inputs were: "name",
        "module", "arguments", "input_names" (of parameters and buffers), and "inputs" and "outputs"
        as ArchivedTensor. None: none was found when the step was run again."""
        return self.failure["operation"]

    @property
    def repeated(self) -> bool:
        """The step failed in the same way when it was run again at once."""
        return bool(self.failure["repeated"])

    def batch(self, framework: str = "torch") -> List[Any]:
        """The batches of the step."""
        return list(self.archive.load("batch", framework))

    def __str__(self) -> str:
        failure, operation = self.failure, self.operation
        name = f" of {failure['name']}" if failure["name"] else ""
        lines = [f"step {self.step}: {failure['what']}{name} is {failure['value']} at element "
                 f"{failure['element']}; " +
                 ("it repeated" if self.repeated else "it did not repeat")]
        if operation is not None:
            module = f", module {operation['module']}" if operation["module"] else ""
            lines.append(f"first in operation {operation['index']}: {operation['name']}{module}")
            lines += [f"  input  {name or '-'}: {tensor!r}" for name, tensor in
                      zip(operation["input_names"], operation["inputs"])]
            lines += [f"  output {tensor!r}" for tensor in operation["outputs"]]
        return "\n".join(lines)

    def rerun(self, train: Callable[..., Any], *, model: Any, **objects: Any) -> Dict[str, Any]:
        """Restore the state from before the step into the objects (as snapstate.restore takes
        them), run `train(*batches)` up to its update, and compare every operation with the record.
        Gives {"repeated": the step failed in the same way, "operation": the first operation that is
        not as it was, by its index and name, or None, "receipt"}. The objects are changed."""
        from ._guard import run_recorded
        from ._hooks import around_step
        from .save_restore import restore

        receipt = restore(self.path, model=model, require="streams",
                          ignore=("failure", "batch", "loader"), **objects)
        models = dict(model) if isinstance(model, Mapping) else {"model": model}
        removes = [around_step(optimizer, _stop, lambda: None)
                   for optimizer in _optimizers(objects.get("optimizer"))]
        try:
            failure, record = run_recorded(models, train, self.batch(), {},
                                           self.failure["operations"])
        finally:
            for remove in removes:
                remove()
        wanted = {key: self.failure[key] for key in ("what", "name", "value", "element")}
        got = None if failure is None else {"what": failure.what, "name": failure.name,
                                            "value": failure.value, "element": failure.element}
        found = record.found
        differs = found is not None and found.what == "not as before"
        return {"repeated": got == wanted, "receipt": receipt,
                "operation": {"index": found.index, "name": found.name} if differs else None}

    def close(self) -> None:
        self.archive.close()


def _stop() -> None:
    from ._guard import NoUpdate
    raise NoUpdate()


def _optimizers(value: Any) -> List[Any]:
    if value is None:
        return []
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]
