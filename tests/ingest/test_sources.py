"""Sources in settings: dates in globs, several servers, standard input, remote files over HTTP."""

import gzip
import json
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from lake_fixtures import COMPRESS, Site
from remote_servers import PASSWORD, USER, WebServer, free_port, web_server, write_certificate
from source_sites import assert_no_secret, configure, day_of, ingested, put, run, site, web  # noqa: F401 fixtures

from pipeline.ingest import named_otherwise
from pipeline.ingest.sources import days_around, expand
from pipeline.lake.lake import Lake
from pipeline.lake.left_out import read_notes
from pipeline.orchestration.finding import find_files
from pipeline.orchestration.jobs import write_jobs
from pipeline.orchestration.nightly import ingest_job
from pipeline.settings import load_settings


def test_a_day_with_a_clock_change_is_one_name() -> None:
    days = days_around(date(2016, 11, 6), with_late=False)
    assert expand("a-{day:%Y%m%d}*.gz", days) == [
        "a-20161105*.gz", "a-20161106*.gz", "a-20161107*.gz",
    ]  # fmt: skip
    spring = days_around(date(2017, 3, 12), with_late=True)
    dated = expand("{day:%Y/%m}/a-{day:%j}", spring)
    assert len(dated) == len(set(dated)) == 33
    assert "2017/03/a-071" in dated  # 12 March
    assert expand("a.log", spring) == ["a.log"]


def test_each_table_names_its_files_source(site: Site) -> None:
    put(site, "access-20161108.log.gz", gzip.compress(day_of(8)))
    put(site, "access-20161108-2.log.zst", COMPRESS["zst"](day_of(8, 4, "Firefox/51.0")))
    put(site, "access-20160101.log", day_of(8, 9))  # of another day, by its name: not looked at
    put(site, "ssl.log.1", day_of(8, 5))
    configure(
        site,
        'name = "web01"\nfiles = "logs/access-{day:%Y%m%d}*"',
        'name = "web02"\nfiles = "logs/ssl.log*"\nexpected = false',
    )
    run(site, 8)
    assert {record["source"] for record in site.records().values()} == {"web01", "web02"}
    assert "access-20160101.log" not in ingested(site)
    assert len(ingested(site)) == 3


@pytest.mark.parametrize("given", ["logs/shop-old-04.Mar.2011.log", "logs", "link.log"])
def test_a_path_that_a_table_matches_is_the_tables(site: Site, given: str) -> None:
    """Whatever its day, and however the path is written; --source says otherwise."""
    path = put(site, "shop-old-04.Mar.2011.log", day_of(8))
    (site.folder / "link.log").symlink_to(path)
    table = 'name = "shop"\nfiles = "logs/shop-*-{day:%d.%b.%Y}.log"\ntimezone = "Europe/Berlin"'
    configure(site, table, 'name = "other"\nfiles = "nowhere/*"')
    site.run("ingest", given, "--no-geo")
    (record,) = site.records().values()
    assert (record["source"], record["timezone"]) == ("shop", "Europe/Berlin")
    site.run("ingest", given, "--no-geo", "--source", "else", "--lake", "second")
    assert [record.source for record in Lake(site.folder / "second").files()] == ["else"]


@pytest.mark.clock
def test_a_file_of_raw_that_a_table_has_on_another_day_is_the_tables(site: Site) -> None:
    put(site, "shop-x-20110304.log", day_of(8))
    table = 'name = "shop"\nfiles = "logs/shop-x-{day:%Y%m%d}.log"'
    (site.folder / "tidegauge.toml").write_text(f'raw = "logs"\n[[source]]\n{table}\n')
    run(site, 8)
    assert {record["source"] for record in site.records().values()} == {"shop"}


@pytest.mark.clock
def test_the_tables_say_what_is_expected(site: Site) -> None:
    """web02 has written nothing: the day is incomplete; web03 may be silent."""
    put(site, "web01-20161108.log", day_of(8))
    configure(
        site,
        'name = "web01"\nfiles = "logs/web01-*"',
        'name = "web02"\nfiles = "logs/web02-*"',
        'name = "web03"\nfiles = "logs/web03-*"\nexpected = false',
    )
    run(site, 8)
    (day,) = site.rows("days")
    assert day["sources_expected"] == 2
    assert any("web02" in reason for reason in day["reasons"])
    assert not any("web03" in reason for reason in day["reasons"])


@pytest.mark.large
def test_the_folder_raw_counts_beside_tables_only_when_set(site: Site) -> None:
    site.write("web09-20161108.log", day_of(8))
    put(site, "web01-20161108.log", day_of(8, 4))
    configure(site, 'name = "web01"\nfiles = "logs/*"')
    run(site, 8)
    assert list(ingested(site)) == ["web01-20161108.log"]
    site.run("run", "--from", "2016-11-08", "--raw", "raw")
    assert sorted(ingested(site)) == ["web01-20161108.log", "web09-20161108.log"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('name = "w"\nfiles = "x"\ntimezone = "Europe/Berlim"', "[[source]] 1.timezone"),
        ('name = "w"\nfiles = "x-{day}"', "{day:%Y%m%d}"),
        ('name = "w"\nfiles = "x-{day:%H}"', "{day:%Y%m%d}"),
        ('name = "w"\nfiles = "{day.__class__:%Y}"', "{day:%Y%m%d}"),
        ('name = "w"', "either files"),
        (f'name = "w"\nfiles = "x"\nurl = "https://h/{PASSWORD}"', "either files"),
        (f'name = "w"\nurl = "ftp://u:{PASSWORD}@h/x"', "s3://bucket/key"),
        (f'name = "w"\nurl = "s3://u:{PASSWORD}@bucket/x"', "~/.aws"),
        (f'name = "w"\nurl = "https://h/*?sig={PASSWORD}"', "no * and no ["),
        (f'name = "w"\nfiles = "x"\nsecret = "{PASSWORD}"', "[[source]] 1.secret"),
        ('name = "../w"\nfiles = "x"', "is no source"),
        ('name = "w"\nfiles = "nowhere/x*"', "source.w.files"),
        ('name = "w"\nfiles = "logs/x*"\nlayout = "nonsense"', "source.w.layout"),
    ],
)
def test_a_wrong_table_names_the_key_and_the_remedy(site: Site, table: str, said: str) -> None:
    configure(site, table)
    done = site.run("run", "--from", "2016-11-08", code=2)
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1
    if "secret =" not in table:  # what stands behind an unknown key may be anything
        assert PASSWORD not in done.err


@pytest.mark.clock
def test_a_glob_leads_out_of_its_folder_only_when_it_may(site: Site) -> None:
    """Who may write into a server's log folder can't have other files read."""
    private = site.folder / "private.txt"
    private.write_bytes(day_of(8, 9))
    put(site, "web01-20161108.log", day_of(8))
    (site.folder / "logs" / "web01-2.log").symlink_to(private)
    os.mkfifo(site.folder / "logs" / "web01-3.log")
    configure(site, 'name = "web01"\nfiles = "logs/web01*"')
    said = site.ingest("web01", code=1).err
    assert "web01-2.log: is a link out of its folder" in said
    assert "web01-3.log" in said
    assert list(ingested(site)) == ["web01-20161108.log"]


def test_standard_input_is_a_source(site: Site) -> None:
    archive = gzip.compress(day_of(8))
    assert "--source" in site.run("ingest", "-", "--no-geo", stdin=archive, code=2).err
    for _ in range(2):
        site.run("ingest", "-", "--source", "web01", "--no-geo", stdin=archive)
    (record,) = site.records().values()
    assert (record["source"], record["lines"]) == ("web01", 3)
    assert not list(site.lake.rglob("stdin"))
    env = {"TIDEGAUGE_MAX_FETCH_MB": "1"}
    big = b"x" * 1_000_001
    args = ("ingest", "-", "--source", "web02", "--no-geo")
    assert "max_fetch_mb" in site.run(*args, stdin=big, code=1, env=env).err


@pytest.mark.clock
def test_a_web_server_is_read_once(site: Site, web: WebServer) -> None:
    web.password = PASSWORD
    for day in (7, 8):
        put(site, f"access-201611{day:02}.log.gz", gzip.compress(day_of(day)))
    url = web.url("access-{day:%Y%m%d}.log.gz?token=" + PASSWORD, f"{USER}:{PASSWORD}@")
    configure(site, f'name = "web01"\nurl = "{url}"')
    said = run(site, 8)
    assert ingested(site) == {"access-20161107.log.gz": 3, "access-20161108.log.gz": 3}
    assert sorted(web.sent) == ["access-20161107.log.gz", "access-20161108.log.gz"]
    before = site.hashes()
    said += run(site, 8)
    said += site.run("ingest", "web01", "--no-geo").err
    assert len(web.sent) == 2, "known: not fetched again"
    assert site.hashes() == before
    assert not [path for path in (site.lake / ".fetched").rglob("*") if path.is_file()]
    assert_no_secret(site, said)


def test_a_remote_file_that_grew_takes_the_place_of_what_it_was(site: Site, web: WebServer) -> None:
    path = put(site, "access.log", day_of(8))
    os.utime(path, (1_000_000_000, 1_000_000_000))
    configure(site, f'name = "web01"\nurl = "{web.url("access.log")}"')
    run(site, 8)
    put(site, "access.log", day_of(8, 5))
    run(site, 8)
    assert ingested(site) == {"access.log": 5}


def test_wildcards_search_a_web_servers_listing(site: Site, web: WebServer) -> None:
    put(site, "access-20161108-a.log", day_of(8))
    put(site, "access-20161108-b.log", day_of(8, 4, "Firefox/51.0"))
    put(site, "error-20161108.log", b"no access log\n")
    configure(site, f'name = "web01"\nurl = "{web.url("access-{day:%Y%m%d}-*.log")}"')
    run(site, 8)
    assert sorted(ingested(site)) == ["access-20161108-a.log", "access-20161108-b.log"]


def left_out(site: Site, day: int) -> list[str]:
    """Return what `figure` says of remote files that were not fetched."""
    args = ("--day", f"2016-11-{day:02}", "--country", "all", "--format", "json")
    (told,) = json.loads(site.run("figure", *args).out)
    reasons = [text for text in told["completeness"]["reasons"] if "not fetched" in text]
    assert told["completeness"]["is_preliminary"] or not reasons
    return reasons


@pytest.mark.large
@pytest.mark.parametrize("at_once", [1, 2, 250_000])
def test_a_remote_file_that_its_name_passes_over_is_said_where_it_can_have_lines(
    site: Site, web: WebServer, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named_otherwise, "_LOOKED_UP_AT_ONCE", at_once)
    for day in range(4, 10):
        put(site, f"access-201611{day:02}.log", day_of(day))
    for year in range(2000, 2016):
        put(site, f"access-{year}1108.log", day_of(8, 9))
    configure(site, f'name = "web01"\nurl = "{web.url("access-*.log")}"')
    run(site, 8)
    assert sorted(web.sent) == [f"access-201611{day:02}.log" for day in (7, 8, 9)]
    said = "web01: access-20161106.log not fetched, named for another day"
    assert (left_out(site, 7), left_out(site, 8)) == ([said], [])
    notes = [note.name for note in read_notes(Lake(site.lake)).values()]
    assert sorted(notes) == ["access-20161106.log", "access-20161109.log"], "not years of them"
    run(site, 7)
    assert left_out(site, 7) == []
    site.run("verify")


@pytest.mark.large
def test_what_was_found_in_a_remote_file_is_not_guessed_again(site: Site, web: WebServer) -> None:
    """Day 9's file was looked through: nothing of it is of day 8, whatever its name allows."""
    for day in (7, 8, 9, 12):
        put(site, f"access-201611{day:02}.log", day_of(day))
    configure(site, f'name = "web01"\nurl = "{web.url("access-*.log")}"')
    run(site, 8)
    run(site, 12)
    assert left_out(site, 8) == []
    put(site, "access-20161109.log", day_of(9) + day_of(8))
    run(site, 12)
    assert left_out(site, 8) == ["web01: access-20161109.log not fetched, named for another day"]
    run(site, 8)
    assert left_out(site, 8) == []
    assert ingested(site)["access-20161109.log"] == 6


@pytest.mark.large
def test_a_remote_file_that_grew_after_it_was_read_is_said(site: Site, web: WebServer) -> None:
    put(site, "access-20161108.log", day_of(8))
    put(site, "access-20161112.log", day_of(12))
    configure(site, f'name = "web01"\nurl = "{web.url("access-*.log")}"')
    run(site, 8)
    run(site, 12)
    assert left_out(site, 8) == []
    put(site, "access-20161108.log", day_of(8, 5))
    run(site, 12)
    assert left_out(site, 8) == ["web01: access-20161108.log not fetched, named for another day"]
    run(site, 8)
    assert left_out(site, 8) == []


@pytest.mark.large
def test_a_source_rotated_by_the_week_shows_how_far_its_lines_are_from_its_names(
    site: Site, web: WebServer
) -> None:
    week = b"".join(map(day_of, range(7, 14)))
    put(site, "a-20161113.log", week)
    put(site, "a-20161115.log", day_of(15))
    put(site, "b-20161110.log", b"".join(day_of(day, 4, "Firefox/51.0") for day in range(8, 11)))
    configure(site, f'name = "web01"\nurl = "{web.url("*-201611*.log")}"')
    run(site, 15)
    assert "b-20161110.log" not in ingested(site)
    run(site, 14, code=1)  # nothing is of that day; the week's file ends before it
    assert ingested(site) == {"a-20161115.log": 3}
    run(site, 13)
    assert "a-20161113.log" in ingested(site)
    run(site, 15)
    said = "web01: b-20161110.log not fetched, named for another day"
    assert [left_out(site, day) for day in (7, 9, 15)] == [[said], [said], []]
    run(site, 9)
    assert ingested(site)["b-20161110.log"] == 12
    assert [left_out(site, day) for day in (7, 9)] == [[], []]


def test_a_pattern_that_names_each_day_says_more_than_a_name(site: Site, web: WebServer) -> None:
    put(site, "x-08112016-v2015-01-01.log", day_of(8))
    configure(site, f'name = "web01"\nurl = "{web.url("x-{day:%d%m%Y}-*.log")}"')
    run(site, 8)
    assert list(ingested(site)) == ["x-08112016-v2015-01-01.log"]


@pytest.mark.large
def test_one_bad_remote_file_is_reported_and_the_rest_taken_in(site: Site, web: WebServer) -> None:
    for letter in "abcde":
        content = day_of(8, agent=f"Firefox/{ord(letter)}")
        put(site, f"{letter}-20161108.log.gz", gzip.compress(content))
    bad = gzip.compress(os.urandom(4096))[:-50]
    put(site, "bad-20161108.log.gz", bad)
    web.cut.add("e-20161108.log.gz")
    configure(site, f'name = "web01"\nurl = "{web.url("*-{day:%Y%m%d}.log.gz")}"')
    said = run(site, 8, code=1).splitlines()[-1]
    assert "bad-20161108.log.gz" in said
    assert "e-20161108.log.gz" in said
    assert [name[0] for name in sorted(ingested(site))] == list("abcd")
    web.cut.clear()
    (site.folder / "logs" / "bad-20161108.log.gz").unlink()
    run(site, 8)
    assert [name[0] for name in sorted(ingested(site))] == list("abcde")


def test_an_unreachable_store_is_one_sentence(site: Site, web: WebServer) -> None:
    web.password = PASSWORD[::-1]
    denied = web.url("x-{day:%d}.log?sig=" + PASSWORD, f"{USER}:{PASSWORD}@")
    gone = f"http://{USER}:{PASSWORD}@127.0.0.1:{free_port()}/x-*.log"
    for url, why in ((denied, "HTTP 401"), (gone, "Connection refused")):
        configure(site, f'name = "web01"\nurl = "{url}"')
        done = site.run("run", "--from", "2016-11-08", code=2)
        assert "setting source.web01.url" in done.err
        assert why in done.err
        assert "check the address" in done.err
        assert len(done.err.strip().splitlines()) == 1
        assert PASSWORD not in done.err


@pytest.mark.large
def test_tls_is_read_when_the_certificate_is_known(site: Site) -> None:
    put(site, "a-20161108.log", day_of(8))
    certificate = site.folder / "server.pem"
    write_certificate(certificate)
    with web_server(site.folder / "logs", certificate) as server:
        url = server.url("a-{day:%Y%m%d}.log").replace("http:", "https:")
        configure(site, f'name = "web01"\nurl = "{url}"')
        done = site.run("run", "--from", "2016-11-08", code=2)
        assert "setting source.web01.url" in done.err
        assert "certificate" in done.err
        assert len(done.err.strip().splitlines()) == 1
        subprocess.run(  # its own process: the certificates known are read once
            [Path(sys.executable).with_name("tidegauge"), "run", "--from", "2016-11-08"],
            env=site.environment({"SSL_CERT_FILE": str(certificate)}),
            cwd=site.folder,
            check=True,
        )
    assert ingested(site) == {"a-20161108.log": 3}


def test_a_folder_that_a_web_server_lacks_is_no_empty_one(site: Site, web: WebServer) -> None:
    configure(site, f'name = "web01"\nurl = "{web.url("nowhere/*.log")}"')
    assert "source.web01.url" in site.run("run", "--from", "2016-11-08", code=2).err


def test_a_too_large_remote_file_is_refused(site: Site, web: WebServer) -> None:
    put(site, "a-20161108.log", day_of(8))
    put(site, "b-20161108.log", b"x" * 1_000_001)
    configure(site, f'name = "web01"\nurl = "{web.url("*-{day:%Y%m%d}.log")}"')
    env = {"TIDEGAUGE_MAX_FETCH_MB": "1"}
    done = site.run("run", "--from", "2016-11-08", code=1, env=env)
    assert "b-20161108.log: has more than 1 MB: not fetched; set max_fetch_mb" in done.err
    assert list(ingested(site)) == ["a-20161108.log"]
    assert "b-20161108.log" not in web.sent


def test_a_remote_name_leads_nowhere(site: Site, web: WebServer) -> None:
    names = ["..\n..%2f..%2fx.log", "a\x1b[31m.log", ".hidden.log", "-" * 200 + ".log"]
    for number, name in enumerate(names):
        put(site, name, day_of(8, agent=f"Firefox/{number}"))
    before = {path for path in site.folder.iterdir() if path.name != "lake"}
    configure(site, f'name = "web01"\nurl = "{web.url("*.log")}"')
    site.run("ingest", "web01", "--no-geo")
    stored = [record["name"] for record in site.records().values()]
    assert len(stored) == 4
    assert all(re.fullmatch(r"[\w@+~-][\w@+~.-]*", name) for name in stored)
    assert {path for path in site.folder.iterdir() if path.name != "lake"} == before | {
        site.folder / "tidegauge.toml"
    }


def test_a_night_names_the_file_of_which_no_line_is_read(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """As `ingest` does; the day is counted from the others."""
    put(site, "web01-20161108.log", b"x\n" * 3)
    put(site, "web02-20161108.log", day_of(8))
    configure(
        site, 'name = "web01"\nfiles = "logs/web01*"', 'name = "web02"\nfiles = "logs/web02*"'
    )
    run(site, 8)
    assert "web01-20161108.log: none of its 3 lines could be read (client 3)" in caplog.text
    assert "web02-20161108.log: none" not in caplog.text


def test_jobs_of_a_scheduler_hold_no_secret_and_fetch_what_is_gone(
    site: Site, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task may run on another day than the one that listed, after its file was removed."""
    web.password = PASSWORD
    put(site, "access-20161108.log", day_of(8))
    url = web.url("access-{day:%Y%m%d}.log", f"{USER}:{PASSWORD}@")
    configure(site, f'name = "web01"\nurl = "{url}"\ntimezone = "Europe/Berlin"')
    monkeypatch.chdir(site.folder)
    for name, value in site.environment().items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    now = datetime(2016, 11, 9, 12, tzinfo=UTC)
    found = find_files(settings, date(2016, 11, 8), now, with_late=False)
    (job,) = write_jobs(found)
    assert PASSWORD not in json.dumps(job)
    assert PASSWORD not in repr(settings)
    assert job[0]["timezone"] == "Europe/Berlin"
    assert web.sent == ["access-20161108.log"]
    found.files[0].unlink()
    assert ingest_job(settings, job)["hits"] == 3
    assert ingest_job(settings, job)["hits"] == 3  # cleared and run again: known
    assert web.sent == ["access-20161108.log"] * 2
