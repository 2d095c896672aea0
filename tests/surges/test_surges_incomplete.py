"""Surges and incomplete days: a gap opens none, hides none, and a surge in one is "at least"."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.surges import find_surges, judge_days
from pipeline.surges.episodes import episodes_of

FIRST = date(2016, 11, 1)
STORM = (249950, 742915, 262418, 158307, 104651, 91884, 87530, 74916, 64760)
WEEK_BEFORE = (45310, 45880, 45020, 42950, 39470, 40260, 48249)
DAYS_AFTER = (47208, 44115, 40377, 41026)
WEEKDAYS = np.array([1.1, 1.15, 1.1, 1.05, 1.0, 0.8, 0.8])
NOVEMBER = np.array(WEEK_BEFORE + STORM + DAYS_AFTER)


def numbers(days: int) -> np.ndarray:
    """Return day numbers from a Monday on."""
    return np.arange(days, dtype=np.int64) + 4


def quiet(seed: int, days: int, mean: float) -> np.ndarray:
    """Draw one country's quiet sessions that raise no alarm by themselves."""
    for draw in range(100):
        rng = np.random.default_rng([seed, draw])
        noise = rng.gamma(400, 1 / 400, days)
        counts = rng.poisson(mean * WEEKDAYS[np.arange(days) % 7] * noise).astype(np.float64)
        judged = judge_days(numbers(days), counts[np.newaxis])
        margin = np.nanmin(judged.upper[0] - counts)
        if margin > 0.05 * mean and not judged.is_surge.any():
            return counts
    raise AssertionError("no quiet series")


def tables(
    counts: np.ndarray, shares: dict[int, float], first: date = FIRST
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Judge the U.S. alone; ``shares`` of the incomplete days by their index."""
    days = [first + timedelta(n) for n in range(len(counts))]
    daily = pa.table(
        {"day": pa.array(days), "country": ["US"] * len(days),
         "sessions": pa.array([int(count) for count in counts])}
    )  # fmt: skip
    completeness = pa.table(
        {"day": pa.array(days), "share": [shares.get(n, 1.0) for n in range(len(days))],
         "is_preliminary": [n in shares for n in range(len(days))]}
    )  # fmt: skip
    expected, surges = find_surges(daily, completeness)
    return expected.to_pylist(), surges.to_pylist()


def test_complete_days_change_nothing() -> None:
    """With every day complete the judgement is bit by bit that without any completeness."""
    rng = np.random.default_rng(1)
    counts = np.stack([rng.poisson(mean, 200) for mean in (2, 50, 4_000)]).astype(np.float64)
    counts[:, 120:125] *= 6
    plain = judge_days(numbers(200), counts)
    whole = judge_days(numbers(200), counts, np.ones(200))
    for name in ("expected", "upper", "score", "is_surge", "is_raised"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(whole, name))
    days = [FIRST + timedelta(n) for n in range(20)]
    daily = pa.table({"day": days, "country": ["US"] * 20, "sessions": NOVEMBER.tolist()})
    _, surges = find_surges(daily)
    assert surges.to_pylist() == tables(NOVEMBER, {})[1]


@pytest.mark.large
@settings(max_examples=60)
@given(
    seed=st.integers(0, 7),
    mean=st.sampled_from([40.0, 800.0, 43_877.0]),
    day=st.integers(0, 69),
    share=st.floats(0.0, 0.96),
)
def test_hours_missing_on_a_day_open_no_surge_on_any_day(
    seed: int, mean: float, day: int, share: float
) -> None:
    """Of a quiet series any part of any one day is taken away: neither it nor a later day rises."""
    counts = quiet(seed, 70, mean)
    counts[day] = np.floor(counts[day] * share)
    coverage = np.ones(70)
    coverage[day] = share
    assert not judge_days(numbers(70), counts[np.newaxis], coverage).is_surge.any()


@pytest.mark.parametrize("missing", [range(30, 37), range(20, 60), range(8, 12)])
def test_source_that_comes_back_after_weeks_opens_no_surge(missing: range) -> None:
    """Two fifths of the sessions for days or weeks, then all again: no day is a surge."""
    counts, coverage = quiet(3, 90, 5_000), np.ones(90)
    counts[missing], coverage[missing] = np.floor(counts[missing] * 0.4), 0.4
    assert not judge_days(numbers(90), counts[np.newaxis], coverage).is_surge.any()
    ignorant = judge_days(numbers(90), counts[np.newaxis])
    assert ignorant.is_surge.any() or len(missing) < 14  # or nothing would be proved


def test_an_incomplete_day_leaves_expectations_as_a_missing_one() -> None:
    counts, coverage = quiet(4, 80, 2_000), np.ones(80)
    lower, missing = counts.copy(), counts.copy()
    lower[40], coverage[40], missing[40] = 700.0, 0.3, np.nan
    judged = judge_days(numbers(80), lower[np.newaxis], coverage)
    without = judge_days(numbers(80), missing[np.newaxis])
    np.testing.assert_array_equal(judged.expected, without.expected)
    np.testing.assert_array_equal(judged.upper, without.upper)


def test_a_storm_day_with_two_of_five_servers_is_a_surge_of_at_least() -> None:
    """Of the 742,915 of the 9th two fifths are there: flagged, the peak, and at least."""
    counts = NOVEMBER[:9].copy()
    counts[8] = 297_166
    _, [surge] = tables(counts, {8: 0.4})
    assert (surge["peak_day"], surge["peak_sessions"]) == (FIRST + timedelta(8), 297_166)
    assert (surge["is_at_least"], surge["is_open"]) == (True, True)
    _, [whole] = tables(NOVEMBER, {})
    assert not whole["is_at_least"]


def test_a_surge_on_a_day_when_visitors_were_turned_away_is_of_at_least() -> None:
    """Also when nothing is missing of the logs; a censored day outside of it changes nothing."""
    days = [FIRST + timedelta(n) for n in range(20)]
    daily = pa.table({"day": days, "country": ["US"] * 20, "sessions": NOVEMBER.tolist()})

    def judge(*censored: int) -> tuple[bool, bool]:
        _, surges = find_surges(daily, None, [FIRST + timedelta(n) for n in censored])
        [surge] = surges.to_pylist()
        return surge["is_at_least"], surge["is_open"]

    assert judge() == judge(2) == (False, False)
    assert judge(8) == (True, False)


@pytest.mark.parametrize(
    ("after", "lacking", "is_open"),
    [
        ([3], {9: 0.01}, True),
        ([3, 5], {9: 0.01, 10: 0.02}, True),
        ([44_000], {}, False),
        ([44_000, 3], {10: 0.01}, False),
        ([3, 44_000], {9: 0.01}, False),
        ([40_000] * 9, dict.fromkeys(range(9, 18), 0.9), False),
    ],
    ids=["a sliver", "two", "a whole day", "a whole day and a sliver", "a sliver and a whole day",
         "more than a week of days that lack a part"],
)  # fmt: skip
def test_a_day_that_lacks_a_part_ends_no_surge(
    after: list[int], lacking: dict[int, float], is_open: bool
) -> None:
    """Eight days of history, the storm's first two days, and what comes after it."""
    counts = np.array([*NOVEMBER[:9], *after])
    _, [surge] = tables(counts, lacking)
    assert (surge["start_day"], surge["end_day"]) == (FIRST + timedelta(7), FIRST + timedelta(8))
    assert surge["is_open"] is is_open
    assert surge["is_at_least"] is False


def test_an_incomplete_day_within_the_storm_makes_it_at_least_and_does_not_split_it() -> None:
    """A third of the 12th is there: fewer than usual, the storm goes on over it."""
    counts = NOVEMBER.copy()
    counts[11] = 34_000
    _, [surge] = tables(counts, {11: 0.33})
    assert (surge["start_day"], surge["end_day"]) == (FIRST + timedelta(7), FIRST + timedelta(15))
    assert not surge["is_at_least"]  # the flagged days are whole
    counts[11] = 80_000
    _, [surge] = tables(counts, {11: 0.76})
    assert surge["is_at_least"]


def test_days_incomplete_for_long_are_the_history_of_one_another() -> None:
    """A named server that never came leaves four fifths of every day: surges are found."""
    counts = quiet(5, 100, 3_000)
    counts[80:83] *= 5
    coverage = np.full(100, 0.8) + np.random.default_rng(1).uniform(-0.005, 0.005, 100)
    judged = judge_days(numbers(100), counts[np.newaxis], coverage)
    [episode] = episodes_of(numbers(100), counts, judged.is_surge[0])
    assert (episode.start, episode.peak // 83) == (80, 0)
    assert episode.end in {82, 83}
    plain = judge_days(numbers(100), counts[np.newaxis])
    np.testing.assert_array_equal(judged.expected, plain.expected)


def test_a_day_that_lacks_a_minute_is_no_history_and_a_damaged_one_neither() -> None:
    """Preliminary with a share of 0.9999 or 1: left out like any other."""
    counts = quiet(6, 40, 2_000)
    for share in (0.9999, 1.0):
        rows, _ = tables(counts, {20: share})
        missing, _ = tables(np.delete(counts, 20), {})
        assert [row["expected"] for row in rows][21] != missing[20]["expected"]  # other weekdays
        whole, _ = tables(counts, {})
        assert rows[23]["expected"] != whole[23]["expected"]


@pytest.mark.parametrize(("doubted", "is_at_least"), [([], True), ([8], False), ([2], True)])
def test_a_surge_whose_hits_may_count_twice_is_not_at_least(
    doubted: list[int], is_at_least: bool
) -> None:
    """A day of it lacks a part, another may have too much; a doubt outside of it says nothing."""
    counts = np.concatenate([quiet(1, 70, 43_877.0), NOVEMBER])
    days = [FIRST + timedelta(n) for n in range(len(counts))]
    daily = pa.table({"day": days, "country": ["US"] * len(days), "sessions": counts.astype(int)})
    completeness = pa.table(
        {
            "day": days,
            "share": [0.9 if n == 79 else 1.0 for n in range(len(days))],
            "is_preliminary": [n == 79 for n in range(len(days))],
            "doubts": pa.array(
                [["sent twice"] if n - 70 in doubted else [] for n in range(len(days))],
                pa.list_(pa.string()),
            ),
        }
    )
    _, surges = find_surges(daily, completeness)
    assert [surge["is_at_least"] for surge in surges.to_pylist()] == [is_at_least]
