"""Where a raw file's hits lie in the lake when its first lines are another one's, too.

The hits of a day that has such lines stand without them, and all of them in the ledger beside, so
that they come back when the other file goes.
"""

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path

import pyarrow.compute as pc

from pipeline.lake.journal import Move
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import DayShare, FileRecord
from pipeline.lake.partitions import read_table, write_hits


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
    lake: Lake, record: FileRecord, drops: int, new: Mapping[str, Path], staging: Path
) -> tuple[list[Move], FileRecord]:
    """Put each day's hits where they belong, without those of the first ``drops`` lines.

    Args:
        lake: that has the file, or is to have it.
        record: the file as it is in the lake, or comes.
        drops: so many lines are another file's.
        new: the hits of a file that comes, by local day; none of one that is there.
        staging: for what is made on the way.

    Returns:
        The files to move, and the record with the days and counts as they will be.
    """
    key, whole = record.file_key, record.read_days
    before = record.overlap_lines if record.whole_days else 0
    days: dict[str, DayShare] = {}
    moves: list[Move] = []
    for day, share in whole.items():
        hits, kept = lake.hits_path(day, key), lake.whole_path(day, key)
        placing = decide(
            is_new=day in new,
            is_there=hits.exists() or kept.exists(),
            was_cut=share.first_line <= before,
            is_cut=share.first_line <= drops,
            is_same=before == drops,
        )
        match placing:
            case Placing.LEAVE:
                left, its = record.days.get(day), []
            case Placing.RESTORE:
                left, its = share, [Move(_link(kept, staging), hits), Move(None, kept)]
            case Placing.PUT:
                left, its = share, [Move(new[day], hits)]
            case Placing.CUT_NEW:
                left, cut = _cut(new[day], share, drops, staging)
                its = [Move(cut, hits), Move(new[day], kept)]
            case Placing.CUT:
                left, cut = _cut(hits, share, drops, staging)
                its = [Move(cut, hits), Move(_link(hits, staging), kept)]
            case Placing.CUT_ANEW:
                left, cut = _cut(kept, share, drops, staging)
                its = [Move(cut, hits)]
        moves += its
        if left:
            days[day] = left
    is_any_cut = any(share.first_line <= drops for share in whole.values())
    total = sum(share.hits for share in whole.values())
    count = sum(share.hits for share in days.values())
    return moves, replace(
        record, days=days, hits=count, duplicates=total - count,
        whole_days=whole if is_any_cut else {},
    )  # fmt: skip


def new_path(staging: Path) -> Path:
    """A place for a file that is made on the way."""
    return staging / secrets.token_hex(8)


def _cut(
    hits: Path, share: DayShare, drops: int, staging: Path
) -> tuple[DayShare | None, Path | None]:
    """Write a day's hits without those of the first lines; None when none is left."""
    table = read_table(hits)
    table = table.filter(pc.greater(table["line_no"], drops))
    if not len(table):
        return None, None
    path = new_path(staging)
    write_hits(path, table)
    return replace(share, hits=len(table), first_line=table["line_no"][0].as_py()), path


def _link(path: Path, staging: Path) -> Path:
    """A second name in the staging folder: the lake's own stays until the change is done."""
    link = new_path(staging)
    try:
        os.link(path, link)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, link)
    return link
