# SPDX-License-Identifier: Apache-2.0
"""What the tests of object storage share: runs to push, and the program with the variables of a
server."""

import os
import subprocess
from pathlib import Path

TOP = Path(os.environ["top_srcdir"])
BUILD = Path(os.environ["top_builddir"])
SNAP = os.environ["SNAP"]

# Steps of a moment; the second archive has three parts of the least size.
SMALL = []
LARGE = ['training.model=[{"name": "flatten", "kind": "flatten"}, '
         '{"name": "wide", "kind": "linear", "features": 16000}, '
         '{"name": "out", "kind": "linear", "features": 10}]',
         'training.optimizer={"kind": "adam", "learning_rate": "0.001"}',
         "training.augment={}", "training.ledger={}", "running.every=1"]


def clean_environment(**more):
    """Nothing of whoever runs the tests: no profile, no credentials, no proxy."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("AWS_") and "proxy" not in name.lower()}
    return {**kept, "HOME": "/nonexistent", "SNAP_S3_DEADLINE": "20", **more}


def snap(*words, env, timeout=300):
    return subprocess.run([SNAP, *map(str, words)], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
                          timeout=timeout, check=False)


def make_run(folder, changes, steps):
    """A run in `folder`/run; its snapshots, by step."""
    script = (". \"$top_srcdir/tests/cli/fixture.sh\"; config=$1; shift; "
              "make_config \"$config\" \"$@\"")
    config = Path(folder) / "config.json"
    subprocess.run(["sh", "-c", script, "sh", str(config), *changes], check=True,
                   env={**os.environ, "work": str(folder)})
    run = Path(folder) / "run"
    done = snap("run", config, "--dir", run, "--steps", steps, env=clean_environment())
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return run, sorted((run / "snapshots").iterdir())


def built_in():
    """Is object storage in this build?"""
    return snap("list", "s3://bucket/x", env=clean_environment()).returncode != 4


def outcome(done):
    """Lines for whoever reads the log."""
    return f"exit {done.returncode}\n{done.stdout}{done.stderr}"
