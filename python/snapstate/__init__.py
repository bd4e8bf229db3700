# SPDX-License-Identifier: Apache-2.0
"""snapstate: everything that decides the next training step, in one hashed archive.

    import snapstate
    run = snapstate.Run("runs/exp1", model=model, optimizer=opt, scheduler=sched, loader=loader,
                        every=500)
    for batch in run.batches(epochs=10):     # goes on where it was, in mid-epoch
        loss = train(batch)
        run.step(loss=loss)

Run        all of it: restore, ledger, snapshots, signals
Sidecar    beside checkpoints that something else writes
watch      a ledger only, to compare two runs
save, restore -> Receipt            one archive
Archive    reading, lazily, as NumPy or torch
streams, register, seed_all         the random generators of the process
verify, diff                        of archives, ledgers, run folders
capsule    around a step: what is kept when it fails; Capsule reads one

Importing this needs neither torch nor NumPy.
"""

import importlib
from typing import TYPE_CHECKING, Any, List

from ._version import __version__
from .errors import (AbsentError, BusyError, CaptureError, CorruptError, DiffersError,
                     EnvironmentFailure, InternalError, InvalidError, NonfiniteError,
                     NotFoundError, OutOfMemory, SnapError, UnsupportedError)

if TYPE_CHECKING:
    from ._guard import capsule
    from ._watch import Watch, watch
    from .archive import Archive, ArchivedTensor
    from .capsule_reader import Capsule
    from .loader import TrackedLoader
    from .receipt import Receipt
    from .run import Run, Stopped
    from .profile import violations
    from .save_restore import restore, save
    from .seed import seed_all
    from .sidecar import Sidecar
    from .generators import Stream, find_generators, register, streams, unregister
    from .verify import Diff, Verdict, diff, verify

# name -> the module that has it, imported when it is first asked for
_LAZY = {
    "Archive": "archive", "ArchivedTensor": "archive", "Capsule": "capsule_reader",
    "TrackedLoader": "loader", "Receipt": "receipt", "Run": "run", "Stopped": "run",
    "restore": "save_restore", "save": "save_restore", "seed_all": "seed", "Sidecar": "sidecar",
    "Stream": "generators", "find_generators": "generators", "register": "generators",
    "streams": "generators", "unregister": "generators", "Diff": "verify", "Verdict": "verify",
    "violations": "profile", "diff": "verify", "verify": "verify", "Watch": "_watch",
    "watch": "_watch", "capsule": "_guard",
}

__all__ = ["__version__", "AbsentError", "BusyError", "CaptureError", "CorruptError",
           "DiffersError", "EnvironmentFailure", "InternalError", "InvalidError",
           "NonfiniteError", "NotFoundError", "OutOfMemory", "SnapError", "UnsupportedError",
           *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'snapstate' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted(__all__)
