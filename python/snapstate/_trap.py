# SPDX-License-Identifier: Apache-2.0
"""The trap: between a restore and the first step no stream may move."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from . import errors


class Trap:
    """Armed by a restore, sprung by the first step."""

    def __init__(self) -> None:
        self._wanted: Dict[str, Any] = {}

    def arm(self, streams: Mapping[str, Any]) -> None:
        """Streams are where the restore put them."""
        self._wanted = {name: (stream, stream.get()) for name, stream in streams.items()}

    @property
    def armed(self) -> bool:
        """A restore was made, and no step since."""
        return bool(self._wanted)

    def check(self) -> None:
        """DiffersError names every stream that moved, by how much, and the usual cause. Once."""
        wanted, self._wanted = self._wanted, {}
        moved = []
        for stream, before in wanted.values():
            now = stream.get()
            if now != before:
                moved.append(stream.describe_move(before, now))
        if moved:
            raise errors.DiffersError(
                "between the restore and the first step: " + "; ".join(moved) + ". Restore after "
                "everything that draws: building models, making loaders, warming up")
