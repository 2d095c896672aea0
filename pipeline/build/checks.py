"""The checks of ``sql/checks`` on some days: figures that contradict each other stop a run."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
from duckdb import ColumnExpression, ConstantExpression

from pipeline.build.batch import BuildSettings
from pipeline.build.build import shown_days
from pipeline.build.files_of_days import DayFiles
from pipeline.build.stale import DERIVED, Stock, parts_of, take_stock
from pipeline.build.summary import is_current
from pipeline.days import ONE_DAY
from pipeline.errors import DataError
from pipeline.lake.database import connect
from pipeline.lake.day_files import add_grown, read_part, read_partitions
from pipeline.lake.lake import Lake
from pipeline.lake.sql import read_model
from pipeline.lake.storage import tables_named
from pipeline.tables import PARTITIONED
from pipeline.text import write_number_of

_DAYS_AT_ONCE = 8
_SHOWN_OFFENCES = 3
_NAMED = "* RENAME (hits AS all_hits)"
"""As the lake's view of ``days`` has its columns."""


def check_days(lake: Lake, days: Iterable[date], settings: BuildSettings) -> list[date]:
    """Check days that are up to date, and the tables over all days; returns the days checked.

    What another run has made stale meanwhile is left to that run; sealed days stand.

    Raises:
        DataError: the first rows that offend, and the rule they break.
    """
    with lake.lock("build"):  # what is read here was built from one and the same state
        stock = take_stock(lake, settings)
        sealed = {date.fromisoformat(day) for day in lake.sealed()}
        wanted = sorted((set(days) & stock.files.keys()) - stock.causes.keys() - sealed)
        are_current = is_current(lake, shown_days(lake, stock.built), settings.sources)
        if not wanted:
            return []
        with _connect(lake, settings) as connection:
            for start in range(0, len(wanted), _DAYS_AT_ONCE):
                some = wanted[start : start + _DAYS_AT_ONCE]
                _show_days(connection, lake, parts_of(lake, settings, some)[0], some)
                models = ("hits", *DERIVED, *(["days"] if are_current else []))
                _run(connection, models, some)
            if are_current:
                _show_tables(connection, lake, stock)
                _run(connection, ("expected", "surges"), [])
    return wanted


@contextmanager
def _connect(lake: Lake, settings: BuildSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    with (
        tables_named(lake.store.disk),
        lake.staging() as staging,
        connect(memory_mb=settings.memory_mb, spill=staging / "spill") as connection,
    ):
        yield connection


def _show_days(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    files: dict[date, DayFiles],
    some: list[date],
) -> None:
    """Make views of the days and their neighbours: a session may come from the one or the other."""
    near = sorted({day + n * ONE_DAY for day in some for n in (-1, 0, 1)} & files.keys())
    hits = [lake.hits_path(str(day), key) for day in near for key in files[day].stems]
    _show(connection, "hits", hits)
    # A sealed day beside them may be cut by another timeout than theirs: no contradiction.
    unsealed = sorted({str(day) for day in near} - lake.sealed())
    for model in DERIVED:
        _show(connection, model, [path for day in unsealed for path in lake.parts(model, day)])
    if lake.part_path("days").exists():
        read_part(connection, lake.part_path("days")).filter(
            ColumnExpression("day").isin(*map(ConstantExpression, near))
        ).project(_NAMED).create_view("days")


def _show_tables(connection: duckdb.DuckDBPyConnection, lake: Lake, stock: Stock) -> None:
    _show(connection, "daily", [lake.part_path("daily", day) for day in sorted(stock.built)])
    for table in ("expected", "surges", "days"):
        _show(connection, table, [lake.part_path(table)])


def _show(connection: duckdb.DuckDBPyConnection, name: str, paths: list[Path]) -> None:
    """Make a view of those of the files that are there; of no rows when none is."""
    files = [path for path in paths if path.exists()]
    if files and name not in PARTITIONED:
        rows = add_grown(read_part(connection, *files), name)
    else:
        rows = read_partitions(connection, name, files)
    if name == "days":
        rows = rows.project(_NAMED)
    rows.create_view(name)


def _run(connection: duckdb.DuckDBPyConnection, models: Iterable[str], days: list[date]) -> None:
    for model in models:
        found = connection.execute(read_model(f"checks/{model}")).fetchall()
        offences = [row for row in found if not days or row[1] in days]
        if offences:
            listed = "; ".join(", ".join(map(str, row)) for row in offences[:_SHOWN_OFFENCES])
            raise DataError(
                f"{model} contradict themselves or their inputs,"
                f" {write_number_of(len(offences), 'row')}: {listed}"
            )
