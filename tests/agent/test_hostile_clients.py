#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the agent is sent by whoever has its socket: messages and handovers that are as the protocol
has them, and such as are not. It refuses those, changes nothing, lives on, and keeps no descriptor
and no memory."""

import fcntl
import os
import resource
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "support"))
from agent_client import (SEAL_SIZE, WAIT_S, Agent, Client, Handover,  # noqa: E402
                          memory, request)
from tap import Tap  # noqa: E402

SNAP = os.environ["SNAP"]
STEP = "snapshots/step-0000000006.snap.tar"


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file() and path.name not in ("events.jsonl", "control")}


def frame(text, size=None):
    return struct.pack("<I", len(text) if size is None else size) + text


def bad_bytes():
    """What is no message."""
    yield "nothing", b""
    yield "half a length", b"\x05\x00"
    yield "a length of nothing", struct.pack("<I", 0)
    yield "a length past the limit", frame(b"{}\n", (1 << 20) + 1)
    yield "a length of 4 GiB", frame(b"{}\n", 0xffffffff)
    yield "half a document", frame(b'{"request":', 100)
    yield "no JSON", frame(b"hello\n")
    yield "spaces", frame(b'{"request": "status", "version": 1}\n')
    yield "keys in another order", frame(b'{"version":1,"request":"status"}\n')
    yield "no newline", frame(b'{"request":"status","version":1}')
    yield "a key twice", frame(b'{"request":"status","request":"status","version":1}\n')
    yield "an array", frame(b"[]\n")
    yield "a real", frame(b'{"request":"status","version":1.0}\n')
    yield "bytes that are no text", frame(b'{"request":"\xff","version":1}\n')
    yield "brackets without end", frame(b"[" * 100000)


def bad_requests(root, run):
    """Objects that are no request, with what the answer must say."""
    offer = request("offer", dir=str(run), file=STEP, bytes=1)
    yield "no version", {"request": "status"}, "no version"
    yield "version 2", {"request": "status", "version": 2}, "speaks version 1"
    yield "an unknown word", request("sing"), "no request"
    yield "no word", {"version": 1}, "no request"
    yield "a key too many", request("status", more=1), "not as it should be"
    yield "a key too few", {key: offer[key] for key in offer if key != "file"}, "file"
    yield "fewer than no bytes", {**offer, "bytes": -1}, "bytes"
    yield "bytes as text", {**offer, "bytes": "1"}, "bytes"
    yield "a relative folder", {**offer, "dir": "run"}, "dir"
    yield "a folder that is a number", {**offer, "dir": 1}, "dir"
    yield "a folder that is not there", {**offer, "dir": f"{root}/none"}, "no folder by its own"
    yield "dots", {**offer, "dir": f"{run}/../run"}, "no folder by its own"
    yield "a link", {**offer, "dir": f"{root}/link"}, "no folder by its own"
    yield "a file", {**offer, "dir": f"{run}/latest"}, "no folder by its own"
    yield "a folder elsewhere", {**offer, "dir": os.path.dirname(root)}, "serves the folders"
    yield "a folder whose name begins alike", {**offer, "dir": f"{root}-other"}, "serves the folder"
    yield "a path past all limits", {**offer, "dir": "/" * 5000}, "dir"
    yield "more than there is room for", {**offer, "bytes": 1 << 50}, "give it more"
    yield "a save without an offer", request("save", head_bytes=1), "came with 0 files"


def bad_handovers(run, other):
    """(name, changes of what is given, changes of the head)"""
    good = Handover(run, run / STEP)
    documents, head_bytes = good.documents()
    events = os.O_RDWR | os.O_APPEND
    yield "documents that can be changed", {"documents": memory(documents, SEAL_SIZE)}, {}
    yield "documents that are a file", {"documents": os.open(run / "latest", os.O_RDONLY)}, {}
    yield "staging memory that can shrink", {"staging": memory(good.staging, 0)}, {}
    yield "no staging memory", {"staging": b""}, {}
    yield "less staging memory", {"staging": good.staging[:64]}, {}
    yield "another run's lock", {"lock": os.open(other / "events.jsonl", events)}, {}
    yield "another file as the lock", {"lock": os.open(run / "ledger.jsonl", events)}, {}
    yield "memory as the lock", {"lock": memory(b"lock")}, {}
    yield "a head that is too long", {"head_bytes": len(documents) + 1}, {}
    yield "a head that is too short", {"head_bytes": head_bytes - 1}, {}
    yield "a head of nothing", {"head_bytes": 0}, {}
    yield "documents of noise", {"documents": bytes(range(256)) * 64}, {}
    yield "another format", {}, {"format": "snap-handover-2"}
    yield "a name that is another step's", {}, {"name": "snapshots/step-0000000007.snap.tar"}
    yield "a name that leads out", {}, {"name": "../../step-0000000006.snap.tar"}
    yield "a place too few", {}, {"places": good.places[:-1]}
    yield "a place outside", {}, {"places": [[0, 1 << 40]] + good.places[1:]}
    yield "a place before", {}, {"places": [[0, -64]] + good.places[1:]}
    yield "a place in no memory", {}, {"places": [[2, 0]] + good.places[1:]}
    yield "no places", {}, {"places": []}
    members = good.manifest["members"]
    larger = [{**members[1], "size": members[1]["size"] + (1 << 33)}]
    yield "a member past its memory", {}, {"manifest": {**good.manifest, "members":
                                                        members[:1] + larger + members[2:]}}
    yield "a member with a path", {}, {"manifest": {**good.manifest, "members": [
        {**member, "name": "tensors/../../x"} if member["name"].startswith("tensors/") else member
        for member in members]}}
    yield "a capsule", {}, {"manifest": {**good.manifest, "kind": "capsule"}}
    yield "a base elsewhere", {}, {"written": {**good.head["written"], "base": {
        "followers": 0, "hash": "snap1:" + 64 * "0", "name": "../latest"}}}
    yield "a key too many", {}, {"more": 1}
    yield "a flag that is a number", {}, {"keep_latest": 1}
    yield "a held step below zero", {}, {"held": [6, -1]}
    yield "a held step that is a text", {}, {"held": ["6"]}
    yield "held steps past all limits", {}, {"held": list(range(65537))}


def check_good(tap, root, run):
    """The protocol of the page, by another hand: what it hands over becomes the same file."""
    good = Handover(run, run / STEP)
    before = contents(run)
    with Client(root) as client:
        answer = good.give(client)
        tap.ok(answer["answer"] == "saved" and answer["was_there"], "a snapshot that is there",
               answer)
        os.unlink(run / STEP)
        again = good.give(client)
        tap.ok(again["answer"] == "saved" and not again["was_there"] and
               again["hash"] == answer["hash"], "one that is not, on the same connection", again)
        tap.ok(contents(run) == before, "is the same file, and nothing else has changed")
        here = client.ask(request("fetch", dir=str(run), hash=answer["hash"]))
        bytes_there = os.pread(client.files[0], 1 << 24, 0) if client.files else b""
        tap.ok(here["answer"] == "here" and bytes_there == (run / STEP).read_bytes(),
               "and lies in memory", here)
        try:
            os.pwrite(client.files[0], b"x", 0)
            tap.ok(False, "where nobody can change it")
        except OSError:
            tap.ok(True, "where nobody can change it")
        tap.ok(client.ask(request("fetch", dir=str(run), hash="snap1:" + 64 * "0"))["answer"] ==
               "absent", "another one does not")
        tap.ok(client.ask(request("settle", dir=str(run)))["answer"] == "settled",
               "nothing is under way")


def check_bytes(tap, root):
    for name, data in bad_bytes():
        with Client(root) as client:
            client.raw(data)
            client.socket.shutdown(1)
            answer = client.receive()
            tap.ok(answer is None or answer["answer"] == "refused", f"no message: {name}", answer)


def check_requests(tap, root, run):
    for name, value, said in bad_requests(root, run):
        with Client(root) as client:
            answer = client.ask(value)
            tap.ok(answer is not None and answer["answer"] == "refused" and said in answer["why"],
                   f"no request: {name}", answer)
            tap.ok(client.receive() is None, "it hangs up")
    for count in (1, 3, 4, 200):
        with Client(root) as client:
            files = [os.open("/dev/null", os.O_RDONLY) for _ in range(count)]
            answer = client.ask(request("status"), files)
            tap.ok(answer is None or answer["answer"] == "refused", f"{count} files unasked",
                   answer)
            for fd in files:
                os.close(fd)
    offer = request("offer", dir=str(run), file=STEP, bytes=1000)
    with Client(root) as client:
        tap.ok(client.ask(offer)["answer"] == "ready", "an offer is taken")
        answer = client.ask(request("status"))
        tap.ok(answer["answer"] == "failed", "and then only a save", answer)
    with Client(root) as client:
        tap.ok(client.ask(offer)["answer"] == "ready", "an offer that nothing follows")


def check_handovers(tap, root, run, other):
    before = contents(run)
    for name, changed, head in bad_handovers(run, other):
        bad = Handover(run, run / STEP)
        bad.head.update(head)
        with Client(root) as client:
            answer = bad.give(client, **changed)
        tap.ok(answer is not None and answer["answer"] == "failed" and answer["why"],
               f"no handover: {name}", answer)
        if contents(run) != before:
            tap.ok(False, f"{name}: nothing has changed")
    tap.ok(contents(run) == before, "nothing has changed by any of them")
    held = Handover(run, run / STEP)
    lock = held.lock()
    with Client(root) as client:
        answer = held.give(client, lock=os.open(run / "events.jsonl", os.O_RDWR))
        tap.ok(answer["answer"] == "failed" and "does not hold the run" in answer["why"],
               "a lock that somebody else holds", answer)
    os.close(lock)


def check_memory(tap, root, run):
    """More memory than was offered, however it is spread."""
    good = Handover(run, run / STEP)
    there = good.offer()["bytes"]
    for name, offered in (("a byte", there - 1), ("all but a byte", 1)):
        with Client(root) as client:
            answer = good.give(client, bytes=offered)
        tap.ok(answer["answer"] == "failed" and f"{there} bytes of memory, and {offered} were "
               "offered" in answer["why"], f"more memory than was offered, by {name}", answer)
    sparse = os.memfd_create("sparse", os.MFD_ALLOW_SEALING)
    os.ftruncate(sparse, 1 << 62)
    fcntl.fcntl(sparse, fcntl.F_ADD_SEALS, SEAL_SIZE)
    with Client(root) as client:
        answer = good.give(client, staging=sparse, bytes=there)  # closed there
    tap.ok(answer["answer"] == "failed" and "were offered" in answer["why"],
           "memory of 2^62 bytes", answer)


def check_descriptors(tap, root, run, agent):
    """The agent may open no more files when a save's arrive: it says so, and closes what came."""
    pid = agent.process.pid
    good = Handover(run, run / STEP)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with Client(root) as client:
        tap.ok(client.ask(good.offer())["answer"] == "ready", "an offer is taken")
        documents, head_bytes = good.documents()
        files = [memory(documents), good.lock(), memory(good.staging, SEAL_SIZE)]
        free = min(set(range(1 << 16)) - set(map(int, os.listdir(f"/proc/{pid}/fd"))))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free + 1, before[1]))
        answer = client.ask(request("save", head_bytes=head_bytes), files)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        tap.ok(answer["answer"] == "failed" and "may open no more" in answer["why"],
               "an agent without descriptors", answer)
        for fd in files:
            os.close(fd)


def check_crowd(tap, root):
    """More connections than there may be: those past the limit are hung up on."""
    crowd = [Client(root) for _ in range(500)]
    served = 0
    for client in crowd:
        answer = client.ask(request("status"))
        served += answer is not None
    tap.ok(200 < served <= 256, "500 at once: 256 are served at most", served)
    for client in crowd:
        client.socket.close()


def settled(root, agent, files):
    """Nothing is left of all that: wait for the last connections to be gone."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        with Client(root) as client:
            status = client.ask(request("status"))
        left = {"connections": status["connections"] - 1, "jobs": len(status["jobs"]),
                "files": agent.files() - files}
        if left == {"connections": 0, "jobs": 0, "files": 1}:  # ours
            break
        time.sleep(0.05)
    return left, status


def is_whole(path):
    with tarfile.open(path) as tar:
        return any(name.startswith("tensors/") for name in tar.getnames())


def check_held(tap, root):
    """What a training holds is no stub by the agent's own rules."""
    run = Path(root, "held")
    agent = Agent(SNAP, root, "--last", "1")
    good = Handover(run, run / "snapshots/step-0000000024.snap.tar")
    os.unlink(run / "snapshots/step-0000000024.snap.tar")
    good.head["held"] = [6]
    with Client(root) as client:
        answer = good.give(client)
    whole = [int(path.name[5:15]) for path in sorted(run.glob("snapshots/*")) if is_whole(path)]
    tap.ok(answer["answer"] == "saved" and whole == [6, 24], "what is held stays whole", answer,
           whole)
    tap.ok(agent.stop()[0] == 0, "and that agent ends")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="snap-hostile-") as name:
        root = os.path.realpath(name) + "/root"
        config = os.path.join(name, "config.json")
        longer = os.path.join(name, "longer.json")
        os.mkdir(root)
        os.mkdir(f"{root}-other")
        for path, epochs in ((config, 1), (longer, 2)):
            subprocess.run(["sh", "-c", 'work=$1; . "$top_srcdir/tests/cli/fixture.sh" && '
                            'make_config "$2" "$3"', "sh", name, path,
                            f"training.epochs={epochs}"], check=True)
        for run in ("run", "other"):
            subprocess.run([SNAP, "run", config, "--dir", f"{root}/{run}", "--steps", "6"],
                           check=True, stdout=subprocess.DEVNULL,
                           env={**os.environ, "SNAP_AGENT": ""})
        subprocess.run([SNAP, "run", longer, "--dir", f"{root}/held"],
                       check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "SNAP_AGENT": ""})
        check_held(tap, root)
        os.symlink("run", f"{root}/link")
        run, other = Path(root, "run"), Path(root, "other")
        agent = Agent(SNAP, root, "--memory", "64M")
        files = agent.files()
        check_good(tap, root, run)
        memory_used = settled(root, agent, files)[1]["memory_bytes"]
        check_bytes(tap, root)
        check_requests(tap, root, run)
        check_handovers(tap, root, run, other)
        check_memory(tap, root, run)
        check_descriptors(tap, root, run, agent)
        check_crowd(tap, root)
        left, status = settled(root, agent, files + 1)  # the snapshot in memory
        tap.ok(left == {"connections": 0, "jobs": 0, "files": 1}, "nothing is left over", left)
        tap.ok(status["memory_bytes"] == memory_used, "but the snapshot in memory",
               status["memory_bytes"], memory_used)
        tap.ok(agent.lives(), "the agent lives")
        status, said = agent.stop()
        tap.ok(status == 0, "and ends when told", said)
        shutil.rmtree(root)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
