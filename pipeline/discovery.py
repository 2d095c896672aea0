"""Which raw files a day's run has to take in, from the folder of raw logs. Reads only their heads.

A file is in order of time, as servers write it: it begins with its first hit and goes on to where
the next file of its source begins.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import groupby, islice, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from pipeline.blocks import RawFile
from pipeline.database import connect
from pipeline.errors import DataError, PassingError, SettingsError, StoreError
from pipeline.formats.clock import IN_LINE, read_time
from pipeline.formats.detection import FileReader
from pipeline.formats.unwrapping import SAMPLE_LINES
from pipeline.hits import Places
from pipeline.lake import FileRecord, Lake
from pipeline.outdated import is_outdated
from pipeline.output import write_number_of
from pipeline.raw_files import DEFAULT_LIMITS, Origin, RawFiles, ReadLimits, find_files, shown
from pipeline.source_names import Namer

MOST_FILES = 1000
"""No run takes more at once (Airflow maps a task over 1,024 at most); the next takes the rest."""
_DATED_NAME = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)(?!\d)")


@dataclass(frozen=True)
class RawLog:
    """One raw file of a source, and what the lake has of it already."""

    path: Path
    origin: Origin
    first_day: date | None
    """The local day of its first hit; None when neither its head nor its name tells."""
    known: FileRecord | None
    next_day: date | None = None
    """The first day of the next file of its source; None for the last one."""

    def begins_by(self, day: date) -> bool:
        """Whether it can hold hits of ``day`` or of earlier days."""
        return self.first_day is None or self.first_day <= day

    def may_hold(self, day: date) -> bool:
        """Whether it can hold hits of ``day``."""
        return self.begins_by(day) and (self.next_day is None or self.next_day >= day)


@dataclass(frozen=True)
class Found:
    """The files that a run has to take in: the day's own first, then by source and time."""

    files: list[Path]
    waiting: int
    """How many more wait for the next run."""
    refused: list[Path]
    """Late files that begin on days whose figures can no longer change."""
    again: list[Path]
    """The day's files that the lake has, located by another database than the one in force."""
    not_yet: int = 0
    """How many had not arrived by the instant in question."""
    unread: list[tuple[Path, str]] = field(default_factory=list)
    """What lies in the folder and may not be read as a raw file, and why."""
    origins: dict[Path, Origin] = field(default_factory=dict)
    """Of those that belong to a source in settings."""
    unreached: list[StoreError] = field(default_factory=list)
    """The stores out of reach: to be raised when the files are taken in."""


def discover(  # noqa: PLR0913 what is looked for and when, and what may be read
    lake: Lake,
    raw_files: RawFiles,
    places: Places,
    day: date,
    *,
    where: str,
    with_late: bool,
    arrived_by: datetime | None = None,
    limits: ReadLimits = DEFAULT_LIMITS,
    may_be_empty: bool = False,
) -> Found:
    """Find the raw files of ``day`` that the lake lacks, and those of earlier days ``with_late``.

    Args:
        lake: what is known already.
        raw_files: that there are.
        places: the zone, and the databases in force.
        day: a local day.
        where: they were looked for, for people.
        with_late: whether to take files of earlier days, too.
        arrived_by: leave out what arrived later; see ``has_arrived``.
        limits: of what is read of one file.
        may_be_empty: that there is nothing of the day is no error, as it may have just begun.

    Raises:
        PassingError: neither they nor the lake have anything of ``day``.
        StoreError: likewise, and a store is out of reach.
    """
    zone = places.zone
    there = [path for path in raw_files.files if has_arrived(path, arrived_by)]
    not_yet = len(raw_files.files) - len(there)
    logs = list_raw(lake, replace(raw_files, files=there), zone)
    was_counted = lake.part_path("daily", str(day)).exists()
    if not may_be_empty and not was_counted and not _has_any(logs, day, zone, limits):
        if raw_files.unreached:
            raise raw_files.unreached[0]
        raise PassingError(_nothing_of(day, where, logs, not_yet, raw_files.refused))
    missing = [raw for raw in logs if not raw.known and raw.begins_by(day)]
    own = [raw for raw in missing if raw.may_hold(day)]
    late = [raw for raw in missing if with_late and not raw.may_hold(day)]
    sealed_to = max(lake.sealed(), default="")
    refused = [
        raw.path
        for raw in own + late
        # One that was read before may have grown: what is new in it tells, when it is taken in.
        if raw.first_day and str(raw.first_day) <= sealed_to and not lake.was_seen(raw.path)
    ]
    files = [raw.path for raw in own + late if raw.path not in refused]
    again = [
        raw.path
        for raw in logs
        if raw.known and raw.known.is_live and _is_outdated(raw.known, day, places)
    ]
    if str(day) <= sealed_to:
        again = []
    waiting = max(0, len(files) - MOST_FILES)
    files = files[:MOST_FILES]
    origins = {p: o for p, o in raw_files.origins.items() if p in {*files, *again}}
    return Found(
        files, waiting, refused, again, not_yet, raw_files.refused, origins, raw_files.unreached
    )


def _is_outdated(record: FileRecord, day: date, places: Places) -> bool:
    share = record.days.get(str(day)) if record.is_live else None
    return share is not None and is_outdated(share, day, places)


def has_arrived(path: Path, by: datetime | None) -> bool:
    """Whether a raw file was there at an aware instant: it has not been changed since.

    Without an instant every file is there, whatever its time of change. So is one that nobody can
    look at: that is reported when it is taken in.
    """
    try:
        return by is None or path.stat().st_mtime <= by.timestamp()
    except OSError:
        return True


def find_raw(folder: Path, *, follow_links: bool) -> RawFiles:
    """The raw files below ``folder``.

    Raises:
        SettingsError: there is no such folder.
        DataError: it can't be read.
    """
    if not folder.is_dir():
        what = "that is a file; name its folder" if folder.exists() else "there is no such folder"
        raise SettingsError("raw", str(folder), what)
    try:
        next(folder.iterdir(), None)  # a folder that may not be read looks empty to a search
    except OSError as error:
        raise DataError(f"raw folder {shown(folder)}: {error.strerror}") from error
    return find_files([folder], follow_links=follow_links)


def list_raw(lake: Lake, raw_files: RawFiles, zone: ZoneInfo) -> list[RawLog]:
    """Every one of some raw files, by source and time."""
    names = Namer(lake)
    logs = [_look_at(lake, names, path, raw_files, zone) for path in raw_files.files]
    logs.sort(key=lambda raw: (raw.origin.source, raw.first_day or date.min, raw.path.name))
    by_source = groupby(logs, lambda raw: raw.origin.source)
    return [placed for _, its in by_source for placed in _with_next(its)]


def _with_next(logs: Iterable[RawLog]) -> Iterator[RawLog]:
    for raw, following in pairwise([*logs, None]):
        if raw:
            yield replace(raw, next_day=following.first_day if following else None)


def _look_at(lake: Lake, names: Namer, path: Path, raw_files: RawFiles, zone: ZoneInfo) -> RawLog:
    try:
        known = None if path in raw_files.unfetched else lake.find_seen(path)
    except OSError:  # gone by now or out of reach: reported when its turn comes
        known = None
    days = sorted(known.days) if known else []
    origin = raw_files.origins.get(path, Origin(names.of(path)))
    first_day = date.fromisoformat(days[0]) if days else _first_day(path, zone, origin)
    return RawLog(path, origin, first_day, known)


def _first_day(path: Path, zone: ZoneInfo, origin: Origin) -> date | None:
    head = _read(islice(RawFile(path).content(), 1))
    return next(_days_in([head], zone, origin), None) or day_in_name(path.name)


def _last_day(path: Path, zone: ZoneInfo, origin: Origin, limits: ReadLimits) -> date | None:
    try:
        content = RawFile(path, limits=limits).content()
        head, tail = _read(islice(content, 1)), _read(deque(content, maxlen=2))
    except DataError:
        return None
    return max(_days_in([head, tail] if tail else [head], zone, origin), default=None)


def _read(pieces: Iterable[bytes]) -> str:
    """Join what can be read: a file that can't be is reported when it is taken in."""
    try:
        return b"".join(pieces).decode("utf-8-sig", "replace")
    except DataError:
        return ""


def _days_in(texts: Sequence[str], zone: ZoneInfo, origin: Origin) -> Iterator[date]:
    """The local days of the hits in the last of a file's texts: by Apache's times, else by layout.

    Apache's are found without asking for the layout, which takes many times longer.
    """
    is_apaches = False
    for line in texts[-1].splitlines():
        time = IN_LINE.search(line)
        seconds = read_time(time[1]) if time else None
        if seconds is not None:
            is_apaches = True
            yield datetime.fromtimestamp(seconds, zone).date()
    if not is_apaches:
        for instant in _read_by_layout(texts, origin):
            yield datetime.fromtimestamp(instant, zone).date()


def _read_by_layout(texts: Sequence[str], origin: Origin) -> list[float]:
    """The instants of some hits in the last text; those before may hold a header."""
    reader = FileReader(origin.layout, origin.zone)
    instants: list[float] = []
    with connect(threads=1) as connection:
        for number, text in enumerate(texts):
            lines = text.splitlines()
            some = pa.array(
                lines[:SAMPLE_LINES] if number == 0 else lines[-SAMPLE_LINES:], pa.string()
            )
            parts = reader.cut(connection, np.arange(1, len(some) + 1, dtype=np.int64), some)
            hits = reader.read(connection, parts).hits
            instants = (hits["ts"].cast(pa.int64()).to_numpy() / 1e6).tolist()
    return instants


def day_in_name(name: str) -> date | None:
    """A hint where to look for, never what a hit is counted by."""
    if not (found := _DATED_NAME.search(name)):
        return None
    try:
        return date(*map(int, found.groups()))
    except ValueError:
        return None


def _has_any(logs: list[RawLog], day: date, zone: ZoneInfo, limits: ReadLimits) -> bool:
    """Whether a file has hits of ``day``, is that day's, or is one that nobody could read yet."""
    unread = [raw for raw in logs if not raw.known]
    if any(raw.first_day in {day, None} for raw in unread):
        return True
    if any(raw.known and (str(day) in raw.known.days or raw.first_day == day) for raw in logs):
        return True
    # Only its end tells whether an earlier file goes on into the day.
    ends = (_last_day(raw.path, zone, raw.origin, limits) for raw in unread if raw.may_hold(day))
    return any(end is not None and end >= day for end in ends)


def _nothing_of(
    day: date,
    where: str,
    logs: list[RawLog],
    not_yet: int,
    refused: list[tuple[Path, str]],
) -> str:
    days = sorted(raw.first_day for raw in logs if raw.first_day)
    span = f"its files begin on {days[0]} to {days[-1]}" if days else "it holds no raw logs"
    if refused:
        span += f"; {len(refused)} not read, such as {shown(refused[0][0])}: {refused[0][1]}"
    count = write_number_of(len(logs), "file") + (
        f", {not_yet} more had not arrived" if not_yet else ""
    )
    return f"no raw file of {day} in {where} ({count}; {span}): deliver it and run again"
