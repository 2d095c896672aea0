"""How the lake is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from pipeline.errors import SettingsError
from pipeline.lake.database import open_views
from pipeline.lake.lake import Lake
from pipeline.lake.safe_sql import check_select, confine
from pipeline.lake.storage import is_damage, is_of_lake, name_damage, tables_named, write_reason
from pipeline.lake.zone import open_lake
from pipeline.settings import Settings


@dataclass(frozen=True)
class State:
    """The lake at one moment, to be asked while it is open."""

    lake: Lake
    _connection: duckdb.DuckDBPyConnection

    def query(
        self, statement: str, bound: dict[str, Any] | None = None
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Ask the lake's views; returns column names and rows."""
        self._connection.execute(statement, bound or {})
        columns = [column[0] for column in self._connection.description or []]
        return columns, self._connection.fetchall() if columns else []

    def ask(self, statement: str, **bound: Any) -> list[dict[str, Any]]:
        """The rows of ``query``, by column."""
        columns, rows = self.query(statement, bound)
        return [dict(zip(columns, row, strict=True)) for row in rows]


@contextmanager
def one_state(settings: Settings) -> Iterator[State]:
    """Keep the lake in one state for several questions; for short ones, as builds wait for it.

    Raises:
        LakeError: there is no lake, or a damaged one.
    """
    lake = open_lake(settings)
    with lake.reading(), tables_named(lake.root), open_views(lake.views) as connection:
        yield State(lake, connection)


def query(
    settings: Settings,
    statement: str,
    bound: dict[str, Any] | None = None,
    *,
    is_trusted: bool = True,
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Ask one question of a user's that may take long: no build waits for it. See ``State.query``.

    One that is not trusted gets nothing but the lake's tables; see ``safe_sql``.

    Raises:
        LakeError: there is no lake, or a damaged one.
        SettingsError: DuckDB refuses the statement.
    """
    lake = open_lake(settings)
    with open_views(lake.views) as connection:
        if not is_trusted:
            check_select(statement)
            confine(connection, lake, settings.memory_limit_mb)
        try:
            return State(lake, connection).query(statement, bound)
        except duckdb.Error as error:
            if is_damage(error) and is_of_lake(lake.root, error):
                raise name_damage(lake.root, error) from error
            raise SettingsError("SQL", statement.strip()[:200], write_reason(error)) from error
