# SPDX-License-Identifier: Apache-2.0
"""Ranks as forks of a test, which has imported torch: started in no time, they meet in a file."""

import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
# --standalone of torch 1.13 has one port for all, and two tests may run at once.
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--rdzv_backend=c10d",
            "--rdzv_endpoint=localhost:0", "-r", "1", "-t", "1"]


def _rank(function, rank, world, meet, output, arguments, options):
    status = 1
    try:
        fd = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        os.environ.update(RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank),
                          GROUP_RANK="0", MEET=f"file://{meet}")
        function(*arguments, **options)
        status = 0
    except SystemExit as problem:
        status = int(problem.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def launch(work, world, function, *arguments, **options):
    """Exit statuses by rank, and what they printed. When one fails the others get SIGTERM, as from
    torchrun, and SIGKILL when that does not end them."""
    work.mkdir(exist_ok=True)
    meet, output = work / "meet", work / "output"
    for path in (meet, output):
        path.unlink(missing_ok=True)
    sys.stdout.flush()
    ranks = {}
    for rank in range(world):
        pid = os.fork()
        if not pid:
            _rank(function, rank, world, meet, output, arguments, options)
        ranks[pid] = rank
    statuses, asked = {}, None
    while len(statuses) < world:
        pid, status = os.waitpid(-1, 0 if asked is None else os.WNOHANG)
        if pid:
            statuses[ranks.pop(pid)] = os.waitstatus_to_exitcode(status)
            if statuses[max(statuses)] not in (0, 75) and asked is None:
                asked = time.monotonic()
                for other in ranks:
                    os.kill(other, signal.SIGTERM)
        elif time.monotonic() > asked + 5:
            for other in ranks:
                os.kill(other, signal.SIGKILL)
            asked = float("inf")
        else:
            time.sleep(0.01)
    return [statuses[rank] for rank in range(world)], output.read_text(errors="replace")


def torchrun(world, *words, **variables):
    """Status, and what was printed. Its first release for Python 3.11 needs the redirections."""
    path = os.pathsep.join(filter(None, [str(TOP / "python"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run([*TORCHRUN, f"--nproc_per_node={world}", *map(str, words)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          universal_newlines=True,
                          env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1",
                               **variables})
    return done.returncode, done.stdout
