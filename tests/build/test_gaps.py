"""Which silences of one source are gaps: simulated sources of known rates, some with holes."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.build.gaps import Coverage, find_gaps, list_gaps
from pipeline.build.timeline import Timeline

HOURS = np.array([2.6, 1.8, 1.3, 1.0, 0.9, 1.1, 1.7, 2.8, 4.3, 5.6, 6.2, 6.4,
                  6.2, 6.2, 6.3, 6.2, 5.9, 5.4, 5.0, 4.9, 5.0, 5.1, 4.5, 3.0])  # fmt: skip
DAY = 1440
QUIET_AND_BUSY = [0.5, 2, 5, 10, 30, 100, 1_000, 20_000, 500_000]
"""Hits a day."""


def timeline(days: int, first_weekday: int = 1) -> Timeline:
    """Return consecutive days of 24 hours."""
    return Timeline(
        np.arange(days + 1) * DAY,
        (first_weekday + np.arange(days)) % 7,
        np.tile(np.repeat(np.arange(24), 60), days),
    )


def draw(
    rng: np.random.Generator, line: Timeline, a_day: float, weekend: float = 1.0, noise: float = 0.0
) -> np.ndarray:
    """Draw Poisson hits with a daily rhythm, weekends at a level of their own, days that vary."""
    level = np.where(line.weekdays >= 5, weekend, 1.0)
    level = level * np.exp(rng.normal(0, noise, len(level)))
    return rng.poisson(a_day * (HOURS / HOURS.sum())[line.hours] / 60 * level[line.day_of])


def judge(
    line: Timeline, hits: np.ndarray, *, has_ended: bool = False, is_due: bool = False
) -> tuple[Coverage, list[list[tuple[int, int]]]]:
    """Judge a source from its first day on; returns each day's gaps, too."""
    days = len(line.weekdays)
    seen = np.flatnonzero(hits)
    first = int(seen[0]) // DAY if len(seen) else 0
    part = line.part(first, days - 1)
    known = np.ones(days - first, dtype=bool)
    found = find_gaps(part, hits[first * DAY :], known, has_ended=has_ended, is_due=is_due)
    own = [list_gaps(found.is_gap, n * DAY, (n + 1) * DAY) for n in range(days - first)]
    return found, [[] for _ in range(first)] + own


@pytest.mark.rest_large
@pytest.mark.parametrize("a_day", QUIET_AND_BUSY)
@pytest.mark.parametrize(("weekend", "noise"), [(1.0, 0.0), (0.3, 0.2)])
def test_whole_sources_of_any_rate_have_no_gap(a_day: float, weekend: float, noise: float) -> None:
    """200 days of a source, however quiet, and 30 lakes of 2 to 13 days: at most one false day."""
    rng = np.random.default_rng(round(a_day * 10))
    lengths = [200, *rng.integers(2, 14, 30)]
    false_days = 0
    for first_weekday, days in enumerate(lengths):
        line = timeline(int(days), first_weekday % 7)
        _, gaps = judge(line, draw(rng, line, a_day, weekend, noise))
        false_days += sum(map(bool, gaps))
    assert false_days <= 1


@pytest.mark.parametrize(
    ("a_day", "shortest_found"), [(300, 360), (1_000, 120), (20_000, 15), (500_000, 6)]
)
def test_the_busier_a_source_the_shorter_a_gap_shows(a_day: float, shortest_found: int) -> None:
    """A hole from 10:00 on is found to the minute, give or take the hits beside it."""
    line = timeline(40)
    hits = draw(np.random.default_rng(3), line, a_day)
    hits[25 * DAY + 600 : 25 * DAY + 600 + shortest_found] = 0
    _, gaps = judge(line, hits)
    [(start, end)] = gaps[25]
    assert start <= 600 < 600 + shortest_found <= end
    assert end - start <= shortest_found + 60 * 300 / a_day
    assert not any(own for day, own in enumerate(gaps) if day != 25)


def test_a_night_is_silent_and_a_silent_noon_is_not() -> None:
    """With nothing ever from 22 to 6, six hours of day are a gap and eight of night are none."""
    line = timeline(30)
    hits = draw(np.random.default_rng(5), line, 2_000)
    hits[(line.hours >= 22) | (line.hours < 6)] = 0
    hits[20 * DAY + 9 * 60 : 20 * DAY + 15 * 60] = 0
    _, gaps = judge(line, hits)
    assert [day for day, own in enumerate(gaps) if own] == [20]


def test_a_gap_over_midnight_is_cut_between_its_days() -> None:
    line = timeline(30)
    hits = draw(np.random.default_rng(6), line, 50_000)
    hits[20 * DAY - 120 : 20 * DAY + 180] = 0
    _, gaps = judge(line, hits)
    assert [gaps[19], gaps[20]] == [[(1320, 1440)], [(0, 180)]]


def test_the_last_minutes_of_a_day_wait_for_the_next_file() -> None:
    """A file that ends 4 minutes early leaves its day whole; the day after is missing."""
    line = timeline(20)
    hits = draw(np.random.default_rng(7), line, 500_000)
    hits[19 * DAY - 4 :] = 0
    _, gaps = judge(line, hits)
    assert gaps[18] == []
    assert gaps[19] == [(0, DAY)]


def test_many_missing_days_do_not_become_the_rhythm() -> None:
    """Seven scattered days of 30 are missing: each is found, and two hours of another, too."""
    line = timeline(30)
    hits = draw(np.random.default_rng(8), line, 20_000)
    missing = [3, 7, 8, 12, 16, 21, 26]
    for day in missing:
        hits[day * DAY : (day + 1) * DAY] = 0
    hits[18 * DAY + 700 : 18 * DAY + 820] = 0
    _, gaps = judge(line, hits)
    assert [day for day, own in enumerate(gaps) if own == [(0, DAY)]] == missing
    assert [day for day, own in enumerate(gaps) if own and day not in missing] == [18]


def test_the_same_hours_missing_on_several_days_do_not_excuse_each_other() -> None:
    """Nothing after 14:00 on three days of 20: each is found."""
    line = timeline(20)
    hits = draw(np.random.default_rng(12), line, 5_000)
    for day in (4, 9, 15):
        hits[day * DAY + 840 : (day + 1) * DAY] = 0
    _, gaps = judge(line, hits)
    assert [day for day, own in enumerate(gaps) if own] == [4, 9, 15]


def test_a_source_closed_on_sundays_is_not_expected_on_them() -> None:
    """Its Sundays are absent, not missing; a missing Tuesday is missing."""
    line = timeline(35, first_weekday=0)
    hits = draw(np.random.default_rng(9), line, 3_000)
    hits[(line.weekdays == 6)[line.day_of]] = 0
    hits[22 * DAY : 23 * DAY] = 0
    found, gaps = judge(line, hits)
    assert [day for day, own in enumerate(gaps) if own] == [22]
    assert np.flatnonzero(found.is_absent).tolist() == [6, 13, 20, 27, 34]


def test_of_a_handful_of_regular_hits_a_missing_day_shows() -> None:
    """Twenty lines at noon every day: after some days, a day without them is missing."""
    line = timeline(10)
    hits = np.zeros(10 * DAY, dtype=np.int64)
    for day in range(10):
        hits[day * DAY + 720 : day * DAY + 740] = 1
    hits[8 * DAY : 9 * DAY] = 0
    _, gaps = judge(line, hits)
    assert [day for day, own in enumerate(gaps) if own] == [8]


def test_a_source_that_is_due_misses_every_day_without_a_hit() -> None:
    """Three hits on two of five days say nothing; named by the setting, three days are missing."""
    line = timeline(5)
    hits = np.zeros(5 * DAY, dtype=np.int64)
    hits[[600, 3 * DAY + 600]] = 3
    assert not any(judge(line, hits)[1])
    assert [bool(own) for own in judge(line, hits, is_due=True)[1]] == [
        False,
        True,
        True,
        False,
        True,
    ]


def test_what_follows_the_last_hit_of_a_retired_source_is_no_gap() -> None:
    line = timeline(20)
    hits = draw(np.random.default_rng(10), line, 20_000)
    hits[19 * DAY + 700 :] = 0
    assert judge(line, hits)[1][19] == [(700, DAY)]
    assert not any(judge(line, hits, has_ended=True)[1])


def test_the_first_days_morning_is_no_gap() -> None:
    """A server that starts at noon is expected from noon on."""
    line = timeline(20)
    hits = draw(np.random.default_rng(11), line, 20_000)
    hits[: DAY // 2] = 0
    assert not any(judge(line, hits)[1])
