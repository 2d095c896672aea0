"""Counts sessions anew from hits, by the models of ``sql/``: other timeout, robots or places."""

import math
import secrets
from collections.abc import Callable
from datetime import date

import duckdb
import pyarrow as pa

from pipeline.build.batch import (
    BuildSettings,
    batches,
    count_hours,
    find_sessions,
    list_hits,
    make_sessions,
    open_batch,
)
from pipeline.build.files_of_days import DayFiles
from pipeline.build.stale import SessionRules
from pipeline.compare.basis import Basis, Figures
from pipeline.definitions import HITS_PER_MB
from pipeline.enrich.visitors import VisitorKey
from pipeline.lake.day_files import HitFiles
from pipeline.lake.lake import Lake
from pipeline.lake.sql import read_model

_AT_ONCE = 1_000  # Ctrl-C is heard in between

Change = Callable[[duckdb.DuckDBPyConnection], None]
"""Makes the view ``hits`` of the view ``stored_hits``."""
OnDays = Callable[[int], None]
"""Told how many days more are done."""


def count_days(  # noqa: PLR0913 what is counted, where, and how
    basis: Basis,
    days: list[date],
    *,
    lake: Lake,
    files: dict[date, DayFiles],
    rules: SessionRules,
    change: Change | None = None,
    on_days: OnDays = lambda _: None,
) -> Figures:
    """Count the sessions of ``days`` from the hits of ``files`` in ``lake``."""
    # Session ids are not looked at, so that any key will do.
    key = VisitorKey(secrets.token_bytes(32))
    settings = BuildSettings(
        rules.timeout_minutes,
        rules.drop_robotlike,
        zone=basis.zone,
        key=key,
        memory_mb=basis.memory_mb,
        hits_at_once=HITS_PER_MB * basis.memory_mb,
    )
    figures: Figures = {}
    for batch in batches(days, files, settings.hits_at_once):
        hits = HitFiles(list_hits(lake, batch, files))
        # A day too large for the memory is counted by visitors, as many times as it needs.
        rows = sum(files[day].rows for day in batch)
        parts = max(1, math.ceil(rows / settings.hits_at_once))
        for part in range(parts):
            with open_batch(hits, batch, files, settings, basis.workspace / "spill") as connection:
                if parts > 1:
                    _keep_visitors(connection, part, parts)
                if change:
                    connection.execute("ALTER VIEW hits RENAME TO stored_hits")
                    change(connection)
                count_hours(connection)
                find_sessions(connection, settings)
                make_sessions(connection, key.session_key, "day")
                daily = connection.sql(read_model("daily")).project("day, country, sessions")
                for day, country, sessions in daily.fetchall():
                    figures[day, country] = figures.get((day, country), 0) + sessions
        on_days(len(batch))
    return figures


def _keep_visitors(connection: duckdb.DuckDBPyConnection, part: int, parts: int) -> None:
    """Leave one of so many parts of the visitors in the view ``hits``."""
    connection.execute("ALTER VIEW hits RENAME TO every_hit")
    its = connection.view("every_hit").filter(f"visitor_id % {parts}::UBIGINT = {part}::UBIGINT")
    its.create_view("hits")


def show_hits(connection: duckdb.DuckDBPyConnection, model: str) -> None:
    """Make the view ``hits`` of ``sql/compare/<model>.sql``."""
    connection.sql(read_model(f"compare/{model}")).create_view("hits")


def distinct(connection: duckdb.DuckDBPyConnection, column: str) -> pa.RecordBatchReader:
    """The distinct values of a text column of the stored hits, in batches."""
    hits = connection.view("stored_hits")
    return hits.project(f"{column}::VARCHAR AS {column}").distinct().to_arrow_reader(_AT_ONCE)
