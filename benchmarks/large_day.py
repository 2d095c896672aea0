"""A day larger than memory: so many hits of one day, built within a bound of memory a process.

The log is simulated, of so many servers, taken in and built by the commands as a user would run
them, in a folder that is removed afterwards. Prints seconds, CPU seconds, and the largest peak of
resident memory that any process reached. Exit code 1 when that is over the bound.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import psutil
from isal import igzip
from make_log import FIRST_SECOND, write_log

COMMAND = Path(sys.executable).with_name("tidegauge")
BOUND_MB = 1000
LINES_A_SERVER = 4_000_000
_BLOCK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Run:
    """What a command took."""

    seconds: float
    cpu_seconds: float
    """Of all its processes."""
    own_cpu_seconds: float
    """Of the command's own process, without its workers."""
    peak_mb: float
    """Of the largest process, in 10^6 bytes."""


def measure(folder: Path, memory_mb: int, *arguments: str | Path) -> Run:
    """Run the command in ``folder`` and watch its processes."""
    settings = {
        "TIDEGAUGE_TIMEZONE": "Etc/GMT+4",  # where the log begins at midnight
        "TIDEGAUGE_LAKE": str(folder / "lake"),
        "TIDEGAUGE_VISITOR_KEY": "the benchmark's key, of no value",
        "TIDEGAUGE_MEMORY_LIMIT_MB": str(memory_mb),
    }
    started, peak, own = time.monotonic(), 0, 0.0
    process = subprocess.Popen(
        [COMMAND, *arguments], env=os.environ | settings, stdout=subprocess.DEVNULL
    )
    before = os.times()
    while process.poll() is None:
        peak = max([peak, *map(_peak_bytes, _tree(process.pid))])
        own = _own_cpu_seconds(process.pid) or own
        time.sleep(0.1)
    after = os.times()
    if process.returncode:
        raise SystemExit(f"{arguments} failed with status {process.returncode}")
    cpu = sum(after[n] - before[n] for n in (2, 3))  # of children that have ended
    return Run(time.monotonic() - started, cpu, own, peak / 1e6)


def _tree(pid: int) -> list[int]:
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return []


def _own_cpu_seconds(pid: int) -> float:
    try:
        its = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(its.user + its.system)


def _peak_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def write_others(source: Path, target: Path, server: int, days_later: int = 0) -> None:
    """Write a server's log with the lines of another and other visitors: their agents differ.

    Args:
        source: ``make_log``'s, of one day that ends within the next one of UTC.
        target: where to write.
        server: its number.
        days_later: the day of its lines.
    """
    first = datetime.fromtimestamp(FIRST_SECOND, UTC)
    dates = [
        [f"[{first + timedelta(days=day):%d/%b/%Y}:".encode() for day in (own, own + days_later)]
        for own in (1, 0)
    ]
    with igzip.open(source) as read, igzip.open(target, "wb", compresslevel=1) as written:
        rest = b""
        while block := read.read(_BLOCK_BYTES):
            lines, end, rest = (rest + block).rpartition(b"\n")
            lines = (lines + end).replace(b" Safari/537.36", b" Safari/537.%02d" % server)
            for before, after in dates:
                lines = lines.replace(before, after)
            written.write(lines)


def main() -> int:
    """Read the options, measure both commands, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hits", type=int, default=4_000_000)
    parser.add_argument("--memory-mb", type=int, default=500)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="on a disk of 300 bytes a hit")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        servers = -(-given.hits // LINES_A_SERVER)
        (folder / "raw").mkdir()
        paths = [folder / "raw" / f"web{server:02}-access.log.gz" for server in range(servers)]
        write_log(paths[0], given.hits // servers, days=1)
        with ProcessPoolExecutor() as pool:
            list(pool.map(write_others, paths[:1] * (servers - 1), paths[1:], range(1, servers)))
        workers = ("--workers", str(given.workers))
        ingest = measure(folder, given.memory_mb, "ingest", folder / "raw", "--no-geo", *workers)
        build = measure(folder, given.memory_mb, "build", *workers)
        hits, sessions = duckdb.sql(
            f"SELECT sum(hits + robot_hits), sum(sessions) FROM '{folder}/lake/daily/*/*.parquet'"
        ).fetchall()[0]
        parts = len(list((folder / "lake" / "sessions").glob("*/*")))
    print(f"{hits:,} hits of one day, {sessions:,} sessions in {parts} files,"
          f" memory_limit_mb {given.memory_mb}, {given.workers} workers")  # fmt: skip
    for command, its in (("ingest", ingest), ("build", build)):
        print(f"{command}: {its.seconds:.0f} s, {its.cpu_seconds:.0f} CPU s,"
              f" {its.own_cpu_seconds:.0f} of them in the command's own process,"
              f" largest process {its.peak_mb:.0f} MB")  # fmt: skip
    return 0 if build.peak_mb <= BOUND_MB else 1


if __name__ == "__main__":
    sys.exit(main())
