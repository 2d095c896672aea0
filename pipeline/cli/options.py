"""The options that commands share, and how a step's progress is shown."""

import re
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import SettingsError


class Form(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


LakeOption = Annotated[
    Path | None, typer.Option("--lake", help="Folder of the lake.", show_default="./lake")
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
RawCellsOption = Annotated[
    bool,
    typer.Option("--raw", help="In CSV: texts as they are, also those that a spreadsheet runs."),
]
CountryOption = Annotated[
    str | None, typer.Option("--country", help="ISO 3166-1 code, such as US.", metavar="CODE")
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
NoGeoOption = Annotated[bool, typer.Option("--no-geo", help="Locate nobody: every country is ZZ.")]


def read_country(given: str, *, may_be_all: bool = False) -> str:
    """The country's code as a lake has it, in upper case; ``all`` where that is the total.

    Raises:
        SettingsError: it is no code of two letters.
    """
    if may_be_all and given.lower() == "all":
        return "all"
    if not re.fullmatch("[A-Za-z]{2}", given):
        or_all = ", or all" if may_be_all else ""
        raise SettingsError("--country", given, f"write a code of two letters, such as US{or_all}")
    return given.upper()
