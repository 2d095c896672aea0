"""The simulator's table, its scaling, and the comparison with the published figures."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.demo.storm.cells import check_scale, read_cells, scale_cell, scaled_days
from pipeline.demo.storm.plan import apportion, plan_sessions, read_countries
from pipeline.demo.storm.published import PUBLISHED, SCALED, compare
from pipeline.errors import SettingsError
from pipeline.language import ENGLISH

NOVEMBER = [date(2016, 11, day) for day in range(1, 21)]


def us_days(first: int, last: int) -> list[int]:
    days = scaled_days(1)
    return [days[date(2016, 11, day), "US"] for day in range(first, last + 1)]


def test_single_days_add_up_to_the_published_totals():
    assert sum(us_days(1, 7)) == 7 * 43_877
    assert us_days(8, 9) == [249_950, 742_915]
    assert sum(us_days(8, 16)) == 1_837_331
    assert scaled_days(1)[date(2016, 11, 9), "all"] == 1_611_800


def test_only_the_five_figures_of_the_article_are_called_published():
    published = [
        (cell.first_day.day, cell.last_day.day, cell.country, cell.figure, cell.sessions)
        for cell in read_cells()
        if cell.is_published
    ]
    assert sorted(published) == [
        (1, 7, "US", "mean of days", 43_877),
        (8, 8, "US", "day", 249_950),
        (8, 16, "US", "sum of days", 1_837_331),
        (9, 9, "US", "day", 742_915),
        (9, 9, "all", "day", 1_611_800),
    ]


def test_the_us_share_of_quiet_days_is_within_the_published_range():
    days = scaled_days(1)
    quiet = [day for day in NOVEMBER if not 8 <= day.day <= 16]
    assert all(0.088 <= days[day, "US"] / days[day, "all"] <= 0.116 for day in quiet)


@pytest.mark.parametrize(
    ("sessions", "scale", "expected"),
    [(10, 0.25, 3), (30, 0.05, 2), (742_915, 1.0, 742_915), (43_877, 0.02, 878), (3, 0.1, 0)],
)
def test_each_cell_is_rounded_half_up_in_decimal(sessions, scale, expected):
    assert scale_cell(sessions, scale) == expected


@pytest.mark.parametrize("scale", [0, -1, 5, float("nan")])
def test_a_scale_that_cannot_be_simulated_is_refused(scale):
    with pytest.raises(SettingsError, match="scale"):
        check_scale(scale)


def test_the_planned_sessions_are_equal_to_the_published_figures():
    rows = compare(scaled_days(1))
    assert [row.expected for row in rows] == [43_877, 1_837_331, 249_950, 742_915, 1_611_800]
    assert all(row.is_equal and row.basis == PUBLISHED for row in rows)


def test_one_session_more_on_one_day_is_not_equal():
    sessions = scaled_days(1)
    sessions[date(2016, 11, 9), "US"] += 1
    unequal = [row.name(ENGLISH) for row in compare(sessions) if not row.is_equal]
    assert unequal == [
        "United States, 8 to 16 November 2016, together",
        "United States, 9 November 2016",
    ]


def test_below_scale_one_the_comparison_is_with_the_own_rounded_cells():
    rows = compare(scaled_days(0.01), 0.01)
    assert all(row.is_equal and row.basis == SCALED for row in rows)
    assert rows[0].expected == round(sum(us_days_scaled(0.01)) / 7, 2)
    assert rows[3].expected == 7429


def us_days_scaled(scale: float) -> list[int]:
    days = scaled_days(scale)
    return [days[date(2016, 11, 1) + timedelta(days=number), "US"] for number in range(7)]


def test_a_missing_day_counts_as_zero():
    assert not any(row.is_equal for row in compare({}))


@given(
    st.integers(0, 10**6),
    st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=90),
    st.floats(0, 1, exclude_max=True),
)
def test_apportioned_parts_sum_to_the_total_and_are_within_one(total, weights, offset):
    parts = apportion(np.array(total), np.array(weights), np.array(offset))
    exact = total * np.array(weights) / sum(weights)
    assert parts.sum() == total
    assert np.all(parts >= 0)
    assert np.all(np.abs(parts - exact) < 1 + 1e-6)


def test_the_plan_holds_the_cells_and_sends_40_percent_to_two_servers():
    plan = plan_sessions(read_countries(), 1.0, seed=3)
    days = scaled_days(1)
    assert [int(day.sum()) for day in plan] == [days[day, "all"] for day in NOVEMBER]
    assert [int(day[0].sum()) for day in plan] == [days[day, "US"] for day in NOVEMBER]
    assert plan[7][0, :2].sum() / plan[7][0].sum() == pytest.approx(0.4, abs=0.001)


def test_the_surge_of_8_november_comes_late_and_peaks_at_eleven():
    plan = plan_sessions(read_countries(), 1.0, seed=3)
    us_hours = plan[7][0].sum(axis=0)
    assert us_hours.argmax() == 23
    assert us_hours[20:].sum() - us_hours[:20].sum() > 150_000
    assert 200_000 < plan[7][:, :, 23].sum() < 210_000
    assert 17_000 < plan[0][:, :, 23].sum() < 18_000


def test_6_november_has_25_hours():
    plan = plan_sessions(read_countries(), 0.01, seed=3)
    assert [day.shape[2] for day in plan] == [24] * 5 + [25] + [24] * 14
