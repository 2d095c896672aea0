"""The detector on the daily table: Arrow in, the tables ``expected`` and ``surges`` out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.definitions import NO_COUNTRY
from pipeline.surges.common import rise_of_others
from pipeline.surges.detector import Judgement, judge_days
from pipeline.surges.episodes import Episode, episodes_of, last_settled
from pipeline.tables import EXPECTED, SURGES

if TYPE_CHECKING:
    from pipeline.surges.baseline import Bools, Floats, Ints

_EPOCH = date(1970, 1, 1)


_INTERVAL_SD = 2.0
"""Of a normal law it would be 1.645; the rest is days at the edges that are missed or taken in."""
_WANDER_A_DAY = 0.1
"""Of the variance, for each further day: the level that was known before the surge wanders on."""
_LARGEST_COVERAGE_IF_PRELIMINARY = 0.97
"""A day that lacks anything is no history of whole days, however little it lacks."""


def find_surges(
    daily: pa.Table,
    completeness: pa.Table | None = None,
    censored: Collection[date] = (),
    unlocated: Collection[date] = (),
) -> tuple[pa.Table, pa.Table]:
    """Return the tables ``expected`` and ``surges`` of ``daily``, ordered by country and day.

    ``daily``: day (date32), country (string), sessions (int64), one row per country with any hit
    on that day. Every country is judged on every day that has hits: a country absent on it counts
    0; a day without any hit is missing and has no row. ``expected``, ``upper`` and ``score`` are
    null while fewer than 7 of the last 56 days can serve as history.

    ``completeness``: day (date32), share (double), is_preliminary (bool), and maybe doubts (list of
    string): why hits may count twice; a day that it has not is whole. See ``judge_days`` for what a
    day that lacks a part may say. ``censored``: days on which visitors were turned away. An episode
    with a day of either kind among its flagged ones ``is_at_least`` of its size, unless one of its
    days has doubts; it ``is_open`` until a day that lacks nothing comes after it. Its
    ``others_ratio`` is given where the other countries rose alike (``rise_of_others``).

    ``unlocated``: days on which nobody was located: they are missing for every country, and their
    sessions, which are everybody's, are judged by those of other such days alone.
    """
    countries, days, counts = _to_matrix(daily)
    countries, counts = _set_apart(countries, counts, np.isin(days, _number(unlocated)))
    coverage = _coverage_of(days, completeness)
    judged = judge_days(days, counts, coverage)
    expected = _expected_table(countries, days, counts, judged)
    is_partial = coverage < 1
    is_censored = np.isin(days, _number(censored))
    is_doubted = np.isin(days, _list_doubted(completeness))
    surges = _surges_table(
        countries, days, counts, judged, is_partial, is_partial | is_censored, is_doubted
    )
    return expected, surges


def _number(days: Collection[date]) -> list[int]:
    return [(day - _EPOCH).days for day in days]


def _set_apart(
    countries: list[str], counts: Floats, is_unlocated: Bools
) -> tuple[list[str], Floats]:
    """One row a series, NaN where it has no day: everybody's, under no country, is the last one."""
    if not is_unlocated.any():
        return countries, counts
    everybody = counts[countries.index(NO_COUNTRY)]
    return [*countries, NO_COUNTRY], np.vstack(
        [np.where(is_unlocated, np.nan, counts), np.where(is_unlocated, everybody, np.nan)]
    )


def last_settled_day(is_partial: Mapping[date, bool], before: date) -> date | None:
    """The last day before another that can end a surge; None when there is none at all.

    ``is_partial``: by each day that has hits, whether it lacks a part.
    """
    days = sorted(day for day in is_partial if day < before)
    if not days:
        return None
    numbers = np.array([(day - _EPOCH).days for day in days], dtype=np.int64)
    settled = last_settled(numbers, np.array([is_partial[day] for day in days]))
    return _EPOCH + timedelta(days=settled)


def _coverage_of(days: Ints, completeness: pa.Table | None) -> Floats:
    """Which share of each day is there: 1 for whole days alone."""
    coverage = np.ones(len(days))
    if completeness is None or completeness.num_rows == 0:
        return coverage
    lacking = completeness.filter(completeness["is_preliminary"])
    numbers = lacking["day"].cast(pa.int32()).to_numpy()
    shares = np.minimum(lacking["share"].to_numpy(), _LARGEST_COVERAGE_IF_PRELIMINARY)
    known = dict(zip(numbers.tolist(), shares.tolist(), strict=True))
    return np.array([known.get(day, 1.0) for day in days.tolist()], dtype=np.float64)


def _list_doubted(completeness: pa.Table | None) -> list[int]:
    """The days since 1970 whose hits may count twice."""
    if completeness is None or "doubts" not in completeness.column_names:
        return []
    doubted = completeness.filter(pc.greater(pc.list_value_length(completeness["doubts"]), 0))
    days: list[int] = doubted["day"].cast(pa.int32()).to_pylist()
    return days


def _to_matrix(daily: pa.Table) -> tuple[list[str], Ints, Floats]:
    """Return sorted countries, sorted days since 1970-01-01, and sessions, countries x days."""
    column: Any = daily["country"].cast(pa.string())
    countries: list[str] = sorted(pc.unique(column).to_pylist())
    rows = pc.index_in(column, value_set=pa.array(countries, pa.string())).to_numpy()
    day_numbers = daily["day"].cast(pa.date32()).cast(pa.int32()).to_numpy().astype(np.int64)
    days, columns = np.unique(day_numbers, return_inverse=True)
    counts = np.zeros((len(countries), len(days)))
    np.add.at(counts, (rows, columns), daily["sessions"].cast(pa.int64()).to_numpy())
    return countries, days, counts


def _expected_table(
    countries: list[str], days: Ints, counts: Floats, judged: Judgement
) -> pa.Table:
    columns = [
        pa.array(np.repeat(np.array(countries, dtype=object), len(days)), pa.string()),
        pa.array(np.tile(days.astype(np.int32), len(countries)), pa.date32()),
        pa.array(np.nan_to_num(counts.ravel()).astype(np.int64), pa.int64()),
        *(_nullable(values) for values in (judged.expected, judged.upper, judged.score)),
        pa.array(judged.is_surge.ravel(), pa.bool_()),
    ]
    table = pa.table(columns, schema=EXPECTED)
    is_known = ~np.isnan(counts)
    return table if is_known.all() else _in_order(table.filter(is_known.ravel()), "day")


def _in_order(table: pa.Table, day: str) -> pa.Table:
    """By country and day: those of no country may come from two series."""
    return table.sort_by([("country", "ascending"), (day, "ascending")])


def _nullable(values: Floats) -> pa.DoubleArray:
    return pa.array(values.ravel(), pa.float64(), from_pandas=True)


def _surges_table(  # noqa: PLR0913 what the table is made of
    countries: list[str],
    days: Ints,
    counts: Floats,
    judged: Judgement,
    is_partial: Bools,
    is_lower_bound: Bools,
    is_doubted: Bools,
) -> pa.Table:
    rows = []
    others = rise_of_others(counts, judged)
    for row in np.flatnonzero(judged.is_surge.any(axis=1)):
        at = ~np.isnan(counts[row])
        own = Judgement(*(getattr(judged, its.name)[row, at] for its in fields(judged)))
        settled = last_settled(days[at], is_partial[at])
        for episode in episodes_of(days[at], counts[row, at], own.is_surge):
            span = slice(episode.start, episode.end + 1)
            is_at_least = (own.is_surge & is_lower_bound[at])[span].any()
            rows.append(
                {
                    **_surge_row(countries[row], days[at], counts[row, at], own, episode),
                    "is_open": bool(days[at][episode.end] >= settled),
                    "is_at_least": bool(is_at_least and not is_doubted[at][span].any()),
                    "others_ratio": _others_ratio(own, others[row, at], episode),
                    "in_hindsight": bool(own.in_hindsight[span].any()),
                }
            )
    return _in_order(pa.Table.from_pylist(rows, schema=SURGES), "start_day")


def _surge_row(
    country: str, days: Ints, counts: Floats, judged: Judgement, episode: Episode
) -> dict[str, Any]:
    """Sum over the span's days with hits; one that could not be judged adds no excess."""
    span = slice(episode.start, episode.end + 1)
    expected = judged.size_expected
    observed = int(counts[span].sum())
    usual = float(np.where(np.isnan(expected[span]), counts[span], expected[span]).sum())
    excess = observed - round(usual, 3)
    start, peak, end = (int(days[at]) for at in (episode.start, episode.peak, episode.end))
    reach = excess_reach(judged.size_day_variance[span], judged.size_mean_variance[span])
    return {
        "country": country,
        "start_day": pa.scalar(start, pa.date32()),
        "peak_day": pa.scalar(peak, pa.date32()),
        "end_day": pa.scalar(end, pa.date32()),
        "days": end - start + 1,
        "observed": observed,
        "expected": round(usual, 3),
        "excess": excess,
        "peak_sessions": int(counts[episode.peak]),
        "peak_ratio": int(counts[episode.peak]) / max(float(judged.expected[episode.peak]), 0.001),
        "excess_low": round(excess - reach, 3),
        "excess_high": round(excess + reach, 3),
    }


def _others_ratio(judged: Judgement, others: Floats, episode: Episode) -> float | None:
    """How many times their expected sessions the others had on the days that raised the alarm.

    None when what they had does not explain one of these: the surge is the country's own.
    """
    span = slice(episode.start, episode.end + 1)
    raised = judged.is_raised[span] & judged.is_surge[span]
    expected, rise = judged.expected[span][raised], others[span][raised]
    if np.isnan(rise).any():
        return None
    return round(float((expected * rise).sum() / expected.sum()), 3)


def excess_reach(day_variance: Floats, mean_variance: Floats) -> float:
    """How far the true excess of these days may lie from the measured one, at 90 %.

    Days vary apart from one another; the mean of all of them errs to the same side.
    """
    variance = np.nansum(day_variance) + np.nansum(np.sqrt(mean_variance)) ** 2
    return float(_INTERVAL_SD * np.sqrt(variance * (1 + _WANDER_A_DAY * (len(day_variance) - 1))))
