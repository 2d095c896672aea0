"""What asking libraries costs of ingest: for places, as is done, and for what is done without.

Run by ``make bench``. The same log is taken into empty lakes in turn, best of some: as it is, with
nobody located, with the robot lists' own functions in place of ``robots.match_lists``, and with
visitors' ids by ``hashlib`` in place of ``formats.sha256``. What is written by hand where a library
would do has to save a tenth of one of the logs. Processor time tells on a busy machine, too. Of a
small log most is what opening costs.
"""

import argparse
import secrets
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from unittest.mock import patch
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from make_log import ADDRESSES, AGENTS, write_log

from pipeline.demo.storm.address_pool import find_database
from pipeline.demo.storm.simulate import simulate
from pipeline.enrich.geo.databases import GeoDatabase, list_databases
from pipeline.enrich.hits import DatabasesInForce, HitMaker
from pipeline.enrich.robots import LISTS, Robots, ask_libraries
from pipeline.enrich.visitors import VisitorKey
from pipeline.ingest.ingest import ingest_files
from pipeline.lake.lake import Lake

ZONE = ZoneInfo("America/Toronto")
SCALE = 0.02
LINES = 500_000
AS_IT_IS, NOWHERE = "as it is", "nobody located"


def ask_lists(agents: Sequence[str], lists: Collection[str] = LISTS) -> npt.NDArray[np.bool_]:
    """Answer as ``match_lists`` does, by the libraries themselves."""
    return np.array([ask_libraries(agent, lists) for agent in agents], dtype=np.bool_)


WAYS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    AS_IT_IS: nullcontext,
    NOWHERE: nullcontext,
    "the robot lists' own": partial(patch, "pipeline.enrich.robots.match_lists", ask_lists),
    "hashlib": partial(patch, "pipeline.enrich.visitors.compiled_for", lambda: None),
}


def time_ingest(
    logs: list[Path], databases: list[GeoDatabase]
) -> tuple[int, npt.NDArray[np.float64]]:
    """Hits of an ingest into an empty lake; its seconds, by the clock and of the processors."""
    with tempfile.TemporaryDirectory() as folder:
        lake, key = Lake(Path(folder)), VisitorKey(secrets.token_bytes(32))
        lake.claim(ZONE.key, key.fingerprint)
        started, used = time.perf_counter(), time.process_time()
        places = DatabasesInForce(databases, None, ZONE)
        done = ingest_files(lake, HitMaker(ZONE, places, Robots(lake.root), key), logs)
        seconds = np.array([time.perf_counter() - started, time.process_time() - used])
    if done.failed:
        raise SystemExit(str(done.failed))
    return sum(record.hits for record in done.added), seconds


def measure(name: str, logs: list[Path], rounds: int) -> None:
    """Print a log's rows."""
    databases = list_databases(find_database().parent)
    best = {way: np.full(2, np.inf) for way in WAYS}
    for _ in range(rounds):
        for way, patched in WAYS.items():
            with patched():
                hits, seconds = time_ingest(logs, databases if way != NOWHERE else [])
            best[way] = np.minimum(best[way], seconds)
    for way, (clock, used) in best.items():
        more = used / best[AS_IT_IS][1] - 1
        print(f"| {name} | {hits:,} | {way} | {clock:.2f} | {used:.2f} | {more:+.0%} |", flush=True)


def main() -> None:
    """Read the options and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path, nargs="*", help="besides the two simulated ones")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| log | hits | ingest | by the clock, s | processors, s | |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        measure("storm", simulate(Path(folder) / "storm", SCALE), options.rounds)
        many = Path(folder) / "many.log.gz"
        write_log(many, LINES)
        measure(f"{ADDRESSES:,} clients, {AGENTS:,} agents", [many], options.rounds)
    for log in options.logs:
        measure(log.name, [log], options.rounds)


if __name__ == "__main__":
    main()
