"""A site of ten days whose oldest hits are deleted, and what its tests ask of it."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import VISITOR_KEY
from lake_fixtures import Site, make_line
from pydantic import SecretStr

from pipeline.build import retention
from pipeline.build.build import build_settings
from pipeline.build.checks import check_days
from pipeline.cli import retention as retention_command
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_json
from pipeline.settings import Settings

DAYS = [f"2016-11-{day:02}" for day in range(1, 11)]
OLD, SEALED, UNSEALED = DAYS[:4], DAYS[:5], DAYS[5:]
TODAY = date(2016, 11, 12)
NOON = "2016-11-12T12:00:00+00:00"
KEPT: dict[str, str | None] = {"TIDEGAUGE_HITS_KEPT_DAYS": "7"}
"""With it the hits of OLD are deleted on TODAY, and SEALED is sealed."""


def lines_of(day: int, server: int) -> bytes:
    """Write a day's lines: sessions within it and into the next, a robot and a rejected line."""
    offset = "-0400" if day < 6 else "-0500"  # summer time ends on the 6th at two
    times = {"00:05:00 -0400" if day == 6 else f"00:05:00 {offset}": 2}
    times |= {f"09:00:00 {offset}": 0, f"09:20:00 {offset}": 0, f"23:50:00 {offset}": 2}
    return (
        b"not a request\n"
        + b"".join(
            make_line(f"{day:02}/Nov/2016:{time}", client=f"192.0.2.{server + client}", agent=agent)
            for time, client in times.items()
            for agent in ("Firefox/49.0", "Googlebot/2.1")
        )
        + make_line(f"{day:02}/Nov/2016:15:00:00 {offset}", client=f"198.51.100.{server + day}")
    )


def make_original(folder: Path) -> Site:
    site = Site(folder)
    site.write("web01.log", b"".join(lines_of(day, 0) for day in range(1, 11)))
    for day in range(1, 11):
        site.write(f"web02-{day}.log", lines_of(day, 100))
    site.ingest("raw")
    site.run("build")
    return site


def set_clock(monkeypatch: pytest.MonkeyPatch, instant: str) -> None:
    """Make it the RFC 3339 ``instant`` for the command."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.fromisoformat(instant).astimezone(tz)

    for module in (retention, retention_command):
        monkeypatch.setattr(module, "datetime", Clock)


def settings_of(site: Site, at_once: int = 7) -> Settings:
    """Return the site's settings: seven days kept, and at most so many deleted at once."""
    return Settings(
        lake=site.lake,
        timezone="America/Toronto",
        hits_kept_days=7,
        retention_max_days=at_once,
    )


def listed(site: Site, *args: str, code: int = 0, kept: str = "7") -> list[dict[str, Any]]:
    """Return the rows that `retention` prints."""
    done = site.run(
        "retention", "--format", "json", *args, code=code, env={"TIDEGAUGE_HITS_KEPT_DAYS": kept}
    )
    return list(json.loads(done.out))


def delete(site: Site, *args: str, code: int = 0, kept: str = "7") -> str:
    """Run `retention --delete` and return what it says on stderr."""
    env: dict[str, str | None] = {"TIDEGAUGE_HITS_KEPT_DAYS": kept}
    return site.run("retention", "--delete", *args, code=code, env=env).err


def sealed(site: Site) -> list[str]:
    """Return the days that the ledger has as sealed."""
    path = site.lake / "ledger" / "sealed.json"
    return sorted(read_json(path))


def everything(site: Site) -> dict[str, bytes]:
    """Return every file of the lake but the locks and the views."""
    paths = (path for path in sorted(site.lake.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(site.lake)): path.read_bytes()
        for path in paths
        if path.suffix not in {".lock", ".duckdb"}
    }


def day_of(path: str) -> str:
    """Return the day of a partition's path; empty when it has none."""
    return path.partition("day=")[2][:10]


def ask(site: Site, statement: str) -> list[dict[str, Any]]:
    """Return the rows of a statement over the views."""
    return list(json.loads(site.run("sql", statement, "--format", "json").out))


def check(site: Site, timeout: int = 30) -> list[date]:
    """Run the nightly checks on all days, sealed ones too; returns those that were checked."""
    lake, key = Lake(site.lake), SecretStr(VISITOR_KEY)
    settings = Settings(lake=site.lake, visitor_key=key, session_timeout_minutes=timeout)
    days = [date.fromisoformat(day) for day in DAYS]
    return check_days(lake, days, build_settings(settings, lake))
