"""The ledger's sheets: Parquet of the records of one source's raw files, in order of their days.

A sheet has the files whose first day is its own or a later one, up to the next sheet's. What its
records come to stands in its footer (``sums``): an untouched sheet is not read.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import LakeError
from pipeline.lake.journal import is_interrupted
from pipeline.lake.ledger import FILES_FOLDER, NO_DAY, SUMS, FileRecord
from pipeline.lake.storage import damage_named
from pipeline.lake.sums import ENDED, Sums, read_sums, sum_up
from pipeline.lake.table_files import write_table
from pipeline.tables import FILES

_SEEN = pa.list_(
    pa.struct(
        [("path", pa.string()), ("size", pa.int64()), ("changed_ns", pa.int64()),
         ("read_ns", pa.int64())]
    )
)  # fmt: skip
SCHEMA = FILES.append(pa.field("seen", _SEEN)).remove_metadata()
SHARES = ("days", "whole_days")
_DAY_LENGTH = len(str(NO_DAY))
_DEFAULTS = {
    one.name: () if one.name in (*SHARES, "seen") else one.default
    for one in fields(FileRecord)
    if not (one.default is MISSING and one.default_factory is MISSING)
}
_T = TypeVar("_T")
_Stat = tuple[int, int, int]


@dataclass(frozen=True)
class Sheet:
    """A sheet as it was when the folder was listed."""

    path: Path
    stat: _Stat

    @property
    def source(self) -> str:
        """Whose files it has."""
        return self.path.stem[: -_DAY_LENGTH - 1]

    @property
    def first_day(self) -> str:
        """The day from which on it has them."""
        return self.path.stem[-_DAY_LENGTH:]

    def read(self, columns: tuple[str, ...] | None = None) -> pa.Table:
        """Its records, or some columns of ``SCHEMA`` of them; kept until it is another."""
        stat, table = _kept.get((self.path, columns), (None, None))
        if stat != self.stat:
            table = self.scan(columns)
            _kept[self.path, columns] = self.stat, table
        return table

    def scan(self, columns: tuple[str, ...] | None) -> pa.Table:
        """The same, not kept."""
        path = self.path
        with damage_named(path), shape_named(path), pq.ParquetFile(path) as file:
            # Threads cost more than they save: a lake has many sheets, of few rows each.
            found = file.read(columns, use_threads=False)
            return _filled(found, schema_of(columns)).cast(schema_of(columns))

    @property
    def sums(self) -> Sums:
        """What its records come to."""
        stat, found = _kept_sums.get(self.path, (None, None))
        if stat != self.stat or found is None:
            metadata = self._footer.metadata or {}
            with damage_named(self.path), shape_named(self.path):
                text = metadata.get(SUMS)
                found = read_sums(text) if text else sum_up(self.source, self.scan(None))
            _kept_sums[self.path] = self.stat, found
        return found

    def span_of(self, column: str) -> tuple[Any, Any] | None:
        """The least and the largest value of a column (its path in Parquet), by the footer.

        None where some are null, or the footer does not say.
        """
        footer = self._footer
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        place = _find_column(groups[0], column) if groups else None
        known = [] if place is None else [group.column(place).statistics for group in groups]
        if not known or any(not one or not one.has_min_max or one.null_count for one in known):
            return None
        return min(one.min for one in known), max(one.max for one in known)

    @property
    def _footer(self) -> pq.FileMetaData:
        stat, found = _kept_footers.get(self.path, (None, None))
        if stat != self.stat:
            with damage_named(self.path):
                found = pq.read_metadata(self.path)
            _kept_footers[self.path] = self.stat, found
        return found


def _find_column(group: pq.RowGroupMetaData, name: str) -> int | None:
    """The place of a column, by its path in Parquet; mostly where a sheet of today has it."""
    place = _place_of(name)
    if place < group.num_columns and group.column(place).path_in_schema == name:
        return place
    names = [group.column(number).path_in_schema for number in range(group.num_columns)]
    return names.index(name) if name in names else None


@cache
def _place_of(name: str) -> int:
    """The place in Parquet of a column of ``SCHEMA``, or of the first of those that it is made of.

    Parquet knows what lists and structs are made of alone, and counts that.
    """
    before = SCHEMA.types[: SCHEMA.get_field_index(name.partition(".")[0])]
    return sum(map(_count_parts, before))


def _count_parts(kind: pa.DataType) -> int:
    return sum(_count_parts(kind.field(n).type) for n in range(kind.num_fields)) or 1


_kept: dict[tuple[Path, tuple[str, ...] | None], tuple[_Stat, pa.Table]] = {}
"""Of each sheet what was read last: each commit reads them, and leaves one anew."""
_kept_sums: dict[Path, tuple[_Stat, Sums]] = {}
_kept_footers: dict[Path, tuple[_Stat, pq.FileMetaData]] = {}


@dataclass(frozen=True)
class Moment(Generic[_T]):
    """Sheets and what was read of them, of one moment."""

    sheets: tuple[Sheet, ...]
    read: tuple[_T, ...] = field(compare=False)
    is_amid: bool = field(default=False, compare=False)
    """Whether a change was on its way: of two sheets, both may have a record."""


def schema_of(columns: Iterable[str] | None) -> pa.Schema:
    """Some columns of ``SCHEMA``, or all."""
    return SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])


@contextmanager
def shape_named(path: Path) -> Iterator[None]:
    """Turn what comes of a sheet of another shape into one sentence.

    Raises:
        LakeError: names the file.
    """
    try:
        yield
    except pa.ArrowException:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LakeError(f"{path} is damaged: {error}") from error


def _filled(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """With what a record has by default in the columns that a sheet was written before."""
    for place, column in enumerate(schema):
        if column.name in _DEFAULTS and column.name not in table.column_names:
            values = pa.array([_DEFAULTS[column.name]] * len(table), column.type)
            table = table.add_column(place, column, values)
    return table


def write_sheet(path: Path, source: str, table: pa.Table) -> None:
    """Write a source's records (``SCHEMA``, in order of their days), and what they come to."""
    write_table(path, table, {SUMS: sum_up(source, table).text})


def list_sheets(ledger: Path, sources: Iterable[str] | None = None) -> list[Sheet]:
    """The sheets there are, by source and day; of some sources only."""
    found, wanted = [], sources and set(sources)
    for path in sorted((ledger.parent / FILES_FOLDER).glob("*.parquet")):
        if wanted and path.stem[: -_DAY_LENGTH - 1] not in wanted:
            continue
        try:
            stat = path.stat()
        except FileNotFoundError:  # just replaced by others
            continue
        found.append(Sheet(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns)))
    return found


def settled(
    ledger: Path, read: Callable[[Sheet], _T], sources: Iterable[str] | None = None
) -> Moment[_T]:
    """What is read of the sheets (of some sources only) as they are at one moment."""
    sheets = list_sheets(ledger, sources)
    while True:
        found = tuple(map(read, sheets))
        is_amid = is_interrupted(ledger.parent)
        again = list_sheets(ledger, sources)
        if sheets == again:
            return Moment(tuple(sheets), found, is_amid)
        sheets = again


def only_live(table: pa.Table) -> pa.Table:
    """The records of files that are in the lake."""
    return table.filter(pc.and_(*(pc.is_null(table[name]) for name in ENDED)))
