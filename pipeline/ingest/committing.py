"""Files that were read are put in place: by themselves, or those that leave no doubt together."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DataError
from pipeline.ingest.deduplication import NewFile, OverlapRules, SourceFiles
from pipeline.ingest.ingested import Ingested
from pipeline.lake.journal import Move
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.raw.files import Origin
from pipeline.text import shown

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One raw file, and what is to be done with it."""

    path: Path
    origin: Origin
    is_source_by_name: bool
    folder: Path
    """For what is made on the way."""
    again: bool
    instead_of: FileRecord | None
    """The same file as the lake has it under another source."""


def find_all_known(lake: Lake, file_keys: Iterable[str]) -> dict[str, FileRecord]:
    """The same as ``find_known`` for the contents of undamaged files."""
    found = lake.find_all(file_keys)
    return {
        key: record
        for key, record in found.items()
        if not (record.replaced_by or record.damage) or find_known(lake, key, None)
    }


def find_known(lake: Lake, file_key: str, damage: str | None) -> FileRecord | None:
    """A content's record, unless it was part of a file that is forgotten by now."""
    known = last = lake.find(file_key)
    while last and last.replaced_by:
        last = lake.find(last.replaced_by)
    if known and known.damage and not damage and not known.forgotten_at:
        return None  # an archive of which nothing was lost but its checksum came again, sound
    return known if last and (last == known or last.is_live) else None


def commit(lake: Lake, job: Job, new: NewFile, rules: OverlapRules) -> Ingested:
    """Put a file that was read in place, unless the lake has it by now.

    Raises:
        DataError: it is too late for a day of its hits (nothing is committed).
    """
    record, key = new.record, new.record.file_key
    with lake.lock():
        known = find_known(lake, key, record.damage)
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


def _tell(job: Job, record: FileRecord, others: Iterable[FileRecord]) -> Ingested:
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


def commit_together(
    lake: Lake,
    jobs: Sequence[Job],
    found: Mapping[Path, NewFile],
    there: Mapping[Path, tuple[Sequence[int], str]],
    rules: OverlapRules,
) -> tuple[list[tuple[Job, Ingested]], list[Job]]:
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
        before = find_all_known(lake, [key for _, key in there.values()])
        refusable: dict[Path, Job] = {}
        known: list[tuple[Job, str]] = []
        new: list[tuple[Job, NewFile]] = []
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
