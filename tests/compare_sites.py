"""A site of fourteen days with a surge, lakes of it built under other settings, and what is asked.

Sessions cross midnight, gaps lie around every timeout that is tried, and one visitor in four is a
robot to some list or other.
"""

import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from conftest import build_database
from lake_fixtures import Done, Site, make_line

DAYS = [f"2016-11-{day:02}" for day in range(1, 15)]
SURGE = range(9, 12)
AGENTS = (
    "Firefox/49.0",
    "Chrome/54.0",
    "Googlebot/2.1",
    "curl/7.50",
    "venus/fedoraplanet",
    "MyChecker/1.0",
    "-",
    "check \x1b[31m\u202e\\x22" + "y" * 700 + " Googlebot",
)
GAPS_MINUTES = (2, 14, 15, 16, 29, 30, 31, 45, 60, 61)
NETWORKS = {"192.0.2.0/24": "US", "198.51.100.0/24": "CA-ON", "203.0.113.0/24": "FR"}
OTHER_NETWORKS = {"192.0.2.0/25": "US", "192.0.2.128/25": "CA", "203.0.113.0/24": "DE"}
Answers = dict[tuple[str, str], int]


def write_raw(site: Site) -> None:
    """Write the raw logs of two servers, three UTC days a file; visitors meet both servers."""
    rng = random.Random(8)
    lines: dict[str, list[tuple[datetime, bytes]]] = {"web01": [], "web02": []}
    for at, client, agent in visits(rng):
        request = rng.choice(["GET /a HTTP/1.1", "GET /b.css HTTP/1.1", "POST /c HTTP/1.1"])
        local = at.astimezone(UTC)
        line = make_line(
            f"{local:%d/%b/%Y:%H:%M:%S} +0000", client, request, agent,
            status=rng.choice([200, 200, 304, 404, 503]),
        )  # fmt: skip
        lines[rng.choice(["web01", "web02"])].append((at, line))
    for server, its in lines.items():
        for part in range(5):
            mine = sorted(line for line in its if (line[0].day - 1) // 3 == part)
            site.write(f"{server}.log-{part}", b"".join(line for _, line in mine))


def visits(rng: random.Random) -> Iterator[tuple[datetime, str, str]]:
    """Yield times, clients and agents of hits; the surge is of the first network."""
    start = datetime(2016, 11, 1, 4, tzinfo=UTC)  # midnight in Toronto
    for day in range(14):
        for network, count in (("192.0.2", 40), ("198.51.100", 12), ("203.0.113", 6)):
            is_surge = network == "192.0.2" and day + 1 in SURGE
            for _ in range(count * (6 if is_surge else 1)):
                client, agent = f"{network}.{rng.randrange(256)}", rng.choice(AGENTS)
                at = start + timedelta(days=day, seconds=rng.randrange(86_400))
                for _ in range(rng.choice([1, 1, 2, 4])):
                    if at < start + timedelta(days=14):
                        yield at, client, agent
                    seconds = rng.choice((-1, 0, 1))
                    at += timedelta(minutes=rng.choice(GAPS_MINUTES), seconds=seconds)


def write_databases(folder: Path) -> None:
    """Write the database in force and, in another folder, one built later."""
    for name, built, networks in (
        ("geo", "2016-10-30T00:00:00+00:00", NETWORKS),
        ("later", "2016-12-07T00:00:00+00:00", OTHER_NETWORKS),
    ):
        (folder / name).mkdir()
        build_database(folder / name / f"{name}.mmdb", "GeoLite2-City", built, networks)


def make_lake(site: Site, lake: str, geo: str = "geo", **changes: str) -> Site:
    """Ingest and build the site's raw logs into another lake, under changed settings."""
    env: dict[str, str | None] = {f"TIDEGAUGE_{name.upper()}": v for name, v in changes.items()}
    site.run("ingest", "raw", "--lake", lake, "--geo", geo, env=env)
    site.run("build", "--lake", lake, env=env)
    built = Site(site.folder)
    built.lake = site.folder / lake
    return built


def ask(site: Site, statement: str) -> list[dict[str, Any]]:
    """Return the rows of a statement over the views of the site's lake."""
    done = site.run("sql", statement, "--format", "json", "--lake", site.lake)
    return list(json.loads(done.out))


def sessions_of(site: Site) -> Answers:
    """Return a lake's sessions by day and country, and of all countries."""
    rows = ask(site, "SELECT day, country, sessions FROM daily")
    found: Answers = {(row["day"], "all"): 0 for row in rows}
    for row in rows:
        found[row["day"], row["country"]] = row["sessions"]
        found[row["day"], "all"] += row["sessions"]
    return found


def surges_of(site: Site) -> set[tuple[str, str]]:
    """Return the days and countries that a lake has as surges."""
    rows = ask(site, "SELECT day, country FROM expected WHERE is_surge")
    return {(row["day"], row["country"]) for row in rows}


def compare(site: Site, *args: str | Path, code: int = 0) -> tuple[list[dict[str, Any]], Done]:
    """Run `compare` for every country of the site; returns its rows and all it says."""
    countries = [part for code in ("US", "CA", "FR", "DE", "ZZ") for part in ("--country", code)]
    done = site.run("compare", *args, *countries, "--format", "json", code=code)
    return without_caveats(json.loads(done.out) if done.out else []), done


def without_caveats(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as another form than JSON has them."""
    return [{name: of for name, of in row.items() if name != "caveats"} for row in rows]


def assert_agrees(rows: list[dict[str, Any]], now: Site, then: Site, days: list[str]) -> None:
    """Assert that rows of one variant are of ``days`` and what the two lakes say."""
    assert sorted({row["day"] for row in rows}) == days
    assert {row["country"] for row in rows} == {"all", "US", "CA", "FR", "DE", "ZZ"}
    assert len(rows) == 6 * len(days)
    before, after = sessions_of(now), sessions_of(then)
    for row in rows:
        key = row["day"], row["country"]
        assert row["sessions"] == before.get(key, 0), row
        assert row["sessions_then"] == after.get(key, 0), row
        assert row["difference"] == row["sessions_then"] - row["sessions"]
        if row["sessions"]:
            assert round(row["percent"] * row["sessions"] / 100) == row["difference"]
        else:
            assert row["percent"] is None


def assert_surges_agree(rows: list[dict[str, Any]], now: Site, then: Site) -> None:
    """Assert that rows of all days flag what the two lakes flag."""
    before, after = surges_of(now), surges_of(then)
    for row in rows:
        key = row["day"], row["country"]
        if row["country"] == "all":
            assert (row["is_surge"], row["is_surge_then"]) == (None, None)
        else:
            assert (row["is_surge"], row["is_surge_then"]) == (key in before, key in after), row


def python_rules(path: Path) -> list[re.Pattern[str]]:
    """Return a file's expressions as Python's."""
    lines = path.read_text().splitlines()
    return [re.compile(line) for line in lines if line and line[0] != "#"]


def state_of(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Return inode, mtime, mode and content of everything below a folder."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted([folder, *folder.rglob("*")])
    }  # fmt: skip
