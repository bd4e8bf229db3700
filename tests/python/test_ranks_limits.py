#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs of several processes where something is amiss: signals to one rank, ranks that should agree
and do not or the other way round, another number of them; and what is theirs alone."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "tests" / "agent"), str(TOP / "python")]

from agent_client import Agent  # noqa: E402
from ranks_launcher import TORCHRUN, launch  # noqa: E402
from tap import Tap  # noqa: E402

SNAP = os.environ.get("SNAP", str(Path(os.environ.get("top_builddir", TOP)) / "snap"))


def run_of(folder, training, **options):
    import snapstate
    return snapstate.Run(folder, state_every=1, read_back=False,
                         **{**training.objects(), **options})


def refused(tap, name, pattern, work, world, function, *arguments, **options):
    """No rank ends well, and one says why."""
    statuses, text = launch(work, world, function, *arguments, **options)
    tap.ok(0 not in statuses and pattern in text, name, statuses, text)


def not_wrapped(folder):
    import ranks_program
    ranks_program.join()
    training = ranks_program.Training()
    with run_of(folder, training) as run:
        for batch in run.batches(steps=1):
            run.step(loss=training.step(batch))


def sidecar(folder):
    import snapstate
    import ranks_program
    ranks_program.join()
    snapstate.Sidecar(folder)


def steps(folder, count, spoil=None, seeds=None, own_buffers=False, at=2, **options):
    """`spoil(training, run)` on rank 1 before the step `at`; `seeds`: of torch, by rank. What the
    buffers of each rank are at the end is left beside the run."""
    import torch
    import ranks_program
    rank, _ = ranks_program.join()
    training = ranks_program.Training(broadcast_buffers=not own_buffers)
    if seeds is not None:
        torch.manual_seed(seeds[rank])
    with run_of(folder, training, **options) as run:
        step = run.distributed(training.step)
        for batch in run.batches(steps=count):
            if spoil is not None and rank == 1 and run.steps_done + 1 == at:
                spoil(training, run)
            run.step(loss=step(batch))
        mean = training.model.module[1].running_mean.tolist()
        Path(f"{folder}.buffers-{rank}").write_text(f"{run.run_hash()} {mean}")


def other_weights(training, run):
    training.model.module[0].weight.data[3, 5] += 1e-3


def other_rate(training, run):
    training.optimizer.param_groups[0]["lr"] *= 2


def other_values(training, run):
    training.counts["batches"] += 1


def not_finite(training, run):
    for parameter in training.model.module.parameters():
        parameter.data.fill_(float("nan"))


def from_weights(folder, archive):
    """The weights of another number of processes, into a new folder."""
    import torch
    import ranks_program
    ranks_program.join()
    training = ranks_program.Training()
    with run_of(folder, training, archive=archive, require="weights") as run:
        receipt = run.restore()
        own = torch.cat([p.detach().reshape(-1) for p in training.model.parameters()])
        Path(f"{folder}.weights").write_text(f"{receipt.tier} {own.double().sum().item()!r}")


def signalled(tap, work):
    from ranks_program import train
    folder = work / "signalled"
    statuses, text = launch(work / "s", 3, train, folder, stop_at=5)
    tap.ok(statuses == [75] * 3 and json.loads((folder / "latest").read_text())["file"].endswith(
        "step-0000000005.snap.tar"), "SIGTERM to one rank: all save and end with 75", statuses,
        text)
    statuses, text = launch(work / "s", 3, train, folder)
    tap.ok(statuses == [0] * 3 and "receipt exact" in text, "and go on", text)
    return folder


def disagreements(tap, work):
    refused(tap, "not wrapped: told at the first step of the first run", "run.distributed(train)",
            work / "d", 2, not_wrapped, work / "a")
    refused(tap, "a sidecar of two processes", "2 processes: it is of one process", work / "d", 2,
            sidecar, work / "s2")
    refused(tap, "other weights on rank 1 are named", "model.0.weight: is not the same on ranks 0",
            work / "d", 2, steps, work / "b", 3, other_weights)
    refused(tap, "so is another learning rate", "step 2: host is", work / "d", 2, steps, work / "c",
            3, other_rate)
    refused(tap, "so are other values", "values.batches: is not the same", work / "d", 2, steps,
            work / "d1", 3, other_values)
    refused(tap, "a loss of rank 1 that is not finite stops all", "loss.rank1 is not finite",
            work / "d", 2, steps, work / "e", 3, not_finite)
    refused(tap, "streams that are to differ and do not", "stream torch: is in one state on ranks",
            work / "d", 2, steps, work / "f", 2, seeds=[7, 7], distinct=["torch"])
    statuses, text = launch(work / "d", 2, steps, work / "g", 2, seeds=[7, 8], distinct=["torch"])
    tap.ok(statuses == [0, 0], "and those that do", text)
    statuses, text = launch(work / "d", 2, steps, work / "h", 2, seeds=[7, 7])
    events = (work / "h" / "events.jsonl").read_text()
    tap.ok(statuses == [0, 0] and "draw the same numbers" in events, "where nothing was said it is "
           "a caution", text, events)


def own_buffers(tap, work):
    """With broadcast_buffers=False each rank has running statistics of its own."""
    for name, counts in (("whole", [4]), ("parts", [2, 4])):
        for count in counts:
            statuses, text = launch(work / "o", 2, steps, work / name, count, own_buffers=True)
            tap.ok(statuses == [0, 0], f"buffers of each rank: {name}, to step {count}", text)
    found = {name: [Path(f"{work / name}.buffers-{rank}").read_text() for rank in range(2)]
             for name in ("whole", "parts")}
    tap.ok(found["whole"] == found["parts"] and found["whole"][0] != found["whole"][1],
           "buffers of each rank come back to it", found)


def failing(folder, spoiled):
    """A save that fails on rank 0 fails on all; they go on, and save again."""
    import snapstate
    import torch
    import ranks_program
    rank, _ = ranks_program.join()
    training, told = ranks_program.Training(), "saved"
    with run_of(folder, training) as run:
        step = run.distributed(training.step)
        for batch in run.batches(steps=3):
            run.step(loss=step(batch))
            torch.rand(1 + rank)  # told to the others by a save alone
            if spoiled and run.steps_done == 2:
                training.counts["bad"] = object() if rank == 0 else 1
                try:
                    run.save()
                except snapstate.CaptureError as problem:
                    told = str(problem)
                del training.counts["bad"]
            run.save()
    Path(f"{folder}.told-{rank}").write_text(told)


def no_data_file(folder):
    """Rank 0 looks for it."""
    import snapstate
    import ranks_program
    rank, _ = ranks_program.join()
    told = ""
    with run_of(folder, ranks_program.Training(), data={"images": f"{folder}.nowhere"}) as run:
        try:
            run.begin()
        except snapstate.NotFoundError as problem:
            told = str(problem)
    ranks_program.dist.barrier()
    Path(f"{folder}.told-{rank}").write_text(told)


def without_agent(root):
    """The agent is killed in step 3, and warnings are errors."""
    import warnings
    import ranks_program
    rank, _ = ranks_program.join()
    training, told = ranks_program.Training(), []
    agent = Agent(SNAP, root) if rank == 0 else None
    ranks_program.dist.barrier()
    with run_of(root / "run", training, agent=root / ".snap-agent.sock", every=2) as run:
        step = run.distributed(training.step)
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            try:
                for batch in run.batches(steps=8):
                    if run.steps_done == 2:
                        run.wait()
                        if rank == 0:
                            agent.kill()
                        ranks_program.dist.barrier()
                    run.step(loss=step(batch))
            except Exception as problem:  # a RuntimeWarning, or what stands for that of rank 0
                told.append(str(problem))
            run.save()
    (root / f"told-{rank}").write_text("; ".join(told))


def told_by(path):
    """What the two ranks of a run left beside it; "" where one did not come that far."""
    files = [Path(f"{path}-{rank}") for rank in range(2)]
    return [file.read_text() if file.exists() else "" for file in files]


def one_alone(tap, work):
    """What fails on one rank fails on all, where they can handle it: nobody waits for ever."""
    for name in ("undisturbed", "failing"):
        statuses, text = launch(work / "f", 2, failing, work / name, name == "failing")
        told = told_by(f"{work / name}.told")
        tap.ok(statuses == [0, 0] and (name == "undisturbed" or all(
            "bad: a value of type" in one for one in told)), f"a save that is {name}", told, text)
    found = [(work / name / "snapshots" / "step-0000000003.snap.tar").read_bytes()
             for name in ("undisturbed", "failing")]
    tap.ok(found[0] == found[1], "the next one is that of an undisturbed run")
    statuses, text = launch(work / "f", 2, no_data_file, work / "data")
    told = told_by(work / "data.told")
    tap.ok(statuses == [0, 0] and all("nowhere" in one for one in told),
           "a data file that is not there", told, text)
    root = (work / "agent").resolve()
    root.mkdir()
    statuses, text = launch(work / "f", 2, without_agent, root)
    told = told_by(root / "told")
    tap.ok(statuses == [0, 0] and all("the training saves by itself" in one for one in told),
           "a warning that is an error ends all ranks, which save once more", told, text)


def other_worlds(tap, work, folder):
    from ranks_program import train
    refused(tap, "another number of processes is refused", "3 processes made the snapshot, and 2 "
            "are here", work / "w", 2, train, folder)
    archive = folder / "snapshots" / "step-0000000005.snap.tar"
    statuses, text = launch(work / "w", 2, from_weights, work / "weights", archive)
    import snapstate
    with snapstate.Archive(archive) as opened:
        model = opened.load("model", "torch")
    names = [name for name in model if "running" not in name and "num_batches" not in name]
    import torch
    total = torch.cat([model[name].reshape(-1) for name in names]).double().sum().item()
    told = Path(f"{work / 'weights'}.weights")
    tap.ok(statuses == [0, 0] and told.read_text() == f"weights {total!r}",
           "but for the weights alone", text)


def replayed(tap, work, folder):
    """snap replay starts torchrun, and rank 0 reports."""
    program = TOP / "tests" / "python" / "ranks_program.py"
    command = " ".join(shlex.quote(str(word)) for word in
                       [*TORCHRUN, "--nproc_per_node=3", program, work / "unused"])
    path = os.pathsep.join(filter(None, [str(TOP / "python"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run([SNAP, "replay", str(folder / "snapshots/step-0000000005.snap.tar"),
                           "--ledger", str(folder / "ledger.jsonl"), "--to", "8",
                           "--exec", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, check=False,
                          env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"})
    tap.ok(done.returncode == 0 and "3 ledger lines" in done.stdout
           and "bit for bit" in done.stdout, "snap replay runs three processes", done.returncode,
           done.stdout)


def main():
    tap = Tap()
    try:
        import torch
        import ranks_program  # noqa: F401 - before the forks
    except ImportError:
        tap.skip("limits of several processes", "torch is not installed")
        return tap.done()
    if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
        tap.skip("limits of several processes", "this torch has no gloo")
        return tap.done()
    signal.alarm(500)  # ranks that wait for each other for ever
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        folder = signalled(tap, work)
        replayed(tap, work, folder)
        other_worlds(tap, work, folder)
        disagreements(tap, work)
        own_buffers(tap, work)
        one_alone(tap, work)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
