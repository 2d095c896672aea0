"""A whole Airflow on one machine, to try the DAGs on the simulated logs of November 2016.

``make airflow`` runs this module. It starts ``airflow standalone`` in a home folder, says where to
log in when all of it is healthy, and leaves no process behind on Ctrl-C. Not for a server: that is
what docker-compose.yml is for.
"""

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import requests
import typer
from rich.console import Console

from pipeline.definitions import DEMO_MARK
from pipeline.demo import airflow_sqlite
from pipeline.demo.process_session import Program, end_session, has_ended, start_session
from pipeline.demo.storm.address_pool import link_databases
from pipeline.demo.storm.november import DAYS, ZONE
from pipeline.demo.storm.simulate import simulate
from pipeline.errors import SettingsError, TidegaugeError
from pipeline.installed import find_data
from pipeline.orchestration.names import BUILD_POOL, NIGHTLY
from pipeline.progress import show_steps
from pipeline.text import escape

DAGS = find_data("dags")
PRELOAD = Path(__file__).parents[1] / "orchestration" / "airflow_preload.py"
START_TIMEOUT_S = 300
STOP_TIMEOUT_S = 8
"""Airflow takes 6. Tasks at work can tell no more of their end: they run again after a start."""
_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer", "DAGs", "pool")
_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_LAST_LINES = 15


class StandaloneError(TidegaugeError):
    """Airflow did not start, or ended by itself."""

    exit_code = 1


@dataclass(frozen=True)
class Home:
    """The folder that holds everything, and the port of the web page."""

    path: Path
    port: int

    @property
    def url(self) -> str:
        """Where Airflow answers: on this machine alone."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What all parts of Airflow say."""
        return self.path / "airflow.log"

    @property
    def password(self) -> str:
        """The password of the user ``admin``, which Airflow makes at its first start."""
        made = self.path / "simple_auth_manager_passwords.json.generated"
        return str(json.loads(made.read_text())["admin"])


def start(
    home: Annotated[Path, typer.Option(help="Folder for everything.")] = Path("airflow"),
    port: Annotated[int, typer.Option(help="Of the web page.", min=1, max=65535)] = 8080,
    scale: Annotated[float, typer.Option(help="Of the simulated logs, if none are there.")] = 0.02,
) -> None:
    """Run Airflow with the simulated logs of November 2016 until Ctrl-C."""
    place = Home(home.resolve(), port)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores SIGINT
        signal.signal(number, signal.default_int_handler)
    try:
        _check_port(port)
        prepare(place.path, scale)
        serve(place)
    except KeyboardInterrupt:
        print("stopped")
    except TidegaugeError as error:
        print(f"airflow: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            remedy = f"{error.strerror}; choose another, such as make airflow PORT=8090"
            raise SettingsError("--port", port, remedy) from error


def prepare(home: Path, scale: float) -> None:
    """Make the home folder and, unless they are there, the simulated logs."""
    geo, raw, unfinished = (home / name for name in ("geo", "raw", "raw.unfinished"))
    link_databases(geo)
    link = home / "config" / "airflow_local_settings.py"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)  # to an environment that may be gone
    link.symlink_to(PRELOAD)
    (home / DEMO_MARK).touch()
    if raw.exists():
        return
    shutil.rmtree(unfinished, ignore_errors=True)
    with show_steps("simulating", None) as bar:
        simulate(unfinished, scale, on_sessions=bar.reach)
    unfinished.rename(raw)


def serve(home: Home) -> None:
    """Run Airflow until it ends or is interrupted; no process of it is left afterwards.

    Raises:
        StandaloneError: it did not start, or ended by itself.
    """
    print(f"starting Airflow in {home.path}; what it says goes to {home.log}", flush=True)
    airflow = start_session(
        [Path(sys.executable).with_name("airflow"), "standalone"],
        _environment(home), home.path, home.log,
    )  # fmt: skip
    try:
        with Console(stderr=True).status("about half a minute"):
            _wait_until_ready(home, airflow)
        _welcome(home)
        while not has_ended(airflow):
            time.sleep(1)
        raise StandaloneError(f"a part of Airflow ended by itself{_end_of(home.log)}")
    finally:
        print("stopping Airflow ...", flush=True)
        end_session(airflow, STOP_TIMEOUT_S)


def _environment(home: Home) -> dict[str, str]:
    """What the parts of Airflow see. The folders are never those of a site in use."""
    known = dict(os.environ)
    direct = known.get("no_proxy") or known.get("NO_PROXY") or ""
    ours: dict[str, object] = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{known.get('PATH', os.defpath)}",
        "no_proxy": f"127.0.0.1,{direct}",
        "AIRFLOW_HOME": home.path,
        "AIRFLOW__CORE__DAGS_FOLDER": DAGS,
        "AIRFLOW__CORE__LOAD_EXAMPLES": False,
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
        "AIRFLOW__CORE__PARALLELISM": 4,  # as many as runs at once
        # A changed file is read at once; each half minute all were, a twelfth of two cores.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 300,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": home.port,
        "AIRFLOW__API__BASE_URL": home.url,
        "AIRFLOW__API__WORKERS": 1,
        # The scheduler is up before the api-server that its first tasks must reach.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": 60,
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": 20,
        "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": 5,
        # Between two heartbeats Airflow may not see that a task has ended, and keeps its place.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": 1,
        "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": 15,
        "TIDEGAUGE_RAW": home.path / "raw",
        "TIDEGAUGE_GEO": home.path / "geo",
        "TIDEGAUGE_LAKE": home.path / "lake",
        "TIDEGAUGE_REPORT": home.path / "report.html",
        "TIDEGAUGE_VISITOR_KEY_FILE": home.path / "visitor.key",
        "TIDEGAUGE_TIMEZONE": ZONE.key,
        "TIDEGAUGE_AIRFLOW_BUILD_POOL": BUILD_POOL,
    }
    if _DATABASE not in known:  # else it may be PostgreSQL
        ours |= airflow_sqlite.ENVIRONMENT
    last_day = {"TIDEGAUGE_LAST_DAY": str(DAYS[-1])}  # else tonight's run would find no logs
    return last_day | known | {name: str(value) for name, value in ours.items()}


def _wait_until_ready(home: Home, airflow: Program) -> None:
    began, ready = datetime.now(UTC), set[str]()
    while len(ready) < len(_PARTS):
        seconds = (datetime.now(UTC) - began).total_seconds()
        if has_ended(airflow):  # `standalone` itself does not notice a dead part
            raise StandaloneError(f"Airflow ended while it started{_end_of(home.log)}")
        if seconds > START_TIMEOUT_S:
            missing = ", ".join(part for part in _PARTS if part not in ready)
            raise StandaloneError(f"{missing} not ready in {seconds:.0f} s{_end_of(home.log)}")
        for part in _ready_parts(home, began) - ready:
            print(f"  {part} ready after {seconds:.0f} s", flush=True)
            ready.add(part)


def _ready_parts(home: Home, began: datetime) -> set[str]:
    """Which of ``_PARTS`` are healthy, the DAGs when they were read since ``began``.

    The pool, in which builds take turns, is made when all else is there: until then none begins.
    """
    found = set[str]()
    # Until it is up, nothing answers; and then whatever is up answers, perhaps with a page.
    with (
        suppress(requests.RequestException, OSError, LookupError, TypeError, ValueError),
        requests.Session() as session,
    ):
        session.trust_env = False  # no proxy leads to this machine itself
        health = session.get(f"{home.url}/api/v2/monitor/health", timeout=10).json()
        found = {part for part in _PARTS if health.get(part, {}).get("status") == "healthy"}
        _log_in(home, session)
        dag = session.get(f"{home.url}/api/v2/dags/{NIGHTLY}", timeout=10).json()
        if datetime.fromisoformat(dag["last_parsed_time"]) > began:
            found.add("DAGs")
        if found == {*_PARTS} - {"pool"} and _has_pool(home, session):
            found.add("pool")
    return found


def _has_pool(home: Home, session: requests.Session) -> bool:
    """Make the pool unless it is there; False when Airflow could not, as when it is too busy."""
    pool = {"name": BUILD_POOL, "slots": 1}
    made = session.post(f"{home.url}/api/v2/pools", json=pool, timeout=60)
    return made.ok or made.status_code == HTTPStatus.CONFLICT


def _log_in(home: Home, session: requests.Session) -> None:
    login = {"username": "admin", "password": home.password}
    token = session.post(f"{home.url}/auth/token", json=login, timeout=10).json()
    session.headers["Authorization"] = f"Bearer {token['access_token']}"


def _welcome(home: Home) -> None:
    print(
        f"""
Airflow is ready: {home.url}
  user      admin
  password  {home.password}
open {NIGHTLY} -> Trigger -> Backfill, 2016-11-01 to 2016-11-16, Run Backfill
  form      docs/how-to/backfill.md
  raw logs  {home.path / "raw"} (simulated)
  lake      {home.path / "lake"}
  report    {home.path / "report.html"}
Ctrl-C stops it; the next start finds everything again.
""", flush=True,
    )  # fmt: skip


def _end_of(log: Path) -> str:
    with log.open(errors="replace") as lines:
        last = deque(lines, _LAST_LINES)
    return "; its last lines:\n" + "\n".join(f"  {escape(line.rstrip())}" for line in last)


if __name__ == "__main__":
    typer.run(start)
