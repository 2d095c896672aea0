"""One file of 105,000 lines that spans 4,661 days: seconds to ingest and to build it.

    .venv/bin/python benchmarks/spans.py [--lines N] [--days N]

The lines are simulated and jump about: neighbours in the file lie days apart. The commands run as
a user would run them, in a folder that is removed afterwards. Exit code 1 beyond 60 s, or when a
day lacks its one file of each table.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

COMMAND = Path(sys.executable).with_name("tidegauge")
FIRST = datetime(2004, 1, 1, tzinfo=UTC)
LIMIT_SECONDS = 60.0
TABLES = ("hits", "sessions", "daily", "hourly", "minutes")


def write_log(path: Path, lines: int, days: int) -> None:
    """Write the simulated log: 997 is prime to 4,661, so every day is met."""
    with path.open("w") as file:
        for number in range(lines):
            at = FIRST + timedelta(days=number * 997 % days, seconds=number * 61 % 86_400)
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


def main() -> int:
    """Time both commands and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=105_000)
    parser.add_argument("--days", type=int, default=4_661)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_log(folder / "web01.log", given.lines, given.days)
        ingest = run(folder, "ingest", str(folder / "web01.log"), "--no-geo")
        build = run(folder, "build")
        whole = count_whole_days(folder / "lake")
    print(f"{given.lines:,} lines over {given.days:,} days: ingest {ingest:.1f} s,", end=" ")
    print(f"build {build:.1f} s, together {ingest + build:.1f} s (limit {LIMIT_SECONDS:.0f} s)")
    print("days with one file: " + ", ".join(f"{name} {count:,}" for name, count in whole.items()))
    is_whole = set(whole.values()) == {given.days}
    return 0 if is_whole and ingest + build < LIMIT_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
