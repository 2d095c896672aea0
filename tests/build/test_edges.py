"""The hours outside of a source's log: unknown, unless its own rhythm explains them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
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

UTC_ZONE, TORONTO = ZoneInfo("UTC"), ZoneInfo("America/Toronto")
FIRST = date(2016, 11, 1)
PUBLIC_LOG = Path("../shared/corpus/real/elastic_apache_logs_10k.log.gz")


def every(
    minutes: float, begin: str, end: str, *, between: tuple[int, int] = (0, 24)
) -> list[datetime]:
    """Moments at a distance, from one to another, in UTC, within hours of the day."""
    at, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (begin, end))
    found = []
    while at <= last:
        if between[0] <= at.hour < between[1]:
            found.append(at)
        at += timedelta(minutes=minutes)
    return found


def chance(rate: float, begin: str, end: str, seed: int = 1) -> list[datetime]:
    """Moments by chance, `rate` a day, in the busy hours three times as often as at night."""
    rng = np.random.default_rng(seed)
    return [
        at
        for at in every(1, begin, end)
        if rng.random() < rate / 1440 * (1.5 if 8 <= at.hour < 20 else 0.5)
    ]


def judge(
    zone: ZoneInfo = UTC_ZONE, named: Iterable[str] = (), **sources: list[datetime]
) -> dict[date, dict[str, Any]]:
    """Judge sources given by the moments of their hits; the rows by day."""
    hits: dict[tuple[date, str, int], int] = {}
    for source, moments in sources.items():
        for at in moments:
            place = (at.astimezone(zone).date(), source, int(at.timestamp()) // 60)
            hits[place] = hits.get(place, 0) + 1
    rows = [(*place, count) for place, count in sorted(hits.items())]
    kinds = [pa.date32(), pa.string(), pa.int32(), pa.int64()]
    columns = zip(*rows, strict=True)
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, kinds, strict=True)]
    minutes = pa.table(arrays, names=["day", "source", "minute", "hits"])
    shares = [SourceDay(day, source) for day, source in sorted({place[:2] for place in hits})]
    return {row["day"]: row for row in judge_completeness(minutes, shares, zone, named).to_pylist()}


def said(found: dict[date, dict[str, Any]]) -> dict[str, list[str]]:
    return {str(day): row["reasons"] for day, row in found.items() if row["reasons"]}


@pytest.mark.parametrize("minutes", [0.5, 2, 10, 30, 60])
@pytest.mark.parametrize("days", [3, 4, 20])
def test_a_log_begins_and_ends_in_mid_day(minutes: float, days: int) -> None:
    """Of a line every half minute to one an hour."""
    last = FIRST + timedelta(days - 1)
    found = judge(web01=every(minutes, "2016-11-01 10:05", f"{last} 21:05"))
    assert said(found) == {
        "2016-11-01": ["web01: begins at 10:05"],
        str(last): ["web01: ends at 21:05"],
    }
    assert found[FIRST]["share"] == pytest.approx(1 - 605 / 1440, abs=0.01)
    assert found[last]["share"] == pytest.approx(1266 / 1440, abs=0.05)
    assert (found[FIRST]["sources_expected"], found[FIRST]["sources_whole"]) == (1, 0)


@pytest.mark.parametrize("minutes", [0.5, 2, 10, 30, 60])
@pytest.mark.parametrize("days", [1, 2, 3, 20])
def test_a_log_of_whole_days_is_whole(minutes: float, days: int) -> None:
    """Also one of a single day: its first and last silences are its usual ones."""
    last = FIRST + timedelta(days - 1)
    assert said(judge(web01=every(minutes, "2016-11-01 00:00", f"{last} 23:59"))) == {}


@pytest.mark.parametrize("rate", [2_000, 300])
def test_a_log_by_chance_begins_and_ends_in_mid_day(rate: float) -> None:
    found = said(judge(web01=chance(rate, "2016-11-01 11:00", "2016-11-09 13:00")))
    assert sorted(found) == ["2016-11-01", "2016-11-09"]
    assert found["2016-11-01"][0].startswith("web01: begins at 11:")
    assert found["2016-11-09"][0].startswith("web01: ends at 1")


@pytest.mark.rest_large
@pytest.mark.parametrize("rate", [3, 10, 24, 100])
def test_a_quiet_site_is_not_preliminary_for_ever(rate: float) -> None:
    """Of 20 of them, whole from midnight to midnight, over ten days, at most one edge is odd."""
    odd = [
        said(judge(web01=chance(rate, "2016-11-01 00:00", "2016-11-10 23:59", seed)))
        for seed in range(20)
    ]
    assert sum(map(len, odd)) <= 1


def test_a_first_hit_at_seven_is_in_the_rhythm_of_a_site_that_sleeps() -> None:
    """Ten a day, none at night; the same site cut at noon is not whole."""
    moments = every(90, "2016-11-01 00:13", "2016-11-12 23:59", between=(7, 22))
    assert said(judge(web01=moments)) == {}
    busy = every(7, "2016-11-01 00:00", "2016-11-12 23:59", between=(7, 22))
    assert said(judge(web01=busy)) == {}
    cut = [at for at in busy if at > datetime(2016, 11, 1, 13, tzinfo=UTC)]
    assert list(said(judge(web01=cut))) == ["2016-11-01"]


def test_an_office_that_opens_at_eight_and_is_closed_on_sundays_is_whole() -> None:
    moments = [
        at
        for at in every(3, "2016-11-01 00:00", "2016-11-30 23:59", between=(8, 18))
        if at.weekday() < 6
    ]
    assert said(judge(web01=moments)) == {}


def test_of_a_few_hits_on_one_day_nothing_is_known_outside() -> None:
    moments = every(300, "2016-11-01 09:00", "2016-11-01 20:00")
    found = judge(web01=moments)
    assert found[FIRST]["reasons"] == ["web01: begins at 09:00", "web01: ends at 19:00"]
    assert 0.25 < found[FIRST]["share"] < 0.45  # 601 of 1,440 minutes, with three hits in all


def test_a_server_that_joins_others_is_no_gap() -> None:
    """Neither of the days before nor of its own; who begins with the lake's log is not vouched."""
    others = every(1, "2016-11-01 00:00", "2016-11-09 23:59")
    joined = judge(web01=others, web02=every(1, "2016-11-04 12:00", "2016-11-09 23:59"))
    assert said(joined) == {}
    assert [row["sources_expected"] for row in joined.values()] == [1] * 3 + [2] * 6
    both = judge(
        web01=every(1, "2016-11-01 10:05", "2016-11-09 23:59"),
        web02=every(1, "2016-11-01 10:07", "2016-11-09 23:59"),
    )
    assert said(both) == {"2016-11-01": ["web01: begins at 10:05", "web02: begins at 10:07"]}


def test_a_server_of_one_day_among_others_is_judged_by_none() -> None:
    """It has no rhythm yet: a hit at noon of the newest day says nothing; the others do."""
    noon = every(1, "2016-11-09 12:00", "2016-11-09 12:00")
    others = every(1, "2016-11-01 00:00", "2016-11-09 23:59")
    assert said(judge(web01=others, web02=noon)) == {}
    ended = judge(web01=[at for at in others if at < noon[0]], web02=noon)
    assert said(ended) == {"2016-11-09": ["web01: ends at 11:59"]}


def test_a_line_of_the_evening_before_vouches_for_nobody() -> None:
    """One request began before midnight; the logs begin at 10:05 all the same."""
    sliver = every(1, "2016-10-31 23:59", "2016-10-31 23:59")
    found = judge(
        web01=[*sliver, *every(1, "2016-11-01 10:05", "2016-11-09 23:59")],
        web02=every(1, "2016-11-01 10:05", "2016-11-09 23:59"),
    )
    assert "web02: begins at 10:05" in found[FIRST]["reasons"]


@pytest.mark.parametrize("zone", ["America/Toronto", "Pacific/Auckland", "Asia/Kolkata", "UTC"])
def test_edges_are_said_in_local_time(zone: str) -> None:
    """A day of 25 hours is the last one in Toronto."""
    info = ZoneInfo(zone)
    first = day_start(date(2016, 10, 28), info) + timedelta(hours=9, minutes=5)
    last = day_start(date(2016, 11, 6), info) + timedelta(hours=20)
    moments = [first + timedelta(minutes=5 * n) for n in range((last - first) // timedelta(0, 300))]
    found = judge(info, web01=moments)
    assert found[date(2016, 10, 28)]["reasons"] == ["web01: begins at 09:05"]
    end = moments[-1].astimezone(info)
    mark = f"{end:%H:%M %z}" if zone == "America/Toronto" else f"{end:%H:%M}"
    assert found[date(2016, 11, 6)]["reasons"] == [f"web01: ends at {mark}"]
    assert len(said(found)) == 2


@pytest.mark.parametrize("changing", [date(2016, 3, 13), date(2016, 11, 6)])
def test_a_day_on_which_the_clocks_change_has_whole_edges(changing: date) -> None:
    """First or last of the log, of an office whose hours go by the wall."""
    for begin, end in ((changing, changing + timedelta(9)), (changing - timedelta(9), changing)):
        days = [begin + timedelta(n) for n in range((end - begin).days + 1)]
        moments = [
            datetime(day.year, day.month, day.day, hour, minute, tzinfo=TORONTO).astimezone(UTC)
            for day in days
            for hour in range(8, 18)
            for minute in range(0, 60, 4)
        ]
        assert said(judge(TORONTO, web01=moments)) == {}


def stray(text: str, count: int = 1) -> list[datetime]:
    return every(1, text, text) * count


@pytest.mark.parametrize("named", [(), ("web01", "web02")])
@pytest.mark.parametrize("early", ["2016-10-10 00:00", "2016-10-30 03:00", "1970-01-01 00:00"])
def test_a_stray_early_line_starts_no_tenure(early: str, named: tuple[str, ...]) -> None:
    """Its own day is doubtful; October's other days are web02's alone."""
    found = judge(
        named=named,
        web01=[*stray(early), *every(30, "2016-11-01 00:00", "2016-11-05 23:59")],
        web02=every(2, "2016-10-01 00:00", "2016-11-05 23:59"),
    )
    span = f"{early[11:]} to {early[11:-1]}1"
    why = f"nothing of this day but {span}, days apart from its others (a wrong clock?)"
    assert said(found) == {early[:10]: [f"web01: {why}"]}


def test_stray_late_lines_end_no_tenure() -> None:
    """With one of 2098, web02 is still missed, and the log's last day is the 20th of November."""
    found = judge(
        web01=[*every(2, "2016-11-01 00:00", "2016-11-20 21:05"), *stray("2098-02-07 06:28")],
        web02=every(2, "2016-11-01 00:00", "2016-11-17 23:59"),
        web09=stray("2098-02-07 06:28"),
    )
    assert sorted(said(found)) == ["2016-11-18", "2016-11-19", "2016-11-20", "2098-02-07"]
    assert "web01: ends at 21:04" in found[date(2016, 11, 20)]["reasons"]
    assert found[date(2016, 11, 18)]["reasons"] == [
        "web02: nothing of this day (taken as retired if nothing comes until 2016-11-24)"
    ]


def test_a_source_that_comes_back_with_its_usual_hits_is_no_stray() -> None:
    found = judge(
        web01=every(2, "2016-11-01 00:00", "2016-11-28 23:59"),
        web02=[
            *every(2, "2016-11-01 00:00", "2016-11-05 23:59"),
            *every(2, "2016-11-20 00:00", "2016-11-28 23:59"),
        ],
    )
    assert len(said(found)) == 14


def tell(site: Site, day: str, zone: str) -> str:
    env: dict[str, str | None] = {"TIDEGAUGE_TIMEZONE": zone}
    return site.run("figure", "--day", day, "--country", "all", env=env).out


@pytest.mark.large
def test_figure_and_json_say_where_a_log_begins_and_ends(tmp_path: Path) -> None:
    """The press's paragraph, `days` and `daily`; no alert's word is "whole day"."""
    site = Site(tmp_path)
    moments = every(5, "2016-11-01 10:05", "2016-11-04 21:05")
    lines = [make_line(f"{at:%d/%b/%Y:%H:%M:%S} +0000", f"192.0.2.{at.minute}") for at in moments]
    env: dict[str, str | None] = {"TIDEGAUGE_TIMEZONE": "UTC"}
    site.run("ingest", "--no-geo", site.write("web01.log", b"".join(lines)), env=env)
    site.run("build", env=env)
    assert "web01: begins at 10:05" in tell(site, "2016-11-01", "UTC")
    assert "cover the whole day" not in tell(site, "2016-11-01", "UTC")
    assert "web01: ends at 21:05" in tell(site, "2016-11-04", "UTC")
    assert "cover the whole day" in tell(site, "2016-11-02", "UTC")
    rows = json.loads(site.run("daily", "--format", "json", env=env).out)
    assert {row["day"] for row in rows if row["is_preliminary"]} == {"2016-11-01", "2016-11-04"}
    site.run("verify", env=env)


@pytest.mark.skipif(not PUBLIC_LOG.exists(), reason="the public log is beside the checkout alone")
def test_the_public_log_begins_and_ends_in_mid_day() -> None:
    """Its lines come in bunches, five minutes past each hour."""
    moments = []
    for line in gzip.decompress(PUBLIC_LOG.read_bytes()).decode(errors="replace").splitlines():
        at = line.split("[", 1)[1].split("]", 1)[0]
        moments.append(datetime.strptime(at, "%d/%b/%Y:%H:%M:%S %z"))
    found = judge(log=moments)
    assert said(found) == {
        "2015-05-17": ["log: begins at 10:05"],
        "2015-05-20": ["log: ends at 21:05"],
    }
    assert found[date(2015, 5, 17)]["share"] == pytest.approx(0.58, abs=0.02)
