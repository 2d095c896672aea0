"""When a surge begins, goes on and ends: the rules, and nothing about what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

import numpy as np

from pipeline.surges.slow_rise import SlowRise
from pipeline.surges.tail import chance_of, deviate, upper_tail

if TYPE_CHECKING:
    from pipeline.surges.baseline import Bools, Floats, Forecast, Ints

ALARM_PROBABILITY = 1e-4
ALARM_PROBABILITY_IN_FIRST_WEEKS = 1e-5  # weekdays are still taken for noise, and noise for more
ALARM_PROBABILITY_AT_FIRST = 1e-6  # while a week tells little about a country's own noise
FIRST_DAYS = 14
LEAST_SESSIONS = 8.0
LEAST_EXCESS = 5.0
GOING_ON_PROBABILITY = 0.07
GOING_ON_AGAIN_PROBABILITY = 0.005  # after an unflagged day
FADING_FROM_SD = 7.0  # of the highest excess: a chance alarm has no tail to follow
FADING_PART = 0.35  # of the excess that a fading surge would have: as much tells it from its end
FADING_LEAST_SD = 0.4  # of that excess: less cannot be told from none
FADING_MOST_SD = 2.0  # is asked of a day: more is no quiet day, however high the one before was
FADE_LEAST = 0.05
GOING_ON_PEAK_SHARE = 0.015  # of the highest excess: less is the echo of a storm, not the storm
WAITED_FOR_DAYS = 7  # for the logs that a day lacks; then it stands as it is
LONGEST_STEP_DAYS = 2  # between flagged days of one episode: one unflagged day may lie between
RELEASED_AFTER_DAYS = 21
DATED_BACK_DAYS = 3
DATED_BACK_PROBABILITY = 0.05
DATED_BACK_SHARE = 0.1  # of the alarm's excess: a ramp has such days before, a sudden storm none


@dataclass(frozen=True)
class Episode:
    """One surge by the indices of its first, highest and last day."""

    start: int
    peak: int
    end: int
    is_open: bool
    """Whether the last day of all is flagged, so that it may still go on."""


class DayBefore(Enum):
    """What a day before an alarm is to the surge."""

    PART = auto()
    UNKNOWN = auto()
    """It may be one: the days before it tell."""
    QUIET = auto()
    """The surge began after it."""


def judge_day_before(
    *, is_flagged: bool, is_counted: bool, is_high: bool, is_partial: bool
) -> DayBefore:
    """Whether a surge had begun by a day before its alarm: the first row that fits.

    Args:
        is_flagged: an earlier surge has it.
        is_counted: there is a count and an expectation of it.
        is_high: its count is high enough to be of the surge.
        is_partial: a part of its logs is missing.
    """
    match is_flagged, is_counted, is_high, is_partial:
        case True, _, _, _:
            return DayBefore.QUIET
        case _, False, _, _:
            return DayBefore.UNKNOWN
        case _, _, True, _:
            return DayBefore.PART
        case _, _, False, True:
            return DayBefore.UNKNOWN
    return DayBefore.QUIET


class SurgeRules:
    """The running decisions of all countries, moved on one day at a time."""

    def __init__(self, days: Ints, counts: Floats, is_partial: Bools) -> None:
        """Take the days and counts of ``Baseline`` and which days lack a part; all start quiet."""
        countries = len(counts)
        self._days, self._counts, self._is_partial = days, counts, is_partial
        self.usable = ~np.isnan(counts)
        self.is_surge = np.zeros(counts.shape, dtype=bool)
        self.is_raised = np.zeros(counts.shape, dtype=bool)
        self.probability = np.full(counts.shape, np.nan)
        self.alarm_probability = np.full(counts.shape, np.nan)
        self._excess = np.full(counts.shape, np.nan)
        self._slow_rise = SlowRise(countries)
        self._is_open = np.zeros(countries, dtype=bool)
        self._start = np.zeros(countries, dtype=np.int64)
        self._last_day = np.zeros(countries, dtype=np.int64)
        self._highest_excess = np.zeros(countries)
        self._highest_day = np.zeros(countries, dtype=np.int64)
        self._last_excess = np.zeros(countries)

    def judge(self, column: int, forecast: Forecast, *, is_typical: bool) -> None:
        """Flag the day at ``column``, and days before it when a surge began earlier.

        One that is not ``is_typical``, less complete than its history, says nothing of slow rises.
        """
        self._close_ended(column)
        seen = forecast.is_ready & ~np.isnan(self._counts[:, column])
        counts = np.where(seen, self._counts[:, column], 0.0)
        excess = counts - forecast.mean
        probability = upper_tail(counts, forecast.mean, forecast.variance)
        beyond = upper_tail(counts + 1, forecast.mean, forecast.variance)
        self.probability[seen, column] = probability[seen]
        limit = np.select(
            [forecast.has_rhythm, forecast.history_days >= FIRST_DAYS],
            [ALARM_PROBABILITY, ALARM_PROBABILITY_IN_FIRST_WEEKS],
            ALARM_PROBABILITY_AT_FIRST,
        )
        self.alarm_probability[:, column] = limit
        self._excess[seen, column] = excess[seen]
        deviates = deviate((probability + beyond) / 2)
        has_risen = self._slow_rise.add(column, deviates, seen & is_typical, self._is_open)
        has_risen &= ~self._is_open
        is_large = seen & (counts >= LEAST_SESSIONS) & (excess >= LEAST_EXCESS)
        alarm = is_large & ((probability < limit) | has_risen)
        opens = alarm & ~self._is_open
        chance = self._going_on_probability(column, forecast)
        is_echo = excess < GOING_ON_PEAK_SHARE * self._highest_excess
        goes_on = self._is_open & (alarm | (seen & (probability < chance) & ~is_echo))
        for country in np.flatnonzero(opens):
            self._open(int(country), column, has_risen=bool(has_risen[country]))
        self._flag(column, opens | goes_on, excess)
        self.is_raised[:, column] = alarm
        self._release(column)

    def _going_on_probability(self, column: int, forecast: Forecast) -> Floats:
        """The chance below which a day is still of the open surge.

        A surge that has come down from its highest day is taken to fade on by the same factor a
        day, and a day is held against what it would have then.
        """
        days = np.maximum(self._last_day - self._highest_day, 1)
        share = np.maximum(self._last_excess, 0) / np.maximum(self._highest_excess, 1e-9)
        fade = np.clip(share ** (1 / days), FADE_LEAST, 1)
        would_be = self._last_excess * fade / np.sqrt(forecast.variance)
        is_fading = (
            (self._last_day > self._highest_day)
            & (self._highest_excess >= FADING_FROM_SD * np.sqrt(forecast.variance))
            & (would_be >= FADING_LEAST_SD)
        )
        fading = chance_of(np.minimum(FADING_PART * would_be, FADING_MOST_SD))
        limit = np.where(is_fading, fading, GOING_ON_PROBABILITY)
        after_quiet = self._days[column] - self._last_day > 1
        return np.where(after_quiet, GOING_ON_AGAIN_PROBABILITY, limit)

    def _close_ended(self, column: int) -> None:
        ended = self._is_open & (self._days[column] - self._last_day > LONGEST_STEP_DAYS)
        self._close(ended)

    def _close(self, countries: Bools) -> None:
        self._is_open &= ~countries
        self._highest_excess[countries] = 0.0
        self._slow_rise.reset(countries)

    def _open(self, country: int, column: int, *, has_risen: bool) -> None:
        """Open a surge, dated back while the days before were high or the slow rise was on."""
        earliest = int(np.searchsorted(self._days, self._days[column] - DATED_BACK_DAYS))
        rise = self._slow_rise.start_of(country) if has_risen else column
        least_excess = DATED_BACK_SHARE * self._excess[country, column]
        start = column
        for before in range(column - 1, min(earliest, rise) - 1, -1):
            excess, probability = self._excess[country, before], self.probability[country, before]
            is_high = probability < DATED_BACK_PROBABILITY or before >= rise
            part = judge_day_before(
                is_flagged=bool(self.is_surge[country, before]),
                is_counted=not np.isnan(excess),
                is_high=bool(is_high and excess >= least_excess),
                is_partial=bool(self._is_partial[before]),
            )
            if part is DayBefore.QUIET:
                break
            if part is DayBefore.PART:
                start = before
        judged = ~np.isnan(self.probability[country, start:column])
        self.is_surge[country, start:column] |= judged
        self.usable[country, start:column] &= ~judged
        self._is_open[country] = True
        self._start[country] = start

    def _flag(self, column: int, flagged: Bools, excess: Floats) -> None:
        self.is_surge[flagged, column] = True
        self.usable[flagged, column] = False
        self._last_day[flagged] = self._days[column]
        self._last_excess = np.where(flagged, excess, self._last_excess)
        is_highest = flagged & (excess > self._highest_excess)
        self._highest_day = np.where(is_highest, self._days[column], self._highest_day)
        self._highest_excess = np.where(is_highest, excess, self._highest_excess)

    def _release(self, column: int) -> None:
        """What has lasted this long is the new normal: forget what was before, learn what is."""
        spans = self._days[column] - self._days[self._start] + 1
        released = self._is_open & (spans >= RELEASED_AFTER_DAYS)
        for country in np.flatnonzero(released):
            start = int(self._start[country])
            self.usable[country, :start] = False
            lasted = slice(start, column + 1)
            self.usable[country, lasted] = ~np.isnan(self._counts[country, lasted])
        self._close(released)


def last_settled(days: Ints, is_partial: Bools) -> int:
    """The last day (since 1970-01-01) that can end a surge.

    Of a day that lacks a part the logs to come may show that the surge goes on. ``days``: in
    order, at least one; when none is settled, the day before the first.
    """
    settled = days[~is_partial | (days <= days[-1] - WAITED_FOR_DAYS)]
    return int(settled[-1] if len(settled) else days[0] - 1)


def episodes_of(days: Ints, counts: Floats, is_surge: Bools) -> list[Episode]:
    """Join one country's flagged days to episodes; of equal peaks the first counts."""
    flagged = np.flatnonzero(is_surge)
    if len(flagged) == 0:
        return []
    breaks = np.flatnonzero(np.diff(days[flagged]) > LONGEST_STEP_DAYS) + 1
    found = []
    for part in np.split(flagged, breaks):
        start, end = int(part[0]), int(part[-1])
        peak = int(part[np.argmax(counts[part])])
        found.append(Episode(start, peak, end, is_open=end == len(days) - 1))
    return found
