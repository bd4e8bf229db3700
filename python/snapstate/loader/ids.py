# SPDX-License-Identifier: Apache-2.0
"""The sample ids of batches, and a digest that a restored epoch must reach again."""

from __future__ import annotations

import hashlib
import json
import sys
from array import array
from typing import Any, List, NamedTuple, Optional

EMPTY = hashlib.sha256(b"").digest()


class BatchIds(NamedTuple):
    """What a sampler gave for one batch.

    ids      integers, or None when they are something else
    text     their bytes for the digest, or None when they have none that are the same in another
             process
    samples  how many
    """

    ids: Optional[array]
    text: Optional[bytes]
    samples: int

    @staticmethod
    def of(index: Any) -> "BatchIds":
        """Copied: a sampler may use its list again."""
        if hasattr(index, "tolist"):
            index = index.tolist()
        many = index if isinstance(index, (list, tuple, range)) else [index]
        try:
            ids = array("q", many)
        except (TypeError, OverflowError):
            try:
                text: Optional[bytes] = json.dumps(index).encode()
            except (TypeError, ValueError):
                text = None
            return BatchIds(None, text, len(many))
        return BatchIds(ids, _little_endian(ids), len(ids))

    def list(self) -> Optional[List[int]]:
        return None if self.ids is None else self.ids.tolist()


def _little_endian(ids: array) -> bytes:
    if sys.byteorder == "big":
        ids = array("q", ids)
        ids.byteswap()
    return ids.tobytes()


def extend(digest: Optional[bytes], batch: BatchIds) -> Optional[bytes]:
    """The digest of all batches up to this one: SHA-256 of the one before and the batch's ids. None
    as soon as one batch has no text."""
    if digest is None or batch.text is None:
        return None
    return hashlib.sha256(digest + batch.text).digest()
