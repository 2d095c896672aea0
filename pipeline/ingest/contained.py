"""Whether the lines of one raw file lie in another of its source, in order, but for its damage.

A damaged archive has lines before its damage, and behind it often text that looks like lines: cut
in two, glued together, with bytes of others. Those are in no other file. They are told by their
place: where they stand the whole file has other lines, about as many. Pure functions, as in
``overlaps``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint32]

_MOST_RUNS = 100_000
"""Lines that lie in the other file one by one, far apart: not followed further."""
_MOST_FOR_ONE = 4
"""Lines that damage may make of one, by line ends within it."""
_SEARCHES_WITHOUT_ORDER = 8
"""Most files are told apart by their first lines: to sort them takes longer than to look."""
_NEAR = 8
"""Places beside the expected one; farther off a single line of a damaged file may be chance."""


@dataclass(frozen=True)
class SameLines:
    """``length`` lines that are the same from line ``start`` of a file, ``place`` of the other."""

    start: int
    place: int
    length: int


class _Places:
    """Where the lines of a file are, by their hashes."""

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes
        self._searches = 0

    def find(self, wanted: np.uint32, since: int) -> int | None:
        """The first place from ``since`` on."""
        if since < len(self._hashes) and self._hashes[since] == wanted:
            return since
        self._searches += 1
        if self._searches <= _SEARCHES_WITHOUT_ORDER:
            found = np.flatnonzero(self._hashes[since:] == wanted)
            return since + int(found[0]) if len(found) else None
        if self._searches == _SEARCHES_WITHOUT_ORDER + 1:
            self._order = np.argsort(self._hashes, kind="stable")
            self._ordered = self._hashes[self._order]
        first = int(np.searchsorted(self._ordered, wanted))
        end = int(np.searchsorted(self._ordered, wanted, side="right"))
        places = self._order[first:end]
        at = int(np.searchsorted(places, since))
        return int(places[at]) if at < len(places) else None


def _count_same(one: Hashes, other: Hashes) -> int:
    """How many first lines of two are the same."""
    most, at, step = min(len(one), len(other)), 0, 64
    while at < most:
        end = min(at + step, most)
        differs = one[at:end] != other[at:end]
        if differs.any():
            return at + int(np.argmax(differs))
        at, step = end, step * 4
    return most


def find_runs(part: Hashes, whole: Hashes, *, is_damaged: bool) -> list[SameLines] | None:
    """The runs of ``part`` that ``whole`` has in order; None when there are too many.

    Lines that it has not are left out when ``is_damaged``; else the search ends with the first.
    """
    places, runs = _Places(whole), list[SameLines]()
    start = since = 0
    while start < len(part):
        place = places.find(part[start], since)
        length = 0 if place is None else _count_same(part[start:], whole[place:])
        expected = since + (start - (runs[-1].start + runs[-1].length if runs else 0))
        is_chance = is_damaged and length == 1 and place and abs(place - expected) > _NEAR
        if place is None or is_chance:
            if not is_damaged:
                break
            start += 1
            continue
        runs.append(SameLines(start, place, length))
        if len(runs) > _MOST_RUNS:
            return None
        start, since = start + length, place + length
    return runs


def fits(runs: list[SameLines], part: int, whole: int, *, is_damaged: bool, has_tail: bool) -> bool:
    """Whether the lines that are in no run can be what damage made of the lines between the runs.

    ``part``, ``whole``: the numbers of lines. Of an undamaged file that is the cut-off last line
    alone (``has_tail``).
    """
    if not runs:
        return False
    for unknown, room, is_last in _list_holes(runs, part, whole):
        is_tail = is_last and has_tail and unknown == 1
        if not room or not (is_tail or (is_damaged and unknown <= _MOST_FOR_ONE * room)):
            return False
    return True


def _list_holes(runs: list[SameLines], part: int, whole: int) -> Iterator[tuple[int, int, bool]]:
    """Lines that are in no run, beside how many of the other file's, and whether at the end."""
    start = place = 0
    for run in runs:
        if run.start > start:
            yield run.start - start, run.place - place, False
        start, place = run.start + run.length, run.place + run.length
    if part > start:
        yield part - start, whole - place, True


def reach_distinct(hashes: Hashes, least: int) -> int | None:
    """How many first lines have ``least`` different ones among them; None when all have fewer."""
    size = 4 * least
    while True:
        firsts = np.unique(hashes[:size], return_index=True)[1]
        if len(firsts) >= least:
            return int(np.sort(firsts)[least - 1]) + 1
        if size >= len(hashes):
            return None
        size *= 8


def take_lines(hashes: Hashes, runs: list[SameLines]) -> Hashes:
    """The lines of the runs."""
    parts = [hashes[run.start : run.start + run.length] for run in runs]
    return np.concatenate([hashes[:0], *parts])
