#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An agent that is none: it hangs up, talks nonsense, or gives memory that is not the snapshot. The
training saves and restores by itself, to the same ledger and state."""

import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "support"))
from agent_client import SEAL_ALL, SEAL_SIZE, canonical, memory  # noqa: E402
from tap import Tap  # noqa: E402

SNAP = os.environ["SNAP"]


def frame(value):
    text = value if isinstance(value, bytes) else canonical(value)
    return struct.pack("<I", len(text)) + text


class FalseAgent:
    """A socket that answers each request with what `answer(request word)` gives: bytes and files,
    or None to hang up."""

    def __init__(self, path, answer):
        self.answer, self.asked = answer, []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(16)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(one,), daemon=True).start()

    def talk(self, one):
        try:
            self.talk_on(one)
        except ConnectionError:
            pass  # the training has had enough

    def talk_on(self, one):
        with one:
            while True:
                size = one.recv(4, socket.MSG_WAITALL)
                if len(size) < 4:
                    return
                text = one.recv(struct.unpack("<I", size)[0], socket.MSG_WAITALL)
                word = re.search(rb'"request":"(\w+)"', text).group(1).decode()
                self.asked.append(word)
                answer = self.answer(word)
                if answer is None:
                    return
                data, files = answer
                socket.send_fds(one, [data], files)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()


def run(*command, sock=""):
    done = subprocess.run([SNAP, *map(str, command)], check=False, text=True, timeout=120,
                          env={**os.environ, "SNAP_AGENT": str(sock)}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def bad_savers():
    yield "hangs up", lambda word: None
    yield "says nothing that is known", lambda word: (frame({"answer": "hello"}), [])
    yield "speaks no JSON", lambda word: (frame(b"hello\n"), [])
    yield "speaks without end", lambda word: (struct.pack("<I", 0xffffffff) + b"x" * 1000, [])
    yield "is ready, and hangs up", lambda word: (
        (frame({"answer": "ready"}), []) if word == "offer" else None)
    yield "is ready, and fails", lambda word: (
        frame({"answer": "ready"} if word == "offer" else
              {"answer": "failed", "status": "internal", "why": "no reason"}), [])
    yield "has saved, and says nothing of it", lambda word: (
        frame({"answer": "ready" if word == "offer" else "saved"}), [])
    yield "has saved something else", lambda word: (
        frame({"answer": "ready"} if word == "offer" else
              {"answer": "saved", "hash": "snap2:0", "was_there": False, "written": {}}), [])


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def bad_memories(archive, other):
    data = archive.read_bytes()
    yield "nothing", lambda: []
    yield "two files", lambda: [memory(data), memory(data)]
    yield "a file", lambda: [os.open(archive, os.O_RDONLY)]
    yield "memory that can be changed", lambda: [memory(data, SEAL_SIZE)]
    yield "another snapshot", lambda: [memory(other.read_bytes())]
    yield "half of it", lambda: [memory(data[:len(data) // 2])]
    yield "noise", lambda: [memory(bytes(range(256)) * 64)]
    yield "nothing but a listing", lambda: [memory(data[-8192:])]
    for at in (600, 3000, len(data) // 3, len(data) // 2, 2 * len(data) // 3, len(data) - 6000):
        yield f"it with byte {at} flipped", lambda at=at: [memory(flipped(data, at), SEAL_ALL)]


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="snap-false-") as name:
        folder = Path(name).resolve()
        config, sock, plain = folder / "config.json", folder / "sock", folder / "plain"
        subprocess.run(["sh", "-c", 'work=$1; . "$top_srcdir/tests/cli/fixture.sh" && '
                        'make_config "$2" training.epochs=1', "sh", name, str(config)], check=True)
        run("run", config, "--dir", plain)
        last = plain / "snapshots" / "step-0000000012.snap.tar"

        for number, (what, answer) in enumerate(bad_savers()):
            there = folder / f"saved-{number}"
            with FalseAgent(sock, answer) as agent:
                status, said = run("run", config, "--dir", there, sock=sock)
            os.unlink(sock)
            tap.ok(status == 0 and said.count("the training saves by itself") == 1 and agent.asked,
                   f"an agent that {what}: the training saves by itself", status, said)
            tap.ok(all((there / file).read_bytes() == (plain / file).read_bytes()
                       for file in ("ledger.jsonl", "latest")), "as if there were none")

        before = plain / "snapshots" / "step-0000000006.snap.tar"
        for what, files in bad_memories(last, before):
            def answer(word, files=files):
                return (frame({"answer": "here"}), files()) if word == "fetch" else None
            with FalseAgent(sock, answer) as agent:
                status, said = run("restore", plain, sock=sock)
            os.unlink(sock)
            tap.ok(status == 0 and "fetch" in agent.asked and "exact" in said,
                   f"given {what}, a restore takes the file", status, said)
        events = (plain / "events.jsonl").read_text()
        tap.ok('"memory":true' not in events, "none of them was taken")

        def good(word):
            return (frame({"answer": "here"}), [memory(last.read_bytes())]) \
                if word == "fetch" else None
        with FalseAgent(sock, good):
            status, said = run("restore", plain, sock=sock)
        tap.ok(status == 0 and '"memory":true' in (plain / "events.jsonl").read_text(),
               "the snapshot is", status, said)
        tap.ok(run("verify", plain)[0] == 0, "and the run is sound")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
