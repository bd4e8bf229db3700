#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every schema is one, accepts its valid examples and refuses its invalid ones; and what real
commands print and write obeys them. (The documents of `--json` are checked by tests/cli too.)"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))

from tap import Tap  # noqa: E402


def examples(kind, name):
    return sorted((TOP / "schema" / "examples" / kind).glob(f"{name}.*.json"))


def check_examples(tap, validate, schemas):
    known = set()
    for name in schemas:
        try:
            validate.jsonschema.Draft202012Validator.check_schema(schemas[name])
            tap.ok(True, f"{name}: the schema is one")
        except validate.jsonschema.SchemaError as error:
            tap.ok(False, f"{name}: the schema is one", error.message)
        tap.ok(schemas[name].get("$id") == f"{name}.schema.json", f"{name}: its $id is its file")
        checker = validate.validator(name, schemas)
        valid, invalid = examples("valid", name), examples("invalid", name)
        known.update(valid + invalid)
        tap.ok(valid and invalid, f"{name}: it has examples of both kinds")
        for path in valid:
            tap.empty(validate.problems(checker, validate.parse(path.read_text("utf-8"))),
                      f"{path.name} is valid")
        for path in invalid:
            try:
                found = validate.problems(checker, validate.parse(path.read_text("utf-8")))
            except ValueError as error:
                found = [str(error)]
            tap.ok(found, f"{path.name} is not valid")
    folder = TOP / "schema" / "examples"
    tap.empty((path.name for path in sorted(folder.glob("*/*")) if path not in known),
              "every example belongs to a schema")


class Work:
    """Real documents, made in a new folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.snap = os.environ["SNAP"]

    def run(self, *arguments, status=0):
        done = subprocess.run([self.snap, *map(str, arguments)], cwd=self.folder, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != status:
            raise RuntimeError(f"{arguments}: exit {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def config(self, name, **changes):
        data = {role: str(TOP / "data" / f"digits-{part}-ubyte")
                for role, part in (("train_images", "train-images.idx3"),
                                   ("train_labels", "train-labels.idx1"),
                                   ("test_images", "test-images.idx3"),
                                   ("test_labels", "test-labels.idx1"))}
        training = {
            "seed": 42, "epochs": 3, "batch_size": 500, "loss": "cross_entropy",
            "data": {"format": "idx", "shape": [8, 8, 1], "classes": 10, "mean": "0.0192",
                     "std": "0.0236"},
            "augment": {"shift": 1, "noise": "0.1"},
            "model": [{"name": "flatten", "kind": "flatten"},
                      {"name": "drop1", "kind": "dropout", "probability": "0.5"},
                      {"name": "fc1", "kind": "linear", "features": 10}],
            "optimizer": {"kind": "adamw", "learning_rate": "0.002"},
            **changes,
        }
        document = {"training": training, "running": {"threads": 1, "every": 2, "data": data}}
        (self.folder / name).write_text(json.dumps(document), encoding="utf-8")


def documents(work):
    """(schema, what, bytes of one document) of everything that runs write and print."""
    work.config("digits.json")
    work.config("nan.json", optimizer={"kind": "sgd", "learning_rate": "1000000",
                                       "momentum": "0.9"},
                data={"format": "idx", "shape": [8, 8, 1], "classes": 10, "mean": "0",
                      "std": "0.0000000000000000000000000000000000001"})
    yield "cmd-run", "run", work.run("run", "digits.json", "--dir", "run", "--json")
    yield "cmd-run", "run to NaN", work.run("run", "nan.json", "--dir", "nan", "--json", status=7)
    yield "cmd-restore", "restore", work.run("restore", "run", "--json")
    yield "cmd-verify", "verify", work.run("verify", "run", "--json")
    yield "cmd-diff", "diff", work.run("diff", "run", "nan", "--json", status=1)
    yield "cmd-sweep", "sweep", work.run("sweep", "digits.json", "--seeds", "0..2", "--jobs", "2",
                                         "--dir", "sweep", "--json")
    yield "sweep", "sweep.json", (work.folder / "sweep" / "sweep.json").read_bytes()
    for folder in ("run", "nan"):
        root = work.folder / folder
        for number, line in enumerate((root / "ledger.jsonl").read_bytes().splitlines(True)):
            yield "ledger-step" if number else "ledger-genesis", f"{folder}: line {number}", line
        for line in (root / "events.jsonl").read_bytes().splitlines(True):
            yield "event", f"{folder}: an event", line
        yield "config", f"{folder}: config.json", (root / "config.json").read_bytes()
    work.run("pack", "run/snapshots/step-0000000004.snap.tar", "--volume-size", "4096", "-o",
             "cut.snap.tar")
    yield "volumes", "volumes.json", subprocess.run(
        ["tar", "-xOf", work.folder / "cut.snap.tar", "volumes.json"], check=True,
        stdout=subprocess.PIPE).stdout
    yield "cmd-show", "show of an archive with volumes", work.run("show", "cut.snap.tar", "--json")
    yield "cmd-list", "list of one", work.run("list", "cut.snap.tar", "--json")
    yield "latest", "latest", (work.folder / "run" / "latest").read_bytes()
    yield from archive_documents(work, "run/snapshots/step-0000000004.snap.tar")
    capsule, = os.listdir(work.folder / "nan/capsules")
    yield from archive_documents(work, f"nan/capsules/{capsule}")
    yield "operations", "operations of a capsule", work.run("cat", f"nan/capsules/{capsule}",
                                                            "extra/operations.json")
    yield "cmd-replay", "replay --step-by-step", work.run("replay", f"nan/capsules/{capsule}",
                                                          "--step-by-step", "--json")


def archive_documents(work, archive):
    shown = work.run("show", archive, "--json")
    yield "cmd-show", f"show {archive}", shown
    for member, schema in (("manifest.json", "manifest"), ("state.json", "state"),
                           ("data.json", "data"), ("env.json", "env")):
        yield schema, f"{archive}: {member}", work.run("cat", archive, member)
    for name, stream in json.loads(shown)["result"]["state"]["streams"].items():
        schema = f"stream-{stream['kind']}"
        if (TOP / "schema" / f"{schema}.schema.json").exists():
            yield schema, f"{archive}: {name}", work.run("cat", archive, f"rng/{name}")


def check_real(tap, validate, schemas):
    seen = set()
    with tempfile.TemporaryDirectory() as folder:
        for schema, what, data in documents(Work(folder)):
            seen.add(schema)
            found = validate.wrong(validate.validator(schema, schemas), data)
            if found or not what.endswith("an event"):
                tap.empty(found, f"{what} obeys {schema}")
    # Most kinds of stream belong to other trainers than ours; bench/ and the agent have tests of
    # their own.
    others = ("agent-", "bench-", "cmd-", "diff", "receipt", "stream-", "verdict")
    written = {name for name in schemas if not name.startswith(others)}
    written |= {f"stream-{kind}" for kind in ("numpy_random_state", "philox_dropout",
                                              "python_random")}
    tap.empty(sorted(written - seen), "every document that a run writes was seen")


def main():
    tap = Tap()
    try:
        import validate
    except ImportError:
        tap.skip("schemas", "no jsonschema for Python")
        return tap.done()
    schemas = validate.all_schemas()
    check_examples(tap, validate, schemas)
    check_real(tap, validate, schemas)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
