"""Which raw files a day's run has to take in: a file belongs to every day that it has a line of."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from pipeline.enrich.hits import DatabasesInForce
from pipeline.errors import DataError, PassingError, SettingsError, StoreError
from pipeline.ingest.outdated import is_outdated
from pipeline.ingest.raw_logs import RawLog, RawLogs
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.lake.left_out import OF_A_SEALED_DAY
from pipeline.raw.files import DEFAULT_LIMITS, Origin, RawFiles, ReadLimits, find_files
from pipeline.text import shown, write_number_of

MOST_FILES = 1000
"""No run takes more at once (Airflow maps a task over 1,024 at most); the next takes the rest."""


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
    places: DatabasesInForce,
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
    search = RawLogs(lake, replace(raw_files, files=there), zone, limits)
    logs = search.list_logs()

    def is_wanted(raw: RawLog) -> bool:
        return raw.is_of(day) or raw.leads_to(day) or (with_late and raw.begins_by(day))

    logs = [raw if raw.known or is_wanted(raw) else search.look_through(raw) for raw in logs]
    was_counted = lake.part_path("daily", str(day)).exists()
    if not may_be_empty and not was_counted and not any(raw.tells_of(day) for raw in logs):
        logs = [raw if raw.known else search.look_through(raw) for raw in logs]
        if not any(raw.tells_of(day) for raw in logs):
            search.note(day, logs, {})
            if raw_files.unreached:
                raise raw_files.unreached[0]
            raise PassingError(_nothing_of(day, where, logs, not_yet, raw_files.refused))
    missing = [raw for raw in logs if not raw.known and is_wanted(raw)]
    missing.sort(key=lambda raw: not (raw.is_of(day) or raw.leads_to(day)))
    sealed_to = max(lake.sealed(), default="")
    refused = [
        raw.path
        for raw in missing
        # One that was read before may have grown: what is new in it tells, when it is taken in.
        if raw.first_day and str(raw.first_day) <= sealed_to and not lake.was_seen(raw.path)
    ]
    files = [raw.path for raw in missing if raw.path not in refused]
    again = [
        raw.path
        for raw in logs
        if raw.known and raw.known.is_live and _is_outdated(raw.known, day, places)
    ]
    if str(day) <= sealed_to:
        again = []
    waiting = files[MOST_FILES:]
    files = files[:MOST_FILES]
    reasons = dict.fromkeys(waiting, "waits for the next run")
    search.note(day, logs, reasons | dict.fromkeys(refused, OF_A_SEALED_DAY), files)
    origins = {p: o for p, o in raw_files.origins.items() if p in {*files, *again}}
    return Found(
        files, len(waiting), refused, again, not_yet, raw_files.refused, origins,
        raw_files.unreached,
    )  # fmt: skip


def _is_outdated(record: FileRecord, day: date, places: DatabasesInForce) -> bool:
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
