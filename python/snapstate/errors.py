# SPDX-License-Identifier: Apache-2.0
"""What the package raises: one class for each status of the library (snapstate/status.h).

    SnapError
      DiffersError        1   two things that should be equal are not
      InvalidError        2   the caller's mistake; also a ValueError
        CaptureError      2   a value of the state that has no safe form; .path says which
      EnvironmentFailure  3   a file, a permission, space, a device; also an OSError
      UnsupportedError    4   valid, but this build, machine or version cannot do it
      CorruptError        5   bytes that are not what their digest, size or grammar says
      AbsentError         6   intact, but members are withheld, or a tier is not reached
      NonfiniteError      7   NaN or Inf where the profile stops on them
      NotFoundError       8   nothing there: no snapshot, no member of that name
      OutOfMemory         9   also a MemoryError
      BusyError          10   another process holds the run
      InternalError      70   a bug in the library

`str(error)` is the library's text, unchanged: one line that names the object, what was tried, the
cause and what to do.
"""

from __future__ import annotations

from typing import Dict, Type


class SnapError(Exception):
    """Base of all. `status` is the number in snapstate/status.h; `os_error` the errno of the system
    call that failed, or 0."""

    status: int = 70
    os_error: int = 0

    def __init__(self, text: str, *, os_error: int = 0) -> None:
        super().__init__(text)
        self.os_error = os_error


class DiffersError(SnapError):
    """Two things that should be equal are not: a ledger line, a replay, a stream that moved."""

    status = 1


class InvalidError(SnapError, ValueError):
    """The caller's mistake: an argument, a call out of order, a name that is not legal."""

    status = 2


class CaptureError(InvalidError):
    """A value of the state has no safe form. `path` is its place, as in the text:
    `optimizer.param_groups[0].foo`."""

    path: str = ""

    def __init__(self, text: str, *, path: str = "") -> None:
        super().__init__(text)
        self.path = path


class EnvironmentFailure(SnapError, OSError):
    """The environment: a file, a permission, space, a device. `errno` is set where it is known."""

    status = 3

    def __init__(self, text: str, *, os_error: int = 0) -> None:
        super().__init__(text, os_error=os_error)
        if os_error:
            self.errno = os_error


class UnsupportedError(SnapError):
    """Valid, but this build, machine or version cannot do it."""

    status = 4


class CorruptError(SnapError):
    """Bytes that are not what their digest, size or grammar says."""

    status = 5


class AbsentError(SnapError):
    """Intact, but members needed are withheld, or the tier reached is below the one required."""

    status = 6


class NonfiniteError(SnapError):
    """NaN or Inf where the profile stops on them."""

    status = 7


class NotFoundError(SnapError):
    """Nothing there: no snapshot to restore from, no member of that name."""

    status = 8


class OutOfMemory(SnapError, MemoryError):
    """Memory could not be had."""

    status = 9


class BusyError(SnapError):
    """Another process holds the run."""

    status = 10


class InternalError(SnapError):
    """A bug in the library, or a library that this package was not made for."""

    status = 70


BY_STATUS: Dict[int, Type[SnapError]] = {
    kind.status: kind
    for kind in (DiffersError, InvalidError, EnvironmentFailure, UnsupportedError, CorruptError,
                 AbsentError, NonfiniteError, NotFoundError, OutOfMemory, BusyError, InternalError)
}


def make(status: int, text: str, os_error: int = 0) -> SnapError:
    """The error of a status other than 0, with the library's text."""
    kind = BY_STATUS.get(status)
    if kind is None:
        return InternalError(f"the library gave status {status}, which it does not have: {text}")
    return kind(text, os_error=os_error)
