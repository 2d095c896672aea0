"""Tidegauge, GoAccess and gzip on the same log, in turn, best of five; then memory by length.

Run by ``make bench``; needs goaccess (Debian's package) for its row, and git's history for that of
an earlier commit. The log is simulated.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from make_log import write_log

_FOUND = find_spec("_geoip_geolite2")
if _FOUND is None or not _FOUND.submodule_search_locations:
    raise SystemExit("needs the demo's database: make install")
GEO = Path(_FOUND.submodule_search_locations[0])
TIDEGAUGE = str(Path(sys.executable).with_name("tidegauge"))
DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Run:
    """Seconds, and the peak resident memory, of a process with its children."""

    seconds: float
    peak_mb: float
    cpu_seconds: float


def measure(commands: list[list[str]], env: dict[str, str]) -> Run:
    """Run commands one after the other; the sum of their times, the largest of their peaks."""
    seconds, peak, cpu = 0.0, 0, 0.0
    for command in commands:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds += time.perf_counter() - started
        peak = max(peak, usage.ru_maxrss)
        cpu += usage.ru_utime + usage.ru_stime
        if status:
            raise SystemExit(f"{command} failed with status {status}")
    return Run(seconds, peak / 1024, cpu)


def tidegauge(log: Path, folder: Path) -> list[list[str]]:
    """Ingest and build into a new lake: parse, locate, robots, sessions, daily, hourly, surges."""
    places = ["--lake", str(folder / "lake"), "--geo", str(GEO)]
    return [[TIDEGAUGE, "ingest", str(log), *places], [TIDEGAUGE, "build", *places]]


def of_commit(commit: str, tree: Path) -> Callable[[Path, Path], list[list[str]]]:
    """Tidegauge as it was at a commit, checked out to ``tree``, with the libraries of now."""
    done = subprocess.run(["git", "archive", commit], check=True, stdout=subprocess.PIPE)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(tree, filter="data")
    program = ["env", f"PYTHONPATH={tree}", sys.executable, "-m", "pipeline.cli.main"]

    def commands(log: Path, folder: Path) -> list[list[str]]:
        return [[*program, *command[1:]] for command in tidegauge(log, folder)]

    return commands


def goaccess(log: Path, folder: Path) -> list[list[str]]:
    """GoAccess on the uncompressed log, with the same database."""
    return [
        [
            "goaccess", str(log.with_suffix("")), "--log-format=COMBINED", "--no-global-config",
            "--no-progress", f"--geoip-database={GEO / 'GeoLite2-City.mmdb'}",
            "-o", str(folder / "ga.json"),
        ]
    ]  # fmt: skip


def gzip(log: Path, _folder: Path) -> list[list[str]]:
    """Only decompress."""
    return [["gzip", "-dc", str(log)]]


def run_once(program: Callable[[Path, Path], list[list[str]]], log: Path) -> Run:
    """Run a program in an empty folder, which is removed."""
    folder = Path(tempfile.mkdtemp(dir=DATA))
    env = os.environ | {
        "TIDEGAUGE_TIMEZONE": "America/Toronto",
        "TIDEGAUGE_VISITOR_KEY": "benchmark key, not a secret",
    }
    try:
        return measure(program(log, folder), env)
    finally:
        shutil.rmtree(folder)


def make_log(lines: int) -> Path:
    """The simulated log of that many lines, made once, as gz and plain."""
    DATA.mkdir(exist_ok=True)
    log = DATA / f"web-{lines}.log.gz"
    if not log.exists():
        write_log(log, lines)
    return log


def compare(lines: int, rounds: int, goaccess_rounds: int, before: str | None) -> None:
    """Print the table of programs."""
    log = make_log(lines)
    with log.with_suffix("").open("wb") as plain:
        subprocess.run(["gzip", "-dc", str(log)], stdout=plain, check=True)
    size, packed = log.with_suffix("").stat().st_size, log.stat().st_size
    print(f"{lines:,} lines, {size / 1e6:,.0f} MB, as gz {packed / 1e6:,.0f} MB"
          f" ({size / packed:.1f}:1), {os.cpu_count()} cores")  # fmt: skip
    programs = {"tidegauge": tidegauge, "gzip -dc": gzip}
    tree = tempfile.TemporaryDirectory()
    if before:
        programs[f"tidegauge of {before}"] = of_commit(before, Path(tree.name))
    if goaccess_rounds and shutil.which("goaccess"):
        programs["goaccess"] = goaccess
    runs: dict[str, list[Run]] = {name: [] for name in programs}
    for number in range(rounds):
        for name, program in programs.items():
            if name != "goaccess" or number < goaccess_rounds:
                runs[name].append(run_once(program, log))
                print(f"  round {number + 1}: {name} {runs[name][-1].seconds:.2f} s", flush=True)
    log.with_suffix("").unlink()
    tree.cleanup()
    best = {name: min(done, key=lambda run: run.seconds) for name, done in runs.items()}
    ours = best["tidegauge"].seconds
    print("\n| program | best, s | lines/s | peak MB | tidegauge is |\n|---|---|---|---|---|")
    for name, run in best.items():
        ratio = f"{run.seconds / ours:.1f}x faster" if ours < run.seconds else (
            f"{ours / run.seconds:.2f}x its time")  # fmt: skip
        print(f"| {name} | {run.seconds:.2f} | {lines / run.seconds:,.0f} | {run.peak_mb:,.0f}"
              f" | {'' if name == 'tidegauge' else ratio} |")  # fmt: skip


def show_memory(lines: int) -> None:
    """Print peak memory of an ingest for files of 1, 4 and 16 times ``lines``."""
    print("\n| lines | ingest, s | peak MB |\n|---|---|---|")
    for factor in (1, 4, 16):
        log = make_log(lines * factor)
        run = run_once(lambda path, folder: tidegauge(path, folder)[:1], log)
        print(f"| {lines * factor:,} | {run.seconds:.1f} | {run.peak_mb:,.0f} |", flush=True)


def main() -> None:
    """Read the options and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--goaccess-rounds", type=int, default=5, help="it takes minutes a round")
    parser.add_argument("--before", metavar="COMMIT", help="compare with tidegauge as of then")
    options = parser.parse_args()
    compare(options.lines, options.rounds, options.goaccess_rounds, options.before)
    show_memory(options.lines // 4)


if __name__ == "__main__":
    main()
