"""The command ``why``: what drove a surge, and whether it was people."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from pipeline.cli.caveats import find_caveats, say_lack_of_history
from pipeline.cli.options import (
    CountryOption,
    Form,
    LanguageOption,
    RowOptions,
    SiteOptions,
    read_country,
)
from pipeline.cli.output import print_rows, until_closed
from pipeline.days import ALL_DAYS, Span
from pipeline.errors import SettingsError
from pipeline.language import ENGLISH, Language
from pipeline.text import escape, say
from pipeline.why.explain import name_dimension, name_element
from pipeline.why.people import name_signal

if TYPE_CHECKING:
    from pipeline.lake.query import State
    from pipeline.report.why import Reasons

_COLUMNS = ("country", "start_day", "about", "what", "observed", "usual", "excess", "share",
            "surprise", "rank")  # fmt: skip


def why(  # noqa: PLR0913 one parameter an option
    country: CountryOption = None,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A local day of the surge.")
    ] = None,
    surge: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The surge's first day.")
    ] = None,
    *,
    output: RowOptions,
    lang: LanguageOption = None,
    site: SiteOptions,
) -> None:
    """What drove a surge, and whether it was people.

    Of the largest surge, or the largest from a country, that is not in the future; with --surge of
    each that begins on that day, with --day of that day alone, in each surge that has it. A table
    shows the largest elements, CSV and JSON all.

    For example:

    tidegauge why --country US

    tidegauge why --day 2016-11-09 --format json
    """
    from pipeline.lake.query import one_state
    from pipeline.lake.zone import open_lake
    from pipeline.report.why import find_reasons, find_reasons_of_day

    settings = site.settings(language=lang)
    language = Language(settings.language)
    if day and surge:
        raise SettingsError("--day", str(day.date()), "give either --day or --surge")
    code = read_country(country) if country else None
    opened, present = open_lake(settings.lake), datetime.now(UTC)
    with one_state(opened) as state:
        if day:
            chosen = find_reasons_of_day(state, code, day.date())
        elif surge:
            found = find_reasons(state, code, surge.date(), surge.date())
            chosen = [one for one in found if one.surge.start_day == surge.date()]
        else:
            today = present.astimezone(ZoneInfo(opened.identity()["timezone"])).date()
            chosen = find_reasons(state, code, date.min, date.max)
            chosen = [one for one in chosen if one.surge.start_day <= today][:1]
        caveats = find_caveats(state, settings.session_timeout_minutes, present)
        if not chosen:
            caveats.of_all.append(_say_none(state))
    if output.form == Form.json:
        objects = _as_objects(chosen, language, simulated=opened.is_simulated())
        output.print(*caveats.add_to(*objects, language))
    elif output.form == Form.csv:
        rows = [row for reasons in chosen for row in _list_rows(reasons, ENGLISH)]
        output.print(_COLUMNS, rows)
    else:
        with until_closed():
            if chosen and opened.is_simulated():
                print(language.gettext("Simulated data: what drives it is assumed."))
        for reasons in chosen:
            _print_reasons(reasons, language)
    about = [Span(one.surge.start_day, one.surge.end_day) for one in chosen]
    for caveat in caveats.say(language, about or [ALL_DAYS]):
        say(caveat)


def _say_none(state: State) -> str:
    if state.query("queries/surges", country=None, **ALL_DAYS.bound)[1]:
        return "The lake has no such surge: `tidegauge surges` lists those that it has."
    lacking = say_lack_of_history(state)
    return lacking or "The lake has no surge: `tidegauge expected` has every day that was judged."


def _as_objects(
    found: list[Reasons], language: Language, *, simulated: bool
) -> tuple[list[str], list[list[Any]]]:
    columns = ["country", "start_day", "end_day", "day", "observed", "expected", "excess",
               "others_ratio", "geo_before", "in_hindsight", "is_simulated", "why", "who",
               "may_change", "lacking", "drivers", "signals"]  # fmt: skip
    rows = []
    for one in found:
        parts = {
            "day": one.part and one.part.start_day,
            "is_simulated": simulated,
            "why": one.why(language),
            "who": one.who(language),
            "may_change": one.may_change(language),
            "lacking": one.lacking(language),
            "drivers": [_without_surge(row) for row in one.drivers],
            "signals": [_without_surge(row) for row in one.signals],
        }
        whole = asdict(one.surge)
        sums = asdict(one.part or one.surge)
        of_part = ("observed", "expected", "excess", "in_hindsight")
        facts = whole | {name: sums[name] for name in of_part} | parts
        rows.append([facts[name] for name in columns])
    return columns, rows


def _without_surge(row: Any) -> dict[str, Any]:
    return {k: value for k, value in asdict(row).items() if k not in ("country", "start_day")}


def _list_rows(
    reasons: Reasons, language: Language, most: int | None = None
) -> list[tuple[Any, ...]]:
    """Elements, then figures; ``most`` a dimension, besides the drivers."""
    about = reasons.part or reasons.surge
    key = (about.country, about.start_day)
    rows: list[tuple[Any, ...]] = []
    shown: dict[str, int] = {}
    for row in reasons.drivers:
        shown[row.dimension] = shown.get(row.dimension, 0) + (row.rank is None)
        if most is None or row.rank is not None or shown[row.dimension] <= most:
            rows.append(
                (
                    *(*key, name_dimension(row.dimension, language), name_element(row, language)),
                    *(row.observed, row.expected),
                    *(row.excess, row.share, row.surprise, row.rank),
                )
            )
    for figure in reasons.signals:
        said = language.gettext("people or machines"), name_signal(figure.figure, language)
        values = (figure.observed, figure.usual, figure.of_excess)
        rows.append((*key, *said, *values, None, None, None))
    return rows


def _print_reasons(reasons: Reasons, language: Language) -> None:
    sentences = (
        reasons.what, reasons.why, reasons.who, reasons.may_change, reasons.lacking
    )  # fmt: skip
    said = (write(language) for write in sentences)
    with until_closed():
        for sentence in filter(None, said):
            print(escape(sentence))
    from pipeline.report.why import MOST_OTHERS

    rows = [
        (about, what or language.gettext("(none)"), *figures)
        for _, _, about, what, *figures in _list_rows(reasons, language, MOST_OTHERS)
    ]
    print_rows(_name_columns(language), rows, language=language)


def _name_columns(language: Language) -> list[str]:
    return [
        language.gettext("about"),
        language.gettext("what"),
        language.gettext("observed"),
        language.gettext("usual"),
        language.gettext("excess"),
        language.gettext("share"),
        language.gettext("surprise"),
        language.gettext("rank"),
    ]
