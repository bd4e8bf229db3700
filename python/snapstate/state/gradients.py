# SPDX-License-Identifier: Apache-2.0
"""Gradients of parameters, as a part of the state of a module: their presence, since None and zero
make two different updates, or their values.

    presence   False, True, or {"layout": "sparse_coo", "sparse_dim": 1}
    values     None, the tensor, or the same map with "coalesced", "indices" and "values"
"""

from __future__ import annotations

import importlib
from typing import Any

from .planner import MISSING, Planner

PRESENCE, VALUES = "presence", "values"
_SPARSE = "sparse_coo"


def _torch() -> Any:
    return importlib.import_module("torch")


def gradient(parameter: Any, kept: str) -> Any:
    """What the tree has of a parameter's gradient."""
    grad = parameter.grad
    if grad is None:
        return None if kept == VALUES else False
    if grad.layout is not _torch().sparse_coo:
        return grad if kept == VALUES else True
    found = {"layout": _SPARSE, "sparse_dim": grad.sparse_dim()}
    if kept == VALUES:
        found.update(coalesced=grad.is_coalesced(), indices=grad._indices(), values=grad._values())
    return found


def plan_gradient(planner: Planner, parameter: Any, archived: Any, kept: str, path: str) -> Any:
    """The same behind a restore. A dense gradient that is there is filled in place."""
    if isinstance(archived, dict):
        return planner.value(MISSING, archived, path, owned=True, fresh=True, like=parameter)
    live = gradient(parameter, kept)
    return planner.value(MISSING if isinstance(live, dict) else live, archived, path, owned=True,
                         like=parameter)


def put_gradient(parameter: Any, wanted: Any) -> None:
    """Give a parameter the gradient that the tree has of it. Of presence alone the values are zero:
    what had them has used them."""
    torch, grad = _torch(), parameter.grad
    if wanted is None or wanted is False:
        parameter.grad = None
    elif isinstance(wanted, dict):
        parameter.grad = _sparse(torch, parameter, wanted)
    elif wanted is not True:
        parameter.grad = wanted
    elif grad is not None and grad.layout is torch.strided:
        with torch.no_grad():
            grad.zero_()
    else:
        parameter.grad = torch.zeros_like(parameter)


def _sparse(torch: Any, parameter: Any, wanted: Any) -> Any:
    count = wanted["sparse_dim"]
    indices, values = wanted.get("indices"), wanted.get("values")
    if values is None:
        indices = torch.empty((count, 0), dtype=torch.int64, device=parameter.device)
        values = parameter.detach().new_empty((0, *parameter.shape[count:]))
    checks = {}  # of what an archive says; older versions of torch always make them
    if hasattr(torch.sparse, "check_sparse_tensor_invariants"):
        checks["check_invariants"] = True
    made = torch.sparse_coo_tensor(indices, values, parameter.shape, **checks)
    return made._coalesced_(wanted.get("coalesced", False))
