"""Each finished hour of a day still going on, beside the same hour of earlier days. Only reads.

"Today" is the local day of the hour that finished last: until one in the morning, yesterday.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.days import ONE_DAY, ONE_HOUR, day_start
from pipeline.definitions import NO_COUNTRY
from pipeline.lake.lake import Lake
from pipeline.lake.query import State, one_state
from pipeline.report.facts import ExpectedDay
from pipeline.surges.baseline import Floats
from pipeline.surges.finished_hours import HISTORY_DAYS, History, judge_hours

_LARGEST = 10


@dataclass(frozen=True)
class HourRow:
    """One country's finished hour."""

    hour: datetime
    """Its start, with the site's offset."""
    country: str
    sessions: int
    expected: float | None
    """None while fewer than three earlier days can serve as history."""
    upper: float | None
    """Sessions from which an hour is a surge."""
    is_surge: bool
    is_preliminary: bool = True
    """Always: more lines of the day may come until it is counted."""


@dataclass(frozen=True)
class DaySoFar:
    """What is known of a day at an instant."""

    day: date
    rows: list[HourRow]
    """Every country's finished hours, by hour and country."""
    lines_until: dict[str, datetime]
    """By source: its last line, of the day or of the day before."""


def watched_day(now: datetime, zone: ZoneInfo) -> date:
    """The local day of the whole hour that finished last before ``now``."""
    finished = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - ONE_HOUR
    return finished.astimezone(zone).date()


def hours_of(day: date, zone: ZoneInfo) -> list[datetime]:
    """The starts (UTC) of the hours that begin on a local day: 23 to 25.

    A day whose midnight comes twice (St. John's, until 2011) may be left again for an hour.
    """
    first = day_start(day, zone).replace(minute=0) - ONE_HOUR
    near = (first + n * ONE_HOUR for n in range(28))
    return [hour for hour in near if hour.astimezone(zone).date() == day]


def read_day_so_far(lake: Lake, zone: ZoneInfo, now: datetime) -> DaySoFar:
    """Compare each finished hour of today with the same hour on the wall of up to 28 days before.

    Lines and hours after ``now`` are not there yet. An hour after the last line of all sources is
    left out: nothing is known of it.

    Raises:
        LakeError: the lake is damaged.
    """
    with one_state(lake) as state:
        return _read_day_so_far(state, zone, now)


def _read_day_so_far(state: State, zone: ZoneInfo, now: datetime) -> DaySoFar:
    day = watched_day(now, zone)
    _, reached = state.query("queries/lines_until", first_day=day - ONE_DAY, last_day=day, now=now)
    lines_until = dict(reached)
    known_until = min(now - ONE_HOUR, max(lines_until.values(), default=now - 2 * ONE_DAY))
    hours = [hour for hour in hours_of(day, zone) if hour <= known_until]
    rows = _compare(state, day, zone, hours) if hours else []
    return DaySoFar(day, rows, {name: at.astimezone(zone) for name, at in lines_until.items()})


def _compare(state: State, day: date, zone: ZoneInfo, hours: list[datetime]) -> list[HourRow]:
    first_day = day - HISTORY_DAYS * ONE_DAY
    span = {"first_day": first_day, "last_day": day - ONE_DAY}
    is_located = dict(state.query("queries/complete_days", **span)[1])
    days = [*is_located]
    # An hour of a zone that is not whole hours from UTC may end on the following day.
    _, counted = state.query(
        "queries/hours_between", first_day=first_day, last_day=day + ONE_DAY, until=hours[-1]
    )
    grid = _Grid({(country, hour.astimezone(UTC)): count for hour, country, count in counted}, zone)
    slots = sorted({_on_wall(hour, zone) for one in [day, *days] for hour in hours_of(one, zone)})
    judged_days = state.ask(ExpectedDay, "queries/expected", country=None, **span)
    flagged = {(one.country, one.day) for one in judged_days if one.is_surge}
    # Everybody is under no country on a day that locates nobody: such days know one another alone.
    locates = {NO_COUNTRY: grid.locates(hours)}
    usable = [
        (country, one) not in flagged and is_located[one] == locates.get(country, True)
        for country in grid.countries
        for one in days
    ]
    history = History(
        np.stack([grid.on_wall(one, slots) for one in [*days, day]], axis=1)[:, :-1],
        np.array(usable, dtype=bool).reshape(len(grid.countries), len(days)),
        np.array([one.weekday() for one in days], dtype=np.int64),
    )
    columns = np.array([slots.index(_on_wall(hour, zone)) for hour in hours])
    sessions = grid.at(hours)
    judged = judge_hours(history, day.weekday(), columns, sessions)
    return [
        HourRow(
            hour.astimezone(zone),
            country,
            int(sessions[row, column]),
            _known(judged.expected[row, column]),
            _known(judged.upper[row, column]),
            is_surge=bool(judged.is_surge[row, column]),
        )
        for column, hour in enumerate(hours)
        for row, country in enumerate(grid.countries)
    ]


def choose_countries(rows: list[HourRow]) -> set[str]:
    """The countries that surge, and the largest ten of the day so far."""
    sums: dict[str, int] = {}
    for row in rows:
        sums[row.country] = sums.get(row.country, 0) + row.sessions
    largest = sorted(sums, key=lambda country: (-sums[country], country))[:_LARGEST]
    return {row.country for row in rows if row.is_surge}.union(largest)


class _Grid:
    """Sessions by country and hour; what is not there is 0."""

    def __init__(self, sessions: dict[tuple[str, datetime], int], zone: ZoneInfo) -> None:
        """Take sessions by country and hour (UTC)."""
        self._sessions, self._zone = sessions, zone
        self.countries = sorted({country for country, _ in sessions})

    def at(self, hours: list[datetime]) -> Floats:
        """Countries x hours."""
        rows = [[self._sessions.get((one, hour), 0) for hour in hours] for one in self.countries]
        return np.array(rows, dtype=np.float64).reshape(len(self.countries), len(hours))

    def locates(self, hours: list[datetime]) -> bool:
        """Whether anybody was located in these hours."""
        return any(self._sessions.get((c, h)) is not None
                   for c in self.countries if c != NO_COUNTRY for h in hours)  # fmt: skip

    def on_wall(self, day: date, slots: list[time]) -> Floats:
        """Countries x hours on the wall: the mean of one that comes twice, NaN of one skipped."""
        hours = hours_of(day, self._zone)
        on_wall = [_on_wall(hour, self._zone) for hour in hours]
        is_there = np.array([[hour == slot for hour in on_wall] for slot in slots])
        times = is_there.sum(axis=1)
        return np.where(times > 0, self.at(hours) @ is_there.T / np.maximum(times, 1), np.nan)


def _on_wall(hour: datetime, zone: ZoneInfo) -> time:
    return hour.astimezone(zone).time()


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
