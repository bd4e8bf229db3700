# SPDX-License-Identifier: Apache-2.0
"""One `struct snap_run` of the library: what run.h offers, in Python's types."""

from __future__ import annotations

import atexit
import ctypes
import os
import warnings
import weakref
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from . import errors
from ._digests import Digest
from ._library import archive_bytes, attempt, call, check, error_of, json_text, library
from ._library import path_bytes, text, utf8
from ._step_record import Scalars, TensorDigests, step_record
from ._structs import HASH_TEXT_BYTES, Status, Tier, Wanted, snap_attachment, snap_failure
from ._structs import snap_position, snap_run_options, snap_tree_memory
from .receipt import Receipt
from .tensors import TensorMemory

PATH_BYTES = 8192

Node = Dict[str, Any]

# The runs of this process, for the children that it forks.
_open_runs: "weakref.WeakSet[RunHandle]" = weakref.WeakSet()


def _after_fork() -> None:
    """In a child, such as a worker of a loader: the runs are the parent's. A share of their locks
    that lived on here would keep the folders from being opened again when the parent was killed."""
    for handle in list(_open_runs):
        handle.leave_to_parent()


os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _at_exit() -> None:
    """A save may be under way in a run that nobody closed."""
    for handle in list(_open_runs):
        handle.close()


def make_folder(path: str, what: str) -> None:
    """A folder, and those that it lies in. EnvironmentFailure, which begins with `what`."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as problem:
        cause = "there is a file of that name" if isinstance(problem, FileExistsError) else \
            problem.strerror
        raise errors.EnvironmentFailure(f"{what}: {cause}",
                                        os_error=problem.errno or 0) from None


def _hash_buffer() -> Any:
    return ctypes.create_string_buffer(HASH_TEXT_BYTES)


class RunHandle:
    """A run of the library, owned; `close` it. What it borrows (streams, memory) is kept alive
    here."""

    def __init__(self, *, dir: "Optional[str]" = None, archive: Optional[str] = None,
                 must_be_new: bool = False, must_exist: bool = False, profile: str = "none",
                 binding: Optional[Mapping[str, object]] = None,
                 training: Optional[Mapping[str, object]] = None,
                 config: Optional[Mapping[str, object]] = None, state_every: int = 0,
                 every: int = 0, read_back: bool = True, first_step: int = 0,
                 agent: Optional[str] = None, volume_size: int = 0) -> None:
        if dir == "":
            raise errors.InvalidError("run: the name of its folder is empty")
        if dir is not None and not must_exist:
            make_folder(os.path.dirname(os.path.abspath(dir)), f"{dir}: make the folder that it "
                                                               f"lies in")
        options = snap_run_options(
            dir=None if dir is None else path_bytes(dir),
            archive=None if archive is None else archive_bytes(archive),
            must_be_new=must_be_new, must_exist=must_exist, profile=utf8(profile),
            binding=None if binding is None else json_text(binding),
            training=None if training is None else json_text(training),
            config=None if config is None else json_text(config), state_every=state_every,
            every=every, no_read_back=not read_back, first_step=first_step,
            agent=None if agent is None else path_bytes(agent), volume_size=volume_size)
        self.dir = dir
        self.profile = profile
        self._run: Optional[ctypes.c_void_p] = None
        self._kept: Dict[str, object] = {}
        self._agent_trouble = ""
        self._streams: List[Any] = []
        handle = ctypes.c_void_p()
        call("snap_run_open", ctypes.byref(options), ctypes.byref(handle))
        self._run = handle
        _open_runs.add(self)

    @property
    def pointer(self) -> ctypes.c_void_p:
        """For calls of the library. InvalidError when the run is closed, or was when this process
        was forked."""
        if self._run is None:
            raise errors.InvalidError(
                f"{self.dir or 'run in memory'}: the run is not open in this process: it was "
                f"closed, or belongs to the process that this one was forked from")
        return self._run

    # ---- the inventory ----

    def set_tree(self, root: str, node: Node, memories: Sequence[TensorMemory]) -> None:
        """The whole content of a root. The memories are kept alive until it is set again."""
        array = (snap_tree_memory * max(len(memories), 1))()
        for place, memory in zip(array, memories):
            place.data = memory.pointer
            place.changes_in_forward = memory.changes_in_forward
        call("snap_run_set_tree", self.pointer, utf8(root), json_text(node), array, len(memories))
        self._kept[root] = (array, list(memories))

    def drop_tree(self, root: str) -> None:
        call("snap_run_drop_tree", self.pointer, utf8(root))
        self._kept.pop(root, None)

    def add_stream(self, stream: Any) -> None:
        """A snapstate.Stream."""
        call("snap_run_add_stream", self.pointer, utf8(stream.name), utf8(stream.kind),
             ctypes.byref(stream.ops), stream.arg)
        self._streams.append(stream)

    def add_not_captured(self, name: str, reason: str) -> None:
        call("snap_run_add_not_captured", self.pointer, utf8(name), utf8(reason))

    def add_value(self, name: str, data: bytes, in_state: bool) -> None:
        """extra/`name`: bytes as they are now; a restore does not write them back."""
        memory = ctypes.create_string_buffer(data, max(len(data), 1))
        call("snap_run_add_value", self.pointer, utf8(name), in_state, memory, len(data))
        self._kept["extra/" + name] = memory

    def add_data_file(self, role: str, path: str) -> None:
        digest, size = Digest(), ctypes.c_uint64()
        call("snap_file_digest", path_bytes(path), digest, ctypes.byref(size))
        call("snap_run_add_data_file", self.pointer, utf8(role), digest, size)

    # ---- restoring ----

    def source(self) -> Optional[str]:
        """The path of the archive that a restore would take; None: a fresh run."""
        path = ctypes.create_string_buffer(PATH_BYTES)
        status, error = attempt("snap_run_source", self.pointer, path, len(path))
        if status == Status.NOT_FOUND:
            return None
        check(status, error)
        return path.value.decode("utf-8", "surrogateescape")

    def restore(self, require: Tier) -> Optional[Receipt]:
        """None: there is nothing to restore, a fresh run. AbsentError has the receipt of what could
        be reached as `.receipt`."""
        handle = ctypes.c_void_p()
        status, error = attempt("snap_run_restore", self.pointer, require, None,
                                ctypes.byref(handle))
        if status == Status.NOT_FOUND:
            return None
        receipt = Receipt(handle) if handle else None
        if status:
            problem = self._chained(error_of(status, error))
            problem.receipt = receipt  # type: ignore[attr-defined]
            raise problem
        return receipt

    def _chained(self, problem: errors.SnapError) -> errors.SnapError:
        """The exception of a callback, if one was raised, is the cause."""
        for stream in self._streams:
            if stream.failure is not None:
                problem.__cause__, stream.failure = stream.failure, None
        return problem

    def _check_streams(self) -> None:
        """A count of draws cannot fail in the library's eyes; what failed is told here."""
        for stream in self._streams:
            if stream.failure is not None:
                problem, stream.failure = stream.failure, None
                raise problem

    def expect(self, ledger: ctypes.c_void_p, host_part: bool = False) -> None:
        """Lines of a ledger (snap_ledger_open) that must come again, or their host parts. It is
        borrowed until close."""
        call("snap_run_expect_host" if host_part else "snap_run_expect", self.pointer, ledger)

    def deviation(self) -> Dict[str, Any]:
        """How far the floats of lines were away of which the host part was expected."""
        found = library().snap_run_deviation(self.pointer).contents
        counts = ("lines", "numbers", "numbers_unequal", "states", "states_unequal", "step")
        return {**{name: int(getattr(found, name)) for name in counts}, "field": text(found.field),
                **{name: float(getattr(found, name)) for name in ("largest", "recorded", "now")}}

    @property
    def steps_done(self) -> int:
        return int(library().snap_run_steps_done(self.pointer))

    @property
    def expected_last(self) -> int:
        return int(library().snap_run_expected_last(self.pointer))

    # ---- steps ----

    def set_position(self, epoch: int, samples: int) -> None:
        position = snap_position(epoch=epoch, position=samples)
        call("snap_run_set_position", self.pointer, ctypes.byref(position))

    def position(self) -> Tuple[int, int]:
        """Epoch, and samples of it that were consumed."""
        position = snap_position()
        call("snap_run_position", self.pointer, ctypes.byref(position))
        return int(position.epoch), int(position.position)

    def begin_step(self) -> None:
        status, error = attempt("snap_run_begin_step", self.pointer)
        if status:
            raise self._chained(error_of(status, error))
        self._check_streams()

    def cancel_step(self) -> None:
        """begin_step() was called, and there is no step to make: the data ended."""
        call("snap_run_cancel_step", self.pointer)

    def before_update(self) -> None:
        call("snap_run_before_update", self.pointer, None)

    def step(self, step: int, epoch: int, *, samples: Optional[bytes] = None,
             batch: Optional[bytes] = None, host: Scalars = {}, floats: Scalars = {},
             skipped: bool = False, tensors: TensorDigests = ()) -> None:
        """The ledger line. DiffersError: another one was expected; difference() says where."""
        record = step_record(step, epoch, samples, batch, host, floats, skipped, tensors)
        status, error = attempt("snap_run_step", self.pointer, ctypes.byref(record))
        if status:
            raise self._chained(error_of(status, error))
        self._check_streams()

    def difference(self) -> Optional[Dict[str, object]]:
        """What differed first when step() last raised DiffersError."""
        found = library().snap_run_difference(self.pointer)
        if not found:
            return None
        difference = found.contents
        fields = {name: text(getattr(difference, name)) for name in
                  ("kind", "field", "left", "right")}
        return {"step": int(difference.step), **fields}

    # ---- saving ----

    def request(self, wanted: Wanted) -> None:
        """From a signal handler. Nothing is done where the run is not open: in a child."""
        if self._run is not None:
            library().snap_run_request(self._run, wanted)

    def wanted(self) -> Wanted:
        wanted = Wanted(library().snap_run_wanted(self.pointer))
        self._tell_agent_trouble()
        return wanted

    def capture(self, step: int) -> str:
        """Save; the snapshot hash, when it is durable."""
        ticket, hash_text = ctypes.c_void_p(), _hash_buffer()
        self._capture(step, ctypes.byref(ticket))
        call("snap_run_wait", self.pointer, ticket, hash_text)
        self._tell_agent_trouble()
        return hash_text.value.decode()

    def capture_behind(self, step: int) -> None:
        """Copy the state, and save it while the training goes on. A failure comes with the next
        step, save or close."""
        self._capture(step, None)

    def wait(self) -> None:
        """For a save under way."""
        call("snap_run_wait", self.pointer, None, None)
        self._tell_agent_trouble()

    def _tell_agent_trouble(self) -> None:
        """One warning when the agent begins to fail: the run saves by itself. It may be an error
        to the user, and is told once all the same."""
        before, self._agent_trouble = self._agent_trouble, text(
            library().snap_run_agent_trouble(self.pointer))
        if self._agent_trouble and not before:
            warnings.warn(f"{self.dir}: the agent did not save, and the training saves by itself: "
                          f"{self._agent_trouble}", RuntimeWarning, stacklevel=4)

    def _capture(self, step: int, ticket: Any) -> None:
        status, error = attempt("snap_run_capture", self.pointer, step, None, ticket)
        if status:
            raise self._chained(error_of(status, error))

    def save_as(self, path: str) -> str:
        hash_text = _hash_buffer()
        status, error = attempt("snap_run_save_as", self.pointer, path_bytes(path), hash_text)
        if status:
            raise self._chained(error_of(status, error))
        return hash_text.value.decode()

    def capsule(self, step: int, what: str, name: str, value: str, element: int,
                attachments: Mapping[str, bytes]) -> str:
        """The path of the capsule of a step that failed."""
        array = (snap_attachment * max(len(attachments), 1))()
        for place, (attachment, data) in zip(array, attachments.items()):
            place.name = utf8(attachment)
            place.data = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p)
            place.size_bytes = len(data)
        failure = snap_failure(step=step, what=utf8(what), name=utf8(name), value=utf8(value),
                               element=element, attachments=array,
                               attachment_count=len(attachments))
        path = ctypes.create_string_buffer(PATH_BYTES)
        call("snap_run_capsule", self.pointer, ctypes.byref(failure), path, len(path))
        return path.value.decode("utf-8", "surrogateescape")

    # ---- looking ----

    def run_hash(self) -> str:
        hash_text = _hash_buffer()
        call("snap_run_hash", self.pointer, hash_text, None)
        return hash_text.value.decode()

    def state_hash(self) -> str:
        hash_text = _hash_buffer()
        call("snap_run_state_hash", self.pointer, hash_text)
        return hash_text.value.decode()

    def event(self, event: str, fields: Mapping[str, object]) -> None:
        call("snap_run_event", self.pointer, utf8(event), json_text(fields))

    def close(self) -> None:
        """Release the lock. The failure of a save that nobody waited for comes here."""
        handle, self._run = self._run, None
        if handle is not None:
            status, error = attempt("snap_run_close", handle)
            self._kept.clear()
            self._streams.clear()
            check(status, error)

    def leave_to_parent(self) -> None:
        """In a child of fork(): nothing more is done with the run here."""
        handle, self._run = self._run, None
        if handle is not None:
            library().snap_run_after_fork(handle)

    def __del__(self) -> None:
        if getattr(self, "_run", None) is not None:
            attempt("snap_run_close", self._run)


