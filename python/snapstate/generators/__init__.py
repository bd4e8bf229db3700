# SPDX-License-Identifier: Apache-2.0
"""The random generators of a process as streams: read, set, counted and compared.

    streams()["torch"].get()             the state, as the bytes of an archive's member
    streams()["python"].set(data)        exactly there, cached normals included, read back
    register("augment", generator)       one more generator that decides results
    find_generators(dataset)             those that nobody registered
"""

from .base import Stream
from .mirror import distance
from .registry import register, streams, unregister
from .search import Found, find_generators

__all__ = ["Found", "Stream", "distance", "find_generators", "register", "streams", "unregister"]
