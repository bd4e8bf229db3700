#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The example script from kill to receipt; C and Python read each other's archives, and the
commands work on both; `snap replay --exec` runs the script again."""

import json
import os
import shlex
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from tap import Tap  # noqa: E402

SNAP = os.environ.get("SNAP", str(Path(os.environ.get("top_builddir", TOP)) / "snap"))


def run(*words, **variables):
    """Status, and what was printed to both outputs."""
    path = os.pathsep.join(filter(None, [str(TOP / "python"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, check=False,
                          env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1",
                               **variables})
    return done.returncode, done.stdout


def example(tap, work, data):
    script = [sys.executable, TOP / "examples" / "train_mnist.py"]
    files = [data / "t10k-images-idx3-ubyte.gz", data / "t10k-labels-idx1-ubyte.gz"]
    code, whole = run(*script, work / "whole", *files)
    tap.ok(code == 0 and "a fresh run" in whole, "the example trains", whole)
    code, text = run(*script, work / "killed", *files, DIE_AT="37")
    tap.ok(code == -9, "killed at step 37", code, text)
    code, text = run(*script, work / "killed", *files)
    tap.ok(code == 0 and "tier: exact" in text, "started again it prints an exact receipt", text)
    tap.ok(text.splitlines()[-1] == whole.splitlines()[-1],
           "and ends with the run hash of the undisturbed one", text)
    middle = work / "whole/snapshots/step-0000000030.snap.tar"
    for words, told in [(["verify", work / "killed"], "verdict: intact"),
                        (["verify", middle], "intact"),
                        (["show", middle], "torch-1"),
                        (["list", work / "whole"], "latest"),
                        (["diff", work / "whole", work / "killed"], "equal"),
                        (["diff", middle, work / "killed/snapshots/step-0000000030.snap.tar"],
                         "equal")]:
        code, text = run(SNAP, *words)
        tap.ok(code == 0 and told in text, f"snap {words[0]} on what Python wrote", text)
    code, text = run(SNAP, "diff", middle, work / "whole/snapshots/step-0000000040.snap.tar")
    tap.ok(code == 1 and "0.weight" in text, "snap diff names a tensor of Python's", text)
    code, text = run(SNAP, "cat", middle, "env.json")
    tap.ok(code == 0 and json.loads(text)["format"] == "snap-environment-1", "snap cat", text)
    replays(tap, work, script, files, middle)
    elsewhere(tap, work, script, files)


def replays(tap, work, script, files, middle):
    command = " ".join(shlex.quote(str(word)) for word in [*script, work / "unused", *files])
    code, text = run(SNAP, "replay", middle, "--exec", command)
    tap.ok(code == 0 and "50 ledger lines, 5 whole states" in text and "bit for bit" in text,
           "snap replay --exec runs the script from the archive", text)
    tap.ok(not (work / "unused").exists(), "which makes no folder")
    code, text = run(SNAP, "replay", middle, "--exec", command, "--to", "35")
    tap.ok(code == 0 and "5 ledger lines" in text, "--to ends it", text)
    code, text = run(SNAP, "replay", middle, "--exec", "exit 3")
    tap.ok(code == 3 and "wrote no report" in text, "a program that does not follow is told", text)
    code, text = run(SNAP, "replay", middle, "--exec", command.replace("train_mnist", "absent"))
    tap.ok(code == 3 and "wrote no report" in text, "and one that is not there", text)
    other = work / "other.py"
    other.write_text((TOP / "examples/train_mnist.py").read_text().replace(
        "loss.backward()", "(1.0001 * loss).backward()"))
    command = " ".join(shlex.quote(str(word)) for word in
                       [sys.executable, other, work / "unused", *files])
    code, text = run(SNAP, "replay", middle, "--exec", command)
    tap.ok(code == 1 and "step 32" in text and "loss" in text,
           "another program differs at the first step that shows it", text)
    code, text = run(SNAP, "replay", middle, "--exec", command, "--json")
    answer = json.loads(next(line for line in text.splitlines()
                             if line.startswith('{"command"')))
    tap.ok(answer["exit"] == 1 and answer["result"]["difference"]["step"] == 32,
           "and as JSON", text)


def elsewhere(tap, work, script, files):
    """What a reader on another machine proves of a torch-1 run: here one whose strings have other
    hashes, which is a fact of the binding, and whose arithmetic is another one."""
    command = " ".join(shlex.quote(str(word)) for word in [*script, work / "unused", *files])
    verify = [SNAP, "verify", work / "bound", "--replay", "2", "--challenge", "00ff", "--exec"]
    code, text = run(*script, work / "bound", *files, PYTHONHASHSEED="1")
    tap.ok(code == 0, "a run with a whole binding", text)
    code, text = run(*verify, command, PYTHONHASHSEED="1")
    tap.ok(code == 0 and "2 of 7 stretches, and all of it is equal, bit for bit" in text,
           "snap verify --replay --exec makes stretches again", text)
    code, text = run(*verify, command, PYTHONHASHSEED="2")
    tap.ok(code == 6 and text.count("host part steps ") == 2 and
           "the binding is another one: string_hash is " in text and
           "proven          host part: of 20 steps of 70, 2 of 7 stretches" in text and
           "of 20 numbers 0 are others here" in text and "bit for bit" not in text,
           "under another binding it proves the host part, and calls nothing equal", text)
    other = work / "elsewhere.py"
    program = (TOP / "examples/train_mnist.py").read_text()
    other.write_text(program.replace("loss.backward()", "(1.0001 * loss).backward()"))
    code, text = run(*verify, command.replace(str(script[1]), str(other)), "--json",
                     PYTHONHASHSEED="2")
    answer = json.loads(next(line for line in text.splitlines()
                             if line.startswith('{"command"')))
    found = answer["result"]["replay"]["deviation"]
    largest = struct.unpack(">d", bytes.fromhex(found["largest"]))[0]
    tap.ok(code == 6 and found["field"] == "float.scalars.loss" and found["numbers"] == 20 and
           0 < found["numbers_unequal"] < 20 and 0 < largest < 0.1,
           "where the floats are others it says how far", code, found, largest)
    (work / "cmd-verify.json").write_text(next(line for line in text.splitlines()
                                               if line.startswith('{"command"')) + "\n")
    code, text = run(sys.executable, TOP / "tests/schema/validate.py", "cmd-verify",
                     work / "cmd-verify.json")
    tap.ok(code == 0, "as the schema has it", text)
    other.write_text(program.replace("run.step(loss=loss)", "torch.rand(1), run.step(loss=loss)"))
    code, text = run(*verify, command.replace(str(script[1]), str(other)), PYTHONHASHSEED="2")
    tap.ok(code == 1 and "stream differs: host.draws." in text,
           "another host part differs there too", text)


def c_archives(tap, work):
    """What the C trainer wrote, read and restored by Python."""
    import numpy
    import snapstate
    code, text = run(SNAP, "run", TOP / "examples/digits-mlp.json", "--dir", work / "c", "--steps",
                     "20")
    tap.ok(code == 0, "a training in C", text)
    path = work / "c/snapshots/step-0000000020.snap.tar"
    with snapstate.Archive(path) as archive:
        model = archive.load("model")
        tap.ok(archive.step == 20 and all(isinstance(item, numpy.ndarray)
                                          for item in model.values()),
               "Python reads its model as NumPy arrays", list(model))
        kinds = {name: stream.kind for name, stream in archive.streams.items()}
        tap.ok("python_random" in kinds.values(), "and its streams", kinds)
        blank = {name: numpy.zeros_like(item) for name, item in model.items()}
    receipt = snapstate.restore(path, model=blank, require="weights")
    tap.ok(receipt.tier == "weights" and all((blank[name] == model[name]).all()
                                             for name in model),
           "and restores them into arrays", receipt)
    tap.ok(snapstate.verify(path).status == "ok", "and verifies it")


def main():
    tap = Tap()
    try:
        import torch  # noqa: F401
    except ImportError:
        tap.skip("the example", "torch is not installed")
        return tap.done()
    data = os.environ.get("SNAP_TEST_DATA")
    with tempfile.TemporaryDirectory() as name:
        c_archives(tap, Path(name))
        if data and (Path(data) / "data/mnist").is_dir():
            example(tap, Path(name), Path(data) / "data/mnist")
        elif os.environ.get("SNAP_CI") == "1":
            tap.ok(False, "MNIST is in SNAP_TEST_DATA")
        else:
            tap.skip("the example", "SNAP_TEST_DATA has no MNIST")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
