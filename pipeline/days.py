"""Local days: when one begins, which one a run is about, and which may be counted yet.

Light to import, for the DAGs ask here when they are parsed. Knows no scheduler.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pipeline.errors import SettingsError

ONE_DAY = timedelta(days=1)
ONE_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Run:
    """What a scheduler knows of a run; instants are aware.

    ``kind`` is ``scheduled``, ``backfill``, ``manual`` or another. ``interval_start`` is the start
    of the scheduled interval, six in the morning of the day to count. ``logical_date`` is what
    a person gave to a manual run, or the moment it was asked for, or None.
    """

    kind: str
    run_after: datetime
    logical_date: datetime | None = None
    interval_start: datetime | None = None
    day: str | None = None
    """The parameter ``day``, which wins."""


@dataclass(frozen=True)
class Span:
    """Local days from the first to the last, both in it; open ended where nothing else is said."""

    first: date = date.min
    last: date = date.max

    def __contains__(self, day: date) -> bool:
        """Whether a day is one of it."""
        return self.first <= day <= self.last

    def __str__(self) -> str:
        """``2016-11-08 to 2016-11-16``; an open end is not named."""
        first = f"{self.first} " if self.first > date.min else ""
        return first + (f"to {self.last}" if self.last < date.max else "and later")

    @property
    def bound(self) -> dict[str, date]:
        """As the models of ``sql/`` take it."""
        return {"first_day": self.first, "last_day": self.last}


ALL_DAYS = Span()


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which ``day`` begins in ``zone``."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def morning_after(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The instant (UTC) of a time of day on the day after ``day``."""
    return datetime.combine(day + ONE_DAY, at, tzinfo=zone).astimezone(UTC)


def find_day(run: Run, zone: ZoneInfo) -> date:
    """The local day a run is about.

    Scheduled runs and backfills count the day that their interval starts on. A manual run counts
    the day of the logical date a person chose; without one, the day that had ended when it was
    asked for. A bare date becomes midnight UTC on its way through Airflow, and means that date.

    Raises:
        SettingsError: the parameter ``day`` is no date.
    """
    if run.day:
        return _read_day(run.day)
    if run.kind in {"scheduled", "backfill"} and run.interval_start:
        return run.interval_start.astimezone(zone).date()
    today = run.run_after.astimezone(zone).date()
    if run.logical_date is None:
        return today - ONE_DAY
    if run.logical_date.astimezone(UTC).time() == time():
        return run.logical_date.astimezone(UTC).date()
    chosen = run.logical_date.astimezone(zone).date()
    return chosen - ONE_DAY if chosen == today else chosen


def _read_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError("day", text, "write a date such as 2016-11-08") from error


def read_instant(text: str, zone: ZoneInfo) -> datetime:
    """Read a time as RFC 3339 has it; without an offset it is local time in ``zone``.

    Raises:
        ValueError: it is none, or not of the years 1970 to 2099.
    """
    read = datetime.fromisoformat(text)
    if not 1970 <= read.year <= 2099:
        raise ValueError(text)
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


def check_day(day: date, now: datetime, zone: ZoneInfo) -> None:
    """Refuse a day that has not ended: its figures would be those of a part of it.

    Raises:
        SettingsError: the day is in the future or still going on in ``zone`` at ``now``.
    """
    ends_at = day_start(day + ONE_DAY, zone)
    if now < ends_at:
        local = ends_at.astimezone(zone)
        raise SettingsError(
            "day", str(day),
            f"that day has not ended in {zone.key}; it can be counted from {local:%Y-%m-%d %H:%M}"
            f" ({ends_at:%Y-%m-%d %H:%M} UTC) on",
        )  # fmt: skip


def last_ended_day(now: datetime, zone: ZoneInfo) -> date:
    """The local day that ended last before ``now``."""
    return now.astimezone(zone).date() - ONE_DAY


def read_as_of(text: str, zone: ZoneInfo, present: datetime, *, key: str = "--as-of") -> datetime:
    """Read a moment of the past to take for now; see ``read_instant``.

    Raises:
        SettingsError: it is none, or lies in the future.
    """
    try:
        now = read_instant(text, zone)
    except (ValueError, OverflowError) as error:
        remedy = f"write a time such as 2016-11-09T06:00 (in {zone.key}) or 2016-11-09T11:00:00Z"
        raise SettingsError(key, text, remedy) from error
    if now > present:
        raise SettingsError(key, text, "that is in the future: leave it out")
    return now


EPOCH = date(1970, 1, 1)
