"""What a country's own history expects of a day: level, weekday rhythm, dispersion.

Arrays hold one row per country and one column per day with logs; the days need not be
consecutive. Nothing here knows what a surge is: which days to leave out is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

LEAST_HISTORY_DAYS = 7
LEVEL_DAYS = 42
LEVEL_HALF_LIFE_DAYS = 10
NEWEST_DAYS_LEFT_OUT = 2  # or the first days of a slow ramp would lift what is expected of the next
LEVEL_CLIP_SD = 2.0
WEEKDAYS_FROM_DAYS = 28
WEEKDAY_HALF_LIFE_WEEKS = 13
WEEKDAY_CLIP_SD = 3.0
DISPERSION_PRIOR = 0.05
DISPERSION_HALF_LIFE_DAYS = 250
DISPERSION_CLIP_UP_SD = 3.5
DISPERSION_CLIP_DOWN_SD = 2.0


@dataclass(frozen=True)
class Forecast:
    """One day's expectation per country; NaN where the history is too short."""

    level: Floats
    mean: Floats
    variance: Floats
    is_ready: Bools
    day_variance: Floats
    """Without the level's own uncertainty."""


class Baseline:
    """The running estimates of all countries, moved on one day at a time."""

    def __init__(self, days: Ints, counts: Floats) -> None:
        """Take ``days`` (since 1970-01-01, increasing) and ``counts`` (countries x days)."""
        countries = len(counts)
        self._days, self._counts = days, counts
        self._weekdays = (days + 3) % 7
        self._factors = np.ones((countries, 7))
        self._share_sums = np.zeros((countries, 7))
        self._share_weights = np.zeros((countries, 7))
        self._dispersion_sum = np.full(countries, 1 / DISPERSION_PRIOR)
        self._dispersion_weight = np.full(countries, 1 / DISPERSION_PRIOR**2)
        self._has_started = np.zeros(countries, dtype=bool)

    @property
    def dispersion(self) -> Floats:
        """The variance beyond the mean's, as a share of the squared mean."""
        return np.maximum(self._dispersion_sum / self._dispersion_weight, 0.0)

    def forecast(self, column: int, usable: Bools) -> Forecast:
        """Forecast the day at ``column`` from the ``usable`` (countries x days) days before it."""
        first = int(np.searchsorted(self._days, self._days[column] - LEVEL_DAYS))
        window = slice(first, column)
        ages = (self._days[column] - self._days[window]).astype(np.float64)
        used = _leave_newest_out(usable[:, window], ages)
        weights = used * 0.5 ** (ages / LEVEL_HALF_LIFE_DAYS)
        values = np.where(
            used, self._counts[:, window] / self._factors[:, self._weekdays[window]], np.inf
        )
        is_ready = used.sum(axis=1) >= LEAST_HISTORY_DAYS
        return self._forecast(column, values, weights, is_ready)

    def _forecast(self, column: int, values: Floats, weights: Floats, is_ready: Bools) -> Forecast:
        total = np.where(is_ready, weights.sum(axis=1), 1.0)
        effective_days = np.where(is_ready, total**2 / _floor((weights**2).sum(axis=1)), 1.0)
        level = _robust_mean(values, weights, total, self.dispersion)
        level = np.maximum(level, 0.5 / effective_days)
        mean = level * self._factors[:, self._weekdays[column]]
        day_variance = mean + self.dispersion * mean**2
        return Forecast(
            level, mean, day_variance * (1 + 1 / effective_days), is_ready, day_variance
        )

    def learn(self, column: int, forecast: Forecast, is_quiet: Bools) -> None:
        """Take the day at ``column`` into the weekday rhythm and, where quiet, the dispersion."""
        counts = self._counts[:, column]
        seen = forecast.is_ready & ~np.isnan(counts)
        self._learn_dispersion(counts, forecast, seen & is_quiet)
        self._learn_weekday(column, counts, forecast, seen)

    def _learn_dispersion(self, counts: Floats, forecast: Forecast, learned: Bools) -> None:
        mean, variance = forecast.mean, forecast.day_variance
        clip = np.where(counts > mean, DISPERSION_CLIP_UP_SD, DISPERSION_CLIP_DOWN_SD)
        square = np.minimum((counts - mean) ** 2, clip**2 * variance)
        information = (mean**2 / variance) ** 2 / 2
        keep = 0.5 ** (1 / DISPERSION_HALF_LIFE_DAYS)
        sums = self._dispersion_sum - 1 / DISPERSION_PRIOR
        weights = self._dispersion_weight - 1 / DISPERSION_PRIOR**2
        sums = keep * sums + information * (square - mean) / mean**2
        weights = keep * weights + information
        self._dispersion_sum[learned] = (sums + 1 / DISPERSION_PRIOR)[learned]
        self._dispersion_weight[learned] = (weights + 1 / DISPERSION_PRIOR**2)[learned]

    def _learn_weekday(self, column: int, counts: Floats, forecast: Forecast, seen: Bools) -> None:
        """Flagged days enter too, clipped: if not, a factor once wrong would never mend."""
        reach = WEEKDAY_CLIP_SD * np.sqrt(forecast.day_variance)
        clipped = np.clip(counts, forecast.mean - reach, forecast.mean + reach)
        weekday = self._weekdays[column]
        keep = np.where(seen, 0.5 ** (1 / WEEKDAY_HALF_LIFE_WEEKS), 1.0)
        share = np.where(seen, clipped / forecast.level, 0.0)
        self._share_sums[:, weekday] = keep * self._share_sums[:, weekday] + share
        self._share_weights[:, weekday] = keep * self._share_weights[:, weekday] + seen
        self._factors = self._shrunk_factors(forecast.level)

    def _shrunk_factors(self, level: Floats) -> Floats:
        weeks = self._share_weights.min(axis=1)
        known = weeks >= 3
        raw = self._share_sums / _floor(self._share_weights)
        raw = np.where(known[:, None], raw / _floor(raw.mean(axis=1, keepdims=True)), 1.0)
        noise = (1 / level + self.dispersion) / np.maximum(weeks, 1.0)
        rhythm = np.maximum(((raw - 1) ** 2).mean(axis=1) - 6 / 7 * noise, 0.0)
        return np.maximum(1 + (raw - 1) * (rhythm / (rhythm + noise))[:, None], 0.05)


def _leave_newest_out(usable: Bools, ages: Floats) -> Bools:
    older = usable & (ages > NEWEST_DAYS_LEFT_OUT)
    enough = older.sum(axis=1) >= LEAST_HISTORY_DAYS
    return np.where(enough[:, None], older, usable)


def _robust_mean(values: Floats, weights: Floats, total: Floats, dispersion: Floats) -> Floats:
    """Mean of the values clipped to two sd around their weighted median; unused ones are inf."""
    order = np.argsort(values, axis=1)
    running = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    middle = (running < 0.5 * total[:, None]).sum(axis=1)
    middle = np.minimum(middle, values.shape[1] - 1)[:, None]
    median = np.take_along_axis(values, np.take_along_axis(order, middle, axis=1), axis=1)
    median = np.where(np.isfinite(median), median, 1.0)
    reach = LEVEL_CLIP_SD * np.sqrt(np.maximum(median, 1) + dispersion[:, None] * median**2)
    clipped = np.clip(values, median - reach, median + reach)
    return np.asarray((weights * clipped).sum(axis=1) / total, dtype=np.float64)


def _floor(values: Floats) -> Floats:
    return np.maximum(values, 1e-12)
