"""What each command costs before it has much to do: helps, and questions to a small lake.

Run by ``make bench``. CPU seconds of the whole process, best of several, beside an interpreter
that does nothing. The lake is of ten days of a few simulated lines; one more is not there at all.
Exit code 1 when a help or a reading command takes more than it may.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from days import COMMAND, run, write_log

LIMIT_SECONDS = 0.35
FIRST = datetime(2016, 11, 1, tzinfo=UTC)
HELPS = ["--version", "--help", "ingest --help", "compare --help", "geo fetch --help"]
QUESTIONS = [
    "status", "build --explain", "daily", "hourly --format json", "expected", "surges", "history",
    "figure --day 2016-11-08 --country all", "sql --safe SELECT(1)", "now --as-of 2016-11-10T12:00",
    "geo list", "formats", "retention", "dags", "report",
]  # fmt: skip
NO_LAKE = ["status", "daily", "figure --day 2016-11-08 --country all"]


def cpu_seconds(folder: Path, command: list[str | Path]) -> float:
    """Run ``command`` in ``folder``; its user and system time."""
    before = os.times()
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def main() -> None:
    """Print a line a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    over = []
    with tempfile.TemporaryDirectory() as name:
        full, empty = Path(name, "full"), Path(name, "empty")
        full.mkdir()
        empty.mkdir()
        write_log(full / "web01.log", 500, 10, FIRST)
        run(full, "ingest", str(full / "web01.log"), "--no-geo")
        run(full, "build")
        bare = min(cpu_seconds(full, [sys.executable, "-c", "pass"]) for _ in range(rounds))
        print(f"{bare:5.2f} s  python -c pass")
        cases = [(full, text) for text in HELPS + QUESTIONS] + [(empty, text) for text in NO_LAKE]
        for folder, text in cases:
            command = [COMMAND, *text.split()]
            best = min(cpu_seconds(folder, command) for _ in range(rounds))
            over += [text] if best > LIMIT_SECONDS else []
            print(f"{best:5.2f} s  tidegauge {text}{', no lake' if folder == empty else ''}")
    print(f"more than {LIMIT_SECONDS} s: {', '.join(over) or 'none'}")
    sys.exit(bool(over))


if __name__ == "__main__":
    main()
