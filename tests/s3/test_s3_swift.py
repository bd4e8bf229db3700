#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Object storage on a real server, OpenStack Swift: every command, broken uploads, and client and
servers killed at any moment. Nobody ever sees half an archive."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path[:0] = [f"{os.environ['top_srcdir']}/tests/{name}" for name in ("support", "s3")]

import swift_server  # noqa: E402
from s3_fixture import (BUILD, LARGE, SMALL, SNAP, built_in, clean_environment,  # noqa: E402
                        make_run, outcome, snap)
from tap import Tap  # noqa: E402

STORE = "s3://bucket/runs"
LEAST_PART = ["--part-size", "5"]

tap = Tap()


class Session:
    def __init__(self, swift):
        self.swift = swift
        self.env = clean_environment(**swift.environment())

    def run(self, *words, **more):
        return snap(*words, env={**self.env, **more})

    def exits(self, expected, name, *words, **more):
        done = self.run(*words, **more)
        tap.ok(done.returncode == expected, f"{name}: exit {expected}", outcome(done))
        return done

    def listed(self, store):
        done = self.run("list", store, "--json")
        if done.returncode != 0:
            tap.ok(False, f"list of {store}", outcome(done))
        return json.loads(done.stdout)["result"] or {"archives": [], "uploads": []}

    def whole(self, store, files, folder):
        """Are all archives that the store shows equal to one of the files?"""
        listed = self.listed(store)
        contents = {file.read_bytes() for file in files}
        for number, archive in enumerate(listed["archives"]):
            output = Path(folder) / f"whole-{number}.snap.tar"
            output.unlink(missing_ok=True)
            done = self.run("pull", f"{store}/{archive['file']}", output)
            if done.returncode != 0 or output.read_bytes() not in contents:
                return False
        return True


def make_bucket(swift):
    """By Swift's own interface: a bucket is a container."""
    code = ("import http.client, sys;"
            "c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]));"
            "c.request('GET', '/auth/v1.0', headers={'X-Auth-User': 'test:tester',"
            "'X-Auth-Key': 'testing'}); r = c.getresponse(); r.read();"
            "t = r.getheader('X-Auth-Token'); assert t;"
            "c.request('PUT', '/v1/AUTH_test/bucket', headers={'X-Auth-Token': t,"
            "'Content-Length': '0'}); r = c.getresponse(); assert r.status in (201, 202), r.status")
    subprocess.run([sys.executable, "-c", code, str(swift.ports["proxy"])], check=True)


def test_commands(session, files, folder):
    store = f"{STORE}/commands"
    done = subprocess.run([BUILD / "tests/unit/test_store"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, check=False,
                          env={**session.env, "SNAP_TEST_S3_URI": "s3://bucket/a b=1"})
    tap.ok(done.returncode == 0, "the conformance test of stores", done.stdout)
    done = session.exits(0, "push of a run", "push", files[0].parents[1], store)
    tap.ok("create-only" in done.stdout, "501: it says that Swift has no conditions")
    listed = session.listed(store)
    tap.ok([a["step"] for a in listed["archives"]] == [6, 12, 18, 24], "list shows all", listed)
    uri = f"{store}/{listed['archives'][1]['file']}"
    session.exits(0, "push again", "push", files[0].parents[1], store)
    for words in (["verify", store], ["verify", uri], ["hash", uri], ["show", store],
                  ["list", uri], ["cat", uri, "rng/host"], ["diff", uri, files[1]],
                  ["push", files[0], store]):
        session.exits(0, f"{words[0]} of {'a store' if store in words else 'an archive'}", *words)
    session.exits(0, "pull", "pull", store, Path(folder) / "pulled", "--all")
    tap.ok(all((Path(folder) / "pulled/snapshots" / file.name).read_bytes() == file.read_bytes()
               for file in files), "what was pulled is what was pushed")
    session.exits(0, "restore of what was pulled", "restore", Path(folder) / "pulled")
    session.exits(0, "restore from the store", "restore", store, "--dir", Path(folder) / "new",
                  "--data", Path(os.environ["top_srcdir"]) / "data", "--steps", "24")
    session.exits(3, "a bucket that is not there", "push", files[0], "s3://nobucket/x")
    session.exits(3, "a wrong secret", "list", store, AWS_SECRET_ACCESS_KEY="wrong")


def test_large(session, large, folder):
    store = f"{STORE}/large"
    session.exits(0, "push in parts", "push", large, store, *LEAST_PART)
    tap.ok(session.whole(store, [large], folder), "it is there, byte for byte")
    session.exits(0, "verify of it", "verify", store)


def test_servers_killed(session, large, folder):
    """A server of the node, and the proxy, in the middle of an upload."""
    for number, name in enumerate(("object", "container", "proxy")):
        store = f"{STORE}/killed-{name}"
        session.swift.kill(name)
        done = session.run("push", large, store, *LEAST_PART, SNAP_S3_DEADLINE="1")
        tap.ok(done.returncode == 3, f"without its {name} server: exit 3", outcome(done))
        session.swift.start(name)
        tap.ok(session.whole(store, [large], folder), "nothing half is seen", outcome(done))
        # Away for a second while parts are on the way: the client waits for it.
        timer = threading.Timer(0.2 + 0.2 * number, lambda name=name: blink(session.swift, name))
        timer.start()
        done = session.run("push", large, store, *LEAST_PART)
        timer.join()
        tap.ok(done.returncode == 0, f"the {name} server comes back: exit 0", outcome(done))
        tap.ok(len(session.listed(store)["archives"]) == 1
               and session.whole(store, [large], folder), "the upload is the file")


def blink(swift, name):
    swift.kill(name)
    time.sleep(1)
    swift.start(name)


def test_client_killed(session, large, folder):
    """At a growing time after its start, until it gets through."""
    store = f"{STORE}/client"
    wrong, went_on, pause, through = 0, 0, 0.02, False
    for _ in range(60):
        with subprocess.Popen([SNAP, "push", str(large), store, *LEAST_PART], env=session.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            try:
                out, _ = client.communicate(timeout=pause)
                through = client.returncode == 0
            except subprocess.TimeoutExpired:
                client.kill()
                client.communicate()
        wrong += not session.whole(store, [large], folder)
        if through:
            went_on += b"were there" in out or b"there already" in out
            break
        pause += 0.02
    tap.ok(wrong == 0, "killed at any moment it leaves the whole archive, or nothing")
    tap.ok(through and len(session.listed(store)["archives"]) == 1,
           f"the push gets through after {pause:.2f} s")
    tap.ok(went_on == 1, "and goes on with what was there")
    tap.ok(session.whole(store, [large], folder), "the resumed upload is the file")


def test_give_up(session, large):
    store = f"{STORE}/given"
    session.swift.kill("object")
    session.run("push", large, store, *LEAST_PART, SNAP_S3_DEADLINE="1")
    session.swift.start("object")
    before = session.listed(store)
    session.exits(0, "give up", "push", "--give-up", store)
    after = session.listed(store)
    tap.ok(after["uploads"] == [] and after["archives"] == [],
           "nothing unfinished is left", before, after)


def main():
    if not built_in():
        tap.skip("object storage", "it is not built in: no headers of libcurl or expat")
        return tap.done()
    if swift_server.missing():
        tap.skip("object storage on Swift", f"{swift_server.missing()[0]} is not installed")
        return tap.done()
    with tempfile.TemporaryDirectory() as top:
        for name in ("small", "large"):
            (Path(top) / name).mkdir()
        _, files = make_run(Path(top) / "small", SMALL, 24)
        _, large = make_run(Path(top) / "large", LARGE, 1)
        with swift_server.Swift(Path(top) / "swift") as swift:
            make_bucket(swift)
            session = Session(swift)
            test_commands(session, files, top)
            test_large(session, large[-1], top)
            test_servers_killed(session, large[-1], top)
            test_client_killed(session, large[-1], top)
            test_give_up(session, large[-1])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
