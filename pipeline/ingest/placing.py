"""Where a raw file's hits lie in the lake when its first lines are another one's, too.

The hits of a day that has such lines stand without them, and all of them in the ledger beside, so
that they come back when the other file goes.
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path

import pyarrow.compute as pc

from pipeline.ingest.filing import HITS, WHOLE, Filing, Piece
from pipeline.lake.ledger import DayShare, FileRecord
from pipeline.lake.packs import Rows
from pipeline.lake.table_files import read_table


class Placing(Enum):
    """What is done with a file's hits of one day."""

    LEAVE = auto()
    PUT = auto()
    RESTORE = auto()
    """All of its hits come back."""
    CUT_NEW = auto()
    CUT = auto()
    CUT_ANEW = auto()
    """Other lines are dropped than before."""


def decide(*, is_new: bool, is_there: bool, was_cut: bool, is_cut: bool, is_same: bool) -> Placing:
    """What is done with a day's hits: the first row that fits.

    Args:
        is_new: they are not in the lake yet.
        is_there: the lake has them; else retention has deleted them.
        was_cut: the lake has them without lines that are dropped.
        is_cut: lines of the day are to be dropped.
        is_same: no other lines than before.
    """
    match is_new, is_there, was_cut, is_cut, is_same:
        case True, _, _, False, _:
            return Placing.PUT
        case True, _, _, True, _:
            return Placing.CUT_NEW
        case (_, False, _, _, _) | (_, _, False, False, _) | (_, _, True, True, True):
            return Placing.LEAVE
        case _, _, False, True, _:
            return Placing.CUT
        case _, _, True, False, _:
            return Placing.RESTORE
    return Placing.CUT_ANEW


def place_hits(
    filing: Filing, record: FileRecord, drops: int, new: Mapping[str, Piece]
) -> FileRecord:
    """Put each day's hits where they belong, without those of the first ``drops`` lines.

    Args:
        filing: what becomes of the lake's files.
        record: the file as it is in the lake, or comes.
        drops: so many lines are another file's.
        new: the hits of a file that comes, by local day; none of one that is there.

    Returns:
        The record with the days and counts as they will be.
    """
    whole = record.read_days
    before = record.overlap_lines if record.whole_days else 0
    days: dict[str, DayShare] = {}
    for day, share in whole.items():
        placing = decide(
            is_new=day in new,
            is_there=bool(filing.find(HITS, day, record) or filing.find(WHOLE, day, record)),
            was_cut=share.first_line <= before,
            is_cut=share.first_line <= drops,
            is_same=before == drops,
        )
        left = record.days.get(day) if placing is Placing.LEAVE else share
        match placing:
            case Placing.PUT:
                filing.put(HITS, day, record, new[day])
            case Placing.RESTORE:
                filing.put(HITS, day, record, filing.find(WHOLE, day, record))
                filing.put(WHOLE, day, record, None)
            case Placing.CUT_NEW:
                left = _cut(filing, day, record, new[day], drops)
            case Placing.CUT:
                left = _cut(filing, day, record, filing.find(HITS, day, record), drops)
            case Placing.CUT_ANEW:
                left = _cut(filing, day, record, filing.find(WHOLE, day, record), drops)
        if left:
            days[day] = left
    is_any_cut = any(share.first_line <= drops for share in whole.values())
    total = sum(share.hits for share in whole.values())
    count = sum(share.hits for share in days.values())
    return replace(
        record, days=days, hits=count, duplicates=total - count,
        whole_days=whole if is_any_cut else {},
    )  # fmt: skip


def _cut(
    filing: Filing, day: str, record: FileRecord, whole: Piece | None, drops: int
) -> DayShare | None:
    """Put a day's hits without those of the first lines, and all of them beside."""
    assert whole is not None
    table = read_table(whole) if isinstance(whole, Path) else whole.slice
    left = table.filter(pc.greater(table["line_no"], drops))
    filing.put(WHOLE, day, record, whole)
    filing.put(HITS, day, record, Rows.all_of(left) if len(left) else None)
    share = record.read_days[day]
    if not len(left):
        return None
    return replace(share, hits=len(left), first_line=left["line_no"][0].as_py())
