"""How complete days are: who is expected, what is missing, by which share, in which words."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from lake_fixtures import Site, make_line

from pipeline.build.completeness import judge_completeness
from pipeline.build.source_days import SourceDay
from pipeline.days import day_start

TORONTO = ZoneInfo("America/Toronto")
FIRST = date(2016, 11, 1)
RATES = {"web01": 21, "web02": 19, "web03": 21, "web04": 20, "web05": 19}
"""Hits a minute; web01 and web02 have 40 %."""
Keep = Callable[[str, date, int], bool]


def site(
    days: int,
    keep: Keep = lambda _source, _day, _minute: True,
    *,
    first: date = FIRST,
    sources: Iterable[str] = RATES,
    zone: ZoneInfo = TORONTO,
) -> tuple[pa.Table, list[SourceDay]]:
    """Draw minutes and files of whole days; ``keep`` says which minutes (from the start) exist."""
    rng = np.random.default_rng(0)
    rows: list[tuple[date, str, int, int]] = []
    shares = []
    for day in (first + timedelta(n) for n in range(days)):
        start, end = (day_start(day + timedelta(n), zone) for n in (0, 1))
        begins = int(start.timestamp()) // 60
        for source in sources:
            hits = rng.poisson(RATES.get(source, 20), (end - start) // timedelta(minutes=1))
            own = [
                (day, source, begins + minute, int(count))
                for minute, count in enumerate(hits)
                if count and keep(source, day, minute)
            ]
            if own:
                rows += own
                shares.append(SourceDay(day, source))
    columns = zip(*rows, strict=True) if rows else [[]] * 4
    kinds = [pa.date32(), pa.string(), pa.int32(), pa.int64()]
    arrays = [pa.array(list(c), k) for c, k in zip(columns, kinds, strict=True)]
    return pa.table(arrays, names=["day", "source", "minute", "hits"]), shares


def judge(
    minutes: pa.Table,
    shares: list[SourceDay],
    named: tuple[str, ...] = (),
    zone: ZoneInfo = TORONTO,
) -> dict[date, dict[str, Any]]:
    """Judge and return the rows by day."""
    rows = judge_completeness(minutes, shares, zone, named).to_pylist()
    for row in rows:
        assert row["reasons"] == sorted(row["reasons"])
        assert row["is_preliminary"] == bool(row["reasons"])
        assert 0 <= row["share"] <= 1
    return {row["day"]: row for row in rows}


def november(day: int) -> date:
    return date(2016, 11, day)


def test_whole_days_have_all_of_their_sources_and_no_reason() -> None:
    """Also the day of 25 hours, the 6th of November."""
    for row in judge(*site(9)).values():
        assert (row["sources_expected"], row["sources_whole"], row["share"]) == (5, 5, 1.0)
        assert row["reasons"] == []


def test_two_of_five_sources_are_forty_percent() -> None:
    """As of the 8th, web03 to web05 of that day have not come; one has what its file before had."""

    def keep(source: str, day: date, minute: int) -> bool:
        return source < "web03" or day < november(8) or (source == "web03" and minute < 2)

    row = judge(*site(8, keep))[november(8)]
    assert row["share"] == pytest.approx(0.4, abs=0.005)
    assert (row["sources_expected"], row["sources_whole"]) == (5, 2)
    assert row["reasons"] == [
        "web03: nothing of this day but 00:00 to 00:02",
        "web04: nothing of this day (taken as retired if nothing comes until 2016-11-14)",
        "web05: nothing of this day (taken as retired if nothing comes until 2016-11-14)",
    ]


def test_gaps_are_named_in_local_time() -> None:
    """A source that stopped early, one that started late, one with a hole, each on its own day."""
    holes = {
        ("web03", november(9)): range(21 * 60 + 15, 1440),
        ("web04", november(10)): range(6 * 60),
        ("web05", november(11)): range(190, 200),
    }
    found = judge(*site(14, lambda s, day, minute: minute not in holes.get((s, day), ())))
    said = {day.day: row["reasons"] for day, row in found.items() if row["reasons"]}
    assert said == {
        9: ["web03: nothing after 21:14 (stopped early)"],
        10: ["web04: nothing before 06:00"],
        11: ["web05: nothing from 03:10 to 03:20"],
    }
    assert found[november(9)]["share"] == pytest.approx(1 - 0.21 * 165 / 1440, abs=0.005)


@pytest.mark.rest_large
@pytest.mark.parametrize(
    ("first", "changing", "length", "said"),
    [
        (date(2016, 10, 30), date(2016, 11, 6), 25, "03:00 -0500 to 05:00 -0500"),
        (date(2016, 3, 6), date(2016, 3, 13), 23, "05:00 -0400 to 07:00 -0400"),
    ],
)
def test_days_on_which_the_clocks_change_have_all_their_hours(
    first: date, changing: date, length: int, said: str
) -> None:
    """Hours 4 and 5 after midnight are missing of one server: by the wall an hour off."""
    hole = range(240, 360)
    whole = judge(*site(12, first=first))[changing]
    assert whole["reasons"] == []
    row = judge(
        *site(12, lambda s, d, m: (s, d) != ("web01", changing) or m not in hole, first=first)
    )
    assert row[changing]["reasons"] == [f"web01: nothing from {said}"]
    assert row[changing]["share"] == pytest.approx(1 - 0.21 * 2 / length, abs=0.002)


def test_a_source_is_expected_from_its_first_day_on() -> None:
    """web05 starts at noon of the 5th: four sources before, five from then on, nothing missing."""

    def keep(source: str, day: date, minute: int) -> bool:
        return source != "web05" or day > november(5) or (day == november(5) and minute >= 720)

    found = judge(*site(9, keep))
    assert [row["sources_expected"] for row in found.values()] == [4] * 4 + [5] * 5
    assert not any(row["reasons"] for row in found.values())


@pytest.mark.rest_large
@pytest.mark.parametrize(("days", "is_retired"), [(9, False), (12, False), (13, True), (20, True)])
def test_a_source_absent_for_a_week_is_retired_from_its_last_hit_on(
    days: int, *, is_retired: bool
) -> None:
    """web05 stops on 5 November at noon: missing up to the 12th, on the 13th it is retired."""

    def keep(source: str, day: date, minute: int) -> bool:
        return source != "web05" or (day, minute) < (november(5), 720)

    found = judge(*site(days, keep))
    after = [row for day, row in found.items() if day > november(5)]
    if is_retired:
        assert not any(row["reasons"] for row in found.values())
        assert {row["sources_expected"] for row in after} == {4}
    else:
        said = "web05: nothing of this day (taken as retired if nothing comes until 2016-11-12)"
        assert {tuple(row["reasons"]) for row in after} == {(said,)}
        assert found[november(5)]["reasons"] == ["web05: nothing after 11:59 (stopped early)"]


def test_a_source_that_comes_back_was_missing() -> None:
    """Ten days of web05 are missing, then it is there again: nothing is said of retirement."""
    found = judge(*site(30, lambda s, d, _: s != "web05" or not november(6) <= d < november(16)))
    missing = [day.day for day, row in found.items() if row["reasons"]]
    assert missing == list(range(6, 16))
    assert found[november(9)]["reasons"] == ["web05: nothing of this day"]


def test_names_that_are_dates_are_no_sources_to_expect() -> None:
    """One file a day, each of a name of its own: all is whole."""
    tables, shares = [], []
    for n in range(6):
        minutes, files = site(1, first=FIRST + timedelta(n), sources=["x"])
        name = f"ex16110{n + 1}"
        names = pa.array([name] * len(minutes))
        tables.append(minutes.set_column(1, "source", names))
        shares += [SourceDay(file.day, name) for file in files]
    found = judge(pa.concat_tables(tables), shares)
    assert [row["sources_expected"] for row in found.values()] == [1] * 6
    assert not any(row["reasons"] for row in found.values())


def test_named_sources_are_expected_whatever_was_seen() -> None:
    """web06 was never seen; web05 is not named; a named one is never retired."""
    named = ("web01", "web02", "web03", "web06")
    found = judge(*site(20, lambda s, d, _: s != "web03" or d < november(3)), named=named)
    assert {row["sources_expected"] for row in found.values()} == {4}
    assert found[november(1)]["reasons"] == ["web06: nothing of this day (never seen)"]
    assert found[november(20)]["reasons"] == [
        "web03: nothing of this day",
        "web06: nothing of this day (never seen)",
    ]
    assert found[november(1)]["share"] == pytest.approx(0.75, abs=0.01)


def test_a_damaged_file_makes_its_last_day_preliminary() -> None:
    minutes, shares = site(8)
    damaged = SourceDay(november(8), "web02", damaged=["web02-2016-11-08"])
    shares = [damaged if (s.source, s.day) == ("web02", november(8)) else s for s in shares]
    row = judge(minutes, shares)[november(8)]
    assert row["reasons"] == ["web02: a damaged file was read in part (web02-2016-11-08)"]
    assert (row["is_preliminary"], row["share"], row["sources_whole"]) == (True, 1.0, 4)


def test_days_whose_minutes_are_not_known_count_as_whole() -> None:
    """A lake's days from before there were minutes: files gave hits, no partition says when."""
    minutes, shares = site(12)
    known = minutes.filter(pa.compute.greater(minutes["day"], pa.scalar(november(4))))
    assert not any(row["reasons"] for row in judge(known, shares).values())
    assert not any(row["reasons"] for row in judge(minutes.slice(0, 0), shares).values())


def test_nothing_known_is_an_empty_table() -> None:
    assert judge(*site(0)) == {}
    assert judge(*site(0), named=("web01",)) == {}


def test_forged_years_cost_nothing_and_spoil_no_other_day() -> None:
    """One line of 1970 and one of 2099: those two days are incomplete, the others are as before."""
    minutes, shares = site(9)
    forged = [date(1970, 1, 2), date(2099, 12, 30)]
    starts = [int(day_start(day, TORONTO).timestamp()) // 60 + 600 for day in forged]
    lines = pa.table(
        [pa.array(forged), pa.array(["web01"] * 2), pa.array(starts, pa.int32()), pa.array([1, 1])],
        names=minutes.column_names,
    )
    shares = [*shares, *(SourceDay(day, "web01") for day in forged)]
    found = judge(pa.concat_tables([minutes, lines]), shares)
    assert [day for day, row in found.items() if row["reasons"]] == forged


def test_the_order_of_rows_and_files_does_not_matter() -> None:
    minutes, shares = site(8, lambda s, d, m: (s, d) != ("web02", november(4)) or m < 900)
    turned = minutes.take(np.random.default_rng(1).permutation(len(minutes)))
    assert judge(turned, shares[::-1]) == judge(minutes, shares)


def test_a_year_of_five_sources_takes_seconds() -> None:
    """2.6 million minutes; the processor's time, as the machine may have other things to do."""
    minutes, shares = site(2)
    days = [FIRST + timedelta(n) for n in range(366)]
    start = int(datetime(2016, 11, 1, 4, tzinfo=UTC).timestamp()) // 60
    at = np.arange(start, start + 365 * 1440, dtype=np.int32)
    local = [day_start(day, TORONTO).timestamp() // 60 for day in days]
    numbers = np.searchsorted(local, at, side="right") - 1 + (FIRST - date(1970, 1, 1)).days
    tables = [
        pa.table(
            [pa.array(numbers.astype(np.int32)).cast(pa.date32()), pa.array([source] * len(at)),
             pa.array(at), pa.array(np.full(len(at), 20))],
            names=minutes.column_names,
        )
        for source in RATES
    ]  # fmt: skip
    shares = [SourceDay(day, source) for day in days[:365] for source in RATES]
    began = time.process_time()
    found = judge_completeness(pa.concat_tables(tables), shares, TORONTO, ())
    assert time.process_time() - began < 20
    assert found["share"].to_pylist()[:364] == [1.0] * 364


def day_log(day: int, sessions: int, *, first_hour: int = 0, end_hour: int = 24) -> bytes:
    """A line every ten minutes of a local day of November 2016, of ``sessions`` visitors."""
    return b"".join(
        make_line(f"{day:02}/Nov/2016:{n // 6:02}:{n % 6}0:00 -0500", f"192.0.2.{n % sessions}")
        for n in range(first_hour * 6, end_hour * 6)
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A lake of two servers, 7 to 18 November, without web02 of the 15th."""
    made = Site(tmp_path_factory.mktemp("original"))
    for day in range(7, 19):
        made.write(f"web01-{day}.log", day_log(day, 20))
        if day != 15:
            made.write(f"web02-{day}.log", day_log(day, 20))
    made.ingest("raw")
    made.run("build")
    return made


@pytest.fixture
def built(original: Site, tmp_path: Path) -> Site:
    """A copy of it."""
    return original.copy(tmp_path / "site")


def day_rows(made: Site, columns: str = "day, share, is_preliminary, reasons") -> dict[str, Any]:
    rows = json.loads(made.run("sql", f"SELECT {columns} FROM days", "--format", "json").out)
    return {row["day"]: row for row in rows}


@pytest.mark.large
def test_the_commands_show_what_is_missing(built: Site) -> None:
    """`days` has the reason; `daily` the share; the late file makes the day whole."""
    row = day_rows(built)["2016-11-15"]
    assert (row["share"], row["is_preliminary"]) == (0.5, True)
    assert "web02: nothing of this day" in str(row["reasons"])
    daily = json.loads(built.run("daily", "--format", "json").out)
    assert {r["day"] for r in daily if r["is_preliminary"]} == {"2016-11-15"}
    assert {r["is_censored"] for r in daily} == {False}
    built.ingest(built.write("late/web02-15.log", day_log(15, 20)))
    built.run("build")
    assert not any(row["is_preliminary"] for row in day_rows(built).values())


def test_a_truncated_archive_is_named_with_its_day(built: Site) -> None:
    """The readable part is counted, the day stays preliminary, whatever its share."""
    whole = gzip.compress(day_log(15, 20), mtime=0)
    built.ingest(built.write("late/web02-15.log.gz", whole[: len(whole) * 2 // 3]), code=1)
    built.run("build")
    row = day_rows(built)["2016-11-15"]
    assert row["is_preliminary"]
    assert "web02: a damaged file was read in part (web02-" in str(row["reasons"])


def test_the_setting_names_who_is_expected(built: Site) -> None:
    """Another setting changes `days` at the next build, and nothing that is built by day."""
    before = built.hashes()
    built.run("build", env={"TIDEGAUGE_SOURCES": "web01 web03"})
    rows = day_rows(built)
    assert {row["is_preliminary"] for row in rows.values()} == {True}
    assert "web03: nothing of this day (never seen)" in str(rows["2016-11-15"]["reasons"])
    assert "web02" not in str(rows["2016-11-15"]["reasons"])
    after = built.hashes()
    changed = {path.split("/")[0] for path in before if before[path] != after[path]}
    assert changed <= {"days", "expected", "surges", "drivers", "signals"}
    built.run("build")
    assert built.hashes() == before


def test_a_wrong_name_in_the_setting_is_refused(built: Site) -> None:
    done = built.run("build", code=2, env={"TIDEGAUGE_SOURCES": "web01 ../web02"})
    assert "sources" in done.err
    assert "'../web02' is no source" in done.err


@pytest.mark.large
def test_the_order_of_deliveries_does_not_show_in_the_tables(built: Site, tmp_path: Path) -> None:
    """One build after the other, the late file first or last: the same bytes."""
    built.ingest(built.write("web02-15.log", day_log(15, 20)))
    built.run("build")
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other")
    for path in sorted((built.folder / "raw").glob("*.log"), reverse=True):
        other.ingest(path)
        if path.name in {"web01-17.log", "web01-15.log", "web01-10.log"}:
            other.run("build")
    other.run("build")
    assert other.hashes() == built.hashes()
