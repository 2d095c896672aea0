"""Lakes for the report's tests: small logs, taken in and built by the commands."""

import gzip
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from conftest import build_databases
from lake_fixtures import Site

CANADA, STATES, HOSTILE = "198.51.100", "203.0.113", "192.0.2"
"""First three numbers of networks for documentation that the tests' database locates."""
COUNTRY = "</title><script>alert(6)</script>"
"""A country code as no honest database has it; "as written" all the same."""
PATH = "/</script><script>alert(1)</script><svg/onload=alert(2)>"
REFERRER = "https://<img/src=x/onerror=alert(3)>/"
AGENT = "Mozilla/5.0 (X11; Linux) <script>alert(4)</script>"
FILE = "<img src=x onerror=alert(5)>\x1b[31m\u202e.gz"


def line(client: str, at: datetime, path: str = "/", referrer: str = "-", agent: str = "M") -> str:
    """One combined line, its time in UTC, a browser's."""
    agent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/49.0" if agent == "M" else agent
    when = at.strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{client} - - [{when}] "GET {path} HTTP/1.1" 200 10 "{referrer}" "{agent}"'


def day_lines(network: str, day: datetime, sessions: int, **kind: str) -> list[str]:
    """One line a session, each from an address of its own, in the course of a day."""
    step = timedelta(minutes=1)
    return [line(f"{network}.{n}", day + step * n, **kind) for n in range(sessions)]


def make_lake(
    folder: Path,
    lines: Iterable[str],
    *,
    name: str = "web01-access.log",
    zone: str = "America/Toronto",
    geo: bool = True,
) -> Path:
    """Ingest and build `lines`; returns the lake, its databases lie beside it in `geo`."""
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    (folder / "raw" / name).write_text("\n".join(lines))
    networks = {f"{CANADA}.0/24": "CA", f"{STATES}.0/24": "US", f"{HOSTILE}.0/24": COUNTRY}
    build_databases(
        folder / "geo",
        [{"kind": "GeoLite2-Country", "built": "2003-01-01T00:00:00+00:00", "networks": networks}],
    )
    site, env = Site(folder), {"TIDEGAUGE_TIMEZONE": zone}
    site.run("ingest", "raw", *(["--geo", "geo"] if geo else ["--no-geo"]), env=env)
    site.run("build", "--geo", "geo", env=env)
    return site.lake


def make_storm(folder: Path) -> Path:
    """Twelve days of Canada and the States, a surge of the latter on 2016-11-10."""
    first = datetime.fromisoformat("2016-11-01T16:00:00+00:00")
    lines = []
    for n in range(12):
        day = first + timedelta(n)
        lines += day_lines(CANADA, day, 30) + day_lines(STATES, day, 200 if n == 9 else 20)
    return make_lake(folder, lines)


def make_hostile(folder: Path) -> Path:
    """Twelve days, the last with a surge from a hostile country; a file of a hostile name."""
    first = datetime.fromisoformat("2016-11-01T16:00:00+00:00")
    lines = []
    for n in range(12):
        kind = {"path": PATH, "referrer": REFERRER, "agent": AGENT}
        lines += day_lines(HOSTILE, first + timedelta(n), 200 if n == 11 else 20, **kind)
    lake = make_lake(folder, lines, name="<svg onload=alert(7)>-1.log")
    damaged = folder / FILE
    damaged.write_bytes(gzip.compress("\n".join(lines[:50]).encode())[:-4])
    Site(folder).run("ingest", damaged, "--geo", "geo", code=1)
    Site(folder).run("build", "--geo", "geo")
    return lake
