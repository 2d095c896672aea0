"""Which of many small files may have lines of one another: told for all of them at once.

A filter before ``overlaps``, which looks at two files at a time: a pair that it leaves out shares
nothing that would be found there. Two files that do share have a line in common that few others
have; or the last line of one is in the other.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt

from pipeline.ingest.overlaps import FEW_LINES, Lines

_MANY = 64
"""A line that more files have is no sign, such as a header."""

_Ints = npt.NDArray[np.int64]


def find_partners(
    lines: Mapping[str, Lines], new: Collection[str], least: int
) -> dict[str, set[str]]:
    """The files that each of ``new`` may share lines with.

    Args:
        lines: of all files, by key.
        new: keys among them.
        least: so many different lines are an overlap.
    """
    keys = list(lines)
    number = {key: place for place, key in enumerate(keys)}
    is_new = np.zeros(len(keys), np.bool_)
    is_new[[number[key] for key in new]] = True
    pairs = {
        (min(one, other), max(one, other))
        for one, other in _find_pairs([lines[key] for key in keys], min(least, FEW_LINES))
        if one != other and (is_new[one] or is_new[other])
    }
    found: dict[str, set[str]] = {key: set() for key in new}
    for pair in pairs:
        for own, other in (pair, pair[::-1]):
            if is_new[own]:
                found[keys[own]].add(keys[other])
    return found


def _find_pairs(files: list[Lines], least: int) -> Iterator[tuple[int, int]]:
    counts = [len(one.hashes) for one in files]
    hashes = np.concatenate([np.zeros(0, np.uint32), *(one.hashes for one in files)])
    owners = np.repeat(np.arange(len(files), dtype=np.uint64), counts)
    both = np.unique(hashes.astype(np.uint64) << np.uint64(32) | owners)
    line, owner = both >> np.uint64(32), (both & np.uint64(2**32 - 1)).astype(np.int64)
    starts = np.flatnonzero(np.diff(line, prepend=-1, append=-1))
    sizes = np.diff(starts)
    starts = starts[:-1]
    is_common = sizes > _MANY
    if np.count_nonzero(is_common) >= least:  # two may share common lines alone
        is_common[:] = False
    for size in np.unique(sizes[(sizes > 1) & ~is_common]).tolist():
        its = owner[starts[(sizes == size) & ~is_common][:, None] + np.arange(size)]
        for one, other in combinations(range(size), 2):
            yield from zip(its[:, one].tolist(), its[:, other].tolist(), strict=True)
    common = {
        int(line[start]): owner[start : start + size]
        for start, size in zip(starts[is_common], sizes[is_common], strict=True)
    }
    for place, file in enumerate(files):
        whole = file.hashes[: -1 if file.tail_bytes else None]
        if file.is_damaged or not len(whole):  # fewer lines, or others, may tell
            yield from ((place, any_other) for any_other in range(len(files)))
            continue
        for last in {int(whole[-1]), int(file.hashes[-1])} & common.keys():
            yield from ((place, owner_of) for owner_of in common[last].tolist())
