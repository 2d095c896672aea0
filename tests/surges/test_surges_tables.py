"""The tables ``expected`` and ``surges``: their columns, their rows and their arithmetic."""

from __future__ import annotations

import io
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.surges import detect, find_surges
from pipeline.tables import EXPECTED, SURGES

FIRST = date(2016, 11, 1)


def daily(rows: list[tuple[date, str, int]]) -> pa.Table:
    """Build the daily table's three columns."""
    days, countries, sessions = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "day": pa.array(days, pa.date32()),
            "country": pa.array(countries, pa.string()),
            "sessions": pa.array(sessions, pa.int64()),
        }
    )


def two_countries(seed: int = 0) -> list[tuple[date, str, int]]:
    """Simulate 40 days of Canada, and of Namibia on three days in four, with a surge in each."""
    rng = np.random.default_rng(seed)
    rows = []
    for at in range(40):
        day = FIRST + timedelta(at)
        rows.append((day, "CA", int(rng.poisson(1000) + 5000 * (20 <= at < 23))))
        if at % 4 or at == 32:
            rows.append((day, "NA", int(rng.poisson(3) + 60 * (at == 32))))
    return rows


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_tables_have_the_contract_columns_and_types():
    """They are the lake's tables of these names as they stand."""
    expected, surges = find_surges(daily(two_countries()))
    assert (expected.schema, surges.schema) == (EXPECTED, SURGES)


def test_episode_rows_add_up():
    """Sums run over the span; excess and ratio follow from the columns beside them."""
    expected, surges = find_surges(daily(two_countries()))
    canada, namibia = surges.to_pylist()
    assert (canada["country"], canada["start_day"], canada["end_day"], canada["days"]) == (
        "CA",
        FIRST + timedelta(20),
        FIRST + timedelta(22),
        3,
    )
    span = [row for row in expected.to_pylist() if row["country"] == "CA"][20:23]
    assert all(row["is_surge"] for row in span)
    assert canada["observed"] == sum(row["observed"] for row in span)
    assert canada["expected"] == pytest.approx(sum(row["expected"] for row in span))
    assert canada["excess"] == canada["observed"] - canada["expected"]
    peak = max(span, key=lambda row: row["observed"])
    assert (canada["peak_day"], canada["peak_sessions"]) == (peak["day"], peak["observed"])
    assert canada["peak_ratio"] == peak["observed"] / peak["expected"]
    assert (namibia["country"], namibia["days"]) == ("NA", 1)


def test_interval_of_the_excess_holds_what_was_added_nine_times_in_ten():
    """60 surges of four days on 70 days of noise and rhythm, one a country."""
    rng = np.random.default_rng(20)
    rows, added = [], {}
    for number in range(60):
        country, level = f"C{number:02}", np.exp(rng.uniform(np.log(50), np.log(5000)))
        rhythm = np.where(np.arange(80) % 7 < 5, 1.1, 0.75)
        counts = rng.poisson(level * rhythm * rng.gamma(100, 0.01, 80))
        extra = rng.poisson(level * 1.5, 4)
        counts[70:74] += extra
        added[country] = int(extra.sum())
        rows += [(FIRST + timedelta(at), country, int(n)) for at, n in enumerate(counts)]
    _, surges = find_surges(daily(rows))
    found = [
        row for row in surges.to_pylist()
        if row["start_day"] < FIRST + timedelta(74) and row["end_day"] >= FIRST + timedelta(70)
    ]  # fmt: skip
    assert len(found) == 60
    covered = [row["excess_low"] <= added[row["country"]] <= row["excess_high"] for row in found]
    assert 50 <= sum(covered) < 60
    assert all(row["excess_low"] < row["excess"] < row["excess_high"] for row in found)


def test_absent_country_counts_zero_and_day_without_hits_is_missing():
    """A day that has hits gives every country a row; a day without any gives none."""
    rows = [row for row in two_countries() if row[0] != FIRST + timedelta(10)]
    expected, _ = find_surges(daily(rows))
    days = {(r["country"], r["day"]): r["observed"] for r in expected.to_pylist()}
    assert days["NA", FIRST + timedelta(4)] == 0
    assert ("NA", FIRST + timedelta(10)) not in days
    assert ("CA", FIRST + timedelta(10)) not in days
    assert len(days) == 2 * 39


def test_a_day_that_locates_nobody_is_missing_for_every_country():
    """Else all of them surge on the day on which a database comes."""
    rows = [(FIRST + timedelta(at), "ZZ", 1000 + 9000 * (at == 15)) for at in range(20)]
    located = [row for row in two_countries(1) if FIRST + timedelta(20) <= row[0]]
    rows += [(day, country, min(many, 1200)) for day, country, many in located]
    rows += [(FIRST + timedelta(at), "ZZ", 12) for at in range(20, 40)]
    expected, surges = find_surges(daily(rows), unlocated=[r[0] for r in rows[:20]])
    assert [(r["country"], r["start_day"]) for r in surges.to_pylist()] == [
        ("NA", FIRST + timedelta(32)), ("ZZ", FIRST + timedelta(15)),
    ]  # fmt: skip
    known = [(r["country"], r["day"]) for r in expected.to_pylist()]
    assert known == sorted(known)
    assert {country for country, day in known if day < FIRST + timedelta(20)} == {"ZZ"}
    places = {r["day"]: r["expected"] for r in expected.to_pylist() if r["country"] == "ZZ"}
    assert places[FIRST + timedelta(26)] is None
    assert places[FIRST + timedelta(39)] == pytest.approx(12, abs=1)


def test_first_week_is_not_judged():
    """With fewer than seven days of history the judgement is null, not zero."""
    expected, _ = find_surges(daily(two_countries()))
    for row in (row for row in expected.to_pylist() if row["day"] < FIRST + timedelta(8)):
        unknown = row["day"] < FIRST + timedelta(7)
        assert [row[c] is None for c in ("expected", "upper", "score")] == [unknown] * 3


def test_row_order_of_the_input_does_not_matter():
    """Whatever the order of the rows, the tables are equal to the byte and sorted."""
    rows = two_countries()
    first = find_surges(daily(rows))
    second = find_surges(daily(sorted(rows, key=lambda row: (row[2], row[0]))))
    assert [parquet(t) for t in first] == [parquet(t) for t in second]
    keys = [(row["country"], row["day"]) for row in first[0].to_pylist()]
    assert keys == sorted(keys)


def test_empty_table_gives_empty_tables():
    """A lake without a day has no expectation and no surge, and both have their columns."""
    expected, surges = find_surges(daily([]))
    assert (expected.num_rows, surges.num_rows) == (0, 0)
    assert (expected.schema, surges.schema) == (EXPECTED, SURGES)


def test_days_of_a_century_apart_are_judged_alone():
    """Lone days in 1969 and 2099 around an ordinary month raise nothing and cost no memory."""
    rows = [row for row in two_countries() if row[0] < FIRST + timedelta(20)]
    rows += [(date(1969, 12, 31), "CA", 50_000), (date(2099, 12, 31), "CA", 50_000)]
    expected, surges = find_surges(daily(rows))
    assert surges.num_rows == 0
    assert expected.num_rows == 2 * 22
    assert expected.to_pylist()[21]["expected"] is None


def test_one_country_alone_gets_what_it_gets_among_others():
    """Countries are judged apart: the table's row is the single series' result."""
    rows = two_countries()
    expected, _ = find_surges(daily(rows))
    canada = [row for row in expected.to_pylist() if row["country"] == "CA"]
    alone = detect(np.array([r["observed"] for r in canada], dtype=np.float64), FIRST.weekday())
    assert [row["is_surge"] for row in canada] == alone.is_surge.tolist()
    np.testing.assert_allclose(
        [np.nan if row["expected"] is None else row["expected"] for row in canada], alone.expected
    )


counts_or_missing = hnp.arrays(
    np.float64,
    st.integers(0, 90),
    elements=st.one_of(
        st.just(float("nan")),
        st.integers(0, 4).map(float),
        st.integers(0, 2**53).map(float),
        st.integers(900, 1100).map(float),
    ),
)


@pytest.mark.large
@settings(max_examples=60)
@given(counts_or_missing, st.integers(0, 6))
def test_any_series_keeps_the_invariants(counts, weekday):
    """Whatever the counts: no crash, no flag in the first week or a gap, tidy episodes."""
    found = detect(counts, weekday)
    seen = np.flatnonzero(~np.isnan(counts))
    assert not found.is_surge[seen[:7]].any()
    assert not found.is_surge[np.isnan(counts)].any()
    assert np.isnan(found.score[np.isnan(counts)]).all()
    judged = ~np.isnan(found.score)
    assert not np.isnan(found.expected[judged] + found.upper[judged]).any()
    assert (found.upper[judged] >= np.maximum(8, found.expected[judged] + 4.99)).all()
    assert ((found.score[judged] >= 0) & (found.score[judged] <= 300)).all()
    assert (counts[found.is_surge] > found.expected[found.is_surge]).all()
    inside = np.zeros(len(counts), dtype=bool)
    for before, after in zip(found.episodes, found.episodes[1:], strict=False):
        assert after.start - before.end > 2
    for episode in found.episodes:
        assert found.is_surge[[episode.start, episode.peak, episode.end]].all()
        assert episode.is_open == (episode.end == len(counts) - 1)
        inside[episode.start : episode.end + 1] = True
        assert np.nanmax(counts[episode.start : episode.end + 1]) >= counts[episode.peak]
    assert not found.is_surge[~inside].any()


@pytest.mark.large
@settings(max_examples=25)
@given(counts_or_missing, st.integers(1, 30))
def test_days_to_come_change_flags_only_by_dating_back(counts, cut):
    """Without its last days a series has the same expectations, and no flag that it loses."""
    whole, part = detect(counts), detect(counts[:-cut])
    known = max(len(counts) - cut, 0)
    np.testing.assert_array_equal(whole.expected[:known], part.expected)
    np.testing.assert_array_equal(whole.score[:known], part.score)
    assert whole.is_surge[:known][part.is_surge].all()
