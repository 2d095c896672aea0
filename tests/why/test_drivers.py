"""What a surge's excess is made of: sums, ranks, and when nothing can be said."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.tables import DRIVERS, SURGES
from pipeline.why.drivers import find_drivers

START = date(2016, 11, 9)  # a Wednesday
SPANS = pa.schema(
    [("surge", pa.int64()), ("country", pa.string()), ("day", pa.date32()),
     ("is_before", pa.bool_()), ("is_weekend", pa.bool_()), ("observed", pa.int64()),
     ("expected", pa.float64())]
)  # fmt: skip
Days = dict[str | None, list[int]]
"""Sessions by element on each day: those before, then those of the surge."""


def surge_of(
    elements: dict[str, Days], before: int, expected: list[float | None]
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """The inputs of one surge from START on, of so many days before it."""
    days = before + len(expected)
    dates = [START + timedelta(n - before) for n in range(days)]
    counts = np.sum([*next(iter(elements.values())).values()], axis=0)
    spans = [
        {
            "surge": 0, "country": "US", "day": day, "is_before": n < before,
            "is_weekend": day.weekday() >= 5, "observed": int(counts[n]),
            "expected": None if n < before else expected[n - before],
        }
        for n, day in enumerate(dates)
    ]  # fmt: skip
    rows: list[dict[str, Any]] = []
    for dimension, own in elements.items():
        for element, sessions in own.items():
            past = sessions[:before]
            weekend = [n for n, day in zip(past, dates, strict=False) if day.weekday() >= 5]
            rows.append({
                "surge": 0, "dimension": dimension, "element": element, "is_other": False,
                "observed": sum(sessions[before:]), "weekdays_before": sum(past) - sum(weekend),
                "weekends_before": sum(weekend), "squares": float(sum(n * n for n in past)),
                "products": float(sum(n * int(c) for n, c in zip(past, counts, strict=False))),
            })  # fmt: skip
    observed = int(counts[before:].sum())
    usual = sum(int(c) if e is None else e for c, e in zip(counts[before:], expected, strict=True))
    surge = {
        "country": "US", "start_day": START, "peak_day": START, "end_day": dates[-1],
        "days": len(expected), "observed": observed, "expected": round(usual, 3),
        "excess": observed - round(usual, 3), "peak_sessions": observed, "peak_ratio": 2.0,
        "is_open": False, "is_at_least": False,
    }  # fmt: skip
    return (
        pa.Table.from_pylist([surge], SURGES),
        pa.Table.from_pylist(spans, SPANS),
        pa.Table.from_pylist(rows),
    )


def drivers_of(table: pa.Table) -> list[tuple[str, str | None]]:
    """The dimension and element of each driver, by rank."""
    ranked = sorted((r for r in table.to_pylist() if r["rank"]), key=lambda r: r["rank"])
    assert [row["rank"] for row in ranked] == [*range(1, len(ranked) + 1)]
    return [(row["dimension"], row["element"]) for row in ranked]


PAGES: Days = {"/": [60] * 14 + [66], "/visit": [30] * 14 + [31], "/apply": [10] * 14 + [103]}
SITES: Days = {None: [50] * 14 + [100], "a.example": [50] * 14 + [100]}


def test_each_dimension_adds_up_to_the_surge_to_the_thousandth() -> None:
    """Whatever the shares, also over a weekend and a day that could not be judged."""
    rng = np.random.default_rng(5)
    pages = {f"/{n}": rng.integers(0, 30, 18).tolist() for n in range(17)}
    totals = np.sum([*pages.values()], axis=0)
    hours = {f"{n:02}": [int(t) // 7 + (n == 0) * (int(t) % 7) for t in totals] for n in range(7)}
    surges, spans, elements = surge_of(
        {"entry page": pages, "hour": hours}, 13, [33.333, None, 17.001, 12.5, 41.7]
    )
    found = find_drivers(surges, spans, elements)
    assert found.schema == DRIVERS
    (surge,) = surges.to_pylist()
    for dimension in ("entry page", "hour"):
        own = [row for row in found.to_pylist() if row["dimension"] == dimension]
        for name in ("observed", "expected", "excess"):
            thousandths = sum(round(1000 * row[name]) for row in own)
            assert thousandths == round(1000 * surge[name]), (dimension, name)
        assert sum(row["share"] for row in own) == pytest.approx(1, abs=1e-5)


def test_the_page_that_rose_alone_is_the_driver() -> None:
    found = find_drivers(*surge_of({"entry page": PAGES, "referring site": SITES}, 14, [100.0]))
    assert drivers_of(found) == [("entry page", "/apply")]
    (row,) = (row for row in found.to_pylist() if row["rank"])
    assert (row["observed"], row["expected"]) == (103, pytest.approx(10, abs=0.2))
    assert (row["sessions_before"], row["days_before"]) == (140, 14)


def test_what_rises_alike_has_no_driver() -> None:
    pages: Days = {name: [*days[:14], 5 * days[0]] for name, days in PAGES.items()}
    assert drivers_of(find_drivers(*surge_of({"entry page": pages}, 14, [100.0]))) == []


def test_a_share_that_jumps_about_on_usual_days_is_no_driver() -> None:
    """The same shift is one where the days before were steady."""
    steady: Days = {"/": [500] * 14 + [800], "/x": [500] * 14 + [1200]}
    moody: Days = {"/": [250, 750] * 7 + [800], "/x": [750, 250] * 7 + [1200]}
    own = [drivers_of(find_drivers(*surge_of({"entry page": e}, 14, [1000.0])))
           for e in (steady, moody)]  # fmt: skip
    assert own == [[("entry page", "/x")], []]


def test_an_hour_ranks_after_what_may_be_the_cause() -> None:
    """However surprising: it says when, not why."""
    hours: Days = {"22": [99] * 14 + [100], "23": [1] * 14 + [100]}
    found = find_drivers(*surge_of({"hour": hours, "entry page": PAGES}, 14, [100.0]))
    assert drivers_of(found) == [("entry page", "/apply"), ("hour", "23")]


@pytest.mark.parametrize(("before", "usual"), [(6, 60), (14, 1)])
def test_too_little_before_says_nothing(before: int, usual: int) -> None:
    pages: Days = {"/": [usual] * before + [60], "/apply": [0] * before + [100]}
    found = find_drivers(*surge_of({"entry page": pages}, before, [float(usual)]))
    assert drivers_of(found) == []
    for name in ("expected", "excess", "share", "surprise"):
        assert found[name].null_count == len(found), name
    assert found["observed"].to_pylist() == [60, 100]


def test_weekends_are_expected_by_weekends() -> None:
    """A page of weekends is no driver of a surge on one."""
    dates = [START + timedelta(n - 18) for n in range(22)]  # ends on a Saturday
    pages: Days = {
        "/work": [10 if day.weekday() >= 5 else 90 for day in dates],
        "/play": [90 if day.weekday() >= 5 else 10 for day in dates],
    }
    for own in pages.values():
        own[-1] *= 3
    surges, spans, elements = surge_of({"entry page": pages}, 18, [100.0] * 4)
    found = find_drivers(surges, spans, elements)
    assert drivers_of(found) == []
    (play,) = (row for row in found.to_pylist() if row["element"] == "/play")
    assert play["expected"] == pytest.approx(120, rel=0.1)
