# SPDX-License-Identifier: Apache-2.0
"""torch's flags that change results: a table, read and set by name.

To add one: a row in FLAGS. A flag that this torch does not have is not in what `read_flags` gives;
one that it has and refuses to read stands there as UNREADABLE.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional

UNREADABLE = "unreadable"

# Setting one flag may change another (that of TF32, the precisions that it stands for).
_ROUNDS = 3


@dataclass(frozen=True)
class Flag:
    """A flag, by the name that it has in an archive.

    read   its value, from the module torch: bool, int, str, None or a list of them. AttributeError
           and AssertionError: this torch does not have it
    write  (optional) set it; None: it cannot be set
    line   (optional) the line of Python that sets it, "{}" for the value
    cuda   it decides nothing where there is no CUDA
    """

    name: str
    read: Callable[[Any], Any]
    write: Optional[Callable[[Any, Any], None]] = None
    line: str = ""
    cuda: bool = False


def _attribute(path: str, *, name: str = "", cuda: bool = False) -> Flag:
    """A flag that is an attribute, under its path in torch without "backends."."""
    *owners, last = path.split(".")

    def owner(torch: Any) -> Any:
        for part in owners:
            torch = getattr(torch, part)
        return torch

    return Flag(name or path.replace("backends.", ""), lambda torch: getattr(owner(torch), last),
                lambda torch, value: setattr(owner(torch), last, value), f"torch.{path} = {{!r}}",
                cuda)


def _call(name: str, get: str, put: str, *, cuda: bool = False) -> Flag:
    """A flag with a function that reads it and one that sets it, paths in torch; `put` "": none."""

    def function(torch: Any, path: str) -> Any:
        for part in path.split("."):
            torch = getattr(torch, part)
        return torch

    return Flag(name, lambda torch: function(torch, get)(),
                (lambda torch, value: function(torch, put)(value)) if put else None,
                f"torch.{put}({{!r}})" if put else "", cuda)


def _dtype(name: str, get: Callable[[Any], Any], put: Callable[[Any, Any], None],
           line: str) -> Flag:
    return Flag(name, lambda torch: str(get(torch)),
                lambda torch, value: put(torch, getattr(torch, value.split(".", 1)[1])), line)


def _set_algorithms(torch: Any, value: bool) -> None:
    torch.use_deterministic_algorithms(
        value, warn_only=torch.is_deterministic_algorithms_warn_only_enabled())


def _set_warn_only(torch: Any, value: bool) -> None:
    torch.use_deterministic_algorithms(torch.are_deterministic_algorithms_enabled(),
                                       warn_only=value)


def _flush_denormal(_torch: Any) -> bool:
    """torch has no way to ask; a product with a subnormal factor tells."""
    smallest, one = float.fromhex("0x1p-1074"), float(len("1"))
    return smallest * one == 0.0


def _autocast_dtype(device: str) -> Flag:
    def read(torch: Any) -> Any:
        if hasattr(torch, "get_autocast_dtype"):  # 2.4
            return torch.get_autocast_dtype(device)
        return getattr(torch, {"cpu": "get_autocast_cpu_dtype", "cuda": "get_autocast_gpu_dtype"}
                       [device])()

    def write(torch: Any, dtype: Any) -> None:
        if hasattr(torch, "set_autocast_dtype"):
            torch.set_autocast_dtype(device, dtype)
        else:
            getattr(torch, {"cpu": "set_autocast_cpu_dtype", "cuda": "set_autocast_gpu_dtype"}
                    [device])(dtype)

    return _dtype(f"autocast_{device}_dtype", read, write,
                  f"torch.set_autocast_dtype({device!r}, {{}})")


def _choice(name: str, function: str) -> Flag:
    """A library chosen by torch.backends.cuda.FUNCTION: an enum in the form
    _LinalgBackend.Cusolver, which is set by the last part in lower case."""
    return Flag(name, lambda torch: str(getattr(torch.backends.cuda, function)()),
                lambda torch, value: getattr(torch.backends.cuda, function)(
                    value.rsplit(".", 1)[-1].lower()),
                f"torch.backends.cuda.{function}({{!r}})", True)



FLAGS: List[Flag] = [
    Flag("deterministic_algorithms", lambda torch: torch.are_deterministic_algorithms_enabled(),
         _set_algorithms, "torch.use_deterministic_algorithms({!r})"),
    Flag("deterministic_warn_only",
         lambda torch: torch.is_deterministic_algorithms_warn_only_enabled(), _set_warn_only,
         "torch.use_deterministic_algorithms(True, warn_only={!r})"),
    _attribute("utils.deterministic.fill_uninitialized_memory", name="deterministic_fill"),
    _dtype("default_dtype", lambda torch: torch.get_default_dtype(),
           lambda torch, dtype: torch.set_default_dtype(dtype), "torch.set_default_dtype({})"),
    Flag("default_device", lambda torch: str(torch.get_default_device()),
         lambda torch, value: torch.set_default_device(value), "torch.set_default_device({!r})"),
    Flag("flush_denormal", _flush_denormal, lambda torch, value: torch.set_flush_denormal(value),
         "torch.set_flush_denormal({!r})"),
    _call("float32_matmul_precision", "get_float32_matmul_precision",
          "set_float32_matmul_precision"),
    _attribute("backends.mkldnn.enabled"),
    _attribute("backends.mkldnn.deterministic"),
    _attribute("backends.mkldnn.allow_tf32"),
    _attribute("backends.mkldnn.matmul.fp32_precision"),
    _attribute("backends.mkldnn.conv.fp32_precision"),
    _attribute("backends.mkldnn.rnn.fp32_precision"),
    _call("nnpack.enabled", "_C._get_nnpack_enabled", "_C._set_nnpack_enabled"),
    _attribute("backends.opt_einsum.enabled"),
    _attribute("backends.opt_einsum.strategy"),
    _attribute("backends.quantized.engine"),
    _autocast_dtype("cpu"),
    _autocast_dtype("cuda"),
    _call("autocast_cache", "is_autocast_cache_enabled", "set_autocast_cache_enabled"),
    _call("sdp.flash", "backends.cuda.flash_sdp_enabled", "backends.cuda.enable_flash_sdp"),
    _call("sdp.mem_efficient", "backends.cuda.mem_efficient_sdp_enabled",
          "backends.cuda.enable_mem_efficient_sdp"),
    _call("sdp.math", "backends.cuda.math_sdp_enabled", "backends.cuda.enable_math_sdp"),
    _call("sdp.cudnn", "backends.cuda.cudnn_sdp_enabled", "backends.cuda.enable_cudnn_sdp",
          cuda=True),
    _call("sdp.reduced_reduction", "backends.cuda.fp16_bf16_reduction_math_sdp_allowed",
          "backends.cuda.allow_fp16_bf16_reduction_math_sdp"),
    _call("jit.texpr_fuser", "_C._jit_texpr_fuser_enabled", "_C._jit_set_texpr_fuser_enabled"),
    _call("jit.fuse_on_cpu", "_C._jit_can_fuse_on_cpu", "_C._jit_override_can_fuse_on_cpu"),
    _call("jit.fuse_on_gpu", "_C._jit_can_fuse_on_gpu", "_C._jit_override_can_fuse_on_gpu",
          cuda=True),
    _attribute("backends.cudnn.enabled", cuda=True),
    _attribute("backends.cudnn.benchmark", cuda=True),
    _attribute("backends.cudnn.deterministic", cuda=True),
    _attribute("backends.cudnn.allow_tf32", cuda=True),
    _attribute("backends.cudnn.conv.fp32_precision", cuda=True),
    _attribute("backends.cudnn.rnn.fp32_precision", cuda=True),
    _attribute("backends.cuda.matmul.allow_tf32", cuda=True),
    _attribute("backends.cuda.matmul.fp32_precision", cuda=True),
    _attribute("backends.cuda.matmul.allow_fp16_reduced_precision_reduction", cuda=True),
    _attribute("backends.cuda.matmul.allow_bf16_reduced_precision_reduction", cuda=True),
    _attribute("backends.cuda.matmul.allow_fp16_accumulation", cuda=True),
    _choice("cuda.linalg", "preferred_linalg_library"),
    _choice("cuda.blas", "preferred_blas_library"),
    _call("threads", "get_num_threads", "set_num_threads"),
    # Set only at the start of a program: a later call of the setter ends the process in torch 1.
    Flag("interop_threads", lambda torch: torch.get_num_interop_threads(), None,
         "torch.set_num_interop_threads({!r})"),
]
BY_NAME: Dict[str, Flag] = {flag.name: flag for flag in FLAGS}


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def read_flags(*, cuda: bool = True) -> Dict[str, Any]:
    """The flags of the torch in this process, in the table's order; {} without one. `cuda` False
    leaves out those that decide nothing without CUDA."""
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    found: Dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a name is old is no news to who reads all of them
        for flag in FLAGS:
            if flag.cuda and not cuda:
                continue
            try:
                found[flag.name] = _plain(flag.read(torch))
            except (AttributeError, AssertionError):
                continue
            except RuntimeError:  # torch refuses: old and new names of a flag were mixed
                found[flag.name] = UNREADABLE
    return found


def restore_flags(recorded: Dict[str, Any]) -> List[str]:
    """Set the flags to what `read_flags` gave once. The answer has a line for each that could not
    be set, with the cause; empty: all are as recorded. Flags that are right are not touched."""
    torch = sys.modules.get("torch")
    if torch is None:
        return [f"flag {name}: torch is not imported" for name in recorded]
    failed: Dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(_ROUNDS):
            now = read_flags()
            differ = [name for name, value in recorded.items()
                      if name not in now or now[name] != value]
            failed = {name: line for name in differ
                      if (line := _restore(torch, name, recorded[name], now)) is not None}
            if len(failed) == len(differ):
                break
    after = read_flags()
    for name, value in recorded.items():
        if name not in failed and after.get(name) != value:
            failed[name] = f"flag {name}: was set to {value!r} and is {after.get(name)!r}"
    return list(failed.values())


def _restore(torch: Any, name: str, value: Any, now: Dict[str, Any]) -> Optional[str]:
    """Set one flag; what was in the way, if it could not be."""
    flag = BY_NAME.get(name)
    if flag is None or name not in now:
        return f"flag {name}: this torch {torch.__version__} does not have it; it was {value!r}"
    if value == UNREADABLE:
        return f"flag {name}: is {now[name]!r}; torch refused to read it when it was recorded"
    if flag.write is None:
        return (f"flag {name}: was {value!r} and is {now[name]!r}: it can be set at the start of a "
                f"program only: {flag.line.format(value)}")
    try:
        flag.write(torch, value)
    except (RuntimeError, AttributeError, AssertionError, TypeError, ValueError) as problem:
        return (f"flag {name}: was {value!r} and is {now[name]!r}: "
                f"{' '.join(str(problem).split())[:200]}")
    return None
