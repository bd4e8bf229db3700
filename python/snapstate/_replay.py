# SPDX-License-Identifier: Apache-2.0
"""The program's side of `snap replay --exec`: the run begins in memory from an archive, its lines
must be those of a ledger, and what came of it is written to a report (docs/man/snap-replay.1)."""

from __future__ import annotations

import ctypes
import json
import os
import struct
from typing import Any, Dict, List, Mapping, Optional

from . import errors
from ._library import attempt, call, library, path_bytes
from ._run_handle import RunHandle
from ._structs import Status
from .archive import Archive

PREFIX = "SNAPSTATE_REPLAY_"
FORMAT = "snap-replay-report-1"


def _operation_text(operation: Mapping[str, Any]) -> str:
    module = f" of module {operation['module']}" if operation["module"] else ""
    return f"operation {operation['index']}, {operation['name']}{module}: not finite"


def _first_other(path: str, operations: List[Any]) -> Optional[str]:
    """The first operation of the step that is not as the capsule has it; None: there is none, or
    the archive is no capsule of this package."""
    with Archive(path) as archive:
        if archive.kind != "capsule" or "failure" not in archive:
            return None
        recorded = list(archive["failure"]["operations"])
    for index, (there, here) in enumerate(zip(recorded, operations)):
        if [there[0], list(there[1])] != [here[0], list(here[1])]:
            return f"operation {index}, {here[0]}"
    if len(recorded) != len(operations):
        return f"operation {min(len(recorded), len(operations))}"
    return None


class Replay:
    """What the variables of the environment ask for."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        try:
            self.archive = variables[PREFIX + "ARCHIVE"]
            self._report = variables[PREFIX + "REPORT"]
            self._to = int(variables[PREFIX + "TO"])
            self.host_part = variables.get(PREFIX + "HOST_PART", "") == "1"
            self._ledger_path: Optional[str] = variables.get(PREFIX + "LEDGER") or None
            self._states: Dict[int, str] = {
                int(step): path for step, path in
                (line.split(" ", 1) for line in variables.get(PREFIX + "STATES", "").splitlines())}
        except (KeyError, ValueError) as problem:
            raise errors.InvalidError(f"{PREFIX}*: the variables of a replay are not whole: "
                                      f"{problem}") from None
        self._ledger = ctypes.c_void_p()
        self._result: Dict[str, Any] = {"difference": None, "failure": None, "first_member": None,
                                        "lines_compared": 0, "states_compared": 0}

    @classmethod
    def from_environment(cls) -> "Optional[Replay]":
        return cls(os.environ) if PREFIX + "ARCHIVE" in os.environ else None

    def passed_over(self) -> List[str]:
        """Roots of the archive that are no state: what a capsule says of its step."""
        with Archive(self.archive) as archive:
            return [root for root in archive.roots
                    if archive.kind == "capsule" and root in ("failure", "batch")]

    def begin(self, handle: RunHandle) -> None:
        """After the restore."""
        if self._ledger_path is not None:
            call("snap_ledger_open", path_bytes(self._ledger_path), ctypes.byref(self._ledger),
                 None)
            handle.expect(self._ledger, self.host_part)

    def refused(self, problem: errors.AbsentError) -> None:
        """The state cannot be restored at the tier asked for. Ends the program."""
        self._write({"format": FORMAT, "refused": str(problem)})
        raise SystemExit(1) from problem

    def after_step(self, handle: RunHandle, expected: bool) -> None:
        """A line was made; `expected`: one was expected, and it was this. Ends the program by
        SystemExit at the last step, or where a state differs."""
        step = handle.steps_done
        self._result["lines_compared"] += expected
        path = self._states.get(step)
        if path is not None:
            self._compare_state(handle, step, path)
        if step >= self._to:
            self.end(handle)
            raise SystemExit(0)

    def _compare_state(self, handle: RunHandle, step: int, path: str) -> None:
        archive, text = ctypes.c_void_p(), ctypes.create_string_buffer(1000)
        call("snap_archive_open", path_bytes(path), ctypes.byref(archive))
        try:
            status, error = attempt("snap_run_compare", handle.pointer, archive, text, len(text))
        finally:
            library().snap_archive_close(archive)
        if status == Status.DIFFERS:
            member = text.value.decode("utf-8", "replace")
            self.differs(handle, {"step": step, "kind": "state", "field": member, "left": path,
                                  "right": "this replay"}, member)
        if status:
            raise errors.make(status, error.text.decode("utf-8", "replace"))
        self._result["states_compared"] += 1

    def differs(self, handle: RunHandle, difference: Optional[Dict[str, Any]],
                first_member: Optional[str]) -> None:
        """Write the report, and end the program."""
        self._result["difference"] = difference
        self._result["first_member"] = first_member
        self.end(handle)
        raise SystemExit(1)

    def failed(self, handle: RunHandle, failure: Dict[str, Any], record: Dict[str, Any]) -> None:
        """The step is not finite: what a capsule would say of it, also by operations. The first
        operation that is not as in the capsule is a difference; else the first whose output is not
        finite is named. Ends the program."""
        self._result["failure"] = failure
        other = _first_other(self.archive, record["operations"])
        if other is not None:
            self._result["difference"] = {"step": failure["step"], "kind": "other", "field": other,
                                          "left": "the capsule", "right": "this replay"}
            self._result["first_member"] = other
        elif record["operation"] is not None:
            self._result["first_member"] = _operation_text(record["operation"])
        self.end(handle)
        raise SystemExit(1)

    def end(self, handle: RunHandle) -> None:
        """Write the report: how far it came."""
        document = {"format": FORMAT, "step": handle.steps_done, **self._result}
        if self.host_part:
            document["deviation"] = {name: struct.pack(">d", value).hex()
                                     if isinstance(value, float) else value
                                     for name, value in handle.deviation().items()}
        else:
            document.update(run_hash=handle.run_hash(), state_hash=handle.state_hash())
        self._write(document)

    def _write(self, document: Dict[str, Any]) -> None:
        temporary = f"{self._report}.tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(document, file, sort_keys=True)
        os.replace(temporary, self._report)
