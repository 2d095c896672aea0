"""Which local days a raw file has lines of, in whatever order they stand in it.

Apache's times are found by their shape, at the speed of a search; a file that has lines without one
is read by its layout, too. Decides only where to look for hits: their days are told when the file
is taken in.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from pipeline.days import EPOCH
from pipeline.enrich.hits import local_days
from pipeline.errors import DataError
from pipeline.formats.clock import IN_LINE, read_time
from pipeline.formats.file_reader import FileReader
from pipeline.formats.unwrapping import SAMPLE_LINES
from pipeline.lake.database import connect_reader
from pipeline.raw.blocks import Block, read_blocks
from pipeline.raw.content import read_content, read_whole
from pipeline.raw.files import Origin
from pipeline.raw.opening import ReadLimits

_TIME = re.compile(IN_LINE.pattern.encode())
_MOST_CARRIED = 64 * 1024
"""Of a line that is cut between two pieces; a time stands near its beginning."""


@dataclass(frozen=True)
class FileDays:
    """The local days of a raw file's hits."""

    days: frozenset[date] = frozenset()
    is_whole: bool = False
    """Whether these are all; else only its beginning was read."""
    is_readable: bool = True
    sha256: str | None = None
    """Of its content, when all of it was read."""


UNREADABLE = FileDays(is_whole=True, is_readable=False)


def look_at_beginning(path: Path, zone: ZoneInfo, origin: Origin, limits: ReadLimits) -> FileDays:
    """The days of the first lines; cheap, whatever the file's size."""
    try:
        head = b"".join(islice(read_content(path, limits), 1))
    except DataError:
        return UNREADABLE
    times = _cut_seconds(_TIME.findall(head))
    lines = head.decode("utf-8-sig", "replace").splitlines()[:SAMPLE_LINES]
    found = _to_days(times, zone) if times else _read_lines(lines, zone, origin)
    return FileDays(frozenset(found))


def look_through(path: Path, zone: ZoneInfo, origin: Origin, limits: ReadLimits) -> FileDays:
    """All days of the file; of a damaged one those of its readable part."""
    try:
        (times, is_other), content = read_whole(read_content(path, limits), _search)
        days = _to_days(times, zone)
        if is_other:
            days |= _read_all(read_blocks(path, limits), zone, origin)
    except DataError:
        return UNREADABLE
    return FileDays(frozenset(days), is_whole=True, sha256=content.sha256)


def _search(content: Iterable[bytes]) -> tuple[set[bytes], bool]:
    """Apache's times in a file, and whether there may be lines without one."""
    times: set[bytes] = set()
    carry, is_other = b"", False
    for piece in content:
        text = carry + piece
        end = text.rfind(b"\n") + 1
        found = _TIME.findall(text, 0, end)
        is_other |= len(found) < text.count(b"\n", 0, end)
        times |= _cut_seconds(found)
        carry = text[end:][:_MOST_CARRIED]
    last = _TIME.findall(carry)
    return times | _cut_seconds(last), is_other or len(last) < bool(carry)


def _cut_seconds(times: list[bytes]) -> set[bytes]:
    """Distinct times as ``08/Nov/2016:23:04 -0500``."""
    return {time[:17] + time[20:] for time in set(times)}


def _to_days(times: set[bytes], zone: ZoneInfo) -> set[date]:
    seconds = (read_time(f"{time[:17].decode()}:00{time[17:].decode()}") for time in times)
    return {datetime.fromtimestamp(second, zone).date() for second in seconds if second is not None}


def _read_all(blocks: Iterable[Block], zone: ZoneInfo, origin: Origin) -> set[date]:
    """The days of a file's hits by its layout."""
    reader = FileReader(origin.layout, origin.zone)
    days: set[date] = set()
    with connect_reader() as connection:
        for block in blocks:
            parts = reader.cut(connection, block.line_no, block.lines)
            hits = reader.read(connection, parts).hits
            days |= _days_of(hits["ts"], zone)
    return days


def _read_lines(lines: list[str], zone: ZoneInfo, origin: Origin) -> set[date]:
    reader = FileReader(origin.layout, origin.zone)
    with connect_reader() as connection:
        numbers = np.arange(1, len(lines) + 1, dtype=np.int64)
        parts = reader.cut(connection, numbers, pa.array(lines, pa.string()))
        return _days_of(reader.read(connection, parts).hits["ts"], zone)


def _days_of(instants: pa.ChunkedArray, zone: ZoneInfo) -> set[date]:
    seconds = instants.cast(pa.int64()).to_numpy() // 1_000_000
    return {EPOCH + timedelta(days=int(day)) for day in np.unique(local_days(seconds, zone))}
