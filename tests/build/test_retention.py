"""Retention: what is listed, deleted and refused; every published figure stays."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lake_fixtures import Site, make_line
from lake_processes import assert_nothing_abandoned
from retention_sites import (
    DAYS,
    KEPT,
    NOON,
    OLD,
    SEALED,
    TODAY,
    ask,
    check,
    day_of,
    delete,
    everything,
    lines_of,
    listed,
    make_original,
    sealed,
    set_clock,
    settings_of,
)
from verify_lakes import rewrite_records

from pipeline.build import retention
from pipeline.build.retention import retention_settings
from pipeline.errors import SettingsError
from pipeline.lake import folder
from pipeline.lake.lake import Lake
from pipeline.settings import Settings

COLUMNS = ["day", "hits_files", "rejects_files", "bytes", "is_sealed"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_original(tmp_path_factory.mktemp("original"))


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, NOON)


@pytest.fixture
def site(original: Site, tmp_path: Path) -> Site:
    """A copy of the original's lake and raw files."""
    return original.copy(tmp_path / "site")


def test_dry_run_lists_and_deletes_nothing(site: Site) -> None:
    """Without --delete the old days are listed with files and bytes; the lake stays as it was."""
    before = everything(site)
    done = site.run("retention", "--format", "json", env=KEPT)
    rows = json.loads(done.out)
    assert [list(row) for row in rows] == [COLUMNS] * 4
    sizes = {
        day: sum(len(content) for path, content in before.items() if path.startswith(("hits", "rejects")) and day_of(path) == day)  # noqa: E501
        for day in OLD
    }  # fmt: skip
    assert [(row["day"], row["bytes"]) for row in rows] == list(sizes.items())
    assert [(row["hits_files"], row["rejects_files"]) for row in rows] == [(2, 2)] + [(2, 1)] * 3
    assert not any(row["is_sealed"] for row in rows)
    assert "nothing was deleted; `tidegauge retention --delete` deletes" in done.err
    assert everything(site) == before


def test_old_hits_and_rejects_go_and_all_else_stays(site: Site) -> None:
    """Only the partitions of hits and rejects before the first kept day are gone."""
    before, figures = site.hashes(), site.run("daily").out
    records = site.records()
    assert [row["day"] for row in listed(site, "--delete")] == OLD
    kept = {
        path: digest
        for path, digest in before.items()
        if not (path.startswith(("hits", "rejects")) and day_of(path) in OLD)
    }
    assert site.hashes() == kept
    assert {path.name[4:] for path in (site.lake / "hits").iterdir()} == {*DAYS} - {*OLD}
    assert sealed(site) == SEALED
    assert site.records() == records
    assert site.run("daily").out == figures
    assert ask(site, "SELECT DISTINCT day FROM hits ORDER BY day")[0] == {"day": "2016-11-05"}
    assert_nothing_abandoned(site)


def test_second_run_deletes_nothing_and_says_so(site: Site) -> None:
    """Run again on the same day, nothing changes; the next day one more day goes."""
    delete(site)
    before = everything(site)
    assert "nothing to delete: there are no hits or rejects of days before 2016-11-05" in (
        delete(site)
    )
    assert everything(site) == before
    settings = settings_of(site)
    following = retention.apply_retention(
        Lake(site.lake), retention_settings(settings), TODAY + timedelta(1)
    )
    assert [(str(old.day), old.is_sealed) for old in following] == [("2016-11-05", True)]
    assert sealed(site) == DAYS[:6]


@pytest.mark.parametrize("args", [[], ["--delete"]])
def test_without_the_setting_nothing_is_ever_deleted(args: list[str], site: Site) -> None:
    """hits_kept_days unset: no rows, a sentence, exit 0."""
    before = everything(site)
    done = site.run("retention", "--format", "json", *args)
    assert json.loads(done.out) == []
    assert "hits_kept_days is not set: hits and rejects are kept for good" in done.err
    assert everything(site) == before


def test_more_days_than_intended_are_refused(site: Site) -> None:
    """Eight days at once are refused with their span, unless --max-days allows them this time."""
    before = everything(site)
    err = delete(site, code=2, kept="3")
    for part in ("8 days", "2016-11-01 to 2016-11-08", "--max-days 8", "retention_max_days"):
        assert part in err
    dry = site.run("retention", env={"TIDEGAUGE_HITS_KEPT_DAYS": "3"})
    assert "--delete would be refused: setting retention_max_days = 7" in dry.err
    delete(site, "--max-days", "7", code=2, kept="3")
    assert everything(site) == before
    delete(site, "--max-days", "8", kept="3")
    assert sealed(site) == DAYS[:9]


def test_first_kept_day_counts_when_it_goes(site: Site) -> None:
    """It is sealed, but its hits are as many to delete as another day's."""
    delete(site)
    lake, later = Lake(site.lake), TODAY + timedelta(30)
    settings = settings_of(site, at_once=5)
    with pytest.raises(SettingsError, match="6 days would be deleted, 2016-11-05 to 2016-11-10"):
        retention.apply_retention(lake, retention_settings(settings), later)
    settings = settings_of(site, at_once=6)
    assert len(retention.apply_retention(lake, retention_settings(settings), later)) == 6


def test_days_that_are_not_built_are_refused(site: Site) -> None:
    """Days whose figures are not final keep their hits until they are built."""
    site.ingest(site.write("web03.log", lines_of(3, 50)))
    before = everything(site)
    err = delete(site, code=1)
    assert "3 of the days that would be sealed are stale" in err
    assert "2016-11-02 to 2016-11-04; run `tidegauge build` first" in err
    dry = site.run("retention", env=KEPT)
    assert "--delete would be refused" in dry.err
    assert everything(site) == before
    site.run("build")
    delete(site)
    assert sealed(site) == SEALED


def test_day_that_would_be_sealed_with_its_hits_must_be_built_too(site: Site) -> None:
    """The day after the deleted ones keeps its hits, but can't be rebuilt: it must be final."""
    site.ingest(site.write("web03.log", lines_of(6, 50)))
    assert "1 of the days" in delete(site, code=1)


def test_rejects_of_files_without_a_hit_go_by_when_they_were_taken_in(site: Site) -> None:
    """They have no day: kept as long as hits, from the day the file came."""
    for name in ("old", "young"):
        site.ingest(site.write(f"{name}.log", f"{name} nonsense\n".encode()))

    def date_old(moment: str) -> None:
        rewrite_records(site, lambda r: replace(r, ingested_at=moment) if r.source == "old" else r)

    moments = {"2016-11-05T03:59:59+00:00": 1, "2016-11-05T04:00:00+00:00": 0}  # midnight is at 4
    settings = settings_of(site)
    for moment, expected in moments.items():
        date_old(moment)
        plan = retention.plan_retention(Lake(site.lake), retention_settings(settings), TODAY)
        rejects = [day for day in plan if day.day == date(1970, 1, 1)]
        assert [len(day.rejects) for day in rejects] == [1] * expected
    date_old(min(moments))
    delete(site)
    assert "old nonsense" not in {row["line"] for row in site.rows("rejects")}
    assert "young nonsense" in {row["line"] for row in site.rows("rejects")}
    assert sealed(site) == SEALED
    assert ask(site, "SELECT count(*) AS n FROM rejects WHERE day = DATE '1970-01-01'") == [
        {"n": 1}
    ]


@pytest.mark.large
def test_views_report_and_status_work_without_any_hits(site: Site) -> None:
    """When the last hits are gone, all views open, and what is asked of figures is answered."""
    figures = {name: site.run(name).out for name in ("daily", "hourly", "expected", "surges")}
    plan = retention.apply_retention(
        Lake(site.lake),
        retention_settings(settings_of(site, at_once=10)),
        TODAY + timedelta(30),
    )
    assert len(plan) == 10
    assert ask(site, "SELECT count(*) AS n FROM hits") == [{"n": 0}]
    assert ask(site, "SELECT count(*) AS n FROM rejects") == [{"n": 0}]
    assert {name: site.run(name).out for name in figures} == figures
    status = {
        row["what"]: row["value"] for row in json.loads(site.run("status", "--format", "json").out)
    }
    assert status["sealed days"] == "2016-11-01 to 2016-11-10 (10)"
    assert status["stale days count"] == 0
    site.run("report", "--out", "report.html")
    assert site.run("build").out == "built 0 days, nothing was stale\n"
    assert check(site) == []


def test_views_that_an_interrupted_run_left_are_repaired(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after all hits were deleted, before the views were written: the next run does."""
    settings = settings_of(site, at_once=10)
    lake, later = Lake(site.lake), TODAY + timedelta(30)
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.lake.views.write_views", interrupt)
        with pytest.raises(KeyboardInterrupt):
            retention.apply_retention(lake, retention_settings(settings), later)
    assert retention.apply_retention(lake, retention_settings(settings), later) == []
    assert ask(site, "SELECT count(*) AS n FROM hits") == [{"n": 0}]


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


TODAYS = {
    ("America/Toronto", "2016-11-09T04:59:59+00:00"): "2016-11-08",
    ("America/Toronto", "2016-11-09T05:00:00+00:00"): "2016-11-09",
    ("America/Toronto", "2016-11-06T03:59:59+00:00"): "2016-11-05",
    ("America/Toronto", "2016-11-06T04:00:00+00:00"): "2016-11-06",
    ("America/Toronto", "2016-11-07T04:59:59+00:00"): "2016-11-06",
    ("America/Toronto", "2016-03-14T03:59:59+00:00"): "2016-03-13",
    ("Pacific/Kiritimati", "2016-11-08T10:00:00+00:00"): "2016-11-09",
    ("UTC", "2016-11-08T23:59:59-05:00"): "2016-11-09",
}


@pytest.mark.parametrize(("zone", "instant"), TODAYS)
def test_today_is_the_date_in_the_site_s_zone(zone: str, instant: str, tmp_path: Path) -> None:
    """Also when clocks were changed that day, and whatever the zone of the instant."""
    lake = Lake(tmp_path / "lake")
    lake.claim(zone, "fingerprint")
    now = datetime.fromisoformat(instant)
    for settings in (Settings(lake=lake.root), Settings(lake=lake.root, timezone=zone)):
        today = retention.local_today(
            settings.timezone, lake, now.astimezone(ZoneInfo("Asia/Tokyo"))
        )
        assert today == date.fromisoformat(TODAYS[zone, instant])


def test_command_takes_the_local_day(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """At half past eleven in the evening in Toronto it is tomorrow in UTC, but not here."""
    set_clock(monkeypatch, "2016-11-12T04:30:00+00:00")
    assert [row["day"] for row in listed(site)] == OLD[:3]
    set_clock(monkeypatch, "2016-11-12T05:00:00+00:00")
    assert [row["day"] for row in listed(site)] == OLD


@pytest.mark.parametrize("args", [[], ["--delete"]])
def test_lake_of_another_zone_is_refused(args: list[str], site: Site) -> None:
    """A zone set that is not the lake's: perhaps another lake was meant."""
    before = everything(site)
    done = site.run("retention", *args, code=2, env=KEPT | {"TIDEGAUGE_TIMEZONE": "UTC"})
    assert "was made for time zone America/Toronto" in done.err
    assert everything(site) == before


def test_folder_that_is_a_link_is_refused(site: Site, tmp_path: Path) -> None:
    """What lies elsewhere is not retention's to delete, and a link alone would hide it."""
    folder = site.lake / "hits" / "day=2016-11-02"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert "day=2016-11-02 is a link" in delete(site, code=2)
    assert len(list((tmp_path / "elsewhere").iterdir())) == 2
    assert sealed(site) == []


def test_hostile_names_steer_nothing(site: Site) -> None:
    """Odd folders are left alone; no control character of a name reaches the terminal."""
    evil = "\x1b[31m\u202e"
    odd = [f"day={evil}", "day=20161101", "day=2016-13-01", "day=2016-11-01x", "day=.."]
    for name in odd:
        (site.lake / "hits" / name).mkdir()
    moved = site.folder / f"lake{evil}"
    delete(site)
    late = site.write(f"late{evil}.log", make_line("03/Nov/2016:10:00:00 -0400"))
    refused = site.ingest(late, code=1)
    assert "2016-11-03" in refused.err
    site.lake.rename(moved)
    done = [
        refused,
        site.run("retention", "--lake", moved, env=KEPT),
        site.run("retention", "--lake", moved, code=2, env=KEPT | {"TIDEGAUGE_TIMEZONE": "UTC"}),
    ]
    for each in done:
        assert not {"\x1b", "\u202e"} & {*each.out, *each.err}
    assert {path.name for path in (moved / "hits").iterdir()} >= {*odd}


def test_what_cannot_be_deleted_is_named_and_tried_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses is a sentence with exit 2; the next run goes on."""

    def refuse(path: Path, *, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise OSError(30, "Read-only file system", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(folder, "shutil", SimpleNamespace(rmtree=refuse))
        err = delete(site, code=2)
    assert "hits and rejects of 2016-11-01 can't be deleted: Read-only file system" in err
    delete(site)
    assert {path.name[4:] for path in (site.lake / "hits").iterdir()} == {*DAYS} - {*OLD}


def test_wrong_use_is_refused(site: Site) -> None:
    """Zero days at once is no number; fewer than three days kept is no setting."""
    site.run("retention", "--max-days", "0", code=2)
    done = site.run("retention", code=2, env={"TIDEGAUGE_HITS_KEPT_DAYS": "2"})
    assert "hits_kept_days" in done.err


def test_no_lake_is_refused(tmp_path: Path) -> None:
    """Nothing is made where no lake is."""
    done = Site(tmp_path).run("retention", "--lake", "nowhere", code=2, env=KEPT)
    assert "no lake at nowhere" in done.err
    assert not (tmp_path / "nowhere").exists()
