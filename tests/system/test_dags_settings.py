"""Settings as tasks of a real Airflow read them: what is wrong is said by the first task."""

from pathlib import Path

import pytest
from conftest import build_database
from dag_tester import DagTester, failed, sentences, settings_of
from hooks import Hook
from lake_fixtures import Site, make_line

pytestmark = pytest.mark.xdist_group("airflow")
DAY = {"day": "2016-11-08"}
RELATIVE = {
    "TIDEGAUGE_LAKE": "lake",
    "TIDEGAUGE_GEO": "geo",
    "TIDEGAUGE_RAW": "./raw",
    "TIDEGAUGE_REPORT": "report.html",
    "TIDEGAUGE_SOURCE": '[{"name": "web01", "files": "raw/web01*"}]',
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with a day's log, located in Canada."""
    site = Site(tmp_path)
    lines = [make_line(f"08/Nov/2016:{hour:02}:00:00 -0500") for hour in range(24)]
    site.write("web01-20161108.log", b"".join(lines))
    (tmp_path / "geo").mkdir()
    networks = {"192.0.2.0/24": "CA"}
    build_database(tmp_path / "geo" / "a.mmdb", "City", "2016-10-01T00:00:00+00:00", networks)
    return site


def test_a_relative_path_is_said_by_the_first_task_and_announced(
    tester: DagTester, site: Site, hook: Hook
) -> None:
    """Not found empty; also where nothing was set and the default is relative."""
    whole = settings_of(site, TIDEGAUGE_ALERT_URLS=hook.url)
    for name, value in RELATIVE.items():
        done = tester.test("tidegauge_nightly", whole | {name: value}, DAY | {"alert": True})
        assert failed(done.tasks) == ["discover"], name
        (said,) = set(sentences(done.log))
        assert "in Airflow write an absolute path" in said, name
    assert hook.titles[0] == "2016-11-08 failed in discover"
    assert not Path("lake").exists()
    unset = {name: value for name, value in whole.items() if name != "TIDEGAUGE_REPORT"}
    done = tester.test("tidegauge_nightly", unset, DAY)
    assert "setting report = 'report.html': in Airflow" in sentences(done.log)[0]


def test_a_file_of_settings_is_named_by_a_variable(tester: DagTester, site: Site) -> None:
    """One that is no TOML, relative or gone is a sentence that names the variable."""
    path = site.folder / "site.toml"
    path.write_text('geo = "none"\n')
    settings = settings_of(site)
    del settings["TIDEGAUGE_GEO"]
    named = settings | {"TIDEGAUGE_CONFIG": str(path)}
    assert tester.test("tidegauge_nightly", named, DAY).state == "success"
    assert {row["country"] for row in site.rows("daily")} == {"ZZ"}
    path.write_text("geo = ")
    for wrong in (str(path), "site.toml"):
        done = tester.test("tidegauge_nightly", settings | {"TIDEGAUGE_CONFIG": wrong}, DAY)
        (said,) = set(sentences(done.log))
        assert said.startswith("setting TIDEGAUGE_CONFIG = ")


def test_no_message_of_a_dag_advises_an_option(tester: DagTester, site: Site, hook: Hook) -> None:
    """Neither in the log nor in the alert: there are none to give."""
    (site.folder / "geo" / "a.mmdb").unlink()
    settings = settings_of(site, TIDEGAUGE_ALERT_URLS=hook.url)
    done = tester.test("tidegauge_nightly", settings, DAY | {"alert": True})
    (said,) = set(sentences(done.log))
    assert 'set geo to the folder that holds one, or to "none" to locate nobody' in said
    assert "--" not in said + hook.received[0]["body"]
    assert "--no-geo" in site.run("run", "--from", DAY["day"], "--to", DAY["day"], code=2).err
