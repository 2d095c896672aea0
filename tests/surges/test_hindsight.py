"""A surge that has been over for three weeks: its expectation, told anew from both sides."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipeline.definitions import HINDSIGHT_DAYS
from pipeline.surges import Judgement, find_surges, judge_days

START, END = 90, 95
JUDGED_ON_THE_DAY = ("expected", "upper", "score", "is_surge", "is_raised", "day_variance")


def wandering(countries: int = 1) -> np.ndarray:
    """The means of countries whose level wanders by half a per cent a day."""
    steps = np.random.default_rng(1).normal(0, 0.005, (countries, 160))
    return 4_000 * np.exp(np.cumsum(steps, axis=1))


def observe(mean: np.ndarray) -> np.ndarray:
    counts = np.random.default_rng(3).poisson(mean).astype(np.float64)
    counts[:, START : END + 1] *= 3
    return counts


def judge(counts: np.ndarray, coverage: np.ndarray | None = None) -> Judgement:
    return judge_days(np.arange(counts.shape[1], dtype=np.int64) + 4, counts, coverage)


def test_expectation_is_told_anew_once_and_judgements_stand() -> None:
    """Not a day sooner, and never again; nothing else changes."""
    counts = observe(wandering())
    last = END + HINDSIGHT_DAYS
    sooner, then, later = (judge(counts[:, :days]) for days in (last, last + 1, 160))
    assert sooner.is_surge[0].nonzero()[0].tolist() == list(range(START, END + 1))
    assert not sooner.in_hindsight.any()
    assert then.in_hindsight[0].nonzero()[0].tolist() == list(range(START, END + 1))
    np.testing.assert_array_equal(sooner.size_expected, sooner.expected)
    np.testing.assert_array_equal(then.size_expected, later.size_expected[:, : last + 1])
    told_anew = then.size_expected != then.expected
    np.testing.assert_array_equal(told_anew & ~np.isnan(then.expected), then.in_hindsight)
    for name in JUDGED_ON_THE_DAY:
        np.testing.assert_array_equal(getattr(sooner, name), getattr(then, name)[:, :last])


def test_expectation_is_closer_to_the_truth_from_both_sides() -> None:
    """Of 200 countries whose level wanders: its error falls by a quarter or more."""
    mean = wandering(200)
    counts, surge = observe(mean), slice(START, END + 1)
    sooner, later = (judge(counts[:, :days]) for days in (END + HINDSIGHT_DAYS, 160))
    told = later.in_hindsight[:, surge].all(axis=1)
    before, after = (
        np.abs(one.size_expected[told, surge] / mean[told, surge] - 1).mean()
        for one in (sooner, later)
    )
    assert told.sum() >= 150
    assert after < 0.75 * before


def test_rise_that_lasts_is_not_told_anew() -> None:
    """Its days are the new level by then: from both sides it would have been none."""
    counts = np.random.default_rng(4).poisson(np.repeat([2_000, 4_000], 100)).astype(np.float64)
    judged = judge(counts[np.newaxis])
    assert judged.is_surge[0, 100:120].all()
    assert not judged.in_hindsight.any()


@pytest.mark.parametrize("missing", ["days", "parts of days"])
def test_too_few_days_after_it_tell_nothing(missing: str) -> None:
    """A week of whole days after the surge is asked for, as before it."""
    counts, coverage = observe(wandering()), np.ones(160)
    after = slice(END + 7, END + HINDSIGHT_DAYS + 1)
    if missing == "days":
        counts[0, after] = np.nan
    else:
        counts[0, after], coverage[after] = np.floor(counts[0, after] * 0.6), 0.6
    assert not judge(counts, coverage).in_hindsight.any()


@pytest.mark.parametrize("days_after", [HINDSIGHT_DAYS - 1, HINDSIGHT_DAYS])
def test_surge_says_how_its_size_was_told(days_after: int) -> None:
    """Until then it is the sum of its days' expectations, which stand."""
    counts = observe(wandering())[0, : END + 1 + days_after]
    days = [date(2016, 8, 1) + timedelta(number) for number in range(len(counts))]
    sessions = pa.array(counts.astype(np.int64))
    daily = pa.table({"day": days, "country": ["US"] * len(days), "sessions": sessions})
    expected, surges = find_surges(daily)
    [surge] = surges.to_pylist()
    own = [row for row in expected.to_pylist() if row["is_surge"]]
    assert surge["in_hindsight"] == (days_after == HINDSIGHT_DAYS)
    is_sum = abs(surge["expected"] - sum(row["expected"] for row in own)) < 0.01
    assert is_sum != surge["in_hindsight"]
    assert surge["observed"] - surge["expected"] == pytest.approx(surge["excess"], abs=0.01)
    assert surge["excess_low"] < surge["excess"] < surge["excess_high"]
