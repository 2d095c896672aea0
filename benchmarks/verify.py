"""How long `tidegauge verify` takes on the simulated storm, and how much memory at its peak.

`python benchmarks/verify.py --scale 1.0` makes the lake of 35 million hits first (or takes one
that is there: --lake), then proves it and prints seconds and the peak of all its processes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipeline.lake.lake import Lake

TIDEGAUGE = str(Path(sys.executable).with_name("tidegauge"))
LIMIT_SECONDS_PER_MILLION = 60 / 35


@dataclass(frozen=True)
class Run:
    """Wall and processor seconds, and the peak of what all processes held together, shared once."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure(command: list[str], env: dict[str, str]) -> Run:
    """Run a command to its end, sampling the memory of its process tree."""
    started, peak_kb = time.perf_counter(), 0
    before = os.times()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak_kb = max(peak_kb, _held_kb(process.pid))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{command} failed with status {process.returncode}")
    after = os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    return Run(time.perf_counter() - started, cpu, peak_kb / 1024)


def _held_kb(pid: int) -> int:
    """Proportional set size of a process and its descendants."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # ended meanwhile
        return 0
    own = next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return own + sum(_held_kb(int(child)) for child in children)


def make_lake(folder: Path, scale: float, env: dict[str, str]) -> Path:
    """Simulate the storm's logs and take them into a lake."""
    spec = find_spec("_geoip_geolite2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("needs the demo's database: make install")
    geo = ["--geo", spec.submodule_search_locations[0]]
    raw, lake = str(folder / "raw"), str(folder / "lake")
    steps = [
        ["simulate", "--out", raw, "--scale", str(scale)],
        ["ingest", raw, "--lake", lake, *geo],
        ["build", "--lake", lake, *geo],
    ]
    for step in steps:
        subprocess.run([TIDEGAUGE, *step], env=env, check=True, stdout=subprocess.DEVNULL)
    return Path(lake)


def count_hits(lake: Path) -> int:
    """The hits in the ledger."""
    return sum(record.hits for record in Lake(lake).files())


def main() -> None:
    """Make or take a lake, prove it so many times, print each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--lake", type=Path, help="of an earlier run, made with --keep")
    parser.add_argument("--keep", type=Path, help="folder to make the lake in and leave it")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    env = {name: v for name, v in os.environ.items() if not name.startswith("TIDEGAUGE_")}
    env |= {
        "TIDEGAUGE_VISITOR_KEY": "of a benchmark, no secret",
        "TIDEGAUGE_TIMEZONE": "America/Toronto",
    }
    with tempfile.TemporaryDirectory(prefix="tidegauge-bench-") as folder:
        lake = options.lake or make_lake(options.keep or Path(folder), options.scale, env)
        hits = count_hits(lake)
        command = [TIDEGAUGE, "verify", "--lake", str(lake), "--processes", str(options.processes)]
        for _ in range(options.runs):
            run = measure(command, env)
            limit = hits / 1e6 * LIMIT_SECONDS_PER_MILLION
            print(
                f"{hits:,} hits: {run.seconds:.1f} s ({run.cpu_seconds:.1f} s of processor), peak"
                f" {run.peak_mb:,.0f} MB; 60 s for 35 million would be {limit:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
