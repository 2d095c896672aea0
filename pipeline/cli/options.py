"""The options that commands share, alone and in groups."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.output import print_rows
from pipeline.days import Span
from pipeline.errors import SettingsError
from pipeline.language import ENGLISH, Language, LanguageCode

if TYPE_CHECKING:
    from pipeline.settings import Settings


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


@dataclass(frozen=True)
class SiteOptions:
    """The options that every command has: where the lake, the databases and the settings are."""

    lake: LakeOption = None
    geo: GeoOption = None
    config: ConfigOption = None

    def settings(self, **options: Any) -> "Settings":
        """The site's settings; those among a command's own ``options`` that are given override."""
        from pipeline.settings import load_settings

        return load_settings(self.config, lake=self.lake, geo=self.geo, **options)


@dataclass(frozen=True)
class RowOptions:
    """The options of a command that prints rows."""

    form: FormOption = Form.table
    raw_cells: RawCellsOption = False

    def print(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        zone: tzinfo = UTC,
        language: Language = ENGLISH,
    ) -> None:
        """Print rows as these options say; see ``print_rows``."""
        form, raw_cells = self.form.value, self.raw_cells
        print_rows(columns, rows, form, raw_cells=raw_cells, zone=zone, language=language)


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """A command as Typer takes it: in place of a group of options the options themselves."""
    whole = inspect.signature(command, eval_str=True)
    parameters = whole.parameters.values()
    groups: dict[str, Any] = {
        one.name: one.annotation for one in parameters if is_dataclass(one.annotation)
    }

    @wraps(command)
    def run(*given: Any, **named: Any) -> None:
        for name, group in groups.items():
            its = {one.name: named.pop(one.name) for one in fields(group)}
            named[name] = group(**its)
        command(*given, **named)

    options = [
        option.replace(kind=one.kind)
        for one in parameters
        for option in (
            inspect.signature(groups[one.name], eval_str=True).parameters.values()
            if one.name in groups
            else [one]
        )
    ]
    # Typer shows a line's end as one, where it is only the source's.
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    run.__doc__ = "\n\n".join(" ".join(one.split("\n")) for one in paragraphs)
    run.__signature__ = whole.replace(parameters=options)  # type: ignore[attr-defined]
    return run


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


def day_of(given: datetime | None) -> date | None:
    """The day that an option gives, if it is given."""
    return given.date() if given else None


def read_span(first: datetime | None, last: datetime | None) -> Span:
    """The local days of ``--from`` and ``--to``; open ended where one is not given.

    Raises:
        SettingsError: they are the wrong way round.
    """
    span = Span(first.date() if first else date.min, last.date() if last else date.max)
    if span.first > span.last:
        raise SettingsError("--from", str(span.first), f"that is after --to, {span.last}")
    return span
