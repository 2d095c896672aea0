"""One raw file becomes hits, rejects and an accounting of its lines, in a staging folder.

It is read in blocks; worker threads turn blocks into hits, the file's own thread writes them in
line order, one Parquet file a local day. Nothing of it is in the lake yet.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.days import EPOCH
from pipeline.definitions import DEFINITIONS_VERSION
from pipeline.enrich.clients import are_private, are_unheeded
from pipeline.enrich.hits import HitMaker
from pipeline.enrich.privacy import hide_addresses
from pipeline.errors import DataError
from pipeline.formats.file_reader import FileReader
from pipeline.formats.layouts import Layout, forwarded_kind
from pipeline.formats.reader import Part
from pipeline.ingest.contained import Hashes
from pipeline.ingest.deduplication import NewFile
from pipeline.ingest.neighbours import with_lines
from pipeline.ingest.overlaps import hash_lines
from pipeline.lake.database import connect_reader
from pipeline.lake.fault_points import reach
from pipeline.lake.hit_files import PartitionWriter, RejectWriter
from pipeline.lake.ledger import NO_DAY, DayShare, FileRecord, key_of
from pipeline.lake.packs import MOST_BYTES, stem_of
from pipeline.raw.blocks import Block, WholeFile, read_blocks
from pipeline.raw.content import Content, read_whole
from pipeline.raw.files import Origin
from pipeline.raw.opening import ReadLimits
from pipeline.text import printable

WORKERS = 2
_LINES_IN_FLIGHT = WORKERS
"""Blocks of one file that may be waiting or at work, as lines: bounds the memory."""
_HITS_IN_FLIGHT = {1: WORKERS + 3, 2: WORKERS + 1}
"""Likewise until they are written, by how many files are read at once. Of one alone it is more, as
now and then it takes as long to write some as to make several blocks'."""

_thread = threading.local()


@dataclass(frozen=True)
class Reading:
    """How the files of one ingest are read."""

    maker: HitMaker
    limits: ReadLimits
    only_whole: bool
    """Whether a damaged archive is refused instead of its readable part kept."""
    on_read: Callable[[int], None]
    """Told the raw bytes read, for progress."""
    pool: ThreadPoolExecutor
    """Of the threads that make hits of blocks."""
    stop: threading.Event
    files_at_once: int = 1


_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _BlockHits:
    hits: pa.Table
    days: npt.NDArray[np.int32]
    rejects: list[tuple[int, str, str]]
    blank: int
    directives: int
    hashes: Hashes
    span_us: tuple[int, int] | None
    """The earliest and the latest hit, in microseconds since 1970."""
    unheeded: int
    private: int


@dataclass
class _Written:
    """What was written of a file, and what its blocks add up to besides."""

    hits: PartitionWriter
    rejects: RejectWriter
    blank: int = 0
    directives: int = 0
    unheeded: int = 0
    private: int = 0
    hashes: list[Hashes] = field(default_factory=lambda: [np.zeros(0, np.uint32)])
    spans_us: list[tuple[int, int]] = field(default_factory=list)

    def add(self, part: _BlockHits) -> None:
        self.hits.add(part.hits, part.days)
        self.rejects.add(part.rejects)
        self.blank += part.blank
        self.directives += part.directives
        self.unheeded += part.unheeded
        self.private += part.private
        self.hashes.append(part.hashes)
        if part.span_us:
            self.spans_us.append(part.span_us)

    def count(self, whole: WholeFile) -> "Counts":
        """What all of the file's lines came to."""
        rows, first_lines = self.hits.rows, self.hits.first_lines
        span = (
            (min(s for s, _ in self.spans_us), max(e for _, e in self.spans_us))
            if self.spans_us
            else None
        )
        return Counts(
            whole.lines, self.blank, self.directives, self.rejects.reasons,
            {day: (rows[day], first_lines[day]) for day in rows}, span, self.hits.first_day,
            whole.tail_bytes, whole.nul_bytes, self.unheeded, self.private,
        )  # fmt: skip


def stage_file(
    path: Path, origin: Origin, how: Reading, folder: Path, *, is_source_by_name: bool
) -> tuple[NewFile, str | None]:
    """Read a raw file and write it into ``folder``.

    Returns:
        The file, and why its lines may be of another layout.

    Raises:
        DataError: it cannot be read, or its lines do not add up.
    """
    started = time.monotonic()
    reader = FileReader(origin.layout, origin.zone)
    written = _Written(PartitionWriter(folder), RejectWriter(folder / "rejects.parquet"))

    def take_in(read: Future[_BlockHits]) -> None:
        if how.stop.is_set():
            raise DataError(f"{path}: interrupted, nothing of it was kept")
        written.add(read.result())
        reach("ingest: block")

    def write(blocks: Iterator[Block]) -> None:
        read = partial(_read_block, reader, how.maker, origin.source)
        with ThreadPoolExecutor(1, "write") as writing:
            lines, hits = deque[Future[_BlockHits]](), deque[Future[None]]()
            for block in reader.cut_all(connection_of_thread(), blocks):
                lines.append(how.pool.submit(read, block))
                hits.append(writing.submit(take_in, lines[-1]))
                _end_all_but(_LINES_IN_FLIGHT, lines)
                _end_all_but(_HITS_IN_FLIGHT[how.files_at_once], hits)
            _end_all_but(0, hits)

    _, whole = read_whole(read_blocks(path, how.limits, how.on_read), write)
    kept = how.maker.addresses
    if why := reader.say_refusal(how.maker.proxies):
        raise DataError(f"{path}: {hide_addresses(why, kept)}; nothing of it was kept")
    staged, staged_rejects = written.hits.close(), written.rejects.close()
    if whole.content.damage and how.only_whole:
        raise DataError(
            f"{path}: {whole.content.damage}; nothing of it was kept. Send it again, or"
            " take its readable part in with `tidegauge ingest`"
        )
    record = make_record(
        path, origin, how.maker, whole.content, reader.layout, written.count(whole), reader.wrapper
    )
    record = replace(
        record, source_by_name=is_source_by_name, is_zoneless=bool(reader.is_zoneless),
        duration_ms=round((time.monotonic() - started) * 1000),
    )  # fmt: skip
    if not record.balances:
        raise DataError(f"{path}: its lines do not add up, nothing was kept: {record}")
    lines = with_lines(record, np.concatenate(written.hashes))
    hits = {str(day): at for day, at in staged.items()}
    reach("ingest: read")
    doubt = reader.say_doubt()
    new = NewFile(record, lines, hits, staged_rejects, path, whole.content.stat)
    return new, hide_addresses(doubt, kept) if doubt else None


def _end_all_but(most: int, begun: deque[Future[Any]]) -> None:
    """Wait for the first ones; raises what ended one."""
    while len(begun) > most:
        begun.popleft().result()


def _read_block(
    reader: FileReader, maker: HitMaker, source: str, cut: tuple[Block, list[Part]]
) -> _BlockHits:
    block, parts = cut
    read = reader.read(connection_of_thread(), parts)
    hits, days = maker.make_hits(read.hits, source, forwarded_kind(reader.layout))
    kept = maker.addresses
    rejects = [
        (number, hide_addresses(line, kept), rejected.reason)
        for number, line, rejected in read.rejects
    ]
    rejects += [
        (number, hide_addresses(head, kept, is_head=True), "too_long")
        for number, head in block.too_long
    ]
    span = pc.min_max(hits["ts"].cast(pa.int64())).as_py() if len(hits) else None
    unheeded, private = find_proxied(read.hits, hits)
    return _BlockHits(
        hits, days, sorted(rejects), len(read.blank), len(read.directives),
        hash_lines(block, maker.key.line_key),
        (span["min"], span["max"]) if span else None,
        int(unheeded.sum()), int(private.sum()),
    )  # fmt: skip


@dataclass(frozen=True)
class Counts:
    """What the lines of a file came to."""

    lines: int
    blank: int
    directives: int
    reasons: Mapping[str, int]
    shares: Mapping[int, tuple[int, int]]
    """By day since 1970: hits, and the number of the line of the first of them."""
    span_us: tuple[int, int] | None
    """The earliest and the latest hit, in microseconds since 1970."""
    first_day: int | None
    """Of the first line that is a hit."""
    tail_bytes: int
    nul_bytes: int
    unheeded: int
    private: int


def find_proxied(fields: pa.Table, hits: pa.Table) -> tuple[_Flags, _Flags]:
    """Which hits made of ``fields``, in the same order, may be a proxy's, by its word or address.

    ``are_unheeded``; and of the others, ``are_private`` of no robot: a health check is nobody's.
    """
    if not len(hits):
        return np.zeros(0, np.bool_), np.zeros(0, np.bool_)
    client_from = hits["client_from"].combine_chunks()
    unheeded = np.zeros(len(hits), np.bool_)
    if "forwarded" in fields.column_names and fields["forwarded"].null_count < len(fields):
        unheeded = are_unheeded(fields["forwarded"].combine_chunks(), client_from)
    is_robot = hits["is_robot"].to_numpy()
    private = are_private(fields["client"].combine_chunks(), client_from)
    return unheeded, private & ~unheeded & ~is_robot


def make_record(  # noqa: PLR0913 all that a file's record tells of
    path: Path,
    origin: Origin,
    maker: HitMaker,
    content: Content,
    layout: Layout,
    counts: Counts,
    wrapper: str | None = None,
) -> FileRecord:
    """The accounting of a raw file that was read."""
    days = {}
    for day, (hits, first_line) in sorted(counts.shares.items()):
        chosen = maker.places.in_force(day)
        days[str(EPOCH + timedelta(days=day))] = DayShare(
            hits,
            first_line,
            geo_is_late=bool(chosen and chosen[1]),
            geo_built=str(chosen[0].build_date) if chosen else None,
        )
    rejects_day = NO_DAY if counts.first_day is None else EPOCH + timedelta(counts.first_day)
    first_at, last_at = map(_instant, counts.span_us or (None, None))
    file_key = key_of(origin.source, content.sha256)
    is_packed = first_at and content.content_bytes <= MOST_BYTES
    return FileRecord(
        file_key=file_key,
        source=origin.source,
        name=printable(path.name),
        sha256=content.sha256,
        raw_bytes=content.stat[0],
        content_bytes=content.content_bytes,
        lines=counts.lines,
        hits=sum(hits for hits, _ in counts.shares.values()),
        rejected=sum(counts.reasons.values()),
        blank=counts.blank,
        directives=counts.directives,
        duplicates=0,
        reasons=dict(counts.reasons),
        days=days,
        rejects_day=str(rejects_day) if counts.reasons else None,
        damage=content.damage,
        layout=layout.name,
        ingested_at=datetime.now(UTC).isoformat(timespec="seconds"),
        duration_ms=0,
        first_at=first_at,
        last_at=last_at,
        definitions=DEFINITIONS_VERSION,
        robots=maker.robots.lists,
        addresses=maker.addresses.value,
        tail_bytes=counts.tail_bytes,
        proxies=maker.proxies.name if forwarded_kind(layout) else None,
        given=origin.layout,
        timezone=origin.timezone,
        url=origin.url,
        networks=maker.places.name_networks(counts.shares),
        nul_bytes=counts.nul_bytes,
        unheeded=counts.unheeded,
        private_hits=counts.private,
        wrapper=wrapper,
        lies_in=stem_of(origin.source, first_at) if first_at and is_packed else file_key,
    )


def _instant(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).isoformat()


def connection_of_thread() -> duckdb.DuckDBPyConnection:
    """The calling thread's own."""
    if not hasattr(_thread, "connection"):
        _thread.connection = connect_reader()
    connection: duckdb.DuckDBPyConnection = _thread.connection
    return connection
