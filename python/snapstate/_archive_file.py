# SPDX-License-Identifier: Apache-2.0
"""The file of an archive: its documents, and its members, which are compared with their digests
when they are read. See archive.py."""

from __future__ import annotations

import ctypes
import json
import os
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, TypeVar, Union

from . import errors
from ._archived import ArchivedStream, new_memory
from ._library import archive_bytes, call, library, text, utf8
from ._structs import MemberKind, snap_member

_KINDS = {MemberKind.README: "readme", MemberKind.MANIFEST: "manifest",
          MemberKind.STATE_JSON: "state", MemberKind.DATA: "data", MemberKind.STREAM: "stream",
          MemberKind.TENSOR: "tensor", MemberKind.EXTRA: "extra",
          MemberKind.ENVIRONMENT: "environment", MemberKind.LEDGER: "ledger",
          MemberKind.STATE_LISTING: "state_listing", MemberKind.LISTING: "listing"}


class Member(NamedTuple):
    """A member of an archive: `kind` is the manifest's word, `offset` that of its content in its
    file (0 when withheld), `sha256` 64 hex digits, `in_state`: it has a line in STATE. `elsewhere`:
    it is withheld, and read from an archive that lies beside this one. `volume`: the name of the
    file beside the archive that has it; None: the archive's own file."""

    name: str
    kind: str
    size: int
    offset: int
    in_state: bool
    withheld: bool
    sha256: str
    elsewhere: bool
    volume: Optional[str]


class Storage(NamedTuple):
    """A piece of memory that tensors are views of: its member, without the suffix of a part, and
    its bytes."""

    member: str
    size: int


class _Pool:
    """Threads of the library while the block runs; 0: one for each processor."""

    def __init__(self, threads: int) -> None:
        self._pool = ctypes.c_void_p()
        call("snap_pool_new", threads, ctypes.byref(self._pool))

    def __enter__(self) -> ctypes.c_void_p:
        return self._pool

    def __exit__(self, *exception: object) -> None:
        library().snap_pool_free(self._pool)


class _Handle:
    """The library's archive, closed when nobody uses it any more."""

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self.pointer: Optional[ctypes.c_void_p] = None
        pointer = ctypes.c_void_p()
        call("snap_archive_open", archive_bytes(path), ctypes.byref(pointer))
        self.pointer = pointer
        self._close = library().snap_archive_close

    def __del__(self) -> None:
        if self.pointer is not None:
            self._close(self.pointer)


_Self = TypeVar("_Self", bound="ArchiveFile")


class ArchiveFile:
    """What Archive says without its tree: the file, its documents, its members."""

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self.path = os.fspath(path)
        self._open: Optional[_Handle] = _Handle(path)
        self._documents: Dict[str, Any] = {}
        self._members: Optional[Dict[str, Member]] = None
        self._storages: Optional[List[Storage]] = None

    def close(self) -> None:
        """Close the file. What is being read by another thread is read to its end."""
        self._open = None

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Archive({str(self.path)!r})"

    def _handle(self) -> _Handle:
        handle = self._open
        if handle is None:
            raise errors.InvalidError(f"{self.path}: is closed: open it again with Archive()")
        return handle

    def _text(self, function: str) -> str:
        handle = self._handle()
        return text(getattr(library(), function)(handle.pointer)) or ""

    # ---- what the manifest and state.json say ----

    @property
    def kind(self) -> str:
        """"snapshot" or "capsule"."""
        return self._text("snap_archive_kind")

    @property
    def run_id(self) -> str:
        """16 hex digits: the same in all snapshots of a run."""
        return self._text("snap_archive_run_id")

    @property
    def step(self) -> int:
        """The steps done; in a capsule, those before the one that failed."""
        handle = self._handle()
        return library().snap_archive_step(handle.pointer)

    @property
    def parent(self) -> Optional[str]:
        """The snapshot hash of the snapshot before this one, or None."""
        return self._text("snap_archive_parent") or None

    @property
    def profile(self) -> str:
        """The promise about arithmetic: "portable-1", "torch-1", "none"."""
        return self._text("snap_archive_profile")

    @property
    def snapshot_hash(self) -> str:
        """"snap1:...": identifies the archive, all of it."""
        return self._text("snap_archive_snapshot_hash")

    @property
    def state_hash(self) -> str:
        """"state1:...": equal for equal states."""
        return self._text("snap_archive_state_hash")

    @property
    def run_hash(self) -> str:
        """"run1:...": stands for all steps up to this one."""
        return self._text("snap_archive_run_hash")

    def _document(self, name: str) -> Any:
        if name not in self._documents:
            handle = self._handle()
            content = library().snap_archive_json(handle.pointer, utf8(name))
            if content is None:
                content = self.read(name)  # withheld: says so
            self._documents[name] = json.loads(content)
        return self._documents[name]

    @property
    def manifest(self) -> Dict[str, Any]:
        """manifest.json, as it was parsed: not to be changed. The same holds for those below."""
        return self._document("manifest.json")

    @property
    def coverage(self) -> Dict[str, Any]:
        """What the state holds, and what is known to exist and is not in it, with the reasons."""
        return self.manifest["coverage"]

    @property
    def failure(self) -> Optional[Dict[str, Any]]:
        """What failed, in a capsule; else None."""
        return self.manifest.get("failure")

    @property
    def binding(self) -> Dict[str, Any]:
        """The facts that the profile's promise depends on."""
        return self._document("state.json")["binding"]

    @property
    def training(self) -> Optional[Dict[str, Any]]:
        """The part of the config that decides bits, or None."""
        return self._document("state.json")["training"]

    @property
    def data(self) -> Dict[str, Any]:
        """data.json: the place in the data."""
        return self._document("data.json")

    @property
    def environment(self) -> Dict[str, Any]:
        """env.json. AbsentError when it is withheld."""
        return self._document("env.json")

    # ---- members ----

    def _all_members(self) -> Dict[str, Member]:
        if self._members is None:
            handle, lib, found = self._handle(), library(), {}
            for index in range(lib.snap_archive_member_count(handle.pointer)):
                raw = lib.snap_archive_member(handle.pointer, index).contents
                name = raw.name.decode("ascii")
                found[name] = Member(name, _KINDS[MemberKind(raw.kind)], raw.data_size,
                                     raw.data_offset, raw.in_state, raw.withheld,
                                     bytes(raw.sha256).hex(), raw.elsewhere,
                                     raw.volume.decode("ascii") if raw.volume else None)
            self._members = found
        return self._members

    @property
    def members(self) -> List[Member]:
        """All, in the order of the file; withheld ones in their place."""
        return list(self._all_members().values())

    def _find(self, handle: _Handle, name: str) -> "ctypes._Pointer[snap_member]":
        member = library().snap_archive_find(handle.pointer, utf8(name))
        if not member:
            raise errors.NotFoundError(f"{self.path}: has no member {name}")
        return member

    def insist_present(self, name: str) -> None:
        """AbsentError when that member is withheld, NotFoundError when there is none."""
        member = self._find(self._handle(), name).contents
        if member.withheld and not member.elsewhere and member.volume:
            raise errors.AbsentError(f"{self.path}: member {name} is in volume "
                                     f"{member.volume.decode('ascii')}, which is not there: put it "
                                     f"beside the archive")
        if member.withheld and not member.elsewhere:
            raise errors.AbsentError(f"{self.path}: member {name} is withheld: put it back, or "
                                     f"read an archive that has it")

    def read(self, name: str) -> bytes:
        """The content of a member, compared with its digest. NotFoundError, AbsentError,
        CorruptError."""
        self.insist_present(name)
        content, address = new_memory(None, self._find(self._handle(), name).contents.data_size)
        self.read_all([(name, address)])
        return content

    def read_into(self, name: str, buffer: Any) -> None:
        """The same into a writable buffer (bytearray, memoryview, array) of the member's size."""
        size = self._find(self._handle(), name).contents.data_size
        view = memoryview(buffer)
        if view.readonly or not view.c_contiguous or view.nbytes != size:
            raise errors.InvalidError(f"{self.path}: member {name}: the buffer is not {size} bytes "
                                      f"that can be written")
        self.insist_present(name)
        content = (ctypes.c_char * size).from_buffer(view.cast("B")) if size else None
        self.read_all([(name, ctypes.addressof(content) if content is not None else None)])

    def read_all(self, jobs: Sequence[Tuple[str, Optional[int]]]) -> None:
        """Read members, each once and to an address with room for it, in one pass by several
        threads; the digests are compared. Raises what the first of them that failed says."""
        handle, count = self._handle(), len(jobs)
        members = (ctypes.POINTER(snap_member) * count)(*[self._find(handle, name)
                                                          for name, _ in jobs])
        buffers = (ctypes.c_void_p * count)(*[address for _, address in jobs])
        with _Pool(0 if count > 1 else 1) as pool:
            call("snap_archive_read_members", handle.pointer, members, buffers, count, pool)

    @property
    def streams(self) -> Dict[str, ArchivedStream]:
        """The random streams by name: each has `.kind` and `.bytes()`."""
        streams = self._document("state.json")["streams"]
        return {name: ArchivedStream(self, name, stream["kind"])
                for name, stream in streams.items()}

    @property
    def extras(self) -> List[str]:
        """The names of what the trainer added, for extra()."""
        return [member.name[len("extra/"):] for member in self.members if member.kind == "extra"]

    def extra(self, name: str) -> bytes:
        """What the trainer added under that name."""
        return self.read(f"extra/{name}")

    def ledger(self) -> List[Dict[str, Any]]:
        """The lines of the ledger in the archive, parsed: those since the parent, or all."""
        return [json.loads(line) for line in self.read("ledger.jsonl").splitlines()]

    def check(self, threads: int = 0) -> None:
        """Read everything and compare every digest, with `threads` threads (0: one for each
        processor); then have a second reader read the file. CorruptError names the first member
        that differs; withheld ones are no failure."""
        handle = self._handle()
        with _Pool(threads) as pool:
            call("snap_archive_check", handle.pointer, pool)
