"""Which raw files a day's run has to take in: a file belongs to every day that it has a line of."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import Enum, auto
from pathlib import Path

from pipeline.enrich.hits import DatabasesInForce
from pipeline.errors import DataError, PassingError, SettingsError, StoreError
from pipeline.ingest.outdated import find_other_networks, find_outdated, is_outdated
from pipeline.ingest.raw_logs import Listed, RawLog, RawLogs
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.lake.left_out import OF_A_SEALED_DAY
from pipeline.raw.files import Origin, Paths, RawFiles, find_files
from pipeline.raw.opening import DEFAULT_LIMITS, ReadLimits
from pipeline.text import shown, write_number_of


@dataclass(frozen=True)
class Found:
    """The files that a run has to take in: the day's own first, then by source and time."""

    files: tuple[Path, ...]
    refused: tuple[Path, ...]
    """Late files that begin on days whose figures can no longer change."""
    again: tuple[Path, ...]
    """The day's files that the lake has, located by another database than the one in force."""
    not_yet: int = 0
    """How many had not arrived by the instant in question."""
    unread: tuple[tuple[Path, str], ...] = ()
    """What lies there and is not read as a raw file of its source, and why."""
    origins: Mapping[Path, Origin] = field(default_factory=dict)
    """Of those that belong to a source in settings."""
    unreached: tuple[StoreError, ...] = ()
    """The stores out of reach: to be raised when the files are taken in."""
    missing: tuple[str, ...] = ()
    """Those of the sources awaited that have no raw file of the day."""


def discover(  # noqa: PLR0913 what is looked for and when, and what may be read
    lake: Lake,
    raw_files: RawFiles,
    places: DatabasesInForce,
    day: date,
    *,
    where: str,
    with_late: bool,
    arrived_by: datetime | None = None,
    limits: ReadLimits = DEFAULT_LIMITS,
    may_be_empty: bool = False,
    awaited: Iterable[str] = (),
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
        awaited: the sources that should have a raw file of the day.

    Raises:
        PassingError: neither they nor the lake have anything of ``day``.
        StoreError: likewise, and a store is out of reach.
    """
    there = raw_files.files
    if arrived_by is not None:
        there = Paths(path for path in there if has_arrived(path, arrived_by))
    not_yet = len(raw_files.files) - len(there)
    search = RawLogs(lake, replace(raw_files, files=there), places.zone, limits)
    unread = (*raw_files.refused, *raw_files.tell_hidden())
    sealed = lake.sealed()
    sealed_to = max(sealed, default="")
    is_outdated = str(day) > sealed_to and day in find_outdated(lake.sums(), places, sealed)
    listed = search.list_logs(day, is_outdated=is_outdated)
    logs = [
        raw if raw.known or _is_wanted(raw, day, with_late=with_late) else search.look_through(raw)
        for raw in listed.logs
    ]
    was_counted = lake.part_path("daily", str(day)).exists()
    if not may_be_empty and not was_counted and not any(raw.tells_of(day) for raw in logs):
        logs = [raw if raw.known else search.look_through(raw) for raw in logs]
        if not any(raw.tells_of(day) for raw in logs):
            search.note(day, logs, {})
            if raw_files.unreached:
                raise raw_files.unreached[0]
            listed = listed._replace(logs=logs)
            raise PassingError(_nothing_of(day, where, listed, not_yet, unread))
    logs.sort(key=lambda raw: not _is_of_day(raw, day))
    fates: dict[Fate, list[Path]] = {fate: [] for fate in Fate}
    for raw in logs:
        fate = decide(
            is_known=raw.known is not None,
            is_outdated=is_outdated and _is_outdated(raw.known, day, places),
            is_wanted=_is_wanted(raw, day, with_late=with_late),
            is_sealed=raw.first_day is not None and str(raw.first_day) <= sealed_to,
            # One that was read before may have grown: what is new in it tells, when it is taken in.
            was_seen=raw.was_seen,
        )
        fates[fate].append(raw.path)
    files, refused, again = fates[Fate.TAKE], fates[Fate.REFUSE], fates[Fate.LOCATE_ANEW]
    search.note(day, logs, dict.fromkeys(refused, OF_A_SEALED_DAY), files)
    others = search.list_others(raw for raw in logs if _is_wanted(raw, day, with_late=with_late))
    ours, said = {*files, *again}, raw_files.origins
    origins = {
        raw.path: raw.origin
        for raw in logs
        if raw.path in ours and (raw_files.layout or os.fspath(raw.path) in said)
    }
    return Found(
        tuple(files), tuple(refused), tuple(again), not_yet,
        (*unread, *others), origins, raw_files.unreached,
        tuple(name for name in awaited if _lacks(name, day, logs, search)),
    )  # fmt: skip


class Fate(Enum):
    """What a run about one day does with a raw file."""

    TAKE = auto()
    LOCATE_ANEW = auto()
    """The lake has it, located by another database than the one in force."""
    REFUSE = auto()
    """It begins on days whose figures can no longer change."""
    LEAVE = auto()
    """The lake has it, or it is another run's."""


def decide(
    *, is_known: bool, is_outdated: bool, is_wanted: bool, is_sealed: bool, was_seen: bool
) -> Fate:
    """What becomes of a raw file: the first row that fits."""
    match is_known, is_outdated, is_wanted, is_sealed, was_seen:
        case True, True, _, _, _:
            return Fate.LOCATE_ANEW
        case True, False, _, _, _:
            return Fate.LEAVE
        case False, _, False, _, _:
            return Fate.LEAVE
        case False, _, True, True, False:
            return Fate.REFUSE
    return Fate.TAKE


def _is_wanted(raw: RawLog, day: date, *, with_late: bool) -> bool:
    return _is_of_day(raw, day) or (with_late and raw.begins_by(day))


def _lacks(source: str, day: date, logs: Iterable[RawLog], search: RawLogs) -> bool:
    """Whether a source has no raw file of ``day``; its last one before may go on to it."""
    its = [raw for raw in logs if raw.origin.source == source and _is_of_day(raw, day)]
    told = any(raw.tells_of(day) for raw in its)
    return not told and not any(search.look_through(raw).tells_of(day) for raw in its)


def _is_of_day(raw: RawLog, day: date) -> bool:
    return raw.is_of(day) or raw.leads_to(day)


def _is_outdated(record: FileRecord | None, day: date, places: DatabasesInForce) -> bool:
    share = record.days.get(str(day)) if record and record.is_live else None
    if record is None or share is None:
        return False
    return (
        is_outdated(share.geo_built, day, places)
        or find_other_networks(record.located, places) is not None
    )


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


def _nothing_of(
    day: date,
    where: str,
    listed: Listed,
    not_yet: int,
    refused: Sequence[tuple[Path, str]],
) -> str:
    days = sorted({*listed.span, *(raw.first_day for raw in listed.logs if raw.first_day)})
    span = f"its files begin on {days[0]} to {days[-1]}" if days else "it holds no raw logs"
    if refused:
        span += f"; {len(refused)} not read, such as {shown(refused[0][0])}: {refused[0][1]}"
    count = write_number_of(len(listed.logs) + listed.others, "file") + (
        f", {not_yet} more had not arrived" if not_yet else ""
    )
    return f"no raw file of {day} in {where} ({count}; {span}): deliver it and run again"
