"""Published figures: first and later values, why, and that nothing is published twice."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lake_fixtures import make_line
from restated_lakes import COMPLETE, ELEVENTH, LATE, NINTH, PRELIMINARY, Publisher

from pipeline.build import restatements
from pipeline.build.build import build, build_settings
from pipeline.build.restatements import publish, read_restatements

EIGHTH = date(2016, 11, 8)
HOSTILE = "web\x1b[31mred\u202e.log"


@pytest.fixture
def site(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path)


def values(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["previous_sessions"], row["sessions"], row["reason"]) for row in rows]


def test_the_first_value_of_every_country_and_of_their_sum_is_kept(site: Publisher) -> None:
    """With how complete the day was, and when, in whole seconds of UTC."""
    site.deliver("web01.log", US=3, CA=2)
    site.build(d8=PRELIMINARY)
    assert site.publish("2016-11-09T06:00:00.7-05:00") == []
    for country, sessions in {"US": 3, "CA": 2, "all": 5}.items():
        (row,) = site.rows(8, country)
        assert row == {
            "day": EIGHTH, "country": country, "sessions": sessions, "previous_sessions": None,
            "published_at": datetime(2016, 11, 9, 11, tzinfo=UTC), "reason": "first published",
            "share": 0.4, "is_preliminary": True, "sources": 2, "sources_expected": 5,
        }  # fmt: skip
    assert len(read_restatements(site.lake)) == 3


def test_a_late_file_restates_with_its_name_as_the_reason(site: Publisher) -> None:
    site.restate_election_night()
    assert values(site.rows(8, "US")) == [(None, 100, "first published"), (100, 250, LATE)]
    assert values(site.rows(8, "all")) == [(None, 130, "first published"), (130, 311, LATE)]
    was, now = site.rows(8, "CA")
    assert (was["sources"], was["is_preliminary"]) == (2, True)
    assert (now["sources"], now["is_preliminary"]) == (5, False)


@pytest.mark.large
def test_what_publish_returns_is_what_changed(site: Publisher) -> None:
    """Not the first values, nor those whose completeness alone is new."""
    site.deliver("web01.log", US=3, CA=2)
    site.build(d8=PRELIMINARY)
    site.publish(NINTH)
    site.deliver("web02.log", US=1)
    site.build(d8=COMPLETE)
    told = site.publish(ELEVENTH)
    assert [(one.country, one.previous_sessions, one.sessions, one.reason) for one in told] == [
        ("US", 3, 4, "late files: web02.log"), ("all", 5, 6, "late files: web02.log")
    ]  # fmt: skip
    assert [row["sessions"] for row in site.rows(8, "CA")] == [2, 2]


def test_publishing_again_writes_nothing(site: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not even ask for the figures of days that are as they were."""
    site.restate_election_night()
    path = site.lake.part_path("restatements")
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    monkeypatch.setattr(restatements, "connect_reader", None)
    assert site.publish("2016-12-01T00:00:00Z") == []
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


@pytest.mark.large
def test_a_rebuild_to_the_same_numbers_publishes_nothing(site: Publisher) -> None:
    """A late file of robots is built, and changes no figure."""
    site.deliver("web01.log", US=3)
    site.build(d8=COMPLETE)
    site.publish(NINTH)
    robots = make_line("08/Nov/2016:13:00:00 -0500", client="203.0.113.1", agent="Googlebot/2.1")
    site.site.run("ingest", site.site.write("web02.log", robots))
    site.build(d8=COMPLETE)
    site.publish(ELEVENTH)
    assert len(read_restatements(site.lake)) == 2


def test_a_day_that_has_not_ended_is_not_published(site: Publisher) -> None:
    """Midnight in Toronto is 05:00 in UTC."""
    site.deliver("web01.log", day=8, US=3)
    site.deliver("web02.log", day=9, US=2)
    site.build()
    site.publish("2016-11-09T04:59:59Z")
    assert len(read_restatements(site.lake)) == 0
    site.publish("2016-11-09T05:00:00Z")
    assert set(read_restatements(site.lake)["day"].to_pylist()) == {EIGHTH}
    site.publish("2016-11-10T05:00:00Z")
    assert [row["sessions"] for row in site.rows(9, "US")] == [2]


def test_a_country_that_vanishes_is_restated_to_0(site: Publisher) -> None:
    """And back from there, with 0 as the value before."""
    site.deliver("web01.log", US=3)
    site.deliver("web02.log", FR=2)
    site.build()
    site.publish(NINTH)
    site.site.run("forget", "web02.log")
    site.build()
    site.publish(ELEVENTH)
    assert values(site.rows(8, "FR"))[1:] == [(2, 0, "files replaced or taken out: web02.log")]
    site.build()
    assert site.publish("2016-11-12T00:00:00Z") == []
    site.deliver("web09.log", FR=4)
    site.build()
    site.publish("2016-11-13T00:00:00Z")
    assert values(site.rows(8, "FR"))[2:] == [(0, 4, "late files: web09.log")]


@pytest.mark.large
def test_a_country_that_comes_to_a_published_day_was_0(site: Publisher) -> None:
    site.restate_election_night()
    assert values(site.rows(8, "FR")) == [(0, 1, LATE)]


@pytest.mark.large
def test_a_day_taken_out_of_the_lake_is_restated_to_0_once(site: Publisher) -> None:
    site.deliver("web01.log", day=7, US=1)
    site.deliver("web02.log", day=8, US=3)
    site.build()
    site.publish(NINTH)
    site.site.run("forget", "web02.log")
    site.build()
    for _ in range(2):
        site.publish(ELEVENTH)
    reason = "all raw files of the day were taken out of the lake"
    assert values(site.rows(8, "US"))[1:] == values(site.rows(8, "all"))[1:] == [(3, 0, reason)]
    assert site.rows(8, "US")[1]["sources"] == 0
    assert len(site.rows(7, "US")) == 1
    site.deliver("web03.log", day=8, US=3)
    site.build()
    site.publish("2016-11-12T00:00:00Z")
    assert values(site.rows(8, "US"))[2:] == [(0, 3, "late files: web03.log")]


def test_a_day_judged_otherwise_is_published_with_the_same_number(site: Publisher) -> None:
    """The day was not rebuilt: why it once was is not why this changed."""
    site.deliver("web01.log", US=3)
    site.build(d8=COMPLETE)
    site.publish(NINTH)
    site.judge(d8=PRELIMINARY)
    assert site.publish(ELEVENTH) == []
    reason = "how complete the day is was judged again"
    assert values(site.rows(8, "US"))[1:] == [(3, 3, reason)]
    assert [row["is_preliminary"] for row in site.rows(8, "US")] == [False, True]


@pytest.mark.large
def test_a_publication_that_broke_off_is_not_made_twice(site: Publisher) -> None:
    """The table was in place, the ledger did not know yet."""
    site.restate_election_night()
    before = read_restatements(site.lake)
    (site.lake.ledger / "published.json").unlink()
    site.publish("2016-11-12T00:00:00Z")
    assert read_restatements(site.lake) == before
    site.lake.part_path("restatements").unlink()
    site.publish("2016-11-13T00:00:00Z")
    assert values(site.rows(8, "US")) == [(None, 250, "first published")]


@pytest.mark.large
def test_a_clock_set_back_changes_no_order(site: Publisher) -> None:
    """What is published later comes a second after what was published before."""
    site.deliver("web01.log", US=3)
    site.build()
    site.publish(ELEVENTH)
    site.deliver("web02.log", US=1)
    site.build()
    site.publish(NINTH)
    first, second = site.rows(8, "US")
    assert (second["published_at"] - first["published_at"]).total_seconds() == 1
    assert second["sessions"] == 4


@pytest.mark.large
def test_tables_that_lag_behind_are_made_anew_first(site: Publisher) -> None:
    """Figures would stand beside the completeness of before."""
    site.deliver("web01.log", US=3)
    site.build()
    site.publish(NINTH)
    site.lake.part_path("days").unlink()
    site.deliver("web02.log", US=1)
    build(site.lake, build_settings(site.settings, site.lake))
    site.publish(ELEVENTH)
    assert [row["sessions"] for row in site.rows(8, "US")] == [3, 4]
    assert site.rows(8, "US")[-1]["sources_expected"] == 2


@pytest.mark.large
def test_hostile_names_are_stored_escaped(site: Publisher) -> None:
    site.deliver("web01.log", US=3)
    site.build()
    site.publish(NINTH)
    site.deliver(HOSTILE, US=1)
    site.build()
    site.publish(ELEVENTH)
    assert site.rows(8, "US")[1]["reason"] == "late files: web\\x1b[31mred\\u202e.log"


@pytest.mark.large
def test_the_reason_tells_all_that_came_since_the_last_publication(site: Publisher) -> None:
    """Built twice in between, by whom did not publish: both files are named."""
    site.deliver("web01.log", US=3)
    site.build()
    site.publish(NINTH)
    for name in ("web02.log", "web03.log"):
        site.deliver(name, US=1)
        site.build()
    site.publish(ELEVENTH)
    assert values(site.rows(8, "US"))[1:] == [(3, 5, "late files: web02.log, web03.log")]


def test_the_command_build_publishes(site: Publisher) -> None:
    """What was published before is restated, and the view has the rows at once."""
    site.deliver("web01.log", US=3)
    site.build()
    site.publish(NINTH)
    site.deliver("web02.log", US=1)
    site.site.run("build")
    query = "SELECT country, sessions FROM restatements ORDER BY country, sessions"
    done = site.site.run("sql", query, "--format", "csv")
    assert done.out == "country,sessions\nUS,3\nUS,4\nall,3\nall,4\n"


def test_a_sliver_of_the_next_day_is_not_published(site: Publisher) -> None:
    """By a run of the 8th, nor by a later one; what the 9th's own run publishes is its first."""
    site.deliver("web01.log", US=3)
    site.deliver("web01-9.log", day=9, US=1)
    site.build(d8=PRELIMINARY, d9=PRELIMINARY)
    for _ in range(2):
        site.publish("2016-11-12T06:00:00Z", about=[8])
    assert [row["sessions"] for row in site.rows(8, "US")] == [3]
    assert site.rows(9, "US") == []
    said = site.site.run("figure", "--day", "2016-11-09", "--country", "US").out
    assert "It has not been published yet. It will be when the missing logs of the day" in said
    site.deliver("web02-9.log", day=9, US=4)
    site.build(d8=PRELIMINARY, d9=PRELIMINARY)
    assert site.publish("2016-11-13T06:00:00Z", about=[9]) == []
    assert values(site.rows(9, "US")) == [(None, 5, "first published")]


def test_a_day_is_published_when_all_that_is_expected_of_it_is_there(site: Publisher) -> None:
    """No run was about it; `build` publishes it, too."""
    site.deliver("web01.log", US=3)
    site.deliver("web01-9.log", day=9, US=1)
    site.build(d8=PRELIMINARY, d9=PRELIMINARY)
    site.site.run("build")
    assert len(read_restatements(site.lake)) == 0
    site.judge(d8=PRELIMINARY, d9=COMPLETE)
    site.site.run("build")
    assert values(site.rows(9, "US")) == [(None, 1, "first published")]
    assert site.rows(8, "US") == []


@pytest.mark.large
def test_what_was_published_is_published_again_however_little_is_there(site: Publisher) -> None:
    """A run of another day says at once that a file was taken out."""
    site.deliver("web01.log", US=3)
    site.deliver("web02.log", US=2)
    site.build(d8=COMPLETE)
    site.publish(NINTH, about=[])
    site.site.run("forget", "web02.log")
    site.build(d8=PRELIMINARY)
    site.publish(ELEVENTH, about=[10])
    assert values(site.rows(8, "US"))[1:] == [(5, 3, "files replaced or taken out: web02.log")]


@pytest.mark.large
def test_a_backfill_publishes_its_day_and_none_that_is_still_at_work(site: Publisher) -> None:
    """Of the 9th, half the files are there when the 8th is done; its first value is the whole."""
    site.deliver("web01-08.log", day=8, US=3)
    site.deliver("web01-09.log", day=9, US=1)
    backfill(site, day=8)
    site.deliver("web02-09.log", day=9, US=4)
    backfill(site, day=9)
    assert values(site.rows(8, "US")) == [(None, 3, "first published")]
    assert values(site.rows(9, "US")) == [(None, 5, "first published")]
    before = read_restatements(site.lake)
    backfill(site, day=9)
    backfill(site, day=8)
    assert site.publish(ELEVENTH) == []
    assert read_restatements(site.lake) == before


@pytest.mark.large
def test_a_backfill_that_goes_backwards_restates_the_day_after(site: Publisher) -> None:
    """Its first session turns out to have begun the evening before."""
    late = make_line("08/Nov/2016:23:55:00 -0500", client="203.0.113.1", agent="Firefox/50.0")
    early = make_line("09/Nov/2016:00:05:00 -0500", client="203.0.113.1", agent="Firefox/50.0")
    site.deliver("web01-10.log", day=10, US=1)
    site.site.run("ingest", site.site.write("web01-09.log", early))
    backfill(site, day=9)
    assert values(site.rows(9, "US")) == [(None, 1, "first published")]
    site.site.run("ingest", site.site.write("web01-08.log", late))
    backfill(site, day=8)
    (row,) = site.rows(8, "US")
    assert row["sessions"] == 1
    first, then = site.rows(9, "US")
    assert (first["sessions"], then["previous_sessions"], then["sessions"]) == (1, 1, 0)
    assert site.rows(10, "US") == [], "it is at work"


def backfill(site: Publisher, day: int) -> None:
    """End a backfill's run of a day of November while another one has just rebuilt days."""
    settings = build_settings(site.settings, site.lake)
    build(site.lake, settings)
    day_of_run, now = date(2016, 11, day), datetime.fromisoformat(ELEVENTH)
    publish(site.lake, now, settings, [day_of_run], alone=True)
