"""Asks the lake's views the report's own queries."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import duckdb

from pipeline.errors import LakeError
from pipeline.lake.database import open_views
from pipeline.lake.lake import Lake
from pipeline.lake.sql import read_model
from pipeline.lake.storage import tables_named

Row = TypeVar("Row")


class Views:
    """The lake's views, asked by the report's own queries."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Use an open connection to ``tidegauge.duckdb``."""
        self._connection = connection

    def ask(self, row: type[Row], model: str, **bound: Any) -> list[Row]:
        """Rows of ``sql/report/<model>.sql``; its columns are the fields of ``row``."""
        result = self._connection.execute(read_model(f"report/{model}"), bound)
        columns = [column[0] for column in result.description or []]
        return [row(**dict(zip(columns, values, strict=True))) for values in result.fetchall()]


@contextmanager
def open_report_views(lake: Lake) -> Iterator[Views]:
    """Open a lake's views.

    Raises:
        LakeError: it has none, or they lack what is asked for, or a file is damaged.
    """
    if not lake.views.exists():
        raise LakeError(f"lake {lake.root} has no views yet: `tidegauge build` makes them")
    with tables_named(lake.root), open_views(lake.views) as connection:
        yield Views(connection)
