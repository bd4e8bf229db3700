# SPDX-License-Identifier: Apache-2.0
"""What a figure is, and how it is judged."""

import statistics
from dataclasses import dataclass, field
from typing import Callable, List, Optional

# A ratio this little below its goal is met: two runs of one program differ by as much.
TOLERANCE = 0.05


class NotMeasured(Exception):
    """The figure cannot be had here; the text says why, and what would have to be there."""


class Differs(Exception):
    """The two sides were to make the same and did not: how fast they are says nothing."""


@dataclass(frozen=True)
class Goal:
    """`kind` "ratio": ours is at least `value` times as good as the peer; "most": ours, in the
    figure's unit, is at most `value`."""

    kind: str
    value: float

    def __str__(self):
        return f"{'>=' if self.kind == 'ratio' else '<='} {self.value:g}"


@dataclass(frozen=True)
class Figure:
    """One line of the report. `measure(bench)` gives a Measurement, or raises NotMeasured or
    Differs."""

    area: str
    name: str
    goal: Goal
    measure: Callable
    unit: str = "s"      # of both sides; less is better
    conditions: str = ""  # what the reader must know: sizes, caches, what is not counted


@dataclass
class Measurement:
    """One number a run of each side, made in turn. `peer_name` says what the peer is."""

    ours: List[float]
    peer: Optional[List[float]] = None
    peer_name: Optional[str] = None


@dataclass
class Result:
    """A figure, and what came of it."""

    figure: Figure
    measurement: Optional[Measurement]
    reason: Optional[str] = None
    status: str = "not measured"  # without a measurement; else what it comes to
    ratio: Optional[float] = field(init=False, default=None)

    def __post_init__(self):
        if self.measurement is None:
            return
        goal = self.figure.goal
        ours = statistics.median(self.measurement.ours)
        if goal.kind == "most":
            self.status = "met" if ours <= goal.value else "short"
            return
        # The median of the ratios, not the ratio of the medians: both sides of one run met the
        # same machine.
        self.ratio = statistics.median(peer / mine for mine, peer in
                                       zip(self.measurement.ours, self.measurement.peer))
        self.status = "met" if self.ratio >= goal.value - TOLERANCE else "short"

    def document(self):
        """As schema/bench-result.schema.json has it: JSON of this project has no reals."""
        figure, measured = self.figure, self.measurement

        def decimals(numbers):
            return None if numbers is None else [f"{number:.6f}" for number in numbers]

        return {
            "area": figure.area,
            "name": figure.name,
            "conditions": figure.conditions,
            "goal": {"kind": figure.goal.kind, "value": f"{figure.goal.value:g}"},
            "unit": figure.unit,
            "ours": None if measured is None else decimals(measured.ours),
            "peer": None if measured is None else decimals(measured.peer),
            "peer_name": None if measured is None else measured.peer_name,
            "ratio": None if self.ratio is None else f"{self.ratio:.3f}",
            "status": self.status,
            "reason": self.reason,
        }

    def line(self):
        """Area, name, ours, peer, ratio, goal, and `met`, `short`, or why there is no number."""
        figure, measured = self.figure, self.measurement
        ours = peer = ratio = "-"
        if measured is not None:
            ours = f"{statistics.median(measured.ours):.3g} {figure.unit}"
            if measured.peer is not None:
                peer = f"{statistics.median(measured.peer):.3g} {figure.unit}"
            if self.ratio is not None:
                ratio = f"{self.ratio:.2f}"
        last = self.status if self.reason is None else f"{self.status}: {self.reason}"
        return (f"{figure.area:<11}{figure.name:<44}{ours:>11}{peer:>11}{ratio:>8}"
                f"{figure.goal!s:>9}  {last}")


HEADER = f"{'area':<11}{'figure':<44}{'ours':>11}{'peer':>11}{'ratio':>8}{'goal':>9}"
