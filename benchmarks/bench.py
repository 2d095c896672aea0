"""Tidegauge, GoAccess and gzip on the same log, in turn, best of five; then by length and by stage.

Run by ``make bench``; the log is simulated. Rows of others need goaccess (Debian's package), Polars
(``make install-dev``) and chdb, which lies beside: ``.venv/bin/pip install --no-deps
--target .venv/peers chdb==4.4.0 chdb-core==26.9.0``. Those two do a part, see ``peers.py``. The row
of an earlier commit needs git's history.
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

_FOUND = find_spec("_geoip_geolite2")
if _FOUND is None or not _FOUND.submodule_search_locations:
    raise SystemExit("needs the demo's database: make install")
GEO = Path(_FOUND.submodule_search_locations[0])
TIDEGAUGE = str(Path(sys.executable).with_name("tidegauge"))
DATA = Path(__file__).parent / "data"
MAKE_LOG, STAGES, PEER = (
    str(Path(__file__).with_name(f"{name}.py")) for name in ("make_log", "stages", "peers")
)
PEERS = Path(sys.executable).parents[1] / "peers"
"""Where packages lie that nothing else uses."""
ENVIRONMENT = os.environ | {
    "TIDEGAUGE_TIMEZONE": "America/Toronto",
    "TIDEGAUGE_VISITOR_KEY": "benchmark key, not a secret",
}


@dataclass(frozen=True)
class Run:
    """Seconds, and the peak resident memory, of a process with its children."""

    seconds: float
    peak_mb: float


def measure(command: list[str]) -> Run:
    """Run a command, which must succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"{command} failed with status {status}")
    return Run(seconds, usage.ru_maxrss / 1024)


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


def peer(name: str) -> Callable[[Path, Path], list[list[str]]]:
    """An engine that does a part in one question."""
    program = ["env", f"PYTHONPATH={PEERS}", sys.executable, PEER]
    return lambda log, folder: [[*program, name, str(log), str(folder)]]


def list_others() -> dict[str, Callable[[Path, Path], list[list[str]]]]:
    """Those of the rivals that are installed; says which are not."""
    found = {
        "goaccess": goaccess if shutil.which("goaccess") else None,
        "chdb, its part": peer("chdb") if (PEERS / "chdb").is_dir() else None,
        "polars, its part": peer("polars") if find_spec("polars") else None,
    }
    for name in [name for name, program in found.items() if not program]:
        print(f"left out, as it is not installed: {name}")
    return {name: program for name, program in found.items() if program}


def gzip(log: Path, _folder: Path) -> list[list[str]]:
    """Only decompress."""
    return [["gzip", "-dc", str(log)]]


def run_once(program: Callable[[Path, Path], list[list[str]]], log: Path) -> Run:
    """Run a program's commands in an empty folder, which is removed; the sum of their times."""
    each = run_each(program, log)
    return Run(sum(run.seconds for run in each), max(run.peak_mb for run in each))


def run_each(program: Callable[[Path, Path], list[list[str]]], log: Path) -> list[Run]:
    """The same, each command by itself."""
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        return [measure(command) for command in program(log, Path(folder))]


def make_log(lines: int, *, is_each_new: bool = False) -> Path:
    """The simulated log of that many lines, made once."""
    DATA.mkdir(exist_ok=True)
    kind = "queries" if is_each_new else "web"
    log = DATA / f"{kind}-{lines}.log.gz"
    if not log.exists():
        # A process of its own: a child's peak begins with the memory of who starts it.
        subprocess.run([sys.executable, MAKE_LOG, log, str(lines), kind], check=True)
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
    programs |= list_others()
    if not goaccess_rounds:
        programs.pop("goaccess", None)
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


def show_lengths(lines: int) -> None:
    """Print times and peaks of files of 1, 4 and 16 times ``lines``, and of one of new queries."""
    print("\n| lines | gzip -dc, s | ingest, s | build, s | together / gzip | peak MB |")
    print("|---|---|---|---|---|---|")
    logs = {f"{lines * factor:,}": make_log(lines * factor) for factor in (1, 4, 16)}
    logs[f"{lines:,} of as many queries"] = make_log(lines, is_each_new=True)
    for name, log in logs.items():
        unpacked, done = run_once(gzip, log), run_each(tidegauge, log)
        took = [run.seconds for run in done]
        print(f"| {name} | {unpacked.seconds:.1f} | {took[0]:.1f} | {took[1]:.1f}"
              f" | {sum(took) / unpacked.seconds:.1f} | {max(run.peak_mb for run in done):,.0f} |",
              flush=True)  # fmt: skip


def show_stages(lines: int) -> None:
    """Print the processor seconds of each stage, and what the lake's files of hits take."""
    print("\n| stage | CPU s |\n|---|---|", flush=True)
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        for _, command, *given in tidegauge(make_log(lines), Path(folder)):
            subprocess.run([sys.executable, STAGES, command, *given], check=True, env=ENVIRONMENT)
        hits = sum(path.stat().st_size for path in Path(folder).glob("lake/hits/**/*.parquet"))
    print(f"\nParquet of hits: {hits / 1e6:,.0f} MB")


def main() -> None:
    """Read the options and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--goaccess-rounds", type=int, default=5, help="it takes minutes a round")
    parser.add_argument("--before", metavar="COMMIT", help="compare with tidegauge as of then")
    options = parser.parse_args()
    compare(options.lines, options.rounds, options.goaccess_rounds, options.before)
    show_lengths(options.lines // 4)
    show_stages(options.lines)


if __name__ == "__main__":
    main()
