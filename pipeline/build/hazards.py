"""How likely a source's silence is to end within a minute, as its other days have it.

The rule that stands on it, and where the estimates come from: ``gaps``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.build.timeline import SATURDAY, per_cell

if TYPE_CHECKING:
    from pipeline.build.timeline import Timeline
    from pipeline.surges.baseline import Bools, Floats, Ints

CAUTION = 2.0
CAUTION_WITH_FEW_DAYS = 4.0
CAUTION_AT_FIRST = 8.0
DAYS_OF_A_KIND = 3
_PRIOR_SILENT_MINUTES = 5.0
_OLD_SILENCE_MINUTES = 15
_LEAST_RATE = 0.01  # arrivals a minute, in the mean of logarithms


def learn_rates(
    line: Timeline, hits: Ints, covered: Bools, is_usable: Bools
) -> tuple[Floats, Floats, Bools]:
    """What the usable minutes of other days tell of each day and hour, shape ``(days, 24)``.

    The rate of a minute; by which factor the day may be quieter; whether any tells of the hour.
    """
    minutes, usable_hits = per_cell(line, is_usable), hits * is_usable
    is_silent = is_usable & ~covered
    is_last = is_silent & np.append(covered[1:], np.True_)
    is_old = _silent_minutes(covered) > _OLD_SILENCE_MINUTES
    silences = [
        per_cell(line, of) for of in (is_silent, is_last, is_silent & is_old, is_last & is_old)
    ]
    seen = np.minimum(minutes, 1)
    arrivals = arrivals_of(minutes, per_cell(line, usable_hits), per_cell(line, usable_hits**2))
    logs = np.log(arrivals + _LEAST_RATE) * seen
    tables = np.stack([*silences, logs, seen])
    rate = _rate_of(tables.sum(axis=1, keepdims=True) - tables)
    for group, least_days in ((line.weekdays >= SATURDAY, 1), (line.weekdays, 2)):
        sums = np.stack([tables[:, group == g].sum(axis=1) for g in range(7)], axis=1)
        of_group = sums[:, group.astype(np.int64)] - tables
        is_lower = (of_group[-1] >= least_days) & (_rate_of(of_group) < rate)
        rate = np.where(is_lower, _rate_of(of_group), rate)
    is_told = seen.sum(axis=0) > seen
    return rate, np.repeat(_caution(line, seen)[:, None], 24, axis=1), is_told


def arrivals_of(minutes: Floats, total: Floats, squares: Floats) -> Floats:
    """Independent arrivals a minute of each day and hour: hits over their index of dispersion."""
    mean = total / np.maximum(minutes, 1)
    variance = squares / np.maximum(minutes, 1) - mean**2
    dispersion = np.maximum(variance / np.maximum(mean, 1e-9), 1.0)
    return np.asarray(mean / dispersion, dtype=np.float64)


def _silent_minutes(covered: Bools) -> Ints:
    """How long it has been silent at every minute; 0 where covered."""
    places = np.arange(1, len(covered) + 1)
    return places - np.maximum.accumulate(np.where(covered, places, 0))


def _rate_of(tables: Floats) -> Floats:
    """The hazard of a silence's end a minute, from silent minutes, their ends and arrivals."""
    silent, ends, old, old_ends, logs, seen = tables
    arrivals = np.maximum(np.exp(logs / np.maximum(seen, 1)) - _LEAST_RATE, 0.0)
    prior = _PRIOR_SILENT_MINUTES
    hazard = (ends - prior * np.expm1(-arrivals)) / (silent + prior)
    hazard = np.minimum(hazard, (old_ends + prior * hazard) / (old + prior))
    # Where nothing ever was silent the hazard is that of the arrivals, which may be far above 1.
    rate = np.where(silent > 0, -np.log1p(-np.minimum(hazard, 1 - 1e-9)), arrivals)
    return np.asarray(np.where(seen > 0, rate, 0.0), dtype=np.float64)


def _caution(line: Timeline, seen: Floats) -> Floats:
    """By which factor each day may be quieter, by how many others of its kind are known."""
    is_weekend = line.weekdays >= SATURDAY
    is_known = seen.any(axis=1)
    of_kind = np.where(is_weekend, (is_known & is_weekend).sum(), (is_known & ~is_weekend).sum())
    others = of_kind - is_known
    few = np.where(others > 0, CAUTION_WITH_FEW_DAYS, CAUTION_AT_FIRST)
    return np.where(others >= DAYS_OF_A_KIND, CAUTION, few)
