"""The lake's local days and the minutes in them, and what is said of those that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.build.gaps import Coverage, list_gaps
from pipeline.build.tenures import Tenure
from pipeline.build.timeline import Timeline
from pipeline.days import ONE_DAY, day_start
from pipeline.text import Kept, keep

if TYPE_CHECKING:
    from pipeline.surges.baseline import Bools, Ints

_LISTED_GAPS = 3
_SLIVER_MINUTES = 10
_MINUTE = timedelta(minutes=1)


class Calendar:
    """The lake's local days, and the minutes in them."""

    def __init__(self, days: Sequence[date], zone: ZoneInfo) -> None:
        """Take days in order, without repetition; there may be days between that have no log."""
        self.days, self.zone = days, zone
        self.index = {day: place for place, day in enumerate(days)}
        bounds = [(day_start(day, zone), day_start(day + ONE_DAY, zone)) for day in days]
        self.first_minutes: Ints = np.array(
            [start.timestamp() // 60 for start, _ in bounds], dtype=np.int64
        )
        lengths = np.array([(end - start) // _MINUTE for start, end in bounds], dtype=np.int64)
        self.line = Timeline(
            np.concatenate([[0], np.cumsum(lengths)]),
            np.array([day.weekday() for day in days], dtype=np.int64),
            np.concatenate([np.zeros(0, np.int64), *map(self._hours, bounds, lengths)]),
        )

    def _hours(self, bounds: tuple[datetime, datetime], length: int) -> Ints:
        begins = [bounds[0] + n * timedelta(hours=1) for n in range(-(-int(length) // 60))]
        walls = np.array([begin.astimezone(self.zone).hour for begin in begins], dtype=np.int64)
        return np.repeat(walls, 60)[:length]

    def write(self, day: int, minute: int) -> str:
        """The local time of a day's minute; with its offset where the clocks change."""
        start = day_start(self.days[day], self.zone)
        local = (start + minute * _MINUTE).astimezone(self.zone)
        is_plain = self.line.starts[day + 1] - self.line.starts[day] == 24 * 60
        return f"{local:%H:%M}" if is_plain else f"{local:%H:%M %z}"


def write_reasons(
    calendar: Calendar, tenure: Tenure, coverage: Coverage | None
) -> dict[int, list[Kept]]:
    """The sentences about what is missing of a source, by day (index)."""
    if coverage is None:
        every = range(tenure.first, tenure.last + 1)
        return {day: [keep("nothing of this day (never seen)")] for day in every}
    part = calendar.line.part(tenure.first, tenure.last)
    is_any: Bools = np.logical_or.reduceat(coverage.is_gap, part.starts[:-1])
    said = {}
    for own in np.flatnonzero(is_any).tolist():
        first, end = int(part.starts[own]), int(part.starts[own + 1])
        gaps = list_gaps(coverage.is_gap, first, end)
        day = tenure.first + own
        is_last = day == tenure.last and not tenure.has_ended
        texts = [
            _name_gap(calendar, day, gap, end - first, is_first=own == 0, is_last=is_last)
            for gap in gaps[:_LISTED_GAPS]
        ]
        if len(gaps) > _LISTED_GAPS:
            texts.append(keep("{count} more gaps", count=len(gaps) - _LISTED_GAPS))
        if tenure.due_until and gaps == [(0, end - first)]:
            texts = [
                keep(
                    "nothing of this day (taken as retired if nothing comes until {day})",
                    day=str(tenure.due_until),
                )
            ]
        said[day] = texts
    return said


def name_stray(calendar: Calendar, day: int, hits: Ints) -> Kept:
    """What is said of a day on which a source has but a few hits, days apart from its others."""
    start, end = calendar.line.starts[day], calendar.line.starts[day + 1]
    seen = np.flatnonzero(hits[start:end])
    return keep(
        "nothing of this day but {start} to {end}, days apart from its others (a wrong clock?)",
        start=calendar.write(day, int(seen[0])), end=calendar.write(day, int(seen[-1]) + 1),
    )  # fmt: skip


def _name_gap(  # noqa: PLR0911, PLR0913 one return a wording, by where it lies
    calendar: Calendar,
    day: int,
    gap: tuple[int, int],
    length: int,
    *,
    is_first: bool,
    is_last: bool,
) -> Kept:
    """Name a gap; ``is_first``, ``is_last``: on the source's first day, or the lake's last."""
    first, end = gap
    if gap == (0, length):
        return keep("nothing of this day")
    if end - first >= length - _SLIVER_MINUTES and 0 in (first, length - end):
        # A file reaches a little over its midnight.
        start, stop = (calendar.write(day, m) for m in ((0, first) if first else (end, length)))
        return keep("nothing of this day but {start} to {end}", start=start, end=stop)
    if first == 0 and is_first:
        return keep("begins at {time}", time=calendar.write(day, end))
    if end == length and is_last:
        return keep("ends at {time}", time=calendar.write(day, first - 1))
    if first == 0:
        return keep("nothing before {time}", time=calendar.write(day, end))
    if end == length:
        return keep("nothing after {time} (stopped early)", time=calendar.write(day, first - 1))
    return keep(
        "nothing from {start} to {end}",
        start=calendar.write(day, first), end=calendar.write(day, end),
    )  # fmt: skip
