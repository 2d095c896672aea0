"""Alerts of nights in a real Airflow, received by a web hook: once each, over retries too."""

from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest
from conftest import build_database
from dag_tester import DagTester, settings_of
from hooks import Hook
from lake_fixtures import Site, make_line

pytestmark = pytest.mark.xdist_group("airflow")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site without raw logs whose visitors are in Canada."""
    site = Site(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "geo").mkdir()
    networks = {"192.0.2.0/24": "CA"}
    build_database(tmp_path / "geo" / "a.mmdb", "City", "2016-09-01T00:00:00+00:00", networks)
    return site


def test_a_failed_day_is_announced_once_and_an_old_one_only_when_asked(
    tester: DagTester, site: Site, hook: Hook
) -> None:
    settings = settings_of(site, TIDEGAUGE_ALERT_URLS=hook.url)
    for conf in ({}, {"alert": True}, {"alert": True}):
        done = tester.test("tidegauge_nightly", settings, {"day": "2016-11-07", **conf})
        assert done.state == "failed"
    assert hook.titles == ["2016-11-07 failed in discover"]
    assert "no raw file of 2016-11-07" in hook.received[0]["body"]


def test_a_night_that_nobody_delivered_is_announced(
    tester: DagTester, site: Site, hook: Hook
) -> None:
    """Yesterday is recent: no parameter asks for it."""
    settings = settings_of(site, TIDEGAUGE_ALERT_URLS=hook.url)
    for _ in range(2):
        assert tester.test("tidegauge_nightly", settings, {}).state == "failed"
    assert [title.endswith("failed in discover") for title in hook.titles] == [True]


@pytest.mark.parametrize(("day", "tries"), [("2016-11-07", 4), ("2099-01-01", 1)])
def test_a_failed_day_is_announced_once_over_its_retries(
    tester: DagTester, site: Site, hook: Hook, day: str, tries: int
) -> None:
    """When the last one is over; and at once where none helps."""
    settings = settings_of(site, TIDEGAUGE_ALERT_URLS=hook.url)
    conf = {"day": day, "alert": True}
    done = tester.test("tidegauge_nightly", settings, conf, with_retries=True)
    assert (done.state, done.tries["discover"]) == ("failed", tries)
    assert hook.titles == [f"{day} failed in discover"]
    last_try = done.log.rindex("pipeline.errors.")
    assert "alert sent" not in done.log[:last_try]


def visits(day: date, count: int) -> bytes:
    """Write a line of each of a day's visitors."""
    time = f"{day:%d/%b/%Y}:10:00:00 -0400"
    return b"".join(make_line(time, agent=f"Firefox/{n}") for n in range(count))


def test_a_surge_is_announced_when_it_opens_and_closes_whatever_is_run_again(
    tester: DagTester, site: Site, hook: Hook
) -> None:
    """Silent for a day long past; once when asked; a retry sends what its service did not take."""
    days = [date(2016, 10, 1) + timedelta(days=n) for n in range(17)]
    peak, last = days[14], days[16]
    site.write("web01-a.log", b"".join(visits(day, 80 if day == peak else 10) for day in days[:15]))
    site.write("web01-b.log", b"".join(visits(day, 10) for day in days[15:]))
    site.run("ingest", "raw/web01-a.log", "--geo", "geo")
    site.run("build")
    settings = settings_of(site, TIDEGAUGE_ALERT_URLS=hook.url)
    night = partial(tester.test, "tidegauge_nightly", settings, with_retries=True)
    assert night({"day": str(peak)}).state == "success"
    assert hook.titles == []
    hook.refusals = 1
    done = night({"day": str(peak), "alert": True})
    assert (done.state, done.tries["report"]) == ("success", 2)
    assert hook.titles == ["Surge from CA since 2016-10-15"]
    for _ in range(2):
        assert night({"day": str(last), "alert": True}).state == "success"
    assert hook.titles == ["Surge from CA since 2016-10-15", "Surge from CA is over"]
