# SPDX-License-Identifier: Apache-2.0
"""One seed for every generator of the process."""

from __future__ import annotations

import hashlib
from typing import Dict

from . import errors
from .generators import numpy_streams, registry, torch_streams

LARGEST_SEED = (1 << 64) - 1


def derive_seed(seed: int, name: str) -> int:
    """The seed of a registered stream: the first 8 bytes, little-endian, of the SHA-256 of the text
    "snapstate seed\\n", the seed in decimal, "\\n" and the stream's name, in UTF-8. So it depends
    on the name and not on the order of registration, and no two names share one."""
    text = f"snapstate seed\n{seed}\n{name}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "little")


def seed_all(seed: int) -> Dict[str, int]:
    """Seed every generator of the process, and say which got what, by the name of the stream.

    The global ones are seeded with `seed` itself, as a user would do it: random.seed(seed),
    numpy.random.seed(seed), torch.manual_seed(seed), which covers all CUDA devices, also those that
    are not initialised yet. Registered ones get `derive_seed(seed, name)`, of which a RandomState
    takes the low 32 bits; each as its library seeds: random.Random.seed, RandomState.seed,
    Generator.manual_seed, and for a numpy.random.Generator the state of a new engine from
    SeedSequence(derived).

    Only what is imported is seeded: call it after the imports, and before models and loaders are
    made. A restore sets every stream after it, whatever the seed was.

    InvalidError, and nothing is seeded, unless 0 <= seed <= 2^64-1, or 2^32-1 when NumPy is
    imported: numpy.random.seed takes no more, and a seed cut to 32 bits would be another one."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise errors.InvalidError(f"seed_all: {seed!r} is no integer")
    if not 0 <= seed <= LARGEST_SEED:
        raise errors.InvalidError(f"seed_all: {seed} is not in 0 to 2^64-1")
    if numpy_streams.loaded() is not None and seed > numpy_streams.LARGEST_SEED:
        raise errors.InvalidError(
            f"seed_all: {seed} is past 2^32-1, the largest that numpy.random.seed takes: choose a "
            f"smaller one")
    given: Dict[str, int] = {}
    for name, stream in registry.streams().items():
        if stream in registry.registered():
            given[name] = derive_seed(seed, name)
            if isinstance(stream, numpy_streams.RandomStateStream):
                given[name] &= numpy_streams.LARGEST_SEED
        else:
            given[name] = seed
        stream.seed(given[name])
    if torch_streams.loaded() is not None:
        torch_streams.loaded().manual_seed(seed)
    return given
