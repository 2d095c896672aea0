"""The hourly watch on the storm of November 2016, as its servers' live files grow."""

import json
import os
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from conftest import build_default_databases
from hooks import Hook
from lake_fixtures import COMPRESS, Site, make_line
from live_logs import LiveServers

from pipeline.alerts.services import alert_settings
from pipeline.alerts.surges import note_surges
from pipeline.demo.storm.address_pool import find_database
from pipeline.demo.storm.simulate import DEFAULT_SEED, write_file
from pipeline.errors import DataError
from pipeline.orchestration.watch import take_in_so_far
from pipeline.settings import Settings, load_settings

TORONTO = ZoneInfo("America/Toronto")
SCALE = 0.002
EVENING = datetime(2016, 11, 8, 20, 10, tzinfo=TORONTO)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of the servers' rotated logs of 1-9 November, five files a day."""
    folder = tmp_path_factory.mktemp("whole")
    for day in range(9):
        for server in range(5):
            write_file(folder, SCALE, DEFAULT_SEED, server, day)
    return folder


@pytest.fixture(scope="module")
def week(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a site that has counted 1-7 November."""
    site = Site(tmp_path_factory.mktemp("week"))
    files = [path for path in sorted(whole.iterdir()) if path.name[6:14] <= "20161107"]
    site.run("ingest", *files, "--geo", geo())
    site.run("build")
    return site


def geo() -> Path:
    """Return the folder of the database of November 2016."""
    return find_database().parent


@pytest.mark.large
def test_no_hour_of_the_week_before_is_a_surge(week: Site) -> None:
    """Each day's hours as seen after its midnight; from the fourth day on some are expected."""
    for day in range(1, 8):
        as_of = f"2016-11-{day + 1:02}T00:10"
        rows = json.loads(week.run("now", "--as-of", as_of, "--format", "json").out)
        assert len({row["hour"] for row in rows}) == (25 if day == 6 else 24)
        assert [row for row in rows if row["is_surge"]] == []
        assert {row["expected"] is not None for row in rows} == {day >= 4}


def settings_of(site: Site, hook: Hook) -> Settings:
    return load_settings(lake=site.lake, alert_urls=hook.url, timezone="America/Toronto")


@pytest.mark.large
def test_the_surge_is_announced_once_before_midnight_and_leaves_the_lake_as_a_night_does(
    week: Site, whole: Path, hook: Hook, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The evening of 8 November hour by hour from live files, then the rotated ones."""
    live, raw = LiveServers(whole), week.folder / "raw"
    by_hour = []
    for hours in (0, 1, 2, 2, 3, 4, 5):
        moment = EVENING + timedelta(hours=hours)
        live.write_until(moment, raw)
        week.run(
            "watch", "--as-of", moment.isoformat(), "--raw", raw, "--geo", geo(),
            env={"TIDEGAUGE_ALERT_URLS": hook.url},
        )  # fmt: skip
        by_hour.append(len(hook.received))
    titles = [title for title in hook.titles if "US" in title]
    assert titles == ["Surge from US in the hour 2016-11-08 21:00-22:00"]
    assert by_hour[:4] == [0, 0, 1, 1]  # at 22:10, and not again at 22:10
    settings = settings_of(week, hook)
    eighth, ninth = date(2016, 11, 8), date(2016, 11, 9)
    night = note_surges(alert_settings(settings), eighth, ninth, is_asked=False)
    assert "Surge from US since 2016-11-08" in [alert.title for alert in night]
    assert all(alert.title.endswith("2016-11-08") for alert in night)
    assert_a_night_makes_the_same_lake(week, whole, tmp_path_factory.mktemp("fresh"))


def assert_a_night_makes_the_same_lake(watched: Site, whole: Path, folder: Path) -> None:
    """Assert that the rotated logs end in the lake that they would have made by themselves."""
    fresh = Site(folder)
    for site in (watched, fresh):
        site.run("ingest", whole, "--geo", geo())
        site.run("build")
    assert watched.hashes() == fresh.hashes()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with address databases and an empty folder of raw logs."""
    build_default_databases(tmp_path / "geo")
    (tmp_path / "raw").mkdir()
    return Site(tmp_path)


def watch(site: Site, as_of: str, **env: str | None):
    """Run the watch of a moment over raw files of now."""
    for path in (site.folder / "raw").iterdir():
        os.utime(path, (1, 1))
    return site.run("watch", "--as-of", as_of, env=env)


def test_a_first_hour_without_any_file_is_no_error(site: Site) -> None:
    done = watch(site, "2016-11-08T00:10")
    assert done.out == "files:  0 taken in, 0 known\nbuilt:  0 days\n"


def test_an_archive_still_being_written_is_left_to_the_next_hour(site: Site) -> None:
    """Other servers' files are counted meanwhile, and no half of it is."""
    packed = COMPRESS["gz"](b"".join(make_line(agent=f"A/{n}") for n in range(1000)))
    site.write("web01.log.gz", packed[: len(packed) // 2])
    site.write("web02.log", make_line())
    done = watch(site, "2016-11-08T11:10")
    assert done.out.startswith("files:  1 taken in")
    assert [record["source"] for record in site.records().values()] == ["web02"]
    site.write("web01.log.gz", packed)
    assert watch(site, "2016-11-08T12:10").out.startswith("files:  1 taken in")
    assert sum(row["hits"] for row in site.rows("daily")) == 1001


def test_a_last_line_cut_off_is_completed_by_the_next_hour(site: Site) -> None:
    """Whatever the cut-off line was counted as, the grown file replaces it."""
    lines = [make_line(agent=f"A/{n}") for n in range(30)]
    site.write("web01.log", b"".join(lines)[:-60])
    watch(site, "2016-11-08T11:10")
    site.write("web01.log", b"".join(lines))
    watch(site, "2016-11-08T12:10")
    assert [record["hits"] for record in site.records().values()] == [30]
    assert site.rows("rejects") == []


def test_files_that_were_changed_later_are_not_there_yet(site: Site) -> None:
    site.write("web01.log", make_line())
    done = site.run("watch", "--as-of", "2016-11-08T11:10")
    assert done.out.startswith("files:  0 taken in")


def test_a_file_that_may_not_be_read_fails_with_its_name(site: Site) -> None:
    settings = load_settings(
        lake=site.lake, geo=site.folder / "geo", timezone="America/Toronto",
        visitor_key="a key of sixteen letters",
    )  # fmt: skip
    (site.folder / "raw" / "web01").mkdir()
    with pytest.raises(DataError, match=r"web01: .* is a folder"):
        take_in_so_far(settings, [site.folder / "raw" / "web01"])
    assert not take_in_so_far(settings, [site.folder / "raw" / "rotated-away.log"]).added


def test_a_watch_that_fails_is_announced_once_and_is_not_the_nights_failure(
    site: Site, hook: Hook
) -> None:
    env: dict[str, str | None] = {"TIDEGAUGE_ALERT_URLS": hook.url, "TIDEGAUGE_RAW": "nowhere"}
    for hour in (11, 12):
        done = site.run("watch", "--as-of", f"2016-11-08T{hour}:10", env=env, code=2)
        assert "there is no such folder" in done.err
    assert hook.titles == ["watch of 2016-11-08 failed in tidegauge watch"]
    names = [path.name for path in (site.lake / "ledger" / "alerts").iterdir()]
    assert names == ["failed-watch-2016-11-08.json"]


def test_what_is_no_moment_is_refused(site: Site) -> None:
    for command in ("now", "watch"):
        site.ingest(site.write("web01.log", make_line()))
        done = site.run(command, "--as-of", "tonight", code=2)
        assert "write a time such as" in done.err
