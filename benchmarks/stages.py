"""Where the processor seconds of an ingest and a build go, by stage.

Run by ``benchmarks/bench.py``, a process each: ``stages.py ingest LOG --lake LAKE --geo GEO``, then
``stages.py build --lake LAKE --geo GEO``. A stage is measured in the threads that call it, without
the stages that it calls. What DuckDB's and Arrow's own threads do for it is with all else.
"""

import contextlib
import functools
import io
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import resolve_name
from typing import Any

from pipeline.cli.main import run

STAGES = {
    "ingest": {
        "read, unpacked, SHA-256, cut into lines": ["raw.blocks:read_blocks"],
        "taken apart": ["formats.compiled:take_apart"],
        "texts numbered": ["formats.compiled:Texts.number_parts", "formats.compiled:Texts.number"],
        "rest of reading": ["formats.file_reader:FileReader.read"],
        "lines' hashes": ["ingest.overlaps:hash_lines"],
        "clients and places": ["enrich.hits:HitMaker._choose", "enrich.hits:HitMaker._locate"],
        "robots and assets": ["enrich.hits:HitMaker._classify"],
        "visitors": ["enrich.visitors:Visitors.identify"],
        "rest of making hits": ["enrich.hits:HitMaker.make_hits"],
        "Parquet": ["lake.hit_files:PartitionWriter.add", "lake.hit_files:PartitionWriter.close"],
        "views": ["lake.views:write_views"],
    },
    "build": {
        "hours and minutes": ["build.batch:count_hours", "build.batch:_count_hits"],
        "sessions cut": ["build.cut_sessions:_cut", "build.stretches:read_stretches"],
        "sessions' ids and sums": ["build.batch:make_sessions"],
        "sessions' texts": ["build.session_texts:read_sessions", "build.session_texts:_add_texts"],
        "Parquet": ["lake.table_files:write_partitions", "build.batch:_write_model"],
        "surges, completeness, days": ["build.summary:add_summary"],
        "restatements": ["build.restatements:publish"],
        "views": ["lake.views:write_views"],
    },
}
"""By command: the functions of each stage, below ``pipeline``."""
seconds: dict[str, float] = defaultdict(float)
lock, running = threading.Lock(), threading.local()


@contextlib.contextmanager
def in_stage(stage: str) -> Iterator[None]:
    """Count the calling thread's time for a stage, and not for the one that it is in."""
    outer = getattr(running, "inner", None)
    running.inner, began = [0.0], time.thread_time()
    try:
        yield
    finally:
        took = time.thread_time() - began
        with lock:
            seconds[stage] += took - running.inner[0]
        if outer is not None:
            outer[0] += took
        running.inner = outer


def measured(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, counted; of an iterator each step."""

    @functools.wraps(function)
    def counted(*given: Any, **named: Any) -> Any:
        with in_stage(stage):
            made = function(*given, **named)
        return steps(made) if isinstance(made, Iterator) else made

    def steps(made: Iterator[Any]) -> Any:
        while True:
            with in_stage(stage):
                try:
                    its = next(made)
                except StopIteration as end:
                    return end.value
            yield its

    return counted


def count(command: str) -> None:
    """Put what counts in the place of each stage's functions, wherever they were imported to."""
    for stage, places in STAGES[command].items():
        for place in places:
            module, _, name = place.partition(":")
            holder, _, last = name.rpartition(".")
            owner = resolve_name(f"pipeline.{module}:{holder}" if holder else f"pipeline.{module}")
            function = getattr(owner, last)
            loaded = [its for name, its in sys.modules.items() if name.startswith("pipeline.")]
            for one in [owner, *loaded]:
                if getattr(one, last, None) is function:
                    setattr(one, last, measured(stage, function))


def main() -> None:
    """Run the command, and print its rows."""
    command = sys.argv[1]
    import_module(f"pipeline.cli.{command}")
    count(command)
    loaded = time.process_time()
    sys.argv[0] = "tidegauge"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        run()
    whole, threads = time.process_time(), sum(seconds.values())
    print(f"| {command}: Python, modules | {loaded:.2f} |")
    for stage in STAGES[command]:
        print(f"| {stage} | {seconds[stage]:.2f} |")
    print(f"| all else, and threads of DuckDB's and Arrow's own | {whole - loaded - threads:.2f} |")
    print(f"| together | {whole:.2f} |", flush=True)


if __name__ == "__main__":
    main()
