# SPDX-License-Identifier: Apache-2.0
"""What callers give, looked at before anything is begun: InvalidError names the argument."""

from __future__ import annotations

import operator
from typing import Any, Dict, Optional

from . import errors

MOST = 2**53  # an integer of JSON, and so of a ledger


def count_of(name: str, value: Any, least: int = 0) -> int:
    """A number of steps."""
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if isinstance(value, bool) or not least <= number <= MOST:
        raise errors.InvalidError(f"{name} {value!r}: it is a whole number from {least} to 2^53")
    return number


def dict_of(name: str, value: Any, what: str) -> Dict[str, Any]:
    """A copy of a dict by name; of None an empty one. `what`: its values, for people."""
    if value is None:
        return {}
    if not hasattr(value, "keys"):
        raise errors.InvalidError(f"{name}: a {type(value).__name__} is no dict of {what} by name")
    return dict(value)


def json_of(name: str, value: Any) -> Dict[str, Any]:
    """A dict that stands in the ledger's first line: JSON without reals. None: an empty one."""
    found = dict_of(name, value, "plain values")
    _check_json(name, found)
    return found


def _check_json(path: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise errors.InvalidError(f"{path}: the key {key!r} is no text")
            _check_json(f"{path}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check_json(f"{path}[{index}]", item)
    elif isinstance(value, float):
        raise errors.InvalidError(f"{path}: {value!r} is a real, and JSON does not keep its bits: "
                                  f"give it as text, \"{value!r}\"")
    elif type(value) is int and abs(value) > MOST:
        raise errors.InvalidError(f"{path}: {value} is past 2^53: give it as text")
    elif value is not None and type(value) not in (bool, int, str):
        raise errors.InvalidError(f"{path}: a {type(value).__name__} has no form in JSON: give it "
                                  f"as text")


def bytes_of(name: str, value: Optional[Any]) -> Dict[str, bytes]:
    """A dict of bytes by name."""
    found = dict_of(name, value, "bytes")
    for key, item in found.items():
        if not isinstance(item, (bytes, bytearray, memoryview)):
            raise errors.InvalidError(f"{name}.{key}: a {type(item).__name__} is no bytes")
    return {key: bytes(item) for key, item in found.items()}
