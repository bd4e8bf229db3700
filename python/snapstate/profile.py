# SPDX-License-Identifier: Apache-2.0
"""The profile torch-1: what it depends on, and what breaks it. docs/torch-1.md is its definition.

The same program, from the same state, makes the same bits, as long as its binding is the same. What
makes two passes of one program differ on one machine breaks the profile (`violations`); what makes
machines and versions differ is in the binding (`torch_binding`), and lowers the tier of a restore
where it is another one.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Set, Tuple

from . import environment, errors
from .flags import BY_NAME, UNREADABLE, read_flags

PROFILE = "torch-1"

# Flags that are no part of the binding: they decide nothing of what one process computes.
_NOT_BOUND = ("interop_threads",)
# Workspaces of fixed size, without which cuBLAS chooses its algorithms by what streams it finds.
CUBLAS_WORKSPACES = (":4096:8", ":16:8")
# What NCCL else chooses by what it finds of the machine and of the size of a message.
NCCL_PINNED = {"NCCL_ALGO": "Ring", "NCCL_PROTO": "Simple"}


@dataclass(frozen=True)
class Violation:
    """What breaks the profile.

    flag            what it is: "cudnn.benchmark", "CUBLAS_WORKSPACE_CONFIG", "model"
    value           what it is set to, as text
    needed          what the profile needs
    line_to_change  the line of code, or of the shell, that puts it right
    """

    flag: str
    value: str
    needed: str
    line_to_change: str

    def __str__(self) -> str:
        return f"{self.flag} is {self.value}, {PROFILE} needs {self.needed}: {self.line_to_change}"


def torch_binding() -> Dict[str, Any]:
    """What the promise of torch-1 depends on, as a JSON object without reals, the same for two
    processes that compute alike: versions and builds of torch, NumPy, Python and the C library, the
    processor, CPU capability, threads, flags, variables, and CUDA with its devices once it is in
    use (null before). InvalidError without torch."""
    torch = sys.modules.get("torch")
    if torch is None:
        raise errors.InvalidError(f"profile {PROFILE}: torch is not imported in this process")
    in_use = environment.cuda_in_use(torch)
    flags = read_flags(cuda=in_use)
    numpy = sys.modules.get("numpy")
    cuda = None
    if in_use:
        cudnn = torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None
        devices = [{key: device[key] for key in ("capability", "multiprocessors", "name")}
                   for device in environment.cuda_devices(torch)]
        cuda = {"cudnn": cudnn, "devices": devices, "runtime": torch.version.cuda}
    return {
        "capability": environment.cpu_capability(torch),
        "cuda": cuda,
        "flags": {name: value for name, value in sorted(flags.items()) if name not in _NOT_BOUND},
        "libc": environment.libc(),
        "numpy": None if numpy is None else str(numpy.__version__),
        "processor": environment.processor(),
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "string_hash": (environment.string_hash() if environment.string_hash_is_fixed()
                        else "random"),
        "torch": str(torch.__version__),
        "torch_build": environment.build_digest(torch),
        "variables": environment.variables(),
    }


def _flag(flags: Dict[str, Any], name: str, needed: bool) -> Iterator[Violation]:
    value = flags.get(name, needed)
    if value != needed:
        line = BY_NAME[name].line.format(needed)
        yield Violation(name, repr(value) if value != UNREADABLE else value, repr(needed), line)


def _cuda(flags: Dict[str, Any]) -> Iterator[Violation]:
    """What holds only where CUDA is in use."""
    yield from _flag(flags, "cudnn.benchmark", False)
    yield from _flag(flags, "deterministic_algorithms", True)
    if flags.get("deterministic_algorithms"):
        yield from _flag(flags, "deterministic_warn_only", False)
    workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    if workspace not in CUBLAS_WORKSPACES:
        yield Violation(
            "CUBLAS_WORKSPACE_CONFIG", "not set" if workspace is None else repr(workspace),
            " or ".join(CUBLAS_WORKSPACES),
            f"export CUBLAS_WORKSPACE_CONFIG={CUBLAS_WORKSPACES[0]} before Python starts")


def _submodules(module: Any) -> Iterable[Tuple[str, Any]]:
    torch = sys.modules["torch"]
    return module.named_modules() if isinstance(module, torch.nn.Module) else [("", module)]


def _is_compiled(module: Any) -> bool:
    """Made by torch.compile(module), or compiled in place by module.compile()."""
    return (any(cls.__name__ == "OptimizedModule" and cls.__module__.startswith("torch._dynamo")
                for cls in type(module).__mro__)
            or getattr(module, "_compiled_call_impl", None) is not None
            or hasattr(module, "_torchdynamo_orig_callable"))


def _autotuned(module: Any) -> List[str]:
    """Names of Triton kernels with several configurations that a module holds, or that stand in the
    file of its class: the fastest on the day wins."""
    if "triton" not in sys.modules:
        return []
    own = dict(getattr(module, "__dict__", {}))
    around = getattr(sys.modules.get(type(module).__module__), "__dict__", {})
    return sorted({name for name, value in {**around, **own}.items()
                   if type(value).__module__.startswith("triton.")
                   and type(value).__name__ == "Autotuner"
                   and len(getattr(value, "configs", ())) > 1})


def _modules(modules: Dict[str, Any]) -> Iterator[Violation]:
    for name, module in modules.items():
        devices: Set[str] = set()
        for part_name, part in _submodules(module):
            where = f"{name}.{part_name}" if part_name else name
            if _is_compiled(part):
                yield Violation(
                    where, "compiled", "a module that torch.compile did not touch",
                    f"train {where} itself, without torch.compile: its kernels are chosen by "
                    f"timing them")
            for kernel in _autotuned(part):
                yield Violation(where, f"autotuned ({kernel})", "kernels of one configuration",
                                f"give {kernel} one triton.Config, not several to choose from")
            devices.update(tensor.device.type
                           for tensor in getattr(part, "_parameters", {}).values()
                           if tensor is not None)
        for device in sorted(devices - {"cpu", "cuda"}):
            yield Violation(name, f"on {device}", "a CPU or CUDA device", f"{name}.to('cpu')")


def _world_size(torch: Any) -> int:
    distributed = getattr(torch, "distributed", None)
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return 1
    return distributed.get_world_size()


def _processes(torch: Any, several: bool) -> Iterator[Violation]:
    world = _world_size(torch)
    if world == 1:
        return
    if not several:
        yield Violation("torch.distributed", f"{world} processes", "one process",
                        "keep them by snapstate.Run, which all of them make, or run it as one")
        return
    backend = str(torch.distributed.get_backend()).lower()
    if not set(backend.replace(":", ",").split(",")) <= {"cpu", "cuda", "gloo", "nccl"}:
        yield Violation("torch.distributed", f"over {backend}", "gloo or nccl",
                        'torch.distributed.init_process_group("gloo")')
    for name in NCCL_PINNED if "nccl" in backend else ():
        if name not in os.environ:
            yield Violation(name, "not set", f"{NCCL_PINNED[name]}, or another one",
                            f"export {name}={NCCL_PINNED[name]} before Python starts")


def violations(modules: "Dict[str, Any] | None" = None, *, require: str = PROFILE,
               several: bool = False) -> List[Violation]:
    """What breaks the profile here and now, each with the line to change; [] when nothing does.

    modules  the modules (or compiled functions) that the run trains, by name; they are looked at
             for compilation, autotuned kernels, and devices
    several  the processes of torch.distributed are all in the run
    require  a profile: "torch-1", or "none", which nothing breaks; InvalidError for another

    Flags of CUDA count once CUDA is in use. On a CPU torch's defaults break nothing."""
    if require == "none":
        return []
    if require != PROFILE:
        raise errors.InvalidError(f"profile {require!r}: is none of {PROFILE!r}, 'none'")
    torch = sys.modules.get("torch")
    if torch is None:
        raise errors.InvalidError(f"profile {PROFILE}: torch is not imported in this process")
    found: List[Violation] = []
    if environment.cuda_in_use(torch):
        found.extend(_cuda(read_flags()))
    found.extend(_modules(modules or {}))
    found.extend(_processes(torch, several))
    return found


def cautions() -> List[Violation]:
    """What may break the profile though no flag says that it does, in the same terms; to be told,
    not refused. On a CPU with more than one thread torch adds up the gradient of `x[indices]`
    (float32, from 32,768 elements on) in whatever order its threads come, unless deterministic
    algorithms are on; a program without such an indexing loses nothing by leaving them off."""
    torch = sys.modules.get("torch")
    if torch is None or environment.cuda_in_use(torch):
        return []
    threads = torch.get_num_threads()
    if threads == 1 or torch.are_deterministic_algorithms_enabled():
        return []
    return [Violation("deterministic_algorithms", f"False with {threads} threads",
                      "True if gradients flow through x[indices]",
                      BY_NAME["deterministic_algorithms"].line.format(True))]
