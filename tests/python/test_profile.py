#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What decides results besides the state: torch's flags, read and set back; the environment, which
names no machine; the binding of torch-1, which two processes share and each fact changes; and what
breaks that profile, each seen to be found and put right by its own line."""

import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from unittest import mock

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from snapstate import environment, errors, flags, profile  # noqa: E402
from tap import Tap  # noqa: E402

try:
    import torch
except ImportError as problem:
    torch, NO_TORCH = None, f"python3-torch is not installed: {problem}"


def caught(call_it):
    try:
        call_it()
    except Exception as problem:  # pylint: disable=broad-except
        return problem
    return None


def python(script, *, path=sys.executable, **variables):
    """What a fresh interpreter prints."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    environ.update(variables, PYTHONPATH=str(TOP / "python"))
    return subprocess.run([path, "-c", script], text=True, stdout=subprocess.PIPE, check=True,
                          env=environ).stdout.strip()


@contextlib.contextmanager
def variable(name, value):
    with mock.patch.dict(os.environ):
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
        yield


def check_page(tap):
    """docs/torch-1.md is the definition: it names every flag, by the last part of its name at
    least, and every variable."""
    page = (TOP / "docs" / "torch-1.md").read_text(encoding="utf-8")
    names = [flag.name.rsplit(".", 1)[-1] for flag in flags.FLAGS]
    names += environment.VARIABLES + environment.OTHER_VARIABLES
    tap.empty((name for name in names if name not in page), "docs/torch-1.md names all of them")


# ---- flags ----

def other_value(name, value):
    """Another legal value of a flag; None when the test knows none."""
    if name == "interop_threads":
        return None
    if isinstance(value, bool):
        return not value
    if name == "threads":
        return 3 - value if value in (1, 2) else 1
    if name.endswith("dtype"):
        return "torch.float64" if name == "default_dtype" else "torch.bfloat16"
    return {"float32_matmul_precision": "high", "default_device": "meta"}.get(name)


def check_flags(tap):
    start = flags.read_flags()
    for name, value in start.items():
        other = other_value(name, value)
        if other is None or other == value:
            continue
        flag = flags.BY_NAME[name]
        problem = caught(lambda: flag.write(torch, other))
        if name == "jit.fuse_on_gpu" and flags.read_flags()[name] != other:
            print(f"# {name} is not to be had here")
            continue
        tap.ok(problem is None and flags.read_flags().get(name) == other, f"flag {name} is set",
               repr(problem))
        failed = flags.restore_flags(start)
        tap.ok(not failed and flags.read_flags() == start, f"flag {name} is read and set back",
               *failed)
    missing = flags.restore_flags({**start, "interop_threads": 77, "no.such": True,
                                   "mkldnn.enabled": flags.UNREADABLE})
    tap.ok(len(missing) == 3 and any("torch.set_num_interop_threads(77)" in line
                                     for line in missing)
           and any("does not have it; it was True" in line for line in missing)
           and any("refused to read it" in line for line in missing)
           and flags.read_flags() == start, "what cannot be set is told, with the cause", *missing)

    def refuse(_torch):
        raise RuntimeError("mixed")

    mixed = flags.Flag("mixed", refuse)
    with mock.patch.object(flags, "FLAGS", [mixed]):
        tap.ok(flags.read_flags() == {"mixed": flags.UNREADABLE}, "a flag that torch refuses to "
               "read is marked")
    deaf = flags.Flag("deaf", lambda _torch: 1, lambda _torch, value: None)
    with mock.patch.object(flags, "FLAGS", [deaf]), mock.patch.dict(flags.BY_NAME, deaf=deaf):
        tap.ok(flags.restore_flags({"deaf": 2}) == ["flag deaf: was set to 2 and is 1"],
               "a flag that does not change is told")
    with mock.patch.dict(sys.modules):
        del sys.modules["torch"]
        tap.ok(flags.read_flags() == {} and flags.restore_flags({"threads": 1})
               == ["flag threads: torch is not imported"], "without torch there are none")


# ---- the environment ----

def check_environment(tap):
    found = environment.capture_environment()
    text = json.dumps(found)
    tap.ok(list(found) == ["code", "platform", "processor", "python", "torch", "variables",
                           "versions"] and "." not in "".join(
        str(value) for value in _numbers(found)), "an object without reals", text[:200])
    private = {platform.node(), str(TOP), str(Path.home())} - {"", "/", "localhost"}
    tap.empty((word for word in private if word in text), "no name or folder of this machine")
    with variable("MKL_CBWR", "COMPATIBLE"), variable("SOME_TOKEN", "secret"):
        found = environment.capture_environment()
    tap.ok(found["variables"].get("MKL_CBWR") == "COMPATIBLE" and "secret" not in json.dumps(found),
           "variables that decide results are in it, and no others")
    tap.ok(found["processor"]["architecture"] == platform.machine(), "the processor is")


def _numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [value] if isinstance(value, (int, float)) else []


def check_canary(tap):
    script = ("from snapstate.environment import *; "
              "print(string_hash(), string_hash_is_fixed())")
    with tempfile.TemporaryDirectory(prefix="snap-test.") as folder:
        elsewhere = Path(folder) / "python-by-another-name"
        elsewhere.symlink_to(sys.executable)
        fixed = python(script, PYTHONHASHSEED="0")
        again = python(script, path=str(elsewhere), PYTHONHASHSEED="0")
    other = python(script, PYTHONHASHSEED="1")
    tap.ok(fixed == again and fixed.endswith(" True"), "the canary is of the hashes, not of the "
           "interpreter's path", fixed, again)
    tap.ok(other != fixed and other.endswith(" True"), "another seed of the hashes is noticed")
    free = [python(script) for _ in range(2)]
    tap.ok(free[0] != free[1] and all(line.endswith(" False") for line in free),
           "hashes that no seed fixes are told", *free)


def check_code(tap):
    if subprocess.run(["git", "--version"], stdout=subprocess.DEVNULL, check=False).returncode:
        tap.skip("the caller's code", "there is no git")
        return
    with tempfile.TemporaryDirectory(prefix="snap-test.") as folder:
        script, part = Path(folder) / "train.py", Path(folder) / "model.py"

        def git(*arguments):
            return subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", folder,
                                   *arguments], stdout=subprocess.PIPE, check=True).stdout

        script.write_text("import json\nfrom snapstate.environment import code\n"
                          "print(json.dumps(code()))\n", encoding="utf-8")
        part.write_text("width = 1\n", encoding="utf-8")

        def run(**variables):
            return json.loads(subprocess.run(
                [sys.executable, str(script)], stdout=subprocess.PIPE, check=True,
                env={**os.environ, "PYTHONPATH": str(TOP / "python"), **variables}).stdout)

        digest = hashlib.sha256(script.read_bytes()).hexdigest()
        outside = {"main": "train.py", "main_sha256": digest, "commit": None, "diff_sha256": None}
        tap.ok(run(GIT_CEILING_DIRECTORIES=str(Path(folder).parent)) == outside,
               "code outside of git: the script")
        git("init", "-q")
        git("add", ".")
        git("commit", "-qm", "first")
        commit = git("rev-parse", "HEAD").decode().strip()
        tap.ok(run() == {**outside, "commit": commit}, "the commit of a clean tree")
        part.write_text("width = 2\n", encoding="utf-8")
        difference = hashlib.sha256(git("diff", "--full-index", "HEAD")).hexdigest()
        tap.ok(run() == {**outside, "commit": commit, "diff_sha256": difference},
               "and the digest of what was changed since")
        tap.ok(run(PATH=folder) == outside, "without git: the script")
        slow = Path(folder) / "git"
        slow.write_text("#!/bin/sh\nexec sleep 30\n", encoding="utf-8")
        slow.chmod(0o755)
        with mock.patch.object(environment, "GIT_TIMEOUT_S", 0.2), \
                variable("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}"):
            tap.ok(environment.code(str(script)) == outside, "a git that does not end is left")
    tap.ok(set(json.loads(python("import json; from snapstate.environment import code; "
                                 "print(json.dumps(code()))")).values()) == {None},
           "an interactive session has no script")


# ---- the binding ----

def check_binding(tap):
    script = ("import json, torch; from snapstate.profile import torch_binding; "
              "print(json.dumps(torch_binding(), sort_keys=True))")
    first, second = python(script), python(script)
    tap.ok(first == second, "two processes have one binding", first, second)
    here = profile.torch_binding()
    tap.ok(here["torch"] == str(torch.__version__) and here["flags"]["threads"]
           == torch.get_num_threads() and here["capability"] and here["cuda"] is None
           and not any(isinstance(number, float) for number in _numbers(here)),
           "versions, threads and CPU capability, no reals", here)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    tap.ok(profile.torch_binding() != here, "another number of threads is another binding")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    tap.ok(profile.torch_binding() != here, "another flag is")
    torch.use_deterministic_algorithms(False)
    with variable("MKL_CBWR", "AVX2"):
        tap.ok(profile.torch_binding()["variables"] == {"MKL_CBWR": "AVX2"}, "a variable is")
    with variable("CUDA_VISIBLE_DEVICES", "5"), variable("EDITOR", "vi"):
        tap.ok(profile.torch_binding() == here, "and no other one")
    torch.backends.cudnn.benchmark = True
    tap.ok(profile.torch_binding() == here, "a flag of CUDA is not, where there is no CUDA")
    device = {"name": "A", "capability": "9.0", "multiprocessors": 1, "memory_bytes": 5}
    with mock.patch.object(environment, "cuda_in_use", lambda _torch: True), \
            mock.patch.object(environment, "cuda_devices", lambda _torch: [device]):
        there = profile.torch_binding()
    torch.backends.cudnn.benchmark = False
    del device["memory_bytes"]
    tap.ok(there["flags"]["cudnn.benchmark"] is True and there["cuda"]["devices"] == [device],
           "where there is, it and the devices are", there["cuda"])
    fixed = json.loads(python(script, PYTHONHASHSEED="3"))
    tap.ok(here["string_hash"] == "random" and len(fixed["string_hash"]) == 16,
           "the canary is, where PYTHONHASHSEED is set")
    alone = python("from snapstate import profile, errors\n"
                   "for call in profile.torch_binding, profile.violations:\n"
                   "    try:\n        call()\n    except errors.InvalidError as e:\n"
                   "        print('not imported' in str(e))")
    tap.ok(alone == "True\nTrue", "without torch there is none", alone)


# ---- violations ----

def only(found, flag):
    return len(found) == 1 and found[0].flag == flag


def check_cuda_violations(tap):
    """The flags exist in every build; that CUDA is in use is said for it."""
    tap.ok(profile.violations() == [], "torch's defaults break nothing on a CPU")
    torch.backends.cudnn.benchmark = True
    tap.ok(profile.violations() == [], "and a flag of CUDA breaks nothing there")
    torch.backends.cudnn.benchmark = False
    with mock.patch.object(environment, "cuda_in_use", lambda _torch: True), \
            variable("CUBLAS_WORKSPACE_CONFIG", ":4096:8"):
        tap.ok(only(profile.violations(), "deterministic_algorithms"),
               "CUDA: deterministic algorithms are off", profile.violations())
        exec(profile.violations()[0].line_to_change)  # pylint: disable=exec-used
        tap.ok(profile.violations() == [], "its line puts it right", profile.violations())
        torch.backends.cudnn.benchmark = True
        found = profile.violations()
        tap.ok(only(found, "cudnn.benchmark") and str(found[0]) ==
               "cudnn.benchmark is True, torch-1 needs False: torch.backends.cudnn.benchmark = "
               "False", "CUDA: cudnn.benchmark", *found)
        exec(found[0].line_to_change)  # pylint: disable=exec-used
        tap.ok(profile.violations() == [], "its line puts it right")
        torch.use_deterministic_algorithms(True, warn_only=True)
        found = profile.violations()
        tap.ok(only(found, "deterministic_warn_only"), "CUDA: warn_only", *found)
        exec(found[0].line_to_change)  # pylint: disable=exec-used
        tap.ok(profile.violations() == [], "its line puts it right")
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
        tap.ok(profile.violations() == [], "TF32 is in the binding, and breaks nothing")
        torch.backends.cuda.matmul.allow_tf32 = False
        for value in (None, ":4096:2:16:8", ""):
            with variable("CUBLAS_WORKSPACE_CONFIG", value):
                found = profile.violations()
                tap.ok(only(found, "CUBLAS_WORKSPACE_CONFIG") and "export" in
                       found[0].line_to_change, f"CUDA: a workspace of {value!r}", *found)
        with variable("CUBLAS_WORKSPACE_CONFIG", ":16:8"):
            tap.ok(profile.violations() == [], "CUDA: the small workspace will do")
    torch.use_deterministic_algorithms(False)


def check_module_violations(tap):
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
    tap.ok(profile.violations({"model": model}) == [], "a plain module breaks nothing")
    if hasattr(torch, "compile"):
        compiled = torch.compile(model)
        function = torch.compile(lambda x: x + 1)
    else:
        kind = type("OptimizedModule", (torch.nn.Module,), {"__module__":
                                                            "torch._dynamo.eval_frame"})
        compiled = kind()
        function = types.SimpleNamespace(_torchdynamo_orig_callable=len)
    for name, module, where in (("model", compiled, "model"), ("step", function, "step"),
                                ("gan", torch.nn.ModuleList([torch.nn.ReLU(), compiled]),
                                 "gan.1")):
        found = profile.violations({name: module})
        tap.ok(only(found, where) and found[0].value == "compiled",
               f"{where} is compiled", *found)
    if hasattr(model, "compile"):
        model.compile()
        tap.ok(only(profile.violations({"model": model}), "model"), "compiled in place")
    else:
        print("# this torch has no Module.compile")
    tuner = type("Autotuner", (), {"__module__": "triton.runtime.autotuner"})
    several, single = tuner(), tuner()
    several.configs, single.configs = [1, 2], [1]
    part = torch.nn.ReLU()
    part.kernel = single
    with mock.patch.dict(sys.modules, triton=types.ModuleType("triton")):
        tap.ok(profile.violations({"part": part}) == [], "a kernel of one configuration is fixed")
        part.kernel = several
        found = profile.violations({"part": part})
        tap.ok(only(found, "part") and found[0].value == "autotuned (kernel)",
               "a kernel that is tuned", *found)
    found = profile.violations({"model": torch.nn.Linear(2, 2).to("meta")})
    tap.ok(only(found, "model") and found[0].value == "on meta", "another kind of device", *found)


def check_other_violations(tap):
    distributed = torch.distributed
    names = {"is_available": True, "is_initialized": True, "get_world_size": 2}
    with contextlib.ExitStack() as stack:
        for name, value in names.items():
            stack.enter_context(mock.patch.object(distributed, name, lambda value=value: value,
                                                  create=True))
        found = profile.violations()
    tap.ok(only(found, "torch.distributed"), "several processes", *found)
    tap.ok(profile.violations(require="none") == [], "nothing breaks the profile none")
    problem = caught(lambda: profile.violations(require="portable-1"))
    tap.ok(isinstance(problem, errors.InvalidError) and "portable-1" in str(problem),
           "other profiles are not ours", repr(problem))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = profile.cautions()
    torch.set_num_threads(2)
    found = profile.cautions()
    tap.ok(alone == [] and only(found, "deterministic_algorithms")
           and "x[indices]" in found[0].needed, "two threads on a CPU: a caution", *found)
    exec(found[0].line_to_change)  # pylint: disable=exec-used
    tap.ok(profile.cautions() == [] and indexing_repeats(),
           "its line puts it right: gradients of x[indices] repeat")
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def indexing_repeats():
    indices = torch.arange(40000) * 7919 % 7
    scale = torch.arange(40000.0).sin()
    results = set()
    for _ in range(10):
        x = torch.zeros(7, requires_grad=True)
        (x[indices] * scale).sum().backward()
        results.add(tuple(x.grad.tolist()))
    return len(results) == 1


def main():
    tap = Tap()
    check_page(tap)
    check_environment(tap)
    check_canary(tap)
    check_code(tap)
    if torch is None:
        tap.skip("torch", NO_TORCH)
        return tap.done()
    check_flags(tap)
    check_binding(tap)
    check_cuda_violations(tap)
    check_module_violations(tap)
    check_other_violations(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
