"""The commands ``report`` and ``figure``."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import (
    CountryOption,
    Form,
    FromOption,
    LanguageOption,
    RowOptions,
    SiteOptions,
    ToOption,
    read_country,
    read_span,
)
from pipeline.cli.output import until_closed
from pipeline.errors import SettingsError
from pipeline.text import escape


def report_command(  # noqa: PLR0913 one parameter an option
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="The HTML file to write; with --all the folder.",
            show_default="report.html, with --all report",
        ),
    ] = None,
    of_all: Annotated[
        bool, typer.Option("--all", help="A page of every country, and an index of them.")
    ] = False,
    country: CountryOption = None,
    first: FromOption = None,
    last: ToOption = None,
    lang: LanguageOption = None,
    *,
    site: SiteOptions,
) -> None:
    """Write the report: one HTML page that opens without a network, for the press office.

    It is about the country with the largest surge, or the one given; of all days, or those given.

    For example:

    tidegauge report --out report.html

    tidegauge report --country "United States" --from 2016-11-08 --to 2016-11-16

    tidegauge report --all --out report
    """
    from pipeline.lake.zone import open_lake
    from pipeline.report.accounting import report_settings
    from pipeline.report.index import make_pages
    from pipeline.report.page import make_page
    from pipeline.report.rendering import write_report

    settings = site.settings(language=lang)
    span = read_span(first, last)
    if of_all and country:
        raise SettingsError("--country", country, "give either --country or --all")
    opened, how = open_lake(settings.lake), report_settings(settings, datetime.now(UTC))
    if of_all:
        folder = out or Path("report")
        for name, html in make_pages(opened, how, span):
            written = write_report(html, folder / name)
    else:
        html = make_page(opened, how, read_country(country) if country else None, span)
        written = write_report(html, out or Path("report.html"))
    print(f"report: {escape(str(written))}")


def figure_command(  # noqa: PLR0913 one parameter an option
    country: Annotated[
        str,
        typer.Option(
            "--country", help="ISO 3166-1 code, such as US; or its name; or all.", metavar="COUNTRY"
        ),
    ],
    day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Local day.")] = None,
    first: FromOption = None,
    last: ToOption = None,
    short: Annotated[
        bool, typer.Option("--short", help="Three sentences, the number first.")
    ] = False,
    *,
    output: RowOptions,
    lang: LanguageOption = None,
    site: SiteOptions,
) -> None:
    """One paragraph for the press: the number, its unit, its limits, what was published before.

    Of one day, or the sum of the days from one to another.

    For example:

    tidegauge figure --day 2016-11-08 --country US

    tidegauge figure --from 2016-11-08 --to 2016-11-16 --country US --short

    tidegauge figure --day 2016-11-08 --country all --format json
    """
    from pipeline.lake.zone import open_lake
    from pipeline.report.accounting import report_settings
    from pipeline.report.figure import find_figure
    from pipeline.report.paragraph import write_paragraph
    from pipeline.report.short import write_short, write_short_span
    from pipeline.report.span_figure import find_span_figure
    from pipeline.report.span_paragraph import write_span_paragraph

    settings = site.settings(language=lang)
    code = read_country(country, may_be_all=True)
    opened, how = open_lake(settings.lake), report_settings(settings, datetime.now(UTC))
    if day:
        if first or last:
            raise SettingsError("--day", str(day.date()), "give either --day, or --from and --to")
        figure = find_figure(opened, how, day.date(), code)
        said = (write_short if short else write_paragraph)(figure, how.language)
        facts = asdict(figure) | {"is_lower_bound": figure.completeness.is_lower_bound}
    else:
        if not (first and last):
            raise SettingsError("--day", "(not given)", "give --day, or both --from and --to")
        span = find_span_figure(opened, how, read_span(first, last), code)
        said = (write_short_span if short else write_span_paragraph)(span, how.language)
        facts = asdict(span) | {"expected": span.expected, "is_lower_bound": span.is_lower_bound}
    text = escape(said)
    if output.form == Form.table:
        with until_closed():
            print(text)
    else:
        facts |= {"text": text}
        output.print(list(facts), [list(facts.values())])
