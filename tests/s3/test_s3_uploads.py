#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Uploads in parts, against a server that fails on demand: gone on with, shared, given up, and the
client killed at each of its requests."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path[:0] = [f"{os.environ['top_srcdir']}/tests/{name}" for name in ("support", "s3")]

from s3_fixture import (LARGE, SNAP, built_in, clean_environment, make_run,  # noqa: E402
                        outcome, snap)
from stub_server import CLOSE, FLIP_IN, LOST, Answer, Stub  # noqa: E402
from tap import Tap  # noqa: E402

STORE = "s3://bucket/runs/one"
PREFIX = "runs/one/"
MIB = 1 << 20
PARTS = ["--part-size", "5"]

tap = Tap()


def push(stub, file, *words, **more):
    return snap("push", file, STORE, *PARTS, *words,
                env=clean_environment(**{**stub.environment(), **more}))


def archive(stub):
    """The archive in the store; None: there is none."""
    found = [data for key, data in stub.objects.items() if "/archives/" in key]
    assert len(found) < 2
    return found[0] if found else None


def parts_sent(stub):
    return sum(1 for request in stub.requests
               if request.method == "PUT" and "partNumber" in request.query)


def done_well(name, stub, done, content):
    tap.ok(done.returncode == 0 and archive(stub) == content and not stub.uploads
           and PREFIX + "latest" in stub.objects, name, outcome(done))


def test_faults(file, content):
    for method, pattern, fault in [
            ("POST", r"\?uploads", Answer(503, "SlowDown")), ("POST", r"\?uploads", CLOSE),
            ("POST", r"\?uploads", LOST), ("PUT", "partNumber=3", CLOSE),
            ("PUT", "partNumber=2", Answer(500, "InternalError")),
            ("PUT", "partNumber=1", LOST), ("PUT", "partNumber=2", FLIP_IN),
            ("POST", r"\?uploadId", Answer(503, "SlowDown")), ("POST", r"\?uploadId", CLOSE),
            ("POST", r"\?uploadId", LOST), ("GET", r"\?prefix.*uploads", CLOSE),
            ("POST", r"\?uploadId", Answer(200, "InternalError"))]:
        with Stub() as stub:
            stub.page = 2
            stub.fault(method, pattern, fault, times=2)
            done_well(f"in spite of {method} {pattern} {fault}", stub, push(stub, file), content)


def test_resume(file, content):
    for last in (1, 2, 3):
        with Stub() as stub:
            stub.page = 1
            stub.fault("PUT", f"partNumber={last}", Answer(503, "SlowDown"), times=10000)
            broken = push(stub, file, "--connections", "1", SNAP_S3_DEADLINE="1")
            tap.ok(broken.returncode == 3 and "push again" in broken.stderr and not stub.objects,
                   f"broken off at part {last}: exit 3, and nothing is seen", outcome(broken))
            listed = snap("list", STORE, env=clean_environment(**stub.environment()))
            tap.ok("unfinished" in listed.stdout, "list tells of it", outcome(listed))
            stub.faults.clear()
            stub.requests.clear()
            done = push(stub, file, "--json")
            done_well("pushed again it gets through", stub, done, content)
            tap.ok(parts_sent(stub) == 3 - (last - 1),
                   f"only what was missing was sent: {parts_sent(stub)} of 3 parts")
    # Parts of somebody else, or of another size, are sent again.
    with Stub() as stub:
        stub.fault("PUT", "partNumber=3", Answer(503, "SlowDown"), times=10000)
        push(stub, file, SNAP_S3_DEADLINE="1")
        upload = next(iter(stub.uploads.values()))
        upload["parts"][1] = bytes(len(upload["parts"][1]))
        upload["parts"][9] = b"more"
        stub.faults.clear()
        stub.requests.clear()
        done_well("a part with other bytes is sent again", stub, push(stub, file), content)
        tap.ok(parts_sent(stub) == 2, "and it alone, beside the one that was missing")
    with Stub() as stub:
        stub.fault("PUT", "partNumber=3", Answer(503, "SlowDown"), times=10000)
        push(stub, file, SNAP_S3_DEADLINE="1")
        stub.faults.clear()
        done = snap("push", file, STORE, "--part-size", "6",
                    env=clean_environment(**stub.environment()))
        done_well("with parts of another size", stub, done, content)
    # Forgotten by the server while it goes on.
    with Stub() as stub:
        stub.fault("PUT", "partNumber=3", Answer(503, "SlowDown"), times=10000)
        push(stub, file, SNAP_S3_DEADLINE="1")
        stub.faults.clear()

        def forget(method, path):
            if method == "PUT" and "partNumber" in path:
                stub.hook = None
                stub.uploads.clear()
        stub.hook = forget
        done = push(stub, file)
        tap.ok(done.returncode == 3 and archive(stub) is None, "given up by another: exit 3",
               outcome(done))
        done_well("and the next push gets through", stub, push(stub, file), content)


def test_lost_answers(file, content):
    """The upload is gone, and an object of that size is there: it need not be this one."""
    for name, there, expected in (("these", content, 0), ("other", bytes(len(content)), 1)):
        with Stub() as stub:
            def end(method, path):
                if method == "POST" and "uploadId" in path:
                    stub.hook = None
                    stub.uploads.clear()
                    stub.objects[path.partition("?")[0].partition("/bucket/")[2]] = there
            stub.hook = end
            done = push(stub, file)
            tap.ok(done.returncode == expected and archive(stub) == there
                   and (PREFIX + "latest" in stub.objects) == (expected == 0),
                   f"ended by another, with {name} bytes: exit {expected}", outcome(done))


def test_give_up(file, folder):
    with Stub() as stub:
        stub.fault("PUT", "partNumber=3", Answer(503, "SlowDown"), times=10000)
        push(stub, file, SNAP_S3_DEADLINE="1")
        other = dict(key="runs/two/x", parts={})
        stub.uploads["other"] = other
        done = snap("push", "--give-up", STORE, env=clean_environment(**stub.environment()))
        tap.ok(done.returncode == 0 and "1 unfinished" in done.stdout
               and list(stub.uploads.values()) == [other],
               "--give-up has the server forget those of the store, and no other", outcome(done))
    damaged = Path(folder) / "damaged.snap.tar"
    content = bytearray(file.read_bytes())
    content[len(content) - 3 * MIB] ^= 1
    damaged.write_bytes(content)
    with Stub() as stub:
        done = push(stub, damaged)
        tap.ok(done.returncode == 5 and not stub.objects and not stub.uploads,
               "a damaged archive: exit 5, and its upload is given up", outcome(done))
    with Stub() as stub:
        stub.fault("PUT", "partNumber=2", FLIP_IN, times=10000)
        done = push(stub, file)
        tap.ok(done.returncode == 5 and not stub.objects and not stub.uploads,
               "bytes that never arrive as they are: exit 5, and it is given up", outcome(done))


def test_together(file, content):
    """Two that push one archive at a time share what they send, or one finds it done."""
    for turn in range(3):
        with Stub() as stub:
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(push(stub, file)))
                       for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            tap.ok(all(done.returncode == 0 for done in answers) and archive(stub) == content,
                   f"three at a time, turn {turn}", *map(outcome, answers))
    # The object appears while the last call is on its way.
    for other, expected in ((content, 0), (b"other", 1)):
        with Stub() as stub:
            def appear(method, path, stub=stub, other=other):
                if method == "POST" and "uploadId" in path:
                    stub.hook = None
                    stub.objects[path.partition("?")[0].partition("/bucket/")[2]] = other
            stub.hook = appear
            done = push(stub, file)
            tap.ok(done.returncode == expected and archive(stub) == other and not stub.uploads,
                   f"412 to the last call: exit {expected}", outcome(done))


def test_progress(file):
    """On a terminal it says how far it is; what is not a terminal stays empty."""
    with Stub() as stub:
        done = push(stub, file)
        tap.ok(done.returncode == 0 and done.stderr == "", "no progress in a pipe", done.stderr)
    with Stub() as stub:
        master, terminal = os.openpty()
        with subprocess.Popen([SNAP, "push", str(file), STORE, *PARTS], stderr=terminal,
                              stdout=subprocess.PIPE,
                              env=clean_environment(**stub.environment())) as client:
            client.communicate()
        os.close(terminal)
        seen = b""
        with contextlib.suppress(OSError):  # EIO: that was all
            while piece := os.read(master, 65536):
                seen += piece
        os.close(master)
        seen = seen.decode()
        tap.ok(client.returncode == 0 and seen.count(" of 13.8 MiB") == 3
               and seen.endswith("\r\033[K"), "a line for each part on a terminal", repr(seen))


def test_killed(file, content):
    """The client is killed when request number k arrives: before it is answered, or after."""
    with Stub() as stub:
        push(stub, file, "--connections", "1")
        total = len(stub.requests)
    for after in (False, True):
        wrong = []
        for number in range(total):
            with Stub() as stub:
                killed_at(stub, file, number, after)
                seen = archive(stub)
                if seen not in (None, content) or (PREFIX + "latest" in stub.objects
                                                   and seen is None):
                    wrong.append(f"killed at request {number}: half an archive")
                again = push(stub, file)
                if again.returncode != 0 or archive(stub) != content or stub.uploads:
                    wrong.append(f"killed at request {number}, and again: {outcome(again)}")
        tap.empty(wrong, f"killed at each of {total} requests, {'after' if after else 'before'} "
                         "the server acts: whole or absent, and the next push completes it")


def killed_at(stub, file, number, after):
    seen = []
    with subprocess.Popen([SNAP, "push", str(file), STORE, *PARTS, "--connections", "1"],
                          env=clean_environment(**stub.environment()),
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        def kill(_, __):
            seen.append(None)
            if len(seen) == number + 1:
                client.kill()
                client.wait()
                if not after:
                    raise ConnectionError("the client is gone")
        stub.hook = kill
        client.wait()
    stub.hook = None
    stub.settle()


def main():
    if not built_in():
        tap.skip("object storage", "it is not built in: no headers of libcurl or expat")
        return tap.done()
    with tempfile.TemporaryDirectory() as top:
        _, files = make_run(top, LARGE, 1)
        file, content = files[-1], files[-1].read_bytes()
        tap.ok(10 * MIB < len(content) < 15 * MIB, f"an archive of three parts: {len(content)}")
        test_faults(file, content)
        test_lost_answers(file, content)
        test_resume(file, content)
        test_give_up(file, top)
        test_together(file, content)
        test_progress(file)
        test_killed(file, content)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
