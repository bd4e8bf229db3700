# SPDX-License-Identifier: Apache-2.0
"""Checking archives and run folders, and saying what differs between two.

    verdict = snapstate.verify("runs/exp1", expected="run1:...")
    if not verdict:
        print(verdict.text)

    for entry in snapstate.diff("a.snap.tar", "b.snap.tar"):
        print(entry.kind, entry.name, entry.text)
"""

from __future__ import annotations

import ctypes
import json
import os
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Union

from . import errors
from ._library import attempt, call, check, error_of, library, path_bytes, text, utf8
from ._structs import Status, snap_verify_options

__all__ = ["Diff", "DiffEntry", "Verdict", "diff", "verify"]

Path = Union[str, "os.PathLike[str]"]


class Verdict(Mapping[str, Any]):
    """What was checked, and found: a mapping with the keys of snapstate/verify.h ("checks",
    "hashes", "kind", "status", "withheld", "format"). It is true when the status is "ok".

    `status`: "ok", "differs", "absent", "corrupt", "unsupported" or "not found": the worst of all
    checks. `text`: lines for people. `json`: the canonical document. `error`: what the library says
    of a status that is not "ok"; raise_for_status() raises it."""

    def __init__(self, json_text: str, lines: str, error: Optional[errors.SnapError]) -> None:
        self.json, self.text, self.error = json_text, lines, error
        self._document: Dict[str, Any] = json.loads(json_text)

    @property
    def status(self) -> str:
        return self._document["status"]

    def raise_for_status(self) -> None:
        if self.error is not None:
            raise self.error

    def __bool__(self) -> bool:
        return self.error is None

    def __getitem__(self, key: str) -> Any:
        return self._document[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._document)

    def __len__(self) -> int:
        return len(self._document)

    def __repr__(self) -> str:
        return f"Verdict(status={self.status!r})"


def verify(target: Path, expected: Optional[str] = None, only: Optional[str] = None,
           allow_withheld: bool = False, signers: Optional[Path] = None) -> Verdict:
    """Check an archive, a run folder, or a checkpoint of several archives, against its own digests
    and chains.

    `expected`: a hash from elsewhere ("snap1:...", "state1:...", "run1:..."). `only`: the content
    of this member of an archive alone. `allow_withheld`: absent members are no failure.

    `signers`: of a published folder, whose signatures are believed, a file of allowed signers as
    in ssh-keygen(1). Without a signature the status is then "absent", with one of somebody else
    "differs".

    What is wrong with the target is in the Verdict. Raised are EnvironmentFailure (it cannot be
    read), InvalidError (a folder that holds no run, a hash that is none) and OutOfMemory."""
    pool, verdict = ctypes.c_void_p(), ctypes.c_void_p()
    name, lib = path_bytes(target), library()
    function = "snap_verify_archive"
    if os.path.isdir(target):
        index = os.path.join(os.fspath(target), "index.snap.tar")
        function = "snap_verify_checkpoint" if os.path.exists(index) else "snap_verify_run"
    call("snap_pool_new", 0, ctypes.byref(pool))
    try:
        options = snap_verify_options(only=utf8(only), expected=utf8(expected),
                                      allow_withheld=allow_withheld, pool=pool,
                                      signers=None if signers is None else path_bytes(signers))
        status, error = attempt(function, name, ctypes.byref(options), ctypes.byref(verdict))
        if not verdict:
            check(status, error)
        return Verdict(text(lib.snap_verdict_json(verdict)) or "",
                       text(lib.snap_verdict_text(verdict)) or "",
                       error_of(status, error) if status else None)
    finally:
        lib.snap_verdict_free(verdict)
        lib.snap_pool_free(pool)


class DiffEntry(NamedTuple):
    """One difference. `kind`: "profile", "config", "data", "stream", "tensor", "value", "extra" or
    "ledger". `name`: the member, tensor, key or stream, or "step 57". `text`: one line. `detail`:
    as snapstate/diff.h says, or None."""

    kind: str
    name: str
    text: str
    detail: Optional[Dict[str, Any]]


class Diff(Sequence[DiffEntry]):
    """The differences, as a sequence: empty, and false, when there are none (`equal`). `of`:
    "states" or "ledgers". `left`, `right`: what was compared. `text`: lines for people. `json`: the
    canonical document."""

    def __init__(self, json_text: str, lines: str) -> None:
        document = json.loads(json_text)
        self.json, self.text = json_text, lines
        self.of: str = document["of"]
        self.left: Dict[str, Any] = document["left"]
        self.right: Dict[str, Any] = document["right"]
        self.entries: List[DiffEntry] = [
            DiffEntry(entry["kind"], entry["name"], entry["text"], entry.get("detail"))
            for entry in document["differences"]]

    @property
    def equal(self) -> bool:
        return not self.entries

    def __getitem__(self, index: Any) -> Any:
        return self.entries[index]

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"Diff(of={self.of!r}, differences={len(self.entries)})"


def _is_ledger(target: Path) -> bool:
    """A run folder or a ledger, or else an archive: a ledger begins with "{", an archive never."""
    if os.path.isdir(target):
        return True
    try:
        with open(target, "rb") as file:
            return file.read(1) == b"{"
    except OSError as problem:
        raise errors.EnvironmentFailure(f"{target}: read it: {problem.strerror}",
                                        os_error=problem.errno or 0) from None


def diff(left: Path, right: Path) -> Diff:
    """What differs between the states of two archives, or between two runs: each a run folder or a
    ledger.jsonl. Of runs, the first step and field, and what differs in the first tensor, or in the
    next snapshots that both have. InvalidError for one of each."""
    ledgers = _is_ledger(left)
    if ledgers != _is_ledger(right):
        raise errors.InvalidError(f"{left} and {right}: one is an archive and the other a run or a "
                                  f"ledger; name two archives, or two runs or ledgers")
    found, lib = ctypes.c_void_p(), library()
    status, error = attempt("snap_diff_ledgers" if ledgers else "snap_diff_archives",
                            path_bytes(left), path_bytes(right), ctypes.byref(found))
    try:
        if status != Status.DIFFERS:
            check(status, error)
        return Diff(text(lib.snap_diff_json(found)) or "", text(lib.snap_diff_text(found)) or "")
    finally:
        lib.snap_diff_free(found)
