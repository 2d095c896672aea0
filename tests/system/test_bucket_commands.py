"""What reads, changes and tells of a lake in a real S3 server: as of a folder, from any machine."""

import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq
import pytest
from alert_services import Services
from bucket_sites import BUCKET, KEYS, Machine, hashes_in_store
from compare_sites import write_databases, write_raw
from conftest import COMMAND
from dag_tester import DagTester, settings_of
from lake_fixtures import Done, Site, make_line

from pipeline.ingest.discovery import Found
from pipeline.lake import garbage
from pipeline.lake.objects import open_objects
from pipeline.orchestration.jobs import write_jobs
from pipeline.orchestration.nightly import build_stale
from pipeline.settings import load_settings

# One S3 server and one site for all, and the process that runs the DAGs.
pytestmark = pytest.mark.xdist_group("airflow")
NIGHT = "2016-11-15T06:00"
PERSON = "192.0.2.7"
GARBAGE = b'192.0.2.7 - - nonsense "Person/1.0"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a site of fourteen days with a surge, whose lake is a folder; not to be changed."""
    site = Site(tmp_path_factory.mktemp("folder"))
    write_databases(site.folder)
    write_raw(site)
    site.write("web03.log", make_line("14/Nov/2016:10:00:00 -0500", PERSON) + GARBAGE)
    for path in (site.folder / "raw").iterdir():
        os.utime(path, (1, 1))  # of before any moment that is asked for
    site.run("run", "--as-of", NIGHT)
    return site


@pytest.fixture(scope="module")
def first(folder: Site, address: str) -> Machine:  # noqa: ARG001 it runs
    """Return the machine that made the same lake in the store."""
    machine = beside(folder, "first", "commands")
    machine.run("run", "--as-of", NIGHT)
    return machine


def beside(site: Site, name: str, lake: str) -> Machine:
    """Return a machine with the raw files and databases of a site."""
    machine = Machine(site.folder / name, f"s3://{BUCKET}/{lake}/site")
    for shared in ("raw", "geo", "later"):
        (machine.folder / shared).symlink_to(site.folder / shared)
    return machine


ASKED = (
    "compare --timeout 15 --country US",
    "compare --timezone UTC --robots none --robotlike drop --from 2016-11-08",
    "compare --geo-database later/later.mmdb --country US",
    f"erase --client {PERSON}",
    "replay --dry-run",
    "retention",
    "status",
    "surges",
    "why --country US",
    "history",
    "now --as-of 2016-11-14T20:10",
    "report --out asked.html",
)


@pytest.mark.parametrize("words", ASKED)
def test_a_machine_that_has_nothing_answers_as_a_folder(
    words: str, folder: Site, first: Machine
) -> None:
    """Whatever it needs it fetches; what it says and writes is the same."""
    second = beside(folder, words.replace(" ", "").replace("/", ""), "commands")
    before = hashes_in_store(first.url)
    mine, wanted = second.run(*words.split()), folder.run(*words.split())
    assert said_by(mine, second) == said_by(wanted, folder)
    if words.startswith("report"):
        pages = [(site.folder / "asked.html").read_text() for site in (second, folder)]
        assert pages[0] == pages[1]
    assert hashes_in_store(first.url) == before


def said_by(done: Done, site: Site) -> tuple[str, list[str]]:
    """Return what a command said, without the lake's name and how long it took."""
    names = (getattr(site, "url", str(site.lake)), str(site.folder))
    texts = [done.out, done.err]
    for name in names:
        texts = [text.replace(name, "LAKE") for text in texts]
    odd = (": counted in", "temporary lake")  # how long it took, and where
    return texts[0], [line for line in texts[1].splitlines() if not any(o in line for o in odd)]


WITH_DURATION, WITH_ANY = (f'%h %l %u %t "%r" %>s {last}' for last in ("%D", "%{x}i"))
LINE = '192.0.2.7 - - [14/Nov/2016:10:0{n}:00 -0500] "GET /{n} HTTP/1.1" 200 {last}\n'


def test_rejected_lines_are_read_again_by_another_machine(
    tmp_path: Path,
    address: str,  # noqa: ARG001 it runs
) -> None:
    """What the first could not read the second reads; the lake is that of a folder."""
    sites = [Site(tmp_path), Machine(tmp_path / "one", f"s3://{BUCKET}/replay")]
    lines = [LINE.format(n=n, last="x5" if n > 5 else 5) for n in range(9)]
    raw = sites[0].write("web01.log", "".join(lines).encode())
    for site in sites:
        site.run("ingest", "--no-geo", raw, env={"TIDEGAUGE_LOG_FORMAT": WITH_DURATION})
        site.run("build")
    sites[1] = Machine(tmp_path / "two", f"s3://{BUCKET}/replay")
    for site in sites:
        done = site.run("replay", "--format", "json", env={"TIDEGAUGE_LOG_FORMAT": WITH_ANY})
        assert [row["now hits"] for row in json.loads(done.out)] == [3]
        site.run("build")
    assert sites[0].hashes() == sites[1].hashes()


def test_a_person_is_erased_from_the_store_and_every_copy(
    folder: Site, first: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine does it; two days later no object and no file has a row of theirs."""
    wanted = folder.run("daily", "--format", "json").out
    first.run("sql", "SELECT count(*) FROM hits")  # its copy has all of it
    second = beside(folder, "erasing", "commands")
    traces = second.run("erase", "--client", PERSON, "--delete", "--format", "json").out
    assert len(json.loads(traces)) > 2
    assert "nothing of this person" in first.run("erase", "--client", PERSON).err
    assert first.run("daily", "--format", "json").out == wanted
    monkeypatch.setattr(garbage, "KEPT_SECONDS", -1.0)
    second.run("retention", "--delete")
    for machine in (first, second):
        assert "nothing is off" in machine.run("verify").err
        assert not any(PERSON in str(row) for t in ("hits", "rejects") for row in machine.rows(t))
    for one in open_objects(first.url).list(""):
        body, _ = open_objects(first.url).get(one.place)
        if body[:4] == b"PAR1":
            assert PERSON not in str(pq.read_table(io.BytesIO(body)).to_pylist()), one.place


@pytest.fixture
def services() -> Iterator[Services]:
    """Two services that take alerts."""
    listening = Services()
    yield listening
    listening.close()


def test_two_machines_that_tell_at_once_tell_each_service_once(
    folder: Site,
    address: str,  # noqa: ARG001 it runs
    services: Services,
) -> None:
    """What a service did not take from either, it takes once from whoever comes next."""
    machines = [beside(folder, name, "alerts") for name in ("tells", "tells-too")]
    machines[0].run("ingest", "raw")
    machines[0].run("build")
    services.moods["b"] = "refuses"
    codes = [process.wait() for process in [run_night(one, services) for one in machines]]
    assert codes == [1, 1]  # for the one that refuses
    (first_title,) = services.titles("a")
    assert "Surge from US" in first_title
    assert services.titles("b") == []
    services.moods["b"] = "takes"
    codes = [process.wait() for process in [run_night(one, services) for one in machines]]
    assert codes == [0, 0]
    assert services.titles("a") == services.titles("b") == [first_title]


def run_night(machine: Machine, services: Services) -> subprocess.Popen[bytes]:
    urls = " ".join(services.url(name) for name in "ab")
    return subprocess.Popen(
        [COMMAND, "run", "--as-of", "2016-11-12T06:00"], cwd=machine.folder,
        env=machine.environment({"TIDEGAUGE_ALERT_URLS": urls}), stdout=subprocess.DEVNULL,
    )  # fmt: skip


def test_machines_take_turns_to_watch(tmp_path: Path, address: str) -> None:  # noqa: ARG001 it runs
    """Each hour another one reads the file that grows; the lake is that of one folder."""
    site = Site(tmp_path)
    write_databases(site.folder)
    machines = [beside(site, name, "watch") for name in ("one", "two")]
    lines = [make_line(f"08/Nov/2016:{h:02}:{m}:00 -0500") for h in range(9, 13) for m in (10, 40)]
    for hour in range(10, 13):
        raw = site.write("web01.log", b"".join(lines[: 2 * (hour - 8)])[:-20])
        os.utime(raw, (1, 1))
        for one in (site, machines[hour % 2]):
            one.run("watch", "--as-of", f"2016-11-08T{hour}:50")
    assert machines[0].hashes() == site.hashes()
    asked = "SELECT sum(hits) AS n FROM daily"
    assert machines[1].run("sql", asked).out == site.run("sql", asked).out


def test_a_build_takes_in_again_nothing_that_another_machine_did(
    folder: Site,
    address: str,  # noqa: ARG001 it runs
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Airflow's tasks run anywhere: a copy that has nothing of it yet is no task that was lost."""
    one, two = (beside(folder, name, "elsewhere") for name in ("takes-in", "builds"))
    raw = sorted((folder.folder / "raw").iterdir())
    one.run("ingest", *raw)
    with mock.patch.dict(os.environ, two.environment(), clear=True):
        build_stale(load_settings(geo=folder.folder / "geo"), write_jobs(Found((*raw,), (), ())))
    assert "its task was lost" not in caplog.text
    assert two.hashes() == folder.hashes()


def test_a_night_of_mapped_tasks_makes_the_lake_that_the_command_makes(
    folder: Site, address: str, tester: DagTester
) -> None:
    machine = beside(folder, "airflow", "nightly")
    places = {"TIDEGAUGE_LAKE": machine.url, "XDG_CACHE_HOME": str(machine.folder / "cache")}
    settings = settings_of(machine) | places | KEYS | {"AWS_ENDPOINT_URL": address}
    for _ in range(2):
        done = tester.test("tidegauge_nightly", settings, {"day": "2016-11-14"})
        assert done.state == "success", done.log[-3000:]
        assert machine.hashes() == folder.hashes()
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in done.log
    assert tester.test("tidegauge_retention", settings, {}).state == "success"
    assert "nothing is off" in machine.run("verify").err
