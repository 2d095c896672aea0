"""Raw files are taken into the lake, every physical line accounted for.

Each is read into a staging folder (``staging``) and put in place together with its accounting.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from pipeline.enrich.hits import HitMaker
from pipeline.enrich.place_names import save_names
from pipeline.errors import DataError, PassingError, StorageError, TidegaugeError
from pipeline.ingest.batches import group_small, stage_together
from pipeline.ingest.deduplication import (
    NewFile,
    OverlapRules,
    SourceFiles,
    say_flood,
    say_repeats,
    say_shared,
)
from pipeline.ingest.file_days import look_through
from pipeline.ingest.source_names import Namer
from pipeline.ingest.staging import WORKERS, Reading, stage_file
from pipeline.ingest.unread import Unread
from pipeline.lake.journal import Move
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord, key_of
from pipeline.lake.left_out import OF_A_SEALED_DAY, note_file, write_notes
from pipeline.lake.records import read_records
from pipeline.lake.storage import storage_named
from pipeline.raw.content import read_content, read_whole
from pipeline.raw.files import Origin, is_file
from pipeline.raw.naming import day_in_name
from pipeline.raw.opening import DEFAULT_LIMITS, ReadLimits
from pipeline.text import keep_clause, shown, write_number_of

log = logging.getLogger(__name__)
_FAILED = keep_clause("{files} could not be taken in")


@dataclass(frozen=True)
class Failed:
    """A raw file that was not taken in, and why."""

    path: Path
    why: str
    is_passing: bool = False
    """Whether another try may not meet it."""


@dataclass(frozen=True)
class Ingested:
    """What an ingest did: new files, files already known, and failures."""

    added: tuple[FileRecord, ...] = ()
    known: tuple[tuple[Path, FileRecord], ...] = ()
    failed: tuple[Failed, ...] = ()
    ambiguous: tuple[tuple[Path, str], ...] = ()
    """Files whose lines may be of another layout, and why."""
    unread: tuple[tuple[Path, str], ...] = ()
    """Files many of whose lines could not be read, and why."""
    shortened: tuple[FileRecord, ...] = ()
    """Files of before that turned out to have lines of one that was added."""

    @classmethod
    def join(cls, parts: Iterable["Ingested"]) -> "Ingested":
        """What several did together."""
        its = list(parts)
        names = (one.name for one in fields(cls))
        return cls(*(tuple(chain.from_iterable(getattr(p, n) for p in its)) for n in names))

    @property
    def overlapping(self) -> list[FileRecord]:
        """The files that have lines of another one, as far as that is news."""
        return [
            record
            for record in [*self.added, *self.shortened]
            if record.overlap_with or record.flood_with or record.repeat_with or record.shared_with
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
    doubts += [say_shared(record)] if record.shared_lines else []
    said += [f"{doubt}; if so, `tidegauge forget` one of the two files" for doubt in doubts]
    return "; ".join(said)


def explain_unread(record: FileRecord, place: str) -> str | None:
    """Say why many of a file's lines could not be read, and how to see more; None when few.

    ``place``: the file, as a command would be given it.
    """
    if not record.is_live or not Unread(record.lines, record.rejected).is_large:
        return None
    reasons = ", ".join(f"{why} {n:,}" for why, n in sorted(record.reasons.items()))
    lines = write_number_of(record.lines, "line")
    if record.rejected == record.lines - record.blank:
        said = f"none of its {lines} could be read"
    else:
        said = f"{record.rejected:,} of its {lines} could not be read"
    return f"{said} ({reasons}): `tidegauge doctor {place}` shows why"


@dataclass(frozen=True)
class _Job:
    """One raw file, and what is to be done with it."""

    path: Path
    origin: Origin
    is_source_by_name: bool
    folder: Path
    """For what is made on the way."""
    again: bool
    instead_of: FileRecord | None
    """The same file as the lake has it under another source."""


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
    names = Namer(lake)
    sizes = frozenset(read_records(lake.ledger, ["raw_bytes"])["raw_bytes"].unique().to_pylist())
    stop = threading.Event()
    with (
        storage_named(
            lake.store.disk, "what was taken in before stands, the next run takes the rest"
        ),
        ThreadPoolExecutor(WORKERS, "block") as blocks,
        ThreadPoolExecutor(limits.files_at_once, "file") as files,
        lake.staging() as staging,
    ):
        how = Reading(maker, limits, only_whole, on_read, blocks, stop)
        jobs = []
        for number, path in enumerate(paths):
            name = names.of(path)
            origin = origins.get(path) or names.origin(path)
            jobs.append(
                _Job(
                    path, origin, origin.source == name, staging / str(number), path in again,
                    instead_of.get(path),
                )
            )  # fmt: skip
        try:
            alike = [(job.path, None if job.instead_of else job.origin) for job in jobs]
            taken = [
                files.submit(_take, lake, [jobs[one] for one in its], how, rules, sizes)
                for its in group_small(alike)
            ]
            result = Ingested.join(future.result() for future in taken)
        except BaseException:  # interrupted: end soon, between two blocks
            stop.set()
            files.shutdown(cancel_futures=True)
            raise
    _note_failed(lake, how, jobs, result.failed)
    maker.robots.save()
    save_names(lake, maker.places.opened())
    return result


def _take(
    lake: Lake, jobs: list[_Job], how: Reading, rules: OverlapRules, sizes: Container[int]
) -> Ingested:
    """Take some files in, together as far as each of them leaves no doubt."""
    done: list[Ingested] = []
    if len(jobs) > 1:
        asked = [(job.path, job.origin, job.is_source_by_name) for job in jobs]
        again = any(job.again for job in jobs)
        new, known = stage_together(
            asked, how, lambda keys: {} if again else _find_all_known(lake, keys)
        )
        if how.stop.is_set():
            return Ingested()
        there = known | {path: (one.stat, one.record.file_key) for path, one in new.items()}
        its = [job for job in jobs if job.path in there]
        try:
            taken, left = _commit_together(lake, its, new, there, rules)
        except StorageError:
            raise
        except TidegaugeError:  # a file of the lake is damaged: not all of them need it
            taken, left = [], its
        done = [_with_unread(lake, job, one) for job, one in taken]
        jobs = [*(job for job in jobs if job.path not in there), *left]
    return Ingested.join([*done, *(_take_one(lake, job, how, rules, sizes) for job in jobs)])


def _note_failed(lake: Lake, how: Reading, jobs: Sequence[_Job], failed: Sequence[Failed]) -> None:
    """Write down which days lack the files that were there and could not be taken in."""
    there = {one.path for one in failed if is_file(one.path)}
    sealed_to = max(lake.sealed(), default="")
    notes = []
    for job in jobs:
        if job.path not in there:
            continue
        found = look_through(job.path, how.maker.places.zone, job.origin, how.limits)
        hint = day_in_name(job.path.name)
        days = found.days or ({hint} if hint and not found.is_readable else ())
        if days:
            is_late = str(min(days)) <= sealed_to
            why = OF_A_SEALED_DAY if is_late else _FAILED
            notes.append(note_file(job.path, job.origin.source, days, why))
    write_notes(lake, notes)


def _take_one(
    lake: Lake, job: _Job, how: Reading, rules: OverlapRules, sizes: Container[int]
) -> Ingested:
    """Take one file in, and tell what became of it; only one of a known size can be known."""
    try:
        may_be_known = not job.again and job.path.stat().st_size in sizes
        if may_be_known and (known := _recall(lake, job, how)):
            return _with_unread(lake, job, Ingested(known=((job.path, known),)))
        new, doubt = stage_file(
            job.path, job.origin, how, job.folder, is_source_by_name=job.is_source_by_name
        )
        done = _with_unread(lake, job, _commit(lake, job, new, rules))
        return replace(done, ambiguous=((job.path, doubt),)) if doubt else done
    except StorageError:
        raise
    except TidegaugeError as error:
        return _failed(job.path, str(error), is_passing=isinstance(error, PassingError))
    except OSError as error:
        if error.filename != str(job.path):
            raise  # the lake's disk: no other file would fare better
        return _failed(job.path, f"cannot be read: {error.strerror}")


def _with_unread(lake: Lake, job: _Job, done: Ingested) -> Ingested:
    """Say why many lines of what was taken in, or is known, could not be read."""
    is_gone = job.path.is_relative_to(lake.root)  # a fetched file, or standard input
    records = [*done.added, *(record for _, record in done.known)]
    said = [explain_unread(r, r.name if is_gone else shown(job.path)) for r in records]
    return replace(done, unread=tuple((job.path, why) for why in said if why))


def _failed(path: Path, why: str, *, is_passing: bool = False) -> Ingested:
    return Ingested(failed=(Failed(path, why, is_passing),))


def _recall(lake: Lake, job: _Job, how: Reading) -> FileRecord | None:
    """The record of the same content from the same source, when the lake has it."""
    _, content = read_whole(read_content(job.path, how.limits, how.on_read), lambda _: None)
    key = key_of(job.origin.source, content.sha256)
    known = _find_known(lake, key, content.damage)
    if known:
        with lake.lock():
            lake.commit([], read={job.path: (content.stat, key)})
    return known


def _find_all_known(lake: Lake, file_keys: Iterable[str]) -> dict[str, FileRecord]:
    """The same as ``_find_known`` for the contents of undamaged files."""
    found = lake.find_all(file_keys)
    return {
        key: record
        for key, record in found.items()
        if not (record.replaced_by or record.damage) or _find_known(lake, key, None)
    }


def _find_known(lake: Lake, file_key: str, damage: str | None) -> FileRecord | None:
    """A content's record, unless it was part of a file that is forgotten by now."""
    known = last = lake.find(file_key)
    while last and last.replaced_by:
        last = lake.find(last.replaced_by)
    if known and known.damage and not damage and not known.forgotten_at:
        return None  # an archive of which nothing was lost but its checksum came again, sound
    return known if last and (last == known or last.is_live) else None


def _commit(lake: Lake, job: _Job, new: NewFile, rules: OverlapRules) -> Ingested:
    """Put a file that was read in place, unless the lake has it by now.

    Raises:
        DataError: it is too late for a day of its hits (nothing is committed).
    """
    record, key = new.record, new.record.file_key
    with lake.lock():
        known = _find_known(lake, key, record.damage)
        if known and known.erasures and job.again:
            raise DataError(
                f"{shown(job.path)}: a person was erased from its hits, and reading it"
                " again would bring them back: nothing was changed"
            )
        if known and not job.again:
            lake.commit([], read={job.path: (new.stat, key)})
            return Ingested(known=((job.path, known),))
        instead_of = job.instead_of.file_key if job.instead_of else None
        source = SourceFiles(lake, rules, job.folder)
        source.add(new, instead_of)
        moves = _spare_sealed(lake, job.path, record, source)
        # As the file was when it was read: one that grew meanwhile has changed.
        lake.commit(moves, source.changed.values(), {job.path: (new.stat, key)})
    record = source.changed[key]
    log.info(
        "ingested %s: %d lines, %d hits, %d duplicates, %d rejected, %d ms",
        key, record.lines, record.hits, record.duplicates, record.rejected, record.duration_ms,
    )  # fmt: skip
    return _tell(job, record, [one for one in source.changed.values() if one is not record])


def _tell(job: _Job, record: FileRecord, others: Iterable[FileRecord]) -> Ingested:
    """What became of a file, and of ``others`` that turned out to have lines of it."""
    key = record.file_key
    shortened = tuple(
        other
        for other in others
        if key in (other.overlap_with, other.flood_with, other.repeat_with, other.shared_with)
    )
    if record.is_live:
        return Ingested(added=(record,), shortened=shortened)
    return Ingested(known=((job.path, record),), shortened=shortened)


def _commit_together(
    lake: Lake,
    jobs: Sequence[_Job],
    found: Mapping[Path, NewFile],
    there: Mapping[Path, tuple[Sequence[int], str]],
    rules: OverlapRules,
) -> tuple[list[tuple[_Job, Ingested]], list[_Job]]:
    """Put files that were read in place, in one change.

    Args:
        lake: that gets them.
        jobs: of all of them.
        found: those that were new when they were read.
        there: stat and key of each.
        rules: of lines that were sent twice.

    Returns:
        What became of each; and those that are to be taken in by themselves, as they may be
        refused.
    """
    if not jobs:
        return [], []
    started = time.monotonic()
    with lake.lock():
        sealed_to = max(lake.sealed(), default="")
        source = SourceFiles(lake, rules, jobs[0].folder.parent)
        before = _find_all_known(lake, [key for _, key in there.values()])
        refusable: dict[Path, _Job] = {}
        known: list[tuple[_Job, str]] = []
        new: list[tuple[_Job, NewFile]] = []
        keys: set[str] = set()
        for job in jobs:
            one, key = found.get(job.path), there[job.path][1]
            its = before.get(key)
            if key in keys or (its and not job.again):
                known.append((job, key))
            elif one is None or (its and its.erasures) or one.record.day <= sealed_to:
                refusable[job.path] = job
            else:
                new.append((job, one))
                keys.add(key)
        source.expect([one for _, one in new])
        added = {record.file_key: record for record in (source.add(one) for _, one in new)}
        read = {job.path: there[job.path] for job in jobs if job.path not in refusable}
        lake.commit(source.moves(), source.changed.values(), read)
    others = [record for key, record in source.changed.items() if key not in keys]
    # One that gave way to another of these was taken in all the same.
    added |= {key: source.changed[key] for key in added if source.changed[key].is_live}
    done = [(job, _tell(job, added[one.record.file_key], others)) for job, one in new]
    done += [
        (job, Ingested(known=((job.path, source.changed.get(key) or before[key]),)))
        for job, key in known
    ]
    log.info(
        "ingested %d files of %s: %d lines, %d hits, %d ms to put in place",
        len(new), jobs[0].origin.source, sum(one.record.lines for _, one in new),
        sum(one.record.hits for _, one in new), round((time.monotonic() - started) * 1000),
    )  # fmt: skip
    return done, list(refusable.values())


def _spare_sealed(lake: Lake, path: Path, record: FileRecord, source: SourceFiles) -> list[Move]:
    """The moves, without those of sealed days: their figures can't be restated.

    A file that grew has nothing new of those days; another one that has is refused.
    """
    last = max(lake.sealed(), default="")
    counted = Counter[str]()
    for other in source.changed.values():
        if other.replaced_by == record.file_key:
            counted.update({d: share.hits for d, share in other.read_days.items()})
    record = source.changed[record.file_key]
    late = [day for day, share in record.days.items() if day <= last and share.hits != counted[day]]
    if late:
        span = late[0] if len(late) == 1 else f"{late[0]} to {late[-1]}"
        raise DataError(
            f"{path}: has hits of {span}, but the days up to {last} are sealed: their"
            " hits, or those of the day before, were deleted under hits_kept_days, so the"
            " published figures stand; nothing of the file was taken in (its lines of later"
            " days can be, by themselves)"
        )
    deleted = {
        folder
        for day in record.days
        if day <= last and not (folder := lake.hits_path(day, record.stem).parent).exists()
    }
    return [move for move in source.moves() if move.target.parent not in deleted]
