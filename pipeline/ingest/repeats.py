"""Lines that two raw files have in common beyond an overlap: they count twice, and are in doubt."""

import numpy as np
import numpy.typing as npt

from pipeline.ingest.contained import Hashes, reach_distinct
from pipeline.ingest.overlaps import Lines, find_overlap

_PAIRS_AT_ONCE = 500_000
_LINES_AT_ONCE = 50_000


def find_repeats(before: Lines, after: Lines, least: int) -> int:
    """Count the different lines that two have beside the same one, and that both count.

    Or in any order, as in a sorted copy, where they are half of those of one of the two.

    0 for fewer than ``least``; without those of an overlap. As many the other way about.
    """
    own = after.hashes[find_overlap(before, after, least) :]
    others = before.hashes[find_overlap(after, before, least) :]
    count = max(len(np.unique(own[_find_repeated(own, others)])), _count_common(own, others))
    return count if count >= least else 0


def find_shared(before: Lines, after: Lines, least: int) -> int:
    """Count the lines of a file when the other one, of another source, has all of them.

    In any order, as in a sorted copy; but for a last line that was cut off. 0 for fewer than
    ``least`` different ones: two servers may have the same health checks. As many the other way
    about.
    """
    pairs = [(before, after), (after, before)]
    found = [len(part.hashes) for part, whole in pairs if _is_within(part, whole, least)]
    return max(found, default=0)


def _is_within(part: Lines, whole: Lines, least: int) -> bool:
    """Whether a file has all lines of another one; of most pairs a few of them tell."""
    own, others = part.hashes[: -1 if part.tail_bytes else None], whole.hashes
    few = 2**32 // (1 + len(others) // _LINES_AT_ONCE)
    for most in (few, 2**32):
        its, theirs = np.sort(own[own < most]), np.sort(others[others < most])
        nth = np.arange(len(its)) - np.searchsorted(its, its)  # of equal lines: as many are there
        places = np.searchsorted(theirs, its) + nth
        if places.max(initial=-1) >= len(theirs) or (theirs[places] != its).any():
            return False
    return reach_distinct(own, least) is not None


def _find_repeated(own: Hashes, others: Hashes) -> npt.NDArray[np.bool_]:
    """Which lines stand beside one that they stand beside in the other file, too, in this order.

    Two lines are 64 bits: of millions some single ones are equal by chance. Where there are more, a
    part of them is looked for at a time.
    """
    is_repeated = np.zeros(len(own), np.bool_)
    parts = 1 + max(len(own), len(others)) // _PAIRS_AT_ONCE
    for part in range(parts):
        begins = np.flatnonzero(own[:-1] % parts == part)
        wanted = _pair(others, np.flatnonzero(others[:-1] % parts == part))
        if len(begins) and len(wanted):
            wanted.sort()
            pairs = _pair(own, begins)
            # Of sorted ones each is looked for near the last; those that are found are few.
            rising = np.sort(pairs)
            common = rising[_are_in(rising, wanted)]
            begins = begins[_are_in(pairs, common)]
            is_repeated[begins] = is_repeated[begins + 1] = True
    return is_repeated


def _are_in(
    values: npt.NDArray[np.uint64], rising: npt.NDArray[np.uint64]
) -> npt.NDArray[np.bool_]:
    """Which values are among others."""
    if not len(rising):
        return np.zeros(len(values), np.bool_)
    places = np.minimum(np.searchsorted(rising, values), len(rising) - 1)
    found: npt.NDArray[np.bool_] = rising[places] == values
    return found


def _count_common(own: Hashes, others: Hashes) -> int:
    """Count the different lines that two have in common; 0 where they are few in both.

    A part of them at a time; of most pairs the first one tells.
    """
    count = least = 0
    parts = 1 + max(len(own), len(others)) // _LINES_AT_ONCE
    for part in range(parts):
        first, second = (np.unique(one[one % parts == part]) for one in (own, others))
        count += len(np.intersect1d(first, second, assume_unique=True))
        least += min(len(first), len(second))
        if 2 * count < least:
            return 0
    return count


def _pair(hashes: Hashes, begins: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """The lines at ``begins``, each with the next one."""
    return hashes[begins].astype(np.uint64) << np.uint64(32) | hashes[begins + 1]
