"""Retention: old hits and rejects go, every published figure stays and is never counted again."""

import json
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from lake_fixtures import Site, make_line
from test_lake import assert_nothing_abandoned, start

from pipeline import ingest, retention
from pipeline.errors import SettingsError
from pipeline.lake import Lake
from pipeline.settings import Settings

DAYS = [f"2016-11-{day:02}" for day in range(1, 11)]
OLD, SEALED, UNSEALED = DAYS[:4], DAYS[:5], DAYS[5:]
TODAY = date(2016, 11, 12)
KEPT: dict[str, str | None] = {"TIDEGAUGE_HITS_KEPT_DAYS": "7"}
CHECKS = sorted(Path(__file__).parents[1].glob("sql/checks/*.sql"))
COLUMNS = ["day", "hits_files", "rejects_files", "bytes", "is_sealed"]


def lines_of(day: int, server: int) -> bytes:
    """Write a day's lines: sessions within it and into the next, a robot and a rejected line."""
    offset = "-0400" if day < 6 else "-0500"  # summer time ends on the 6th at two
    times = {"00:05:00 -0400" if day == 6 else f"00:05:00 {offset}": 2}
    times |= {f"09:00:00 {offset}": 0, f"09:20:00 {offset}": 0, f"23:50:00 {offset}": 2}
    return (
        b"not a request\n"
        + b"".join(
            make_line(f"{day:02}/Nov/2016:{time}", client=f"192.0.2.{server + client}", agent=agent)
            for time, client in times.items()
            for agent in ("Firefox/49.0", "Googlebot/2.1")
        )
        + make_line(f"{day:02}/Nov/2016:15:00:00 {offset}", client=f"198.51.100.{server + day}")
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Ten days of two servers, built: one has a file for all days, the other one for each."""
    site = Site(tmp_path_factory.mktemp("original"))
    site.write("web01.log", b"".join(lines_of(day, 0) for day in range(1, 11)))
    for day in range(1, 11):
        site.write(f"web02-{day}.log", lines_of(day, 100))
    site.ingest("raw")
    site.run("build")
    return site


@pytest.fixture
def site(original: Site, tmp_path: Path) -> Site:
    """A copy of the original's lake and raw files."""
    shutil.copytree(original.folder, tmp_path / "site")
    return Site(tmp_path / "site")


@pytest.fixture(autouse=True)
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make it noon UTC of 12 November 2016 for the command, or another instant."""

    def to(instant: str) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return datetime.fromisoformat(instant).astimezone(tz)

        monkeypatch.setattr(retention, "datetime", Clock)

    to("2016-11-12T12:00:00+00:00")
    return to


def settings_of(site: Site, kept: int = 7) -> Settings:
    return Settings(lake=site.lake, timezone="America/Toronto", hits_kept_days=kept)


def listed(site: Site, *args: str, code: int = 0, kept: str = "7") -> list[dict[str, Any]]:
    done = site.run(
        "retention", "--format", "json", *args, code=code, env={"TIDEGAUGE_HITS_KEPT_DAYS": kept}
    )
    return list(json.loads(done.out))


def delete(site: Site, *args: str, code: int = 0, kept: str = "7") -> str:
    """Run `retention --delete` and return what it says on stderr."""
    env: dict[str, str | None] = {"TIDEGAUGE_HITS_KEPT_DAYS": kept}
    return site.run("retention", "--delete", *args, code=code, env=env).err


def sealed(site: Site) -> list[str]:
    path = site.lake / "ledger" / "sealed.json"
    return sorted(json.loads(path.read_text())) if path.exists() else []


def everything(site: Site) -> dict[str, bytes]:
    """Return every file of the lake but the locks and the views."""
    paths = (path for path in sorted(site.lake.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(site.lake)): path.read_bytes()
        for path in paths
        if path.suffix not in {".lock", ".duckdb"}
    }


def day_of(path: str) -> str:
    return path.partition("day=")[2][:10]


def ask(site: Site, statement: str) -> list[dict[str, Any]]:
    return list(json.loads(site.run("sql", statement, "--format", "json").out))


def offences(site: Site) -> dict[str, set[str]]:
    """Return the rules that each check finds broken on the lake's views."""
    found = {}
    with duckdb.connect(str(site.lake / "tidegauge.duckdb"), read_only=True) as views:
        for check in CHECKS:
            rows = views.execute(check.read_text()).fetchall()
            found |= {check.stem: {row[0] for row in rows}} if rows else {}
    return found


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
    assert [row["day"] for row in ask(site, "FROM sealed ORDER BY day")] == SEALED
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
    following = retention.apply_retention(Lake(site.lake), settings, TODAY + timedelta(1))
    assert [(str(old.day), old.is_sealed) for old in following] == [("2016-11-05", True)]
    assert sealed(site) == DAYS[:6]


def test_night_after_night_the_last_sealed_day_is_the_first_kept(site: Site) -> None:
    """However many nights: the oldest day with hits is sealed, those after it can be rebuilt."""
    delete(site)
    for night in range(1, 5):
        built = settings_of(site).model_copy(
            update={"session_timeout_minutes": 30 if night == 1 else 8 + night}
        )
        retention.apply_retention(Lake(site.lake), built, TODAY + timedelta(night))
        kept = sorted(path.name[4:] for path in (site.lake / "hits").iterdir())
        assert (kept[0], sealed(site)) == (DAYS[night + 4], DAYS[: night + 5])
        done = site.run("build", env={"TIDEGAUGE_SESSION_TIMEOUT_MINUTES": f"{9 + night}"})
        assert done.out.startswith(f"built {5 - night} days")
        assert offences(site) == {}


@pytest.mark.parametrize("args", [[], ["--delete"]])
def test_without_the_setting_nothing_is_ever_deleted(args: list[str], site: Site) -> None:
    """hits_kept_days unset: no rows, a sentence, exit 0."""
    before = everything(site)
    done = site.run("retention", "--format", "json", *args)
    assert json.loads(done.out) == []
    assert "hits_kept_days is not set: nothing is ever deleted" in done.err
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
    settings = settings_of(site).model_copy(update={"retention_max_days": 5})
    with pytest.raises(SettingsError, match="6 days would be deleted, 2016-11-05 to 2016-11-10"):
        retention.apply_retention(lake, settings, later)
    settings = settings.model_copy(update={"retention_max_days": 6})
    assert len(retention.apply_retention(lake, settings, later)) == 6


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


def test_sealed_days_are_never_rebuilt(site: Site) -> None:
    """A changed setting rebuilds the other days only; changed back, all is as it was."""
    delete(site)
    before = site.hashes()
    assert site.run("build").out == "built 0 days, nothing was stale\n"
    done = site.run("build", env={"TIDEGAUGE_SESSION_TIMEOUT_MINUTES": "10"})
    assert done.out == "built 5 days: 2016-11-06 to 2016-11-10\n"
    changed = site.hashes()
    different = {path for path in before if changed.get(path) != before[path]}
    assert {day_of(path) for path in different} == {*UNSEALED, ""}
    assert not {path for path in different if path.startswith("hits")}
    site.run("build")
    assert site.hashes() == before
    assert offences(site) == {}


def test_late_file_for_a_day_with_hits_counts_as_if_it_came_in_time(
    site: Site, original: Site, tmp_path: Path
) -> None:
    """The first unsealed days are rebuilt with the hits of the last sealed one, as ever."""
    late = site.write("web03.log", lines_of(6, 0) + lines_of(7, 50))
    in_time = Site(tmp_path / "in-time")
    shutil.copytree(original.folder, in_time.folder)
    for each in (site, in_time):
        if each is site:
            delete(each)
        each.ingest(late)
        each.run("build")
    wanted = in_time.hashes()
    got = site.hashes()
    assert {p: h for p, h in got.items() if day_of(p) in UNSEALED} == {
        p: h for p, h in wanted.items() if day_of(p) in UNSEALED
    }
    for table in ("days", "expected", "surges"):
        assert got[f"{table}/part.parquet"] == wanted[f"{table}/part.parquet"]
    assert offences(site) == {}


def test_session_that_goes_on_after_its_day_was_sealed_is_no_offence(site: Site) -> None:
    """A late hit after midnight belongs to a sealed session: it starts none of its own."""
    delete(site)
    counts = "SELECT day, count(*) AS n FROM sessions GROUP BY day ORDER BY day"
    before = ask(site, counts)
    late = make_line("06/Nov/2016:00:12:00 -0400", client="192.0.2.2")
    site.ingest(site.write("web03.log", late))
    site.run("build")
    assert ask(site, counts) == before
    assert offences(site) == {}


LATE = {
    "hits_gone": ("03/Nov/2016:10:00:00 -0400", "2016-11-03"),
    "hits_still_there": ("05/Nov/2016:10:00:00 -0400", "2016-11-05"),
    "before_all_days": ("20/Oct/2016:10:00:00 -0400", "2016-10-20"),
    "by_an_hour": ("05/Nov/2016:23:59:59 -0400", "2016-11-05"),
}


@pytest.mark.parametrize("case", LATE)
def test_late_file_is_refused_with_a_sentence(case: str, site: Site) -> None:
    """A file with any hit up to the last sealed day is refused whole; the lake is as it was."""
    delete(site)
    time, day = LATE[case]
    before = everything(site)
    content = b"bad\n" + make_line("09/Nov/2016:10:00:00 -0500") + make_line(time)
    done = site.ingest(site.write("late.log", content), code=1)
    for part in ("late.log: has hits of " + day, "up to 2016-11-05 are sealed", "hits_kept_days"):
        assert part in done.err
    assert everything(site) == before
    assert site.run("build").out == "built 0 days, nothing was stale\n"


def test_first_unsealed_day_is_taken(site: Site) -> None:
    """A second after the last sealed day ends, a late line is welcome."""
    delete(site)
    site.ingest(site.write("late.log", make_line("06/Nov/2016:00:00:00 -0400")))
    assert site.run("build").out == "built 2 days: 2016-11-06 to 2016-11-07\n"


def test_file_that_is_known_is_not_refused(site: Site) -> None:
    """Files that the lake counted in time are skipped as ever, sealed or not."""
    delete(site)
    before = site.hashes()
    done = site.ingest("raw")
    assert done.err.count("already in the lake") == 11
    assert site.hashes() == before


@pytest.mark.parametrize("days_deleted", [0, 2])
def test_run_that_was_interrupted_is_finished_by_the_next(
    days_deleted: int, site: Site, original: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed, but not or not all deleted: nothing is rebuilt or taken in; the next run deletes."""
    real, count = retention._delete_day, 0

    def stop(*args: Any) -> None:
        nonlocal count
        if count == days_deleted:
            raise KeyboardInterrupt
        count += 1
        real(*args)

    monkeypatch.setattr(retention, "_delete_day", stop)
    delete(site, code=130)
    assert sealed(site) == SEALED
    assert len(list((site.lake / "hits").iterdir())) == 10 - days_deleted
    late = site.write("late.log", make_line("03/Nov/2016:10:00:00 -0400"))
    assert "sealed" in site.ingest(late, code=1).err
    done = site.run("build", env={"TIDEGAUGE_SESSION_TIMEOUT_MINUTES": "10"})
    assert done.out == "built 5 days: 2016-11-06 to 2016-11-10\n"
    assert offences(site) == {}
    site.run("build")
    monkeypatch.undo()
    # Days that were sealed don't count as deleted at once.
    settings = settings_of(site).model_copy(update={"retention_max_days": 1})
    plan = retention.apply_retention(Lake(site.lake), settings, TODAY)
    assert [str(old.day) for old in plan] == OLD[days_deleted:]
    whole = Site(tmp_path / "whole")
    shutil.copytree(original.folder, whole.folder)
    retention.apply_retention(Lake(whole.lake), settings_of(whole), TODAY)
    assert site.hashes() == whole.hashes()
    assert_nothing_abandoned(site)


def test_day_that_is_sealed_while_a_file_is_read_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is the moment of the commit: retention came first."""
    late = site.write("late.log", b"bad\n" + make_line("03/Nov/2016:10:00:00 -0400"))
    real = ingest.PartitionWriter.close

    def close_late(writer: Any) -> Any:
        closed = real(writer)
        retention.apply_retention(Lake(site.lake), settings_of(site), TODAY)
        return closed

    monkeypatch.setattr(ingest.PartitionWriter, "close", close_late)
    assert "2016-11-03" in site.ingest(late, code=1).err
    assert {path.name[4:] for path in (site.lake / "hits").iterdir()} == {*DAYS} - {*OLD}
    assert not list(site.lake.rglob("late-*"))
    assert offences(site) == {}


def test_retention_beside_a_build_and_an_ingest(site: Site) -> None:
    """Whichever comes first, the file is counted or refused, and no figure is lost."""
    late = site.write("late.log", lines_of(3, 50))
    keep = ("--config", site.folder / "tidegauge.toml")
    keep[1].write_text("hits_kept_days = 7\n")
    before = site.rows("daily")
    processes = {
        "ingest": start(site, "ingest", "--no-geo", late),
        "retention": start(site, "retention", "--delete", "--max-days", "10", *keep),
        "build": start(site, "build"),
    }
    said = {name: process.communicate(timeout=60)[1] for name, process in processes.items()}
    codes = {name: process.returncode for name, process in processes.items()}
    assert codes["build"] == 0, said
    was_taken = codes["ingest"] == 0
    if was_taken and codes["retention"]:
        assert b"run `tidegauge build` first" in said["retention"]
        site.run("build")
        site.run("retention", "--delete", "--max-days", "10", *keep)
    elif not was_taken:
        assert b"late.log: has hits of 2016-11-03" in said["ingest"]
    site.run("build")
    assert not list((site.lake / "hits").iterdir())
    assert (len(site.rows("daily")), site.rows("daily") == before) == (10, not was_taken)
    assert offences(site) == {}


def test_rejects_of_files_without_a_hit_go_by_when_they_were_taken_in(site: Site) -> None:
    """They have no day: kept as long as hits, from the day the file came."""
    for name in ("old", "young"):
        site.ingest(site.write(f"{name}.log", f"{name} nonsense\n".encode()))
    (old,) = (site.lake / "ledger" / "files").glob("old-*.json")
    record = json.loads(old.read_text())
    moments = {"2016-11-05T03:59:59+00:00": 1, "2016-11-05T04:00:00+00:00": 0}  # midnight is at 4
    settings = settings_of(site)
    for moment, expected in moments.items():
        old.write_text(json.dumps(record | {"ingested_at": moment}))
        plan = retention.plan_retention(Lake(site.lake), settings, TODAY)
        rejects = [day for day in plan if day.day == date(1970, 1, 1)]
        assert [len(day.rejects) for day in rejects] == [1] * expected
    old.write_text(json.dumps(record | {"ingested_at": min(moments)}))
    delete(site)
    assert "old nonsense" not in {row["line"] for row in site.rows("rejects")}
    assert "young nonsense" in {row["line"] for row in site.rows("rejects")}
    assert sealed(site) == SEALED
    assert ask(site, "SELECT count(*) AS n FROM rejects WHERE day = DATE '1970-01-01'") == [
        {"n": 1}
    ]


def test_views_report_and_status_work_without_any_hits(site: Site) -> None:
    """When the last hits are gone, all views open, and what is asked of figures is answered."""
    figures = {name: site.run(name).out for name in ("daily", "hourly", "expected", "surges")}
    plan = retention.apply_retention(
        Lake(site.lake),
        settings_of(site).model_copy(update={"retention_max_days": 10}),
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
    assert offences(site) == {}


def test_views_that_an_interrupted_run_left_are_repaired(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after all hits were deleted, before the views were written: the next run does."""
    settings = settings_of(site).model_copy(update={"retention_max_days": 10})
    lake, later = Lake(site.lake), TODAY + timedelta(30)
    with monkeypatch.context() as patch:
        patch.setattr(retention, "write_views", interrupt)
        with pytest.raises(KeyboardInterrupt):
            retention.apply_retention(lake, settings, later)
    assert retention.apply_retention(lake, settings, later) == []
    assert ask(site, "SELECT count(*) AS n FROM hits") == [{"n": 0}]


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("table", ["hits", "daily", "sessions"])
def test_accident_on_a_day_that_is_not_sealed_is_found(table: str, site: Site) -> None:
    """Sealing hides nothing of the other days: a partition that is gone offends."""
    delete(site)
    assert offences(site) == {}
    shutil.rmtree(site.lake / table / "day=2016-11-08")
    found = offences(site)
    expected = {
        "hits": {"daily", "days", "sessions"},
        "daily": {"daily", "days", "expected", "hourly"},
        "sessions": {"daily", "sessions"},
    }
    assert found.keys() == expected[table]


def test_status_names_sealed_days(site: Site) -> None:
    """Status has a row for them, `none` before there is any."""

    def row() -> Any:
        rows = json.loads(site.run("status", "--format", "json").out)
        return {row["what"]: row["value"] for row in rows}["sealed days"]

    assert row() == "none"
    delete(site)
    assert row() == "2016-11-01 to 2016-11-05 (5)"


def test_figures_of_a_sealed_day_that_are_lost_stay_lost(site: Site) -> None:
    """They can't be counted again: the build goes on without the day, and does not invent one."""
    delete(site)
    shutil.rmtree(site.lake / "daily" / "day=2016-11-02")
    assert site.run("build").out == "built 0 days, nothing was stale\n"
    assert {row["day"] for row in ask(site, "SELECT DISTINCT day FROM expected")} == {*DAYS} - {
        "2016-11-02"
    }


def test_gap_before_a_kept_day_leaves_it_unsealed(tmp_path: Path) -> None:
    """A day is sealed when what it was counted from goes: not for a day without hits before it."""
    site = Site(tmp_path)
    site.ingest(site.write("web01.log", lines_of(1, 0) + lines_of(2, 0) + lines_of(5, 0)))
    site.run("build")
    delete(site)
    assert sealed(site) == DAYS[:3]
    done = site.run("build", env={"TIDEGAUGE_SESSION_TIMEOUT_MINUTES": "10"})
    assert done.out == "built 1 days: 2016-11-05 to 2016-11-05\n"
    refused = site.ingest(site.write("late.log", lines_of(3, 0)), code=1)
    assert "up to 2016-11-03 are sealed" in refused.err
    site.ingest(site.write("late.log", lines_of(4, 0)))


def test_hits_that_an_accident_took_are_sealed_when_they_are_old(site: Site) -> None:
    """A day without its hits is listed once more and sealed: it can't be repaired any more."""
    shutil.rmtree(site.lake / "hits" / "day=2016-11-02")
    assert [row["hits_files"] for row in listed(site)] == [2, 0, 2, 2]
    delete(site)
    assert sealed(site) == SEALED
    assert offences(site) == {}


def test_what_a_killed_ingest_left_is_deleted_but_not_sealed(site: Site) -> None:
    """Hits that the ledger does not know were never counted: their day stays open."""
    folder = site.lake / "hits" / "day=2016-11-04"
    for table in ("hits", "rejects"):
        shutil.copytree(folder, site.lake / table / "day=2016-09-01")
    delete(site)
    assert not list(site.lake.rglob("day=2016-09-01"))
    assert sealed(site) == SEALED


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
        today = retention.local_today(settings, lake, now.astimezone(ZoneInfo("Asia/Tokyo")))
        assert today == date.fromisoformat(TODAYS[zone, instant])


def test_command_takes_the_local_day(site: Site, set_clock: Callable[[str], None]) -> None:
    """At half past eleven in the evening in Toronto it is tomorrow in UTC, but not here."""
    set_clock("2016-11-12T04:30:00+00:00")
    assert [row["day"] for row in listed(site)] == OLD[:3]
    set_clock("2016-11-12T05:00:00+00:00")
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

    def refuse(path: Path) -> None:
        raise OSError(30, "Read-only file system", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(retention, "shutil", SimpleNamespace(rmtree=refuse))
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
