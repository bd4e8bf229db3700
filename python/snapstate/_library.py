# SPDX-License-Identifier: Apache-2.0
"""The shared library: found, loaded once, and called.

    call("snap_bytes_digest", data, len(data), digest)      # raises the error of its status
    status, error = attempt("snap_diff_archives", ...)      # for those whose status is an answer
    library().snap_archive_step(handle)                     # functions that cannot fail

The library is looked for at $SNAPSTATE_LIBRARY (and then nowhere else); beside the package, where
a wheel has it; in the build tree that the package lies in; and by the name that the system's loader
knows. Calls release the GIL. Nothing here is global but the loaded library.
"""

from __future__ import annotations

import ctypes
import json
import os
import threading
from typing import Any, Optional, Tuple, Union

from . import errors
from ._prototypes import PROTOTYPES
from ._structs import snap_error
from ._version import __version__

SONAME = "libsnapstate.so.0"
VARIABLE = "SNAPSTATE_LIBRARY"

_lock = threading.Lock()
_loaded: Optional[ctypes.CDLL] = None


def candidates() -> "list[str]":
    """Where the library is looked for: the first of these that is there."""
    package = os.path.dirname(os.path.abspath(__file__))
    top = os.path.dirname(os.path.dirname(package))
    return [os.path.join(package, SONAME), os.path.join(top, ".libs", SONAME)]


def find() -> str:
    """The path, or else the name, under which the library is to be loaded."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    for path in candidates():
        if os.path.exists(path):
            return path
    return SONAME


def load(path: str) -> ctypes.CDLL:
    """Load the library at `path`, with the prototypes of every function. EnvironmentFailure when
    it cannot be loaded; UnsupportedError when it is of another version than the package."""
    try:
        loaded = ctypes.CDLL(path)
        version = loaded.snap_version
    except (OSError, AttributeError) as problem:
        raise errors.EnvironmentFailure(
            f"{path}: load the snapstate library: {problem}; build it with `make`, install the "
            f"wheel, or set {VARIABLE} to the path of {SONAME}") from None
    version.restype = ctypes.c_char_p
    found = version().decode()
    if found != __version__:
        raise errors.UnsupportedError(
            f"{path}: is snapstate {found}, and this Python package is {__version__}: install "
            f"both of one version, or set {VARIABLE} to the path of a {SONAME} of {__version__}")
    for name, (restype, *argtypes) in PROTOTYPES.items():
        try:
            function = getattr(loaded, name)
        except AttributeError:
            raise errors.UnsupportedError(
                f"{path}: has no {name}: it is another build of snapstate {found} than this "
                f"Python package belongs to; run `make` again") from None
        function.restype = restype
        function.argtypes = argtypes
    return loaded


def library() -> ctypes.CDLL:
    """The loaded library; loaded by the first call, from any thread."""
    global _loaded
    if _loaded is None:
        with _lock:
            if _loaded is None:
                _loaded = load(find())
    return _loaded


def error_of(status: int, error: snap_error) -> errors.SnapError:
    """The exception of a status that is not SNAP_OK."""
    text = error.text.decode("utf-8", "replace")
    if not text:
        text = library().snap_status_name(status).decode()
    return errors.make(status, text, error.os_error)


def check(status: int, error: snap_error) -> None:
    """Raise the exception of `status`, unless it is SNAP_OK."""
    if status:
        raise error_of(status, error)


def attempt(name: str, *arguments: Any) -> Tuple[int, snap_error]:
    """Call a function that takes a snap_error last: its status, and the error that it wrote."""
    error = snap_error()
    return getattr(library(), name)(*arguments, ctypes.byref(error)), error


def call(name: str, *arguments: Any) -> None:
    """Call a function that takes a snap_error last; raise the exception of its status."""
    error = snap_error()
    status = getattr(library(), name)(*arguments, ctypes.byref(error))
    if status:
        raise error_of(status, error)


def text(value: Optional[bytes]) -> Optional[str]:
    """A text of the library; None for NULL."""
    return None if value is None else value.decode("utf-8")


def utf8(value: Optional[str]) -> Optional[bytes]:
    """A text for the library; NULL for None. InvalidError where C would read another text."""
    if value is None:
        return None
    try:
        encoded = value.encode("utf-8")
    except UnicodeEncodeError:
        raise errors.InvalidError(f"{value!r}: is not text that UTF-8 can hold") from None
    if b"\0" in encoded:
        raise errors.InvalidError(f"{value!r}: holds a NUL, where a text would end")
    return encoded


def path_bytes(path: Union[str, "os.PathLike[str]"]) -> bytes:
    """A file name for the library."""
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise errors.InvalidError(f"{path!r}: is no file name: it holds a NUL")
    return encoded


def archive_bytes(path: Union[str, "os.PathLike[str]"]) -> bytes:
    """The name of an archive for the library. InvalidError for a folder, such as a run's."""
    if os.path.isdir(path):
        raise errors.InvalidError(f"{os.fspath(path)}: is a folder, and no archive: name the file, "
                                  f"such as one in the folder snapshots of a run")
    return path_bytes(path)


def json_text(value: object) -> bytes:
    """JSON for the library, which makes it canonical."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


_libc = ctypes.CDLL(None)
_libc_malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(("malloc", _libc))
_libc_free = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(("free", _libc))


def take_bytes(pointer: ctypes.c_void_p, size: int) -> bytes:
    """The `size` bytes that the library malloc'd for its caller (`void **bytes`); frees them."""
    try:
        return ctypes.string_at(pointer, size) if size else b""
    finally:
        _libc_free(pointer)


def malloc_bytes(data: bytes) -> int:
    """The address of a malloc'd copy of `data`, for a library that frees it. MemoryError."""
    address = _libc_malloc(max(len(data), 1))
    if not address:
        raise errors.OutOfMemory(f"{len(data)} bytes could not be had")
    ctypes.memmove(address, data, len(data))
    return address
