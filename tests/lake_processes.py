"""Commands in processes of their own, beside each other and killed."""

import os
import random
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from forks import Fork, stop_at
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


def make_servers(*hours: int) -> dict[str, bytes]:
    """Write the lines of servers by the names of their files; each is so many hours long."""
    return {f"web0{n}-access.log": make_server(n, its) for n, its in enumerate(hours, 1)}


SERVERS = make_servers(100, 60, 30)


class Lakes:
    """Raw files of three servers, and lakes made of them in different ways."""

    def __init__(self, folder: Path, servers: Mapping[str, bytes] = SERVERS) -> None:
        """Write the raw files, and build the lake that all others are compared with."""
        self.folder = folder
        self.reference = self.new("reference")
        self.raw = [self.reference.write(name, content) for name, content in servers.items()]
        self.reference.ingest(*self.raw)
        self.reference.run("build")
        self.wanted = self.reference.hashes()

    def new(self, name: str) -> Site:
        """Return a site with an empty folder."""
        (self.folder / name).mkdir()
        return Site(self.folder / name)


def start(site: Site, *args: str | Path, first: str = "", **settings: str) -> Fork:
    """Start the command in a process of its own; ``first``: what it does first, as Python."""
    return Fork(args, site.folder, site.environment(dict(settings)), first)


def assert_ends_well(process: Fork) -> None:
    _, err = process.communicate()
    assert process.returncode == 0, err.decode()


def assert_nothing_abandoned(site: Site) -> None:
    """Assert that no staging folder is left in the lake."""
    assert not (site.lake / ".staging").exists()
    assert not (site.lake / ".commit").exists()
    assert not list(site.lake.rglob("*draft*"))


def kill_at(site: Site, step: str, *args: str | Path) -> None:
    """Run the command in a process of its own, which is killed when it reaches a named step."""
    assert start(site, *args, first=stop_at(step)).wait() == -signal.SIGKILL, step


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
