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
from typing import TYPE_CHECKING

import numpy as np

from pipeline.build.hazards import CAUTION, CAUTION_AT_FIRST, arrivals_of, learn_rates
from pipeline.build.timeline import SATURDAY, find_runs, per_cell

if TYPE_CHECKING:
    from pipeline.build.timeline import Timeline
    from pipeline.surges.baseline import Bools, Floats, Ints

LEAST_GAP_MINUTES = 5
"""Rotations and restarts are shorter; a day's last minutes often lie in the next file."""
FALSE_GAPS_A_DAY = 1e-4
FALSE_MISSING_A_DAY = 1e-3
_ENOUGH = float(np.log(1440 / FALSE_GAPS_A_DAY))
_ENOUGH_OF_A_DAY = float(-np.log(FALSE_MISSING_A_DAY))
_PRIOR_USUAL_MINUTES = 60.0  # of the day's mean, in an hour of which little or nothing is known
_CLUSTER_HITS = 4.0
_MANY_CLUSTERS = 10.0
_MOST_PASSES = 4


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
        per_cell(line, values) for values in (is_usable, hits * is_usable, hits**2 * is_usable)
    )
    arrivals = arrivals_of(minutes, total, squares) * minutes
    is_odd = total == 0
    for group, least_days in ((line.weekdays >= SATURDAY, 1), (line.weekdays, 3)):
        for member in np.unique(group):
            days = np.flatnonzero(group == member)
            if len(days) >= least_days:
                is_odd[days] &= np.median(arrivals[days], axis=0) >= CAUTION * _ENOUGH_OF_A_DAY
    odd: Bools = line.to_minutes(is_odd)
    return odd


def _rates(line: Timeline, hits: Ints, covered: Bools, is_usable: Bools) -> Floats:
    """The rate of every minute over its day's caution."""
    rate, caution, _ = learn_rates(line, hits, covered, is_usable)
    careful: Floats = line.to_minutes(rate / caution)
    return careful


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
