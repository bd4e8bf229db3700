# SPDX-License-Identifier: Apache-2.0
"""`save` and `restore`: one archive, without a run.

    snapstate.save("step-500.snap.tar", model=model, optimizer=optimizer, step=500)
    receipt = snapstate.restore("step-500.snap.tar", model=model, optimizer=optimizer)
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from . import errors
from ._arguments import bytes_of, count_of, dict_of, json_of
from ._assembly import Assembly
from ._dtypes import loaded
from ._loading import RUN_ROOT, Ignored, Loading
from ._run_handle import RunHandle
from .archive import Archive
from .profile import PROFILE, torch_binding, violations
from .receipt import Receipt
from .state import collection
from .generators import Stream, find_generators, streams as all_streams

Path = Union[str, "os.PathLike[str]"]


def _assembly(objects: Mapping[str, Any], generators: Optional[Mapping[str, Any]],
              gradients: str, loading: Loading) -> Assembly:
    parts = [*collection.collect(gradients=gradients, **objects), *loading.components()]
    found: Dict[str, Stream] = dict(all_streams())
    for name, generator in dict_of("streams", generators, "generators").items():
        found[name] = loading.stream(name, generator)
    known = [*loading.known(), *(stream.generator for stream in found.values())]
    gaps: List[Tuple[str, str]] = [
        (gap.path, gap.reason)
        for gap in find_generators({**objects, **loading.searched()}, known=known)]
    if loaded("torch") is not None and gradients == "presence":
        gaps.append(("gradients", "left out, as was asked (gradients=False)"))
    return Assembly(parts, found, gaps)


def _binding(profile: str, model: Any) -> Dict[str, Any]:
    """What the profile depends on; UnsupportedError when something breaks it."""
    if profile != PROFILE:
        return {}
    found = violations(collection.named("model", model))
    if found:
        raise errors.UnsupportedError(f"profile {PROFILE}: is broken here: " +
                                      "; ".join(map(str, found)))
    return torch_binding()


def save(path: Path, *, step: int = 0, model: Any = None, optimizer: Any = None,
         scheduler: Any = None, scaler: Any = None, ema: Any = None,
         values: Optional[Dict[str, Any]] = None, loader: Any = None,
         streams: Optional[Mapping[str, Any]] = None, extra: Optional[Mapping[str, bytes]] = None,
         gradients: bool = True, training: Optional[Mapping[str, Any]] = None,
         profile: str = "none", read_back: bool = True, volume_size: int = 0) -> str:
    """Save the objects, all streams of the process and those given, as one archive at `path`. What
    is there is replaced, as a whole or not at all. Gives the snapshot hash, once it is durable.

    step       updates done so far: the archive says it
    loader     what run.loader would be: a snapstate.loader.TrackedLoader that is being iterated
    extra      bytes by name, kept and hashed beside the state
    gradients  False: leave gradients out, when an update has used them; they may be as large as
               the model
    volume_size  bytes of a file at most: a larger archive is cut into one and volumes beside it,
               with the same hashes; 0: one file
    profile    "torch-1" promises the next step, as docs/torch-1.md says; "none" takes what it finds

    CaptureError names what has no safe form. What was seen and could not be captured is in the
    archive's coverage statement."""
    attached = bytes_of("extra", extra)
    loading = Loading.of_tracker(loader)
    handle = RunHandle(profile=profile, binding=_binding(profile, model),
                       first_step=count_of("step", step),
                       training=None if training is None else json_of("training", training),
                       read_back=read_back, volume_size=count_of("volume_size", volume_size))
    try:
        objects = {"model": model, "optimizer": optimizer, "scheduler": scheduler,
                   "scaler": scaler, "ema": ema, "values": values}
        assembly = _assembly(objects, streams, "values" if gradients else "presence", loading)
        assembly.register(handle)
        for name, data in attached.items():
            handle.add_value(name, data, in_state=False)
        handle.set_position(loading.epoch, loading.samples)
        return handle.save_as(os.fspath(path))
    finally:
        handle.close()


def restore(path: Path, *, model: Any = None, optimizer: Any = None, scheduler: Any = None,
            scaler: Any = None, ema: Any = None, values: Optional[Dict[str, Any]] = None,
            loader: Any = None, streams: Optional[Mapping[str, Any]] = None,
            require: str = "exact", ignore: Sequence[str] = ()) -> Receipt:
    """Bring the objects and streams to what the archive holds, in place, and say what was done.

    All digests are compared first; then tensors are written into the memory that is there (slots of
    a fresh optimizer are made), streams and plain values are set, and everything is read back. With
    `require` "exact" every component and stream of the archive must be given and set exactly; what
    that promises of the next step, the receipt says: `receipt.exact`, `receipt.reasons`. "weights"
    asks for the model alone. Roots named in `ignore`, such as "loader" when you have none, are
    passed over, and that is your decision.

    AbsentError: not possible, with the first reason; CorruptError: the archive is damaged. Nothing
    was changed then, unless the text says that memory is unusable."""
    with Archive(path) as archive:
        profile, training, kinds = archive.profile, archive.training, archive.streams
        ignored = [root for root in archive.roots if root in (*ignore, RUN_ROOT)]
    _import_what_draws(kinds)
    note = None
    binding: Dict[str, Any] = {}
    try:
        binding = _binding(profile, model)
    except errors.UnsupportedError as problem:
        note = str(problem)
    if profile not in (PROFILE, "none") or note is not None:
        note = note or f"the archive's profile is {profile}, which this program cannot promise"
        profile = "none"
    loading = Loading.of_tracker(loader)
    handle = RunHandle(archive=os.fspath(path), profile=profile, binding=binding,
                       training=training)
    try:
        objects = {"model": model, "optimizer": optimizer, "scheduler": scheduler,
                   "scaler": scaler, "ema": ema, "values": values}
        assembly = _assembly(objects, streams, "values", loading)
        assembly.components += [Ignored(root) for root in ignored]
        assembly.register(handle)
        loading.require(require)
        receipt = assembly.restore(handle, "streams" if require == "exact" else require)
        assert receipt is not None  # the archive is there: it was opened
        if note is not None:
            receipt.lower(note)
        loading.resume(receipt)
        return receipt
    finally:
        handle.close()


def _import_what_draws(kinds: Mapping[str, Any]) -> None:
    """The global generators of NumPy and torch exist once those are imported."""
    for name in ("numpy", "torch"):
        if name in kinds and loaded(name) is None:
            try:
                __import__(name)
            except ImportError:
                raise errors.AbsentError(
                    f"restore: the archive has the stream {name}, and {name} is not installed "
                    f"here") from None
