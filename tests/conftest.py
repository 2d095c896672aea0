"""What several tests need: the installed command, and address databases of a few networks."""

import gc
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import duckdb
import pytest
import time_machine
from dag_tester import DagTester
from hooks import Hook
from hypothesis import HealthCheck, settings
from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

DEFAULT_CASE = Path(__file__).with_name("definitions") / "default_case.json"
COMMAND = Path(sys.executable).with_name("tidegauge")
VISITOR_KEY = "the tests' visitor key, of no value to anybody"
SHORT_LIVED_JAVA = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
"""Of programs of seconds: the second compiler takes more than it gives."""

TORONTO = ZoneInfo("America/Toronto")

ODD_DAYS = (
    datetime(2028, 2, 29, 0, 30, tzinfo=TORONTO),
    datetime(2027, 3, 14, 5, 30, tzinfo=TORONTO),
    datetime(2027, 11, 7, 0, 30, tzinfo=TORONTO),
)
"""A leap day, and those on which clocks change."""

Tidegauge = Callable[..., subprocess.CompletedProcess[bytes]]


def environment_in(zone: str) -> dict[str, str]:
    """Return the tests' environment without the user's own settings, in a time zone.

    Addresses are kept, so that rejected lines can be compared to the letter.
    """
    clean = {name: v for name, v in os.environ.items() if not name.startswith("TIDEGAUGE_")}
    return clean | {
        "TIDEGAUGE_TIMEZONE": zone,
        "TIDEGAUGE_VISITOR_KEY": VISITOR_KEY,
        "TIDEGAUGE_ADDRESSES": "full",
    }


# A busy machine is no fault; CI's own profile says so, too, and always takes the same examples.
if not os.environ.get("CI"):
    settings.register_profile(
        "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--odd-day", type=int, choices=range(3), help="begin the run on this one of three odd days"
    )
    parser.addoption(
        "--odd-days", action="store_true", help="begin each module on one of three odd days"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Shift the clock of this process before modules are imported, which may ask it, too."""
    if (day := config.getoption("odd_day")) is not None:
        travel = time_machine.travel(ODD_DAYS[day])
        travel.start()
        config.add_cleanup(travel.stop)


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks by the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a module's tests in one process, where they share what is made once for the module.

    Of a test marked `rest_large` the first case is small.
    """
    begun = set()
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
        if item.get_closest_marker("rest_large"):
            if (test := item.nodeid.split("[")[0]) in begun:
                item.add_marker(pytest.mark.large)
            begun.add(test)


LEFT = pytest.StashKey[int]()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what a process leaves out; each of several collects all."""
    if hasattr(items[0].config, "workeroutput"):
        items[0].config.workeroutput["left"] = len(items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[LEFT] = getattr(node, "workeroutput", {}).get("left", 0)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how many tests were left out, which pytest says where it has one process."""
    if left := config.stash.get(LEFT, 0):
        terminalreporter.write_line(
            f"{left} tests left out by -m '{config.option.markexpr}' (the large: make test-large)"
        )


def pytest_collection_finish() -> None:
    """Spare the collector of garbage what all tests are: it looked at them time and again."""
    gc.freeze()


@pytest.fixture(scope="session")
def shared_views() -> Any:
    """Return what makes files of views in the product's place, and shares them."""
    from shared_views import SharedViews

    return SharedViews()


OWN_VIEWS = {
    "test_views.py", "test_views_attached.py", "test_plain_duckdb.py", "test_lake.py",
    "test_lake_places.py", "test_damaged_lakes.py", "test_old_ledger.py",
}  # fmt: skip
"""Modules about files of views, or about what befalls those who write them, as all of faults."""


@pytest.fixture(autouse=True, scope="module")
def on_an_odd_day(request: pytest.FixtureRequest) -> Iterator[None]:
    """Shift the clock of this process, where asked to, always to the same day for a module.

    Modules are imported before: what is marked `clock` may not be among its tests.
    """
    if not request.config.getoption("odd_days"):
        yield
        return
    module = request.path.relative_to(request.config.rootpath)
    with time_machine.travel(ODD_DAYS[crc32(module.as_posix().encode()) % 3]):
        yield


@pytest.fixture(autouse=True, scope="module")
def with_shared_views(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let lakes share files of views, where tests are not about these or about whole systems."""
    folder, name = request.path.parent.name, request.path.name
    if folder in {"faults", "system", "e2e"} or name in OWN_VIEWS:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for its in ("pipeline.lake.views", "pipeline.verify.side_files"):
            patch.setattr(f"{its}.make_views", request.getfixturevalue("shared_views"))
        yield


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder without any setting in the environment."""
    from pipeline.settings import Settings

    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TIDEGAUGE_{name.upper()}", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def tidegauge() -> Tidegauge:
    """Run the installed command as a user would; with `ok`, an exit code other than 0 fails."""

    def run(*args: str | Path, zone: str = "America/Toronto", ok: bool = True) -> Any:
        done = subprocess.run(
            [COMMAND, *args], env=environment_in(zone), capture_output=True, check=False
        )
        assert not ok or done.returncode == 0, done.stderr.decode()
        return done

    return run


@pytest.fixture(scope="session")
def warm_tidegauge(tmp_path_factory: pytest.TempPathFactory) -> Tidegauge:
    """Run the command like `tidegauge`, in this process, which has imported it already."""
    from lake_fixtures import Site

    site = Site(tmp_path_factory.mktemp("warm"))

    def run(*args: str | Path, zone: str = "America/Toronto", ok: bool = True) -> Any:
        settings = {"TIDEGAUGE_TIMEZONE": zone, "TIDEGAUGE_ADDRESSES": "full"}
        done = site.run(*args, code=0 if ok else None, env=settings)
        return subprocess.CompletedProcess(args, done.code, done.out.encode(), done.err.encode())

    return run


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory; each test replaces the tables it uses."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an S3 server with a bucket for lakes; the environment names it."""
    from bucket_sites import serving

    with serving(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture(scope="session")
def tester(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagTester]:
    """Return a process that runs DAGs by `dag.test()`; its tests share an xdist group."""
    serving = DagTester(tmp_path_factory.mktemp("airflow"))
    yield serving
    serving.close()


DEMO_SCALE = "0.02"


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the `Publisher` of a night that was restated, for who only reads."""
    from restated_lakes import make_restated_night

    return make_restated_night(tmp_path_factory.mktemp("night"))


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A site in which `make demo` has run once, and what it printed; tests of it only read.

    They share the xdist group `demo`.
    """
    from lake_fixtures import Done, Site

    from pipeline.demo.storm.address_pool import find_database
    from pipeline.errors import GeoError

    try:
        find_database()
    except GeoError as error:
        pytest.skip(f"the demo's address database is not installed: {error}")
    site = Site(tmp_path_factory.mktemp("demo"))
    for name in (".tidegauge-demo", "raw/web09-leftover.gz"):  # as if an earlier demo had been here
        site.write(f"../demo/{name}", b"")
    done = subprocess.run(
        ["make", "-s", "--no-print-directory", "demo", f"SCALE={DEMO_SCALE}",
         f"OUT={site.folder / 'demo'}"],
        cwd=Path(__file__).parents[1], env=site.environment({"TIDEGAUGE_TIMEZONE": "UTC"}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return site, Done(0, done.stdout, done.stderr)


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Return a listening web hook."""
    listening = Hook()
    yield listening
    listening.server.shutdown()
    listening.server.server_close()


class DatedWriter(MMDBWriter):
    """MMDBWriter with a build date of one's choice."""

    built_at = 0

    def _build_meta(self) -> dict[str, Any]:
        return {**super()._build_meta(), "build_epoch": self.built_at}


def build_database(path: Path, kind: str, built: str, networks: Mapping[str, str]) -> None:
    """Write an mmdb of type `kind`, built at the RFC 3339 instant `built`.

    A place is `CA`, `CA-ON` (country and subdivisions, largest first; `CA-ON:Ontario` names one),
    `=CA` (the flat layout of open databases), `registered CA` (a record without a country of its
    own), or a network, as `AS64500` or `AS64500 Its name`.
    """
    writer = DatedWriter(ip_version=6, ipv4_compatible=True, database_type=kind)
    writer.built_at = round(datetime.fromisoformat(built).timestamp())
    for network, place in networks.items():
        writer.insert_network(IPSet([network]), record_of(place))
    writer.to_db_file(str(path))


def build_databases(folder: Path, databases: Iterable[Mapping[str, Any]]) -> Path:
    """Write databases given by kind, build instant and networks into a folder; return it."""
    folder.mkdir()
    for number, database in enumerate(databases):
        path = folder / f"{database['kind']}-{number}.mmdb"
        build_database(path, database["kind"], database["built"], database["networks"])
    return folder


def build_default_databases(folder: Path) -> Path:
    """Write the databases of the definitions' cases into a folder; return it."""
    return build_databases(folder, json.loads(DEFAULT_CASE.read_text())["databases"])


def record_of(place: str) -> dict[str, Any]:
    """Return the database record of a place as `build_database` names it."""
    if place.startswith("="):
        return {"country_code": place[1:]}
    if place.startswith("registered "):
        return {"registered_country": {"iso_code": place.removeprefix("registered ")}}
    if network := re.fullmatch(r"AS(\d+)(?: (.*))?", place, re.DOTALL):
        names = {} if network[2] is None else {"autonomous_system_organization": network[2]}
        return {"autonomous_system_number": int(network[1]), **names}
    country, *subdivisions = place.split("-")
    record: dict[str, Any] = {"country": {"iso_code": country}}
    if subdivisions:
        record["subdivisions"] = [
            {"iso_code": code} | ({"names": {"en": name}} if name else {})
            for code, _, name in (one.partition(":") for one in subdivisions)
        ]
    return record
