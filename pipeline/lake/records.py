"""The ledger's records, in sheets: Parquet of one source's raw files in order of their days.

A sheet has the files whose first day is its own or a later one, up to the next sheet's. One of too
many is split between two days, so a change costs what lies about its days, not what the lake holds.
Of an earlier version's ledger there is a JSON file each, until a command writes (``old_ledger``).
"""

import secrets
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import LakeError
from pipeline.lake.journal import Move
from pipeline.lake.ledger import NO_DAY, DayShare, FileRecord, Seen
from pipeline.lake.old_ledger import read_old
from pipeline.lake.partitions import write_table
from pipeline.lake.storage import damage_named
from pipeline.tables import FILES, FILES_FOLDER

MOST_RECORDS = 4_000
"""Of a sheet of more than one day: it is written anew with every change of one of them."""
_SEEN = pa.list_(
    pa.struct(
        [("path", pa.string()), ("size", pa.int64()), ("changed_ns", pa.int64()),
         ("read_ns", pa.int64())]
    )
)  # fmt: skip
SCHEMA = FILES.append(pa.field("seen", _SEEN)).remove_metadata()
_DAY_LENGTH = len(str(NO_DAY))
_TIMES = ("first_at", "last_at", "ingested_at", "forgotten_at")
_SHARES = ("days", "whole_days")
_ENDED = ("replaced_by", "forgotten_at")
_DATES = ("rejects_day",)
_SECONDS, _ISO = pa.timestamp("s", "UTC"), "%Y-%m-%dT%H:%M:%S+00:00"
_DEFAULTS = {
    one.name: () if one.name in (*_SHARES, "seen") else one.default
    for one in fields(FileRecord)
    if not (one.default is MISSING and one.default_factory is MISSING)
}
_Item = TypeVar("_Item")
_TIME = SCHEMA.field("first_at").type


@dataclass(frozen=True)
class Sheet:
    """A sheet as it was when the folder was listed."""

    path: Path
    stat: tuple[int, int, int]

    @property
    def source(self) -> str:
        """Whose files it has."""
        return self.path.stem[: -_DAY_LENGTH - 1]

    @property
    def first_day(self) -> str:
        """The day from which on it has them."""
        return self.path.stem[-_DAY_LENGTH:]

    def read(self, columns: tuple[str, ...] | None = None) -> pa.Table:
        """Its records, or some columns of ``SCHEMA`` of them."""
        stat, table = _kept.get((self.path, columns), (None, None))
        if stat != self.stat:
            path = self.path
            with damage_named(path), _shape_named(path), pq.ParquetFile(path) as file:
                table = _filled(file.read(columns), _schema(columns)).cast(_schema(columns))
            _kept[self.path, columns] = self.stat, table
        return table


@contextmanager
def _shape_named(path: Path) -> Iterator[None]:
    try:
        yield
    except pa.ArrowException:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LakeError(f"{path} is damaged: {error}") from error


_kept: dict[tuple[Path, tuple[str, ...] | None], tuple[tuple[int, int, int], pa.Table]] = {}
"""Of each sheet what was read last: each commit reads them, and leaves one anew."""
_kept_records: dict[Path, tuple[tuple[int, int, int], list[FileRecord]]] = {}


@dataclass(frozen=True)
class _Moment:
    """Sheets and their tables, of one moment."""

    sheets: tuple[Sheet, ...]
    tables: tuple[pa.Table, ...] = field(compare=False)


def _schema(columns: Iterable[str] | None) -> pa.Schema:
    return SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])


def _filled(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """With what a record has by default in the columns that a sheet was written before."""
    for place, column in enumerate(schema):
        if column.name in _DEFAULTS and column.name not in table.column_names:
            values = pa.array([_DEFAULTS[column.name]] * len(table), column.type)
            table = table.add_column(place, column, values)
    return table


def list_sheets(ledger: Path) -> list[Sheet]:
    """The sheets there are, by source and day."""
    found = []
    for path in sorted((ledger.parent / FILES_FOLDER).glob("*.parquet")):
        try:
            stat = path.stat()
        except FileNotFoundError:  # just replaced by others
            continue
        found.append(Sheet(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns)))
    return found


def read_records(ledger: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The records of all raw files at one moment: those in the lake, replaced and forgotten.

    Args:
        ledger: the lake's.
        columns: of ``SCHEMA``; all when not given.

    Raises:
        LakeError: a sheet is damaged.
    """
    names = tuple(columns) if columns is not None else None
    old = to_table(read_old(ledger)).select(_schema(names).names)
    return pa.concat_tables([old, *_settled(ledger, names).tables])


def live_records(ledger: Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of the records of raw files whose hits are in the lake."""
    return only_live(read_records(ledger, [*columns, *_ENDED])).select(list(columns))


def only_live(table: pa.Table) -> pa.Table:
    """The records of files that are in the lake."""
    return table.filter(pc.and_(*(pc.is_null(table[name]) for name in _ENDED)))


def list_records(ledger: Path) -> list[FileRecord]:
    """The same as values, by file key."""
    old = {record.file_key: record for record in read_old(ledger)}
    found = old | _list_records(_settled(ledger))
    return [record for _, record in sorted(found.items())]


@lru_cache(maxsize=1)
def _list_records(moment: _Moment) -> dict[str, FileRecord]:
    # Of two sheets between which days were just divided, both may have a record.
    found: dict[str, FileRecord] = {}
    for sheet, table in zip(moment.sheets, moment.tables, strict=True):
        stat, records = _kept_records.get(sheet.path, (None, []))
        if stat != sheet.stat:
            with _shape_named(sheet.path):
                records = to_records(table)
            _kept_records[sheet.path] = sheet.stat, records
        found |= {record.file_key: record for record in records}
    return found


def find_record(ledger: Path, file_key: str) -> FileRecord | None:
    """The record of one raw file: in the lake, replaced or forgotten."""
    old = [record for record in read_old(ledger) if record.file_key == file_key]
    source = file_key.rpartition("-")[0]
    moment = _settled(ledger, ("file_key",))
    for sheet, keys in zip(moment.sheets, moment.tables, strict=True):
        if sheet.source == source and pc.index(keys["file_key"], file_key).as_py() >= 0:
            table = sheet.read()
            found = to_records(table.filter(pc.equal(table["file_key"], file_key)))
            return found[0] if found else find_record(ledger, file_key)  # it has just moved
    return old[0] if old else None


def find_records(ledger: Path, file_keys: Iterable[str]) -> dict[str, FileRecord]:
    """Those of several raw files, by key, as far as there are any."""
    wanted = set(file_keys)
    keys = pa.array(sorted(wanted), pa.string())
    found = {r.file_key: r for r in read_old(ledger) if r.file_key in wanted}
    moment = _settled(ledger)
    for table in moment.tables:
        rows = table.filter(pc.is_in(table["file_key"], value_set=keys))
        found |= {record.file_key: record for record in to_records(rows)}
    return found


def list_near(ledger: Path, first_at: str | None, last_at: str | None) -> list[FileRecord]:
    """Raw files in the lake whose hits' times meet a span (ISO 8601 in UTC), and those without.

    All of them where the span is None.
    """
    found = [record for record in read_old(ledger) if record.is_live]
    for every in _settled(ledger).tables:
        table = only_live(every)
        if first_at and last_at:
            first, last = (
                pa.scalar(datetime.fromisoformat(at), _TIME) for at in (first_at, last_at)
            )
            meets = pc.and_(
                pc.less_equal(table["first_at"], last), pc.greater_equal(table["last_at"], first)
            )
            table = table.filter(pc.fill_null(meets, True))
        found += to_records(table)
    return found


def find_seen(ledger: Path, path: str) -> list[tuple[Seen, str]]:
    """What was read of a path (``quoted``), the latest last: each with its file key."""
    return list_seen(ledger).get(path, [])


def list_seen(ledger: Path) -> Mapping[str, list[tuple[Seen, str]]]:
    """The same of all paths."""
    found = _seen_by_path(_settled(ledger, ("file_key", "seen")))
    old = [(seen, record.file_key) for record in read_old(ledger) for seen in record.seen]
    if not old:
        return found
    both = defaultdict(list)
    for seen, key in old:
        both[seen.path].append((seen, key))
    return {path: [*both.get(path, ()), *found.get(path, ())] for path in both.keys() | found}


@lru_cache(maxsize=1)
def _seen_by_path(moment: _Moment) -> dict[str, list[tuple[Seen, str]]]:
    found = defaultdict(list)
    for table in moment.tables:
        for key, its in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
            for seen in its:
                found[seen["path"]].append((Seen(**seen), key))
    return {path: sorted(its, key=lambda one: one[0].read_ns) for path, its in found.items()}


def _settled(ledger: Path, columns: tuple[str, ...] | None = None) -> _Moment:
    """The sheets as they are at one moment."""
    sheets = list_sheets(ledger)
    while True:
        tables = tuple(sheet.read(columns) for sheet in sheets)
        again = list_sheets(ledger)
        if sheets == again:
            return _Moment(tuple(sheets), tables)
        sheets = again


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
        left, loses = SCHEMA.empty_table(), False
        if sheets:
            had = sheets[place].read(("file_key",))["file_key"]
            is_gone = pc.is_in(had, value_set=keys)
            if place not in new and not pc.any(is_gone).as_py():
                continue
            left = sheets[place].read().filter(pc.invert(is_gone))
            kept = {record.file_key for record in new[place]}
            loses = not kept.issuperset(had.filter(is_gone).to_pylist())
        table = pa.concat_tables([left, to_table(new[place])])
        table = table.sort_by([("day", "ascending"), ("file_key", "ascending")])
        for number, rows in enumerate(_divide(table)):
            first = start if number == 0 else str(rows["day"][0])
            staged = staging / f".{secrets.token_hex(8)}.sheet"
            write_table(staged, rows)
            target = ledger.parent / FILES_FOLDER / f"{source}-{first}.parquet"
            yield Move(staged, target), loses


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


def to_table(records: Iterable[FileRecord]) -> pa.Table:
    """Records as ``SCHEMA``."""
    return pa.Table.from_pylist([_to_row(record) for record in records], SCHEMA)


def _to_row(record: FileRecord) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in SCHEMA.names}
    for name in ("day", "rejects_day"):
        row[name] = row[name] and date.fromisoformat(row[name])
    for name in _TIMES:
        row[name] = row[name] and datetime.fromisoformat(row[name])
    for name in _SHARES:
        row[name] = [
            {
                "day": date.fromisoformat(day), "hits": share.hits,
                "first_line": share.first_line, "geo_is_late": share.geo_is_late,
                "geo_built": share.geo_built and date.fromisoformat(share.geo_built),
            }
            for day, share in row[name].items()
        ]  # fmt: skip
    row["reasons"] = list(row["reasons"].items())
    row["seen"] = [vars(seen) for seen in record.seen]
    return row


def to_records(table: pa.Table) -> list[FileRecord]:
    """Rows of ``SCHEMA`` as records: column by column, as a lake has very many."""
    columns: dict[str, Sequence[Any]] = {}
    for name in SCHEMA.names:
        column = table[name].combine_chunks()
        if name in _SHARES:
            columns[name] = _to_shares(column)
        elif name == "seen":
            columns[name] = [tuple(its) for its in _nested(column, Seen)]
        elif name == "reasons":
            pairs = zip(column.keys.to_pylist(), column.items.to_pylist(), strict=True)
            columns[name] = [dict(its) for its in _cut(list(pairs), column.offsets)]
        elif name in _TIMES:
            columns[name] = pc.strftime(column.cast(_SECONDS), _ISO).to_pylist()
        else:
            columns[name] = (column.cast(pa.string()) if name in _DATES else column).to_pylist()
    names = [field.name for field in fields(FileRecord)]
    return list(map(FileRecord, *(columns[name] for name in names)))


def _to_shares(column: pa.ListArray) -> list[dict[str, DayShare]]:
    values = column.values
    if values.field("day").null_count:
        raise ValueError("a record has hits of no day")
    days, built = (values.field(name).cast(pa.string()) for name in ("day", "geo_built"))
    counts = [values.field(name).to_pylist() for name in ("hits", "first_line", "geo_is_late")]
    shares = list(map(DayShare, *counts, built.to_pylist()))
    return [dict(its) for its in _cut(list(zip(days.to_pylist(), shares)), column.offsets)]  # noqa: B905


def _nested(column: pa.ListArray, kind: type[Seen]) -> Iterator[list[Seen]]:
    values = [column.values.field(field.name).to_pylist() for field in fields(kind)]
    return _cut(list(map(kind, *values)), column.offsets)


def _cut(items: list[_Item], offsets: pa.Array) -> Iterator[list[_Item]]:
    """Each row's part of the items of all rows."""
    return (items[start:end] for start, end in pairwise(offsets.to_pylist()))
