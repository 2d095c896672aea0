"""What a country's own history expects of a day: level, trend, weekday rhythm, dispersion.

Arrays hold one row per country and one column per day with logs; the days need not be
consecutive. Nothing here knows what a surge is: which days to leave out is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.definitions import LEAST_HISTORY_DAYS, LEVEL_DAYS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

MEDIAN_HALF_LIFE_DAYS = 10
LEVEL_HALF_LIFE_DAYS = 20
LEVEL_CLIP_SD = 2.5  # nearer, the level follows a real rise too slowly
NEWEST_DAYS_LEFT_OUT = 2  # or a slow ramp's first days would lift what is expected of the next
LEFT_OUT_UNTIL_DAYS = 42  # of many days two lift little, and tell where the level has wandered to
TREND_FROM_DAYS = 21
TREND_SHRINKAGE = 3.0
TREND_LARGEST = 0.3  # of the level
WEEKDAY_FROM_WEIGHT = 3.0  # reached with the fourth week
POOLED_FROM_WEIGHT = 1.8  # with the third week: of one alone, that week's events pass for a rhythm
POOLED_LEAST_COUNTRIES = 8
POOLED_NOISE = 0.02  # added to a country's own, so that no few settle what all share
POOLED_LEAST_SPREAD = 1e-4
WEEKDAY_HALF_LIFE_WEEKS = 10  # half a year mends a factor that was once wrong
WEEKDAY_CLIP_SD = 3.0
WEEKDAY_CLIP_SHARE = 0.5  # of the mean, when that is wider: a quiet country must unlearn too
DISPERSION_PRIOR = 0.05
DISPERSION_PRIOR_DAYS = 2
DISPERSION_PRIOR_HALVED_BY_DAYS = 45
DISPERSION_KEPT_AT_RHYTHM = 0.1
DISPERSION_LEAST = 1e-4
DISPERSION_HALF_LIFE_DAYS = 365  # at 180, the estimate's own noise moves the alarm by 4 %
DISPERSION_CLIP_UP_SD = 3.5
DISPERSION_CLIP_DOWN_SD = 1.75  # low days may be holidays; found best on simulated series


@dataclass(frozen=True)
class Forecast:
    """One day's expectation per country; meaningless where not ``is_ready``."""

    level: Floats
    """Without the weekday's factor."""
    mean: Floats
    day_variance: Floats
    """Of the day's sessions around their mean."""
    variance: Floats
    """With the mean's own uncertainty."""
    history_days: Ints
    """Usable ones."""
    is_ready: Bools
    """Whether they are seven or more."""
    has_rhythm: Bools
    """Whether four weeks have told the weekday rhythm apart from noise."""


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
        self._has_rhythm = np.zeros(countries, dtype=bool)
        self._dispersion_sum = np.zeros(countries)
        self._dispersion_weight = np.zeros(countries)
        self._dispersion = np.full(countries, DISPERSION_PRIOR)

    def forecast(self, column: int, usable: Bools) -> Forecast:
        """Forecast the day at ``column`` from the ``usable`` (countries x days) days before it."""
        first = int(np.searchsorted(self._days, self._days[column] - LEVEL_DAYS))
        window = slice(min(first, column - 1), column)
        ages = (self._days[column] - self._days[window]).astype(np.float64)
        used = _leave_newest_out(usable[:, window] & (ages <= LEVEL_DAYS), ages)
        return self._expect(column, window, used, ages, slice(None))

    def look_back(self, country: int, column: int, usable: Bools) -> Forecast:
        """Expect one country's day by the days around it: ``usable`` (days), as far as judged."""
        window = np.flatnonzero(usable)
        ages = (self._days[column] - self._days[window]).astype(np.float64)
        used = np.ones((1, len(window)), dtype=bool)
        return self._expect(column, window, used, ages, slice(country, country + 1))

    def _expect(
        self, column: int, window: slice | Ints, used: Bools, ages: Floats, countries: slice
    ) -> Forecast:
        """Expect the day at ``column`` by the ``used`` days of ``window``, ``ages`` before it."""
        own, dispersion = self._factors[countries], self._dispersion[countries]
        factors = own[:, self._weekdays[window]]
        values = np.where(used, self._counts[countries, window] / factors, np.inf)
        clipped = np.where(used, _clip_to_median(values, used, ages, dispersion), 0.0)
        level, uncertainty = _level_now(clipped, used, ages, dispersion)
        mean = level * own[:, self._weekdays[column]]
        day_variance = mean + dispersion * mean**2
        history_days = used.sum(axis=1)
        return Forecast(
            level,
            mean,
            day_variance,
            day_variance * (1 + uncertainty),
            history_days,
            history_days >= LEAST_HISTORY_DAYS,
            self._has_rhythm[countries],
        )

    def learn(
        self, column: int, forecast: Forecast, is_quiet: Bools, *, is_typical: bool = True
    ) -> None:
        """Take the day at ``column`` into the weekday rhythm and, where quiet, the dispersion.

        One that is not ``is_typical``, less complete than its history, teaches nothing.
        """
        counts = self._counts[:, column]
        seen = forecast.is_ready & ~np.isnan(counts) & is_typical
        self._learn_dispersion(counts, forecast, seen & is_quiet)
        self._learn_weekday(column, counts, forecast, seen)

    def _learn_dispersion(self, counts: Floats, forecast: Forecast, learned: Bools) -> None:
        """Average the days' moment estimates with a prior.

        The mean's uncertainty is part of every error, and is taken out: an alarm adds it again. So
        is a part of the first days' errors, in which are the weekdays that are not known yet. A
        day's weight is its information were the dispersion the prior's. Weighted by the running
        estimate itself, low estimates gain weight and a chance calm week would settle the matter.
        """
        mean, variance = forecast.mean, forecast.day_variance
        clip = np.where(counts > mean, DISPERSION_CLIP_UP_SD, DISPERSION_CLIP_DOWN_SD)
        unsure = 1 / (self._days_known() + DISPERSION_PRIOR_DAYS)
        of_error = forecast.variance * (1 + unsure * self._dispersion * mean**2 / variance)
        of_the_day = (counts - mean) ** 2 * variance / of_error
        square = np.minimum(of_the_day, clip**2 * variance)
        information = 1 / (1 / mean + DISPERSION_PRIOR) ** 2
        keep = 0.5 ** (1 / DISPERSION_HALF_LIFE_DAYS)
        sums = keep * self._dispersion_sum + information * (square - mean) / mean**2
        weights = keep * self._dispersion_weight + information
        self._dispersion_sum = np.where(learned, sums, self._dispersion_sum)
        self._dispersion_weight = np.where(learned, weights, self._dispersion_weight)
        prior_weight = self._prior_weight()
        self._dispersion = np.maximum(
            (self._dispersion_sum + prior_weight * DISPERSION_PRIOR)
            / (self._dispersion_weight + prior_weight),
            DISPERSION_LEAST,
        )

    def _days_known(self) -> Floats:
        """How many days of a large country tell as much of the dispersion as those learnt from."""
        return self._dispersion_weight * DISPERSION_PRIOR**2

    def _prior_weight(self) -> Floats:
        """Let the prior go as days come in: a country of 3 % noise must not be held to 5 %."""
        faded = 0.5 ** (self._days_known() / DISPERSION_PRIOR_HALVED_BY_DAYS)
        return np.asarray(DISPERSION_PRIOR_DAYS / DISPERSION_PRIOR**2 * faded, dtype=np.float64)

    def _discount_dispersion(self, countries: Bools) -> None:
        """Give little weight to the days whose weekday rhythm was still taken for dispersion."""
        self._dispersion_sum[countries] *= DISPERSION_KEPT_AT_RHYTHM
        self._dispersion_weight[countries] *= DISPERSION_KEPT_AT_RHYTHM

    def _learn_weekday(self, column: int, counts: Floats, forecast: Forecast, seen: Bools) -> None:
        """Flagged days enter too, clipped: if not, a factor once wrong would never mend."""
        reach = np.maximum(
            WEEKDAY_CLIP_SD * np.sqrt(forecast.day_variance), WEEKDAY_CLIP_SHARE * forecast.mean
        )
        clipped = np.clip(counts, forecast.mean - reach, forecast.mean + reach)
        weekday = self._weekdays[column]
        keep = np.where(seen, 0.5 ** (1 / WEEKDAY_HALF_LIFE_WEEKS), 1.0)
        share = np.where(seen, clipped / forecast.level, 0.0)
        self._share_sums[:, weekday] = keep * self._share_sums[:, weekday] + share
        self._share_weights[:, weekday] = keep * self._share_weights[:, weekday] + seen
        self._factors = self._shrunk_factors(forecast.level)

    def _shrunk_factors(self, level: Floats) -> Floats:
        """Shrink the raw factors to 1 by as much of their spread as noise explains.

        Until four weeks tell a country's own spread, they are shrunk to those of all countries.
        """
        weeks = self._share_weights.min(axis=1)
        known, young = weeks >= WEEKDAY_FROM_WEIGHT, weeks >= POOLED_FROM_WEIGHT
        self._discount_dispersion(known & ~self._has_rhythm)
        self._has_rhythm = known
        raw = self._share_sums / _positive(self._share_weights)
        raw = np.where(young[:, None], raw / _positive(raw.mean(axis=1, keepdims=True)), 1.0)
        noise = (1 / level + self._dispersion) / np.maximum(weeks, 1.0)
        own = _shrink(raw, 1.0, noise, np.maximum(_spread(raw, 1.0, noise), 0.0))
        pooled = np.ones(raw.shape)
        if young.sum() >= POOLED_LEAST_COUNTRIES:
            weights = young / (noise + POOLED_NOISE)
            weights /= weights.sum()
            shape = (weights[:, None] * raw).sum(axis=0)
            spread = max(float((weights * _spread(raw, shape, noise)).sum()), POOLED_LEAST_SPREAD)
            pooled = np.where(young[:, None], _shrink(raw, shape, noise, spread), 1.0)
        return _positive(np.where(known[:, None], own, pooled), least=0.05)


def _spread(raw: Floats, around: Floats | float, noise: Floats) -> Floats:
    """Each country's variance of the weekdays' factors, beyond their noise."""
    return np.asarray(((raw - around) ** 2).mean(axis=1) - 6 / 7 * noise, dtype=np.float64)


def _shrink(raw: Floats, to: Floats | float, noise: Floats, spread: Floats | float) -> Floats:
    return np.asarray(to + (raw - to) * (spread / (spread + noise))[:, None], dtype=np.float64)


def _leave_newest_out(usable: Bools, ages: Floats) -> Bools:
    older = usable & (ages > NEWEST_DAYS_LEFT_OUT)
    is_short = usable.sum(axis=1) < LEFT_OUT_UNTIL_DAYS
    enough = is_short & (older.sum(axis=1) >= LEAST_HISTORY_DAYS)
    return np.where(enough[:, None], older, usable)


def _clip_to_median(values: Floats, used: Bools, ages: Floats, dispersion: Floats) -> Floats:
    """Clip the values to two sd around their weighted median; unused ones are infinite."""
    weights = used * 0.5 ** (np.abs(ages) / MEDIAN_HALF_LIFE_DAYS)
    order = np.argsort(values, axis=1)
    running = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    middle = (running < 0.5 * running[:, -1:]).sum(axis=1, keepdims=True)
    median = np.take_along_axis(values, np.take_along_axis(order, middle, axis=1), axis=1)
    median = np.where(np.isfinite(median), median, 1.0)
    reach = LEVEL_CLIP_SD * np.sqrt(np.maximum(median, 1) + dispersion[:, None] * median**2)
    return np.clip(values, median - reach, median + reach)


def _level_now(
    clipped: Floats, used: Bools, ages: Floats, dispersion: Floats
) -> tuple[Floats, Floats]:
    """Return the level of the day of age 0, and its variance in units of a day's variance.

    A weighted straight line through the history, its slope shrunk by how far it is beyond chance;
    without it a yearly rhythm leaves the level behind for months. Later days have an age below 0.
    """
    kernel = 0.5 ** (np.abs(ages) / LEVEL_HALF_LIFE_DAYS)
    total = _positive(used @ kernel)
    level = (clipped @ kernel) / total
    effective_days = _positive(total**2 / _positive(used @ kernel**2), least=1.0)
    mean_age = (used @ (kernel * ages)) / total
    spread = _positive((used @ (kernel * ages**2)) / total - mean_age**2, least=1.0)
    slope = ((clipped @ (kernel * ages)) / total - mean_age * level) / spread
    noise = (np.maximum(level, 0.5) + dispersion * level**2) / effective_days / spread
    trust = slope**2 / (slope**2 + TREND_SHRINKAGE * noise)
    trust *= used.sum(axis=1) >= TREND_FROM_DAYS
    move = np.clip(-slope * trust * mean_age, -TREND_LARGEST * level, TREND_LARGEST * level)
    uncertainty = (1 + trust * mean_age**2 / spread) / effective_days
    return _positive(level + move, least=0.5 / effective_days), uncertainty


def _positive(values: Floats, *, least: Floats | float = 1e-12) -> Floats:
    return np.asarray(np.maximum(values, least), dtype=np.float64)
