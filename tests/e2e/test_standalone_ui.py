"""`make airflow` and the backfill form in a browser: four days chosen are four days counted.

The tests are one story in the order they stand in: each goes on where the one before ended.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from airflow_rest import most_at_once, wait_until
from browser import (
    choose_time_zone,
    fill_backfill,
    leave,
    log_in,
    open_browser,
    open_nightly,
    run_backfill,
    show_grid_alone,
)
from chromium import CHROMIUM
from lakes import (
    count_restated,
    counted_sessions,
    hash_parquet,
    names_in,
    run_command,
    simulated_sessions,
)
from machine import leave_out
from playwright.sync_api import FloatRect, Locator, Page
from standalone import Standalone

from pipeline.demo.storm.november import DAYS

EIGHT, STORM = DAYS[:8], DAYS[8]
"""1 to 8 November; the day after has the week before it that a surge needs."""
FOUR, TWO = EIGHT[4:], EIGHT[5:7]
"""5 to 8 November, over the end of summer time on the 6th; and the 6th and 7th."""
TOP: FloatRect = {"x": 0, "y": 0, "width": 1280, "height": 480}


@pytest.fixture(scope="module")
def airflow(
    raw: Path, artefacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Standalone]:
    """A standalone Airflow, ready, over the logs of two data centres."""
    if not CHROMIUM.exists():
        leave_out("the browser", f"there is no {CHROMIUM} (Debian: {CHROMIUM.name})")
    home = tmp_path_factory.mktemp("standalone")
    shutil.copytree(raw, home / "raw")
    airflow = Standalone(home, artefacts / "standalone.txt")
    try:
        airflow.start()
        airflow.wait_until_idle()
        # Its runs would take part of the two cores from those that are tested.
        for dag in ("tidegauge_example_downstream", "tidegauge_watch"):
            airflow.rest.ask("PATCH", f"dags/{dag}", json={"is_paused": True})
        yield airflow
    finally:
        shutil.copy(home / "airflow.log", artefacts / "standalone-airflow.log")
        airflow.close()


@pytest.fixture(scope="module")
def page(airflow: Standalone) -> Iterator[Page]:
    """A browser that is logged in, on the page of `tidegauge_nightly`."""
    with open_browser() as page:
        log_in(page, airflow)
        yield page


def screenshot_form(page: Page, form: Locator, path: Path) -> None:
    """Take a picture of the whole form in a window that is high enough for it."""
    page.set_viewport_size({"width": 1280, "height": 1400})
    form.screenshot(path=path)
    page.set_viewport_size({"width": 1280, "height": 900})


def take_both_widths(page: Page, folder: Path, name: str) -> None:
    """Take a picture of a desktop's window and of a phone's, in which nothing is wider."""
    (frame,) = page.frames[1:]
    page.screenshot(path=folder / f"{name}.png")
    page.set_viewport_size({"width": 390, "height": 844})
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=folder / f"{name}-phone.png")
    page.set_viewport_size({"width": 1280, "height": 900})


def began(run: dict[str, str]) -> datetime:
    return datetime.fromisoformat(run["start_date"])


def ended(run: dict[str, str]) -> datetime:
    return datetime.fromisoformat(run["end_date"])


def days_of(runs: list[dict[str, str]]) -> list[str]:
    """The local days of runs, from their logical dates of 6 a.m. in Toronto."""
    return [str((datetime.fromisoformat(r["logical_date"]) - timedelta(hours=5)).date())
            for r in runs]  # fmt: skip


def tasks_of(airflow: Standalone, run: dict[str, str], task: str = "") -> list[dict[str, Any]]:
    """The task instances of a run of `tidegauge_nightly`, or those of one task."""
    path = f"dags/tidegauge_nightly/dagRuns/{run['dag_run_id']}/taskInstances"
    tasks = airflow.rest.ask("GET", path)["task_instances"]
    return [one for one in tasks if task in {"", one["task_id"]}]


def count_days(airflow: Standalone, days: Sequence[date], lake: Path) -> Path:
    """Make a lake of days by `tidegauge run` alone; returns it."""
    span = ("--from", str(days[0]), "--to", str(days[-1]))
    run_command(airflow.home, "run", *span, "--raw", airflow.home / "raw", "--lake", lake)
    return lake


def take_in_before(airflow: Standalone) -> None:
    """Count the days before by the command, and take files in: the run of the 6th finds none."""
    count_days(airflow, EIGHT[:4], airflow.home / "lake")
    files = [path for n in (5, 6, 7) for path in airflow.home.glob(f"raw/*-2016110{n}.*")]
    run_command(airflow.home, "ingest", *files, "--lake", airflow.home / "lake")


def test_four_days_chosen_in_toronto_are_the_days_that_run(
    airflow: Standalone, page: Page, artefacts: Path, measure: Callable[[str, str], None]
) -> None:
    """The form filled for 5 to 8 November, UI in Toronto: a good run of each day, no other."""
    take_in_before(airflow)
    choose_time_zone(page, "America/Toronto")
    form = fill_backfill(page, "2016/11/05", "2016/11/08")
    form.get_by_text("4 runs will be triggered.").wait_for()
    screenshot_form(page, form, artefacts / "airflow-backfill-form.png")
    run_backfill(form, 4)
    runs = airflow.wait_for_backfill()
    assert days_of(runs) == [str(day) for day in FOUR]
    assert {run["state"] for run in runs} == {"success"}
    assert most_at_once(runs) == 3
    assert [task["state"] for task in tasks_of(airflow, runs[1], "ingest")] == ["skipped"]
    seconds = (max(map(ended, runs)) - min(map(began, runs))).total_seconds()
    measure("backfill of 4 days, SQLite, Docker beside it: seconds per day", f"{seconds / 4:.1f}")
    memory = " / ".join(f"{taken / 1e6:,.0f} MB" for taken in airflow.most_memory)
    measure("most memory, SQLite: sum of RSS / PSS", memory)


def test_the_run_that_the_schedule_makes_of_a_day_after_the_last_does_nothing(
    airflow: Standalone,
) -> None:
    """Airflow schedules yesterday at once; the simulated site is closed, so all is skipped."""
    runs = airflow.rest.ask("GET", "dags/tidegauge_nightly/dagRuns?order_by=logical_date")[
        "dag_runs"
    ]
    # The latest; one more follows when it becomes 06:00 during the tests.
    *_, run = [run for run in runs if run["run_type"] == "scheduled"]
    run = airflow.wait_for_run(run["dag_run_id"])
    assert {task["state"] for task in tasks_of(airflow, run)} == {"skipped"}


def test_lake_has_the_simulators_figures(airflow: Standalone) -> None:
    """Sessions of every country and day are those that the simulator planned, to the digit."""
    planned = simulated_sessions(EIGHT)
    assert counted_sessions(airflow.home / "lake", EIGHT) == planned
    assert count_restated(airflow.home / "lake") == 0, "published only when it was whole"


def test_lake_equals_the_command_lines(airflow: Standalone, tmp_path: Path) -> None:
    """`tidegauge run` of the same days gives the same Parquet, byte for byte.

    Both know of the files that begin on the day after, and are not taken in.
    """
    lake = airflow.home / "lake"
    taken_in = names_in(lake)
    assert {f"{centre}-{day:%Y%m%d}.log.gz" for centre in ("east", "west") for day in EIGHT} <= (
        taken_in
    )
    reference = count_days(airflow, EIGHT, tmp_path / "lake")
    assert names_in(reference) == taken_in
    counted = hash_parquet(lake)
    assert counted == hash_parquet(reference)
    assert len(counted) > 50


def test_pages_show_the_runs_the_files_and_the_figures(
    airflow: Standalone, page: Page, artefacts: Path
) -> None:
    """The grid has the runs, a mapped task its file's name and counts; the report opens."""
    open_nightly(page, airflow)
    show_grid_alone(page)
    page.locator('a[href*="backfill__2016-11-06"]').first.wait_for()
    page.locator('a[href*="backfill__2016-11-09"]').first.wait_for()
    page.screenshot(path=artefacts / "airflow-grid.png", clip=TOP)
    (run,) = [
        r
        for r in airflow.rest.backfill_runs("tidegauge_nightly")
        if "2016-11-09T" in r["dag_run_id"]
    ]
    path = f"/dags/tidegauge_nightly/runs/{run['dag_run_id']}/tasks/ingest/mapped/0"
    page.goto(airflow.url + path)
    page.get_by_text("Returned value was").first.wait_for()
    page.get_by_text("-201611").first.wait_for()
    page.screenshot(path=artefacts / "airflow-ingest-log.png", clip=TOP)
    page.goto((airflow.home / "report.html").as_uri())
    assert "simulated" in page.inner_text("body").lower()
    page.screenshot(path=artefacts / "airflow-report.png")


def test_the_tab_has_the_report_and_the_days_with_their_runs(
    airflow: Standalone, page: Page, artefacts: Path
) -> None:
    """Found by its entry point, in a frame of the UI; a stranger gets 401, and nobody may write."""
    page.goto(airflow.url)
    page.locator('a[href="/plugin/tidegauge"]').click()
    frame = page.frame_locator('iframe[title="Tidegauge"]')
    frame.get_by_label("Country").select_option("US")
    frame.get_by_label("From", exact=True).fill("2016-11-02")
    frame.get_by_role("button", name="Show").click()
    frame.get_by_role("heading", level=1, name="United States: ").wait_for()
    take_both_widths(page, artefacts, "airflow-tab-country")
    frame.get_by_role("link", name="Today and the days").click()
    frame.get_by_role("heading", level=1, name="stale day").wait_for()
    take_both_widths(page, artefacts, "airflow-tab-days")
    frame.get_by_role("link", name="Runs of 2016-11-08").click()
    frame.locator('a[href*="backfill__2016-11-09T11"]').first.wait_for()  # named by its morning
    leave(page)
    assert requests.get(f"{airflow.url}/tidegauge/", timeout=60).status_code == 401
    assert requests.get(f"{airflow.url}/tidegauge/days", timeout=60).status_code == 401


def test_one_more_night_is_what_the_command_makes_of_it(
    airflow: Standalone, tmp_path: Path, measure: Callable[[str, str], None]
) -> None:
    """A manual run with a `day` and `tidegauge run` of it: the same bytes; and their times.

    What they may differ by is in `benchmarks/nights.py`: here others are at work on the machine.
    Here, because the scheduler sees only every half minute that a backfill has ended.
    """
    home, day, copy = airflow.home, str(STORM), tmp_path / "lake"
    shutil.copytree(home / "lake", copy)
    command = run_command(
        home, "run", "--from", day, "--to", day, "--raw", home / "raw", "--lake", copy
    )
    order = {"logical_date": None, "conf": {"day": day}}
    run = airflow.rest.ask("POST", "dags/tidegauge_nightly/dagRuns", json=order)
    run = airflow.wait_for_run(run["dag_run_id"])
    tasks = tasks_of(airflow, run)
    assert {task["state"] for task in tasks} == {"success"}
    assert hash_parquet(home / "lake") == hash_parquet(copy)
    assert counted_sessions(copy, [STORM])[day, "US"] == round(742_915 * 0.005)
    assert duckdb.from_parquet(f"{copy}/surges/part.parquet").fetchall()
    night, work = (ended(run) - began(run)).total_seconds(), sum(t["duration"] for t in tasks)
    measure(f"`tidegauge run` of one day more ({day}), seconds", f"{command:.1f}")
    measure(f"`tidegauge_nightly` of the same, {len(tasks)} tasks: wall / in tasks, seconds",
            f"{night:.1f} / {work:.1f}")  # fmt: skip


def test_a_dag_downstream_runs_for_a_day_that_was_counted(airflow: Standalone) -> None:
    """The day's partition starts it, and its log has the day's figures."""
    example = "tidegauge_example_downstream"
    airflow.rest.ask("PATCH", f"dags/{example}", json={"is_paused": False})
    order = {"logical_date": None, "conf": {"day": "2016-11-08"}}
    airflow.rest.ask("POST", "dags/tidegauge_nightly/dagRuns", json=order)
    runs = f"dags/{example}/dagRuns"

    def find_run() -> str | None:
        days = {
            r["partition_key"]: r["dag_run_id"] for r in airflow.rest.ask("GET", runs)["dag_runs"]
        }
        return days.get("2016-11-08")

    run_id = wait_until(find_run)
    assert airflow.wait_for_run(run_id, example)["state"] == "success"
    log = json.dumps(airflow.rest.ask("GET", f"{runs}/{run_id}/taskInstances/figures/logs/1"))
    counted = counted_sessions(airflow.home / "lake", EIGHT)
    assert f"2016-11-08,US,{counted['2016-11-08', 'US']}," in log
    airflow.wait_until_idle()  # the next test takes the lake away
    airflow.rest.ask("PATCH", f"dags/{example}", json={"is_paused": True})


def test_all_runs_in_utc_rebuild_a_lost_lake_through_ctrl_c_and_the_next_start(
    airflow: Standalone, page: Page, tmp_path: Path, measure: Callable[[str, str], None]
) -> None:
    """Reprocess "All Runs", UI in UTC, over no lake: the same runs again, the command's bytes.

    Stopped in the middle with exit 0 and no process left, they end after the next start, where the
    password, the login of the browser and the earlier runs are there again. One of the days had no
    file left to take in before: Airflow then loses its mapped tasks.
    """
    password, earlier = airflow.password, airflow.rest.backfill_runs("tidegauge_nightly")
    shutil.rmtree(airflow.home / "lake")
    airflow.rest.wait_for_another_backfill()
    open_nightly(page, airflow)
    choose_time_zone(page, "UTC")
    run_backfill(fill_backfill(page, "2016/11/06", "2016/11/07", "All Runs"), len(TWO))
    airflow.wait_for_running_task()
    clock = time.monotonic()
    assert airflow.stop() == 0
    measure("Ctrl-C until all has ended, seconds", f"{time.monotonic() - clock:.0f}")
    clock = time.monotonic()
    airflow.start()
    measure("second start until ready, seconds", f"{time.monotonic() - clock:.0f}")
    assert airflow.password == password
    open_nightly(page, airflow)
    leave(page)
    runs = airflow.wait_for_backfill()
    assert {run["dag_run_id"] for run in runs} == {run["dag_run_id"] for run in earlier}
    again = [run for run in runs if began(run) > max(map(ended, earlier))]
    assert days_of(again) == [str(day) for day in TWO]
    assert {run["state"] for run in runs} == {"success"}
    reference = count_days(airflow, TWO, tmp_path / "lake")
    assert hash_parquet(airflow.home / "lake") == hash_parquet(reference)
