#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""snap serve --push: each snapshot reaches the store behind the save, byte for byte, when the
server is slow, silent or broken, when the agent is killed, and while older ones are pruned."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

TOP = Path(os.environ["top_srcdir"])
sys.path[:0] = [str(TOP / "tests" / name) for name in ("support", "schema", "s3")]
import validate  # noqa: E402
from agent_client import WAIT_S, Agent  # noqa: E402
from s3_fixture import SNAP, built_in, clean_environment, outcome, snap  # noqa: E402
from stub_server import SECRET, Answer, Stub  # noqa: E402
from tap import Tap  # noqa: E402

STORE = "s3://bucket/runs"
# More than one part: three million weights, with two moments of each.
LARGE = ['training.model=[{"name": "flatten", "kind": "flatten"}, '
         '{"name": "wide", "kind": "linear", "features": 40000}, '
         '{"name": "out", "kind": "linear", "features": 10}]',
         'training.optimizer={"kind": "adam", "learning_rate": "0.001"}',
         "training.augment={}", "training.ledger={}"]

tap = Tap()
SCHEMAS = validate.all_schemas()


class World:
    """A folder to serve, with configs; `agent()` serves it, and what it says is read on the way."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.root = self.folder / "root"
        self.root.mkdir()
        self.environment = clean_environment()
        self.one = None

    def config(self, *changes):
        path = self.folder / "config.json"
        script = (". \"$top_srcdir/tests/cli/fixture.sh\"; config=$1; shift; "
                  "make_config \"$config\" \"$@\"")
        subprocess.run(["sh", "-c", script, "sh", str(path), *changes], check=True,
                       env={**os.environ, "work": str(self.folder)})
        return path

    def agent(self, *options):
        self.one = Agent(SNAP, self.root, *options, env=self.environment)
        reader = threading.Thread(target=self._read, args=(self.one,), daemon=True)
        reader.start()
        self.one.reader = reader

    @staticmethod
    def _read(agent):
        for line in agent.process.stdout:
            agent.said.append(line)

    def said(self):
        return "".join(self.one.said)

    def stop(self):
        """Its exit status."""
        self.one.process.terminate()
        code = self.one.process.wait(timeout=WAIT_S)
        self.one.reader.join(WAIT_S)
        return code

    def kill(self):
        self.one.process.kill()
        self.one.process.wait(timeout=WAIT_S)

    def run(self, name, config, *words):
        (self.root / name).parent.mkdir(exist_ok=True)
        return snap("run", config, "--dir", self.root / name, *words, env=self.environment)

    def uploads(self):
        done = snap("serve", "--dir", self.root, "--status", "--json", env=self.environment)
        document = json.loads(done.stdout)
        if problems("cmd-serve", document):
            raise RuntimeError(f"status: {problems('cmd-serve', document)}")
        return document["result"]["status"]["uploads"]

    def wait(self, condition):
        """The uploads' status, when the condition holds or it takes too long."""
        end = time.monotonic() + WAIT_S
        while True:
            uploads = self.uploads()
            if condition(uploads) or time.monotonic() > end:
                return uploads
            time.sleep(0.02)

    def events(self, name, kind):
        lines = (self.root / name / "events.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]


def equal(found, wanted, name):
    tap.ok(found == wanted, name, f"found {found}, wanted {wanted}")


def problems(schema, document):
    return validate.problems(validate.validator(schema, SCHEMAS), document)


def snapshots(run):
    return {path.name.split(".")[0]: path.read_bytes()
            for path in sorted((run / "snapshots").iterdir())}


def stored(folder):
    """{step-...: bytes} of a folder that is a store."""
    return {path.name.rsplit("-", 1)[0]: path.read_bytes()
            for path in sorted((folder / "archives").iterdir())}


def stored_objects(stub, prefix):
    return {key.split("/")[-1].rsplit("-", 1)[0]: data for key, data in stub.objects.items()
            if key.startswith(prefix + "/archives/")}


def idle(uploads):
    return uploads["waiting"] == 0


class Gate:
    """Requests that it is told of wait here until it is opened."""

    def __init__(self, stub, method, pattern):
        self.opened = threading.Event()
        self.reached = threading.Event()
        stub.hook = lambda got, path: self._wait() if got == method and pattern in path else None

    def _wait(self):
        self.reached.set()
        self.opened.wait(WAIT_S)


def check_port(world):
    """The same by HTTP, where that is built in."""
    found = re.search(r"listening on (http://127\.0\.0\.1:\d+)/", world.said())
    if not found:
        tap.skip("uploads by HTTP", "HTTP is not built in")
        return
    with urllib.request.urlopen(found.group(1) + "/runs/sweep/one", timeout=WAIT_S) as answer:
        document = json.load(answer)
    tap.empty(problems("agent-http", document), "the run's document is valid")
    equal(document["agent"]["uploads"]["done"], 4, "and has its uploads")
    with urllib.request.urlopen(found.group(1) + "/metrics", timeout=WAIT_S) as answer:
        lines = answer.read().decode().splitlines()
    sent = document["agent"]["uploads"]["bytes"]
    for name, value in [("uploads_total", 4), ("upload_failures_total", 0),
                        ("uploads_dropped_total", 0), ("upload_bytes_total", sent),
                        ("uploads_waiting", 0), ("uploaded_step", 24)]:
        tap.ok(f'snap_agent_{name}{{run="sweep/one"}} {value}' in lines, f"the metric {name}",
               *lines)


def test_folder(folder):
    world = World(folder)
    config = world.config()
    plain = world.folder / "plain"
    snap("run", config, "--dir", plain, env=world.environment)
    store = world.folder / "store"
    no_port = snap("serve", "--dir", world.root, "--listen", "nowhere", env=world.environment)
    listen = [] if no_port.returncode == 4 else ["--listen", "0"]
    world.agent("--push", f"{store}/", *listen)
    done = world.run("sweep/one", config)
    uploads = world.wait(idle)
    tap.ok(done.returncode == 0 and uploads["done"] == 4 and uploads["failed"] == 0,
           "a run below a folder is uploaded", f"{uploads}\n{world.said()}{outcome(done)}")
    tap.ok(stored(store / "sweep" / "one") == snapshots(plain), "its archives byte for byte")
    equal([(one["step"], one["hash"]) for one in uploads["runs"]],
              [(24, json.loads((plain / "latest").read_text())["snapshot"])],
              "the status has the last one")
    for name in ("ledger.jsonl", "config.json"):
        tap.ok((store / "sweep" / "one" / name).read_bytes() == (plain / name).read_bytes(),
               f"with its {name}")
    done = snap("verify", store / "sweep" / "one", env=world.environment)
    equal(done.returncode, 0, "the store is sound")
    again = world.folder / "again"
    done = snap("pull", store / "sweep" / "one", again, env=world.environment)
    tap.ok(done.returncode == 0 and (again / "ledger.jsonl").read_bytes() ==
           (plain / "ledger.jsonl").read_bytes(), "and pulled", outcome(done))
    check_port(world)
    tap.ok(world.stop() == 0 and "NOT uploaded" not in world.said(), "nothing is left",
           world.said())
    before = stored(store / "sweep" / "one")
    world.agent("--push", str(store))
    uploads = world.wait(idle)
    tap.ok(uploads["done"] == 0 and uploads["bytes"] == 0 and
           stored(store / "sweep" / "one") == before, "an agent that begins again sends nothing",
           str(uploads))
    world.stop()


def test_refused(folder):
    world = World(folder)
    for words, code, text, secret in [
            ([str(world.root)], 2, "lies in the folder that is served", None),
            ([str(world.root / "store")], 2, "lies in the folder that is served", None),
            ([str(world.folder / "no" / "store")], 3, "making the folder", None),
            (["ftp://user:hush@host/x"], 2, "no such kind of store", "hush"),
            ([STORE], 3 if built_in() else 4, "no credentials" if built_in() else "not built in",
             None),
            (["s3://user:hush@bucket/x"], 2 if built_in() else 4, "", "hush"),
            ([str(world.folder / "store"), "--push-wait", "86401"], 2, "--push-wait", None)]:
        done = snap("serve", "--dir", world.root, "--push", *words, env=world.environment)
        tap.ok(done.returncode == code and text in done.stderr and
               (secret is None or secret not in done.stdout + done.stderr),
               f"{' '.join(words)} is refused".replace(str(world.folder), ""), outcome(done))
        tap.ok(done.stdout == "" and os.listdir(world.root) == [],
               "without a word that it serves, and nothing is left",
               f"{os.listdir(world.root)}\n{outcome(done)}")
    (world.root / ".snap-agent.sock").write_text("no socket\n")
    done = snap("serve", "--dir", world.root, "--push", world.folder / "store",
                env=world.environment)
    tap.ok(done.returncode == 3 and "that is no socket" in done.stderr and done.stdout == "" and
           os.listdir(world.root) == [".snap-agent.sock"],
           "no socket can be made: the uploads end, and say nothing", outcome(done))


def test_slow(folder):
    """The server answers nothing until all saves are made: they wait for no upload, and what waits
    is not pruned."""
    world = World(folder)
    config = world.config()
    plain = world.folder / "plain"
    snap("run", config, "--dir", plain, env=world.environment)
    with Stub() as stub:
        world.environment = clean_environment(**stub.environment())
        gate = Gate(stub, "PUT", "archives")
        world.agent("--push", STORE, "--last", "1")
        done = world.run("one", config)
        gate.reached.wait(WAIT_S)
        uploads = world.uploads()
        tap.ok(done.returncode == 0 and uploads["done"] == 0 and
               len(world.events("one", "save")) == 4 and uploads["runs"][0]["waiting"][0] == 24 and
               uploads["under_way"]["file"].startswith("snapshots/step-"),
               "a training waits for no upload", f"{uploads}{outcome(done)}")
        gate.opened.set()
        uploads = world.wait(idle)
        tap.ok(stored_objects(stub, "runs/one") == snapshots(plain) and uploads["done"] == 4,
               "what waited was kept from being pruned", str(uploads))
        equal(world.stop(), 0, "its agent ends")
        tap.ok(SECRET not in world.said(), "and has said no secret")


def test_too_many(folder):
    world = World(folder)
    with Stub() as stub:
        world.environment = clean_environment(**stub.environment())
        gate = Gate(stub, "PUT", "archives")
        world.agent("--push", STORE)
        world.run("one", world.config("running.every=1"))
        gate.reached.wait(WAIT_S)
        uploads = world.uploads()
        tap.ok(uploads["waiting"] == 8 and uploads["dropped"] == 16, "eight wait, no more",
               str(uploads))
        tap.ok(world.said().count("8 later ones wait") == 16, "and each that was dropped is told",
               world.said())
        gate.opened.set()
        uploads = world.wait(idle)
        equal(uploads["done"], 8, "the others arrive")
        world.run("two", world.config())  # and the first run's trouble is in its events
        world.stop()
        troubles = world.events("one", "upload_trouble")
        tap.ok(troubles and not any(problems("event", one) for one in troubles) and
               "8 later ones wait" in troubles[0]["why"], "and is in the run's events",
               str(troubles))


def test_killed(folder):
    """The agent is killed at each request of an upload in parts."""
    world = World(folder)
    config = world.config(*LARGE, "running.every=1")
    run = world.root / "one"
    done = snap("run", config, "--dir", run, "--steps", "1", env=world.environment)
    whole = snapshots(run)
    tap.ok(done.returncode == 0 and max(map(len, whole.values())) > 2 * 16 << 20,
           "an archive of several parts", outcome(done))
    for method, pattern in [("POST", "?uploads"), ("PUT", "partNumber=1"), ("PUT", "partNumber=3"),
                            ("POST", "uploadId"), ("PUT", "ledger.jsonl"), ("PUT", "/latest")]:
        with Stub() as stub:
            world.environment = clean_environment(**stub.environment())
            killed = threading.Event()

            def kill(got, path, method=method, pattern=pattern, killed=killed):
                if got == method and pattern in path and not killed.is_set():
                    killed.set()
                    world.one.process.kill()

            stub.hook = kill
            world.agent("--push", STORE)
            killed.wait(WAIT_S)
            world.kill()
            stub.settle()
            sent = len(stub.requests)
            world.agent("--push", STORE)
            uploads = world.wait(lambda one: one["waiting"] == 0)
            tap.ok(killed.is_set() and stored_objects(stub, "runs/one") == whole and
                   not stub.uploads and "runs/one/latest" in stub.objects and
                   stub.objects["runs/one/ledger.jsonl"] == (run / "ledger.jsonl").read_bytes(),
                   f"killed at {method} {pattern}: the next agent ends it",
                   f"{sent} requests, {uploads}\n{world.said()}")
            world.stop()


def test_broken(folder):
    """Nobody listens at the server's address, and later somebody does."""
    world = World(folder)
    config = world.config()
    with Stub() as stub, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        good = clean_environment(**stub.environment())
        world.environment = {**good, "SNAP_S3_DEADLINE": "1",
                             "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{nobody.getsockname()[1]}"}
        world.agent("--push", STORE)
        done = world.run("one", config)
        tap.ok(done.returncode == 0 and [one["agent"] for one in world.events("one", "save")] ==
               [True] * 4, "saves go on without a server", outcome(done))
        uploads = world.wait(lambda one: one["failed"] >= 2)
        tap.ok(uploads["done"] == 0 and uploads["waiting"] == 4 and
               "no answer in" in uploads["runs"][0]["problem"], "the status says why",
               str(uploads))
        equal(world.said().count("NOT uploaded"), 1, "it is told once")
        equal(world.stop(), 0, "SIGTERM ends the agent")
        equal(world.said().count("NOT uploaded"), 5, "and what is not uploaded is told")
        troubles = world.events("one", "upload_trouble")
        tap.ok(len(troubles) == 5 and troubles[0]["store"] == STORE + "/one" and
               not any(problems("event", one) for one in troubles),
               "and noted in the run", str(troubles))
        text = world.said() + (world.root / "one" / "events.jsonl").read_text()
        tap.ok(SECRET not in text, "without a secret")
        world.environment = good
        world.agent("--push", STORE)
        world.wait(idle)
        tap.ok(stored_objects(stub, "runs/one") ==
               {"step-0000000024": snapshots(world.root / "one")["step-0000000024"]},
               "the next agent uploads the last one", world.said())
        world.stop()


def test_tried_again(folder):
    world = World(folder)
    with Stub() as stub:
        world.environment = clean_environment(**stub.environment())
        stub.fault("PUT", "archives", Answer(403, "AccessDenied"), times=2)
        world.agent("--push", STORE)
        world.run("one", world.config("running.every=24"))
        uploads = world.wait(idle)
        tap.ok(uploads["done"] == 1 and uploads["failed"] == 2 and
               uploads["runs"][0]["problem"] is None, "a failure is tried again after a while",
               f"{uploads}\n{world.said()}")
        world.stop()


def test_end(folder):
    """A server that never answers does not keep the agent."""
    world = World(folder)
    with Stub() as stub:
        world.environment = clean_environment(**stub.environment())
        gate = Gate(stub, "PUT", "archives")
        world.agent("--push", STORE, "--push-wait", "30")
        world.run("one", world.config())
        gate.reached.wait(WAIT_S)
        world.one.process.terminate()
        while (world.root / ".snap-agent.sock").exists() and world.one.lives():
            time.sleep(0.01)
        done = world.run("two", world.config("training.seed=5"))
        tap.ok(done.returncode == 0 and world.one.lives() and len(world.events("two", "save")) == 4
               and not world.events("two", "agent_trouble"),
               "while the agent uploads its last, a training saves by itself", outcome(done))
        gate.opened.set()
        world.stop()
        equal(sorted({key.split("/")[1] for key in stub.objects}), ["one"],
              "and what it has is uploaded")
        stub.objects.clear()
        gate = Gate(stub, "PUT", "archives")
        world.agent("--push", STORE, "--push-wait", "1")
        world.run("three", world.config())
        gate.reached.wait(WAIT_S)
        code = world.stop()
        gate.opened.set()
        tap.ok(code == 0 and world.said().count("NOT uploaded") == 6 and
               "stopped, as was asked" in world.said(), "uploads under way are given up",
               world.said())


def test_lost(folder):
    """A run whose store is another run's, and a snapshot that is gone when its turn comes."""
    world = World(folder)
    store = world.folder / "store"
    world.agent("--push", str(store))
    world.run("one", world.config())
    world.wait(idle)
    world.stop()
    (store / "one").rename(store / "two")
    world.agent("--push", str(store))
    world.run("two", world.config("training.seed=5"))
    uploads = world.wait(lambda one: one["dropped"] == 4)
    tap.ok(uploads["dropped"] == 4 and "give each run a prefix" in world.said() and
           "it is not tried again" in world.said(), "another run's store is left alone",
           f"{uploads}\n{world.said()}")
    world.stop()
    latest = world.root / "two" / "snapshots" / "step-0000000024.snap.tar"
    latest.unlink()
    world.agent("--push", str(world.folder / "other"))
    uploads = world.wait(idle)
    tap.ok(uploads["dropped"] == 1 and str(latest) in world.said(),
           "a snapshot that is gone is told, and no other run waits", f"{uploads}\n{world.said()}")
    world.stop()


def main():
    os.environ.pop("SNAP_AGENT", None)
    tests = [test_folder, test_refused, test_lost]
    with_server = [test_slow, test_too_many, test_killed, test_broken, test_tried_again, test_end]
    if built_in():
        tests += with_server
    else:
        tap.skip("uploads to a server", "object storage is not built in")
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(os.path.realpath(folder))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
