"""The simulated raw logs: one gz a server and local day, each drawn on its own from the seed."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from pipeline.demo.storm.address_pool import find_database
from pipeline.demo.storm.cells import ALL, check_scale, scaled_days
from pipeline.demo.storm.crawlers import draw_crawls
from pipeline.demo.storm.log_lines import Ints, LogLines, join_lines
from pipeline.demo.storm.november import DAYS, EPOCH, SERVERS, arrival, day_start, rotation
from pipeline.demo.storm.render import write_lines
from pipeline.demo.storm.visits import VisitPart, draw_visits
from pipeline.demo.storm.world import World, make_world

DEFAULT_SEED = 20161108
ALONE_BELOW = 0.01  # a process of its own costs more than files of this scale


def simulate(
    out: Path,
    scale: float = 1.0,
    seed: int = DEFAULT_SEED,
    on_sessions: Callable[[int, int], None] = lambda _done, _all: None,
    *,
    workers: int | None = None,
) -> list[Path]:
    """Write ``OUT/web01-20161101.log.gz`` and 99 more, simulated, calibrated to published totals.

    Each file's time of change is when it would have arrived (``november.arrival``).
    ``on_sessions`` gets sessions done and sessions in all after each file. The lines depend on
    scale and seed, not on ``workers`` (by default one a core, at most 8).
    Raises SettingsError for a wrong scale, GeoError without the database of November 2016.
    """
    check_scale(scale)
    find_database()
    out.mkdir(parents=True, exist_ok=True)
    cells = scaled_days(scale)
    sizes = [cells[day, ALL] for day in DAYS]
    largest_first = sorted(range(len(DAYS)), key=lambda day: (-sizes[day], day))
    tasks = [(server, day) for day in largest_first for server in range(len(SERVERS))]
    paths, done = [], 0
    for path, day in _run(out, scale, seed, tasks, workers or _count_workers(scale)):
        paths.append(path)
        done += sizes[day]
        on_sessions(done // len(SERVERS), sum(sizes))
    return sorted(paths)


def write_file(out: Path, scale: float, seed: int, server: int, day: int) -> Path:
    """Write the log of one server and day; needs no other file."""
    world = make_world(scale, seed)
    path = out / f"{SERVERS[server]}-{DAYS[day]:%Y%m%d}.log.gz"
    rng = np.random.default_rng([seed, 7, server, day])
    lines = _draw_lines(world, server, day)
    order = _choose_lines(lines, seed, server, day)
    write_lines(path, world, lines, order, rng, EPOCH + arrival(seed, server, day))
    return path


def _draw_lines(world: World, server: int, day: int) -> LogLines:
    """Draw a day's lines, and those of its neighbours' hours that may be in the same file."""
    sources = [(day, VisitPart.DAWN), (day, VisitPart.DAYTIME), (day, VisitPart.LATE)]
    if day > 0:
        sources.insert(0, (day - 1, VisitPart.LATE))
    if day + 1 < len(DAYS):
        sources.append((day + 1, VisitPart.DAWN))
    visits = [draw_visits(world, server, *source) for source in sources]
    return join_lines([*visits, draw_crawls(world, server, day)])


def _choose_lines(lines: LogLines, seed: int, server: int, day: int) -> Ints:
    """Positions of the lines written between two rotations, in the order they were written in.

    The logs end with the last day: what came later in its sessions is in no file.
    """
    begin, end = rotation(seed, server, day), rotation(seed, server, day + 1)
    written = lines.written_at
    inside = (written >= begin) & (written < end) & (lines.at < day_start(len(DAYS)))
    chosen = np.flatnonzero(inside)
    # Sorting values that are all different is several times faster than a stable argsort.
    ordered = np.sort((written[chosen] - begin) * len(lines) + chosen)
    return ordered % len(lines)


def _count_workers(scale: float) -> int:
    return 1 if scale < ALONE_BELOW else min(os.cpu_count() or 1, 8)


def _run(
    out: Path, scale: float, seed: int, tasks: list[tuple[int, int]], workers: int
) -> Iterator[tuple[Path, int]]:
    if workers == 1:
        for server, day in tasks:
            yield write_file(out, scale, seed, server, day), day
        return
    # Fresh processes: a fork would copy the threads of DuckDB and Arrow in an unknown state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = {pool.submit(write_file, out, scale, seed, *task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield future.result(), futures[future][1]
        finally:  # after a failure, do not draw what is left
            pool.shutdown(cancel_futures=True)
