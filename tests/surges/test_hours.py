"""The watch's arithmetic: an hour against the same hour of earlier days, no lake and no clock."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.demo.storm.november import DAYS, wall_hours
from pipeline.demo.storm.plan import plan_sessions, read_countries
from pipeline.demo.storm.simulate import DEFAULT_SEED
from pipeline.surges.finished_hours import (
    LEAST_SESSIONS,
    History,
    HourJudgement,
    judge_hours,
    weekday_factors,
)

Floats = NDArray[np.float64]
ALL_HOURS = np.arange(24)


def history_of(sessions: Floats, usable: NDArray[np.bool_] | None = None) -> History:
    """Make a history that begins on a Monday, every day of use unless said otherwise."""
    countries, days, _ = sessions.shape
    every = np.ones((countries, days), dtype=bool)
    return History(sessions, every if usable is None else usable, np.arange(days) % 7)


def one_hour(earlier: list[float], now: float) -> HourJudgement:
    """Judge one country's hour of `now` sessions, on the day after days of `earlier` sessions."""
    history = history_of(np.array(earlier, dtype=np.float64).reshape(1, len(earlier), 1))
    return judge_hours(history, len(earlier) % 7, np.array([0]), np.array([[now]]))


@pytest.mark.parametrize("days", [0, 1, 2])
def test_without_three_earlier_days_nothing_is_expected_and_nothing_is_a_surge(days: int) -> None:
    judged = one_hour([100.0] * days, 1e6)
    assert np.isnan(judged.expected).all()
    assert np.isnan(judged.upper).all()
    assert not judged.is_surge.any()


def test_three_earlier_days_are_enough_for_a_storm() -> None:
    judged = one_hour([17_000.0, 16_500.0, 17_200.0], 200_000)
    assert judged.is_surge.all()
    assert judged.expected[0, 0] == pytest.approx(16_900)
    assert 2.5 < judged.upper[0, 0] / judged.expected[0, 0] < 4


@pytest.mark.parametrize(("now", "is_surge"), [(LEAST_SESSIONS - 1, False), (30, True)])
def test_a_country_never_seen_before_needs_more_than_a_handful(now: float, is_surge: bool) -> None:
    assert one_hour([0.0] * 7, now).is_surge[0, 0] == is_surge


@given(
    earlier=st.lists(st.integers(0, 100_000), min_size=3, max_size=28),
    now=st.integers(0, 1_000_000),
    more=st.integers(0, 1_000_000),
)
@settings(max_examples=200)
def test_fewer_than_expected_is_no_surge_and_more_is_no_less_of_one(
    earlier: list[int], now: int, more: int
) -> None:
    """Whatever the history: floors hold, `upper` is the limit, and the limit is one-sided."""
    days = [float(count) for count in earlier]
    judged, larger = one_hour(days, now), one_hour(days, now + more)
    (expected,), (upper,), (is_surge,) = judged.expected[0], judged.upper[0], judged.is_surge[0]
    assert upper >= max(expected + 9.99, LEAST_SESSIONS)
    assert is_surge == (now > upper) or now == pytest.approx(upper, rel=1e-4)
    assert larger.is_surge[0, 0] >= is_surge


def test_a_storm_among_the_earlier_days_hides_no_other() -> None:
    """One surging day of seven, not flagged by anybody, moves the level by less than its half."""
    judged = one_hour([1000.0] * 6 + [50_000.0], 6000)
    assert judged.expected[0, 0] < 1100
    assert judged.is_surge.all()


def test_days_that_are_told_to_be_left_out_are() -> None:
    sessions = np.full((1, 6, 1), 100.0)
    sessions[0, 3:] = 5000
    usable = np.array([[True] * 3 + [False] * 3])
    judged = judge_hours(history_of(sessions, usable), 6, np.array([0]), np.array([[5000.0]]))
    assert judged.expected[0, 0] == pytest.approx(100)
    assert judged.is_surge.all()
    usable[0, 0] = False
    assert np.isnan(judge_hours(history_of(sessions, usable), 6, np.array([0]), sessions[:, 0])
                    .expected).all()  # fmt: skip


def test_an_hour_that_the_wall_skipped_on_a_day_is_no_zero() -> None:
    assert one_hour([100.0, float("nan"), 100.0, 100.0], 100).expected[0, 0] == pytest.approx(100)


def test_weekdays_have_factors_once_there_are_three_of_each() -> None:
    """Weekends of half the sessions: with three weeks a Saturday is expected to be one."""
    rng = np.random.default_rng(1)
    rhythm = np.array([1, 1, 1, 1, 1, 0.5, 0.5])[np.arange(28) % 7]
    sessions = rng.poisson(1000 * rhythm[None, :, None] * np.ones((1, 28, 24))).astype(np.float64)
    assert (weekday_factors(history_of(sessions[:, :14])) == 1).all()
    factors = weekday_factors(history_of(sessions[:, :26]))
    assert factors[0, 5] / factors[0, 0] == pytest.approx(0.5, abs=0.03)
    judged = judge_hours(history_of(sessions[:, :26]), 26 % 7, ALL_HOURS, sessions[:, 26])
    assert judged.expected.mean() == pytest.approx(500, rel=0.05)


def test_countries_and_hours_do_not_touch_one_another() -> None:
    rng = np.random.default_rng(2)
    sessions = rng.poisson(50, (5, 20, 24)).astype(np.float64)
    now = rng.poisson(50, (5, 24)).astype(np.float64)
    together = judge_hours(history_of(sessions), 6, ALL_HOURS, now)
    alone = judge_hours(history_of(sessions[2:3]), 6, ALL_HOURS[7:8], now[2:3, 7:8])
    assert alone.expected[0, 0] == together.expected[2, 7]
    assert alone.upper[0, 0] == together.upper[2, 7]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    """Return the benchmark's module."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.delitem(sys.modules, "hours", raising=False)
    import hours

    return hours


@pytest.mark.large
@pytest.mark.parametrize("seed", [1, 2])
def test_no_hour_of_eighty_quiet_countries_is_a_surge(bench, seed: int) -> None:
    """From their first day on; `make bench-surges` counts the years."""
    quiet = bench.simulate_quiet_hours(np.random.default_rng(seed), 75)
    assert bench.count_alarms(quiet.sessions).sum() == 0


def test_hours_of_many_times_the_usual_are_found(bench) -> None:
    """With a week of history: nine in ten hours of eight times the usual, above 5 an hour."""
    shares = bench.measure_detection(np.random.default_rng(3), 8, 8.0)
    assert (shares[1:] > 0.9).all()


@pytest.mark.parametrize("seed", [DEFAULT_SEED, 5])
@pytest.mark.parametrize("scale", [1.0, 0.1, 0.02, 0.005, 0.002])
def test_the_storm_of_2016_is_seen_before_midnight_and_nothing_before_it(
    scale: float, seed: int
) -> None:
    """By 22:00 of 8 November the U.S. surge; no country in any hour of the week before."""
    planned = plan_sessions(read_countries(), scale, seed)[:8]
    plans = [plan.sum(axis=1).astype(np.float64) for plan in planned]
    walls = [np.array(wall_hours(index)) for index in range(8)]
    by_wall = np.stack(
        [
            np.stack([plan[:, wall == hour].mean(axis=1) for hour in ALL_HOURS], axis=1)
            for plan, wall in zip(plans, walls, strict=True)
        ],
        axis=1,
    )
    weekdays = np.array([day.weekday() for day in DAYS[:8]])
    for index in range(8):
        usable = np.ones((len(by_wall), index), dtype=bool)
        earlier = History(by_wall[:, :index], usable, weekdays[:index])
        judged = judge_hours(earlier, int(weekdays[index]), walls[index], plans[index])
        if index < 7:
            assert not judged.is_surge.any(), DAYS[index]
    assert judged.is_surge[0, 21:].all()
    assert not judged.is_surge[:, :20].any()
