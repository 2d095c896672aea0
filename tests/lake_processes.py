"""Commands in processes of their own, beside each other and killed."""

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from conftest import COMMAND
from lake_fixtures import Site, make_line

TORONTO = ZoneInfo("America/Toronto")
START = datetime(2016, 11, 5, 12, tzinfo=UTC)
BAD = b"\x16\x03\x01 not a request\n"


def make_server(seed: int, hours: int = 100, lines: int = 1500) -> bytes:
    """Write a server's lines in no order, over several days and the end of summer time."""
    chance = random.Random(seed)
    written = []
    for _ in range(lines):
        moment = START + timedelta(seconds=chance.randrange(hours * 3600))
        written.append(
            make_line(
                moment.astimezone(TORONTO).strftime("%d/%b/%Y:%H:%M:%S %z"),
                client=f"192.0.2.{chance.randrange(1, 30)}",
                request=f"GET /{chance.choice('abc')}?{chance.randrange(3)} HTTP/1.1",
                agent=chance.choice(("Firefox/49.0", "Firefox/50.0", "Googlebot/2.1", "-")),
                status=chance.choice((200, 200, 304, 404, 503)),
            )
        )
    return b"".join([*written[:700], BAD, b"\n", *written[700:], BAD[:-1]])


SERVERS = {f"web0{n}-access.log": make_server(n, hours) for n, hours in enumerate((100, 60, 30), 1)}


class Lakes:
    """Raw files of three servers, and lakes made of them in different ways."""

    def __init__(self, folder: Path) -> None:
        """Write the raw files, and build the lake that all others are compared with."""
        self.folder = folder
        self.reference = self.new("reference")
        self.raw = [self.reference.write(name, content) for name, content in SERVERS.items()]
        self.reference.ingest(*self.raw)
        self.reference.run("build")
        self.wanted = self.reference.hashes()

    def new(self, name: str) -> Site:
        """Return a site with an empty folder."""
        (self.folder / name).mkdir()
        return Site(self.folder / name)


def start(site: Site, *args: str | Path) -> subprocess.Popen[bytes]:
    """Start the command in a process of its own, with a hash seed of its own."""
    return subprocess.Popen(
        [COMMAND, *args],
        cwd=site.folder,
        env=site.environment({"PYTHONHASHSEED": "7"}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def assert_ends_well(process: subprocess.Popen[bytes]) -> None:
    _, err = process.communicate()
    assert process.returncode == 0, err.decode()


def assert_nothing_abandoned(site: Site) -> None:
    """Assert that no staging folder is left in the lake."""
    assert not (site.lake / ".staging").exists()
    assert not (site.lake / ".commit").exists()
    assert not list(site.lake.rglob("*draft*"))


STOP = """
import os
from pipeline.cli import main as cli
from pipeline.lake import fault_points as steps
def stop(step):
    if step == {step!r}:
        os.kill(os.getpid(), 9)
steps.listener = stop
cli.main()
"""


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Be a user without rights while the block runs, if the tests are root's."""
    for parent in (folder, *list(folder.parents)[:-2]):
        parent.chmod(0o755)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@contextmanager
def own_disk(lake: Path, size: int = 16 * 1024 * 1024) -> Iterator[None]:
    """Put the lake on a disk of its own while the block runs; for root only."""
    lake.mkdir(exist_ok=True)
    options = f"size={size}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tidegauge", lake], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a disk of one's own can be mounted by root only: {mounted.stderr.decode()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", lake], check=True)
