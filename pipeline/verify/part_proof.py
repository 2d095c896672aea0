"""One raw file's hits of a day against its record in the ledger."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.days import EPOCH, ONE_DAY, day_start
from pipeline.definitions import NO_NETWORKS
from pipeline.enrich.clients import CHOICES, PEER
from pipeline.enrich.hits import local_days
from pipeline.text import escape, write_number_of
from pipeline.verify.lines import LineSet

_NEVER_NULL = (
    *("line_no", "ts", "source", "visitor_id", "country", "status"),
    *("is_robot", "is_asset", "is_page", "client_from"),
)


@dataclass(frozen=True)
class FilePart:
    """What the ledger says of one raw file's hits of one day."""

    file_key: str
    stem: str
    source: str
    hits: int
    first_line: int
    lines: int
    dropped_lines: int
    """So many of the file's first lines count in another file."""
    geo_built: str | None
    addresses: str
    proxies: str | None
    networks: str | None


@dataclass(frozen=True)
class PartProof:
    """What was found in one raw file's hits of one day."""

    file_key: str
    lines: LineSet
    first_at: int
    """Earliest hit, microseconds since 1970."""
    last_at: int


def start_us(day: date, zone: str) -> int:
    """When a local day begins, in microseconds since 1970."""
    return round(day_start(day, ZoneInfo(zone)).timestamp()) * 1_000_000


def check_part(table: pa.Table, part: FilePart, day: date, zone: str) -> Iterator[str]:
    """What contradicts the record in a file of hits; a sentence each, the first that matter."""
    empty = [name for name in _NEVER_NULL if table[name].null_count]
    if empty or not len(table):
        yield f"{empty[0]} is null in some rows" if empty else "has no rows"
        return
    if len(table) != part.hits:
        rows, hits = write_number_of(len(table), "row"), write_number_of(part.hits, "hit")
        yield f"has {rows}, its record has {hits} of that day"
    yield from _check_lines(table["line_no"].to_numpy(), part)
    if foreign := _count_foreign(table["ts"].cast(pa.int64()).to_numpy(), day, zone):
        yield f"{write_number_of(foreign, 'row is', 'rows are')} of another local day"
    if (sources := _distinct(table["source"])) != [part.source]:
        yield f"its source is {', '.join(sources)}, its record's {part.source}"
    if part.addresses == "none" and table["client"].null_count < len(table):
        yield "keeps addresses, which its record says it does not"
    if unknown := {*_distinct(table["client_from"])} - (CHOICES if part.proxies else {PEER}):
        yield f"client_from is {escape(min(unknown))}, which its file's layout can't give"
    built = [str(day) if day else None for day in _distinct(table["geo_built"])]
    if built != [part.geo_built]:
        located = ", ".join(sorted(map(str, built)))
        yield f"located by the database of {located}, by its record that of {part.geo_built}"
    yield from _check_networks(table, part)


def _check_networks(table: pa.Table, part: FilePart) -> Iterator[str]:
    if part.networks in (None, NO_NETWORKS):
        if table["asn"].null_count + table["as_org"].null_count < 2 * len(table):
            yield "has networks, of which its record has no database"
    elif table["asn"].null_count:
        yield f"asn is null in some rows, by its record found by the database of {part.networks}"


def _check_lines(numbers: Any, part: FilePart) -> Iterator[str]:
    if (numbers[1:] <= numbers[:-1]).any():
        yield "its line numbers do not rise from row to row"
        return
    first, last = int(numbers[0]), int(numbers[-1])
    if first < 1 or last > part.lines:
        yield f"has lines {first:,} to {last:,}, its raw file 1 to {part.lines:,}"
    elif first <= part.dropped_lines:
        yield f"has line {first:,}; the first {part.dropped_lines:,} count in another file"
    elif first != part.first_line:
        yield f"its first line is {first:,}, by its record {part.first_line:,}"


def _count_foreign(at: Any, day: date, zone: str) -> int:
    start, end = (start_us(each, zone) for each in (day, day + ONE_DAY))
    outside = at[(at < start) | (at >= end)]
    if not len(outside):
        return 0  # day by day, in every zone that changes its clocks less than a minute past it
    return int((local_days(outside // 1_000_000, ZoneInfo(zone)) != (day - EPOCH).days).sum())


def _distinct(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    plain = column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column
    return list(pc.unique(plain).to_pylist())


def prove_part(table: pa.Table, part: FilePart) -> PartProof:
    """Its lines and the time of its hits."""
    span = pc.min_max(table["ts"].cast(pa.int64())).as_py()
    lines = LineSet.of(table["line_no"].to_numpy())
    return PartProof(part.file_key, lines, span["min"], span["max"])
