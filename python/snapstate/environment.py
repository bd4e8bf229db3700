# SPDX-License-Identifier: Apache-2.0
"""Where a run takes place: versions, processor, devices, variables, flags, and the caller's code.

`capture_environment()` is information, kept with an archive for people who ask why two runs differ.
What the profile torch-1 depends on is less: snapstate.profile.torch_binding(). Neither holds the
name of the machine or of its user, or a path.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from typing import Any, Dict, List, Optional

from .flags import read_flags

# Variables that decide which code computes, or in which order. Those of threads, of paths and of
# logging are not among them: the number of threads is asked of torch itself.
VARIABLES = (
    "ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "CUBLASLT_WORKSPACE_SIZE",
    "CUDNN_CONV_WSCAP_DBG", "DNNL_DEFAULT_FPMATH_MODE", "DNNL_MAX_CPU_ISA", "GLIBC_TUNABLES",
    "MKL_CBWR", "MKL_DEBUG_CPU_TYPE", "MKL_DYNAMIC", "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES", "NVIDIA_TF32_OVERRIDE", "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TORCH_BLAS_PREFER_CUBLASLT", "TORCH_CUDNN_V8_API_DISABLED", "TORCH_LINALG_PREFER_CUSOLVER",
)
# These are recorded too: what they do stands elsewhere in a binding, or changes no bits of one
# process that obeys the profile.
OTHER_VARIABLES = (
    "CUDA_LAUNCH_BLOCKING", "CUDA_VISIBLE_DEVICES", "MKL_NUM_THREADS", "NCCL_ALGO", "NCCL_PROTO",
    "OMP_DYNAMIC", "OMP_NUM_THREADS", "OMP_SCHEDULE", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED",
    "TORCHINDUCTOR_DETERMINISTIC", "TORCHINDUCTOR_MAX_AUTOTUNE",
)

# Processor features by which numeric libraries choose their code.
_FEATURES = re.compile(r"(s?sse|avx|amx|fma|f16c|bmi|asimd|sve|sme(?!p)|fphp|bf16|i8mm|fcma)")

CANARY_TEXT = "snapstate"

GIT_TIMEOUT_S = 10


def string_hash() -> str:
    """The canary of PYTHONHASHSEED: the hash of a fixed text in this process, as 16 hex digits.
    Where two processes differ in it, sets of texts have other orders. It depends on the seed of the
    hashes and on the version of Python, and on nothing else."""
    return f"{hash(CANARY_TEXT) & (1 << 64) - 1:016x}"


def string_hash_is_fixed() -> bool:
    """Whether PYTHONHASHSEED fixed the hashes of texts, for this process and others like it."""
    if not sys.flags.hash_randomization:
        return True
    return not sys.flags.ignore_environment and os.environ.get("PYTHONHASHSEED", "").isdigit()


def processor() -> Dict[str, Any]:
    """The processor by what numeric libraries ask of it: architecture, maker, family, model, and
    those features by which they choose their code, one text in alphabetical order."""
    found: Dict[str, Any] = {"architecture": platform.machine(), "features": ""}
    names = {"vendor_id": "vendor", "cpu family": "family", "model": "model",
             "CPU implementer": "vendor", "CPU part": "model", "flags": "features",
             "Features": "features"}
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                name = names.get(key.strip())
                if not line.strip() and len(found) > 2:
                    break  # the next processor
                if name:
                    found[name] = value.strip()
    except OSError:
        found["model"] = platform.processor()
    features = sorted(word for word in found["features"].split() if _FEATURES.match(word))
    found["features"] = " ".join(features)
    return found


def cpu_capability(torch: Any) -> Optional[str]:
    """The vector width that torch's own kernels use: "AVX2"; None when it does not say."""
    try:
        return torch.backends.cpu.get_cpu_capability()  # 2.0
    except AttributeError:
        match = re.search(r"CPU capability usage: ([^\n]+)", torch.__config__.show())
        return match.group(1).strip() if match else None


def cuda_in_use(torch: Any) -> bool:
    """Whether this process has begun to compute on a CUDA device."""
    return torch.cuda.is_available() and torch.cuda.is_initialized()


def cuda_devices(torch: Any) -> List[Dict[str, Any]]:
    """The CUDA devices of this process, [] before it has initialised CUDA."""
    if not cuda_in_use(torch):
        return []
    properties = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return [{"name": device.name, "capability": f"{device.major}.{device.minor}",
             "multiprocessors": device.multi_processor_count, "memory_bytes": device.total_memory}
            for device in properties]


def build_digest(torch: Any) -> str:
    """16 hex digits that tell builds of torch apart: compiler, BLAS, oneDNN, CUDA, capability."""
    return hashlib.sha256(torch.__config__.show().encode("utf-8")).hexdigest()[:16]


def libc() -> Optional[str]:
    """The C library, whose math functions Python and torch call: "glibc 2.36"."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError, OSError):
        return None


def variables(names: "tuple[str, ...]" = VARIABLES) -> Dict[str, str]:
    """Those of the environment variables that are set."""
    return {name: os.environ[name] for name in names if name in os.environ}


def _git(folder: str, *arguments: str) -> Optional[bytes]:
    """What git prints; None when it fails, is not there, or does not end in time."""
    try:
        done = subprocess.run(
            ["git", "-C", folder, "-c", "core.fsmonitor=false", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=GIT_TIMEOUT_S, check=False, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def code(main_file: Optional[str] = None) -> Dict[str, Any]:
    """The caller's code: of the main script (or the file given) its name and the SHA-256 of its
    bytes; of the git work tree that it lies in the commit, and the SHA-256 of `git diff HEAD`, null
    when nothing differs. Files that git does not track are in neither, except the script itself.
    Without a script (an interactive session) all are null; without git the commit is."""
    found: Dict[str, Any] = {"main": None, "main_sha256": None, "commit": None, "diff_sha256": None}
    if main_file is None:
        main_file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not main_file:
        return found
    found["main"] = os.path.basename(main_file)
    try:
        with open(main_file, "rb") as file:
            found["main_sha256"] = hashlib.sha256(file.read()).hexdigest()
    except OSError:
        pass  # a script that is gone since: its digest is not known
    folder = os.path.dirname(os.path.abspath(main_file))
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    difference = None if commit is None else _git(
        folder, "diff", "--no-color", "--no-ext-diff", "--no-textconv", "--full-index", "HEAD")
    if commit is not None and difference is not None:
        found["commit"] = commit.decode("ascii", "replace").strip()
        found["diff_sha256"] = hashlib.sha256(difference).hexdigest() if difference else None
    return found


def versions() -> Dict[str, str]:
    """The versions of the packages that this process has imported, as they say it themselves."""
    found = {}
    for name, module in sorted(sys.modules.copy().items()):
        version = None if "." in name else getattr(module, "__dict__", {}).get("__version__")
        if isinstance(version, str):
            found[name] = str(version)
    return found


def _torch_environment(torch: Any) -> Dict[str, Any]:
    cudnn = torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None
    return {
        "version": str(torch.__version__), "build": build_digest(torch),
        "capability": cpu_capability(torch), "cuda": torch.version.cuda, "cudnn": cudnn,
        "devices": cuda_devices(torch), "flags": read_flags(),
    }


def capture_environment() -> Dict[str, Any]:
    """Everything that is known to change results, and what helps to tell why two runs differ, as a
    JSON object without reals: python, platform, processor, versions, variables, torch (null without
    one: version, build, CPU capability, CUDA, cuDNN, devices, flags), code."""
    torch = sys.modules.get("torch")
    return {
        "code": code(),
        "platform": {"system": platform.system(), "kernel": platform.release(), "libc": libc(),
                     "processors": os.cpu_count()},
        "processor": processor(),
        "python": {"version": platform.python_version(),
                   "implementation": platform.python_implementation(),
                   "string_hash": string_hash(), "string_hash_fixed": string_hash_is_fixed()},
        "torch": None if torch is None else _torch_environment(torch),
        "variables": variables(tuple(sorted(VARIABLES + OTHER_VARIABLES))),
        "versions": versions(),
    }
