"""How well flagged days match the surges that ``surges_simulation`` put in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from surges_simulation import LONGEST_DAYS

from pipeline.surges import Episode, Judgement, judge_days
from pipeline.surges.episodes import episodes_of
from pipeline.surges.results import excess_reach

if TYPE_CHECKING:
    from surges_simulation import Series, Surge

MONDAY = 16_808  # 2016-01-11, in days since 1970-01-01


@dataclass(frozen=True)
class Outcome:
    """What became of one injected surge; days early are negative."""

    size_sd: float
    shape: str
    is_detected: bool
    inside_share: float
    start_error_days: int = 0
    end_error_days: int = 0
    raised_after_days: int = 0
    excess_error: float = 0.0
    is_covered: bool = False
    """Whether what was added lies in the excess' 90 % interval."""


@dataclass(frozen=True)
class Quiet:
    """False alarms in countries without surges."""

    decades: float
    episodes: int
    flagged_days: int


def measure_quiet(series: list[Series]) -> Quiet:
    """Judge countries of equal length that hold no surge."""
    judged, days = _judge(series)
    found = sum(
        len(episodes_of(days, country.sessions, flags))
        for country, flags in zip(series, judged.is_surge, strict=True)
    )
    return Quiet(len(series) * len(days) / 3652.5, found, int(judged.is_surge.sum()))


def measure_surges(series: list[Series]) -> list[Outcome]:
    """Judge countries of equal length and look at each surge that was put in."""
    judged, days = _judge(series)
    outcomes = []
    for row, country in enumerate(series):
        found = episodes_of(days, country.sessions, judged.is_surge[row])
        for surge in country.surges:
            touching = [e for e in found if e.start <= surge.end and e.end >= surge.start]
            outcomes.append(_outcome(country, surge, touching, judged, row))
    return outcomes


def measure_early(series: list[Series], history_days: int) -> list[Outcome]:
    """Judge countries with one surge each, of which logs begin ``history_days`` before it."""
    cut = []
    for country in series:
        [surge] = country.surges
        first = surge.start - history_days
        moved = replace(surge, start=history_days, peak=surge.peak - first, end=surge.end - first)
        sessions = country.sessions[first : first + history_days + LONGEST_DAYS]
        if len(sessions) == history_days + LONGEST_DAYS:
            cut.append(replace(country, sessions=sessions, surges=[moved]))
    return measure_surges(cut)


def _judge(series: list[Series]) -> tuple[Judgement, np.ndarray]:
    counts = np.stack([country.sessions for country in series])
    days = np.arange(counts.shape[1], dtype=np.int64) + MONDAY
    return judge_days(days, counts), days


def _outcome(
    country: Series, surge: Surge, touching: list[Episode], judged: Judgement, row: int
) -> Outcome:
    """The surge is detected when one of its own days is flagged; errors are those of the span."""
    flags = judged.is_surge[row]
    inside = flags[surge.days]
    if not inside.any():
        return Outcome(surge.size_sd, surge.shape, is_detected=False, inside_share=0.0)
    start, end = touching[0].start, touching[-1].end
    span = slice(start, end + 1)
    raised = start + int(np.argmax(judged.is_raised[row, span]))
    excess = np.nansum(country.sessions[span] - judged.size_expected[row, span])
    reach = excess_reach(judged.size_day_variance[row, span], judged.size_mean_variance[row, span])
    error = float(abs(excess - surge.added.sum()))
    return Outcome(
        surge.size_sd,
        surge.shape,
        is_detected=True,
        inside_share=float(inside.mean()),
        start_error_days=start - surge.start,
        end_error_days=end - surge.end,
        raised_after_days=raised - surge.start,
        excess_error=error / float(surge.added.sum()),
        is_covered=error <= reach,
    )
