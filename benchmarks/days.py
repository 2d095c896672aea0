"""Many days: one file that spans 4,661 of them, and a build with nothing stale over a year.

Run by ``make bench``. The first file's 105,000 lines jump about: neighbours lie days apart. The
year has some servers with a file a day each. The lines are simulated. The commands run as a user
would run them, in a folder that is removed afterwards. Exit code 1 beyond a limit, or when a day
lacks its one file of each table.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

COMMAND = Path(sys.executable).with_name("tidegauge")
FIRST = datetime(2004, 1, 1, tzinfo=UTC)
LIMIT_SECONDS = 90.0
IDLE_LIMIT_SECONDS = 2.0
TABLES = ("hits", "sessions", "daily", "hourly", "minutes")


def write_log(path: Path, lines: int, days: int, first: datetime = FIRST) -> None:
    """Write a simulated log: 997 is prime to 4,661, so every day is met."""
    with path.open("w") as file:
        for number in range(lines):
            at = first + timedelta(days=number * 997 % days, seconds=number * 1439 % 86_400)
            file.write(
                f"198.51.100.{number % 250} - - [{at:%d/%b/%Y:%H:%M:%S} +0000]"
                f' "GET /page-{number % 500} HTTP/1.1" 200 {number % 9000} "-"'
                f' "Mozilla/5.0 (X11; Linux x86_64; rv:{number % 80}.0) Firefox/{number % 80}.0"\n'
            )


def run(folder: Path, *arguments: str) -> float:
    """Run the command in ``folder``; return its seconds."""
    settings = {
        "TIDEGAUGE_TIMEZONE": "UTC",
        "TIDEGAUGE_LAKE": str(folder / "lake"),
        "TIDEGAUGE_VISITOR_KEY": "the benchmark's key, of no value",
    }
    started = time.monotonic()
    subprocess.run(
        [COMMAND, *arguments], env=os.environ | settings, check=True, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - started


def count_whole_days(lake: Path) -> dict[str, int]:
    """Return, for each table, how many days have exactly one file."""
    return {
        table: list(Counter(path.parent.name for path in lake.glob(f"{table}/*/*")).values()).count(
            1
        )
        for table in TABLES
    }


def span_days(lines: int, days: int) -> bool:
    """Time both commands over the one file and print the result; whether it is within limits."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_log(folder / "web01.log", lines, days)
        ingest = run(folder, "ingest", str(folder / "web01.log"), "--no-geo")
        build = run(folder, "build")
        whole = count_whole_days(folder / "lake")
    print(f"{lines:,} lines over {days:,} days: ingest {ingest:.1f} s,", end=" ")
    print(f"build {build:.1f} s, together {ingest + build:.1f} s (limit {LIMIT_SECONDS:.0f} s)")
    print("days with one file: " + ", ".join(f"{name} {count:,}" for name, count in whole.items()))
    return set(whole.values()) == {days} and ingest + build < LIMIT_SECONDS


def build_idly(days: int, servers: int, rounds: int) -> bool:
    """Time builds with nothing stale and print the best; whether it is within the limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "raw").mkdir()
        for server, day in product(range(servers), range(days)):
            at = FIRST + timedelta(days=day)
            write_log(folder / "raw" / f"web{server:02}-{at:%Y%m%d}.log", 60, 1, at)
        first = run(folder, "ingest", str(folder / "raw"), "--no-geo") + run(folder, "build")
        times = [run(folder, "build") for _ in range(rounds)]
    print(f"{days:,} days of {servers} servers: ingest and build {first:.1f} s,", end=" ")
    best = min(times)
    print(f"nothing stale: build {best:.2f} s (limit {IDLE_LIMIT_SECONDS:.0f} s)")
    return best < IDLE_LIMIT_SECONDS


def main() -> int:
    """Read the options and measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=105_000)
    parser.add_argument("--days", type=int, default=4_661)
    parser.add_argument("--idle-days", type=int, default=365)
    parser.add_argument("--servers", type=int, default=5, help="of the year: a file a day each")
    given = parser.parse_args()
    is_good = [
        span_days(given.lines, given.days),
        build_idly(given.idle_days, given.servers, rounds=5),
    ]
    return 0 if all(is_good) else 1


if __name__ == "__main__":
    sys.exit(main())
