#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""snapstate.loader: a tracked loader gives what the bare one gives and draws what it draws; and
from a place saved behind a batch a fresh process goes on bit for bit. Here with 0 to 3 workers,
persistent or not, a generator given or not, and after SIGKILL.

    test_loader.py [TEXT ...]           only loaders whose name contains a TEXT
    test_loader.py --resume NAME        what the test runs after it killed a process: goes on from
                                        the line on standard input
"""

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from tap import Tap  # noqa: E402


# From behind the second and the last batch of an epoch, and the first of the next; of the other
# loaders from behind every batch.
SOME = (-3, -1, 1)
OTHERS_ARE_ALIKE = ("1 workers, generator", "1 workers, persistent, generator global",
                    "2 workers, generator given", "2 workers, persistent, generator global",
                    "3 workers, generator global", "3 workers, persistent, generator given")
KILLED = ("2 workers, persistent, generator given", "iterable, persistent", "spawned workers")


def check_killed(tap, name, make):
    """A process that SIGKILL ends in the second epoch leaves its lines to a program started
    anew."""
    lines, _ = in_child(lambda write: Journey(make, 7).tracked(write, EPOCHS))
    killed, status = in_child(lambda write: Journey(make, 7).tracked(write, EPOCHS, kill=2))
    done = subprocess.run([sys.executable, __file__, "--resume", name], text=True,
                          input=json.dumps(killed[-1]), stdout=subprocess.PIPE, check=False)
    again = [json.loads(line) for line in done.stdout.splitlines()]
    rest = lines[len(killed):]
    tap.ok(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
           and killed == lines[:len(killed)] and again[1:] == rest and rest
           and again[0] == {"exact": True, "reasons": []},
           f"{name}: killed, and resumed by a new program", f"wait status {status:#x}",
           *different(rest, again[1:]))


def resume(name):
    def write(line):
        print(json.dumps(line), flush=True)
    Journey(CASES[name], None).tracked(write, EPOCHS, json.load(sys.stdin))


def main():
    tap = Tap()
    for name, make in CASES.items():
        if sys.argv[1:] and not any(text in name for text in sys.argv[1:]):
            continue
        if name in loader_cases.grid():
            check_transparent(tap, name, make)
            check_restores(tap, name, make, SOME if name.startswith(OTHERS_ARE_ALIKE) else None)
        if name in KILLED:
            check_killed(tap, name, make)
    return tap.done()


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    try:
        import torch
    except ImportError as problem:
        tap = Tap()
        tap.skip("torch", f"python3-torch is not installed: {problem}")
        sys.exit(tap.done())

    import loader_cases
    from loader_journeys import (EPOCHS, Journey, check_restores, check_transparent, different,
                                 in_child)

    torch.set_num_threads(1)
    CASES = {**loader_cases.grid(), **loader_cases.kinds(), **loader_cases.spawned()}
    if sys.argv[1:2] == ["--resume"]:
        sys.exit(resume(sys.argv[2]))
    sys.exit(main())
