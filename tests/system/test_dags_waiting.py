"""A night that waits for files until `files_due_by`, in a real Airflow: deferred, then counted."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
from dag_tester import DagTester, failed, sentences, settings_of
from lake_fixtures import Site, make_line

pytestmark = pytest.mark.xdist_group("airflow")
# Where a day does not end while they run.
ZONE = ZoneInfo("Asia/Tokyo" if 3 <= datetime.now(UTC).hour < 8 else "America/Toronto")
SERVERS = "web01 web02"


def yesterday() -> datetime:
    return datetime.now(ZONE) - timedelta(days=1)


def settings(site: Site, due: str) -> dict[str, str]:
    return settings_of(
        site, TIDEGAUGE_GEO="none", TIDEGAUGE_SOURCES=SERVERS, TIDEGAUGE_FILES_DUE_BY=due,
        TIDEGAUGE_TIMEZONE=ZONE.key,
    )  # fmt: skip


def deliver(site: Site, server: str) -> None:
    day = yesterday()
    offset = f"{day:%z}"
    lines = [
        make_line(f"{day:%d/%b/%Y}:{hour:02}:{minute:02}:00 {offset}", f"192.0.2.{hour}")
        for hour in range(24)
        for minute in range(0, 60, 5)
    ]
    site.write(f"{server}-{day:%Y%m%d}.log", b"".join(lines))


def deliver_when_waited_for(tester: DagTester, site: Site, server: str, since: int) -> None:
    """Do so when the log says, after so many bytes of earlier runs, that it is missing."""
    while b"waiting until" not in tester.log.read_bytes()[since:]:
        time.sleep(0.2)
    deliver(site, server)


def completeness(site: Site) -> tuple[bool, list[str]]:
    """Whether yesterday is preliminary, and why."""
    (row,) = [r for r in site.rows("days") if str(r["day"]) == f"{yesterday():%Y-%m-%d}"]
    return row["is_preliminary"], row["reasons"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site that has one of its two servers' log of yesterday."""
    site = Site(tmp_path)
    deliver(site, "web01")
    return site


def test_a_night_waits_for_a_missing_file_and_goes_on_when_it_comes(
    tester: DagTester, site: Site
) -> None:
    day = f"{yesterday():%Y-%m-%d}"
    args = (tester, site, "web02", tester.log.stat().st_size)
    Thread(target=deliver_when_waited_for, args=args, daemon=True).start()
    done = tester.test("tidegauge_nightly", settings(site, "23:59"), {"day": day})
    assert done.state == "success", done.log
    assert f"{day}: no file of web02; waiting until 23:59" in done.log
    assert done.tasks["ingest"] == ["success"] * 2
    assert completeness(site) == (False, [])


def test_when_files_are_due_the_night_counts_what_is_there_as_preliminary(
    tester: DagTester, site: Site
) -> None:
    """And fails, when there is nothing."""
    day = f"{yesterday():%Y-%m-%d}"
    done = tester.test("tidegauge_nightly", settings(site, "00:00"), {"day": day})
    assert (done.state, done.tasks["ingest"]) == ("success", ["success"])
    is_preliminary, reasons = completeness(site)
    assert is_preliminary
    assert [reason.partition(":")[0] for reason in reasons] == ["web02"]
    day = f"{yesterday() - timedelta(days=1):%Y-%m-%d}"
    done = tester.test("tidegauge_nightly", settings(site, "23:59"), {"day": day})
    assert (done.state, failed(done.tasks)) == ("failed", ["discover"])
    assert f"no raw file of {day}" in sentences(done.log)[0]
