# SPDX-License-Identifier: Apache-2.0
"""The other side of docs/agent-protocol.md in plain Python, as the page has it, and an agent for
tests."""

import array
import atexit
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import tarfile
from pathlib import Path

MADE_BY_WRITER = ("README", "STATE", "SHA256SUMS")
SEAL_SIZE = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
SEAL_ALL = SEAL_SIZE | fcntl.F_SEAL_WRITE
WAIT_S = 60


def canonical(value):
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) +
            "\n").encode()


def memory(data, seals=SEAL_ALL):
    fd = os.memfd_create("snap-test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


class Agent:
    """`snap serve` on a folder; stop() it."""

    def __init__(self, snap, root, *options, env=None):
        self.root = Path(root)
        self.process = subprocess.Popen([snap, "serve", "--dir", str(root), *options], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
        atexit.register(self.process.kill)  # of a test that dies; else it has ended
        self.said = [self.process.stdout.readline()]
        if not self.said[0].startswith("serving"):
            raise RuntimeError(f"no agent: {self.said[0]}{self.process.stdout.read()}")

    def files(self):
        """How many descriptors it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def lives(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def stop(self):
        """Its exit status, and what it said."""
        self.process.send_signal(signal.SIGTERM)
        said = self.process.stdout.read()  # with what was read ahead; communicate() loses that
        return self.process.wait(timeout=WAIT_S), "".join(self.said) + said


class Client:
    """A connection."""

    def __init__(self, root):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(str(Path(root) / ".snap-agent.sock"))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def raw(self, data, files=()):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
        try:
            self.socket.sendmsg([data], ancillary if files else [])
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has hung up: what it said before can be read

    def send(self, value, files=()):
        text = value if isinstance(value, bytes) else canonical(value)
        self.raw(struct.pack("<I", len(text)) + text, files)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            try:
                more, ancillary, _, _ = self.socket.recvmsg(size - len(data),
                                                            socket.CMSG_SPACE(16))
            except ConnectionResetError:
                return None
            for _, _, files in ancillary:
                self.files = list(array.array("i", files))
            if not more:
                return None
            data += more
        return data

    def receive(self):
        """The next answer; None: it has hung up."""
        self.files = []
        size = self._exactly(4)
        text = None if size is None else self._exactly(struct.unpack("<I", size)[0])
        return None if text is None else json.loads(text)

    def ask(self, value, files=()):
        self.send(value, files)
        answer = self.receive()
        while answer is not None and answer["answer"] == "wait":
            answer = self.receive()
        return answer


def request(word, **keys):
    return {"request": word, "version": 1, **keys}


class Handover:
    """What a training hands over for a snapshot, taken from its archive; fields may be changed."""

    def __init__(self, run, archive):
        self.run = Path(run)
        with tarfile.open(archive) as tar:
            members = {one.name: tar.extractfile(one).read() for one in tar}
        self.manifest = json.loads(members["manifest.json"])
        self.staging, self.behind, self.places = b"", b"", []
        for member in self.manifest["members"]:
            name = member["name"]
            if name in MADE_BY_WRITER:
                continue
            if name.startswith("tensors/"):
                self.places.append([1, len(self.staging)])
                self.staging += members[name].ljust(-(-len(members[name]) // 64) * 64, b"\0")
            else:
                self.places.append([0, len(self.behind)])
                self.behind += members[name].ljust(-(-len(members[name]) // 64) * 64, b"\0")
        self.head = {
            "began_ms": 0, "format": "snap-handover-1", "held": [], "keep_latest": False,
            "manifest": self.manifest, "name": f"snapshots/{Path(archive).name}",
            "no_read_back": False, "places": self.places, "stall_ms": 0, "thin": 0,
            "volume_size": 0,
            "written": {"base": {"followers": 0, "hash": "", "name": ""}, "moving": None,
                        "stale_step": 0}}

    def offer(self):
        return request("offer", dir=str(self.run), file=self.head["name"],
                       bytes=len(self.staging) + len(self.documents()[0]))

    def documents(self):
        """The bytes, and how many of them are the head."""
        head = canonical(self.head)
        return head.ljust(-(-len(head) // 64) * 64, b"\0") + self.behind, len(head)

    def lock(self):
        """The run's lock, held."""
        fd = os.open(self.run / "events.jsonl", os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd

    def give(self, client, **changed):
        """Offer and save; the last answer. `changed`: documents, head_bytes, lock, staging (bytes
        or descriptors), and the bytes that are offered."""
        documents, head_bytes = self.documents()
        files = [changed.get("documents", documents), changed.get("lock"),
                 changed.get("staging", self.staging)]
        there = sum(len(data) if isinstance(data, bytes) else os.fstat(data).st_size
                    for data in files[::2])
        answer = client.ask({**self.offer(), "bytes": changed.get("bytes", there)})
        if answer is None or answer["answer"] != "ready":
            return answer
        files[1] = self.lock() if files[1] is None else files[1]
        files = [memory(data, SEAL_SIZE if place == 2 else SEAL_ALL) if isinstance(data, bytes)
                 else data for place, data in enumerate(files) if data != b""]
        answer = client.ask(request("save", head_bytes=changed.get("head_bytes", head_bytes)),
                            files)
        for fd in files:
            os.close(fd)
        return answer
