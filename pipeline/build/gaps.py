"""One source's rhythm: which silences of its log are longer than chance explains.

A log has no sequence numbers. What it has is a habit: a busy server is never silent for a minute,
a quiet one is silent for hours every night. From a source's other days this module learns, for
each hour of the day, how likely a silence is to end within a minute, and calls a silence a gap
when it is far beyond that. Knows neither files nor names, and no clock.

**The rule.** A silence of minutes ``1..g`` has survived ``m = sum(rate)``, where ``rate`` is the
hazard of a silence's end a minute. Were the rate true, so long a silence would have the chance
``exp(-m)``. It is a gap when ``m / caution >= ln(1440 / FALSE_GAPS_A_DAY)`` and it lasts at least
``LEAST_GAP_MINUTES``. So even a source
that writes ``caution`` times less than it used to has fewer than one false gap in 10,000 days, as
a day has at most 1,440 silences. Of a gap over midnight a day has its part when that alone has a
chance below 1 in 1,000. ``caution`` is 2 from three other days of the same kind (weekend or not)
on, 4 with fewer and 8 with none: a first Sunday may be anything.

**The rate** of an hour of the day is the share of silent minutes that a hit followed, and of those
a quarter of an hour after the last hit when that is less, so that visitors who come in bursts and
pause between their clicks do not count as many. Where an hour hardly ever is silent, hits a minute
over their index of dispersion stand in (arrivals of a compound Poisson process). The lowest of
three estimates counts: over all other days, those of the same kind, those of the same weekday.

**A day without any hit** is missing when fewer than one such day in 1,000 would be without one:
``median**2 / variance`` of the other days' hits (the variance of the lower half; with little
history hits are taken to come in clusters of four) is a lower bound of its independent arrivals. A
source that is absent on more than half of its other days, or of the same weekday's, is not
missing: that is how it comes. Of sources with only a few hits a day nothing can be said.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipeline.surges.baseline import Bools, Floats, Ints

LEAST_GAP_MINUTES = 5
"""Rotations and restarts are shorter; a day's last minutes often lie in the next file."""
FALSE_GAPS_A_DAY = 1e-4
FALSE_MISSING_A_DAY = 1e-3
CAUTION = 2.0
CAUTION_WITH_FEW_DAYS = 4.0
CAUTION_AT_FIRST = 8.0
DAYS_OF_A_KIND = 3
_ENOUGH = float(np.log(1440 / FALSE_GAPS_A_DAY))
_ENOUGH_OF_A_DAY = float(-np.log(FALSE_MISSING_A_DAY))
_PRIOR_SILENT_MINUTES = 5.0
_PRIOR_USUAL_MINUTES = 60.0  # of the day's mean, in an hour of which little or nothing is known
_OLD_SILENCE_MINUTES = 15
_CLUSTER_HITS = 4.0
_MANY_CLUSTERS = 10.0
_LEAST_RATE = 0.01  # arrivals a minute, in the mean of logarithms
SATURDAY = 5
_MOST_PASSES = 4


@dataclass(frozen=True)
class Timeline:
    """The minutes of a run of local days, one after the other; days without any log left out."""

    starts: Ints
    """Index of each day's first minute, and one past the last day's last; length days + 1."""
    weekdays: Ints
    """Monday is 0."""
    hours: Ints
    """Hour on the wall of every minute."""

    @cached_property
    def day_of(self) -> Ints:
        """Index of every minute's day."""
        return np.repeat(np.arange(len(self.weekdays)), np.diff(self.starts))

    @cached_property
    def blocks(self) -> Ints:
        """First minutes of the runs of minutes of one day and hour."""
        is_first = np.diff(self.hours, prepend=-1) != 0
        is_first[self.starts[:-1]] = True
        return np.flatnonzero(is_first)

    def to_minutes(self, of_cells: Any) -> Any:
        """Values of days and hours, shape ``(days, 24)``, as values of every minute."""
        lengths = np.diff(np.append(self.blocks, self.starts[-1]))
        return np.repeat(of_cells.reshape(-1)[_cells(self)], lengths)

    def part(self, first: int, last: int) -> Timeline:
        """The days ``first`` to ``last`` (indices, both included) as a timeline of their own."""
        starts = self.starts[first : last + 2]
        hours = self.hours[starts[0] : starts[-1]]
        return Timeline(starts - starts[0], self.weekdays[first : last + 1], hours)


@dataclass(frozen=True)
class Coverage:
    """What is missing of one source; minutes and days as in its timeline."""

    is_gap: Bools
    """Minutes that lie in gaps; each day's part of a gap is beyond chance by itself."""
    is_absent: Bools
    """Days without any hit, of which its own rhythm explains the lack."""
    usual: Floats
    """Hits a minute at each hour of the day where nothing is missing; shape ``(24,)``."""
    usual_day: float
    """Hits of a day of which nothing is missing (median)."""


def find_gaps(
    line: Timeline, hits: Ints, is_known: Bools, *, has_ended: bool, is_due: bool
) -> Coverage:
    """Find what is missing of one source between its first hit and the timeline's end.

    Args:
        line: the days from the source's first one on.
        hits: hits of every minute.
        is_known: of every day, whether its minutes are known; others are taken as whole.
        has_ended: the source is gone for good: what follows its last hit is not missing.
        is_due: it is said to write every day: each day without a hit is missing.
    """
    day_of = line.day_of
    covered = (hits > 0) | ~is_known[day_of]
    seen = np.flatnonzero(covered)
    if not len(seen):
        nothing = np.zeros(len(is_known), dtype=bool)
        return Coverage(np.zeros(len(hits), dtype=bool), nothing, np.zeros(24), 0.0)
    span = slice(int(seen[0]), int(seen[-1]) + 1 if has_ended else len(hits))
    is_inside = np.zeros(len(hits), dtype=bool)
    is_inside[span] = True
    daily = np.add.reduceat(hits, line.starts[:-1])
    is_missing, is_absent = _missing_days(line, daily, is_known, is_inside, is_due=is_due)
    is_gap = is_missing[day_of] & is_inside
    is_usable = is_inside & is_known[day_of]
    is_usable &= ~_empty_hours(line, hits, is_usable & ~is_gap)
    for _ in range(_MOST_PASSES):  # a gap must not teach that gaps are usual
        rate = _rates(line, hits, covered, is_usable & ~is_gap)
        found = _far_beyond(covered, rate, span) | (is_missing[day_of] & is_inside)
        if np.array_equal(found, is_gap):
            break
        is_gap = found
    is_gap = _drop_slivers(line, is_gap, rate) | (is_missing[day_of] & is_inside)
    is_absent &= ~np.logical_or.reduceat(is_gap, line.starts[:-1])
    return weigh_coverage(line, hits, is_known, is_inside, is_gap, is_absent)


def weigh_coverage(  # noqa: PLR0913 what is known of a source's minutes and days
    line: Timeline,
    hits: Ints,
    is_known: Bools,
    is_inside: Bools,
    is_gap: Bools,
    is_absent: Bools,
) -> Coverage:
    """Weigh what is missing by the hits of what is not; ``is_inside``: the minutes of the log."""
    daily = np.add.reduceat(hits, line.starts[:-1])
    usual = _usual_hours(line, hits, is_inside & ~is_gap & is_known[line.day_of])
    is_whole = is_known & (daily > 0) & ~np.logical_or.reduceat(is_gap, line.starts[:-1])
    whole = daily[is_whole] if is_whole.any() else daily[daily > 0]
    usual_day = float(np.median(whole)) if len(whole) else 0.0
    return Coverage(is_gap, is_absent, usual, usual_day)


def _missing_days(
    line: Timeline, daily: Ints, is_known: Bools, is_inside: Bools, *, is_due: bool
) -> tuple[Bools, Bools]:
    """Days without a hit that the days with hits don't explain, and those that they do."""
    is_empty = is_known & (daily == 0) & np.logical_or.reduceat(is_inside, line.starts[:-1])
    if is_due:
        return is_empty, np.zeros_like(is_empty)
    if not is_empty.any() or not daily.any():
        return np.zeros_like(is_empty), is_empty
    is_weekend = line.weekdays >= SATURDAY
    steady = [_is_steady(daily, is_empty, is_weekend == kind) for kind in (False, True)]
    # Whether it comes every day is told by the days before its last one: it may be gone.
    is_before = np.arange(len(daily)) < np.flatnonzero(daily)[-1]
    known, empty = is_known & is_before, is_empty & is_before
    comes_rarely = empty.sum() - empty > 0.5 * np.maximum(known.sum() - known, 1)
    same, same_empty = (
        np.bincount(line.weekdays[days], minlength=7)[line.weekdays] - days
        for days in (known, empty)
    )
    not_that_weekday = (same >= 2) & (same_empty > 0.5 * same)
    is_missing = is_empty & ~not_that_weekday & np.where(is_weekend, steady[1], steady[0])
    is_missing &= ~comes_rarely
    return is_missing, is_empty & ~is_missing


def _is_steady(daily: Ints, is_empty: Bools, is_kind: Bools) -> bool:
    """Whether a day of a kind (weekend or not) without a hit is rarer than 1 in 1,000."""
    counts = daily[daily > 0].astype(np.float64)
    of_kind = daily[(daily > 0) & is_kind]
    median = float(np.median(counts))
    if len(of_kind):
        median = min(median, float(np.median(of_kind)))
    below = np.maximum(median - counts, 0.0)
    variance = (2 * (below**2).sum() + _CLUSTER_HITS * median) / len(counts)
    arrivals = median**2 / max(variance, median / 2)
    times_empty = len(find_runs(is_empty)[0]) - 1
    if times_empty:  # it has happened before
        often = -np.log(times_empty / (times_empty + len(counts)))
        arrivals = min(arrivals, max(often, median / _MANY_CLUSTERS))
    return bool(arrivals >= _ENOUGH_OF_A_DAY * (1 if len(of_kind) else CAUTION_AT_FIRST / CAUTION))


def _empty_hours(line: Timeline, hits: Ints, is_usable: Bools) -> Bools:
    """Minutes of hours without a hit where most days of a kind have many: no rhythm to learn."""
    minutes, total, squares = (
        _per_cell(line, values) for values in (is_usable, hits * is_usable, hits**2 * is_usable)
    )
    arrivals = _arrivals(minutes, total, squares) * minutes
    is_odd = total == 0
    for group, least_days in ((line.weekdays >= SATURDAY, 1), (line.weekdays, 3)):
        for member in np.unique(group):
            days = np.flatnonzero(group == member)
            if len(days) >= least_days:
                is_odd[days] &= np.median(arrivals[days], axis=0) >= CAUTION * _ENOUGH_OF_A_DAY
    odd: Bools = line.to_minutes(is_odd)
    return odd


def _cells(line: Timeline) -> Ints:
    """The day and hour that each of the timeline's blocks is of, as an index of days x 24."""
    return line.day_of[line.blocks] * 24 + line.hours[line.blocks]


def _per_cell(line: Timeline, values: Bools | Ints) -> Floats:
    """Sums of every day and hour, shape ``(days, 24)``."""
    sums = np.add.reduceat(values, line.blocks, dtype=np.int64)
    counts = np.bincount(_cells(line), sums, len(line.weekdays) * 24)
    return counts.reshape(-1, 24).astype(np.float64)


def _rates(line: Timeline, hits: Ints, covered: Bools, is_usable: Bools) -> Floats:
    """The rate of every minute over its day's caution."""
    rate, caution, _ = learn_rates(line, hits, covered, is_usable)
    careful: Floats = line.to_minutes(rate / caution)
    return careful


def learn_rates(
    line: Timeline, hits: Ints, covered: Bools, is_usable: Bools
) -> tuple[Floats, Floats, Bools]:
    """What the usable minutes of other days tell of each day and hour, shape ``(days, 24)``.

    The rate of a minute; by which factor the day may be quieter; whether any tells of the hour.
    """
    minutes, usable_hits = _per_cell(line, is_usable), hits * is_usable
    is_silent = is_usable & ~covered
    is_last = is_silent & np.append(covered[1:], np.True_)
    is_old = _silent_minutes(covered) > _OLD_SILENCE_MINUTES
    silences = [
        _per_cell(line, of) for of in (is_silent, is_last, is_silent & is_old, is_last & is_old)
    ]
    seen = np.minimum(minutes, 1)
    arrivals = _arrivals(minutes, _per_cell(line, usable_hits), _per_cell(line, usable_hits**2))
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


def _arrivals(minutes: Floats, total: Floats, squares: Floats) -> Floats:
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


def find_runs(flags: Bools) -> tuple[Ints, Ints]:
    """First index and end (excluded) of each run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return edges[::2], edges[1::2]


def _far_beyond(covered: Bools, rate: Floats, span: slice) -> Bools:
    """The minutes of silences that have survived more than chance allows."""
    firsts, ends = find_runs(~covered[span])
    survived = np.concatenate([[0.0], np.cumsum(rate[span])])
    is_far = survived[ends] - survived[firsts] >= _ENOUGH
    is_far &= ends - firsts >= LEAST_GAP_MINUTES
    return _fill(len(covered), firsts[is_far] + span.start, ends[is_far] + span.start)


def _fill(length: int, firsts: Ints, ends: Ints) -> Bools:
    steps = np.zeros(length + 1, dtype=np.int64)
    steps[firsts] += 1
    steps[ends] -= 1
    return np.cumsum(steps[:-1]) > 0


def _drop_slivers(line: Timeline, is_gap: Bools, rate: Floats) -> Bools:
    """Keep those parts of gaps, cut at midnight, that would say something by themselves.

    Of a silence that goes on over midnight, the first or last minutes of a day may be chance.
    """
    firsts, ends = find_runs(is_gap)
    cuts = line.starts[1:-1]
    inside = cuts[is_gap[cuts] & is_gap[cuts - 1]]
    firsts, ends = np.sort(np.append(firsts, inside)), np.sort(np.append(ends, inside))
    survived = np.concatenate([[0.0], np.cumsum(rate)])
    is_kept = survived[ends] - survived[firsts] >= _ENOUGH_OF_A_DAY
    is_kept &= ends - firsts >= LEAST_GAP_MINUTES
    return _fill(len(is_gap), firsts[is_kept], ends[is_kept])


def _usual_hours(line: Timeline, hits: Ints, is_usable: Bools) -> Floats:
    hours = line.hours[line.blocks]
    minutes = np.bincount(hours, np.add.reduceat(is_usable, line.blocks, dtype=np.int64), 24)
    total = np.bincount(hours, np.add.reduceat(hits * is_usable, line.blocks), 24)
    mean = total.sum() / max(minutes.sum(), 1)
    prior = _PRIOR_USUAL_MINUTES
    return np.asarray((total + prior * mean) / (minutes + prior), dtype=np.float64)


def list_gaps(is_gap: Bools, first: int, end: int) -> list[tuple[int, int]]:
    """The gaps in a day's minutes ``first`` to ``end``: first silent minute and end of each."""
    firsts, ends = find_runs(is_gap[first:end])
    return list(zip(firsts.tolist(), ends.tolist(), strict=True))
