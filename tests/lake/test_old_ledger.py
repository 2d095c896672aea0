"""A lake whose ledger an earlier version wrote: all read it, who first writes writes it anew."""

import shutil
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import verify_lakes as lakes
from lake_fixtures import GOOD, Site, make_line
from lake_processes import assert_nothing_abandoned, kill_at
from old_ledgers import make_old

from pipeline.lake.lake import Lake
from pipeline.lake.left_out import note_file, read_notes, write_notes
from pipeline.lake.old_ledger import has_old, list_old


def leave_out(site: Site) -> None:
    """Note a file that was there and is not in the lake."""
    path = site.folder / "raw" / "web05.log"
    note = note_file(path, "web05", [date(2016, 11, 8)], "is not read yet", (5, 7))
    write_notes(Lake(site.lake), [note])


FOLDERS = ("replaced", "forgotten", "seen", "left")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A lake with files that are live, replaced, forgotten and left out."""
    site = lakes.make_everything(tmp_path_factory.mktemp("original"))
    site.run("ingest", "--geo", "geo", site.write("web04.log", make_line(client="192.0.2.77")))
    site.run("forget", "web04.log")
    leave_out(site)
    site.run("build", "--geo", "geo")
    assert {record.is_live for record in Lake(site.lake).all_files()} == {True, False}
    assert read_notes(Lake(site.lake))
    return site


@pytest.fixture(scope="module")
def old(original: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The same with the ledger of an earlier version; never changed."""
    site = original.copy(tmp_path_factory.mktemp("old"))
    make_old(site)
    assert all(any((site.lake / "ledger" / folder).iterdir()) for folder in FOLDERS)
    return site


def write(site: Site) -> None:
    """Take a file more in and build: what the first command that writes may be."""
    site.write("web06.log", make_line(client="192.0.2.66"))
    site.run("ingest", "--geo", "geo", "raw/web06.log")
    site.run("build", "--geo", "geo")


@pytest.fixture(scope="module")
def made(original: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """What that leaves of the lake of this version; never changed."""
    site = original.copy(tmp_path_factory.mktemp("made"))
    write(site)
    return site


@pytest.fixture
def site(old: Site, tmp_path: Path) -> Site:
    """A copy of it, to be written."""
    return old.copy(tmp_path)


def known(site: Site) -> list[dict[str, Any]]:
    """What the ledger says of raw files: of each path what was read there last, and not when."""
    records = Lake(site.lake).all_files()
    every = sorted((one.read_ns, one.path) for record in records for one in record.seen)
    latest = {path: at for at, path in every}
    return [
        asdict(record)
        | {"seen": [(s.path, s.stat) for s in record.seen if s.read_ns == latest[s.path]]}
        for record in records
        if record.source != "web06"  # taken in at two moments
    ]


READING = {
    "status": ("status",),
    "figure": ("figure", "--day", "2016-11-08", "--country", "all"),
    "daily": ("daily", "--format", "csv"),
    "files": ("sql", "SELECT * FROM files ORDER BY file_key", "--format", "csv"),
    "files safely": ("sql", "--safe", "SELECT name, hits FROM files ORDER BY ALL"),
}


def contents(site: Site) -> dict[str, bytes]:
    return {
        str(path.relative_to(site.lake)): path.read_bytes()
        for path in sorted(site.lake.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


@pytest.mark.large
@pytest.mark.parametrize("command", READING)
def test_reading_commands_read_both_and_change_neither(
    command: str, original: Site, old: Site
) -> None:
    before = contents(old)
    assert old.run(*READING[command]).out == original.run(*READING[command]).out
    assert known(old) == known(original)
    assert contents(old) == before


@pytest.mark.large
def test_verify_proves_an_old_ledger_and_leaves_it(old: Site) -> None:
    before = contents(old)
    assert lakes.verify(old, code=0) == []
    assert contents(old) == before


@pytest.mark.large
def test_damage_in_an_old_ledger_is_named(site: Site) -> None:
    """A record that can't be read is what is off, not the files of others; nothing is lost."""
    path = min(site.lake.glob("ledger/files/web01-*.json"))
    content = path.read_bytes()
    place = path.relative_to(site.lake).as_posix()
    lakes.truncate(path)
    rows = lakes.verify(site, code=1)
    assert place in lakes.places_of(rows)
    assert not any("stray" in row["finding"] for row in rows)
    before = contents(site)
    done = site.run("build", "--geo", "geo", code=2)
    assert str(path.relative_to(site.folder)) in done.err
    assert contents(site) == before
    path.write_bytes(content)
    lakes.rewrite_json(path, lambda record: record.pop("days"))
    assert place in lakes.places_of(lakes.verify(site, code=1))
    lakes.rewrite_json(path, lambda record: record.clear())
    assert place in lakes.places_of(lakes.verify(site, code=1))


WRITING = {
    "ingest": ("ingest", "--geo", "geo", "raw/web01.log", "--again"),
    "ingest of what is known": ("ingest", "--geo", "geo", "raw/web01.log"),
    "build": ("build", "--geo", "geo", "--also", "settings"),
    "forget": ("forget", "web02-2.log"),
}


def assert_new(site: Site) -> None:
    """Assert that nothing of an old ledger is left, no folder either, and all is proved."""
    assert not list(list_old(site.lake / "ledger"))
    assert not [name for name in FOLDERS if (site.lake / "ledger" / name).exists()]
    assert {path.suffix for path in (site.lake / "ledger" / "files").iterdir()} == {".parquet"}
    assert_nothing_abandoned(site)


@pytest.mark.large
def test_the_first_command_that_writes_says_so_once(
    site: Site, made: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Afterwards the ledger is that of a lake made now, and so are its views."""
    write(site)
    said = f"the ledger of lake is written anew, {len(known(made))} raw files"
    assert said in caplog.text
    assert_new(site)
    assert known(site) == known(made)
    assert [note.name for note in read_notes(Lake(site.lake)).values()] == ["web05.log"]
    assert contents(site).keys() == contents(made).keys()
    assert site.hashes() == made.hashes()
    assert lakes.verify(site, code=0) == []
    caplog.clear()
    site.run("forget", "web06.log")
    assert "written anew" not in caplog.text
    with duckdb.connect(str(site.lake / "tidegauge.duckdb"), read_only=True) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM files").fetchall()
    assert count == len(Lake(made.lake).all_files())


@pytest.mark.large
@pytest.mark.parametrize("command", WRITING)
def test_every_command_that_writes_does_it(command: str, site: Site, original: Site) -> None:
    """What it leaves is what it leaves of a lake made now."""
    made = original.copy(site.folder / "made")
    for one in (site, made):
        one.run(*WRITING[command], env={"TIDEGAUGE_SESSION_TIMEOUT_MINUTES": "20"})
    assert_new(site)
    names = ("file_key", "hits", "duplicates", "replaced_by", "overlap_lines")
    assert [[r[name] for name in names] for r in known(site)] == [
        [r[name] for name in names] for r in known(made)
    ]
    assert site.hashes() == made.hashes()


STEPS = (
    "commit: staged", "commit: written down", "commit: files", "commit: digests", "commit: ledger",
    "commit: replaced", "commit: forgotten", "commit: seen", "commit: left", "commit: applied",
    "write: digests",
)  # fmt: skip


@pytest.mark.large
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_named_step_it_is_finished(
    step: str, site: Site, original: Site, made: Site
) -> None:
    """Nothing is lost, and one who reads meanwhile sees every file once."""
    path = site.write("web06.log", make_line(client="192.0.2.66"))
    kill_at(site, step, "ingest", "--geo", "geo", path)
    assert [record.file_key for record in Lake(site.lake).all_files()] == [
        record["file_key"] for record in known(original)
    ]
    write(site)
    assert_new(site)
    assert known(site) == known(made)
    assert site.hashes() == made.hashes()
    assert [note.name for note in read_notes(Lake(site.lake)).values()] == ["web05.log"]
    assert lakes.verify(site, code=0) == []


def test_notes_alone_are_taken_over_too(tmp_path: Path) -> None:
    """Of a lake that has taken nothing in: struck out, a note does not come back."""
    site = Site(tmp_path)
    site.ingest(site.write("web01.log", GOOD))
    lake = Lake(site.lake)
    site.run("forget", "web01.log")
    leave_out(site)
    notes = list(read_notes(lake).values())
    assert notes
    make_old(site)
    for kind in ("files", "forgotten", "seen"):
        shutil.rmtree(lake.ledger / kind, ignore_errors=True)
    assert list(read_notes(lake).values()) == notes
    write_notes(lake, [], notes)
    assert not read_notes(lake)
    assert not has_old(lake.ledger)
    assert not (lake.ledger / "left").exists()
