# SPDX-License-Identifier: Apache-2.0
"""How far a stream moved, in words: the distance, and what usually draws that much."""

from __future__ import annotations

import struct
from typing import Optional

# What draws from a stream of a kind: by the number of 32-bit words, and otherwise.
_CAUSES = {
    "torch_cpu": {
        1: "one element was drawn (torch.rand(1), torch.randperm(2))",
        2: "`iter(DataLoader)` draws a base seed",
        4: "`iter(DataLoader)` draws a base seed, and the first batch of a shuffling loader the "
           "seed of its sampler",
    },
    "python_random": {
        1: "one random.randrange(), choice() or getrandbits()",
        2: "one random.random() or uniform()",
    },
    "numpy_random_state": {
        1: "one np.random.randint() of a small range",
        2: "one np.random.rand() or uniform()",
    },
}
_OTHER_CAUSES = {
    "torch_cpu": "initial weights of a module, dropout, a shuffling sampler "
                 "(torch.randperm({next}) draws so many)",
    "torch_cuda": "kernels that draw (dropout, randn), each a multiple of 4 words a thread",
    "python_random": "random.shuffle(), sample(), or an augmentation",
    "numpy_random_state": "np.random.shuffle(), permutation(), or an augmentation",
}
_GENERATOR_CAUSE = "Generator.integers(), shuffle(), or an augmentation"

_KEPT_NORMAL = {
    "python_random": "random.gauss() makes two at a time and keeps one",
    "numpy_random_state": "np.random.randn() and normal() make two at a time and keep one",
    "torch_cpu": "normals of tensors below 16 elements are made two at a time, one kept",
}
_SEEDING = {
    "torch_cpu": "torch.manual_seed() or Generator.manual_seed()",
    "torch_cuda": "torch.manual_seed() or torch.cuda.manual_seed()",
    "python_random": "random.seed()",
    "numpy_random_state": "np.random.seed()",
}


def amount(kind: str, words: int) -> str:
    """A positive number of 32-bit words as a number of draws."""
    if kind == "torch_cuda":
        return f"{words:,} words a thread"
    if words == 1:
        return "one 32-bit draw"
    return "one 64-bit draw" if words == 2 else f"{words:,} draws of 32 bits"


def cause(kind: str, words: int) -> str:
    """What usually draws so many words, forward."""
    known = _CAUSES.get(kind, {}).get(words)
    return known or _OTHER_CAUSES.get(kind, _GENERATOR_CAUSE).format(next=words + 1)


def seed_of(kind: str, data: bytes) -> Optional[int]:
    """The seed that stands in a state of torch; None for other kinds."""
    if kind not in ("torch_cpu", "torch_cuda") or len(data) < 8:
        return None
    at = 800 if kind == "torch_cuda" and len(data) > 800 else 0
    return struct.unpack_from("<Q", data, at)[0]


def describe(name: str, kind: str, before: bytes, after: bytes, words: Optional[int]) -> str:
    """A line about the move from one state to another, `words` being its distance (None: none)."""
    who = f"stream {name}"
    if before == after:
        return f"{who}: did not move"
    seeds = seed_of(kind, before), seed_of(kind, after)
    seeding = _SEEDING.get(kind, "its bit generator's state was set")
    if seeds[0] != seeds[1]:
        return f"{who}: has the seed {seeds[1]} and had {seeds[0]} before: {seeding} was called"
    if words is None:
        return (f"{who}: is another state, to which no draws lead: {seeding} was called, or it was "
                f"set")
    if words == 0:
        kept = _KEPT_NORMAL.get(kind, "what is left of a 64-bit word, or of its SeedSequence")
        return f"{who}: is at the same place, with another number kept back: {kept}"
    if words < 0:
        return f"{who}: is {amount(kind, -words)} behind: it was set back to an earlier state"
    return f"{who}: is {amount(kind, words)} ahead: {cause(kind, words)}"
