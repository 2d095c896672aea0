"""What two raw files of one source share: all of a file that grew, or lines that were sent twice.

Pure functions over one hash a physical line. What they find depends on the files alone, never on
the order in which they came. The hashes are keyed: everything of a line but its address may be in
the lake, and with an open hash the address could be tried out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from pipeline.formats.numbers import compiled_for
from pipeline.ingest.contained import Hashes, SameLines, find_runs, fits, reach_distinct, take_lines
from pipeline.raw.blocks import Block

_Ints = npt.NDArray[np.uint64]

_FACTOR = 0x9E3779B97F4A7C15  # odd: its powers never vanish modulo 2**64
_TRIES = 16
FEW_LINES = 5
"""Different ones in a row that are worth a doubt: no second of two files has so many by chance."""


@dataclass(frozen=True)
class Lines:
    """The physical lines of one raw file: ``hashes`` (n,), in order.

    ``tail_bytes`` is the length of a last line without its end, which may be cut off; 0 when the
    last line is whole. ``is_damaged``: some of them may be what damage made of others. ``hits`` of
    them are requests, ``others`` are blank or known to be none.
    """

    hashes: Hashes
    tail_bytes: int
    is_damaged: bool = False
    hits: int = 0
    others: int = 0


@dataclass(frozen=True)
class Overlap:
    """So many first lines of a file are also in another one."""

    lines: int
    file_key: str | None


NO_OVERLAP = Overlap(0, None)


def hash_lines(block: Block, key: bytes) -> Hashes:
    """One hash for each line of a block, line ends left out, long lines by their kept part.

    32 bits of AES under ``key`` (16 bytes) over XXH3-64: fast, and of no use without the key.
    """
    hashes = np.empty(len(block.lines) + len(block.too_long), np.uint64)
    is_long = np.zeros(len(hashes), np.bool_)
    if block.too_long:
        numbers = np.array([number for number, _ in block.too_long])
        is_long[np.searchsorted(np.sort(np.append(block.line_no, numbers)), numbers)] = True
        hashes[is_long] = [_hash(head.encode()) for _, head in block.too_long]
    hashes[~is_long] = _hash_each(block.lines)
    cells = np.zeros((len(hashes), 2), np.uint64)
    cells[:, 0] = hashes
    # Each cell by itself: equal lines are to have equal hashes.
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return np.frombuffer(cipher.update(cells.tobytes()), np.uint32)[::4].copy()


def _hash_each(lines: pa.StringArray) -> npt.ArrayLike:
    """XXH3-64 of n lines of a block."""
    compiled = compiled_for()
    if compiled is None:
        return _hash_one_by_one(lines)
    hashes = compiled.hash_lines(lines)
    rest = np.flatnonzero(hashes == 0)
    hashes[rest] = _hash_one_by_one(lines.take(pa.array(rest)))
    return cast("_Ints", hashes)


def _hash_one_by_one(lines: pa.StringArray) -> list[int]:
    if not len(lines):
        return []
    edges = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset :][: len(lines) + 1]
    data = lines.buffers()[2].to_pybytes()
    starts, ends = edges[:-1].tolist(), (edges[1:] - 1).tolist()
    if not data.endswith(b"\n", 0, int(edges[-1])):
        ends[-1] += 1  # the last line of a file
    take = xxhash.xxh3_64_intdigest
    if b"\r" in data:
        texts = (data[start:end] for start, end in zip(starts, ends, strict=True))
        return [take(text.removesuffix(b"\r")) for text in texts]
    return [take(data[start:end]) for start, end in zip(starts, ends, strict=True)]


def _hash(line: bytes) -> int:
    return int(xxhash.xxh3_64_intdigest(line))


def is_earlier(earlier: Lines, later: Lines, least: int) -> bool | None:
    """Whether ``later`` begins with all of ``earlier``.

    None when that hangs on a cut-off last line alone: whether it is the beginning of the line that
    stands in its place. Nothing is an earlier state of itself, and an empty file of no other. Nor
    is a file of ``least`` lines or more, fewer of them different, whose last one ``later`` goes on
    with: a flood of equal lines over a rotation looks like that.
    """
    count = len(earlier.hashes)
    whole = count - (earlier.tail_bytes > 0)
    if not count or count > len(later.hashes):
        return False
    if count == len(later.hashes) and not earlier.tail_bytes:
        return False
    if not np.array_equal(earlier.hashes[:whole], later.hashes[:whole]):
        return False
    if not earlier.tail_bytes:
        return not _goes_on(earlier.hashes, later.hashes, least)
    if earlier.hashes[-1] != later.hashes[whole]:
        return None
    return count < len(later.hashes) or not later.tail_bytes


def _goes_on(first: Hashes, whole: Hashes, least: int) -> bool:
    """Whether first lines of a file, too few of them different, go on with the last one again."""
    is_flood = len(first) >= least and reach_distinct(first, least) is None
    return is_flood and len(first) < len(whole) and bool(whole[len(first)] == first[-1])


def is_sent_whole(damaged: Lines, whole: Lines, least: int) -> bool:
    """Whether a damaged file begins like an undamaged one that has all its lines in order.

    But for those that can be what damage made of the undamaged one's; see ``_tells``. One whose
    first line is a later one of the other is a piece of it, whatever stands side by side after
    damage has moved the lines: an overlap, which comes back when the other goes.
    """
    if not damaged.is_damaged or whole.is_damaged or not len(damaged.hashes):
        return False
    is_same = damaged.hashes[:1] == whole.hashes[:1]
    if not is_same.all() and not _are_side_by_side(damaged.hashes, whole.hashes, least):
        return False
    runs = find_runs(damaged.hashes, whole.hashes, is_damaged=True)
    if not runs or _goes_on(damaged.hashes[: runs[0].length], whole.hashes, least):
        return False
    if runs[0].start == 0 < runs[0].place:
        return False
    return _tells(damaged, runs, least) and fits(
        runs, len(damaged.hashes), len(whole.hashes),
        is_damaged=True, has_tail=damaged.tail_bytes > 0,
    )  # fmt: skip


def _tells(damaged: Lines, runs: list[SameLines], least: int) -> bool:
    """Whether the lines in ``runs`` tell that a damaged file is a copy of another one.

    They have at least half of its hits; or a quarter, and ``least`` different lines; or as many in
    a row. Else its other hits may be another server's, which has a health check in common, or a W3C
    log's head.
    """
    known = max(0, sum(run.length for run in runs) - damaged.others)
    longest = max(runs, key=lambda run: run.length)
    is_many = reach_distinct(take_lines(damaged.hashes, runs), least) is not None
    return (
        damaged.hits <= 2 * known
        or (is_many and damaged.hits <= 4 * known)
        or reach_distinct(take_lines(damaged.hashes, [longest]), least) is not None
    )


def _are_side_by_side(one: Hashes, other: Hashes, least: int) -> bool:
    """Whether two have ``least`` different lines that have the same number in both."""
    both = min(len(one), len(other))
    return reach_distinct(one[:both][one[:both] == other[:both]], least) is not None


def is_contained(part: Lines, whole: Lines, least: int) -> bool:
    """Whether ``whole`` has all lines of ``part`` in order, ``least`` different ones at least.

    Of a damaged file but for those that damage made.
    """
    if min(len(part.hashes), len(whole.hashes)) < least:
        return False
    runs = find_runs(part.hashes, whole.hashes, is_damaged=part.is_damaged)
    if not runs or (part.is_damaged and not _tells(part, runs, least)):
        return False
    return (
        fits(
            runs, len(part.hashes), len(whole.hashes),
            is_damaged=part.is_damaged, has_tail=part.tail_bytes > 0,
        )
        and reach_distinct(take_lines(part.hashes, runs), least) is not None
    )  # fmt: skip


def find_overlap(before: Lines, after: Lines, least: int) -> int:
    """Count the first lines of ``after`` that are also in ``before``.

    All of them when it is contained; else a run that ends ``before`` (what was sent again, or
    copied and then truncated). A cut-off last line of ``before`` is no part of it. 0 for fewer than
    ``least`` different ones: equal lines are no evidence.
    """
    if is_contained(after, before, least):
        return len(after.hashes)
    lines = reach_distinct(after.hashes, least)
    return _find_end(before, after, lines) if lines else 0


def find_flood(before: Lines, after: Lines, least: int) -> int:
    """Count what ``find_overlap`` would if more of the lines were different; 0 when it does.

    Of fewer lines than ``least`` a few different ones: they are no proof, and no chance either.
    """
    if find_overlap(before, after, least):
        return 0
    flood = 0 if reach_distinct(after.hashes, least) == least else _find_end(before, after, least)
    return flood or find_overlap(before, after, min(FEW_LINES, least))


def _find_end(before: Lines, after: Lines, least: int) -> int:
    found = _find_run(before.hashes, after.hashes, least)
    if before.tail_bytes:
        found = max(found, _find_run(before.hashes[:-1], after.hashes, least))
    return found


def _find_run(before: Hashes, after: Hashes, least: int) -> int:
    if min(len(before), len(after)) < max(least, 1):
        return 0
    places = np.flatnonzero(before[: len(before) - least + 1] == after[0])
    places = places[before[places + least - 1] == after[least - 1]]
    if not len(places):
        return 0
    lengths = np.minimum(len(before) - places, len(after))
    places = places[_sums_match(before, after, places, lengths)]
    for place in places[:_TRIES].tolist():  # the first is the longest
        length = min(len(before) - place, len(after))
        if np.array_equal(before[place : place + length], after[:length]):
            return int(length)
    return 0


def _sums_match(
    before: Hashes, after: Hashes, places: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether ``before[p:p+n]`` may equal ``after[:n]``, for all places at once: linear time."""
    powers = np.full(max(len(before), len(after)) + 1, _FACTOR, np.uint64)
    powers[0] = 1
    powers = np.multiply.accumulate(powers)
    sums, wanted = _summed(before, powers), _summed(after, powers)
    matches: npt.NDArray[np.bool_] = (
        sums[places + lengths] - sums[places] == wanted[lengths] * powers[places]
    )
    return matches


def _summed(hashes: Hashes, powers: _Ints) -> _Ints:
    sums = np.zeros(len(hashes) + 1, np.uint64)
    np.cumsum(hashes * powers[: len(hashes)], out=sums[1:])
    return sums


def largest_overlap(
    file_key: str,
    lines: Mapping[str, Lines],
    least: int,
    find: Callable[[Lines, Lines, int], int] = find_overlap,
) -> Overlap:
    """The longest overlap of one file with any of the others; of equal ones, the first key's.

    With ``find_flood`` that of lines too equal to prove one, with ``find_repeats`` that of lines
    among others, with ``find_shared`` that of all lines of one of the two.

    Where each of two files begins with what ends the other (or they are the same lines in other
    bytes), only one drops them: the one that has more of them, else the later key.
    """
    own = lines[file_key]
    found = []
    for key, other in lines.items():
        count = find(other, own, least) if key != file_key else 0
        if count and (find(own, other, least), key) < (count, file_key):
            found.append((-count, key))
    count, key = min(found, default=(0, ""))
    return Overlap(-count, key) if count else NO_OVERLAP
