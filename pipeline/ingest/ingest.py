"""Raw files are taken into the lake, every physical line accounted for.

Each is read into a staging folder (``staging``) and put in place together with its accounting.
"""

import threading
from collections.abc import Callable, Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pipeline.enrich.hits import HitMaker
from pipeline.enrich.place_names import save_names
from pipeline.errors import PassingError, StorageError, TidegaugeError
from pipeline.formats.numbers import WORTH_BYTES, load_compiled
from pipeline.ingest.batches import group_small, stage_together
from pipeline.ingest.committing import Job, commit, commit_together, find_all_known, find_known
from pipeline.ingest.deduplication import NewFile, OverlapRules
from pipeline.ingest.file_days import look_through
from pipeline.ingest.ingested import Failed, Ingested, explain_unread
from pipeline.ingest.source_names import Namer
from pipeline.ingest.staging import WORKERS, Reading, stage_file
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord, key_of
from pipeline.lake.left_out import OF_A_SEALED_DAY, note_file, write_notes
from pipeline.lake.records import read_records
from pipeline.lake.storage import storage_named
from pipeline.raw.content import read_content, read_whole
from pipeline.raw.files import Origin, is_file, total_bytes
from pipeline.raw.naming import day_in_name
from pipeline.raw.opening import DEFAULT_LIMITS, ReadLimits
from pipeline.text import keep_clause, shown

_ODD_AT_ONCE = 100
"""So many small files are put in place in one change: all that a kill loses is their reading."""
_Done = TypeVar("_Done")
_FAILED = keep_clause("{files} could not be taken in")


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
    sizes = _Sizes(lake)
    stop = threading.Event()
    with (
        storage_named(
            lake.store.disk, "what was taken in before stands, the next run takes the rest"
        ),
        ThreadPoolExecutor(WORKERS, "block") as blocks,
        ThreadPoolExecutor(limits.files_at_once, "file") as files,
        lake.staging() as staging,
    ):
        at_once = max(1, min(limits.files_at_once, len(paths)))
        how = Reading(maker, limits, only_whole, on_read, blocks, stop, at_once)
        sizes_so_far = accumulate(total_bytes([path]) for path in paths)
        if any(size >= WORTH_BYTES for size in sizes_so_far):  # of many files, the first ones tell
            blocks.submit(load_compiled)  # beside the first block's reading
        jobs = []
        for number, path in enumerate(paths):
            name = names.of(path)
            origin = origins.get(path) or names.origin(path)
            jobs.append(
                Job(
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
    maker.places.forget()
    return result


_SMALL = 64 * 1024
"""Bytes of a raw file that is read sooner than found out whether one of its size is known."""


class _Sizes:
    """The sizes of all raw files that were read, as far as they tell whether to read one twice."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def __contains__(self, size: object) -> bool:
        return isinstance(size, int) and (size <= _SMALL or size in self._known)

    @cached_property
    def _known(self) -> frozenset[int]:
        found = read_records(self._lake.ledger, ["raw_bytes"])["raw_bytes"]
        return frozenset(found.unique().to_pylist())


def _take(
    lake: Lake, jobs: list[Job], how: Reading, rules: OverlapRules, sizes: _Sizes
) -> Ingested:
    """Take some files in, together as far as each of them leaves no doubt."""
    if len(jobs) == 1:
        return _take_one(lake, jobs[0], how, rules, sizes)
    asked = [(job.path, job.origin, job.is_source_by_name) for job in jobs]
    again = any(job.again for job in jobs)
    new, known = stage_together(
        asked, how, lambda keys: {} if again else find_all_known(lake, keys)
    )
    if how.stop.is_set():
        return Ingested()
    done, left = _put_together(lake, jobs, new, known, rules)
    done += [_take_one(lake, job, how, rules, sizes) for job in left]
    odd = [job for job in jobs if job.path not in new.keys() | known.keys()]
    for first in range(0, len(odd), _ODD_AT_ONCE):
        done += _take_odd(lake, odd[first : first + _ODD_AT_ONCE], how, rules)
    return Ingested.join(done)


def _take_odd(lake: Lake, jobs: Sequence[Job], how: Reading, rules: OverlapRules) -> list[Ingested]:
    """Take small files in that have something odd: each is read alone, all are put in together.

    Most are known to be new, and the lake is asked for all at once.
    """
    read = [(job, _read_one(lake, job, how, sizes=())) for job in jobs]
    done = [one for _, one in read if isinstance(one, Ingested)]
    staged = {job.path: (job, *one) for job, one in read if not isinstance(one, Ingested)}
    # Whether the lake has what is left of a damaged archive is found out for it alone.
    sound = {path: new for path, (_, new, _) in staged.items() if not new.record.damage}
    put, left = _put_together(lake, [staged[path][0] for path in sound], sound, {}, rules)
    alone = {job.path for job in left} | staged.keys() - sound.keys()
    done += [_put_one(lake, *its, rules) for path, its in staged.items() if path in alone]
    doubts = [(path, why) for path, (_, _, why) in staged.items() if why and path not in alone]
    return [*done, *put, Ingested(ambiguous=tuple(doubts))]


def _put_together(
    lake: Lake,
    jobs: Sequence[Job],
    new: Mapping[Path, NewFile],
    known: Mapping[Path, tuple[Sequence[int], str]],
    rules: OverlapRules,
) -> tuple[list[Ingested], list[Job]]:
    """Put files in place that were read, or found ``known`` (stat and key), in one change.

    Returns:
        What became of them; and those that are to be taken in by themselves.
    """
    there = {**known, **{path: (one.stat, one.record.file_key) for path, one in new.items()}}
    its = [job for job in jobs if job.path in there]
    try:
        taken, left = commit_together(lake, its, new, there, rules)
    except StorageError:
        raise
    except (TidegaugeError, OSError):  # of a file of the lake, or a raw one: not all need it
        taken, left = [], its
    return [_with_unread(lake, job, one) for job, one in taken], left


def _note_failed(lake: Lake, how: Reading, jobs: Sequence[Job], failed: Sequence[Failed]) -> None:
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


def _take_one(lake: Lake, job: Job, how: Reading, rules: OverlapRules, sizes: _Sizes) -> Ingested:
    """Take one file in, and tell what became of it."""
    read = _read_one(lake, job, how, sizes)
    return read if isinstance(read, Ingested) else _put_one(lake, job, *read, rules)


def _read_one(
    lake: Lake, job: Job, how: Reading, sizes: Container[int]
) -> Ingested | tuple[NewFile, str | None]:
    """Read a file, as ``stage_file``, but one that is known; only one of a known size can be."""

    def read() -> Ingested | tuple[NewFile, str | None]:
        may_be_known = not job.again and job.path.stat().st_size in sizes
        if may_be_known and (known := _recall(lake, job, how)):
            return _with_unread(lake, job, Ingested(known=((job.path, known),)))
        by_name = job.is_source_by_name
        return stage_file(job.path, job.origin, how, job.folder, is_source_by_name=by_name)

    return _or_failed(job.path, read)


def _put_one(
    lake: Lake, job: Job, new: NewFile, doubt: str | None, rules: OverlapRules
) -> Ingested:
    """Put one file in place that was read, and tell what became of it."""

    def put() -> Ingested:
        done = _with_unread(lake, job, commit(lake, job, new, rules))
        return replace(done, ambiguous=((job.path, doubt),)) if doubt else done

    return _or_failed(job.path, put)


def _or_failed(path: Path, do: Callable[[], _Done]) -> _Done | Ingested:
    """Do something with a file; what is wrong with it stops no other one."""
    try:
        return do()
    except StorageError:
        raise
    except TidegaugeError as error:
        return _failed(path, str(error), is_passing=isinstance(error, PassingError))
    except OSError as error:
        if error.filename != str(path):
            raise  # the lake's disk: no other file would fare better
        return _failed(path, f"cannot be read: {error.strerror}")


def _with_unread(lake: Lake, job: Job, done: Ingested) -> Ingested:
    """Say why many lines of what was taken in, or is known, could not be read."""
    is_gone = job.path.is_relative_to(lake.root)  # a fetched file, or standard input
    records = done.records
    said = [explain_unread(r, r.name if is_gone else shown(job.path)) for r in records]
    return replace(done, unread=tuple((job.path, why) for why in said if why))


def _failed(path: Path, why: str, *, is_passing: bool = False) -> Ingested:
    return Ingested(failed=(Failed(path, why, is_passing),))


def _recall(lake: Lake, job: Job, how: Reading) -> FileRecord | None:
    """The record of the same content from the same source, when the lake has it."""
    _, content = read_whole(read_content(job.path, how.limits, how.on_read), lambda _: None)
    key = key_of(job.origin.source, content.sha256)
    known = find_known(lake, key, content.damage)
    if known:
        with lake.lock():
            lake.commit([], read={job.path: (content.stat, key)})
    return known
