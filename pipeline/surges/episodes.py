"""When a surge begins, goes on and ends: the rules, and nothing about what is expected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.surges.baseline import Bools, Floats, Ints
from pipeline.surges.tail import deviate, upper_tail

ALARM_PROBABILITY = 1e-4
GOING_ON_PROBABILITY = 0.05
LEAST_SESSIONS = 8.0
LEAST_EXCESS = 5.0
LONGEST_STEP_DAYS = 2  # between flagged days of one episode: one unflagged day may lie between
RELEASED_AFTER_DAYS = 21
DATED_BACK_DAYS = 3
CUSUM_ALLOWANCE = 1.5
CUSUM_ALARM = 4.5
CUSUM_STEP = 4.0


@dataclass(frozen=True)
class Episode:
    """One surge by the indices of its first, highest and last day."""

    start: int
    peak: int
    end: int
    is_open: bool
    """Whether the last day of all is flagged, so that it may still go on."""


class SurgeRules:
    """The running decisions of all countries, moved on one day at a time."""

    def __init__(self, days: Ints, counts: Floats) -> None:
        """Take the days and counts of ``Baseline``; everything starts quiet."""
        countries = len(counts)
        self._days, self._counts = days, counts
        self.is_surge = np.zeros(counts.shape, dtype=bool)
        self.is_raised = np.zeros(counts.shape, dtype=bool)
        self.usable = ~np.isnan(counts)
        self._probability = np.ones(counts.shape)
        self._is_open = np.zeros(countries, dtype=bool)
        self._start = np.zeros(countries, dtype=np.int64)
        self._last = np.zeros(countries, dtype=np.int64)
        self._cusum = np.zeros(countries)
        self._cusum_start = np.zeros(countries, dtype=np.int64)

    def judge(self, column: int, mean: Floats, variance: Floats, is_ready: Bools) -> Floats:
        """Flag the day at ``column``, and days before it when a surge began earlier.

        Returns P(Y >= count), NaN where nothing was judged.
        """
        seen = is_ready & self.usable[:, column]
        counts = np.where(seen, self._counts[:, column], 0.0)
        probability = upper_tail(counts, mean, variance)
        middle = (probability + upper_tail(counts + 1, mean, variance)) / 2
        self._probability[:, column] = np.where(seen, probability, 1.0)
        self._close_ended(column)
        sums_alarm = self._add_to_cusum(column, deviate(middle), seen)
        plain = seen & (counts >= LEAST_SESSIONS) & (counts - mean >= LEAST_EXCESS)
        alarm = plain & ((probability < ALARM_PROBABILITY) | sums_alarm)
        goes_on = seen & self._is_open & (probability < GOING_ON_PROBABILITY)
        for country in np.flatnonzero(alarm & ~self._is_open):
            self._open(int(country), column, from_sums=bool(sums_alarm[country]))
        self.is_raised[:, column] = alarm
        self._flag(np.flatnonzero(goes_on | alarm), column)
        self._release(column)
        return np.where(seen, probability, np.nan)

    def _add_to_cusum(self, column: int, deviates: Floats, seen: Bools) -> Bools:
        step = np.minimum(deviates, CUSUM_STEP) - CUSUM_ALLOWANCE
        moved = np.where(seen, np.maximum(self._cusum + step, 0.0), self._cusum)
        self._cusum_start[(self._cusum == 0) & (moved > 0)] = column
        self._cusum = moved
        return seen & (moved > CUSUM_ALARM) & (deviates > 0) & ~self._is_open

    def _close_ended(self, column: int) -> None:
        ended = self._is_open & (self._days[column] - self._last > LONGEST_STEP_DAYS)
        self._is_open &= ~ended
        self._cusum[ended] = 0.0

    def _open(self, country: int, column: int, *, from_sums: bool) -> None:
        """Open a surge, dated back while the days before were high already."""
        earliest = int(np.searchsorted(self._days, self._days[column] - DATED_BACK_DAYS))
        run = int(self._cusum_start[country]) if from_sums else column
        start = column
        for before in range(column - 1, min(earliest, run) - 1, -1):
            high = self._probability[country, before] < GOING_ON_PROBABILITY
            if self.is_surge[country, before] or not (high or before >= run):
                break
            if self.usable[country, before]:
                start = before
        back = slice(start, column)
        self.is_surge[country, back] |= ~np.isnan(self._counts[country, back])
        self.usable[country, back] = False
        self._is_open[country] = True
        self._start[country] = start

    def _flag(self, countries: NDArray[np.intp], column: int) -> None:
        self.is_surge[countries, column] = True
        self.usable[countries, column] = False
        self._last[countries] = self._days[column]

    def _release(self, column: int) -> None:
        """What has lasted this long is the new normal: forget what was before, learn what is."""
        spans = self._days[column] - self._days[self._start] + 1
        for country in np.flatnonzero(self._is_open & (spans >= RELEASED_AFTER_DAYS)):
            start = int(self._start[country])
            self.usable[country, :start] = False
            held = slice(start, column + 1)
            self.usable[country, held] = ~np.isnan(self._counts[country, held])
            self._is_open[country] = False
            self._cusum[country] = 0.0


def episodes_of(days: Ints, counts: Floats, is_surge: Bools) -> list[Episode]:
    """Join one country's flagged days to episodes; the first of equal peaks counts."""
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
