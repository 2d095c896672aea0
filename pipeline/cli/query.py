"""The commands that print a table: daily, hourly, expected, surges."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipeline.cli.caveats import find_caveats, say_lack_of_history
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
from pipeline.text import say

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
            caveats = find_caveats(state, settings.session_timeout_minutes, datetime.now(UTC), span)
            if table in _JUDGED and (lacking := say_lack_of_history(state)):
                caveats.of_all.append(lacking)
            zone = ZoneInfo(state.lake.identity()["timezone"])
        if output.form == Form.json:
            columns, rows = caveats.add_to(columns, rows)
        output.print(columns, rows, zone=zone)
        for caveat in caveats.say():
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
