# SPDX-License-Identifier: Apache-2.0
"""What the promise of torch-1 depends on where several processes train: how many, on which nodes,
over which backend, and how DistributedDataParallel is set up."""

from __future__ import annotations

import os
import re
import socket
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Set, Tuple

from .._dtypes import loaded
from .._digests import bytes_digest
from .._library import json_text

# Variables of a backend: all of its own but what names files, hosts and interfaces, and what says
# how failures are treated and logged.
_PREFIXES = {"gloo": ("GLOO_",), "nccl": ("NCCL_", "TORCH_NCCL_")}
_NOT_BOUND = re.compile(r"FILE|PATH|DIR|IFNAME|HCA|COMM_ID|HOSTID|ADDR|DEBUG|TRACE|DUMP|LOG|WARN|"
                        r"ERROR|TIMEOUT|MONITOR|HEARTBEAT|BLOCKING")
_OPTIONS = ("broadcast_buffers", "bucket_bytes_cap", "find_unused_parameters",
            "gradient_as_bucket_view", "static_graph")


def parallel(module: Any) -> bool:
    """Whether it is a DistributedDataParallel."""
    torch = loaded("torch")
    nn = getattr(torch, "nn", None)
    return nn is not None and isinstance(module, nn.parallel.DistributedDataParallel)


def wrappers_of(models: Mapping[str, Any]) -> Dict[str, Any]:
    """Those of the models that are a DistributedDataParallel."""
    return {name: model for name, model in models.items() if parallel(model)}


def unwrapped(value: Any) -> Any:
    """A model, or a list or dict of models, without DistributedDataParallel around them."""
    if type(value) is dict:
        return {name: unwrapped(item) for name, item in value.items()}
    if type(value) in (list, tuple):
        return [unwrapped(item) for item in value]
    return value.module if parallel(value) else value


def buffer_addresses(wrappers: Mapping[str, Any]) -> Set[int]:
    """Of the buffers, which differ between ranks: they are their own, or will be rank 0's."""
    return {buffer.data_ptr() for wrapper in wrappers.values()
            for buffer in wrapper.module.buffers()}


def own_buffers(wrappers: Mapping[str, Any]) -> Dict[str, Any]:
    """Those that each rank keeps for itself, by model and name."""
    return {f"{name}.{path}": buffer for name, wrapper in wrappers.items()
            if not wrapper.broadcast_buffers for path, buffer in wrapper.module.named_buffers()}


def node_of_process() -> str:
    """What tells the nodes of a job apart; torchrun counts them."""
    return os.environ.get("GROUP_RANK") or socket.gethostname()


def node_sizes(nodes: Sequence[str]) -> List[int]:
    """How many ranks each node has, by the first of its ranks."""
    return [nodes.count(node) for node in dict.fromkeys(nodes)]


def backend_variables(backend: str, environment: Mapping[str, str]) -> Dict[str, str]:
    """Those of the variables that may decide how gradients are added over `backend`."""
    prefixes = tuple(prefix for name, own in _PREFIXES.items() if name in backend
                     for prefix in own)
    return {name: value for name, value in sorted(environment.items())
            if name.startswith(prefixes) and not _NOT_BOUND.search(name)}


def _wrapper(module: Any) -> Dict[str, Any]:
    """Flags, and bytes of a bucket; those that this torch does not have are left out."""
    found = {name: getattr(module, name) for name in _OPTIONS if hasattr(module, name)}
    return {name: int(value) if name == "bucket_bytes_cap" else bool(value)
            for name, value in found.items()}


def facts_of_process(world: int) -> Dict[str, Any]:
    """What each of `world` processes knows of the binding's `distributed` by itself."""
    torch: Any = loaded("torch")
    distributed = torch.distributed
    backend = None
    if distributed.is_available() and distributed.is_initialized():
        backend = str(distributed.get_backend()).lower()
    nccl = None
    if backend is not None and "nccl" in backend:
        nccl = ".".join(map(str, torch.cuda.nccl.version()))
    return {"backend": backend, "nccl": nccl,
            "variables": backend_variables(backend or "", os.environ), "world": world}


def distributed_facts(told: Sequence[Tuple[Dict[str, Any], str]],
                      wrappers: Mapping[str, Any]) -> Dict[str, Any]:
    """The binding's `distributed`. `told`: of each rank its own binding, and its node. Without
    torch.distributed there is one, and no backend."""
    return {
        **facts_of_process(len(told)),
        "nodes": node_sizes([node for _, node in told]),
        "parallel": {name: _wrapper(module) for name, module in wrappers.items()},
        "ranks": [bytes_digest(json_text(binding)).hex()[:16] for binding, _ in told]}


def shared_binding(link: Any, own: Dict[str, Any], wrappers: Mapping[str, Any]) -> Dict[str, Any]:
    """`own` binding of each rank, as one that is the same on all: that of rank 0, and in
    `distributed` the topology, with 16 hex digits of each rank's own."""
    told = link.exchange((own, node_of_process()))
    facts = distributed_facts(told, wrappers)
    return link.exchange({**told[0][0], "distributed": facts})[0]


def differing(path: str, was: Any, now: Any) -> Iterator[str]:
    """A line for each fact of two bindings that differs, such as "torch: was 2.3, is 2.4"."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in sorted(was.keys() | now.keys()):
            yield from differing(f"{path}.{name}" if path else name, was.get(name), now.get(name))
    elif was != now:
        yield f"{path}: was {was!r}, is {now!r}"
