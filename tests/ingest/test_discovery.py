"""Which raw files a day's run takes in: rotation at midnight or in the morning, late, odd names."""

import gzip
import os
from datetime import date
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from conftest import build_database
from lake_fixtures import Site, make_line

from pipeline.enrich.geo.databases import list_databases
from pipeline.enrich.hits import DatabasesInForce
from pipeline.errors import DataError, SettingsError
from pipeline.ingest.discovery import Fate, Found, decide, discover, find_raw
from pipeline.ingest.raw_logs import RawLogs
from pipeline.lake.lake import Lake
from pipeline.orchestration import jobs as jobs_module
from pipeline.orchestration.jobs import name_file, name_job, read_again, read_paths, write_jobs
from pipeline.orchestration.nightly import build_stale
from pipeline.raw.opening import DEFAULT_LIMITS
from pipeline.settings import load_settings

TORONTO = ZoneInfo("America/Toronto")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with an empty folder of raw logs."""
    (tmp_path / "raw").mkdir()
    return Site(tmp_path)


def lines(*times: str) -> bytes:
    """Write lines at times such as `08 23:59:59`, of November 2016 in Toronto."""
    offset = {time: "-0400" if time < "06 02" else "-0500" for time in times}
    return b"".join(make_line(f"{time[:2]}/Nov/2016:{time[3:]} {offset[time]}") for time in times)


def find(site: Site, day: int, *, late: bool = False) -> Found:
    """Discover for a day of November 2016, with the databases of the site."""
    places = DatabasesInForce(list_databases(site.folder / "geo"), None, TORONTO)
    lake, raw = Lake(site.lake), site.folder / "raw"
    files = find_raw(raw, follow_links=False)
    return discover(lake, files, places, date(2016, 11, day), where=str(raw), with_late=late)


def names(found: Found) -> list[str]:
    return [path.name for path in found.files]


def test_rotated_at_midnight_a_day_is_its_file_and_what_may_end_in_it(site: Site) -> None:
    """The file of the day before may hold a last line of the day: only its end would tell."""
    for day in range(6, 11):
        site.write(f"web01-201611{day:02}.log", lines(f"{day:02} 00:00:05", f"{day:02} 23:59:00"))
    assert names(find(site, 8)) == ["web01-20161107.log", "web01-20161108.log"]
    assert names(find(site, 8, late=True))[:2] == ["web01-20161107.log", "web01-20161108.log"]
    assert len(names(find(site, 8, late=True))) == 3


def test_rotated_in_the_morning_a_day_is_two_files(site: Site) -> None:
    for day in range(6, 11):
        content = lines(f"{day:02} 06:25:05", f"{day + 1:02} 06:24:59")
        site.write(f"access.log.{20 - day}", content)
    assert names(find(site, 8)) == ["access.log.13", "access.log.12"]


def test_rotated_weekly_a_day_is_in_one_file(site: Site) -> None:
    site.write("access.log.2", lines("01 00:00:05", "07 23:59:59"))
    site.write("access.log.1", lines("08 00:00:05", "14 23:59:59"))
    site.write("access.log", lines("15 00:00:05", "16 12:00:00"))
    assert names(find(site, 10)) == ["access.log.1"]


def test_the_first_hit_counts_and_not_the_name(site: Site) -> None:
    site.write("web01-20161108.log", lines("09 10:00:00"))
    site.write("web01-20161109.log", lines("08 10:00:00"))
    assert names(find(site, 8)) == ["web01-20161109.log"]


def test_an_empty_file_is_that_of_the_day_in_its_name(site: Site) -> None:
    site.write("web01-20161108.log", b"")
    assert names(find(site, 8)) == ["web01-20161108.log"]


def test_a_file_that_nobody_can_read_yet_is_tried(site: Site) -> None:
    site.write("web01.log.gz", gzip.compress(lines("08 10:00:00"))[:15])
    assert names(find(site, 8)) == ["web01.log.gz"]


def test_what_the_lake_has_is_left_out_until_it_changes(site: Site) -> None:
    path = site.write("web01-a.log", lines("08 10:00:00"))
    site.ingest("raw")
    assert names(find(site, 8)) == []
    path.write_bytes(lines("08 10:00:00", "08 11:00:00"))
    assert names(find(site, 8)) == ["web01-a.log"]


def test_a_file_that_grew_since_its_first_day_was_sealed_is_taken_in(site: Site) -> None:
    """Nothing of it is new for the sealed day; another file that begins there is late for it."""
    path = site.write("web01.log", lines("06 10:00:00", "07 11:00:00"))
    site.ingest("raw")
    site.run("build")
    Lake(site.lake).seal(["2016-11-06"], "2016-11-08T06:00:00Z")
    path.write_bytes(lines("06 10:00:00", "07 11:00:00", "08 12:00:00"))
    site.write("web02.log", lines("06 10:00:00", "08 12:00:00"))
    found = find(site, 8, late=True)
    assert (names(found), [path.name for path in found.refused]) == (["web01.log"], ["web02.log"])
    site.ingest(path)
    assert len(site.rows("hits")) == 3


def test_a_renamed_file_is_known_once_it_was_read_again(site: Site) -> None:
    path = site.write("web01-a.log", lines("08 10:00:00"))
    site.ingest("raw")
    path.rename(path.with_name("web01-b.log"))
    assert names(find(site, 8)) == ["web01-b.log"]
    site.ingest("raw")
    assert names(find(site, 8)) == []


def test_a_day_without_any_file_is_refused(site: Site) -> None:
    site.write("web01-a.log", lines("07 10:00:00"))
    site.write("web01-b.log", lines("09 10:00:00"))
    with pytest.raises(DataError, match=r"no raw file of 2016-11-08 .* 2016-11-07 to 2016-11-09"):
        find(site, 8, late=True)


def test_a_day_that_was_counted_needs_no_file_any_more(site: Site) -> None:
    path = site.write("web01-a.log", lines("08 10:00:00"))
    site.ingest("raw")
    site.run("build")
    path.unlink()
    assert names(find(site, 8)) == []


def test_the_last_file_of_a_source_is_read_to_its_end(site: Site) -> None:
    site.write("web01-a.log", lines("05 10:00:00", "08 10:00:00"))
    assert names(find(site, 8)) == ["web01-a.log"]
    with pytest.raises(DataError, match="no raw file of 2016-11-09"):
        find(site, 9)


def test_a_folder_that_is_none_is_a_wrong_setting(site: Site) -> None:
    (site.folder / "raw").rmdir()
    with pytest.raises(SettingsError, match="there is no such folder"):
        find(site, 8)
    (site.folder / "raw").write_text("a file")
    with pytest.raises(SettingsError, match="that is a file"):
        find(site, 8)


def test_a_folder_that_may_not_be_read_is_named(site: Site) -> None:
    """As another user, when the tests are root's."""
    raw = site.folder / "raw"
    raw.chmod(0o000)
    for folder in (site.folder, *list(site.folder.parents)[:-2]):
        folder.chmod(0o755)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(DataError, match=r"raw folder .*: Permission denied"):
            find(site, 8)
    finally:
        os.seteuid(user)
        raw.chmod(0o755)


def test_a_link_to_nowhere_is_tried_and_stops_no_other(site: Site) -> None:
    site.write("web01-a.log", lines("08 10:00:00"))
    (site.folder / "raw" / "web02-20161108.log").symlink_to("nowhere")
    assert names(find(site, 8)) == ["web01-a.log", "web02-20161108.log"]


def test_names_of_any_bytes_pass_through_a_scheduler(site: Site) -> None:
    path = Path(os.fsdecode(os.fsencode(site.folder / "raw") + b"/web\xff {{ 7 * 7 }}\n.log"))
    path.write_bytes(lines("08 10:00:00"))
    (job,) = write_jobs(find(site, 8))
    assert read_paths(job) == [path]
    assert str(job).isascii()
    assert "{{" not in str(job)
    assert name_file(path).isprintable()


def test_many_files_are_few_tasks_and_each_is_in_one(site: Site) -> None:
    """Up to a hundred are a task each; no more tasks than Airflow maps, whatever there is."""
    paths = tuple(site.write(f"web01-{number:04}.log", b"x") for number in range(2_001))
    few = write_jobs(Found(paths[:100], (), paths[100:101]))
    assert [(read_paths(job), read_again(job)) for job in few[-2:]] == [
        ([paths[99]], []), ([paths[100]], [paths[100]]),
    ]  # fmt: skip
    (job,) = write_jobs(Found(paths[:2], (), paths[2:3]), together=True)
    assert (read_paths(job), read_again(job)) == (list(paths[:3]), list(paths[2:3]))
    assert write_jobs(Found((), (), ()), together=True) == []
    (job,) = write_jobs(Found(paths, (), ()))
    assert read_paths(job) == list(paths)
    assert name_job(job) == "web01-0000.log and 2000 more"
    with mock.patch.object(jobs_module, "_MOST_FILES", 1):
        found = write_jobs(Found(paths, (), ()))
    assert max(map(len, found)) == 3
    assert [path for job in found for path in read_paths(job)] == list(paths)


def test_a_file_whose_task_was_lost_is_taken_in_before_the_build(site: Site) -> None:
    """As when Airflow leaves a mapped task out of a run that was cleared twice."""
    (site.folder / "geo").mkdir()
    networks = {"192.0.2.0/24": "CA"}
    build_database(site.folder / "geo" / "a.mmdb", "City", "2016-11-01T00:00:00+00:00", networks)
    site.write("web01-a.log", lines("08 10:00:00"))
    lost = site.write("web02-a.log", lines("08 11:00:00"))
    site.run("ingest", "raw/web01-a.log", "--geo", "geo")
    jobs = write_jobs(find(site, 8))
    assert [read_paths(job) for job in jobs] == [[lost]]
    with mock.patch.dict(os.environ, site.environment(), clear=True):
        settings = load_settings(lake=site.lake, geo=site.folder / "geo")
        assert build_stale(settings, jobs) == ["2016-11-08"]
        assert build_stale(settings, jobs) == []
    assert len(site.rows("hits")) == 2


def test_a_day_is_located_anew_when_another_database_is_in_force(site: Site) -> None:
    """The file of the day alone, by a run of that day; its neighbours are left as they are."""
    (site.folder / "geo").mkdir()
    first = {"192.0.2.0/24": "CA"}
    build_database(site.folder / "geo" / "a.mmdb", "City", "2016-11-01T00:00:00+00:00", first)
    for day in (7, 8, 9):
        site.write(f"web01-{day}.log", lines(f"{day:02} 10:00:00"))
    site.run("ingest", "raw", "--geo", "geo")
    assert find(site, 8).again == ()
    second = {"192.0.2.0/24": "US"}
    build_database(site.folder / "geo" / "b.mmdb", "City", "2016-11-07T12:00:00+00:00", second)
    assert [path.name for path in find(site, 8).again] == ["web01-8.log"]
    assert find(site, 7).again == ()
    status = site.run("status", "--geo", "geo").out
    assert "2016-11-08 to 2016-11-09 (2)" in status
    site.run("run", "--from", "2016-11-08", "--to", "2016-11-08", "--geo", "geo")
    daily = {row["country"] for row in site.rows("daily", columns=["country"])}
    assert daily == {"CA", "US"}
    assert find(site, 8).again == ()
    assert [path.name for path in find(site, 9).again] == ["web01-9.log"]


@pytest.mark.parametrize(
    ("is_known", "is_outdated", "is_wanted", "is_sealed", "was_seen", "fate"),
    [
        (True, True, True, False, True, Fate.LOCATE_ANEW),
        (True, True, False, False, True, Fate.LOCATE_ANEW),
        (True, False, True, False, True, Fate.LEAVE),
        (False, False, False, False, False, Fate.LEAVE),  # another run's
        (False, False, False, True, False, Fate.LEAVE),
        (False, False, True, True, False, Fate.REFUSE),
        (False, False, True, True, True, Fate.TAKE),  # it may have grown
        (False, False, True, False, False, Fate.TAKE),
    ],
)
def test_what_a_run_does_with_a_raw_file(
    is_known: bool, is_outdated: bool, is_wanted: bool, is_sealed: bool, was_seen: bool, fate: Fate
) -> None:
    """Every case of one file, as ``discovery.decide`` has them."""
    assert fate is decide(
        is_known=is_known, is_outdated=is_outdated, is_wanted=is_wanted, is_sealed=is_sealed,
        was_seen=was_seen,
    )  # fmt: skip


def test_of_known_files_a_few_of_each_source_are_looked_at(site: Site) -> None:
    """Of those of the day any one, of earlier ones the last: so it stays with a million."""
    for server in ("web01", "web02"):
        for day in range(7, 13):
            for hour in range(3):
                content = lines(f"{day:02} {hour:02}:00:05", f"{day:02} {hour:02}:59:00")
                site.write(f"{server}-201611{day:02}{hour:02}.log", content)
    site.ingest("raw")
    files = find_raw(site.folder / "raw", follow_links=False)
    search = RawLogs(Lake(site.lake), files, TORONTO, DEFAULT_LIMITS)
    logs, others, span = search.list_logs(date(2016, 11, 8))
    assert [raw.path.name[:14] for raw in logs] == [
        "web01-20161107", "web01-20161108", "web02-20161107", "web02-20161108",
    ]  # fmt: skip
    assert logs[0].path.name == "web01-2016110702.log"
    assert (others, span) == (32, (date(2016, 11, 7), date(2016, 11, 12)))
    with pytest.raises(DataError, match=r"36 files; its files begin on 2016-11-07 to 2016-11-12"):
        find(site, 20)


def test_where_the_last_known_file_ends_an_earlier_new_one_tells_nothing(site: Site) -> None:
    """It is known, and not asked for: a new one before it does not go on to the day."""
    site.write("web01-20161107.log", lines("07 10:00:00"))
    site.ingest("raw")
    site.write("web01-20161106.log", lines("06 10:00:00"))
    site.write("web02-20161106.log", lines("06 10:00:00"))
    site.write("web01-20161108.log", lines("08 10:00:00"))
    assert names(find(site, 8)) == ["web01-20161108.log", "web02-20161106.log"]
