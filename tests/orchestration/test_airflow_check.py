"""`tidegauge airflow check`: what is wrong with a state of Airflow and a site, line by line.

A real Airflow, in an environment that was empty: tests/system/test_wheel.py.
"""

import json
import os
import shlex
import subprocess
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from conftest import VISITOR_KEY, build_default_databases
from lake_fixtures import Site, make_line

from pipeline.errors import StoreError
from pipeline.installed import find_data
from pipeline.orchestration import airflow_check
from pipeline.orchestration.airflow_check import AirflowState, judge
from pipeline.orchestration.site_check import Checked, Health
from pipeline.settings import load_settings


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that lacks nothing, set in the environment, in folders with a blank and a quote."""
    folder = tmp_path / "a site's"
    for name in ("lake", "raw", "geo"):
        if name != "geo":
            (folder / name).mkdir(parents=True)
        monkeypatch.setenv(f"TIDEGAUGE_{name.upper()}", str(folder / name))
    monkeypatch.setenv("TIDEGAUGE_REPORT", str(folder / "report.html"))
    monkeypatch.setenv("TIDEGAUGE_ALERT_URLS", "json://127.0.0.1")
    monkeypatch.setenv("TIDEGAUGE_VISITOR_KEY", VISITOR_KEY)
    monkeypatch.setenv("TIDEGAUGE_AIRFLOW_BUILD_POOL", "one")
    monkeypatch.setenv("TIDEGAUGE_TIMEZONE", "America/Toronto")
    monkeypatch.setenv("HOME", str(tmp_path))
    build_default_databases(folder / "geo")
    return Site(folder)


def well(folder: Path) -> AirflowState:
    """An Airflow that lacks nothing, whose folder of DAGs has a link to ours."""
    (folder / "dags").mkdir()
    (folder / "dags" / "tidegauge").symlink_to(find_data("dags"))
    return AirflowState(
        home=folder,
        folders=[folder / "dags"],
        unreadable={},
        heartbeat_seconds=1,
        has_local_settings=True,
        database="",
        pools={"default_pool": 128, "one": 1},
        paused={"tidegauge_nightly": False, "tidegauge_refresh_geo": True},
        has_maxmind=False,
    )


def mended(state: AirflowState, load: Any = load_settings, **given: Any) -> list[Checked]:
    """What is not well."""
    return [one for one in judge(state, load, given) if one.state != Health.ok]


def run(line: str) -> None:
    subprocess.run(["bash", "-ec", line], check=True)


def test_nothing_is_said_where_nothing_lacks(site: Site) -> None:
    assert mended(well(site.folder)) == []


def test_each_fact_that_is_wrong_has_its_line(site: Site) -> None:
    """One thing is wrong each time, and one thing is said."""
    state = well(site.folder)
    sqlite = "no such table: slot_pool"
    postgres = "connection to server failed: refused"
    facts: list[tuple[dict[str, Any], Health, str]] = [
        ({"database": sqlite, "pools": {}, "paused": {}}, Health.wrong, "airflow db migrate"),
        ({"database": postgres, "pools": {}, "paused": {}}, Health.wrong, "airflow db check"),
        ({"unreadable": {"nightly.py": "ImportError: x"}}, Health.wrong, "pip install "),
        ({"pools": {"default_pool": 8}}, Health.wrong, "airflow pools set one 1 "),
        ({"pools": {"default_pool": 8, "one": 2}}, Health.advice, "airflow pools set one 1 "),
        ({"pools": {"default_pool": 0, "one": 1}}, Health.wrong, "airflow pools set default_pool "),
        (
            {"paused": {"tidegauge_nightly": True}},
            Health.advice,
            "airflow dags unpause tidegauge_nightly",
        ),
        ({"paused": {}}, Health.advice, "airflow dags reserialize"),
        (
            {"paused": {"tidegauge_nightly": False, "tidegauge_refresh_geo": False}},
            Health.wrong,
            "airflow connections import maxmind.json",
        ),
        ({"heartbeat_seconds": 5}, Health.advice, "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL=1"),
        ({"has_local_settings": False}, Health.advice, "airflow_local_settings.py"),
    ]
    for changes, how, line in facts:
        (said,) = mended(replace(state, **changes))
        assert (said.state, line in said.write) == (how, True), said


def test_a_pool_for_builds_is_advised(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEGAUGE_AIRFLOW_BUILD_POOL")
    (said,) = mended(well(site.folder))
    assert (said.what, said.state) == ("pool", Health.advice)
    assert said.write.endswith("export TIDEGAUGE_AIRFLOW_BUILD_POOL=tidegauge_builds")


def test_the_lines_mend_what_is_wrong(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are quoted: these have a blank and a quote in them."""
    state = replace(well(site.folder), folders=[site.folder / "other dags"], paused={})
    monkeypatch.delenv("TIDEGAUGE_VISITOR_KEY")
    monkeypatch.setenv("TIDEGAUGE_VISITOR_KEY_FILE", str(site.folder / "a key" / "visitor.key"))
    site.lake.rmdir()
    (site.folder / "raw").rmdir()
    wrong = [one for one in mended(state) if one.state == Health.wrong]
    assert [one.what for one in wrong] == ["DAGs", "lake", "raw", "visitor key"]
    for one in wrong:
        run(one.write)
    assert [one.what for one in mended(state)] == ["tidegauge_nightly"]
    key = site.folder / "a key" / "visitor.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    (said,) = (one for one in mended(state) if one.state == Health.wrong)
    run(said.write)
    assert key.stat().st_mode & 0o777 == 0o600


def test_relative_paths_are_set_absolute(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them at once, also that of the settings file."""
    monkeypatch.chdir(site.folder)
    (site.folder / "site.toml").write_text('[[source]]\nname = "web01"\nfiles = "raw/*.log"\n')
    for name in ("lake", "geo", "raw", "report"):
        monkeypatch.delenv(f"TIDEGAUGE_{name.upper()}")
    monkeypatch.setenv("TIDEGAUGE_CONFIG", "site.toml")
    wrong = [one for one in mended(well(site.folder)) if one.state == Health.wrong]
    written = dict(one.write.removeprefix("export ").split("=", 1) for one in wrong if one.write)
    assert written.pop("TIDEGAUGE_CONFIG") == shlex.quote(str(site.folder / "site.toml"))
    assert written == {
        "TIDEGAUGE_LAKE": "/srv/tidegauge/lake",
        "TIDEGAUGE_GEO": "/srv/tidegauge/geo",
        "TIDEGAUGE_REPORT": "/srv/tidegauge/report.html",
    }
    (source,) = (one for one in wrong if not one.write)
    assert "[[source]] 1.files = 'raw/*.log'" in source.said


def test_what_airflow_is_to_have_is_made_without_a_word_in_a_process_list(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret goes by a file that only its owner may read."""

    def load(**_: Any) -> Any:
        raise StoreError("connection tidegauge_visitor_key", None, "make one in Airflow")

    (said,) = mended(well(site.folder), load)
    monkeypatch.chdir(site.folder)
    seen = 'airflow() { cat "$3"; stat -c %a "$3"; }; '
    done = subprocess.run(["bash", "-ec", seen + said.write], capture_output=True, check=True)
    content, _, mode = done.stdout.decode().strip().rpartition("}")
    assert json.loads(content + "}")["tidegauge_visitor_key"]["password"] == "SECRET"  # noqa: S105
    assert mode == "600"
    assert not (site.folder / "tidegauge_visitor_key.json").exists()


def test_a_zone_is_advised_until_a_lake_has_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIDEGAUGE_TIMEZONE")
    (said,) = mended(well(site.folder))
    assert (said.what, said.state) == ("zone", Health.advice)
    site.write("web01.log", make_line("08/Nov/2016:10:00:00 -0500"))
    site.ingest("raw")
    assert mended(well(site.folder / "geo")) == []


def test_places_that_may_not_be_used_and_databases(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = airflow_check.os.access
    refused = str(site.lake)
    monkeypatch.setattr(airflow_check.os, "access", lambda p, m: str(p) != refused and real(p, m))
    (said,) = mended(well(site.folder))
    assert (said.what, "may not write in" in said.said) == ("lake", True)
    assert said.write.startswith("sudo chown -R ")
    monkeypatch.undo()


def test_without_a_database_of_addresses(site: Site) -> None:
    for file in (site.folder / "geo").iterdir():
        file.unlink()
    (said,) = mended(well(site.folder))
    place = shlex.quote(str(site.folder / "geo"))
    assert (said.state, said.write) == (
        Health.wrong,
        f"tidegauge geo fetch dbip-lite --geo {place}",
    )
    assert mended(replace(well(site.folder / "raw")), geo=Path("none")) == []


@pytest.mark.parametrize("found", [None, "2.11.0"])
def test_where_airflow_is_not_installed_the_site_is_looked_at_all_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch, found: str | None
) -> None:
    """Or where it is another one. Exits 1; what is hostile never reaches the terminal."""

    def version(_: str) -> str:
        if found is None:
            raise PackageNotFoundError
        return found

    monkeypatch.setattr(airflow_check, "version", version)
    evil: dict[str, str | None] = {
        name: value for name, value in os.environ.items() if name.startswith("TIDEGAUGE_")
    }
    evil["TIDEGAUGE_LAKE"] = str(site.folder / "a\x1b[2Jlake")
    done = site.run("airflow", "check", code=1, env=evil)
    assert "pip install 'tidegauge[airflow]'" in done.out
    assert "the DAGs are made for 3.3.x" in done.out
    assert "there is no folder" in done.out
    assert "\x1b" not in done.out + done.err
    assert done.out.endswith("\n2 things to mend\n")
    rows = json.loads(site.run("airflow", "check", "--format", "json", code=1, env=evil).out)
    assert [row["what"] for row in rows if row["state"] == "wrong"] == ["Airflow", "lake"]
