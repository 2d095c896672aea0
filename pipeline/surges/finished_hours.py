"""Hours that lie far above the same hour of earlier days: arithmetic only, no lake and no clock.

Arrays hold one row per country. History has one column per earlier day and one per hour on the
wall; the days need not be consecutive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.surges.tail import upper_quantile, upper_tail

if TYPE_CHECKING:
    from pipeline.surges.baseline import Bools, Floats, Ints

HISTORY_DAYS = 28
LEAST_HISTORY_DAYS = 3  # a weekend alone would make a surge of every Monday
ALARM_PROBABILITY = 1e-8  # 24 hours of 80 countries are 700,000 tests a year
LEAST_SESSIONS = 20.0  # an hour's fewer than these need nobody tonight; the day is judged as well
LEAST_EXCESS = 10.0
LEVEL_CLIP_SD = 2.0
WEEKDAY_FROM_DAYS = 3  # of each weekday
FACTOR_LEAST = 0.05
MEDIAN_VARIANCE = np.pi / 2  # of a median, in units of a mean's
NOISE_LEAST = 1e-3
DISPERSION_LEAST = 0.05  # less may be chance: a calm week must not make the next one an alarm
DISPERSION_PRIOR_HOURS = 24
DISPERSION_CLIP_SD = 3.5


@dataclass(frozen=True)
class HourJudgement:
    """Per country (row) and hour (column); NaN where there is too little history."""

    expected: Floats
    upper: Floats
    """Sessions from which an hour raises an alarm."""
    is_surge: Bools


@dataclass(frozen=True)
class History:
    """Sessions of earlier days, countries x days x hours; NaN where the wall has no such hour."""

    sessions: Floats
    usable: Bools
    """Countries x days: neither flagged nor incomplete."""
    weekdays: Ints
    """Of each day, Monday is 0."""


def judge_hours(history: History, weekday: int, hours: Ints, sessions: Floats) -> HourJudgement:
    """Judge hours of a day of ``weekday`` by the same hours of earlier days.

    Only more sessions than expected can be an alarm. ``hours``: the column of ``history`` that
    each column of ``sessions`` (countries x hours) is compared with.
    """
    factors = weekday_factors(history)
    seen = history.usable[:, :, None] & ~np.isnan(history.sessions)
    days = seen.sum(axis=1)
    by_day = factors[:, history.weekdays][:, :, None]
    level = _level(np.where(seen, history.sessions, np.nan) / by_day)
    level = np.maximum(level, 0.5 / np.maximum(days, 1))
    dispersion = _dispersion(history.sessions, level[:, None, :] * by_day, seen)
    mean = (level * factors[:, [weekday]])[:, hours]
    known = (days >= LEAST_HISTORY_DAYS)[:, hours]
    variance = (mean + dispersion[:, None] * mean**2) * (1 + 1 / np.maximum(days[:, hours], 1))
    return _judge(sessions, mean, variance, known)


def _judge(sessions: Floats, mean: Floats, variance: Floats, known: Bools) -> HourJudgement:
    expected, upper = (np.full(mean.shape, np.nan) for _ in range(2))
    floor = np.maximum(mean + LEAST_EXCESS, LEAST_SESSIONS)
    limit = np.full(int(known.sum()), ALARM_PROBABILITY)
    expected[known] = mean[known]
    upper[known] = upper_quantile(limit, mean[known], variance[known], floor[known])
    is_beyond = upper_tail(sessions, mean, variance) < ALARM_PROBABILITY
    return HourJudgement(
        np.round(expected, 3), np.round(upper, 3), known & is_beyond & (sessions >= floor)
    )


def weekday_factors(history: History) -> Floats:
    """Each country's factor of each weekday, from the sums of its days; 1 with too few weeks.

    Shrunk to 1 by as much of the factors' spread as the days' own noise explains.
    """
    usable = history.usable & ~np.isnan(history.sessions).all(axis=2)
    sums = np.where(usable, np.nansum(history.sessions, axis=2), np.nan)
    same = [history.weekdays == weekday for weekday in range(7)]
    medians = np.stack([_median(sums[:, its]) for its in same], axis=1)
    weeks = np.stack([usable[:, its].sum(axis=1) for its in same], axis=1).min(axis=1)
    known = (weeks >= WEEKDAY_FROM_DAYS) & (medians.min(axis=1) > 0)
    medians = np.where(known[:, None], medians, 1.0)
    raw = medians / medians.mean(axis=1, keepdims=True)
    noise = _noise_of_medians(sums / medians[:, history.weekdays], np.maximum(weeks, 2))
    rhythm = np.maximum(((raw - 1) ** 2).mean(axis=1) - 6 / 7 * noise, 0.0)
    shrunk = 1 + (raw - 1) * (rhythm / (rhythm + noise))[:, None]
    return np.asarray(np.maximum(shrunk, FACTOR_LEAST), dtype=np.float64)


def _noise_of_medians(ratios: Floats, weeks: Floats) -> Floats:
    """The variance of a weekday's median, from its days' ``ratios`` to it."""
    days = np.maximum((~np.isnan(ratios)).sum(axis=1), 1)
    variance = np.nansum((ratios - 1) ** 2, axis=1) / days * weeks / (weeks - 1)
    return np.asarray(MEDIAN_VARIANCE * np.maximum(variance, NOISE_LEAST) / weeks)


def _level(values: Floats) -> Floats:
    """The mean over days, clipped to two sd around their median; 0 without any day."""
    median = _median(np.moveaxis(values, 1, 2))[:, None, :]
    reach = LEVEL_CLIP_SD * np.sqrt(np.maximum(median, 1) + DISPERSION_LEAST * median**2)
    clipped = np.clip(values, median - reach, median + reach)
    days = np.maximum((~np.isnan(values)).sum(axis=1), 1)
    return np.asarray(np.nansum(clipped, axis=1) / days, dtype=np.float64)


def _median(values: Floats) -> Floats:
    """The median along the last axis without NaN; 0 where there is nothing else."""
    ordered = np.sort(values, axis=-1)  # NaN last
    count = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    if not values.shape[-1]:
        return np.zeros(values.shape[:-1])
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=-1)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[-1] - 1), axis=-1)
    return np.where(count > 0, (low + high) / 2, 0.0)[..., 0]


def _dispersion(sessions: Floats, mean: Floats, seen: Bools) -> Floats:
    """How much more than by chance each country's hours vary: moment estimates, averaged.

    An hour's weight is its information were the dispersion the least one, as in ``Baseline``.
    """
    days = np.maximum(seen.sum(axis=1, keepdims=True), 2)
    square = np.where(seen, sessions - mean, 0.0) ** 2 * days / (days - 1)
    reach = DISPERSION_CLIP_SD**2 * (mean + DISPERSION_LEAST * mean**2)
    information = np.where(seen, 1 / (1 / mean + DISPERSION_LEAST) ** 2, 0.0)
    estimates = (np.minimum(square, reach) - mean) / mean**2
    prior = DISPERSION_PRIOR_HOURS / DISPERSION_LEAST**2
    weight = information.sum(axis=(1, 2)) + prior
    average = ((information * estimates).sum(axis=(1, 2)) + prior * DISPERSION_LEAST) / weight
    return np.asarray(np.maximum(average, DISPERSION_LEAST), dtype=np.float64)
