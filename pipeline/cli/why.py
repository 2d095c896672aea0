"""The command ``why``: what drove a surge, and whether it was people."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import (
    ConfigOption,
    CountryOption,
    Form,
    FormOption,
    GeoOption,
    LakeOption,
    RawCellsOption,
    read_country,
)
from pipeline.cli.output import print_rows, until_closed
from pipeline.errors import SettingsError
from pipeline.text import escape, say

if TYPE_CHECKING:
    from pipeline.report.why import Reasons

_SHOWN = 3
"""Elements of a dimension in a table, besides the drivers."""
_COLUMNS = ("country", "start_day", "about", "what", "observed", "usual", "excess", "share",
            "surprise", "rank")  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("why")(why)


def why(  # noqa: PLR0913 one parameter an option
    country: CountryOption = None,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A local day of the surge.")
    ] = None,
    surge: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The surge's first day.")
    ] = None,
    form: FormOption = Form.table,
    raw_cells: RawCellsOption = False,
    lake: LakeOption = None,
    geo: GeoOption = None,
    config: ConfigOption = None,
) -> None:
    """What drove a surge, and whether it was people.

    Of the largest surge, or the largest from a country; with --day or --surge of each surge that
    has that day, or begins with it. A table shows the largest elements, CSV and JSON all.

    For example:

    tidegauge why --country US

    tidegauge why --day 2016-11-09 --format json
    """
    from pipeline.lake.query import one_state
    from pipeline.lake.zone import open_lake
    from pipeline.report.why import find_reasons
    from pipeline.settings import load_settings

    settings = load_settings(config, lake=lake, geo=geo)
    if day and surge:
        raise SettingsError("--day", str(day.date()), "give either --day or --surge")
    code = read_country(country) if country else None
    given = day or surge
    span = (given.date(), given.date()) if given else (date.min, date.max)
    with one_state(open_lake(settings.lake)) as state:
        found = find_reasons(state, code, *span)
    if surge:
        found = [one for one in found if one.surge.start_day == surge.date()]
    chosen = found if given else found[:1]
    if form == Form.json:
        print_rows(*_as_objects(chosen), form.value)
    elif form == Form.csv:
        rows = [row for reasons in chosen for row in _list_rows(reasons)]
        print_rows(_COLUMNS, rows, form.value, raw_cells=raw_cells)
    else:
        for reasons in chosen:
            _print_reasons(reasons)
    if not chosen:
        say("The lake has no such surge: `tidegauge surges` lists those that it has.")


def _as_objects(found: list[Reasons]) -> tuple[list[str], list[list[Any]]]:
    columns = ["country", "start_day", "end_day", "observed", "expected", "excess",
               "why", "who", "drivers", "signals"]  # fmt: skip
    rows = []
    for one in found:
        parts = {
            "why": one.why,
            "who": one.who,
            "drivers": [_without_surge(row) for row in one.drivers],
            "signals": [_without_surge(row) for row in one.signals],
        }
        facts = asdict(one.surge) | parts
        rows.append([facts[name] for name in columns])
    return columns, rows


def _without_surge(row: Any) -> dict[str, Any]:
    return {k: value for k, value in asdict(row).items() if k not in ("country", "start_day")}


def _list_rows(reasons: Reasons, most: int | None = None) -> list[tuple[Any, ...]]:
    """Elements, then figures; ``most`` a dimension, besides the drivers."""
    surge = (reasons.surge.country, reasons.surge.start_day)
    rows: list[tuple[Any, ...]] = []
    shown: dict[str, int] = {}
    for row in reasons.drivers:
        shown[row.dimension] = shown.get(row.dimension, 0) + (row.rank is None)
        if most is None or row.rank is not None or shown[row.dimension] <= most:
            name = "(all others)" if row.is_other else row.element
            rows.append(
                (*surge, row.dimension, name, row.observed, row.expected, row.excess, row.share,
                 row.surprise, row.rank)
            )  # fmt: skip
    for figure in reasons.signals:
        values = (figure.observed, figure.usual, figure.of_excess)
        rows.append((*surge, "people or machines", figure.figure, *values, None, None, None))
    return rows


def _print_reasons(reasons: Reasons) -> None:
    with until_closed():
        for sentence in (reasons.what, reasons.why, reasons.who):
            print(escape(sentence).replace("\N{NO-BREAK SPACE}", " "))
    rows = [row[2:] for row in _list_rows(reasons, _SHOWN)]
    print_rows(_COLUMNS[2:], rows)
