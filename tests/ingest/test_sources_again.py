"""Raw files of sources in settings are read again as their tables say, remote ones, too."""

import gzip
import json
from datetime import UTC, date, datetime

import pytest
from lake_fixtures import Site
from remote_servers import WebServer, free_port
from source_sites import configure, day_of, ingested, put, run, site, web  # noqa: F401 fixtures

from pipeline.errors import StoreError
from pipeline.orchestration.finding import find_files
from pipeline.orchestration.jobs import write_jobs
from pipeline.settings import load_settings

IIS = b"""#Software: Microsoft Internet Information Services 10.0
#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status cs(User-Agent)
2016-11-08 10:00:00 192.0.2.8 GET /a - 200 Firefox/50.0
2016-11-08 10:00:01 192.0.2.9 GET /b - 200 Firefox/50.0
"""
"""Times without an offset: the table says whose they are."""


def hours_of(site: Site) -> set[int]:
    """UTC hours of the hits."""
    return {row["ts"].hour for row in site.rows("hits")}


def test_a_file_read_again_keeps_its_tables_zone_and_layout(site: Site) -> None:
    put(site, "web01.log", IIS)
    put(site, "web02.log", b"192.0.2.1 | /x | 2016-11-08T10:00:00Z | 200\n")
    own_layout = 'layout = "%h | %U | %{%Y-%m-%dT%H:%M:%SZ}t | %s"'
    tables = (
        'name = "web01"\nfiles = "logs/web01*"\ntimezone = "America/Toronto"',
        f'name = "web02"\nfiles = "logs/web02*"\n{own_layout}',
    )
    configure(site, *tables)
    run(site, 8)
    assert hours_of(site) == {15, 10}
    before = {(row["source"], row["ts"], row["path"]) for row in site.rows("hits")}
    site.run("build", "--also", "settings", env={"TIDEGAUGE_ADDRESSES": "full"})
    assert {(row["source"], row["ts"], row["path"]) for row in site.rows("hits")} == before
    assert {row["client"] for row in site.rows("hits")} == {"192.0.2.8", "192.0.2.9", "192.0.2.1"}


@pytest.mark.large
def test_another_zone_in_a_table_is_a_reason_to_read_again(site: Site) -> None:
    put(site, "web01.log", IIS)
    configure(site, 'name = "web01"\nfiles = "logs/web01*"\ntimezone = "America/Toronto"')
    run(site, 8)
    configure(site, 'name = "web01"\nfiles = "logs/web01*"\ntimezone = "Europe/Berlin"')
    (row,) = json.loads(site.run("build", "--explain", "--format", "json").out)
    assert row["kind"] == "settings"
    assert "local times of America/Toronto, now Europe/Berlin" in row["cause"]
    site.run("build")
    assert hours_of(site) == {15}, "not unasked"
    site.run("build", "--also", "settings")
    assert hours_of(site) == {9}
    assert "built 0 days" in site.run("build").out


def test_a_file_given_by_hand_is_read_as_its_sources_table_says(site: Site) -> None:
    put(site, "late.log", IIS)
    configure(site, 'name = "web01"\nfiles = "logs/web01*"\ntimezone = "America/Toronto"')
    site.ingest("logs/late.log", "--source", "web01")
    assert hours_of(site) == {15}


@pytest.mark.large
def test_replay_reads_as_the_table_says(site: Site) -> None:
    put(site, "web01.log", IIS + b"2016-11-08 25:00:00 192.0.2.9 GET /b - 200 Firefox/50.0\n")
    configure(site, 'name = "web01"\nfiles = "logs/web01*"\ntimezone = "America/Toronto"')
    run(site, 8)
    (row,) = json.loads(site.run("replay", "--format", "json").out)
    assert row["now hits"] == 0
    assert hours_of(site) == {15}


@pytest.mark.large
def test_a_remote_file_is_fetched_to_be_read_again(site: Site, web: WebServer) -> None:
    put(site, "a-20161108.log.gz", gzip.compress(day_of(8) + b"no access log\n"))
    configure(site, f'name = "web01"\nurl = "{web.url("*-{day:%Y%m%d}.log.gz")}"')
    run(site, 8)
    assert len(web.sent) == 1
    (row,) = json.loads(site.run("replay", "--dry-run", "--format", "json").out)
    assert row["what was done"] == "still rejected"
    site.run("build", "--also", "settings", env={"TIDEGAUGE_ADDRESSES": "full"})
    assert {row["client"] for row in site.rows("hits")} == {"192.0.2.8", "192.0.2.9", "192.0.2.10"}
    assert web.sent == ["a-20161108.log.gz"] * 3
    assert not [path for path in (site.lake / ".fetched").rglob("*") if path.is_file()]


@pytest.mark.rest_large
@pytest.mark.parametrize("what", ["gone", "changed"])
def test_a_day_whose_remote_file_is_gone_keeps_its_hits(
    site: Site, web: WebServer, what: str
) -> None:
    path = put(site, "a-20161108.log", day_of(8))
    put(site, "b-20161108.log", day_of(8, 5, "Firefox/51.0"))
    configure(site, f'name = "web01"\nurl = "{web.url("*-{day:%Y%m%d}.log")}"')
    run(site, 8)
    before = {row["client"] for row in site.rows("hits")}
    path.unlink()
    if what == "changed":
        put(site, "a-20161108.log", day_of(8, 1, "Firefox/52.0"))
    done = site.run("build", "--also", "settings", env={"TIDEGAUGE_ADDRESSES": "full"})
    assert "kept 2016-11-08 as it is: its raw files are gone, or a person was erased" in done.out
    assert {row["client"] for row in site.rows("hits")} == before == {None}


def test_a_store_out_of_reach_stops_no_other_source(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(site, "web02-20161108.log", day_of(8))
    configure(
        site,
        f'name = "web01"\nurl = "http://127.0.0.1:{free_port()}/x-*.log"',
        'name = "web02"\nfiles = "logs/web02*"',
    )
    for command in (("run", "--from", "2016-11-08"), ("ingest", "web01", "web02")):
        done = site.run(*command, code=2)
        assert "setting source.web01.url" in done.err
        assert ingested(site) == {"web02-20161108.log": 3}
    assert [row["sessions"] for row in site.rows("daily")]
    monkeypatch.chdir(site.folder)
    for name, value in site.environment().items():
        monkeypatch.setenv(name, value)
    now = datetime(2016, 11, 9, 12, tzinfo=UTC)
    found = find_files(load_settings(), date(2016, 11, 8), now, with_late=False)
    with pytest.raises(StoreError, match=r"source\.web01\.url"):
        write_jobs(found)  # Airflow tries again


def test_a_file_of_any_layout_is_found_by_the_times_in_it(site: Site) -> None:
    """No date in their names, no time as Apache writes it."""
    for day in (5, 6, 8):
        content = IIS.replace(b"2016-11-08 10", f"2016-11-{day:02} 16".encode())
        put(site, f"web01.log.{day}", content)
    configure(site, 'name = "web01"\nfiles = "logs/web01*"')
    said = run(site, 7, code=1)
    assert "no raw file of 2016-11-07" in said
    run(site, 8)
    assert sorted(ingested(site)) == ["web01.log.6", "web01.log.8"], "6 may go on until 8 begins"


MAP = """
[formats.app]
time = "@timestamp"
client = "source.ip"
target = "/url/original"
duration = "event.took"
duration_unit = "us"
"""


@pytest.mark.large
def test_a_map_of_json_has_a_name_for_a_table(site: Site) -> None:
    record = {
        "@timestamp": "2016-11-08T10:00:00",
        "source": {"ip": "192.0.2.8"},
        "url": {"original": "/a?b"},
        "event": {"took": 1500},
    }
    put(site, "web01.log", json.dumps(record).encode())
    table = 'name = "web01"\nfiles = "logs/web01*"\nlayout = "app"\ntimezone = "America/Toronto"'
    (site.folder / "tidegauge.toml").write_text(f"[[source]]\n{table}\n{MAP}")
    run(site, 8)
    site.run("build", "--also", "settings", env={"TIDEGAUGE_ADDRESSES": "full"})
    (hit,) = site.rows("hits")
    assert (hit["client"], hit["path"], hit["query"]) == ("192.0.2.8", "/a", "b")
    assert (hit["ts"].hour, hit["duration_ms"]) == (15, 1.5)
    (record,) = site.records().values()
    assert record["layout"] == "app"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MAP.replace('"us"', '"minutes"'), "formats.app.duration_unit = 'minutes': write s, ms"),
        (MAP.replace("client", "clients"), "formats.app.clients = '(hidden)': write one of time"),
        (MAP.replace("formats.app", "formats.caddy"), "formats = 'caddy': a layout has this name"),
        ("[formats.app]\ntime = 1\n", "formats.app.time"),
    ],
)
def test_an_impossible_map_is_one_sentence(site: Site, text: str, said: str) -> None:
    (site.folder / "tidegauge.toml").write_text(text)
    done = site.run("run", "--from", "2016-11-08", code=2)
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1
