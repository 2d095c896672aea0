"""The ledger's records, in sheets: Parquet of one source's raw files in order of their days.

A sheet has the files whose first day is its own or a later one, up to the next sheet's. One of too
many is split between two days, so a change costs what lies about its days, not what the lake holds.
Of an earlier version's ledger there is a JSON file each, until a command writes (``old_ledger``).
"""

import secrets
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.lake.journal import Move
from pipeline.lake.ledger import FILES_FOLDER, NO_DAY, FileRecord, Seen
from pipeline.lake.old_ledger import read_old
from pipeline.lake.record_rows import to_records, to_table
from pipeline.lake.sheets import (
    SCHEMA,
    Moment,
    Sheet,
    list_sheets,
    only_live,
    schema_of,
    settled,
    shape_named,
    write_sheet,
)
from pipeline.lake.sums import ENDED, Sums, sum_up

MOST_RECORDS = 4_000
"""Of a sheet of more than one day: it is written anew with every change of one of them."""
_TIME = SCHEMA.field("first_at").type
_kept_records: dict[Path, tuple[tuple[int, int, int], list[FileRecord]]] = {}


def read_records(ledger: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The records of all raw files at one moment: those in the lake, replaced and forgotten.

    Args:
        ledger: the lake's.
        columns: of ``SCHEMA``; all when not given.

    Raises:
        LakeError: a sheet is damaged.
    """
    names = tuple(columns) if columns is not None else None
    old = to_table(read_old(ledger)).select(schema_of(names).names)
    return pa.concat_tables([old, *settled(ledger, lambda sheet: sheet.scan(names)).read])


def list_sums(ledger: Path) -> list[Sums]:
    """What the records of all raw files come to at one moment: a part of a source's at a time."""
    old, moment = read_old(ledger), settled(ledger, lambda sheet: sheet.sums)
    if moment.is_amid:
        return sum_records(list_records(ledger))
    return [*sum_records(old), *moment.read]


def sum_records(records: Iterable[FileRecord]) -> list[Sums]:
    """What some records come to, by source."""
    by_source = defaultdict(list)
    for record in records:
        by_source[record.source].append(record)
    return [sum_up(source, to_table(its)) for source, its in sorted(by_source.items())]


def live_records(
    ledger: Path,
    columns: Sequence[str],
    sources: Collection[str] | None = None,
    are_asked: Callable[[Sums], bool] = lambda _: True,
    which: pc.Expression | None = None,
) -> pa.Table:
    """Some columns of the records of raw files that are in the lake.

    Args:
        ledger: the lake's.
        columns: of ``SCHEMA``.
        sources: theirs only.
        are_asked: tells by what a sheet's records come to whether it is to be read.
        which: only those of which this is true; of ``columns``.
    """
    names = tuple(dict.fromkeys([*columns, *ENDED]))

    def choose(table: pa.Table) -> pa.Table:
        live = only_live(table)
        return live if which is None else live.filter(which)

    def read(sheet: Sheet) -> pa.Table:
        is_asked = are_asked(sheet.sums)
        return choose(sheet.scan(names)) if is_asked else schema_of(names).empty_table()

    old, moment = read_old(ledger), settled(ledger, read, sources)
    if moment.is_amid:
        old = list_records(ledger)
    its = [one for one in old if sources is None or one.source in sources]
    found = [choose(to_table(its)).select(schema_of(names).names)]
    return pa.concat_tables(found if moment.is_amid else [*found, *moment.read]).select(
        list(columns)
    )


def choose_days(records: pa.Table, days: Collection[str]) -> pa.Table:
    """Those of some records (with ``days``) whose files gave hits to some days (ISO)."""
    shares = records["days"].combine_chunks()
    its = pc.list_flatten(shares).field("day").cast(pa.string())
    is_one = pc.is_in(its, value_set=pa.array(sorted(days), pa.string()))
    return records.take(pc.unique(pc.list_parent_indices(shares).filter(is_one)))


def list_records(ledger: Path) -> list[FileRecord]:
    """The same as values, by file key."""
    old = {record.file_key: record for record in read_old(ledger)}
    found = old | _list_records(settled(ledger, Sheet.read))
    return [record for _, record in sorted(found.items())]


@lru_cache(maxsize=1)
def _list_records(moment: Moment[pa.Table]) -> dict[str, FileRecord]:
    # Of two sheets between which days were just divided, both may have a record.
    found: dict[str, FileRecord] = {}
    for sheet, table in zip(moment.sheets, moment.read, strict=True):
        stat, records = _kept_records.get(sheet.path, (None, []))
        if stat != sheet.stat:
            with shape_named(sheet.path):
                records = to_records(table)
            _kept_records[sheet.path] = sheet.stat, records
        found |= {record.file_key: record for record in records}
    return found


def find_records(ledger: Path, file_keys: Iterable[str]) -> dict[str, FileRecord]:
    """The records of some raw files, by key, as far as there are any: in the lake or not."""
    wanted = set(file_keys)
    if not wanted:
        return {}
    keys = pa.array(sorted(wanted), pa.string())

    def read(sheet: Sheet) -> list[FileRecord]:
        are_its = pc.is_in(sheet.read(("file_key",))["file_key"], value_set=keys)
        if not pc.any(are_its).as_py():
            return []
        with shape_named(sheet.path):
            return to_records(sheet.read().filter(are_its))

    found = {r.file_key: r for r in read_old(ledger) if r.file_key in wanted}
    for its in settled(ledger, read, {key.rpartition("-")[0] for key in wanted}).read:
        found |= {record.file_key: record for record in its}
    return found


def list_replaced(ledger: Path, file_key: str) -> list[str]:
    """The names of raw files in whose place a file was taken in, in order."""

    def read(sheet: Sheet) -> list[str]:
        table = sheet.scan(("name", "replaced_by"))
        names: list[str] = table.filter(pc.equal(table["replaced_by"], file_key))[
            "name"
        ].to_pylist()
        return names

    old = [record.name for record in read_old(ledger) if record.replaced_by == file_key]
    return sorted({*old, *(name for its in settled(ledger, read).read for name in its)})


def list_near(ledger: Path, first_at: str | None, last_at: str | None) -> list[FileRecord]:
    """Raw files in the lake whose hits' times meet a span (ISO 8601 in UTC), and those without.

    All of them where the span is None.
    """
    old = [record for record in read_old(ledger) if record.is_live]
    none = SCHEMA.empty_table()
    if not (first_at and last_at):
        return old + _live(pa.concat_tables([none, *settled(ledger, Sheet.read).read]))
    first, last = (datetime.fromisoformat(at) for at in (first_at, last_at))

    def read(sheet: Sheet) -> pa.Table:
        firsts, lasts = sheet.span_of("first_at"), sheet.span_of("last_at")
        return none if firsts and lasts and (firsts[0] > last or lasts[1] < first) else sheet.read()

    # All sheets' at once: each may have few.
    table = pa.concat_tables([none, *settled(ledger, read).read])
    meets = pc.and_(
        pc.less_equal(table["first_at"], pa.scalar(last, _TIME)),
        pc.greater_equal(table["last_at"], pa.scalar(first, _TIME)),
    )
    return old + _live(table.filter(pc.fill_null(meets, True)))


def _live(table: pa.Table) -> list[FileRecord]:
    return to_records(only_live(table))


def with_seen(record: FileRecord, seen: Seen) -> FileRecord:
    """A record whose raw file was read at a path, once more or for the first time."""
    others = [one for one in record.seen if one.path != seen.path]
    return replace(record, seen=(*others, seen))


def put_records(ledger: Path, records: Iterable[FileRecord], staging: Path) -> list[Move]:
    """Have the sheets hold these records in place of those of the same keys.

    Sheets come before those that they take records from, new ones first: a reader between two of
    the moves finds some twice, and none missing (unless two exchange records, which nothing does).
    """
    by_source = defaultdict(list)
    for record in records:
        by_source[record.source].append(record)
    sheets = list_sheets(ledger)
    moves = [
        move
        for source, its in sorted(by_source.items())
        for move in _put(ledger, source, [s for s in sheets if s.source == source], its, staging)
    ]
    moves.sort(key=lambda one: (one[0].target.exists(), one[1]))
    return [move for move, _ in moves]


def _put(
    ledger: Path, source: str, sheets: Sequence[Sheet], records: list[FileRecord], staging: Path
) -> Iterator[tuple[Move, bool]]:
    """Each sheet's change, and whether others get records that it had."""
    keys = pa.array([record.file_key for record in records])
    starts = [sheet.first_day for sheet in sheets] or [str(NO_DAY)]
    new: dict[int, list[FileRecord]] = defaultdict(list)
    for record in records:
        new[max(0, bisect_right(starts, record.day) - 1)].append(record)
    for place, start in enumerate(starts):
        left, loses, is_whole = SCHEMA.empty_table(), False, False
        if sheets:
            had = sheets[place].read(("file_key",))["file_key"]
            is_gone = pc.is_in(had, value_set=keys)
            is_whole = not pc.any(is_gone).as_py()
            if place not in new and is_whole:
                continue
            left = sheets[place].read().filter(pc.invert(is_gone))
            kept = {record.file_key for record in new[place]}
            loses = not kept.issuperset(had.filter(is_gone).to_pylist())
        table = pa.concat_tables([left, to_table(new[place])])
        table = table.sort_by([("day", "ascending"), ("file_key", "ascending")])
        for number, rows in enumerate(_divide(table)):
            if number == 0 and is_whole and len(rows) == len(left) and _are_later(new[place], left):
                continue  # the sheet as it is: what comes is of days behind it
            first = start if number == 0 else str(rows["day"][0])
            staged = staging / f".{secrets.token_hex(8)}.sheet"
            write_sheet(staged, source, rows)
            target = ledger.parent / FILES_FOLDER / f"{source}-{first}.parquet"
            yield Move(staged, target), loses


def _are_later(records: Iterable[FileRecord], table: pa.Table) -> bool:
    return min(record.day for record in records) > str(pc.max(table["day"]))


def _divide(table: pa.Table) -> Iterator[pa.Table]:
    """Cut a sheet's rows between days where there are too many."""
    days = table["day"].cast(pa.int32()).to_numpy()
    cuts = [0, *(np.flatnonzero(np.diff(days)) + 1), len(days)]
    start = 0
    for this, following in pairwise(cuts):
        if following - start > MOST_RECORDS and this > start:
            yield table.slice(start, this - start)
            start = this
    yield table.slice(start)
