# SPDX-License-Identifier: Apache-2.0
"""What a restore really did."""

from __future__ import annotations

import ctypes
import json
from typing import Any, Dict, List

from ._library import library, text


class Receipt:
    """Component by component, with the digests of what is in memory.

    `tier`      "exact", "streams", "weights" or "none": what was reached
    `exact`     every component and stream was set exactly, and the next step is promised too
    `complete`  every component and stream was set exactly
    `reasons`   why the tier is not "exact"
    `step`, `snapshot_hash`, `state_hash`, `run_id`, `profile`, `required`, `restored`
    `components` a list of {"action", "kind", "name", "digests", "why"}
    `json`      the whole, as schema/receipt.schema.json has it; `str(receipt)` is a table
    """

    def __init__(self, handle: ctypes.c_void_p) -> None:
        """Takes the library's receipt, and frees it."""
        functions = library()
        try:
            self.json = text(functions.snap_receipt_json(handle)) or ""
            self._table = text(functions.snap_receipt_table(handle)) or ""
        finally:
            functions.snap_receipt_free(handle)
        document: Dict[str, Any] = json.loads(self.json)
        self.tier: str = document["tier"]
        self.required: str = document["required"]
        self.restored: bool = document["restored"]
        self.step = int(document["step"])
        self.run_id: str = document["run_id"]
        self.profile: str = document["profile"]
        self.snapshot_hash: str = document["snapshot"]
        self.state_hash: str = document["state"]
        self.components: List[Dict[str, Any]] = document["components"]
        self._library_reasons: List[str] = document["reasons"]
        self.notes: List[str] = []

    @property
    def reasons(self) -> List[str]:
        """Why the next step is not promised: the library's reasons, then the package's own."""
        return self._library_reasons + self.notes

    def lower(self, reason: str) -> None:
        """What the package knows and the library cannot: a loader without state, say."""
        if self.tier == "exact":
            self.tier = "streams"
        self.notes.append(reason)

    @property
    def exact(self) -> bool:
        return self.restored and self.tier == "exact"

    @property
    def complete(self) -> bool:
        return self.restored and self.tier in ("exact", "streams")

    def __str__(self) -> str:
        notes = "".join(f"  because {note}\n" for note in self.notes)
        return self._table + notes

    def __repr__(self) -> str:
        return (f"<Receipt: step {self.step}, tier {self.tier} (required: {self.required})"
                f"{'' if self.restored else ', nothing was changed'}>")
