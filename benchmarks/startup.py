"""What each command costs before it has much to do: helps, and questions to a small lake.

Run by ``make bench``. CPU seconds of the whole process, best of several, beside an interpreter
that does nothing. The lake is of ten days of a few simulated lines; one more is not there at all.
Exit code 1 when a help, or one question that needs no Arrow, takes more than it may.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from days import COMMAND, write_log

LIMIT_SECONDS = 0.35
FIRST = datetime(2016, 11, 1, tzinfo=UTC)
FIGURE = "figure --day 2016-11-08 --country all"
LIMITED = [
    "--version", "--help", "ingest --help", "compare --help", "geo fetch --help", "dags",
    "status", "daily", "hourly --format json", "expected", "surges", "history",
    "sql SELECT(1)", "geo list", "retention",
]  # fmt: skip
OTHERS = [
    FIGURE, "build", "build --explain", "now --as-of 2016-11-10T12:00", "formats", "verify",
    "report",
]  # fmt: skip
NO_LAKE = ["status", "daily", FIGURE]


SETTINGS = {
    "TIDEGAUGE_TIMEZONE": "UTC",
    "TIDEGAUGE_VISITOR_KEY": "the benchmark's key, of no value",
    "TIDEGAUGE_HITS_KEPT_DAYS": "3",
}


def cpu_seconds(folder: Path, *command: str | Path, code: int = 0) -> float:
    """Run a command in ``folder``, which exits with ``code``; its user and system time."""
    before = os.times()
    done = subprocess.run(
        command, cwd=folder, env=os.environ | SETTINGS, capture_output=True, check=False
    )
    assert done.returncode == code, done
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
        for command in ("ingest web01.log --no-geo", "build"):
            cpu_seconds(full, COMMAND, *command.split())
        bare = min(cpu_seconds(full, sys.executable, "-c", "pass") for _ in range(rounds))
        print(f"{bare:5.2f} s  python -c pass")
        cases = [(full, text, 0) for text in LIMITED + OTHERS]
        for folder, text, code in cases + [(empty, text, 2) for text in NO_LAKE]:
            best = min(
                cpu_seconds(folder, COMMAND, *text.split(), code=code) for _ in range(rounds)
            )
            over += [text] if best > LIMIT_SECONDS and text not in OTHERS else []
            print(f"{best:5.2f} s  tidegauge {text}{', no lake' if folder == empty else ''}")
    print(f"more than {LIMIT_SECONDS} s: {', '.join(over) or 'none'}")
    sys.exit(bool(over))


if __name__ == "__main__":
    main()
