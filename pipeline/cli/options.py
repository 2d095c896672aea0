"""The options that commands share, and how a step's progress is shown."""

import re
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.days import Span
from pipeline.errors import SettingsError
from pipeline.language import LanguageCode


class Form(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


LakeOption = Annotated[
    str | None,
    typer.Option(
        "--lake",
        help="The lake: a folder, or s3://bucket/prefix.",
        show_default="./lake",
        metavar="PLACE",
    ),
]
RawOption = Annotated[
    Path | None, typer.Option("--raw", help="Folder of raw logs.", show_default="./raw")
]
GeoOption = Annotated[
    Path | None,
    typer.Option("--geo", help="Folder of address databases.", show_default="./geo"),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file.", show_default="./tidegauge.toml"),
]
FormOption = Annotated[Form, typer.Option("--format", help="How rows are printed.")]
LanguageOption = Annotated[
    LanguageCode | None,
    typer.Option("--lang", help="What sentences are written in.", show_default="en"),
]
RawCellsOption = Annotated[
    bool,
    typer.Option("--raw", help="In CSV: texts as they are, also those that a spreadsheet runs."),
]
CountryOption = Annotated[
    str | None,
    typer.Option("--country", help="ISO 3166-1 code, such as US; or its name.", metavar="COUNTRY"),
]
FromOption = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First local day.")
]
ToOption = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last local day.")
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="Run as at that time, such as 2016-11-09T06:00."),
]
LayoutOption = Annotated[
    str | None,
    typer.Option(
        "--log-format",
        metavar="FORMAT",
        help="How lines are written: a name of `tidegauge formats`, or the format string of the"
        " server's configuration. Found from each file's first lines when not given.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, max=256, help="Processes at once.", show_default="1"),
]
MasterOption = Annotated[
    str | None,
    typer.Option("--master", metavar="URL", help="Spark cluster that does the work instead."),
]
NoGeoOption = Annotated[bool, typer.Option("--no-geo", help="Locate nobody: every country is ZZ.")]


def read_country(given: str, *, may_be_all: bool = False) -> str:
    """The country's code as a lake has it, in upper case; ``all`` where that is the total.

    Raises:
        SettingsError: it is neither a code of two letters nor the name of a country.
    """
    if may_be_all and given.lower() == "all":
        return "all"
    if (
        re.fullmatch("[A-Za-z]{2}", given := given.strip()) and given.upper() != "UK"
    ):  # ISO 3166-1 has GB
        return given.upper()
    from pipeline.countries import find_code, suggest_countries

    code = find_code(given)
    if not code and (near := suggest_countries(given)):
        raise SettingsError("--country", given, f"did you mean {' or '.join(near)}?")
    if not code:
        or_all = ", or all" if may_be_all else ""
        remedy = f"write a code of two letters, such as US, or a name, such as Germany{or_all}"
        raise SettingsError("--country", given, remedy)
    return code


def read_span(first: datetime | None, last: datetime | None) -> Span:
    """The local days of ``--from`` and ``--to``; open ended where one is not given.

    Raises:
        SettingsError: they are the wrong way round.
    """
    span = Span(first.date() if first else date.min, last.date() if last else date.max)
    if span.first > span.last:
        raise SettingsError("--from", str(span.first), f"that is after --to, {span.last}")
    return span
