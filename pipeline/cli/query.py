"""The commands that print a table: daily, hourly, expected, surges; and how the lake is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
import typer

from pipeline.cli.options import (
    ConfigOption,
    CountryOption,
    Form,
    FormOption,
    FromOption,
    GeoOption,
    LakeOption,
    RawCellsOption,
    ToOption,
    read_country,
)
from pipeline.cli.output import print_rows
from pipeline.errors import SettingsError
from pipeline.lake.database import open_views
from pipeline.lake.lake import Lake
from pipeline.lake.safe_sql import check_select, confine
from pipeline.lake.sql import read_model
from pipeline.lake.storage import is_damage, is_of_lake, name_damage, tables_named, write_reason
from pipeline.lake.zone import open_lake
from pipeline.settings import Settings, load_settings

_EXAMPLES = "\n\nFor example:\n\ntidegauge {0} --country US --from 2016-11-08 --to 2016-11-16"
_TABLES = {
    "daily": "Sessions, visitors, pages and hits per country and local day.",
    "hourly": "The same measures per hour (UTC) and country.",
    "expected": "Observed and expected sessions per country and day, and which days are surges.",
    "surges": "The episodes: start, peak, end, size against what was expected.",
}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for table, text in _TABLES.items():
        app.command(table, help=text + _EXAMPLES.format(table))(_table_command(table))


def _table_command(table: str) -> Any:
    def command(  # noqa: PLR0913 one parameter an option
        country: CountryOption = None,
        first: FromOption = None,
        last: ToOption = None,
        form: FormOption = Form.table,
        raw_cells: RawCellsOption = False,
        lake: LakeOption = None,
        geo: GeoOption = None,
        config: ConfigOption = None,
    ) -> None:
        settings = load_settings(config, lake=lake, geo=geo)
        bound = {
            "country": read_country(country) if country else None,
            "first_day": _day(first) or date.min,
            "last_day": _day(last) or date.max,
        }
        with one_state(settings) as state:
            columns, rows = state.query(read_model(f"queries/{table}"), bound)
        print_rows(columns, rows, form.value, raw_cells=raw_cells)

    return command


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None


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
