"""Sealed days: never counted again, never added to; all other days are rebuilt as ever."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lake_fixtures import Site, make_line
from lake_processes import assert_nothing_abandoned
from retention_sites import (
    DAYS,
    NOON,
    OLD,
    SEALED,
    TODAY,
    UNSEALED,
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

from pipeline.build import retention
from pipeline.build.retention import retention_settings
from pipeline.errors import DataError
from pipeline.lake import hit_files
from pipeline.lake.lake import Lake
from pipeline.lake.left_out import read_notes

AGAIN = ("build", "--also", "settings")


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


@pytest.mark.large
def test_night_after_night_the_last_sealed_day_is_the_first_kept(site: Site) -> None:
    """However many nights: the oldest day with hits is sealed, those after it can be rebuilt."""
    delete(site)
    for night in range(1, 4):
        built = settings_of(site).model_copy(
            update={"session_timeout_minutes": 30 if night == 1 else 8 + night}
        )
        how = retention_settings(built)
        retention.apply_retention(Lake(site.lake), how, TODAY + timedelta(night))
        kept = sorted(path.name[4:] for path in (site.lake / "hits").iterdir())
        assert (kept[0], sealed(site)) == (DAYS[night + 4], DAYS[: night + 5])
        done = site.run(*AGAIN, env={"TIDEGAUGE_SESSION_TIMEOUT_MINUTES": f"{9 + night}"})
        assert done.out.startswith(f"built {5 - night} day")
        assert len(check(site, 9 + night)) == 5 - night


def test_sealed_days_are_never_rebuilt(site: Site) -> None:
    """A changed setting rebuilds the other days only; changed back, all is as it was."""
    delete(site)
    before = site.hashes()
    assert site.run("build").out == "built 0 days, nothing was stale\n"
    done = site.run(*AGAIN, env={"TIDEGAUGE_SESSION_TIMEOUT_MINUTES": "10"})
    assert done.out == "built 5 days: 2016-11-06 to 2016-11-10\n"
    changed = site.hashes()
    different = {path for path in before if changed.get(path) != before[path]}
    assert {day_of(path) for path in different} == {*UNSEALED, ""}
    assert not {path for path in different if path.startswith("hits")}
    site.run(*AGAIN)
    assert site.hashes() == before
    check(site)


@pytest.mark.large
def test_late_file_for_a_day_with_hits_counts_as_if_it_came_in_time(
    site: Site, original: Site, tmp_path: Path
) -> None:
    """The first unsealed days are rebuilt with the hits of the last sealed one, as ever."""
    late = site.write("web03.log", lines_of(6, 0) + lines_of(7, 50))
    in_time = original.copy(tmp_path / "in-time")
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
    for table in ("days", "expected", "surges", "drivers", "signals"):
        assert got[f"{table}/part.parquet"] == wanted[f"{table}/part.parquet"]
    check(site)


@pytest.mark.large
def test_session_that_goes_on_after_its_day_was_sealed_is_no_offence(tmp_path: Path) -> None:
    """A late hit after midnight starts no session; nor does a client that never pauses."""
    site = Site(tmp_path)
    never_pausing = b"".join(
        make_line(f"{day:02}/Nov/2016:{hour:02}:{minute} -0400", client="192.0.2.1")
        for day in range(2, 8)
        for hour in range(24)
        for minute in ("00:00", "20:00", "40:00")
    )
    late = make_line("05/Nov/2016:23:50:00 -0400", client="192.0.2.2")
    site.ingest(site.write("web01.log", never_pausing + late))
    site.run("build")
    delete(site)
    site.ingest(site.write("web02.log", late.replace(b"05/Nov/2016:23:50", b"06/Nov/2016:00:12")))
    assert site.run("build").out == "built 2 days: 2016-11-06 to 2016-11-07\n"
    assert [day["day"] for day in ask(site, "SELECT day FROM sessions ORDER BY day")] == [
        "2016-11-02",
        "2016-11-05",
    ]
    check(site)


LATE = {
    "hits_gone": ("03/Nov/2016:10:00:00 -0400", "2016-11-03"),
    "hits_still_there": ("05/Nov/2016:10:00:00 -0400", "2016-11-05"),
    "before_all_days": ("20/Oct/2016:10:00:00 -0400", "2016-10-20"),
    "by_an_hour": ("05/Nov/2016:23:59:59 -0400", "2016-11-05"),
}


@pytest.mark.rest_large
@pytest.mark.parametrize("case", LATE)
def test_late_file_is_refused_with_a_sentence(case: str, site: Site) -> None:
    """A file with any hit up to the last sealed day is refused whole, and noted as left out."""
    delete(site)
    time, day = LATE[case]
    before = everything(site)
    content = b"bad\n" + make_line("09/Nov/2016:10:00:00 -0500") + make_line(time)
    done = site.ingest(site.write("late.log", content), code=1)
    for part in ("late.log: has hits of " + day, "up to 2016-11-05 are sealed", "hits_kept_days"):
        assert part in done.err
    (note,) = read_notes(Lake(site.lake)).values()
    assert note.days == (day, "2016-11-09")
    assert everything(site).keys() - before.keys() == {"ledger/left.json"}
    assert before.items() <= everything(site).items()
    assert site.run("build").out == "built 0 days, nothing was stale\n"


@pytest.mark.large
def test_a_refused_file_makes_its_other_days_preliminary_until_it_is_given_without_those_lines(
    site: Site,
) -> None:
    delete(site)
    before = site.hashes()
    late, kept = (make_line(f"0{day}/Nov/2016:10:00:00 -0500", "192.0.2.77") for day in (4, 9))
    path = site.write("late.log", late + kept)
    said = "late: late.log has lines of a sealed day, so none of it was taken in"

    def completeness(day: str) -> dict[str, Any]:
        done = site.run("figure", "--day", day, "--country", "all", "--format", "json")
        told: dict[str, Any] = json.loads(done.out)[0]
        return told["completeness"]

    for _ in range(2):  # as often as it is given, before and after a build
        site.ingest(path, code=1)
        for day in ("2016-11-04", "2016-11-09"):
            assert completeness(day)["is_preliminary"]
            assert said in completeness(day)["reasons"]
        assert said not in completeness("2016-11-08")["reasons"]
        site.run("build")
    changed = {name for name, digest in site.hashes().items() if before.get(name) != digest}
    assert {day_of(name) for name in changed} == {""}, "no figure, sealed or not"
    site.run("verify")
    site.ingest(site.write("late.log", kept))
    assert not read_notes(Lake(site.lake))
    site.run("build")
    assert said not in completeness("2016-11-09")["reasons"]


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


@pytest.mark.rest_large
@pytest.mark.parametrize("days_deleted", [0, 2])
def test_run_that_was_interrupted_is_finished_by_the_next(
    days_deleted: int, site: Site, original: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed, but not or not all deleted: nothing is rebuilt or taken in; the next run deletes."""
    real, count = Lake.delete, 0

    def stop(*args: Any) -> None:
        nonlocal count
        if count == days_deleted:
            raise KeyboardInterrupt
        count += 1
        real(*args)

    monkeypatch.setattr(Lake, "delete", stop)
    delete(site, code=130)
    assert sealed(site) == SEALED
    assert len(list((site.lake / "hits").iterdir())) == 10 - days_deleted
    late = site.write("late.log", make_line("03/Nov/2016:10:00:00 -0400"))
    assert "sealed" in site.ingest(late, code=1).err
    done = site.run(*AGAIN, env={"TIDEGAUGE_SESSION_TIMEOUT_MINUTES": "10"})
    assert done.out == "built 5 days: 2016-11-06 to 2016-11-10\n"
    assert len(check(site, 10)) == 5
    site.run(*AGAIN)
    monkeypatch.undo()
    # Days that were sealed don't count as deleted at once.
    settings = settings_of(site, at_once=1)
    plan = retention.apply_retention(Lake(site.lake), retention_settings(settings), TODAY)
    assert [str(old.day) for old in plan] == OLD[days_deleted:]
    whole = original.copy(tmp_path / "whole")
    retention.apply_retention(Lake(whole.lake), retention_settings(settings_of(whole)), TODAY)
    assert site.hashes() == whole.hashes()
    assert_nothing_abandoned(site)


def test_day_that_is_sealed_while_a_file_is_read_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is the moment of the commit: retention came first."""
    late = site.write("late.log", b"bad\n" + make_line("03/Nov/2016:10:00:00 -0400"))
    real = hit_files.PartitionWriter.close

    def close_late(writer: Any) -> Any:
        closed = real(writer)
        retention.apply_retention(Lake(site.lake), retention_settings(settings_of(site)), TODAY)
        return closed

    monkeypatch.setattr(hit_files.PartitionWriter, "close", close_late)
    assert "2016-11-03" in site.ingest(late, code=1).err
    assert {path.name[4:] for path in (site.lake / "hits").iterdir()} == {*DAYS} - {*OLD}
    assert not list(site.lake.rglob("late-*"))
    check(site)


@pytest.mark.rest_large
@pytest.mark.parametrize("table", ["hits", "sessions"])
def test_accident_on_a_day_that_is_not_sealed_is_found(table: str, site: Site) -> None:
    """Sealing hides nothing of the other days: a partition that is gone stops the checks."""
    delete(site)
    assert [str(day) for day in check(site)] == UNSEALED
    shutil.rmtree(site.lake / table / "day=2016-11-08")
    with pytest.raises(DataError, match="2016-11-08"):
        check(site)


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
    done = site.run(*AGAIN, env={"TIDEGAUGE_SESSION_TIMEOUT_MINUTES": "10"})
    assert done.out == "built 1 day: 2016-11-05 to 2016-11-05\n"
    refused = site.ingest(site.write("late.log", lines_of(3, 0)), code=1)
    assert "up to 2016-11-03 are sealed" in refused.err
    site.ingest(site.write("late.log", lines_of(4, 0)))


def test_hits_that_an_accident_took_are_sealed_when_they_are_old(site: Site) -> None:
    """A day without its hits is listed once more and sealed: it can't be repaired any more."""
    for table in ("hits", "rejects"):
        shutil.rmtree(site.lake / table / "day=2016-11-02")
    assert [row["hits_files"] for row in listed(site)] == [2, 0, 2, 2]
    delete(site)
    assert sealed(site) == SEALED
    check(site)


def test_what_a_killed_ingest_left_is_deleted_but_not_sealed(site: Site) -> None:
    """Hits that the ledger does not know were never counted: their day stays open."""
    folder = site.lake / "hits" / "day=2016-11-04"
    for table in ("hits", "rejects"):
        shutil.copytree(folder, site.lake / table / "day=2016-09-01")
    delete(site)
    assert not list(site.lake.rglob("day=2016-09-01"))
    assert sealed(site) == SEALED
