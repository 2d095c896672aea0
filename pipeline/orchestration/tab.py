"""The pages of Airflow's tab Tidegauge, made of the lake when they are asked for. Knows no Airflow.

A question (path and query) becomes settings, a lake opened for reading, and one page:
``days`` is what an operator asks, anything else the report's page of a country or its index. What
is wrong becomes a page of one sentence.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup

from pipeline.alerts.outbox import list_untaken
from pipeline.alerts.services import alert_settings
from pipeline.alerts.today import choose_countries, read_day_so_far
from pipeline.build.causes import Cause
from pipeline.build.stale import session_rules, take_stock
from pipeline.countries import find_code
from pipeline.days import ALL_DAYS, ONE_DAY, Span, day_start
from pipeline.errors import (
    MissingLakeError,
    SettingsError,
    StorageError,
    StoreError,
    TidegaugeError,
)
from pipeline.lake.lake import Lake
from pipeline.lake.query import one_state
from pipeline.lake.storage import STORAGE_ERRORS, cause_of
from pipeline.lake.zone import open_lake
from pipeline.language import ENGLISH, Language, LanguageCode
from pipeline.orchestration.names import NIGHTLY
from pipeline.report.accounting import report_settings
from pipeline.report.index import make_index
from pipeline.report.page import make_page, read_site, render
from pipeline.report.rendering import render_page
from pipeline.report.wording import write_local_time
from pipeline.settings import Settings

log = logging.getLogger(__name__)
_ASKED = {"--country": 404, "--from and --to": 404, "from": 400, "to": 400}
"""The status of what is wrong with a question, by the key that the error names."""


@dataclass(frozen=True)
class TabPage:
    """A page and its HTTP status."""

    status: int
    html: str


@dataclass(frozen=True)
class DayRow:
    """What an operator wants to know of a day."""

    day: date
    sessions: int | None
    """None where it was never counted."""
    missing: list[str]
    """What is missing of its logs, in sentences."""
    causes: list[Cause]
    """Why it is stale."""
    runs: str
    """Where Airflow lists its runs."""


def answer(
    load: Callable[[], Settings], page: str, query: Mapping[str, str], now: datetime
) -> TabPage:
    """The page that is asked for.

    Args:
        load: reads the settings, which may be wrong.
        page: ``days``, or empty for a country's page and the index.
        query: ``country`` (code or name; none is the index), ``from`` and ``to``, and ``lang``, as
            they were written in the URL; what is empty is not chosen.
        now: the instant until which hours are finished.
    """
    language = _read_language(query, ENGLISH.code)
    if page not in {"", "days"}:
        return _refuse(404, "there is no such page", language)
    try:
        settings = load()
        language = _read_language(query, settings.language)
        settings = settings.model_copy(update={"language": language})
        span = Span(_read_date(query, "from") or date.min, _read_date(query, "to") or date.max)
        if span.first > span.last:
            raise SettingsError("from", str(span.first), f"that is after to, {span.last}")
        lake = open_lake(settings.lake)
        if page == "days":
            return TabPage(200, _make_days(lake, settings, span, now))
        return TabPage(200, _make_report(lake, settings, query.get("country", "").strip(), span))
    except TidegaugeError as error:
        return _refuse(_status_of(error), str(error), language)
    except STORAGE_ERRORS as error:
        log.exception("the lake can't be read")
        return _refuse(503, f"the lake can't be read: {cause_of(error)}", language)


def _refuse(status: int, sentence: str, language: LanguageCode) -> TabPage:
    link = _link(ALL_DAYS, language)
    said = {"sentence": sentence, "is_live": True, "is_simulated": False, "link": link}
    return TabPage(status, render_page("refused.html.j2", Language(language), **said))


def _read_language(query: Mapping[str, str], otherwise: LanguageCode) -> LanguageCode:
    """The one that is asked for; what is none is not chosen."""
    given = query.get("lang", "")
    return LanguageCode(given) if given in list(LanguageCode) else otherwise


def _status_of(error: TidegaugeError) -> int:
    if isinstance(error, StorageError | StoreError):
        return 503
    if isinstance(error, MissingLakeError):
        return 404
    return _ASKED.get(error.key, 500) if isinstance(error, SettingsError) else 500


def _read_date(query: Mapping[str, str], key: str) -> date | None:
    given = query.get(key)
    try:
        return date.fromisoformat(given) if given else None
    except ValueError as error:
        raise SettingsError(key, given, "write a date such as 2016-11-08") from error


def _link(span: Span, language: LanguageCode) -> Callable[[str], str]:
    """To the page of a country, or to the index, with the same span and language."""
    ends = {"from": span.first, "to": span.last}
    chosen: dict[str, object] = {
        key: day for key, day in ends.items() if day not in {date.min, date.max}
    }
    chosen["lang"] = language
    return lambda country: "./?" + urlencode({"country": country} | chosen if country else chosen)


def _make_report(lake: Lake, settings: Settings, country: str, span: Span) -> str:
    how = replace(report_settings(settings, datetime.now(UTC)), is_live=True)
    if not country:
        return make_index(lake, how, _link(span, settings.language), span)
    code = find_code(country) or country.upper()
    return make_page(lake, how, code, span, link=_link(span, settings.language))


def _link_runs(day: date, zone: ZoneInfo) -> str:
    """Where Airflow lists the runs whose logical date, 06:00 of the day they count, lies in it."""
    first, last = (f"{day_start(one, zone):%Y-%m-%dT%H:%M:%SZ}" for one in (day, day + ONE_DAY))
    between = urlencode({"logical_date_gte": first, "logical_date_lte": last})
    return f"../dags/{NIGHTLY}/runs?{between}"


def _make_days(lake: Lake, settings: Settings, span: Span, now: datetime) -> str:
    how = replace(report_settings(settings, now), is_live=True)
    with one_state(lake) as state:
        site = read_site(state, how, span)
    zone = ZoneInfo(site.facts.zone)
    so_far = read_day_so_far(lake, zone, now)
    stock = take_stock(lake, session_rules(settings))
    causes = {day: its for day, its in stock.causes.items() if day in span}
    counted = {day.day: day for day in site.facts.days}
    rows = [
        DayRow(
            day,
            counted[day].sessions if day in counted else None,
            counted[day].reasons if day in counted and counted[day].is_preliminary else [],
            causes.get(day, []),
            _link_runs(day, zone),
        )
        for day in sorted(counted.keys() | causes.keys(), reverse=True)
    ]
    waiting, given_up = list_untaken(alert_settings(settings))
    chosen = choose_countries(so_far.rows)
    hours = [row for row in reversed(so_far.rows) if row.country in chosen]
    return render(
        "days.html.j2",
        site,
        _link(span, settings.language),
        focus=None,
        so_far=so_far,
        hours=hours,
        news=[row for row in hours if row.is_surge or row.hour == hours[0].hour],
        compared=any(row.expected is not None for row in so_far.rows),
        rows=rows,
        stale_days=[day for day in stock.stale if day in span],
        preliminary=[day for day in site.facts.days if day.is_preliminary],
        waiting=waiting,
        given_up=given_up,
        dag=NIGHTLY,
        dag_link=Markup('<a href="../dags/{0}">{0}</a>').format(NIGHTLY),
        last_lines=", ".join(
            f"{name} {write_local_time(at, zone)}" for name, at in so_far.lines_until.items()
        ),
    )
