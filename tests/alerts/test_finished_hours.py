"""Which hours of which day are compared, with which hours: clocks that change, odd zones."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lake_fixtures import Site, make_line

from pipeline.alerts.today import hours_of, watched_day
from pipeline.days import read_as_of
from pipeline.errors import SettingsError

TORONTO = ZoneInfo("America/Toronto")
ZONES = ("America/Toronto", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "UTC")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("day", "hours"), [("2016-11-05", 24), ("2016-11-06", 25), ("2016-03-13", 23)]
)
def test_a_day_has_the_hours_its_clock_went_through(day: str, hours: int) -> None:
    assert len(hours_of(date.fromisoformat(day), TORONTO)) == hours


@given(st.dates(date(2000, 1, 1), date(2035, 1, 1)), st.sampled_from(ZONES))
@example(date(2010, 11, 7), "America/St_Johns")
def test_every_hour_is_of_one_day(day: date, name: str) -> None:
    """Two days after one another have consecutive hours, each beginning on its day."""
    zone = ZoneInfo(name)
    hours = hours_of(day, zone) + hours_of(day + timedelta(days=1), zone)
    assert {after - before for before, after in pairwise(hours)} == {timedelta(hours=1)}
    assert [hour.astimezone(zone).date() for hour in hours_of(day, zone)] == [day] * len(
        hours_of(day, zone)
    )


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2016-11-08T23:10:00-05:00", date(2016, 11, 8)),
        ("2016-11-09T00:10:00-05:00", date(2016, 11, 8)),
        ("2016-11-09T00:59:59-05:00", date(2016, 11, 8)),
        ("2016-11-09T01:00:00-05:00", date(2016, 11, 9)),
    ],
)
def test_until_one_in_the_morning_yesterday_is_watched(now: str, day: date) -> None:
    """Its last hour finishes at midnight."""
    assert watched_day(instant(now), TORONTO) == day


@pytest.mark.parametrize("text", ["tonight", "2099-01-01T00:00"])
def test_what_is_no_moment_of_the_past_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"write a time such as|that is in the future"):
        read_as_of(text, TORONTO, instant("2016-11-08T23:05:00-05:00"))


def visits(start: datetime, many: int, first: int = 0) -> Iterator[bytes]:
    """Write a line of each of `many` visitors within the hour from `start` on."""
    for number in range(first, first + many):
        moment = start.astimezone(UTC) + timedelta(seconds=number % 3600)
        yield make_line(f"{moment:%d/%b/%Y:%H:%M:%S %z}", agent=f"Firefox/{number}")


@pytest.fixture(scope="module")
def clock_change(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with visitors in each hour of 2-6 November: 10 from 1 to 2, 100 in other hours."""
    site = Site(tmp_path_factory.mktemp("clock"))
    start, number, lines = datetime(2016, 11, 2, tzinfo=TORONTO).astimezone(UTC), 0, []
    for _ in range(5 * 24 + 1):
        local = start.astimezone(TORONTO)
        many = 10 if local.hour == 1 else 100
        lines += visits(local, many, number)
        number, start = number + many, start + timedelta(hours=1)
    site.ingest(site.write("web01.log", b"".join(lines)))
    site.run("build")
    return site


def rows_now(site: Site, as_of: str, *args: str) -> list[dict[str, Any]]:
    """Return what `tidegauge now` prints."""
    import json

    return list(json.loads(site.run("now", "--as-of", as_of, "--format", "json", *args).out))


def test_the_hour_that_comes_twice_is_compared_with_the_same_hour_on_the_wall(
    clock_change: Site,
) -> None:
    """On 6 November the clock shows 1 to 2 twice: each is beside the 1 to 2 of days before."""
    rows = rows_now(clock_change, "2016-11-06T05:10")
    assert [(row["hour"], row["sessions"], row["expected"]) for row in rows] == [
        ("2016-11-06T00:00:00-04:00", 100, 100.0),
        ("2016-11-06T01:00:00-04:00", 10, 10.0),
        ("2016-11-06T01:00:00-05:00", 10, 10.0),
        ("2016-11-06T02:00:00-05:00", 100, 100.0),
        ("2016-11-06T03:00:00-05:00", 100, 100.0),
        ("2016-11-06T04:00:00-05:00", 100, 100.0),
    ]
    assert not any(row["is_surge"] for row in rows)
    assert all(row["is_preliminary"] for row in rows)


def test_rows_of_an_earlier_moment_are_the_first_ones_of_a_later(clock_change: Site) -> None:
    later = rows_now(clock_change, "2016-11-06T20:00")
    for hour in (3, 7, 12):
        earlier = rows_now(clock_change, f"2016-11-06T{hour:02}:10")
        assert earlier == later[: hour + 1]


def test_what_comes_after_the_moment_is_neither_shown_nor_counted(clock_change: Site) -> None:
    """The lake has the whole day: at ten past three, its lines until then are there."""
    done = clock_change.run("now", "--as-of", "2016-11-05T03:10", "--format", "csv")
    assert "2016-11-05, preliminary: lines until web01 03:00\n" in done.err
    assert len(done.out.splitlines()) == 1 + 3


def test_the_table_has_the_site_s_hours(clock_change: Site) -> None:
    """The clock shows 1 to 2 twice: the offset tells them apart."""
    table = clock_change.run("now", "--as-of", "2016-11-06T03:10").out
    assert re.findall(r"2016-11-06 (\S+)", table) == [
        "00:00-04:00", "01:00-04:00", "01:00-05:00", "02:00-05:00",
    ]  # fmt: skip


def test_of_hours_after_the_last_line_nothing_is_known(clock_change: Site) -> None:
    """The logs end with 6 November: the next day has no rows, and stderr says how far they go."""
    done = clock_change.run("now", "--as-of", "2016-11-07T09:10", "--format", "csv")
    assert done.out == "hour,country,sessions,expected,upper,is_surge,is_preliminary\n"
    assert "2016-11-07, preliminary: lines until web01 2016-11-06 23:" in done.err


def test_a_first_day_has_no_history_and_says_so(clock_change: Site) -> None:
    done = clock_change.run("now", "--as-of", "2016-11-02T09:10", "--format", "csv")
    assert len(done.out.splitlines()) == 10
    assert "no history: fewer than three earlier days" in done.err
    assert ",True,True" not in done.out


def test_a_zone_of_half_hours_has_hours_that_begin_at_the_half(tmp_path: Path) -> None:
    site = Site(tmp_path)
    lines = b"".join(
        line
        for day in range(1, 6)
        for hour in range(24)
        for line in visits(datetime(2016, 11, day, hour, tzinfo=UTC), 30, 1000 * day + 40 * hour)
    )
    site.write("web01.log", lines)
    zone = {"TIDEGAUGE_TIMEZONE": "Asia/Kolkata"}
    site.run("ingest", "--no-geo", "raw", env=zone)
    site.run("build", env=zone)
    out = site.run("now", "--as-of", "2016-11-05T04:00", "--format", "csv", env=zone).out
    hours = [line.split(",")[0] for line in out.splitlines()[1:]]
    assert hours == [f"2016-11-05T0{hour}:30:00+05:30" for hour in range(3)]
