"""What a backfill is compared with: simulated logs, their figures, and lakes without Airflow."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import duckdb

from pipeline.demo.storm.november import DAYS, SERVERS, rotation
from pipeline.demo.storm.plan import plan_sessions, read_countries
from pipeline.demo.storm.simulate import DEFAULT_SEED, simulate
from pipeline.lake.lake import Lake

SCALE = 0.005
CENTRES = {"east": range(2), "west": range(2, len(SERVERS))}
"""Five servers in two data centres: a file for each centre and day keeps the tests short."""
COMMAND = Path(sys.executable).with_name("tidegauge")
TABLES = (
    *("hits", "rejects", "sessions", "daily", "hourly", "minutes"),
    *("days", "expected", "surges", "drivers", "signals"),
)


def make_raw(out: Path) -> Path:
    """Write `OUT/east-20161101.log.gz` and 39 more: the servers' files of a day end to end."""
    simulate(out / "servers", SCALE)
    made = out / "raw"
    made.mkdir()
    for index, day in enumerate(DAYS):
        for centre, servers in CENTRES.items():
            # A file begins with its first hit.
            ordered = sorted(servers, key=lambda server: rotation(DEFAULT_SEED, server, index))
            names = [f"{SERVERS[server]}-{day:%Y%m%d}.log.gz" for server in ordered]
            content = b"".join((out / "servers" / name).read_bytes() for name in names)
            (made / f"{centre}-{day:%Y%m%d}.log.gz").write_bytes(content)
    return made


def simulated_sessions(days: Sequence[date]) -> dict[tuple[str, str], int]:
    """Sessions by day and country, as the simulator planned them."""
    countries = read_countries()
    plan = plan_sessions(countries, SCALE, DEFAULT_SEED)
    return {
        (str(day), country.code): int(plan[DAYS.index(day)][number].sum())
        for day in days
        for number, country in enumerate(countries)
        if plan[DAYS.index(day)][number].any()
    }


def counted_sessions(lake: Path, days: Sequence[date]) -> dict[tuple[str, str], int]:
    """Sessions by day and country, as the lake has them."""
    rows = duckdb.sql(
        "SELECT day::VARCHAR, country, sessions FROM read_parquet($files, hive_partitioning = true)"
        " WHERE list_contains($days, day) AND sessions > 0",
        params={"files": f"{lake}/daily/*/*.parquet", "days": list(days)},
    ).fetchall()
    return {(day, country): sessions for day, country, sessions in rows}


def count_restated(lake: Path) -> int:
    """Figures that were published more than once with different numbers."""
    table = duckdb.from_parquet(f"{lake}/restatements/part.parquet")
    return len(table.filter("previous_sessions != sessions").fetchall())


def hash_parquet(lake: Path) -> dict[str, str]:
    """SHA-256 of every Parquet file of the lake, by path."""
    return {
        str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest()
        for table in TABLES
        for path in sorted((lake / table).rglob("*.parquet"))
    }


def names_in(lake: Path) -> set[str]:
    """The names of the raw files that the lake has taken in."""
    return {record.name for record in Lake(lake).files()}


def count_by_command(home: Path, lake: Path, files: Iterable[Path]) -> Path:
    """Take files in and build by the command line, with a standalone home's key and databases."""
    run_command(home, "ingest", *sorted(files), "--lake", lake)
    run_command(home, "build", "--lake", lake)
    return lake


def run_command(home: Path, *args: str | Path) -> float:
    """Run `tidegauge`, which must succeed, with a home's key and databases; returns seconds."""
    environment = {
        "TIDEGAUGE_TIMEZONE": "America/Toronto",
        "TIDEGAUGE_GEO": str(home / "geo"),
        "TIDEGAUGE_VISITOR_KEY_FILE": str(home / "visitor.key"),
        "TIDEGAUGE_REPORT": str(home / "by-command.html"),  # Airflow's stays
    }
    began = time.monotonic()
    done = subprocess.run(
        [COMMAND, *args], env=environment, cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began
