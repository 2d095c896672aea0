"""The minutes of a run of local days, and what is summed or found over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipeline.surges.baseline import Bools, Floats, Ints

SATURDAY = 5


@dataclass(frozen=True)
class Timeline:
    """The minutes of a run of local days, one after the other; days without any log left out."""

    starts: Ints
    """Index of each day's first minute, and one past the last day's last; length days + 1."""
    weekdays: Ints
    """Monday is 0."""
    hours: Ints
    """Hour on the wall of every minute."""

    @cached_property
    def day_of(self) -> Ints:
        """Index of every minute's day."""
        return np.repeat(np.arange(len(self.weekdays)), np.diff(self.starts))

    @cached_property
    def blocks(self) -> Ints:
        """First minutes of the runs of minutes of one day and hour."""
        is_first = np.diff(self.hours, prepend=-1) != 0
        is_first[self.starts[:-1]] = True
        return np.flatnonzero(is_first)

    def to_minutes(self, of_cells: Any) -> Any:
        """Values of days and hours, shape ``(days, 24)``, as values of every minute."""
        lengths = np.diff(np.append(self.blocks, self.starts[-1]))
        return np.repeat(of_cells.reshape(-1)[cells_of(self)], lengths)

    def part(self, first: int, last: int) -> Timeline:
        """The days ``first`` to ``last`` (indices, both included) as a timeline of their own."""
        starts = self.starts[first : last + 2]
        hours = self.hours[starts[0] : starts[-1]]
        return Timeline(starts - starts[0], self.weekdays[first : last + 1], hours)


def cells_of(line: Timeline) -> Ints:
    """The day and hour that each of the timeline's blocks is of, as an index of days x 24."""
    return line.day_of[line.blocks] * 24 + line.hours[line.blocks]


def per_cell(line: Timeline, values: Bools | Ints) -> Floats:
    """Sums of every day and hour, shape ``(days, 24)``."""
    sums = np.add.reduceat(values, line.blocks, dtype=np.int64)
    counts = np.bincount(cells_of(line), sums, len(line.weekdays) * 24)
    return counts.reshape(-1, 24).astype(np.float64)


def find_runs(flags: Bools) -> tuple[Ints, Ints]:
    """First index and end (excluded) of each run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return edges[::2], edges[1::2]
