"""Settings and secrets that a site keeps in Airflow: variables, connections, secrets backends."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import VISITOR_KEY, build_database
from dag_tester import DAGS, DagTester, airflow_environment, sentences
from hooks import Hook
from lake_fixtures import Site, make_line

pytestmark = pytest.mark.xdist_group("airflow")

LOAD = """
import json, os, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.execution_time import supervisor
asked, real = [], supervisor.ensure_secrets_backend_loaded
supervisor.ensure_secrets_backend_loaded = lambda: asked.append(1) or real()
bag = DagBag(sys.argv[1])
print(json.dumps([bag.import_errors, len(bag.dags), len(asked)]))
from pipeline.errors import SettingsError
from pipeline.orchestration.airflow_plugin import _load_settings
from pipeline.orchestration.dag_run import load_site
start = dict(os.environ)
for case in map(json.loads, sys.stdin):
    os.environ.clear()
    os.environ.update(start | case)
    said = []
    for load in (_load_settings, load_site):
        try:
            said.append(load().model_dump_json())
        except SettingsError as error:
            said.append(str(error))
    print(json.dumps([*said, {k: v for k, v in os.environ.items() if k.startswith("AWS_")}]))
"""
PLACES = {name: f"/srv/{name}" for name in ("lake", "geo", "raw")} | {"report": "/srv/page.html"}
ALL = "settings visitor_key alert_urls"
SECRET = "squeamish-ossifrage-lies-here"  # noqa: S105 no secret of anybody's


def variable(**values: Any) -> dict[str, str]:
    return {"AIRFLOW_VAR_TIDEGAUGE": json.dumps(PLACES | values)}


def connection(item: str, password: str, **more: Any) -> dict[str, str]:
    content = {"conn_type": "generic", "password": password, **more}
    return {f"AIRFLOW_CONN_TIDEGAUGE_{item.upper()}": json.dumps(content)}


def reads(*items: str) -> dict[str, str]:
    return {"TIDEGAUGE_AIRFLOW_READS": " ".join(items)}


def load(home: Path, cases: list[dict[str, str]]) -> tuple[list[Any], list[list[Any]]]:
    """What Airflow was asked for while DAGs were parsed; what tab and tasks load in each case."""
    environment = airflow_environment(home)
    clean = {k: v for k, v in environment.items() if not k.startswith(("TIDEGAUGE_", "AWS_"))}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, DAGS],
        env=clean | {"TIDEGAUGE_TIMEZONE": "America/Toronto"} | reads(ALL, "s3"),
        input="\n".join(map(json.dumps, cases)), text=True, capture_output=True, check=False,
        cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    parsed, *rows = [json.loads(one) for one in done.stdout.splitlines() if one.startswith("[")]
    return parsed, rows


WRONG = [
    (reads("settings"), "variable tidegauge = None: make it in Airflow (Admin, Variables)"),
    (reads("settings") | {"AIRFLOW_VAR_TIDEGAUGE": SECRET}, "write a JSON object of settings"),
    (reads("settings") | {"AIRFLOW_VAR_TIDEGAUGE": '["lake"]'}, "write a JSON object of settings"),
    (reads("settings") | variable(rae="/srv"), "rae of the variable tidegauge"),
    (reads("settings") | variable(rae="/srv"), "no such key; did you mean raw?"),
    (reads("settings") | variable(lake="lake"), "setting lake = 'lake': in Airflow write an abs"),
    (reads("settings") | variable(timezone="Mars"), "timezone of the variable tidegauge = 'Mars'"),
    (reads("settings") | variable(visitor_key=SECRET), "make the connection tidegauge_visitor_key"),
    (reads("settings") | variable(alert_urls=[SECRET]), "make the connection tidegauge_alert_urls"),
    (reads("settings") | variable(maxmind_license_key=SECRET), "make the connection maxmind"),
    (reads("settings") | variable(airflow_pool="a"), "set it in the environment or settings file"),
    (
        reads("settings")
        | variable(source=[{"name": "web01", "url": f"sftp://tide:{SECRET}@host/logs/*"}]),
        "write the tables in the settings file",
    ),
    (reads("visitor_key"), "connection tidegauge_visitor_key = None: make one in Airflow"),
    (reads("visitor_key") | connection("visitor_key", ""), "give it a password"),
    (reads("visitor_key") | connection("visitor_key", SECRET[:5]), "of the connection tidegauge_v"),
    (reads("alert_urls"), "the password is apprise URLs with spaces between them"),
    (reads("everything"), "airflow_reads"),
]


def test_wrong_ones_are_a_sentence_to_tasks_and_tab_and_never_shown(tmp_path: Path) -> None:
    """And no DAG asks for any of them while it is parsed."""
    parsed, rows = load(tmp_path, [case for case, _ in WRONG])
    assert parsed == [{}, 5, 0]
    for (case, sentence), (tab, task, _) in zip(WRONG, rows, strict=True):
        assert sentence in task, (case, task)
        assert tab == task
        assert SECRET[:6] not in task
        assert "\n" not in task


def test_airflow_wins_over_the_environment_and_a_zone_must_be_known_to_the_dags(
    tmp_path: Path,
) -> None:
    keys = connection(
        "s3",
        SECRET,
        login="AKIA1",
        extra={"region_name": "ca-central-1", "endpoint_url": "http://s3"},
    )
    whole = reads(ALL) | variable(raw="/other", timezone="America/Toronto")
    whole |= connection("visitor_key", SECRET) | connection("alert_urls", "json://a json://b")
    site = {"TIDEGAUGE_RAW": "/raw", "TIDEGAUGE_VISITOR_KEY": VISITOR_KEY}
    places = {f"TIDEGAUGE_{name.upper()}": place for name, place in PLACES.items()}
    another = reads("settings") | variable(timezone="Asia/Tokyo")
    _, rows = load(
        tmp_path,
        [
            whole | site,
            another,
            places | site | keys | reads("s3") | {"AWS_SESSION_TOKEN": "of another"},
        ],
    )
    (tab, task, aws), (tab_elsewhere, refused, _), (_, _, with_keys) = rows
    assert tab == task
    loaded = json.loads(task)
    assert (loaded["raw"], loaded["timezone"]) == ("/other", "America/Toronto")
    assert len(loaded["alert_urls"]) == 2
    assert SECRET not in task
    assert aws == {}
    assert json.loads(tab_elsewhere)["timezone"] == "Asia/Tokyo"
    assert "timezone = 'Asia/Tokyo': the DAGs are read without Airflow's variables" in refused
    assert with_keys == {
        "AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "ca-central-1", "AWS_ENDPOINT_URL": "http://s3",
    }  # fmt: skip


def test_a_night_with_settings_and_secrets_of_airflow_alone(
    tester: DagTester, tmp_path: Path, hook: Hook
) -> None:
    """The bytes are those of a command with the same key; no secret is in Airflow's files."""
    site = Site(tmp_path)
    lines = [make_line(f"08/Nov/2016:{hour:02}:00:00 -0500") for hour in range(24)]
    site.write("web1-20161108.log", b"".join(lines))
    (tmp_path / "geo").mkdir()
    networks = {"192.0.2.0/24": "CA"}
    build_database(tmp_path / "geo" / "a.mmdb", "City", "2016-10-01T00:00:00+00:00", networks)
    places = {name: str(tmp_path / name) for name in ("lake", "geo", "raw")}
    token = "an-alert-token-of-nobody"  # noqa: S105
    settings = (
        {"TIDEGAUGE_TIMEZONE": "America/Toronto"}
        | reads(ALL)
        | variable(**places, report=str(tmp_path / "report.html"), sources=["web1", "absent"])
        | connection("visitor_key", SECRET)
        | connection("alert_urls", f"{hook.url}/{token}")
    )
    done = tester.test("tidegauge_nightly", settings, {"day": "2016-11-08", "alert": True})
    assert done.state == "success", sentences(done.log)
    assert any("2016-11-08" in title for title in hook.titles)
    counted = site.hashes()
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other")
    env = {"TIDEGAUGE_VISITOR_KEY": SECRET, "TIDEGAUGE_SOURCES": "web1 absent"}
    other.run(
        "run", "--from", "2016-11-08", "--to", "2016-11-08", "--raw", places["raw"],
        "--geo", places["geo"], env=env,
    )  # fmt: skip
    assert other.hashes() == counted
    for path in tester.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content, path
            assert token.encode() not in content, path
