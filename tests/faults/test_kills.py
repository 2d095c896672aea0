"""Killed at random moments: the next run makes the same lake, and no reader ever saw half of it.

Each round begins with a lake that holds the first delivery, for a build with the second one taken
in. That has a file that grew, one that begins with what ends another, late files of days already
counted, and rejected lines.
"""

import hashlib
import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forks import Fork
from lake_fixtures import Site
from victims import kill_at_random, leftovers

TORONTO = ZoneInfo("America/Toronto")
START = datetime(2016, 11, 7, 20, tzinfo=UTC)
COMMANDS = ("ingest", "build")
LEAST_SHARE_WRITING = 0.75
PADDING = 150 * "x"
"""So that some files are over 1 MiB, and have Parquet of their own, and others lie together."""


def write_lines(server: int, first: int, last: int) -> bytes:
    """Lines of a server over three days, each with a path of its own."""
    lines = []
    for number in range(first, last):
        at = (START + timedelta(seconds=30 * number)).astimezone(TORONTO)
        lines.append(
            f'192.0.2.{number % 40} - - [{at:%d/%b/%Y:%H:%M:%S %z}] "GET /{server}/{number}'
            f' HTTP/1.1" {503 if number % 29 == 0 else 200} 100 "-" "{PADDING}/{number % 7}"\n'
        )
        if number % 200 == 0:
            lines.append("not a hit\n")
    return "".join(lines).encode()


@dataclass
class Storm:
    """The deliveries, and the lakes that undisturbed runs make of them."""

    site: Site
    copies: dict[str, Path] = field(default_factory=dict)
    """Copies of the lake as each command finds it after the second delivery."""
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    whole: dict[str, str] = field(default_factory=dict)
    """The hits that lose duplicates, as they are when the other file has not come yet."""
    names: set[str] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)

    def begin(self, command: str) -> None:
        """Set the lake back to what the command finds."""
        shutil.rmtree(self.site.lake)
        shutil.copytree(self.copies[command], self.site.lake)

    def args(self, command: str) -> list[str | Path]:
        """The arguments of the command after the second delivery."""
        raw = self.site.folder / "raw"
        return ["ingest", "--no-geo", raw] if command == "ingest" else ["build"]


def names_in(lake: Path) -> set[str]:
    """Every file of a lake."""
    return {str(path.relative_to(lake)) for path in lake.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Storm:
    site = Site(tmp_path_factory.mktemp("storm"))
    site.write("web01.log", write_lines(1, 0, 2400))
    site.write("web02.log", write_lines(2, 0, 3600))
    site.ingest(site.folder / "raw")
    site.run("build")
    storm = Storm(site)
    storm.before = site.hashes()
    site.write("web01.log", write_lines(1, 0, 4800))
    site.write("web01-2.log", write_lines(1, 4600, 6400))
    site.write("web03.log", write_lines(3, 0, 6400))
    site.write("web02-2.log", write_lines(2, 3600, 6400))
    for command in COMMANDS:
        storm.copies[command] = site.folder / f"before-{command}"
        shutil.copytree(site.lake, storm.copies[command])
        started = time.monotonic()
        site.run(*storm.args(command))
        storm.seconds[command] = time.monotonic() - started
    storm.after, storm.names = site.hashes(), names_in(site.lake)
    storm.begin("ingest")
    site.ingest(site.folder / "raw" / "web01-2.log")
    storm.whole = {
        path: one
        for path, one in site.hashes().items()
        if path.startswith("hits/") and one not in {storm.before.get(path), storm.after.get(path)}
    }
    assert storm.whole, "no file overlaps another"
    return storm


class Reader(threading.Thread):
    """Looks at a lake all the time, and notes what must never be seen."""

    def __init__(self, storm: Storm) -> None:
        """Read the storm's lake."""
        super().__init__()
        self._lake = storm.site.lake
        self._allowed = {
            path: {h[path] for h in (storm.before, storm.after, storm.whole) if path in h}
            for path in storm.before | storm.after
        }
        self._ending = threading.Event()
        self.looks = 0
        self.offences: list[str] = []

    def run(self) -> None:
        """Look until told to end."""
        while not self._ending.is_set():
            begin = time.thread_time()
            self._look_at_hits()
            self._look_at_files()
            self.looks += 1
            time.sleep(max(0.02, 2 * (time.thread_time() - begin)))  # a third of a processor

    def end(self) -> None:
        """Stop looking."""
        self._ending.set()
        self.join()

    def _look_at_hits(self) -> None:
        try:
            there = self._list_hits()
            # Each is opened once: DuckDB opens a file twice, and fails, or even dies, where it was
            # replaced between the two.
            contents = [path.read_bytes() for path in there]
            if self._list_hits() != there:
                return
        except FileNotFoundError:
            return  # a file that was listed is gone: an error, and no wrong answer
        tables = [pq.ParquetFile(pa.BufferReader(one)).read(["path"]) for one in contents]
        texts = [chunk for table in tables for chunk in table["path"].cast("string").chunks]
        paths = pa.chunked_array(texts, pa.string())
        if twice := len(paths) - len(paths.unique()):
            self.offences.append(f"{twice} hits twice")

    def _list_hits(self) -> dict[Path, int]:
        return {path: path.stat().st_ino for path in sorted(self._lake.glob("hits/*/*.parquet"))}

    def _look_at_files(self) -> None:
        for path, allowed in self._allowed.items():
            try:
                content = (self._lake / path).read_bytes()
            except FileNotFoundError:
                continue
            if hashlib.sha256(content).hexdigest() not in allowed and path[:4] in ("hits", "reje"):
                self.offences.append(f"{path} is neither as it was nor as it becomes")


@contextmanager
def watched(storm: Storm) -> Iterator[Reader]:
    reader = Reader(storm)
    reader.start()
    try:
        yield reader
    finally:
        reader.end()


def test_killed_at_random_moments_the_next_run_makes_the_same_lake(storm: Storm) -> None:
    """Of all kills three quarters come while a file is being written, as what is left shows."""
    kills, seed = int(os.environ.get("KILLS", "20")), int(os.environ.get("SEED", "20161108"))
    chance = random.Random(seed)
    environment = storm.site.environment()
    done, writing, looks, tries = 0, 0, 0, 0
    while done < kills and tries < 3 * kills:
        command = COMMANDS[tries % 2]
        tries += 1
        storm.begin(command)
        with watched(storm) as reader:
            victim = Fork(storm.args(command), storm.site.folder, environment)
            within_s = storm.seconds[command] * 0.8
            was_killed = kill_at_random(
                victim, storm.site.lake, chance, within_s, writing=chance.random() < 0.9
            )
            left = leftovers(storm.site.lake)
            for again in COMMANDS:
                storm.site.run(*storm.args(again))
        if was_killed:
            done += 1
            writing += bool(left)
        looks += reader.looks
        where = f"kill {done} in {command}, seed {seed}"
        assert not reader.offences, (where, reader.offences[:3])
        assert storm.site.hashes() == storm.after, where
        strays = names_in(storm.site.lake) - storm.names
        assert not strays, (where, strays)
    print(f"\n{done} kills in {tries} runs, {writing} while a file was being written;"
          f" {looks} looks at the lake meanwhile")  # fmt: skip
    assert done == kills
    assert writing >= LEAST_SHARE_WRITING * done
