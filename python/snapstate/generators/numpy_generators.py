# SPDX-License-Identifier: Apache-2.0
"""NumPy's Generator objects (numpy.random.default_rng): the state of the bit generator, and of the
SeedSequence that children are spawned from."""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any, Dict, Optional, Union

from .. import errors
from .base import Stream
from .mirror import TWISTER_BYTES, Mirror, TwisterMirror
from .numpy_streams import TWISTER, loaded, twister_address

# The kind of a Generator over each of NumPy's own bit generators.
GENERATOR_KINDS = {"PCG64": "numpy_pcg64", "PCG64DXSM": "numpy_pcg64dxsm", TWISTER: "numpy_mt19937",
                   "Philox": "numpy_philox", "SFC64": "numpy_sfc64"}

# Integers in the JSON of a state: above this as decimal text (docs/format.md).
_LARGEST_JSON_INTEGER = 1 << 53

_DEFAULT_POOL = 4  # words, of a SeedSequence


def _number(value: int) -> Union[int, str]:
    """An integer in the JSON of a state."""
    value = int(value)
    return value if value <= _LARGEST_JSON_INTEGER else str(value)


def _json_value(value: Any) -> Any:
    """A value of bit_generator.state in JSON."""
    if isinstance(value, dict):
        return {key: _json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, str):
        return value
    if hasattr(value, "tolist"):  # an array or a scalar of NumPy
        return _json_value(value.tolist())
    return _number(value)


def _sequence_value(sequence: Any) -> Dict[str, Any]:
    """A SeedSequence in JSON."""
    return {
        "entropy": _json_value(sequence.entropy),
        "n_children_spawned": _number(sequence.n_children_spawned),
        "pool_size": _number(sequence.pool_size),
        "spawn_key": _json_value(sequence.spawn_key),
    }


def _sequence_text(value: Dict[str, Any]) -> str:
    """A SeedSequence in JSON as the call that makes it."""
    entropy = value["entropy"]
    given = [str([int(part) for part in entropy]) if isinstance(entropy, list) else str(entropy)]
    if value["spawn_key"]:
        given.append(f"spawn_key={tuple(int(part) for part in value['spawn_key'])}")
    if value["pool_size"] != _DEFAULT_POOL:
        given.append(f"pool_size={value['pool_size']}")
    if value["n_children_spawned"]:
        given.append(f"n_children_spawned={value['n_children_spawned']}")
    return f"SeedSequence({', '.join(given)})"


class GeneratorStream(Stream):
    """A numpy.random.Generator, by the state of its bit generator and of the SeedSequence that it
    spawns from. UnsupportedError when the bit generator is none of NumPy's own."""

    def __init__(self, name: str, generator: Any) -> None:
        numpy_random = loaded()
        if numpy_random is None or not isinstance(generator, numpy_random.Generator):
            raise errors.InvalidError(
                f"{type(generator).__qualname__}: is no numpy.random.Generator")
        self._generator = generator
        self._random = numpy_random
        self._numpy = sys.modules["numpy"]
        self._engine = type(generator.bit_generator).__name__
        kind = GENERATOR_KINDS.get(self._engine)
        cls = type(generator.bit_generator)
        if kind is None or cls is not getattr(numpy_random, self._engine):
            raise errors.UnsupportedError(
                f"stream {name}: a numpy.random.Generator over {cls.__module__}.{cls.__qualname__} "
                f"has no kind of stream; those of NumPy have: {', '.join(GENERATOR_KINDS)}")
        super().__init__(name, kind)

    @property
    def generator(self) -> Any:
        return self._generator

    def generator_text(self) -> str:
        return f"a numpy.random.Generator over {self._engine}"

    def seed(self, seed: int) -> None:
        """The state of a new engine from SeedSequence(seed). With NumPy 2 children are spawned from
        that too; earlier ones go on to spawn from what the generator was made from."""
        engine = self._generator.bit_generator
        sequence = self._random.SeedSequence(seed)
        engine.state = type(engine)(sequence).state
        self._replace_seed_sequence(sequence)

    def _replace_seed_sequence(self, sequence: Any) -> bool:
        """Whether this NumPy could: from 2 on, unpickling sets it, before that a state alone."""
        engine, before = self._generator.bit_generator, self._seed_sequence()
        try:
            engine.__setstate__((engine.state, sequence))
        except (TypeError, ValueError, KeyError):
            pass
        return self._seed_sequence() is not before

    def _seed_sequence(self) -> Any:
        """The SeedSequence that the engine was seeded from, None when it has another source."""
        engine = self._generator.bit_generator
        found = getattr(engine, "seed_seq", None)  # NumPy 1.25
        if found is None:
            found = getattr(engine, "_seed_seq", None)
        return found if type(found) is self._random.SeedSequence else None

    def _document(self) -> Dict[str, Any]:
        """The member as a JSON value."""
        document = _json_value(self._generator.bit_generator.state)
        document["kind"] = self.kind
        sequence = self._seed_sequence()
        if sequence is not None:
            document["seed_seq"] = _sequence_value(sequence)
        return document

    def _load(self, mirror: Mirror, follow: bool) -> None:
        text = json.dumps(self._document(), sort_keys=True, separators=(",", ":")) + "\n"
        data = text.encode("ascii")
        if follow:
            mirror.follow(data)
        else:
            mirror.decode(data)

    def _store(self, mirror: Mirror) -> None:
        document = json.loads(mirror.encode())
        del document["kind"]
        self._restore_seed_sequence(document.pop("seed_seq", None))
        self._generator.bit_generator.state = self._native(document)

    def _native(self, value: Any, key: str = "") -> Any:
        """A JSON value of a state as bit_generator.state has it."""
        if isinstance(value, dict):
            return {name: self._native(item, name) for name, item in value.items()}
        if isinstance(value, list):
            word = "uint32" if self._engine == TWISTER else "uint64"
            return self._numpy.array([int(item) for item in value], dtype=word)
        return value if key == "bit_generator" else int(value)

    def _restore_seed_sequence(self, wanted: Optional[Dict[str, Any]]) -> None:
        """Let the engine spawn what the one in the archive would have spawned next."""
        live = self._seed_sequence()
        if wanted is None and live is None:
            return
        if wanted is None or live is None:
            raise errors.UnsupportedError(
                f"stream {self.name}: set: {self.generator_text()} was "
                f"{'made from another source than a SeedSequence' if live is None else 'seeded'}, "
                f"and the one of the archive was not: make it as it was made there")
        now = _sequence_value(live)
        to_spawn = int(wanted["n_children_spawned"]) - live.n_children_spawned
        same_seed = all(now[key] == wanted[key] for key in ("entropy", "pool_size", "spawn_key"))
        if same_seed and to_spawn == 0:
            return
        entropy = wanted["entropy"]
        sequence = self._random.SeedSequence(
            [int(part) for part in entropy] if isinstance(entropy, list) else int(entropy),
            spawn_key=tuple(int(part) for part in wanted["spawn_key"]),
            pool_size=int(wanted["pool_size"]),
            n_children_spawned=int(wanted["n_children_spawned"]))
        if self._replace_seed_sequence(sequence):
            return
        if not same_seed or to_spawn < 0:
            raise errors.UnsupportedError(
                f"stream {self.name}: set: {self.generator_text()} spawns from "
                f"{_sequence_text(now)}, the one in the archive from {_sequence_text(wanted)}, and "
                f"this NumPy cannot change that: make the generator from the latter, "
                f"numpy.random.Generator(numpy.random.{self._engine}(numpy.random."
                f"{_sequence_text(wanted)})), before the restore, or use NumPy 2")
        live.spawn(to_spawn)


class TwisterGeneratorStream(GeneratorStream):
    """A numpy.random.Generator over MT19937: as the others, but that only the words are read from
    one look to the next, as long as nothing was spawned in between."""

    def _mirror(self) -> TwisterMirror:
        return TwisterMirror(self.kind, self.limit_words)

    def _load(self, mirror: Any, follow: bool) -> None:
        sequence = self._seed_sequence()
        spawned = None if sequence is None else sequence.n_children_spawned
        address, loaded_sequence, loaded_spawned = mirror.source or (None, None, None)
        if address is None or sequence is not loaded_sequence or spawned != loaded_spawned:
            super()._load(mirror, follow)
            mirror.read_state()
            address = twister_address(self._generator.bit_generator, bytes(mirror.words))
            mirror.source = (address, sequence, spawned)
            return
        ctypes.memmove(mirror.words_address, address, TWISTER_BYTES)
        if follow:
            mirror.follow_state()
        else:
            mirror.set_state()


def generator_stream(name: str, generator: Any) -> GeneratorStream:
    """The stream of a numpy.random.Generator."""
    over_twister = type(generator.bit_generator).__name__ == TWISTER
    return (TwisterGeneratorStream if over_twister else GeneratorStream)(name, generator)
