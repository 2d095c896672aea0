"""Raw files become hits and rejects in the lake, every physical line accounted for.

A file is read in blocks; worker threads turn blocks into hits, the file's own thread writes them
in line order, one Parquet file a local day, and commits them together with the accounting.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.days import EPOCH
from pipeline.definitions import DEFINITIONS_VERSION
from pipeline.enrich.hits import HitMaker
from pipeline.enrich.privacy import hide_addresses
from pipeline.errors import DataError, PassingError, StorageError, TidegaugeError
from pipeline.formats.detection import FileReader
from pipeline.formats.layouts import forwarded_kind
from pipeline.formats.reader import Part
from pipeline.ingest.contained import Hashes
from pipeline.ingest.deduplication import (
    NewFile,
    OverlapRules,
    Settled,
    SourceFiles,
    say_flood,
    say_repeats,
    with_lines,
)
from pipeline.ingest.file_days import look_through
from pipeline.ingest.overlaps import hash_lines
from pipeline.ingest.source_names import Namer
from pipeline.ingest.unread import Unread
from pipeline.lake.database import connect
from pipeline.lake.fault_points import reach
from pipeline.lake.journal import Move
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import NO_DAY, DayShare, FileRecord
from pipeline.lake.left_out import OF_A_SEALED_DAY, note_file, write_notes
from pipeline.lake.partitions import PartitionWriter, RejectWriter
from pipeline.lake.storage import storage_named
from pipeline.raw.blocks import Block, RawFile
from pipeline.raw.files import DEFAULT_LIMITS, Origin, ReadLimits, is_file
from pipeline.raw.naming import day_in_name
from pipeline.text import printable, shown, write_number_of

log = logging.getLogger(__name__)

WORKERS = 2
_IN_FLIGHT = WORKERS + 1
"""Blocks of one file that may be waiting or at work: bounds the memory."""

_thread = threading.local()
_S = TypeVar("_S")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Ingested:
    """What an ingest did: new files, files already known, and failures ``(path, why)``."""

    added: list[FileRecord]
    known: list[tuple[Path, FileRecord]]
    failed: list[tuple[Path, str]]
    ambiguous: list[tuple[Path, str]] = field(default_factory=list)
    """Files whose lines may be of another layout, and why."""
    passing: set[Path] = field(default_factory=set)
    """Those that failed for what another try may not meet."""
    shortened: list[FileRecord] = field(default_factory=list)
    """Files of before that turned out to have lines of one that was added."""

    @property
    def overlapping(self) -> list[FileRecord]:
        """The files that have lines of another one, as far as that is news."""
        return [
            record
            for record in [*self.added, *self.shortened]
            if record.overlap_lines or record.flood_lines or record.repeat_lines
        ]


def explain_overlap(record: FileRecord) -> str:
    """Say which of a file's lines are also in another one, and what became of their hits."""
    said = []
    if record.overlap_lines:
        is_all = record.overlap_lines == record.lines
        lines = write_number_of(record.overlap_lines, "line is", "lines are")
        said.append(
            f"{'all its' if is_all else 'its first'} {lines} also in {record.overlap_with};"
            f" {write_number_of(record.duplicates, 'hit')} dropped as duplicates"
        )
    doubts = [say_flood(record)] if record.flood_lines else []
    doubts += [say_repeats(record)] if record.repeat_lines else []
    said += [f"{doubt}; if so, `tidegauge forget` one of the two files" for doubt in doubts]
    return "; ".join(said)


def explain_unread(record: FileRecord) -> str | None:
    """Say why many of a file's lines could not be read, and how to see more; None when few."""
    if not record.is_live or not Unread(record.lines, record.rejected).is_large:
        return None
    reasons = ", ".join(f"{why} {n:,}" for why, n in sorted(record.reasons.items()))
    lines = write_number_of(record.lines, "line")
    if record.rejected == record.lines - record.blank:
        said = f"none of its {lines} could be read"
    else:
        said = f"{record.rejected:,} of its {lines} could not be read"
    return f"{said} ({reasons}): `tidegauge doctor {record.name}` shows why"


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


def ingest_files(  # noqa: PLR0913 what is read, by what, and how strictly
    lake: Lake,
    maker: HitMaker,
    paths: Sequence[Path],
    *,
    origins: Mapping[Path, Origin] = MappingProxyType({}),
    only_whole: bool = False,
    again: Container[Path] = (),
    instead_of: Mapping[Path, FileRecord] = MappingProxyType({}),
    rules: OverlapRules = OverlapRules(),  # noqa: B008 a frozen value
    limits: ReadLimits = DEFAULT_LIMITS,
    on_read: Callable[[int], None] = lambda _: None,
) -> Ingested:
    """Take raw files into the lake. One that fails never stops the others.

    Args:
        lake: claimed already.
        maker: what hits depend on besides their lines.
        paths: raw files, plain or compressed.
        origins: what is said of some of ``paths``; the others' sources are by their names.
        only_whole: refuse a damaged archive instead of keeping its readable part.
        again: those of ``paths`` to make anew although the lake has them, or was told to forget.
        instead_of: the records of those that get another source; their hits are taken out.
        rules: of lines that were sent twice.
        limits: how much one file may hold.
        on_read: told the raw bytes read, for progress.
    """
    result = Ingested([], [], [])
    names = Namer(lake)
    sizes = {record.raw_bytes for record in (*lake.files(), *lake.past_files())}
    stop = threading.Event()
    with (
        storage_named(lake.root, "what was taken in before stands, the next run takes the rest"),
        ThreadPoolExecutor(WORKERS, "block") as blocks,
        ThreadPoolExecutor(WORKERS, "file") as files,
        lake.staging() as staging,
    ):
        jobs = [
            _FileJob(
                lake,
                maker,
                blocks,
                staging / str(number),
                RawFile(path, on_read, limits),
                origins.get(path) or names.origin(path),
                stop,
                names.of(path),
                rules=rules,
                only_whole=only_whole,
                again=path in again,
                instead_of=instead_of.get(path),
            )
            for number, path in enumerate(paths)
        ]
        try:
            for future in [files.submit(_take_one, job, sizes, result) for job in jobs]:
                future.result()
        except BaseException:  # interrupted: end soon, between two blocks
            stop.set()
            files.shutdown(cancel_futures=True)
            raise
    _note_failed(lake, maker, jobs, result)
    maker.robots.save()
    return result


def _note_failed(lake: Lake, maker: HitMaker, jobs: Sequence["_FileJob"], result: Ingested) -> None:
    """Write down which days lack the files that were there and could not be taken in."""
    failed = {path for path, _ in result.failed if is_file(path)}
    sealed_to = max(lake.sealed(), default="")
    notes = []
    for job in jobs:
        path, origin = job.raw.path, job.origin
        if path not in failed:
            continue
        found = look_through(path, maker.places.zone, origin, job.raw.limits)
        hint = day_in_name(path.name)
        days = found.days or ({hint} if hint and not found.is_readable else ())
        if days:
            is_late = str(min(days)) <= sealed_to
            why = OF_A_SEALED_DAY if is_late else "could not be taken in"
            notes.append(note_file(path, origin.source, days, why))
    write_notes(lake, notes)


@dataclass
class _FileJob:
    """One raw file on its way into the lake."""

    lake: Lake
    maker: HitMaker
    pool: ThreadPoolExecutor
    folder: Path
    raw: RawFile
    origin: Origin
    stop: threading.Event
    name: str
    """The source by its name alone."""
    rules: OverlapRules
    only_whole: bool
    again: bool
    instead_of: FileRecord | None
    """The same file as the lake has it under another source."""

    def __post_init__(self) -> None:
        """Make its reader."""
        self.reader = FileReader(self.origin.layout, self.origin.zone)
        self.shortened: list[FileRecord] = []

    def find_known(self) -> FileRecord | None:
        """The record of the same content from the same source, when the lake has it."""
        for _ in self.raw.content():
            pass
        known = self._known()
        if known:
            with self.lake.lock():
                self._remember()
        self.raw = RawFile(self.raw.path, self.raw.on_read, self.raw.limits)
        return known

    def _known(self) -> FileRecord | None:
        """The content's record, unless it was part of a file that is forgotten by now."""
        known = last = self.lake.find(self._key())
        while last and last.replaced_by:
            last = self.lake.find(last.replaced_by)
        if known and known.damage and not self.raw.damage and not known.forgotten_at:
            return None  # an archive of which nothing was lost but its checksum came again, sound
        return known if last and (last == known or last.is_live) else None

    def take(self) -> tuple[FileRecord, bool]:
        """Read, write and commit the file; returns its accounting and whether it is new.

        Raises:
            DataError: it cannot be read, its lines do not add up, or it is too late for a day of
                its hits (nothing is committed).
        """
        started = time.monotonic()
        writer = PartitionWriter(self.folder)
        rejects = RejectWriter(self.folder / "rejects.parquet")
        tally = _Tally()
        for part in _in_order(self.pool, self._read_block, self._cut()):
            if self.stop.is_set():
                raise DataError(f"{self.raw.path}: interrupted, nothing of it was kept")
            writer.add(part.hits, part.days)
            rejects.add(part.rejects)
            tally.add(part)
            reach("ingest: block")
        if why := self.reader.say_refusal(self.maker.proxies):
            shown = hide_addresses(why, self.maker.addresses)
            raise DataError(f"{self.raw.path}: {shown}; nothing of it was kept")
        new = self._stage(writer, rejects, tally, started)
        reach("ingest: read")
        return self._commit(new)

    def _stage(
        self, writer: PartitionWriter, rejects: RejectWriter, tally: "_Tally", started: float
    ) -> NewFile:
        """Finish what was written of the file, and its accounting."""
        staged, staged_rejects = writer.close(), rejects.close()
        if self.raw.damage and self.only_whole:
            raise DataError(
                f"{self.raw.path}: {self.raw.damage}; nothing of it was kept. Send it again, or"
                " take its readable part in with `tidegauge ingest`"
            )
        record = self._record(writer, rejects.reasons, tally, started)
        if not record.balances:
            raise DataError(f"{self.raw.path}: its lines do not add up, nothing was kept: {record}")
        lines = with_lines(record, np.concatenate(tally.hashes))
        lines_path = self.folder / "lines.npy"
        np.save(lines_path, lines.hashes)
        hits = {str(day): path for day, path in staged.items()}
        return NewFile(record, lines, lines_path, hits, staged_rejects, self.raw.path)

    def _commit(self, new: NewFile) -> tuple[FileRecord, bool]:
        record = new.record
        with self.lake.lock():
            known = self._known()
            if known and known.erasures and self.again:
                raise DataError(
                    f"{shown(self.raw.path)}: a person was erased from its hits, and reading it"
                    " again would bring them back: nothing was changed"
                )
            if not known or self.again:
                source = SourceFiles(self.lake, self.origin.source, self.rules, self.folder)
                settled = source.add(new)
                self.lake.commit([*self._give_away(), *self._spare_sealed(record, settled)])
                self.shortened = [
                    other
                    for other in settled.records
                    if record.file_key in (other.overlap_with, other.flood_with, other.repeat_with)
                ]
                record = next(r for r in settled.records if r.file_key == record.file_key)
            self._remember()
        if known and not self.again:
            return known, False
        log.info(
            "ingested %s: %d lines, %d hits, %d duplicates, %d rejected, %d ms",
            record.file_key, record.lines, record.hits, record.duplicates, record.rejected,
            record.duration_ms,
        )  # fmt: skip
        return record, record.is_live

    def _give_away(self) -> list[Move]:
        """Take out what the lake has of the file under another source."""
        old = self.instead_of and self.lake.find(self.instead_of.file_key)
        if not old or not old.is_live or old.source == self.origin.source:
            return []
        source = SourceFiles(self.lake, old.source, self.rules, self.folder)
        return source.give_away(old.file_key, self._key()).moves

    def _spare_sealed(self, record: FileRecord, settled: Settled) -> list[Move]:
        """The moves, without those of sealed days: their figures can't be restated.

        A file that grew has nothing new of those days; another one that has is refused.
        """
        last = max(self.lake.sealed(), default="")
        counted = Counter[str]()
        for other in settled.records:
            if other.replaced_by == record.file_key:
                counted.update({d: share.hits for d, share in other.read_days.items()})
        late = [
            day for day, share in record.days.items() if day <= last and share.hits != counted[day]
        ]
        if late:
            span = late[0] if len(late) == 1 else f"{late[0]} to {late[-1]}"
            raise DataError(
                f"{self.raw.path}: has hits of {span}, but the days up to {last} are sealed: their"
                " hits, or those of the day before, were deleted under hits_kept_days, so the"
                " published figures stand; nothing of the file was taken in (its lines of later"
                " days can be, by themselves)"
            )
        deleted = {
            self.lake.hits_path(day, record.file_key)
            for day in record.days
            if day <= last and not self.lake.hits_path(day, record.file_key).parent.exists()
        }
        return [move for move in settled.moves if move.target not in deleted]

    def _remember(self) -> None:
        """Note what was read, and how the file was then: one that grew meanwhile has changed."""
        self.lake.remember(self.raw.path, self.raw.stat, self._key())

    def _cut(self) -> Iterator[tuple[Block, list[Part]]]:
        yield from self.reader.cut_all(_connection(), self.raw.blocks())

    def _read_block(self, cut: tuple[Block, list[Part]]) -> _BlockHits:
        block, parts = cut
        read = self.reader.read(_connection(), parts)
        hits, days = self.maker.make_hits(
            read.hits, self.origin.source, forwarded_kind(self.reader.layout)
        )
        kept = self.maker.addresses
        rejects = [
            (number, hide_addresses(line, kept), rejected.reason)
            for number, line, rejected in read.rejects
        ]
        rejects += [
            (number, hide_addresses(head, kept, is_head=True), "too_long")
            for number, head in block.too_long
        ]
        span = pc.min_max(hits["ts"].cast(pa.int64())).as_py() if len(hits) else None
        return _BlockHits(
            hits, days, sorted(rejects), len(read.blank), len(read.directives),
            hash_lines(block, self.maker.key.line_key),
            (span["min"], span["max"]) if span else None,
        )  # fmt: skip

    def _key(self) -> str:
        return f"{self.origin.source}-{self.raw.digest.hexdigest()[:16]}"

    def _record(
        self,
        written: PartitionWriter,
        reasons: Counter[str],
        tally: "_Tally",
        started: float,
    ) -> FileRecord:
        first_day = NO_DAY if written.first_day is None else EPOCH + timedelta(written.first_day)
        days = {}
        for day, count in sorted(written.rows.items()):
            chosen = self.maker.places.in_force(day)
            days[str(EPOCH + timedelta(days=day))] = DayShare(
                count,
                written.first_lines[day],
                geo_is_late=bool(chosen and chosen[1]),
                geo_built=str(chosen[0].build_date) if chosen else None,
            )
        return FileRecord(
            file_key=self._key(),
            source=self.origin.source,
            name=printable(self.raw.path.name),
            sha256=self.raw.digest.hexdigest(),
            raw_bytes=self.raw.raw_bytes,
            content_bytes=self.raw.content_bytes,
            lines=self.raw.lines,
            hits=sum(written.rows.values()),
            rejected=reasons.total(),
            blank=tally.blank,
            directives=tally.directives,
            duplicates=0,
            reasons=dict(reasons),
            days=days,
            rejects_day=str(first_day) if reasons else None,
            damage=self.raw.damage,
            layout=self.reader.layout.name,
            ingested_at=datetime.now(UTC).isoformat(timespec="seconds"),
            duration_ms=round((time.monotonic() - started) * 1000),
            first_at=_instant(min((first for first, _ in tally.spans_us), default=None)),
            last_at=_instant(max((last for _, last in tally.spans_us), default=None)),
            definitions=DEFINITIONS_VERSION,
            robots=self.maker.robots.lists,
            addresses=self.maker.addresses.value,
            tail_bytes=self.raw.tail_bytes,
            proxies=self.maker.proxies.name if forwarded_kind(self.reader.layout) else None,
            given=self.origin.layout,
            timezone=self.origin.timezone,
            url=self.origin.url,
            nul_bytes=self.raw.holes.skipped,
            source_by_name=self.origin.source == self.name,
            wrapper=self.reader.wrapper,
        )


@dataclass
class _Tally:
    """What a file's blocks add up to, besides hits and rejects."""

    blank: int = 0
    directives: int = 0
    hashes: list[Hashes] = field(default_factory=lambda: [np.zeros(0, np.uint32)])
    spans_us: list[tuple[int, int]] = field(default_factory=list)

    def add(self, part: _BlockHits) -> None:
        self.blank += part.blank
        self.directives += part.directives
        self.hashes.append(part.hashes)
        if part.span_us:
            self.spans_us.append(part.span_us)


def _instant(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).isoformat()


def _take_one(job: _FileJob, sizes: set[int], result: Ingested) -> None:
    """Take one file in and note what became of it; only a file of a known size can be known."""
    path = job.raw.path
    try:
        may_be_known = not job.again and path.stat().st_size in sizes
        known = job.find_known() if may_be_known else None
        record, is_new = (known, False) if known else job.take()
        if doubt := job.reader.say_doubt():
            result.ambiguous.append((path, hide_addresses(doubt, job.maker.addresses)))
        result.shortened.extend(job.shortened)
        if is_new:
            result.added.append(record)
        else:
            result.known.append((path, record))
    except StorageError:
        raise
    except TidegaugeError as error:
        result.failed.append((path, str(error)))
        if isinstance(error, PassingError):
            result.passing.add(path)
    except OSError as error:
        if error.filename != str(path):
            raise  # the lake's disk: no other file would fare better
        result.failed.append((path, f"cannot be read: {error.strerror}"))


def _connection() -> duckdb.DuckDBPyConnection:
    """The calling thread's own."""
    if not hasattr(_thread, "connection"):
        _thread.connection = connect(threads=1)
    connection: duckdb.DuckDBPyConnection = _thread.connection
    return connection


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[_S], _T], blocks: Iterator[_S]
) -> Iterator[_T]:
    """Work on several blocks at once; yield the results in the blocks' order."""
    waiting: deque[Future[_T]] = deque()
    for block in blocks:
        waiting.append(pool.submit(work, block))
        if len(waiting) >= _IN_FLIGHT:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
