#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Archives of the trainer, read by the Python package: the tensors are what tar reads; verify() and
diff() say of archives, runs and ledgers what `snap` says."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]
BUILD = Path(os.environ.get("top_builddir", TOP))

from raises import caught, fails  # noqa: E402
from snapstate import errors  # noqa: E402
from snapstate.archive import Archive  # noqa: E402
from snapstate.verify import diff, verify  # noqa: E402
from tap import Tap  # noqa: E402

SNAP = os.environ.get("SNAP", str(BUILD / "snap"))


def train(folder, name, seed):
    config = json.loads((TOP / "examples" / "digits-mlp.json").read_text(encoding="utf-8"))
    config["training"]["seed"] = seed
    config["running"].update(every=10, threads=1)
    config["running"]["data"] = {role: str(TOP / "examples" / path)
                                 for role, path in config["running"]["data"].items()}
    (folder / f"{name}.json").write_text(json.dumps(config), encoding="utf-8")
    subprocess.run([SNAP, "run", folder / f"{name}.json", "--dir", folder / name, "--steps", "20"],
                   check=True, stdout=subprocess.DEVNULL)
    return folder / name


def check_trained(tap, folder):
    runs = [train(folder, "first", 1), train(folder, "second", 1), train(folder, "third", 2)]
    paths = [run / "snapshots" / "step-0000000020.snap.tar" for run in runs]
    with Archive(paths[0]) as archive:
        leaves = [leaf for root in archive for leaf in tensors_of(archive[root])]
        tap.empty((leaf for leaf in leaves if leaf.bytes() != tar_reads(paths[0], leaf.member)),
                  f"{len(leaves)} tensors of the trainer are the members that tar reads")
        tap.ok(len(leaves) > 4 and archive.step == 20, "of step 20")
    verdict = verify(paths[0], expected=archive_hash(paths[0]))
    said = json.loads(subprocess.run([SNAP, "verify", "--json", paths[0]], check=True,
                                     stdout=subprocess.PIPE).stdout)["result"]
    tap.ok(verdict and verdict.status == "ok" and verdict.error is None and
           verdict["hashes"]["step"] == 20 and set(verdict) == set(said) and
           verdict["hashes"] == said["hashes"], "a verdict", verdict.text)
    verdict = verify(runs[0])
    tap.ok(verdict and verdict["kind"] == "run" and verdict.text.endswith("\n"), "of a run",
           verdict.text)
    verdict = verify(paths[0], expected="snap1:" + "0" * 64)
    tap.ok(not verdict and verdict.status == "differs" and
           type(caught(verdict.raise_for_status)) is errors.DiffersError, "another hash differs",
           verdict.text)
    verdict = verify(paths[0], only="rng/python")
    tap.ok(verdict.status == "ok", "one member alone", verdict.text)
    tap.ok(verify(paths[0], only="rng/none").status == "not found", "a member that is not there")
    fails(tap, errors.InvalidError, ".", "a folder without a run", verify, folder)
    fails(tap, errors.EnvironmentFailure, "nothing", "no file", verify, folder / "nothing")

    found = diff(paths[0], paths[1])
    tap.ok(found.equal and not found and list(found) == [] and found.of == "states", "equal states",
           found.text)
    found = diff(paths[0], paths[2])
    tensor = next(entry for entry in found if entry.kind == "tensor")
    tap.ok(not found.equal and len(found) == len(json.loads(found.json)["differences"]) and
           tensor.detail["differing"] > 0 and tensor.text in found.text, "what differs", found.text)
    for left, right in [(runs[0], runs[2]), (runs[0] / "ledger.jsonl", runs[2])]:
        found = diff(left, right)
        tap.ok(found.of == "ledgers" and found[0].kind == "ledger" and
               found[0].name == "genesis line", "of two ledgers the first line", found.text)
        step = (json.loads(found.json)["snapshots"] or {}).get("step")
        tap.ok((step is None and len(found) == 1) if left.is_file() else
               (step is not None and any(entry.kind == "tensor" for entry in found)),
               "and of two folders the next snapshots", found.text)
    fails(tap, errors.InvalidError, "one is an archive and the other", "one of each", diff,
          paths[0], runs[0])
    fails(tap, errors.EnvironmentFailure, "nothing: read it: No such file", "diff of no file", diff,
          paths[0], folder / "nothing")


def check_signers(tap, folder):
    """What `snap verify --signers` says, of a published folder."""
    if shutil.which("ssh-keygen") is None:
        tap.skip("signers", "no ssh-keygen (package openssh-client)")
        return
    for name in ("ada", "eve"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name],
                       check=True)
        key = (folder / f"{name}.pub").read_text().split()
        (folder / f"{name}.signers").write_text(f"{name} {key[0]} {key[1]}\n")
    for paper, sign in (("signed", ["--sign", folder / "ada"]), ("unsigned", [])):
        subprocess.run([SNAP, "publish", folder / "first", "-o", folder / paper, *sign],
                       check=True, stdout=subprocess.DEVNULL)
    found = verify(folder / "signed", signers=folder / "ada.signers")
    tap.ok(found.status == "ok" and "as ada signed them" in found.text, "by an allowed signer",
           found.text)
    found = verify(folder / "signed", signers=str(folder / "eve.signers"))
    tap.ok(found.status == "differs" and type(caught(found.raise_for_status)) is
           errors.DiffersError, "by nobody who is allowed", found.text)
    found = verify(folder / "unsigned", signers=folder / "ada.signers")
    tap.ok(found.status == "absent" and "nobody has signed the folder" in found.text,
           "by nobody at all", found.text)
    tap.ok(verify(folder / "unsigned").status == "ok", "and nobody asked")
    fails(tap, errors.EnvironmentFailure, "nobody.signers", "no file of signers", verify,
          folder / "signed", signers=folder / "nobody.signers")


def archive_hash(path):
    with Archive(path) as archive:
        return archive.snapshot_hash


def tensors_of(value):
    if hasattr(value, "member"):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors_of(item)


def tar_reads(path, member):
    return subprocess.run(["tar", "-xO", "-f", path, member], check=True,
                          stdout=subprocess.PIPE).stdout


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="snap-test.") as folder:
        check_trained(tap, Path(folder))
        check_signers(tap, Path(folder))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
