"""Which lines of a raw file a table's file has: small enough to be sent between processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_WIDEST = 16
"""A mark for each line of the span takes less room than numbers up to so many lines a row."""


@dataclass(frozen=True)
class LineSet:
    """Line numbers, rising: packed marks from the first to the last, or the numbers themselves."""

    first: int
    last: int
    count: int
    packed: bytes
    is_marked: bool

    @classmethod
    def of(cls, numbers: Ints) -> "LineSet":
        """Pack at least one number; rising, each once."""
        first, last, count = int(numbers[0]), int(numbers[-1]), len(numbers)
        if last - first < _WIDEST * count:
            marks = np.zeros(last - first + 1, np.bool_)
            marks[numbers - first] = True
            return cls(first, last, count, np.packbits(marks).tobytes(), is_marked=True)
        return cls(first, last, count, numbers.astype(np.int64).tobytes(), is_marked=False)

    @property
    def numbers(self) -> Ints:
        """The line numbers, shape ``(count,)``."""
        if not self.is_marked:
            return np.frombuffer(self.packed, np.int64)
        marks = np.unpackbits(
            np.frombuffer(self.packed, np.uint8), count=self.last - self.first + 1
        )
        return np.flatnonzero(marks) + self.first


def find_shared(sets: Sequence[LineSet]) -> int | None:
    """A line number that two of the sets have; None when they share none."""
    ordered = sorted(sets, key=lambda lines: lines.first)
    if all(one.last < other.first for one, other in pairwise(ordered)):
        return None
    numbers = np.sort(np.concatenate([lines.numbers for lines in ordered]), kind="stable")
    shared = np.flatnonzero(numbers[1:] == numbers[:-1])
    return int(numbers[shared[0]]) if len(shared) else None
