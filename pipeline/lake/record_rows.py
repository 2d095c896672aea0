"""Records as rows of the ledger's sheets, and back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import date, datetime
from itertools import pairwise
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.lake.ledger import DayShare, FileRecord, Seen
from pipeline.lake.sheets import SCHEMA, SHARES

_TIMES = ("first_at", "last_at", "ingested_at", "forgotten_at")
_DATES = ("rejects_day",)
_SECONDS, _ISO = pa.timestamp("s", "UTC"), "%Y-%m-%dT%H:%M:%S+00:00"
_Item = TypeVar("_Item")


def to_table(records: Iterable[FileRecord]) -> pa.Table:
    """Records as ``SCHEMA``."""
    return pa.Table.from_pylist([_to_row(record) for record in records], SCHEMA)


def _to_row(record: FileRecord) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in SCHEMA.names}
    for name in ("day", "rejects_day"):
        row[name] = row[name] and date.fromisoformat(row[name])
    for name in _TIMES:
        row[name] = row[name] and datetime.fromisoformat(row[name])
    for name in SHARES:
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
        if name in SHARES:
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
