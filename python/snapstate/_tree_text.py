# SPDX-License-Identifier: Apache-2.0
"""Texts of trees: places as people write them, and what a string or a key of the format can be."""

from __future__ import annotations

import json
import re
import reprlib
from typing import Any, Dict, Optional, Tuple

Node = Dict[str, Any]
# A place: that of the container, the key or index in it (None: the value of a tag, or no
# container), and the id of the value there.
Place = Optional[Tuple[Any, Any, int]]

PLAIN_INT = 2**53


def format_place(place: Place, root: str) -> str:
    """A place as people write it: optimizer.param_groups[0].foo"""
    keys = []
    while place is not None:
        if place[1] is not None:
            keys.append(place[1])
        place = place[0]
    text = root
    for key in reversed(keys):
        if isinstance(key, str) and re.fullmatch(r"[A-Za-z0-9_~][A-Za-z0-9_.-]*", key):
            text += f".{key}" if text else key
        else:
            text += f"[{reprlib.repr(key)}]"
    return text or "the value"


def is_plain_text(value: str) -> bool:
    """Can the format hold this text as a string?"""
    if value.isascii():
        return "\0" not in value
    try:
        return b"\0" not in value.encode("utf-8")
    except UnicodeEncodeError:
        return False


def has_plain_keys(value: Any) -> bool:
    """Are all keys of a dict such as a map of the format can have?"""
    for key in value:
        kind = type(key)
        if kind is str:
            if not is_plain_text(key):
                return False
        elif kind is not int or not -PLAIN_INT <= key <= PLAIN_INT:
            return False
    return True


def encoded_text(node: Node) -> bytes:
    """The text of a node in the format, of one that holds no tensor: what sets are sorted by."""
    text = json.dumps(node, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode("utf-8")
