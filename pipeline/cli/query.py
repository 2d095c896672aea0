"""The commands that print a table: daily, hourly, expected, surges; and how the lake is asked."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pipeline.cli.options import (
    CountryOption,
    FromOption,
    RowOptions,
    SiteOptions,
    ToOption,
    read_country,
    read_span,
)
from pipeline.days import ALL_DAYS, Span
from pipeline.definitions import LEAST_HISTORY_DAYS
from pipeline.language import ENGLISH, Language
from pipeline.report.wording import say_overtaken, say_unbuilt
from pipeline.text import say, write_number_of

if TYPE_CHECKING:
    from pipeline.lake.query import State

_JUDGED = ("expected", "surges")


def _make(table: str, text: str) -> Callable[..., None]:
    """The command that prints a table; ``text`` is the first of its help."""

    def command(
        country: CountryOption = None,
        first: FromOption = None,
        last: ToOption = None,
        *,
        output: RowOptions,
        site: SiteOptions,
    ) -> None:
        from pipeline.lake.query import one_state
        from pipeline.lake.zone import open_lake

        settings = site.settings()
        chosen = read_country(country) if country else None
        span = read_span(first, last)
        with one_state(open_lake(settings.lake)) as state:
            columns, rows = state.query(f"queries/{table}", country=chosen, **span.bound)
            if chosen and not rows:
                from pipeline.report.figure_basis import check_country

                check_country(state, chosen, set())
            caveats = list(say_uncounted(state, settings.session_timeout_minutes, span))
            caveats += say_doubted(state, span)
            if table in _JUDGED:
                caveats.append(say_lack_of_history(state))
            zone = ZoneInfo(state.lake.identity()["timezone"])
        output.print(columns, rows, zone=zone)
        for caveat in filter(None, caveats):
            say(caveat)

    example = f"tidegauge {table} --country US --from 2016-11-08 --to 2016-11-16"
    command.__doc__ = f"{text}\n\nFor example:\n\n{example}"
    return command


daily = _make("daily", "Sessions, visitors, pages and hits per country and local day.")
hourly = _make(
    "hourly",
    "The same measures per hour and country. In CSV and JSON the hour is in UTC, and `local_hour`"
    " is the site's.",
)
expected = _make(
    "expected", "Observed and expected sessions per country and day, and which days are surges."
)
surges = _make("surges", "The episodes: start, peak, end, size against what was expected.")


def say_uncounted(
    state: "State", timeout_minutes: int, span: Span = ALL_DAYS, language: Language = ENGLISH
) -> Iterator[str]:
    """That days of a span were counted of other raw files than the lake has now, or not yet."""
    from pipeline.build.counted import find_uncounted

    found = find_uncounted(state, timeout_minutes)
    for days, wording in (found.overtaken, say_overtaken), (found.unbuilt, say_unbuilt):
        if within := [day for day in days if day in span]:
            yield wording(within, language)


def say_doubted(state: "State", span: Span) -> Iterator[str]:
    """Which days of a span may have lines twice."""
    columns, rows = state.query("report/days", **span.bound)
    named = (dict(zip(columns, row, strict=True)) for row in rows)
    if days := [row["day"] for row in named if row["doubts"]]:
        yield (
            f"Some lines of {ENGLISH.days(days)} may be counted twice: `tidegauge figure --day`"
            " says which."
        )


def say_lack_of_history(state: "State") -> str:
    """That no day could be judged yet; nothing where one was."""
    _, ((whole_days, judged),) = state.query("report/known_history")
    if judged:
        return ""
    return (
        "No country has enough history yet: the lake has"
        f" {write_number_of(whole_days, 'whole day')}, and a day is judged by"
        f" {LEAST_HISTORY_DAYS} before it at least."
    )
