# SPDX-License-Identifier: Apache-2.0
"""Archives that lie, made from a good one: its members, changed, and written again with headers and
listings that are honest wherever nobody asked for a lie.

A content is bytes or a Hole, zeros that take no room on the disk.
"""

import functools
import hashlib
import json
import os
from pathlib import Path

import spec_reader
from spec_reader import document

BLOCK = 512
PIECE = 1 << 20
END = 2 * BLOCK


class Hole:
    """So many zero bytes."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size


@functools.lru_cache(maxsize=None)
def digest_of_zeros(size):
    sha256, zeros = hashlib.sha256(), bytes(PIECE)
    for at in range(0, size, PIECE):
        sha256.update(zeros[:min(PIECE, size - at)])
    return sha256.hexdigest()


def digest(content):
    """64 hex digits; of a hole without its zeros in memory."""
    if isinstance(content, Hole):
        return digest_of_zeros(len(content))
    return hashlib.sha256(content).hexdigest()


# Where the fields of a header begin.
FIELDS = {"name": 0, "mode": 100, "uid": 108, "gid": 116, "size": 124, "mtime": 136,
          "checksum": 148, "type": 156, "linkname": 157, "magic": 257, "uname": 265,
          "devmajor": 329, "prefix": 345, "sparse": 386, "realsize": 483}


def header(name, size, /, **fields):
    """The header of a name and a size, and then bytes at fields of it; the checksum is right, but
    where it is given."""
    block = bytearray(spec_reader.header(name, size))
    for field, value in fields.items():
        block[FIELDS[field]:FIELDS[field] + len(value)] = value
    if "checksum" not in fields:
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(records, kind=b"x", size=None):
    """An extended header: one record after the other, with their lengths."""
    content = b""
    for key, value in records:
        rest = len(key) + len(value) + 3
        length = rest + len(str(rest))
        length = rest + len(str(length))
        content += b"%d %s=%s\n" % (length, key, value)
    told = len(content) if size is None else size
    return header("PaxHeaders.0/x", told, type=kind) + content + bytes(-len(content) % BLOCK)


class Member:
    """`header` None: the honest one. `before` stands in front of it, bytes that are no member."""

    def __init__(self, name, content):
        self.name = name
        self.content = content
        self.header = None
        self.before = b""
        self.padding = None


class Forgery:
    """The members of an archive, to be changed and written."""

    def __init__(self, path):
        self.members = []
        self.volumes = {}  # members of each file beside it
        self.end = bytes(END)
        data, at = Path(path).read_bytes(), 0
        while any(data[at:at + BLOCK]):
            name = data[at:at + 100].rstrip(b"\0").decode()
            size = int(data[at + 124:at + 135], 8)
            self.members.append(Member(name, data[at + BLOCK:at + BLOCK + size]))
            at += BLOCK + size + -size % BLOCK

    def __getitem__(self, name):
        return next(member for member in self.members if member.name == name)

    def place(self, name):
        return self.members.index(self[name])

    def spoil(self, name, /, **fields):
        """Lie in the header of a member, which keeps its content."""
        member = self[name]
        member.header = header(member.name, len(member.content), **fields)

    def document(self, name):
        return json.loads(self[name].content)

    def edit(self, name, change):
        """Change a document, and all that follows from it."""
        value = self.document(name)
        change(value)
        self[name].content = document(value)
        self.settle()

    def text(self, name, old, new):
        """Replace the first `old` in a member by `new`, and list it again."""
        old, new = old.encode(), new.encode()
        assert old in self[name].content, f"{name} does not have {old}"
        self[name].content = self[name].content.replace(old, new, 1)
        if name == "manifest.json":
            self.relist()
        else:
            self.settle()

    def settle(self):
        """Write the manifest's sizes and both listings anew, as they follow from the members."""
        manifest = self.document("manifest.json")
        in_state = {entry["name"] for entry in manifest["members"]
                    if spec_reader.KINDS[spec_reader.row(entry["name"])][3]
                    and "in_state" not in entry}
        names = [member.name for member in self.members[:-1]]
        for name, lines in (("STATE", sorted(in_state)), ("SHA256SUMS", names)):
            self[name].content = b"".join(b"%s  %s\n" % (b"0" * 64, line.encode())
                                          for line in lines)
        members = {member.name: member for member in self.members}
        for entry in manifest["members"]:
            entry["size"] = len(members[entry["name"]].content)
        self["manifest.json"].content = document(manifest)
        self.relist()

    def relist(self):
        """Write the digests of the listings anew, for the names that they have."""
        known = {}
        members = {member.name: member for member in self.members}
        for listing in ("STATE", "SHA256SUMS"):
            lines = self[listing].content.decode().splitlines()
            for i, line in enumerate(lines):
                name = line[66:]
                if name not in known and name in members:
                    known[name] = digest(members[name].content)
                lines[i] = known.get(name, line[:64]) + line[64:]
            self[listing].content = "".join(line + "\n" for line in lines).encode()
            known.pop("STATE", None)

    def cut(self, volumes, text=None):
        """Take members out into files beside it, by the files' names; `text` is volumes.json, the
        honest one where it is not given."""
        listed = []
        for name, members in volumes.items():
            self.volumes[name] = [self.members.pop(self.place(member)) for member in members]
            listed.append({"file": name, "members": members})
        if text is None:
            text = document({"format": "snap-volumes-1", "volumes": listed})
        self.members.insert(2, Member("volumes.json", text))

    def write(self, path):
        self.write_tar(path, self.members)
        for name, members in self.volumes.items():
            self.write_tar(os.path.join(os.path.dirname(path), name), members)

    def write_tar(self, path, members):
        with open(path, "wb") as file:
            for member in members:
                head = member.header or header(member.name, len(member.content))
                file.write(member.before + head)
                if isinstance(member.content, Hole):
                    file.seek(len(member.content), os.SEEK_CUR)
                else:
                    file.write(member.content)
                file.write(member.padding or bytes(-len(member.content) % BLOCK))
            file.write(self.end)
            file.truncate()


class Case:
    """One archive of the corpus: its sentence, and what readers must say of it.

    status: the exit status of those that read as far as the lie; says: what they write, a regular
    expression; seen_by: "all" (it is seen when the archive is opened) or the names of the readers;
    member: what `cat` is asked for."""

    def __init__(self, make, status, says, seen_by, member):
        self.name = make.__name__
        self.sentence = " ".join(make.__doc__.split())
        self.make = make
        self.status = status
        self.says = says
        self.seen_by = seen_by
        self.member = member

    def write(self, base, path):
        """`make` changes a forgery, or gives the bytes of the whole file."""
        forgery = Forgery(base)
        whole = self.make(forgery)
        if whole is None:
            forgery.write(path)
        else:
            with open(path, "wb") as file:
                if not isinstance(whole, Hole):
                    file.write(whole)
                file.truncate(len(whole))


class Cases(list):
    """A list that functions enter by a decorator; their comment is the archive's sentence."""

    def __call__(self, status, says="", seen_by="all", member="README"):
        def enter(make):
            self.append(Case(make, status, says, seen_by, member))
            return make
        return enter
