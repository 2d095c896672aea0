"""Which day a run is about: timetable arithmetic of each kind of run, over changes of the clock."""

import ast
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.days import Run, check_day, find_day, last_ended_day
from pipeline.errors import SettingsError
from pipeline.lake.zone import schedule_zone

pytestmark = pytest.mark.clock
TORONTO = ZoneInfo("America/Toronto")
DAGS = Path(__file__).parents[1] / "dags"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("logical_date", "asked_at", "day"),
    [
        (None, "2016-11-09T15:00:00-05:00", "2016-11-08"),
        (None, "2016-11-09T00:30:00-05:00", "2016-11-08"),
        (None, "2016-11-08T23:30:00-05:00", "2016-11-07"),
        ("2016-11-09T20:00:00+00:00", "2016-11-09T15:00:01-05:00", "2016-11-08"),
        ("2016-11-10T02:00:00+00:00", "2016-11-09T21:00:01-05:00", "2016-11-08"),
        ("2016-11-08T00:00:00+00:00", "2026-11-22T15:00:00-05:00", "2016-11-08"),
        ("2016-11-08T00:00:00-05:00", "2026-11-22T15:00:00-05:00", "2016-11-08"),
        ("2016-11-08T14:30:00-05:00", "2026-11-22T15:00:00-05:00", "2016-11-08"),
        ("2026-11-22T00:00:00+00:00", "2026-11-22T15:00:00-05:00", "2026-11-22"),
    ],
)
def test_a_manual_run_counts_the_date_chosen_or_the_day_that_had_ended(
    logical_date: str | None, asked_at: str, day: str
) -> None:
    run = Run("manual", at(asked_at), logical_date and at(logical_date))
    assert find_day(run, TORONTO) == date.fromisoformat(day)


@pytest.mark.parametrize("kind", ["scheduled", "backfill", "manual"])
def test_the_parameter_day_wins(kind: str) -> None:
    run = Run(kind, at("2026-11-22T11:00:00+00:00"), None, at("2016-11-01T10:00:00Z"), "2016-11-08")
    assert find_day(run, TORONTO) == date(2016, 11, 8)


@pytest.mark.parametrize("text", ["8 Nov", "2016-11-31", "2016-13-01", "yesterday"])
def test_a_day_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="write a date such as 2016-11-08"):
        find_day(Run("manual", at("2026-11-22T11:00:00+00:00"), day=text), TORONTO)


@pytest.mark.parametrize(
    ("day", "ends_at"),
    [
        ("2016-11-06", "2016-11-07T05:00:00+00:00"),  # 25 hours long
        ("2016-03-13", "2016-03-14T04:00:00+00:00"),  # 23 hours long
        ("2016-11-08", "2016-11-09T05:00:00+00:00"),
    ],
)
def test_a_day_can_be_counted_from_its_end_on(day: str, ends_at: str) -> None:
    check_day(date.fromisoformat(day), at(ends_at), TORONTO)
    with pytest.raises(SettingsError, match=f"{day}.*has not ended in America/Toronto.*00:00"):
        check_day(date.fromisoformat(day), at(ends_at) - timedelta(seconds=1), TORONTO)


def test_the_last_ended_day_is_that_of_the_site() -> None:
    assert last_ended_day(datetime(2016, 11, 9, 4, 59, tzinfo=UTC), TORONTO) == date(2016, 11, 7)
    assert last_ended_day(datetime(2016, 11, 9, 5, 0, tzinfo=UTC), TORONTO) == date(2016, 11, 8)


def test_a_wrong_zone_is_left_to_the_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGAUGE_TIMEZONE", "Mars/Olympus")
    monkeypatch.setenv("TZ", "America/Toronto")
    assert schedule_zone() == "America/Toronto"


def test_a_schedule_without_a_lake_is_the_machine_s_or_utc(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIDEGAUGE_TIMEZONE", raising=False)
    for machine, zone in (("Asia/Tokyo", "Asia/Tokyo"), ("", "UTC"), ("EST5EDT4,M3", "UTC")):
        monkeypatch.setenv("TZ", machine)
        assert schedule_zone() == zone


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_a_dag_is_wiring_only(path: Path) -> None:
    """No loop, no `try`, no branch: what a DAG does, a command does for the same day."""
    tree = ast.parse(path.read_text())
    refused = (ast.For, ast.While, ast.Try, ast.If)
    assert [type(node).__name__ for node in ast.walk(tree) if isinstance(node, refused)] == []
    assert ast.get_docstring(tree)
