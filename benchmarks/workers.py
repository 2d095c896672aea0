"""How time and memory grow with the lines and with the workers.

A simulated log of two servers, a million lines a file and day, is taken in and built by some
workers. Of more workers the seconds are simulated: what the command itself did, and the work of its
workers divided evenly among them, as far as there are files and days. Prints a table in Markdown.
"""

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

from large_day import Run, measure, write_others
from make_log import write_log

LINES_A_FILE = 1_000_000
SERVERS = 2
SIMULATED = (4, 8)


def write_logs(folder: Path, lines: int) -> int:
    """Write so many lines, a file for each server and day; returns how many files."""
    folder.mkdir()
    files = max(1, lines // LINES_A_FILE)
    parts = list(product(range(-(-files // SERVERS)), range(SERVERS)))[:files]
    first = folder / "day000-web00-access.log.gz"
    write_log(first, lines // files, days=1)
    targets = [folder / f"day{day:03}-web{server:02}-access.log.gz" for day, server in parts]
    with ProcessPoolExecutor() as pool:
        days, servers = zip(*parts, strict=True)
        list(pool.map(write_others, [first] * (files - 1), targets[1:], servers[1:], days[1:]))
    return files


def simulate(runs: dict[int, Run], workers: int, parts: int) -> float:
    """Seconds with so many workers on as many processors, from the CPU seconds of the most."""
    its = runs[max(runs)]
    share = -(-parts // workers) / parts
    return its.own_cpu_seconds + (its.cpu_seconds - its.own_cpu_seconds) * share


def main() -> None:
    """Read the options, measure, and print a row for each number of lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, nargs="+", default=[1_000_000, 4_000_000, 16_000_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--memory-mb", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="on a disk of 150 bytes a line")
    given = parser.parse_args()
    workers = [*(f"{n}" for n in given.workers), *(f"{n}, simulated" for n in SIMULATED)]
    print("| lines | command | CPU s | largest process |", *(f" {n} |" for n in workers))
    print("|---" * (4 + len(workers)) + "|")
    for lines in given.lines:
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            folder = Path(name)
            files = write_logs(folder / "raw", lines)
            runs: dict[str, dict[int, Run]] = {"ingest": {}, "build": {}}
            for number in given.workers:
                place = folder / f"of-{number}"
                place.mkdir()
                for command, where in (("ingest", (folder / "raw", "--no-geo")), ("build", ())):
                    runs[command][number] = measure(
                        place, given.memory_mb, command, *where, "--workers", str(number)
                    )
        for command, its in runs.items():
            parts = files if command == "ingest" else -(-files // SERVERS)
            seconds = [its[n].seconds for n in given.workers]
            seconds += [simulate(its, n, parts) for n in SIMULATED]
            print(f"| {lines:,} | {command} | {its[max(its)].cpu_seconds:.0f}"
                  f" | {max(one.peak_mb for one in its.values()):.0f} MB |",
                  *(f" {one:.0f} s |" for one in seconds), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
