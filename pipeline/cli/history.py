"""The command ``history``: the values of a figure that were published, when and why."""

from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from pipeline.cli.caveats import find_caveats
from pipeline.cli.options import (
    CountryOption,
    Form,
    FromOption,
    RowOptions,
    SiteOptions,
    ToOption,
    read_country,
    read_span,
)
from pipeline.errors import SettingsError
from pipeline.text import say

DayOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Local day.")]


def history(  # noqa: PLR0913 one parameter an option
    day: DayOption = None,
    country: CountryOption = None,
    first: FromOption = None,
    last: ToOption = None,
    *,
    output: RowOptions,
    site: SiteOptions,
) -> None:
    """Published values: when, what, how complete, and why they were restated.

    With --day and --country all values of that figure, the first one first. Otherwise every
    figure that was restated, the newest first. The country "all" is the total.

    For example:

    tidegauge history --day 2016-11-08 --country US

    tidegauge history --from 2016-11-01 --country all
    """
    from pipeline.lake.query import one_state
    from pipeline.lake.zone import open_lake
    from pipeline.report.history import KnownDay, explain_unpublished

    settings = site.settings()
    if day and (first or last):
        raise SettingsError("--day", str(day.date()), "give either --day, or --from and --to")
    code = read_country(country, may_be_all=True) if country else None
    span = read_span(day or first, day or last)
    is_one = bool(day and code)
    with one_state(open_lake(settings.lake)) as state:
        columns, rows = state.query(
            "queries/history", country=code, only_changes=not is_one, **span.bound
        )
        caveats = find_caveats(state, settings.session_timeout_minutes, datetime.now(UTC), span)
        zone = ZoneInfo(state.lake.identity()["timezone"])
        if is_one and not rows:
            (known,) = state.ask(KnownDay, "report/known_day", day=span.first)
            timeout = settings.session_timeout_minutes
            why = explain_unpublished(state, known, span.first, timeout)
            unpublished = f"no figure of {code} is published: {why}"
            raise SettingsError("--day", str(span.first), unpublished)
    if is_one:
        rows = rows[::-1]
    if output.form == Form.table:
        columns, rows = _for_reading(columns, rows)
    elif output.form == Form.json:
        columns, rows = caveats.add_to(columns, rows)
    output.print(columns, rows, zone=zone)
    for caveat in caveats.say():
        say(caveat)


def _for_reading(
    columns: list[str], rows: list[tuple[Any, ...]]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Rows as a person reads them: ``2 of 5`` sources."""
    named = [dict(zip(columns, row, strict=True)) for row in rows]
    for row in named:
        expected = row.pop("sources_expected")
        if expected is not None:
            row["sources"] = f"{row['sources']:,} of {expected:,}"
    shown = [column for column in columns if column != "sources_expected"]
    return shown, [tuple(row[column] for column in shown) for row in named]
