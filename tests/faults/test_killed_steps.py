"""Killed at named steps, or beside another process: the next run makes it good, bytes for bytes."""

import json
import random
import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from lake_fixtures import Site, make_line
from lake_processes import (
    SERVERS,
    START,
    TORONTO,
    Lakes,
    assert_ends_well,
    assert_nothing_abandoned,
    kill_at,
    start,
)
from victims import kill_at_random

from pipeline.lake.lake import Lake


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    return Lakes(tmp_path_factory.mktemp("lakes"))


@pytest.fixture(scope="module")
def first(lakes: Lakes) -> Path:
    """The lake of the first file."""
    site = lakes.new("first")
    site.ingest(lakes.raw[0])
    site.run("build")
    return site.lake


def test_two_ingests_at_once_give_the_same_bytes(lakes: Lakes) -> None:
    """Two processes that take the same files into one new lake do not disturb each other.

    They have another hash seed than this process too.
    """
    site = lakes.new("two-at-once")
    both = [start(site, "ingest", "--no-geo", *raw) for raw in (lakes.raw, reversed(lakes.raw))]
    for process in both:
        assert_ends_well(process)
    assert len(site.records()) == len(SERVERS)
    both = [start(site, "build"), start(site, "build")]
    for process in both:
        assert_ends_well(process)
    assert site.hashes() == lakes.wanted


STEPS = {
    "ingest": (
        "ingest: block", "ingest: read", "commit: staged", "commit: written down", "commit: lines",
        "commit: rejects", "commit: hits", "commit: files", "commit: applied",
    ),
    "build": (
        "put: staged", "commit: staged", "commit: written down", "commit: sessions",
        "commit: daily", "commit: ledger", "commit: days", "views: written", "commit: applied",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def ingested(lakes: Lakes, first: Path) -> Path:
    """The lake of the first file, with the others taken in."""
    site = lakes.new("ingested")
    shutil.copytree(first, site.lake)
    site.ingest(*lakes.raw)
    return site.lake


@pytest.mark.parametrize(
    ("command", "step"), [(command, step) for command, steps in STEPS.items() for step in steps]
)
def test_killed_at_a_named_step_the_next_run_makes_it_good(
    lakes: Lakes, first: Path, ingested: Path, tmp_path: Path, command: str, step: str
) -> None:
    """After a kill at any named step the same commands end in the same lake, with nothing left."""
    site = Site(tmp_path)
    shutil.copytree(first if command == "ingest" else ingested, site.lake)
    if command == "ingest":
        kill_at(site, step, "ingest", "--no-geo", *lakes.raw)
        site.ingest(*lakes.raw)
    else:
        kill_at(site, step, "build")
    site.run("build")
    assert site.hashes() == lakes.wanted
    assert_nothing_abandoned(site)


def test_killed_again_and_again_in_one_lake_the_next_run_completes_it(
    lakes: Lakes, tmp_path: Path
) -> None:
    """The lake is not there yet; what is written down is put in place by the next run."""
    site = Site(tmp_path)
    for step in STEPS["ingest"][:4]:
        kill_at(site, step, "ingest", "--no-geo", *lakes.raw)
    site.ingest(*lakes.raw)
    site.run("build")
    assert site.hashes() == lakes.wanted
    assert_nothing_abandoned(site)


@dataclass
class Many:
    """Small files of two sources, of which a lake has a few, and what comes of all of them."""

    raw: list[Path]
    first: Path
    """The lake that has a few."""
    before: dict[str, str]
    after: dict[str, str]
    """Of a lake that took each file in by itself, built as the one of a few was."""
    figures: dict[str, str]
    """Of it, built anew."""


def write_many(site: Site, number: int, first: int, count: int) -> Path:
    """A log of a source's lines from one on, a minute apart; each line is another."""
    lines = []
    for minute in range(first, first + count):
        at = (START + timedelta(minutes=minute)).astimezone(TORONTO)
        lines.append(make_line(f"{at:%d/%b/%Y:%H:%M:%S %z}", request=f"GET /{number % 2}/{minute}"))
    return site.write(f"{'ab'[number % 2]}/{number:02}.log", b"".join(lines))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Many:
    """Some begin with what ends others, lie in others, grow, or are of several days."""
    site = Site(tmp_path_factory.mktemp("many"))
    raw = [write_many(site, n, 300 * (n // 2), 300 + 40 * (n // 2 % 3)) for n in range(16)]
    raw.append(write_many(site, 17, 30, 60))
    alone = Site(tmp_path_factory.mktemp("alone"))
    ingest_many(site, [*raw[::3]])
    for path in raw[::3]:
        ingest_many(alone, [path])
    assert alone.hashes() == site.hashes()
    site.run("build")
    alone.run("build")
    first = tmp_path_factory.mktemp("first") / "lake"
    shutil.copytree(site.lake, first)
    before = site.hashes()
    grown = [(n, 300 * (n // 2), 450) for n in (0, 3)]  # the lake has them as they were
    for one in grown:
        write_many(site, *one)
    for path in raw:
        ingest_many(alone, [path])
    assert list((alone.lake / "ledger" / "whole").rglob("*.parquet"))
    assert sum(bool(record.replaced_by) for record in Lake(alone.lake).all_files()) == 2
    after = alone.hashes()
    alone.run("build")
    return Many(raw, first, before, after, alone.hashes())


def ingest_many(site: Site, paths: list[Path]) -> None:
    """Take files in; each source's at once."""
    for source in ("a", "b"):
        its = [path for path in paths if path.parent.name == source]
        if its:
            site.run("ingest", "--no-geo", "--source", source, *its)


STEPS_TOGETHER = (
    "commit: staged", "commit: written down", "commit: lines", "commit: hits", "commit: whole",
    "commit: files", "commit: digests", "commit: applied",
)  # fmt: skip


@pytest.mark.parametrize("step", STEPS_TOGETHER)
def test_killed_while_many_files_are_put_in_place_all_or_none_are_in(
    many: Many, tmp_path: Path, step: str
) -> None:
    """The next command finds each line once and each record with its hits; another run the rest."""
    site = Site(tmp_path)
    shutil.copytree(many.first, site.lake)
    of_a = [path for path in many.raw if path.parent.name == "a"]
    kill_at(site, step, "ingest", "--no-geo", "--source", "a", *of_a)
    assert_each_line_once(site)
    hits = {name: digest for name, digest in site.hashes().items() if name.startswith("hits/")}
    of_a_now = {name: one for name, one in hits.items() if "/a-" in name}
    states = [
        {name: one for name, one in its.items() if name.startswith("hits/") and "/a-" in name}
        for its in (many.before, many.after)
    ]
    assert of_a_now == states[step != "commit: staged"]
    site.run("verify")
    ingest_many(site, many.raw)
    assert site.hashes() == many.after
    site.run("build")
    assert site.hashes() == many.figures
    site.run("verify")
    assert_nothing_abandoned(site)


def assert_each_line_once(site: Site) -> None:
    asked = (
        "SELECT (SELECT count(*) FROM hits) AS hits, (SELECT count(DISTINCT path) FROM hits) AS n,"
        " (SELECT sum(hits) FROM files WHERE replaced_by IS NULL) AS recorded"
    )
    (row,) = json.loads(site.run("sql", asked, "--format", "json").out)
    assert row["hits"] == row["n"] == row["recorded"], row


def test_killed_at_random_while_many_files_are_taken_in_again_and_again(
    many: Many, tmp_path: Path
) -> None:
    """In the same lake, one after another; what is in by then stays."""
    site, chance = Site(tmp_path), random.Random(20161108)
    shutil.copytree(many.first, site.lake)
    of_a = [path for path in many.raw if path.parent.name == "a"]
    args = ("ingest", "--no-geo", "--source", "a", *of_a)
    copy = Site(tmp_path / "copy")
    shutil.copytree(many.first, copy.lake)
    started = time.monotonic()
    assert_ends_well(start(copy, *args))
    seconds = time.monotonic() - started
    killed = 0
    for turn in range(6):  # the first as soon as it writes, the others later
        within_s = turn * seconds / 10
        killed += kill_at_random(start(site, *args), site.lake, chance, within_s, writing=True)
        assert_each_line_once(site)
    assert killed
    ingest_many(site, many.raw)
    assert site.hashes() == many.after
    site.run("build")
    assert site.hashes() == many.figures
    site.run("verify")
    assert_nothing_abandoned(site)
