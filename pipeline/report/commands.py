"""The command ``report``."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.options import ConfigOption, CountryOption, GeoOption, LakeOption
from pipeline.output import escape
from pipeline.report.page import write_report
from pipeline.settings import load_settings


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("report")(report_command)


def report_command(
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")] = Path(
        "report.html"
    ),
    country: CountryOption = None,
    lake: LakeOption = None,
    geo: GeoOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the report: one HTML page that opens without a network, for the press office.

    It is about the country with the largest surge, or the one given.

    For example:

    tidegauge report --out report.html

    tidegauge report --country US --lake ./lake
    """
    written = write_report(load_settings(config, lake=lake, geo=geo), out, country=country)
    print(f"report: {escape(str(written))}")
