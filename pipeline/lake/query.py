"""How the lake is asked: a model of ``sql/``, rows as values, several questions of one state."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from pipeline.errors import SettingsError
from pipeline.lake.database import open_views
from pipeline.lake.lake import Lake
from pipeline.lake.old_ledger import has_old
from pipeline.lake.place import BucketUrl
from pipeline.lake.sql import read_model
from pipeline.lake.stand_ins import bring, is_stand_in
from pipeline.lake.storage import is_damage, is_of_lake, name_damage, tables_named, write_reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed import DataclassInstance


Row = TypeVar("Row", bound="DataclassInstance")


@dataclass(frozen=True)
class State:
    """The lake at one moment, to be asked while it is open."""

    lake: Lake
    connection: duckdb.DuckDBPyConnection
    """With the lake's views, to read only; for what takes more than a model."""

    def query(self, model: str, **bound: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Columns and rows of ``sql/<model>.sql``."""
        return _fetch(self.lake, self.connection, read_model(model), bound)

    def ask(self, row: type[Row], model: str, **bound: Any) -> list[Row]:
        """The rows of ``query`` as values; the fields of ``row`` are among the model's columns."""
        columns, rows = self.query(model, **bound)
        at = {field.name: columns.index(field.name) for field in fields(row)}
        return [row(**{name: values[place] for name, place in at.items()}) for values in rows]


@contextmanager
def one_state(lake: Lake) -> Iterator[State]:
    """Keep the lake in one state for several questions; for short ones, as builds wait for it.

    Raises:
        LakeError: it is damaged.
    """
    with lake.reading(), tables_named(lake.store.disk), _open_tables(lake) as connection:
        yield State(lake, connection)


@contextmanager
def _open_tables(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """The lake's views, and the ledger of an earlier version, which no view reads."""
    with open_views(lake.views) as connection:
        if has_old(lake.ledger):
            from pipeline.lake.records import read_records  # noqa: PLC0415 loads Arrow
            from pipeline.tables import FILES  # noqa: PLC0415 it, too

            connection.register("files", read_records(lake.ledger, FILES.names))
        yield connection


def query(
    lake: Lake, statement: str, *, confined_to_mb: int | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows of a user's question, which may take long: no build waits for it.

    One that is ``confined_to_mb`` of memory gets nothing but the lake's tables; see ``safe_sql``.

    Raises:
        LakeError: it is damaged.
        SettingsError: DuckDB refuses the statement.
    """
    with _open_tables(lake) as connection:
        if confined_to_mb is not None:
            from pipeline.lake.safe_sql import check_select, confine  # noqa: PLC0415 loads Arrow

            check_select(statement)
            confine(connection, lake, confined_to_mb)
        try:
            return _fetch(lake, connection, statement, {})
        except duckdb.Error as error:
            if is_damage(error) and is_of_lake(lake.root, error):
                raise name_damage(lake.store.disk, error) from error
            raise SettingsError("SQL", statement.strip()[:200], write_reason(error)) from error


def _list_large(lake: Lake, statement: str) -> list[list[Path]]:
    """The files of each table that a statement names, of those that may not be here."""
    model = re.match(r"(?s)--.*?\n-- inputs:([^\n]*)", statement)  # whose columns may be `hits`
    words = re.findall(r"\w+", model[1] if model else statement.lower())
    tables = {"hits", "rejects"}.intersection(words)
    return [sorted((lake.root / name).glob("day=*/*.parquet")) for name in tables]


def _execute(
    lake: Lake, connection: duckdb.DuckDBPyConnection, statement: str, bound: dict[str, Any]
) -> None:
    """Execute a statement when the files are here that it reads.

    Those of the days that it names may do: what is not here is an error to DuckDB, never rows.
    """
    tables = _list_large(lake, statement)
    files = [path for table in tables for path in table]
    if days := sorted(re.findall(r"\d{4}-\d\d-\d\d", f"{statement} {[*map(str, bound.values())]}")):
        span = (f"day={days[0]}", f"day={days[-1]}")
        bring(path for table in tables for path in table[:1])  # which tells the columns
        bring(path for path in files if span[0] <= path.parent.name <= span[1])
        try:
            connection.execute(statement, bound)
        except duckdb.Error as error:
            if not (is_damage(error) and any(map(is_stand_in, files))):
                raise
        else:
            return
    bring(files)
    connection.execute(statement, bound)


def _fetch(
    lake: Lake, connection: duckdb.DuckDBPyConnection, statement: str, bound: dict[str, Any]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    if isinstance(lake.place, BucketUrl):
        _execute(lake, connection, statement, bound)
    else:
        connection.execute(statement, bound)
    columns = [column[0] for column in connection.description or []]
    return columns, connection.fetchall() if columns else []
