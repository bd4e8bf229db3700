#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A step that fails leaves the state from before it, the batch, and the first operation whose
output is not finite; the run stands as if the step had not been tried, and the step can be run
again."""

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from tap import Tap  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

import snapstate  # noqa: E402

FAILS_AT = 7


class Root(torch.nn.Module if torch is not None else object):
    """sqrt of something that one batch makes negative."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return torch.sqrt(x.sum(1, keepdim=True) + 3)


def parts():
    torch.set_num_threads(1)
    torch.manual_seed(5)
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6),
                                torch.nn.Dropout(0.2), torch.nn.Softplus(), Root(),
                                torch.nn.Linear(1, 1))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    data = torch.randn(40, 4, generator=torch.Generator().manual_seed(8))
    batches = list(data.split(4))
    return model, optimizer, batches


def make_train(model, optimizer, poison):
    def train(batch):
        optimizer.zero_grad()
        out = model[:4](batch)
        if poison:
            out = out - 1000 * (batch[:1, :1] == batch[:1, :1]).float()
        loss = model[4:](out).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss
    return train


def state_bytes(model, optimizer, run):
    tensors = [*model.state_dict().values()]
    for slots in optimizer.state.values():
        tensors += [slot for slot in slots.values() if isinstance(slot, torch.Tensor)]
    return ([bytes(tensor.detach().numpy().tobytes()) for tensor in tensors] + [model[4].calls],
            {name: stream.get() for name, stream in run.streams.items()},
            [parameter.grad is None for parameter in model.parameters()])


def failing_run(tap, folder):
    model, optimizer, batches = parts()
    run = snapstate.Run(folder, model=model, optimizer=optimizer, loader=batches, every=4,
                        read_back=False)
    loop = run.batches(epochs=1)
    for number, batch in enumerate(loop, start=1):
        train = make_train(model, optimizer, number == FAILS_AT)
        before = state_bytes(model, optimizer, run)
        try:
            run.step(loss=run.capsule(train)(batch))
        except snapstate.NonfiniteError as problem:
            tap.ok(number == FAILS_AT and problem.capsule.endswith("step-0000000007.snap.tar"),
                   "the step that is not finite stops the run", problem)
            tap.ok("aten::sqrt" in str(problem) or "sqrt" in str(problem),
                   "the operation is named", problem)
            tap.ok("module 4" in str(problem), "and the module", problem)
            tap.ok("it repeated" in str(problem), "and that it repeated", problem)
            after = state_bytes(model, optimizer, run)
            tap.ok(after[0] == before[0],
                   "weights, buffers, moments and a count are from before the step")
            tap.ok(after[1] == before[1], "streams too")
            path = problem.capsule
            break
    else:
        tap.ok(False, "a step failed")
        return None
    run.close()
    return path


def read(tap, path):
    capsule = snapstate.Capsule(path)
    operation = capsule.operation
    tap.ok(capsule.step == FAILS_AT and capsule.repeated, "the capsule says which step", capsule)
    values = operation["inputs"][0].numpy()
    tap.ok(bool((values < 0).any()), "it holds the operation's input", values)
    outputs = operation["outputs"][0].numpy()
    tap.ok(bool((outputs != outputs).any()), "and its output", outputs)
    batch = capsule.batch()[0]
    tap.ok(torch.equal(batch, parts()[2][FAILS_AT - 1]), "and the batch", batch)
    model, optimizer, _ = parts()
    result = capsule.rerun(make_train(model, optimizer, True), model=model, optimizer=optimizer)
    tap.ok(result["repeated"] and result["operation"] is None,
           "run again elsewhere it fails in the same way, every operation as recorded", result)
    model, optimizer, _ = parts()
    result = capsule.rerun(make_train(model, optimizer, False), model=model, optimizer=optimizer)
    tap.ok(not result["repeated"] and result["operation"] is not None,
           "another program is told where it first differs", result)
    capsule.close()
    snap = os.environ.get("SNAP", str(Path(os.environ.get("top_builddir", TOP)) / "snap"))
    for command in (["verify"], ["show"]):
        done = subprocess.run([snap, *command, path], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True)
        tap.ok(done.returncode == 0, f"snap {command[0]} reads it", done.stdout)


def goes_on(tap, folder):
    """From the last snapshot, without the poison: the same as if nothing had failed."""
    hashes = []
    for place in (folder, folder.parent / "whole"):
        model, optimizer, batches = parts()
        with snapstate.Run(place, model=model, optimizer=optimizer, loader=batches, every=4,
                           read_back=False) as run:
            train = run.capsule(make_train(model, optimizer, False))
            for batch in run.batches(epochs=1):
                run.step(loss=train(batch))
            hashes.append((run.run_hash(), run.state_hash()))
    tap.ok(hashes[0] == hashes[1], "the run goes on as if the failed step had not been tried",
           hashes)


def program(folder, scale):
    """The training as a program of its own, for `snap replay --exec`; `scale` is 1 where the
    arithmetic is as in failing_run()."""
    model, optimizer, batches = parts()
    with snapstate.Run(folder, model=model, optimizer=optimizer, loader=batches) as run:
        for batch in run.batches(epochs=1):
            train = make_train(model, optimizer, run.steps_done + 1 == FAILS_AT)
            if scale != 1:
                train = functools.partial(lambda train, batch: train(batch * scale), train)
            run.step(loss=run.capsule(train)(batch))


def replays(tap, path):
    """`snap replay --exec` of a capsule names the operation."""
    snap = os.environ.get("SNAP", str(Path(os.environ.get("top_builddir", TOP)) / "snap"))
    for scale, code, told in [("1", 0, ", aten.sqrt.default of module 4: not finite\n"),
                              ("1.5", 1, "other differs: operation 0, aten.mul.Tensor: expected "
                                         "the capsule, now this replay")]:
        command = f"{sys.executable} {__file__} --program {path}.unused {scale}"
        done = subprocess.run([snap, "replay", path, "--exec", command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True)
        tap.ok(done.returncode == code and told in done.stdout,
               f"snap replay --exec, times {scale}", done.stdout)
    done = subprocess.run([snap, "replay", path], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    tap.ok(done.returncode == 4 and "step 7 of another trainer, where gradient of 0.weight is nan "
           "at element 0: have its program make it again, with --exec" in done.stdout,
           "without it the program is asked for", done.stdout)


def after_the_update(tap, work):
    model, optimizer, batches = parts()
    with snapstate.Run(work / "late", model=model, optimizer=optimizer, loader=batches) as run:
        try:
            for batch in run.batches(epochs=1):
                make_train(model, optimizer, False)(batch)
                run.step(loss=torch.tensor(float("nan")))
        except snapstate.NonfiniteError as problem:
            tap.ok("step 1" in str(problem) and "capsule" in str(problem),
                   "a loss that is not finite stops a run without a capsule too", problem)
        tap.ok(run.steps_done == 0, "and has no line")


def main():
    tap = Tap()
    if torch is None:
        tap.skip("capsules", "torch is not installed")
        return tap.done()
    with tempfile.TemporaryDirectory() as work:
        path = failing_run(tap, Path(work) / "run")
        if path is not None:
            read(tap, path)
            replays(tap, path)
            goes_on(tap, Path(work) / "run")
        after_the_update(tap, Path(work))
    return tap.done()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--program"]:
        program(sys.argv[2], float(sys.argv[3]))
    else:
        sys.exit(main())
