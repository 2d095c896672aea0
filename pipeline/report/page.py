"""The page: the lake's facts and charts put into one HTML file that needs no network.

Nothing here runs in the reader's browser: the page has no script and forbids any.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from pipeline.build.built import read_built, session_timeout
from pipeline.days import ALL_DAYS, Span
from pipeline.lake.lake import Lake
from pipeline.lake.query import State, one_state
from pipeline.language import Language
from pipeline.report import wording
from pipeline.report.accounting import (
    Accounting,
    ReportSettings,
    account_for,
    credit_databases,
    span_databases,
)
from pipeline.report.charts import usual_of
from pipeline.report.day_hours import fill_hours, mark_whole_days
from pipeline.report.drawings import choose_window, draw_charts
from pipeline.report.facts import Facts, Focus, HistoryBefore, HistoryDay
from pipeline.report.figure import read_history_before
from pipeline.report.figure_sentences import say_unexpected
from pipeline.report.gather import focus_on, gather_facts
from pipeline.report.rendering import render_page
from pipeline.report.why import Reasons, find_reasons


class ComparedFigure(Protocol):
    """A figure compared: ``storm.published.Comparison`` in the demo."""

    def name(self, language: Language) -> str:
        """What was counted."""

    @property
    def basis(self) -> str:
        """Where the expected value comes from."""

    @property
    def expected(self) -> float:
        """The value to compare with, in sessions."""

    @property
    def measured(self) -> float:
        """The lake's value, in sessions."""

    @property
    def is_equal(self) -> bool:
        """Whether they are the same."""


@dataclass(frozen=True)
class Weekday:
    """A weekday's days; ``usual`` is the median of those outside surges."""

    weekday: str
    days: int
    usual: float | None
    highest_day: date
    highest: int


Link = Callable[[str], str]
"""Where the page of a country lies, by its code; the index by no code."""


def make_page(  # noqa: PLR0913 one parameter a choice
    lake: Lake,
    how: ReportSettings,
    country: str | None = None,
    span: Span = ALL_DAYS,
    comparisons: Sequence[ComparedFigure] = (),
    link: Link | None = None,
) -> str:
    """The page's HTML: the same lake and settings give the same text.

    Args:
        lake: claimed already.
        how: what is said that the lake does not know.
        country: code; by default that of the largest surge.
        span: the days that are shown.
        comparisons: figures to set beside what was measured; the lake is then called simulated.
        link: to the pages of other countries; without it there is no link.

    Raises:
        LakeError: the lake is damaged.
        SettingsError: the lake has no hits from ``country``, or of no day of ``span``.
    """
    with one_state(lake) as state:
        site = read_site(state, how, span)
        told = read_country(state, site.facts, country, span)
    return render_country(site, told, link, comparisons)


@dataclass(frozen=True)
class EveryPage:
    """What every page of a lake says, whichever country it is about."""

    facts: Facts
    accounting: Accounting
    timeouts: list[int]
    """The session timeouts that the days were counted with, in minutes."""
    credits: list[str]
    is_simulated: bool
    is_live: bool
    language: Language


@dataclass(frozen=True)
class Told:
    """What the page of a country says of it."""

    focus: Focus
    reasons: Reasons | None
    """Why the surge of the headline was; None without one."""
    before: HistoryBefore | None
    """Where nothing is expected of the highest day: why not."""


def read_site(state: State, how: ReportSettings, span: Span) -> EveryPage:
    """Ask for what every page says."""
    facts = gather_facts(state, span, how)
    return EveryPage(
        facts=facts,
        accounting=account_for(state.lake, how, facts.days, span),
        timeouts=_timeouts(state.lake, how.timeout_minutes),
        credits=credit_databases(how, span_databases(facts.days)),
        is_simulated=state.lake.is_simulated(),
        is_live=how.is_live,
        language=how.language,
    )


def read_country(state: State, facts: Facts, country: str | None, span: Span) -> Told | None:
    """Ask for what the page of a country says; None where there is nothing to say yet."""
    focus = focus_on(state, facts, country, span)
    if not focus:
        return None
    surge = focus.episode or focus.beside
    if not surge:
        is_known = focus.peak.expected is not None
        before = None if is_known else read_history_before(state, focus.country, focus.peak.day)
        return Told(focus, None, before)
    found = find_reasons(state, surge.country, surge.start_day, surge.end_day)
    return Told(focus, next(one for one in found if one.surge == surge), None)


def render_country(
    site: EveryPage,
    told: Told | None,
    link: Link | None = None,
    comparisons: Sequence[ComparedFigure] = (),
) -> str:
    """The page of a country, with links to the others if there is a ``link`` to each."""
    focus = told.focus if told else None
    window = choose_window(focus) if focus else []
    published = focus.published if focus else []
    return render(
        "report.html.j2",
        site,
        link,
        focus=focus,
        reasons=told.reasons if told else None,
        unexpected=say_unexpected(told.before, site.language) if told and told.before else "",
        charts=draw_charts(site.facts, focus, site.language) if focus else {},
        window=window,
        weekdays=_list_weekdays(window, site.language),
        published=[one for one in published if window[0].day <= one.day <= window[-1].day],
        restated_of_surge=_restated_of_surge(focus) if focus else [],
        comparisons=comparisons,
        **_local_hours(site.facts, focus),
    )


def render(template: str, site: EveryPage, link: Link | None, **more: Any) -> str:
    """A page of what every page of a lake says, and what is told more."""
    return render_page(
        template,
        site.language,
        facts=site.facts,
        accounting=site.accounting,
        spans=span_databases(site.facts.days),
        credits=site.credits,
        failing=", ".join(_list_failing_days(site.facts, site.language)),
        late_days=", ".join(_list_late_days(site.facts, site.language)),
        zone=ZoneInfo(site.facts.zone),
        clocks_change=_clocks_change(site.facts),
        is_simulated=site.is_simulated or bool(more.get("comparisons")),
        is_live=site.is_live,
        timeouts=site.timeouts,
        link=link,
        **more,
    )


def _timeouts(lake: Lake, otherwise: int) -> list[int]:
    """The session timeouts that the lake's days were counted with, in minutes."""
    built = read_built(lake).values()
    return sorted({session_timeout(one, otherwise) for one in built}) or [otherwise]


def _list_failing_days(facts: Facts, language: Language) -> list[str]:
    """The censored days with the highest shares of 5xx, at most five, in order of time."""
    high = [day for day in facts.days if day.is_censored]
    high.sort(key=lambda day: (-(day.error_share or 0), day.day))
    return [
        f"{language.day(day.day)} ({wording.keep_whole(language.share(day.error_share or 0))})"
        for day in sorted(high[:5], key=lambda day: day.day)
    ]


def _list_late_days(facts: Facts, language: Language) -> list[str]:
    """The spans of days that were located by a younger database."""
    late = [span for span in span_databases(facts.days) if span.is_late]
    return [
        language.ngettext(
            "{span} ({count} day)", "{span} ({count} days)",
            span.days, span=language.between(span.first_day, span.last_day),
        )
        for span in late
    ]  # fmt: skip


def _list_weekdays(window: Sequence[HistoryDay], language: Language) -> list[Weekday]:
    rows = []
    for number in range(7):
        days = [day for day in window if day.day.weekday() == number and not day.is_future]
        if days:
            highest = max(days, key=lambda day: day.observed)
            name = language.weekday(number)
            rows.append(Weekday(name, len(days), usual_of(days), highest.day, highest.observed))
    return rows


def _restated_of_surge(focus: Focus) -> list[Any]:
    """Restated figures of the headline's country in its surge, or on its highest day."""
    episode, peak = focus.episode, focus.peak.day
    first, last = (episode.start_day, episode.end_day) if episode else (peak, peak)
    return [one for one in focus.restated if first <= one.day <= last]


def _clocks_change(facts: Facts) -> bool:
    """Whether the zone has two offsets in a year of the days shown."""
    zone, years = ZoneInfo(facts.zone), {day.day.year for day in facts.days}
    return any(
        len({datetime(year, month, 1, tzinfo=zone).utcoffset() for month in range(1, 13)}) > 1
        for year in years
    )


def _local_hours(facts: Facts, focus: Focus | None) -> dict[str, Any]:
    if focus is None:
        return {"hours": [], "both_days": [], "widest": None}
    zone = ZoneInfo(facts.zone)
    both_days = mark_whole_days(focus.both_days, focus.whole_days, zone)
    return {
        "hours": [
            (wording.write_hour(hour.hour, zone), hour)
            for hour in fill_hours(focus.hours, focus.peak.day, zone)
        ],
        "both_days": both_days,
        "widest": max(
            (day for day, is_whole in both_days if is_whole),
            key=lambda day: abs(day.utc_sessions - day.local_sessions),
            default=None,
        ),
    }
