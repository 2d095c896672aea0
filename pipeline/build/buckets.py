"""A day of more hits than a process builds from: divided by visitors, and put together again.

1. Its hits and its neighbours' are divided among buckets of visitors, a slice of the files each
   process. What a bucket gets keeps its order, by which hits of one instant are told apart.
2. Each bucket is built as a day is. A visitor is in one of them, so the models see all they need.
3. What the buckets counted is added up, and their sessions, each in order, are merged.

So the bytes are those of a day built whole, whatever the number of buckets.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from pipeline.build.apart import File, Workplace
from pipeline.build.batch import BuildSettings, build_batch, near
from pipeline.build.files_of_days import DayFiles
from pipeline.build.merged import cut_pieces, merge_sessions
from pipeline.days import day_start
from pipeline.lake.coded_files import write_sessions
from pipeline.lake.database import connect
from pipeline.lake.day_files import read_days, read_row_groups
from pipeline.lake.hit_files import BucketWriter
from pipeline.lake.lake import Lake
from pipeline.lake.sql import read_model
from pipeline.lake.table_files import read_pieces, split_days, write_partitions

_NEIGHBOURS = 3
"""So many days' hits are read to build one."""


def count_buckets(day: date, days: dict[date, DayFiles], hits_at_once: int) -> int:
    """Among how many buckets a day is divided; 1: it is built whole."""
    read = sum(days[one].rows for one in near([day], days))
    return max(1, -(-days[day].rows // hits_at_once), -(-read // (_NEIGHBOURS * hits_at_once)))


class Division:
    """One day on its way through slices, buckets and the merge; each step gives tasks to be run."""

    def __init__(
        self,
        work: Callable[[str], Workplace],
        settings: BuildSettings,
        day: date,
        days: dict[date, DayFiles],
    ) -> None:
        """Divide the day; ``work`` gives a place for the files of a step, by its name."""
        self.day, self._settings = day, settings
        self._aside, self._merged = work("aside"), work("merged")
        self._days = {one: days[one] for one in near([day], days)}
        self._count = count_buckets(day, days, settings.hits_at_once)
        parts = list(_slice(day, self._days, settings))
        self.slices = [
            Slice(self._aside, day, one, files, self._count, since, (number + 1, len(parts)))
            for number, (one, files, since) in enumerate(parts)
        ]
        self._left: list[File] = []

    def buckets(self, left: Iterable[dict[int, File]]) -> "list[VisitorBucket]":
        """What is to be built of what the slices, in their order, have left."""
        pieces: list[list[tuple[date, File]]] = [[] for _ in range(self._count)]
        for its, files in zip(self.slices, left, strict=True):
            for bucket, file in files.items():
                pieces[bucket].append((its.of_day, file))
                self._left.append(file)
        return [
            VisitorBucket(self._aside, self.day, self._days, self._settings, tuple(its), number + 1)
            for number, its in enumerate(pieces)
            if its
        ]

    def merging(self, built: Sequence[dict[str, File]]) -> "Merge":
        """What puts the day together of what the buckets have left."""
        return Merge(self._merged, self.day, self._settings, tuple(built))

    def free_slices(self) -> None:
        """Give back this machine's disk, when the buckets are built."""
        for file in self._left:
            if isinstance(file, Path):
                file.unlink(missing_ok=True)

    def free_buckets(self) -> None:
        """The same, when they are merged."""
        if self._aside.out:
            shutil.rmtree(self._aside.out, ignore_errors=True)


_Files = tuple[tuple[str, int, int], ...]
"""Parquet files of hits: the stem, which part of it, of how many."""


@dataclass(frozen=True)
class Slice:
    """Hits that one process divides, of a day or of one beside it."""

    work: Workplace
    day: date
    of_day: date
    """Whose hits they are."""
    files: _Files
    buckets: int
    since: datetime | None
    """Those before are not needed."""
    number: tuple[int, int]
    """Which it is, of how many."""

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.day}, slice {self.number[0]} of {self.number[1]}"

    def list_hits(self, lake: Lake) -> list[Path]:
        """The partitions of hits that it reads."""
        return [lake.hits_path(str(self.of_day), stem) for stem, _, _ in self.files]

    def run(self) -> dict[int, File]:
        """Divide them; returns the file of each bucket that has a hit of them."""
        with self.work.working() as work:
            writer = BucketWriter(work.folder / f"day={self.of_day}", self.buckets)
            for stem, part, parts in self.files:
                path = work.lake.hits_path(str(self.of_day), stem)
                for hits in read_row_groups(path, part, parts, self.since):
                    writer.add(hits)
            return {bucket: work.leave(path) for bucket, path in writer.close().items()}


def _slice(
    day: date, days: dict[date, DayFiles], settings: BuildSettings
) -> Iterator[tuple[date, _Files, datetime | None]]:
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
                yield one, tuple(files), since
                files, count = [], 0
            if parts > 1:
                for part in range(parts):
                    yield one, ((stem, part, parts),), since
            else:
                files.append((stem, 0, 1))
                count += rows[stem]
        if files:
            yield one, tuple(files), since


@dataclass(frozen=True)
class VisitorBucket:
    """The hits of some visitors, of a day and its neighbours."""

    work: Workplace
    day: date
    days: dict[date, DayFiles]
    settings: BuildSettings
    pieces: tuple[tuple[date, File], ...]
    """In the order of the hits."""
    number: int

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.day}, bucket {self.number}"

    def list_hits(self, lake: Lake) -> list[Path]:  # noqa: ARG002 as other tasks
        """The lake's partitions of hits that it reads: none."""
        return []

    def run(self) -> dict[str, File] | None:
        """Build the day of these visitors; None when the memory is too little."""
        with self.work.working() as work:
            files = [
                work.find(file, f"{number}/day={day}/hits.parquet")
                for number, (day, file) in enumerate(self.pieces)
            ]
            day, settings = [self.day], self.settings
            fits = build_batch(files, work.folder, day, self.days, settings, is_bucket=True)
            return work.leave_partitions() if fits else None


@dataclass(frozen=True)
class Merge:
    """What was built of all visitors of a day."""

    work: Workplace
    day: date
    settings: BuildSettings
    buckets: tuple[dict[str, File], ...]

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.day}, merge"

    def list_hits(self, lake: Lake) -> list[Path]:  # noqa: ARG002 likewise
        """The lake's partitions of hits that it reads: none."""
        return []

    def run(self) -> dict[str, File]:
        """Put the day together; returns its partitions."""
        with self.work.working() as work:

            def find(model: str) -> list[Path]:
                place = f"{model}/day={self.day}/part.parquet"
                return [
                    work.find(files[place], f"{number}/{place}")
                    for number, files in enumerate(self.buckets)
                    if place in files
                ]

            for model in ("daily", "hourly", "minutes"):
                with connect(memory_mb=self.settings.memory_mb) as connection:
                    read_days(connection, find(model)).create_view("counted")
                    rows = connection.execute(read_model(f"build/sum_{model}")).to_arrow_table()
                write_partitions(split_days(rows), work.folder / model)
            merged = merge_sessions([read_pieces(path) for path in find("sessions")])
            part_rows = self.settings.part_rows
            pieces = (
                piece.append_column("day", pa.array([self.day] * len(piece), pa.date32()))
                for piece in cut_pieces(merged, part_rows)
            )
            write_sessions(pieces, work.folder / "sessions", part_rows)
            shutil.rmtree(work.folder / "found", ignore_errors=True)
            return work.leave_partitions()
