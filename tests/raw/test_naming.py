"""Which server a raw file's name names: what rotation and delivery add is cut, and nothing else."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lake_fixtures import COMPRESS, Site, make_line
from verify_lakes import rewrite_records

from pipeline.ingest.source_names import first_part
from pipeline.lake.lake import Lake
from pipeline.raw.naming import SOURCE_BYTES, check_source, read_name, source_of

with Path(__file__).with_name("naming.csv").open() as table:
    NAMES = [(row["name"], row["source"]) for row in csv.DictReader(table)]
ONLY_ROTATION = """\
    Sep-2019.log Aug-2019.tar.gz Aug-2019.tar.gz.1 09-16-21.log 20161120.log 2016-11-20.log.gz
    2017-01-01-00-00-57-9B4F3A1B2C3D4E5F 550e8400-e29b-41d4-a716-446655440000.log 0.log log.1
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef-json.log PT1H.json logs.txt
    20241212T000000Z_20241212T000100Z_1a2b3c4d.log.gz 00:00:00_00:59:59_S0.json log-20161108.gz
    @400000005822a1b2c3d4e5f6.s current 0.log.20161108-050505.gz 1478588400.log 2016-W45.log
    11-2016.log 201611.log 2016.log ~.log"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with an empty folder of raw logs."""
    (tmp_path / "raw").mkdir()
    return Site(tmp_path)


def day_of(day: int, client: str = "192.0.2.1") -> bytes:
    return b"".join(make_line(f"{day:02}/Nov/2016:{hour:02}:00:00 -0500", client)
                    for hour in range(24))  # fmt: skip


def sources(site: Site) -> dict[str, str]:
    return {record["name"]: record["source"] for record in site.records().values()}


@pytest.mark.parametrize(("name", "source"), NAMES)
def test_a_source_is_the_name_without_what_rotation_and_delivery_add(
    name: str, source: str
) -> None:
    assert source_of(Path("/raw") / name) == source


@pytest.mark.parametrize("name", ONLY_ROTATION.split())
def test_a_name_that_is_nothing_else_is_named_after_its_folder(name: str) -> None:
    """After the first folder above it that has a name of its own."""
    assert source_of(Path("/var/log/shop/2016/11") / name) == "shop"
    assert source_of(Path("/y=2016/m=11") / name) == "log"


@pytest.mark.parametrize(
    "name",
    ["a" * 255, "€" * 85, "a b:c\x1b[31m\n.log", "%2e%2e.log", "..", "day=2016-11-08.log", "'*?"],
)
def test_a_source_is_safe_as_part_of_a_path(name: str) -> None:
    source = source_of(Path("/raw/f") / name)
    check_source(source)
    assert len(source.encode()) <= SOURCE_BYTES


def test_long_names_stay_apart() -> None:
    assert source_of(Path("/r") / ("a" * 200)) != source_of(Path("/r") / ("a" * 201))


@pytest.mark.parametrize(
    ("name", "doubt"),
    [
        ("web-01.log", "01 is taken for the server's number"),
        ("web01-1.log", "-1 is taken for a counter of files"),
        ("access.1.log", ".1 is taken for a counter of files"),
        ("shop-2012.log", "2012 is taken for a date"),
        ("web-01.log.1", None),
        ("web-01-20161108.log", None),
        ("shop-2012-20161108.log", None),
        ("www2.log", None),
        ("10.0.0.5.log", None),
    ],
)
def test_a_name_that_can_be_read_in_two_ways_is_doubtful(name: str, doubt: str | None) -> None:
    assert read_name(name).doubt == doubt


def test_every_command_names_a_file_alike(site: Site) -> None:
    """By itself, with its folder, from another folder, by a run, in any order of arrival."""
    paths = [site.write(f"2016112{day}.log", day_of(20 + day)) for day in range(3)]
    named = set()
    for number, order in enumerate([paths, paths[::-1], [*paths[1:], paths[0]]]):
        lake = f"lake{number}"
        for path in order:
            site.ingest(path, "--lake", lake)
        site.ingest("raw/../raw", "--lake", lake)
        records = Lake(site.folder / lake).files()
        assert len(records) == 3
        named |= {record.source for record in records}
    assert named == {"raw"}


def make_old(site: Site, *names: str) -> None:
    """Take raw files in as version 2 of the definitions named them."""
    for name in names:
        site.ingest(site.folder / "raw" / name, "--source", first_part(name))
    rewrite_records(site, lambda record: replace(record, definitions=2, source_by_name=None))


@pytest.fixture
def old(site: Site) -> Site:
    """Return a site of two servers whose lake calls both `web`."""
    for server in (1, 2):
        for day in (1, 2):
            content = day_of(day, f"192.0.2.{server}")
            site.write(f"web-0{server}-2016110{day}.log", content)
    make_old(site, *(f"web-0{server}-2016110{day}.log" for server in (1, 2) for day in (1, 2)))
    return site


def test_new_files_of_a_known_server_join_it(old: Site) -> None:
    assert set(sources(old).values()) == {"web"}
    old.write("web-01-20161103.log", day_of(3))
    old.write("web-03-20161103.log", day_of(3, "192.0.2.3"))
    old.ingest("raw")
    assert set(sources(old).values()) == {"web", "web-03"}
    assert sources(old)["web-01-20161103.log"] == "web"
    assert sources(old)["web-03-20161103.log"] == "web-03"


def test_a_known_file_that_grew_or_was_packed_is_not_counted_twice(site: Site) -> None:
    """Its name is nothing but a date: by its folder it would be another source."""
    site.write("20161101.log", day_of(1))
    site.write("20161102.log", day_of(2)[:500])
    make_old(site, "20161101.log", "20161102.log")
    site.write("20161102.log", day_of(2))
    packed = site.write("20161101.log.gz", COMPRESS["gz"](day_of(1)))
    site.ingest("raw", packed)
    site.write("20161103.log", day_of(3))
    site.ingest("raw")
    assert len(site.rows("hits")) == 72
    assert set(sources(site).values()) == {"20161101", "20161102", "raw"}


@pytest.mark.large
def test_definitions_when_asked_for_name_an_old_lakes_sources_anew(old: Site) -> None:
    """The files are read again under their own sources; the lake is the one made anew."""
    old.run("build")
    old.write("web-01-20161103.log", day_of(3))
    old.ingest("raw")
    explained = old.run("build", "--explain").out
    assert "of the source web, by its name web-01 now" in explained
    old.run("build", "--also", "definitions")
    assert {record["source"] for record in old.records().values()} == {"web-01", "web-02"}
    assert "by its name" not in old.run("build", "--explain").out
    made = old.hashes()
    old.ingest("raw", "--lake", "anew")
    old.run("build", "--lake", "anew")
    fresh = Site(old.folder)
    object.__setattr__(fresh, "lake", old.folder / "anew")
    assert made == fresh.hashes()
    old.ingest("raw")
    assert old.hashes() == made
    old.run("verify")


@pytest.mark.large
def test_a_file_whose_raw_file_is_gone_keeps_its_source(old: Site) -> None:
    (old.folder / "raw" / "web-01-20161101.log").unlink()
    old.run("build", "--also", "definitions")
    assert sources(old)["web-01-20161101.log"] == "web"
    assert sources(old)["web-02-20161102.log"] == "web-02"
    old.write("web-02-20161103.log", day_of(3, "192.0.2.2"))
    old.ingest("raw")
    assert sources(old)["web-02-20161103.log"] == "web-02"


def test_a_source_that_was_given_stays(site: Site) -> None:
    site.write("web-01.log", day_of(1))
    site.ingest("raw", "--source", "web")
    site.run("build", "--also", "definitions")
    assert sources(site) == {"web-01.log": "web"}


def test_status_lists_sources_and_doubtful_names_are_said(site: Site) -> None:
    site.write("web-01.log", day_of(1))
    site.write("web02.log.1", day_of(2))
    site.write("notes.txt", b"no log\n")
    done = site.ingest("raw")
    assert "web-01.log: 01 is taken for the server's number: its source is web-01" in done.err
    rows = json.loads(site.run("status", "--format", "json").out)
    told = {row["what"]: row["value"] for row in rows}
    assert told["sources"] == "web-01, web02"
    assert told["source web02"].startswith("1 file, 2016-11-02T05:00:00+00:00 to 2016-11-03T04:")
    assert "web-01.log" in told["doubtful names"]
    site.write("web-01.log.1", day_of(3))
    assert "is taken for" not in site.ingest("raw").err  # that one settles it


def test_a_doubtful_name_is_said_beside_the_figures_of_its_days_alone(site: Site) -> None:
    site.write("web-01.log", day_of(1))
    site.write("web02.log.1", day_of(5))
    site.ingest("raw")
    site.run("build")

    def ask(day: int) -> dict[str, Any]:
        asked = ("figure", "--day", f"2016-11-{day:02}", "--country", "all", "--format", "json")
        (told,) = json.loads(site.run(*asked).out)
        return dict(told)

    said = "web-01: web-01.log: 01 is taken for the server's number"
    assert ask(1)["doubts"] == [said]
    assert f"Which server wrote what is in doubt: {said}." in ask(1)["text"]
    assert ask(5)["doubts"] == []
    assert "in doubt" not in ask(5)["text"]
    site.write("web-01.log.1", day_of(3))
    site.ingest("raw")
    assert ask(1)["doubts"] == [], "that one settles it"


def test_replay_reads_a_file_that_was_only_touched(site: Site) -> None:
    path = site.write("web01.log", day_of(1) + b"no log\n")
    site.ingest("raw")
    os.utime(path, (1, 1))
    assert "still rejected" in site.run("replay", "--dry-run").out
    path.unlink()
    assert "gone" in site.run("replay", "--dry-run", code=1).out


def test_one_name_in_several_folders_is_doubtful(site: Site) -> None:
    """`access.log` of web01 and of web02 is one source by its name, which is said; days are not."""
    for number, folder in enumerate(("web01", "web02", "2016-11-08", "2016-11-09")):
        its = make_line(client=f"192.0.2.{number}")
        site.write(f"{folder}/{'access' if folder[0] == 'w' else 'proxy'}.log", its)
    done = site.ingest("raw")
    assert "access.log: lies in the folders web01, web02, which may be servers" in done.err
    assert "proxy.log" not in done.err
    rows = json.loads(site.run("status", "--format", "json").out)
    told = {row["what"]: row["value"] for row in rows}
    assert "web01, web02" in told["doubtful names"]
    (site.folder / "raw" / "web01" / "access.log").write_bytes(make_line() * 2)
    assert "web01, web02" in site.run("status").out, "it has grown since"
