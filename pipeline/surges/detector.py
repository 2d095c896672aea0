"""Which days lie far above what a country's own history expects: one pass over the days.

The method is sequential: a day is judged by the days before it alone, and judging a later day
changes earlier ones only by dating a surge back a few days. How large a surge was is known better
from both sides of it, and is told anew three weeks later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.definitions import HINDSIGHT_DAYS, LEAST_HISTORY_DAYS, LEVEL_DAYS
from pipeline.surges.baseline import Baseline
from pipeline.surges.episodes import (
    LEAST_EXCESS,
    LEAST_SESSIONS,
    Episode,
    SurgeRules,
    episodes_of,
)
from pipeline.surges.tail import upper_quantile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.surges.baseline import Bools, Floats, Forecast, Ints

HIGHEST_SCORE = 300.0
COVERAGE_TOLERANCE = 0.02
"""Days whose coverage differs by less are equally complete."""


@dataclass(frozen=True)
class Judgement:
    """Per country (row) and day (column); NaN where too little history or no logs."""

    expected: Floats
    upper: Floats
    """Sessions from which a day raises an alarm by itself."""
    score: Floats
    """-log10 of the chance of so many sessions or more on an ordinary day, at most 300."""
    is_surge: Bools
    is_raised: Bools
    """Whether the day's own evidence raised an alarm, as opposed to a date set back later."""
    alarm_probability: Floats
    """The chance below which it does by itself."""
    day_variance: Floats
    """Of an ordinary day's sessions around their mean."""
    mean_variance: Floats
    """Of ``expected`` around that mean: the history is short."""
    in_hindsight: Bools
    """Whether what follows is by the days on both sides of a surge; else it is as above."""
    size_expected: Floats
    """What a surge's size is told by, and its variances."""
    size_day_variance: Floats
    size_mean_variance: Floats


@dataclass(frozen=True)
class Detection:
    """One country's days, judged; arrays as long as the days."""

    expected: Floats
    upper: Floats
    score: Floats
    is_surge: Bools
    episodes: list[Episode]


def detect(observed: Floats, first_weekday: int = 0) -> Detection:
    """Judge one country's sessions on consecutive calendar days; NaN is a day without logs.

    ``first_weekday``: weekday of the first day, Monday is 0. Episodes hold indices of days.
    """
    days = np.arange(len(observed), dtype=np.int64) + 4 + first_weekday  # 1970-01-05 is a Monday
    judged = judge_days(days, observed[np.newaxis, :].astype(np.float64))
    flagged = judged.is_surge[0]
    return Detection(
        judged.expected[0],
        judged.upper[0],
        judged.score[0],
        flagged,
        episodes_of(days, observed, flagged),
    )


def judge_days(days: Ints, counts: Floats, coverage: Floats | None = None) -> Judgement:
    """Judge every country on every day.

    A day of which a part is missing is no history for days more complete than itself: it is left
    out like a missing day. Its own count, too low, is judged all the same: what lies above the
    alarm is a surge, of at least that size. Where days are incomplete for long, in the same way,
    they are the history of one another.

    ``days``: since 1970-01-01, increasing, days without any log left out; ``counts``: sessions,
    countries x days, NaN where a single country's logs are missing; ``coverage``: of each day, the
    share (0 to 1) of what was expected that is there; by default all of it.
    """
    coverage = np.ones(len(days)) if coverage is None else coverage
    baseline, rules = Baseline(days, counts), SurgeRules(days, counts, coverage < 1)
    mean, day_variance, variance = (np.full(counts.shape, np.nan) for _ in range(3))
    in_hindsight: list[tuple[int, int, Forecast]] = []
    for column in range(1, len(days)):
        is_as_whole = coverage >= coverage[column] - COVERAGE_TOLERANCE
        forecast = baseline.forecast(column, rules.usable & is_as_whole)
        ready = forecast.is_ready
        mean[ready, column] = forecast.mean[ready]
        day_variance[ready, column] = forecast.day_variance[ready]
        variance[ready, column] = forecast.variance[ready]
        is_typical = _is_typical(days, coverage, column)
        rules.judge(column, forecast, is_typical=is_typical)
        baseline.learn(column, forecast, ~rules.is_surge[:, column], is_typical=is_typical)
        in_hindsight += _look_back(column, days, counts, coverage, baseline, rules)
    upper = _alarm_from(mean, variance, rules.alarm_probability)
    score = -np.log10(np.maximum(rules.probability, 10**-HIGHEST_SCORE))
    return Judgement(
        _rounded(mean),
        _rounded(upper),
        _rounded(score),
        rules.is_surge,
        rules.is_raised,
        rules.alarm_probability,
        day_variance,
        variance - day_variance,
        *_tell_again(in_hindsight, mean, day_variance, variance),
    )


def _tell_again(
    in_hindsight: list[tuple[int, int, Forecast]], *known: Floats
) -> tuple[Bools, Floats, Floats, Floats]:
    """The last four of ``Judgement``: mean and variances, anew where there is hindsight."""
    is_told = np.zeros(known[0].shape, dtype=bool)
    mean, day_variance, variance = (values.copy() for values in known)
    for country, column, forecast in in_hindsight:
        is_told[country, column] = True
        mean[country, column] = forecast.mean[0]
        day_variance[country, column] = forecast.day_variance[0]
        variance[country, column] = forecast.variance[0]
    return is_told, _rounded(mean), day_variance, variance - day_variance


def _look_back(  # noqa: PLR0913 what a day is expected by
    column: int, days: Ints, counts: Floats, coverage: Floats, baseline: Baseline, rules: SurgeRules
) -> Iterator[tuple[int, int, Forecast]]:
    """Expect the days of each surge that ended ``HINDSIGHT_DAYS`` ago anew, from both sides.

    Yields the country, the day's column and what is expected; nothing where a side has too few
    days, as the one before a rise that has lasted and is no surge any more, or where no excess
    would be left.
    """
    first, stop = np.searchsorted(days, days[column - 1 : column + 1] - HINDSIGHT_DAYS, "right")
    for country in np.flatnonzero(rules.is_surge[:, first:stop].any(axis=1)):
        for episode in episodes_of(days, counts[country], rules.is_surge[country]):
            if not first <= episode.end < stop:
                continue
            around = rules.usable[country] & (days >= days[episode.start] - LEVEL_DAYS)
            around[episode.start : episode.end + 1] = around[column + 1 :] = False
            found = []
            for at in range(episode.start, episode.end + 1):
                usable = around & (coverage >= coverage[at] - COVERAGE_TOLERANCE)
                before, after = usable[: episode.start].sum(), usable[episode.end :].sum()
                is_judged = not np.isnan(rules.probability[country, at])
                if is_judged and min(before, after) >= LEAST_HISTORY_DAYS:
                    found.append((int(country), at, baseline.look_back(int(country), at, usable)))
            excess = sum(counts[country, at] - forecast.mean[0] for _, at, forecast in found)
            if excess > 0:
                yield from found


def _is_typical(days: Ints, coverage: Floats, column: int) -> bool:
    """Whether a day is about as complete as the days that it is judged by."""
    before = coverage[(days >= days[column] - LEVEL_DAYS) & (days < days[column])]
    judged_by = before[before >= coverage[column] - COVERAGE_TOLERANCE]
    usual = float(np.median(judged_by)) if len(judged_by) else 1.0
    return bool(coverage[column] >= usual - COVERAGE_TOLERANCE)


def _alarm_from(mean: Floats, variance: Floats, probability: Floats) -> Floats:
    upper = np.full(mean.shape, np.nan)
    known = ~np.isnan(mean)
    floor = np.maximum(mean[known] + LEAST_EXCESS, LEAST_SESSIONS)
    upper[known] = upper_quantile(probability[known], mean[known], variance[known], floor)
    return upper


def _rounded(values: Floats) -> Floats:
    return np.asarray(np.round(values, 3) + 0.0, dtype=np.float64)  # no -0.0
