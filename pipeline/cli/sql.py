"""The command ``sql``."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from pipeline.cli.options import RowOptions, SiteOptions
from pipeline.errors import SettingsError

_QUERIES = (Path(), Path("queries"), Path("sql/queries"))
"""Where a ready query may be looked for without being there."""


def sql(
    statement: Annotated[str | None, typer.Argument(help="A SELECT over the lake's views.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "-f",
            "--file",
            help="Read the statement from a file, or take a ready one: busiest_hours.sql,"
            " country_share.sql, daily_entry_pages.sql, daily_referrers.sql,"
            " daily_subdivisions.sql, surge_entry_pages.sql, us_per_day.sql.",
        ),
    ] = None,
    safe: Annotated[
        bool,
        typer.Option("--safe", help="Only SELECT from the lake's tables; for others' statements."),
    ] = False,
    *,
    output: RowOptions,
    site: SiteOptions,
) -> None:
    """Ask the lake in SQL (DuckDB): figures, hits, sessions, daily, hourly, days, surges, files ...

    Its tables, views and their columns: tidegauge sql "FROM duckdb_columns() WHERE NOT internal".
    A table shows times by the site's clocks; the statement, CSV and JSON have them in UTC.

    A statement may do all that DuckDB can and you may: read and write any file (COPY, read_text),
    open other databases, load extensions, use the network. Who passes on statements of others
    writes --safe: it takes only a SELECT, and reads nothing but the lake's tables.

    For example:

    tidegauge sql "SELECT day, sessions FROM daily WHERE country = 'US' ORDER BY day"

    tidegauge sql -f country_share.sql
    """  # fmt: skip
    from pipeline.lake.query import query
    from pipeline.lake.zone import open_lake

    if (statement is None) == (file is None):
        raise SettingsError("sql", statement, "give one statement, or one file with -f")
    if statement is not None and not statement.strip():
        raise SettingsError("sql", statement, "an empty statement; write a SELECT")
    text = _find(file).read_text("utf-8") if file else statement or ""
    settings = site.settings()
    confined_to_mb = settings.memory_limit_mb if safe else None
    the_lake = open_lake(settings.lake)
    found = query(the_lake, text, confined_to_mb=confined_to_mb)
    zone = ZoneInfo(the_lake.identity()["timezone"])
    output.print(*found, zone=zone)


def _find(file: Path) -> Path:
    """The file itself, else the ready query of its name."""
    from pipeline.lake.sql import list_ready

    if file.is_file():
        return file
    ready = list_ready()
    if file.name in ready and file.parent in _QUERIES:
        return ready[file.name]
    raise SettingsError("-f", file, f"no such file; ready ones are {', '.join(ready)}")
