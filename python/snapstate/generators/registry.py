# SPDX-License-Identifier: Apache-2.0
"""Which streams there are: the global generators of the libraries in this process, and those that
were registered by name."""

from __future__ import annotations

import random
from typing import Any, Dict, List, Optional

from .. import errors
from . import numpy_streams, torch_streams
from .base import Stream, check_name
from .numpy_generators import generator_stream
from .numpy_streams import RandomStateStream
from .python_streams import PythonStream
from .torch_streams import TorchStream

PYTHON, NUMPY, TORCH, TORCH_CUDA = "python", "numpy", "torch", "torch_cuda."

# The process's own, by the name of the stream. A stream object lives as long as the process, so
# that its count of words goes on.
_global: Dict[str, Stream] = {}
_registered: Dict[str, Stream] = {}


def _global_generators() -> Dict[str, Any]:
    """The global generators that exist now, by the name of the stream."""
    found: Dict[str, Any] = {PYTHON: random}
    numpy_random = numpy_streams.loaded()
    if numpy_random is not None:
        found[NUMPY] = numpy_random.mtrand._rand
    for index, generator in enumerate(torch_streams.default_generators(), start=-1):
        found[TORCH if index < 0 else f"{TORCH_CUDA}{index}"] = generator
    return found


def make_stream(name: str, generator: Any) -> Stream:
    """A Stream of a random.Random, numpy.random.RandomState, numpy.random.Generator or
    torch.Generator. InvalidError when `generator` is none of these, UnsupportedError when this
    version has no form for its state."""
    numpy_random, torch = numpy_streams.loaded(), torch_streams.loaded()
    if generator is random or isinstance(generator, random.Random):
        return PythonStream(name, generator)
    if numpy_random is not None and isinstance(generator, numpy_random.RandomState):
        return RandomStateStream(name, generator)
    if numpy_random is not None and isinstance(generator, numpy_random.Generator):
        return generator_stream(name, generator)
    if torch is not None and isinstance(generator, torch.Generator):
        return TorchStream(name, generator)
    cls = type(generator)
    raise errors.InvalidError(
        f"stream {name}: register: {cls.__module__}.{cls.__qualname__} is none of random.Random, "
        f"numpy.random.RandomState, numpy.random.Generator, torch.Generator")


def is_generator(value: Any) -> bool:
    """Whether `value` is a generator object of Python, NumPy or torch."""
    numpy_random, torch = numpy_streams.loaded(), torch_streams.loaded()
    return (isinstance(value, random.Random)
            or numpy_random is not None and isinstance(value, (numpy_random.RandomState,
                                                               numpy_random.Generator,
                                                               numpy_random.BitGenerator))
            or torch is not None and isinstance(value, torch.Generator))


def identity(generator: Any) -> Any:
    """What two objects share when they are one generator: NumPy's are so by their engine."""
    if generator is random:
        return random._inst
    for attribute in ("bit_generator", "_bit_generator"):
        engine = getattr(generator, attribute, None)
        if engine is not None:
            return engine
    return generator


def name_of(generator: Any) -> Optional[str]:
    """The name under which a generator is a stream already; None when it is not."""
    known = {**_global_generators(), **{name: s.generator for name, s in _registered.items()}}
    this = identity(generator)
    return next((name for name, other in known.items() if identity(other) is this), None)


def register(name: str, generator: Any) -> Stream:
    """Make a generator object a stream of that name, which `streams()` then holds: a random.Random,
    numpy.random.RandomState, numpy.random.Generator or torch.Generator that decides results. It is
    kept alive until `unregister(name)`.

    InvalidError for another object, a name that is not legal or is taken, or a generator that is a
    stream already; UnsupportedError when this version has no form for its state."""
    check_name(name)
    if name in (PYTHON, NUMPY, TORCH) or name.startswith(TORCH_CUDA):
        raise errors.InvalidError(
            f"stream {name}: register: the name is that of a global generator")
    if name in _registered:
        raise errors.InvalidError(
            f"stream {name}: register: the name is taken; unregister it first")
    made = make_stream(name, generator)
    there = name_of(generator)
    if there is not None:
        raise errors.InvalidError(
            f"stream {name}: register: {made.generator_text()}: is the stream {there} already")
    _registered[name] = made
    return made


def unregister(name: str) -> None:
    """Forget a stream that was registered. NotFoundError when there is none of that name."""
    if _registered.pop(name, None) is None:
        raise errors.NotFoundError(
            f"stream {name}: unregister: no stream of that name is registered")


def streams() -> Dict[str, Stream]:
    """The streams of this process by name: "python"; "numpy" and "torch" once NumPy and torch are
    imported; "torch_cuda.0" and so on for every device once torch has initialised CUDA; then what
    was registered, in that order. UnsupportedError when the global generator of NumPy was put over
    another engine than MT19937."""
    generators = _global_generators()
    for name, generator in generators.items():
        if name not in _global or _global[name].generator is not generator:
            _global[name] = make_stream(name, generator)
    return {**{name: _global[name] for name in generators}, **_registered}


def registered() -> List[Stream]:
    """The registered streams, in the order of registration."""
    return list(_registered.values())
