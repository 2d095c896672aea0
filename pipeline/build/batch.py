"""Some days built in one process: their hits become sessions, daily, hourly and minutes.

What is built is a function of the days' hits, of their neighbours' and of settings; where the hits
lie, and whether they are all or those of some visitors, is the caller's.
"""

import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from pipeline.build.cut_sessions import cut_sessions
from pipeline.build.files_of_days import DayFiles
from pipeline.build.session_texts import read_sessions
from pipeline.build.sorted_runs import PART_ROWS, PIECE_BYTES
from pipeline.build.stale import DERIVED, SessionRules
from pipeline.days import ONE_DAY, day_start
from pipeline.definitions import ASSET_PATH, HITS_PER_MB, MEMORY_LIMIT_MB, ROBOTLIKE
from pipeline.enrich.visitors import VisitorKey
from pipeline.lake.coded_files import write_sessions
from pipeline.lake.database import connect
from pipeline.lake.day_files import HitFiles, connect_beside, show_hits
from pipeline.lake.lake import Lake
from pipeline.lake.sql import read_model
from pipeline.lake.table_files import split_days, write_partitions

log = logging.getLogger(__name__)

_EVER = datetime(1900, 1, 1, tzinfo=UTC)
_NEVER = datetime(2200, 1, 1, tzinfo=UTC)
_AT_ONCE = 2
"""So many threads write sessions."""
_HITS_A_THREAD = 500_000
"""Days of so many together, or one of more: what a thread writes at once."""
_RUN_ROWS, _RUN_BYTES = 20_000, 2 * 1024 * 1024
"""Of a bucket's sessions in a row group: ``merged`` holds one of each bucket's."""


@dataclass(frozen=True, kw_only=True)
class BuildSettings(SessionRules):
    """The settings that derived partitions depend on, and the memory to build them in."""

    zone: ZoneInfo
    key: VisitorKey
    memory_mb: int
    hits_at_once: int = HITS_PER_MB * MEMORY_LIMIT_MB
    """So many hits of its own a process builds days from; a day of more is divided by visitors."""
    sources: tuple[str, ...] = ()
    """The sources expected every day; learnt when empty."""
    part_rows: int = PART_ROWS
    """Of a day's sessions in one file."""


def list_hits(lake: Lake, batch: Iterable[date], days: dict[date, DayFiles]) -> list[Path]:
    """The partitions of hits of some days and their neighbours."""
    return [lake.hits_path(str(day), stem) for day in near(batch, days) for stem in days[day].stems]


def near(batch: Iterable[date], days: dict[date, DayFiles]) -> list[date]:
    """Some days and their neighbours, as far as there are hits of them."""
    return sorted({day + n * ONE_DAY for day in batch for n in (-1, 0, 1)} & days.keys())


def batches(
    stale: list[date], days: dict[date, DayFiles], hits_at_once: int, parts: int = 1
) -> Iterator[list[date]]:
    """Runs of days that fit into memory together: many small ones, or one large one.

    They are about so many ``parts`` at least, where there are as many days.
    """
    most = min(hits_at_once, sum(days[day].rows for day in stale) // parts)
    batch: list[date] = []
    rows = 0
    for day in stale:
        if batch and rows + days[day].rows > most:
            yield batch
            batch, rows = [], 0
        batch.append(day)
        rows += days[day].rows
    if batch:
        yield batch


def build_batch(  # noqa: PLR0913 what is built, of what, where to
    files: Sequence[Path],
    folder: Path,
    batch: list[date],
    days: dict[date, DayFiles],
    settings: BuildSettings,
    *,
    is_bucket: bool = False,
) -> bool:
    """Write the partitions of some days into ``folder``; whether they fit into memory.

    Args:
        files: their hits and their neighbours'.
        folder: gets ``<model>/day=D/``, nothing of days that do not fit.
        batch: the days.
        days: these, and their neighbours.
        settings: what is built depends on.
        is_bucket: sessions are some of the day's: in one file, in small row groups for ``merged``.
    """
    try:
        _build(files, folder, batch, days, settings, is_bucket=is_bucket)
    except duckdb.OutOfMemoryException as error:
        for model in DERIVED:
            for day in batch:
                shutil.rmtree(folder / model / f"day={day}", ignore_errors=True)
        if len(batch) == 1:
            log.warning("%s is not built: %s", batch[0], str(error).splitlines()[0])
        return False
    return True


def _build(  # noqa: PLR0913 as above
    files: Sequence[Path],
    folder: Path,
    batch: list[date],
    days: dict[date, DayFiles],
    settings: BuildSettings,
    *,
    is_bucket: bool,
) -> None:
    hits = HitFiles(files)
    connection = open_batch(hits, batch, days, settings, folder / "spill")
    part_rows = None if is_bucket else settings.part_rows
    cut_at = (_RUN_ROWS, _RUN_BYTES) if is_bucket else (settings.part_rows, PIECE_BYTES)

    def write(some: list[date]) -> None:
        runs = folder / "runs" / str(some[0])
        pieces = read_sessions(connection.cursor(), some, hits, runs, *cut_at)
        write_sessions(pieces, folder / "sessions", part_rows)
        shutil.rmtree(runs, ignore_errors=True)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        counting = pool.submit(_count_hits, connect_beside(connection, hits), folder)
        find_sessions(connection, settings)
        counting.result()
        make_sessions(connection, settings.key.session_key, DERIVED["sessions"])
        writing = [pool.submit(write, some) for some in batches(batch, days, _HITS_A_THREAD)]
        for model in ("daily", "hourly"):
            _write_model(connection, model, folder)
        for done in ("visitors_of_hours", "visitors_of_days"):  # nobody asks for them any more
            connection.unregister(done)
        for its in writing:
            its.result()
    connection.close()


def _count_hits(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Count what needs no sessions."""
    count_hours(connection)
    _write_model(connection, "minutes", folder)


def _write_model(connection: duckdb.DuckDBPyConnection, model: str, folder: Path) -> None:
    rows = connection.execute(f"FROM ({read_model(model)}) ORDER BY {DERIVED[model]}")
    write_partitions(split_days(rows.to_arrow_table()), folder / model)


def open_batch(
    files: HitFiles,
    batch: list[date],
    days: dict[date, DayFiles],
    settings: BuildSettings,
    spill: Path,
) -> duckdb.DuckDBPyConnection:
    """A database with the hits of some days and their neighbours, and what is to know of these.

    ``files``: the hits; see ``list_hits``.
    """
    # A quarter is for the sessions' texts beside it.
    rows = sum(days[day].rows for day in near(batch, days))
    connection = connect(rows=rows, memory_mb=settings.memory_mb * 3 // 4, spill=spill)
    # Joins are as the models write them, the small side second: how many rows of hits there are,
    # DuckDB takes from the first file.
    connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    connection.execute("SET enable_external_file_cache = false")
    show_hits(connection, files)
    known = _day_table(batch, days, settings)
    connection.from_arrow(known).create("days")
    return connection


def count_hours(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table ``hours``: what ``daily`` and ``hourly`` have of all hits."""
    connection.execute(f"CREATE TABLE hours AS {read_model('build/hours')}")


def find_sessions(connection: duckdb.DuckDBPyConnection, settings: BuildSettings) -> None:
    """Make what the models read of the visits: see ``cut_sessions``; ``robotlike``.

    And ``left_out``, who do not count.
    """
    at_once = HITS_PER_MB * settings.memory_mb
    cut_sessions(connection, settings.timeout_minutes, at_once)
    bound = {**ROBOTLIKE, "asset_path": ASSET_PATH}
    connection.execute(f"CREATE TABLE robotlike AS {read_model('robotlike')}", bound)
    connection.table("robotlike").filter(str(settings.drop_robotlike)).create_view("left_out")


def make_sessions(connection: duckdb.DuckDBPyConnection, session_key: bytes, order: str) -> None:
    """Make the table ``sessions``, in an order, with ids by a key."""
    rows = f"FROM ({read_model('sessions')}) ORDER BY {order}"
    connection.execute(f"CREATE TABLE sessions AS {rows}", {"session_key": session_key})
    connection.unregister("cut_sessions")
    pa.default_memory_pool().release_unused()  # what they were in


def _day_table(batch: list[date], days: dict[date, DayFiles], settings: BuildSettings) -> pa.Table:
    """What the models must know of each day at hand; see the header of ``sql/sessions.sql``."""
    timeout = timedelta(minutes=settings.timeout_minutes)
    built = set(batch)

    def keep_from(day: date) -> datetime:
        if day in built:
            return _EVER
        following = day + ONE_DAY
        return day_start(following, settings.zone) - timeout if following in built else _NEVER

    rows = [
        {
            "day": day,
            "is_built": day in built,
            "starts_at": day_start(day, settings.zone),
            "ends_at": day_start(day + ONE_DAY, settings.zone),
            "keep_from": keep_from(day),
            "geo_is_late": days[day].geo_is_late,
        }
        for day in near(batch, days)
    ]
    instant = pa.timestamp("us", "UTC")
    return pa.Table.from_pylist(
        rows,
        pa.schema(
            [("day", pa.date32()), ("is_built", pa.bool_()), ("starts_at", instant),
             ("ends_at", instant), ("keep_from", instant), ("geo_is_late", pa.bool_())]
        ),
    )  # fmt: skip
