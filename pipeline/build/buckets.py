"""A day of more hits than a process builds from: divided by visitors, and put together again.

1. Its hits and its neighbours' are divided among buckets of visitors, a slice of the files each
   process. What a bucket gets keeps its order, by which hits of one instant are told apart.
2. Each bucket is built as a day is. A visitor is in one of them, so the models see all they need.
3. What the buckets counted is added up, and their sessions, each in order, are merged.

So the bytes are those of a day built whole, whatever the number of buckets.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from pipeline.build.apart import File, Workplace
from pipeline.build.batch import BuildSettings, build_batch, near
from pipeline.build.files_of_days import DayFiles
from pipeline.build.merged import cut_pieces, merge_sessions
from pipeline.days import day_start
from pipeline.engine import Engine
from pipeline.lake.coded_files import write_sessions
from pipeline.lake.database import connect
from pipeline.lake.day_files import read_days, read_row_groups
from pipeline.lake.hit_files import BucketWriter
from pipeline.lake.lake import Lake
from pipeline.lake.sql import read_model
from pipeline.lake.table_files import read_pieces, split_days, write_partitions

_ONE_DAY = timedelta(days=1)
_NEIGHBOURS = 3
"""So many days' hits are read to build one."""


def count_buckets(day: date, days: dict[date, DayFiles], hits_at_once: int) -> int:
    """Among how many buckets a day is divided; 1: it is built whole."""
    read = sum(days[one].rows for one in near([day], days))
    return max(1, -(-days[day].rows // hits_at_once), -(-read // (_NEIGHBOURS * hits_at_once)))


def build_divided(  # noqa: PLR0913 what is built, by whom and where
    lake: Lake,
    engine: Engine,
    settings: BuildSettings,
    out: Path,
    day: date,
    days: dict[date, DayFiles],
) -> dict[str, File]:
    """Build one day in buckets; its partitions by their place, none when memory is too little.

    ``out``: a folder for this day alone.
    """
    buckets = count_buckets(day, days, settings.hits_at_once)
    near_days = {one: days[one] for one in near([day], days)}
    aside = Workplace.of(lake, engine, out / "aside")
    slices = list(_slice(day, near_days, settings, buckets, aside))
    pieces: list[list[tuple[date, File]]] = [[] for _ in range(buckets)]
    for its, left in zip(slices, engine.map(_divide, slices), strict=True):
        for bucket, file in left.items():
            pieces[bucket].append((its.day, file))
    tasks = [_Bucket(aside, day, near_days, settings, tuple(its)) for its in pieces if its]
    built = list(engine.map(_build_bucket, tasks))
    for path in (file for its in pieces for _, file in its if isinstance(file, Path)):
        path.unlink(missing_ok=True)
    done = tuple(its for its in built if its is not None)
    if len(done) < len(built):
        return {}
    merging = _Merge(Workplace.of(lake, engine, out / "merged"), day, settings, done)
    (merged,) = engine.map(_merge, [merging])
    shutil.rmtree(out / "aside", ignore_errors=True)
    return merged


@dataclass(frozen=True)
class _Slice:
    """Hits of one day that one process divides."""

    work: Workplace
    day: date
    files: tuple[tuple[str, int, int], ...]
    """Their Parquet: the stem, which part of it, of how many."""
    buckets: int
    since: datetime | None
    """Those before are not needed."""


def _slice(
    day: date,
    days: dict[date, DayFiles],
    settings: BuildSettings,
    buckets: int,
    work: Workplace,
) -> Iterator[_Slice]:
    """The hits of some days in their order, so many at once."""
    most = settings.hits_at_once
    for one, its in sorted(days.items()):
        timeout = timedelta(minutes=settings.timeout_minutes)
        since = day_start(day, settings.zone) - timeout if one < day else None
        rows = dict.fromkeys(its.stems, 0)
        for stem, hits in zip(its.lie_in, its.hits, strict=True):
            rows[stem] += hits
        files: list[tuple[str, int, int]] = []
        count = 0
        for stem in its.stems:
            parts = max(1, -(-rows[stem] // most))
            if files and count + rows[stem] > most:
                yield _Slice(work, one, tuple(files), buckets, since)
                files, count = [], 0
            if parts > 1:
                for part in range(parts):
                    yield _Slice(work, one, ((stem, part, parts),), buckets, since)
            else:
                files.append((stem, 0, 1))
                count += rows[stem]
        if files:
            yield _Slice(work, one, tuple(files), buckets, since)


def _divide(task: _Slice) -> dict[int, File]:
    """Divide a slice; returns the file of each bucket that has a hit of it."""
    with task.work.working() as work:
        writer = BucketWriter(work.folder / f"day={task.day}", task.buckets)
        for stem, part, parts in task.files:
            path = work.lake.hits_path(str(task.day), stem)
            for hits in read_row_groups(path, part, parts, task.since):
                writer.add(hits)
        return {bucket: work.leave(path) for bucket, path in writer.close().items()}


@dataclass(frozen=True)
class _Bucket:
    """The hits of some visitors, of a day and its neighbours."""

    work: Workplace
    day: date
    days: dict[date, DayFiles]
    settings: BuildSettings
    pieces: tuple[tuple[date, File], ...]
    """In the order of the hits."""


def _build_bucket(task: _Bucket) -> dict[str, File] | None:
    """Build the day of some visitors; None when the memory is too little."""
    with task.work.working() as work:
        files = [
            work.find(file, f"{number}/day={day}/hits.parquet")
            for number, (day, file) in enumerate(task.pieces)
        ]
        day, settings = [task.day], task.settings
        fits = build_batch(files, work.folder, day, task.days, settings, is_bucket=True)
        return work.leave_partitions() if fits else None


@dataclass(frozen=True)
class _Merge:
    """What was built of all visitors of a day."""

    work: Workplace
    day: date
    settings: BuildSettings
    buckets: tuple[dict[str, File], ...]


def _merge(task: _Merge) -> dict[str, File]:
    """Put a day together; returns its partitions."""
    with task.work.working() as work:

        def find(model: str) -> list[Path]:
            place = f"{model}/day={task.day}/part.parquet"
            return [
                work.find(files[place], f"{number}/{place}")
                for number, files in enumerate(task.buckets)
                if place in files
            ]

        for model in ("daily", "hourly", "minutes"):
            with connect(memory_mb=task.settings.memory_mb) as connection:
                read_days(connection, find(model)).create_view("counted")
                rows = connection.execute(read_model(f"build/sum_{model}")).to_arrow_table()
            write_partitions(split_days(rows), work.folder / model)
        merged = merge_sessions([read_pieces(path) for path in find("sessions")])
        part_rows = task.settings.part_rows
        pieces = (
            piece.append_column("day", pa.array([task.day] * len(piece), pa.date32()))
            for piece in cut_pieces(merged, part_rows)
        )
        write_sessions(pieces, work.folder / "sessions", part_rows)
        shutil.rmtree(work.folder / "found", ignore_errors=True)
        return work.leave_partitions()
