"""What a night waits for before it counts, and until when."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lake_fixtures import Site, make_line

from pipeline.days import morning_after
from pipeline.errors import PassingError
from pipeline.ingest.discovery import Found
from pipeline.orchestration.finding import Awaited, find_all_files
from pipeline.settings import load_settings

pytestmark = pytest.mark.clock
TORONTO = ZoneInfo("America/Toronto")
DAY = date(2016, 11, 8)
AT_SIX = datetime(2016, 11, 9, 11, tzinfo=UTC)
AT_DUE = datetime(2016, 11, 9, 11, 45, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with an empty folder of raw logs."""
    (tmp_path / "raw").mkdir()
    return Site(tmp_path)


def deliver(site: Site, server: str, day: int) -> None:
    lines = [make_line(f"{day:02}/Nov/2016:{hour:02}:00:00 -0500") for hour in range(24)]
    site.write(f"{server}-201611{day:02}.log", b"".join(lines))


def look(site: Site, now: datetime, **settings: Any) -> Found | Awaited:
    """Look for 8 November, whose files are due by 06:45."""
    places = {name: site.folder / name for name in ("lake", "raw")}
    key = site.environment()["TIDEGAUGE_VISITOR_KEY"]
    own = {"visitor_key": key, "geo": "none", "timezone": TORONTO.key, "files_due_by": "06:45"}
    return find_all_files(load_settings(**places, **own | settings), DAY, now)


def names(found: Found | Awaited) -> list[str]:
    assert isinstance(found, Found)
    return [path.name for path in found.files]


def test_named_sources_are_waited_for_until_files_are_due(site: Site) -> None:
    """A file of the day before tells nothing of a day, although its last line could be of it."""
    deliver(site, "web01", 8)
    deliver(site, "web02", 7)
    wait = look(site, AT_SIX, sources="web01 web02")
    assert wait == Awaited([str(site.folder / "raw")], AT_DUE)
    assert "web01-20161108.log" in names(look(site, AT_DUE, sources="web01 web02"))
    deliver(site, "web02", 8)
    assert "web02-20161108.log" in names(look(site, AT_SIX, sources="web01 web02"))


def test_without_names_those_that_came_lately_are_waited_for(site: Site) -> None:
    """Not one that has not come for a week, nor one of which the lake has the day already."""
    site.write("old.log", make_line("31/Oct/2016:12:00:00 -0400"))
    for server, days in (("web01", range(1, 8)), ("web02", [6, 7])):
        for day in days:
            deliver(site, server, day)
    site.run("ingest", "raw", "--geo", "none")
    deliver(site, "web01", 8)
    assert isinstance(look(site, AT_SIX), Awaited)
    deliver(site, "web02", 8)
    assert len(names(look(site, AT_SIX))) == 2
    site.run("ingest", "raw", "--geo", "none")
    (site.folder / "raw" / "web02-20161108.log").unlink()
    assert names(look(site, AT_SIX)) == []


def test_a_day_of_which_there_is_nothing_fails_only_when_files_are_due(site: Site) -> None:
    assert isinstance(look(site, AT_SIX), Awaited)
    with pytest.raises(PassingError, match="no raw file of 2016-11-08"):
        look(site, AT_DUE)
    with pytest.raises(PassingError, match="no raw file of 2016-11-08"):
        look(site, AT_SIX, files_due_by=None)


def test_a_store_out_of_reach_is_asked_again_and_then_left_out(site: Site) -> None:
    """A folder can be watched, a store is asked every five minutes."""
    deliver(site, "web01", 8)
    source = [{"name": "cdn", "url": "http://127.0.0.1:9/cdn.log"}]
    wait = look(site, AT_SIX, source=source)
    assert isinstance(wait, Awaited)
    assert wait.until == datetime(2016, 11, 9, 11, 5, tzinfo=UTC)
    found = look(site, AT_DUE, source=source)
    assert isinstance(found, Found)
    assert (names(found), found.unreached) == (["web01-20161108.log"], ())


@pytest.mark.parametrize(
    ("day", "instant"),
    [(date(2016, 11, 5), "2016-11-06T12:00+00:00"), (date(2017, 3, 11), "2017-03-12T11:00+00:00")],
)
def test_the_morning_after_is_on_the_wall_where_clocks_change(day: date, instant: str) -> None:
    assert morning_after(day, time(7), TORONTO) == datetime.fromisoformat(instant)
