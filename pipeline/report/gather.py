"""What the lake is asked for a page, and which country it is about."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from pipeline.build.counted import refuse_lost
from pipeline.days import Span
from pipeline.definitions import NO_COUNTRY
from pipeline.errors import SettingsError
from pipeline.lake.left_out import list_missing
from pipeline.lake.query import State
from pipeline.report.accounting import ReportSettings
from pipeline.report.facts import (
    BothDays,
    CountryTotal,
    Day,
    Facts,
    Focus,
    HistoryDay,
    Hour,
    NameCount,
    PublishedFigure,
    RestatedFigure,
    RobotlikeDay,
    SurgeEpisode,
)
from pipeline.report.history import KnownDay, explain_no_days
from pipeline.report.restated import gather_restated, gather_restatements
from pipeline.why.thresholds import LEAST_OF_AN_ELEMENT

DAYS_BESIDE_PEAK = 3
"""Days shown on each side of the peak where local and UTC days are set side by side."""


def read_days(state: State, span: Span) -> list[Day]:
    """The days of a span that were counted, with what was left out of them, also since then.

    A sealed day is never judged again: its row does not know of a file that was refused.
    """
    days = state.ask(Day, "report/days", **span.bound)
    left_out: dict[date, set[str]] = {}
    for one in list_missing(state.lake, [str(day.day) for day in days]):
        left_out.setdefault(one.day, set()).add(f"{one.source}: {one.text}")
    return [
        replace(day, is_preliminary=True, reasons=sorted({*day.reasons, *left_out[day.day]}))
        if day.day in left_out
        else day
        for day in days
    ]


def gather_facts(state: State, span: Span, how: ReportSettings) -> Facts:
    """Ask the lake for what the report shows of all countries.

    A surge on days that have not begun is none: a clock is wrong.

    Raises:
        SettingsError: it has days, and none of the span.
    """
    days = read_days(state, span)
    (known,) = state.ask(KnownDay, "report/known_day", day=span.first)
    lake_span = Span(known.first_day or span.first, known.last_day or span.last)
    if known.first_day and not days:
        why = explain_no_days(state, span, how.timeout_minutes)
        raise SettingsError("--from and --to", str(span), why)
    refuse_lost(state.lake, [day.day for day in days])
    begun = Span(span.first, min(span.last, how.today(state.lake)))
    episodes = state.ask(SurgeEpisode, "queries/surges", country=None, **begun.bound)
    return Facts(
        zone=state.lake.identity()["timezone"],
        span=lake_span,
        days=days,
        countries=state.ask(CountryTotal, "report/countries", **span.bound),
        episodes=sorted(episodes, key=lambda one: one.rank),
        restated=gather_restated(state, span),
        today=how.today(state.lake),
    )


def choose_country(
    countries: Sequence[CountryTotal], episodes: Sequence[SurgeEpisode]
) -> str | None:
    """The country of the largest surge; else the one with most sessions.

    Addresses without a country come last in either order. None when there are no countries.
    """
    known = [total.country for total in countries]
    ranked = [episode.country for episode in episodes] + known
    return next((c for c in ranked if c != NO_COUNTRY), known[0] if known else None)


def read_history(state: State, facts: Facts, country: str | None, span: Span) -> list[HistoryDay]:
    """The days of a country, or of all; of those that have not begun none is in a surge."""
    bound = {"country": country, "today": facts.today, **span.bound}
    return state.ask(HistoryDay, "report/history", **bound)


def find_highest(history: Sequence[HistoryDay]) -> HistoryDay:
    """The day of most sessions, of those that have begun if any has."""
    begun = [day for day in history if not day.is_future] or history
    return max(begun, key=lambda day: day.observed)


def focus_on(state: State, facts: Facts, wanted: str | None, span: Span) -> Focus | None:
    """What is to be said of one country; of that of the largest surge when none is wanted.

    None when no day was counted, or none was compared with its history.

    Raises:
        SettingsError: the lake has no hit of any day from there.
    """
    country = wanted or choose_country(facts.countries, facts.episodes)
    if wanted:
        _check_known(state, wanted, [total.country for total in facts.countries])
    of_country = {"country": country or "", **span.bound}
    lacking = {day.day for day in facts.days if day.is_preliminary}
    history = [
        replace(one, is_preliminary=one.is_preliminary or one.day in lacking)
        for one in read_history(state, facts, country or "", span)
    ]
    if not country or not history:
        return None
    own = [one for one in facts.episodes if one.country == country]
    peaks = {day.day: day for day in history}
    episode = next((one for one in own if one.peak_day in peaks), None)
    peak = peaks[episode.peak_day] if episode else find_highest(history)
    beside = timedelta(DAYS_BESIDE_PEAK)
    first, last = max(peak.day - beside, history[0].day), min(peak.day + beside, history[-1].day)
    near = read_days(state, Span(first - timedelta(1), last + timedelta(1)))
    start, end = (episode.start_day, episode.end_day) if episode else (peak.day, peak.day)
    robotlike = state.ask(
        RobotlikeDay, "report/robotlike", country=country, first_day=start, last_day=end
    )
    named = {
        "country": country,
        "day": peak.day,
        "least": LEAST_OF_AN_ELEMENT,
        "with_robotlike": not any(r.is_left_out for r in robotlike if r.day == peak.day),
    }
    return Focus(
        country=country,
        episode=episode,
        beside=own[0] if own and not episode else None,
        peak=peak,
        history=history,
        hours=state.ask(
            Hour,
            "report/hours",
            country=country,
            first_day=peak.day - timedelta(1),
            last_day=peak.day,
        ),
        both_days=state.ask(
            BothDays, "report/local_and_utc_days", country=country, first_day=first, last_day=last
        ),
        whole_days={day.day for day in near if not day.is_preliminary},
        entry_pages=state.ask(NameCount, "report/entry_pages", **named),
        referrers=state.ask(NameCount, "report/referrers", **named),
        robotlike=robotlike,
        published=sorted(
            state.ask(PublishedFigure, "queries/history", only_changes=False, **of_country),
            key=lambda one: (one.day, one.published_at),
        ),
        restated=state.ask(RestatedFigure, "report/restated", **of_country),
        restatements=gather_restatements(state, facts.restated, country, span),
    )


def _check_known(state: State, country: str, of_the_days: Sequence[str]) -> None:
    """Refuse a country of which the lake has no hit of any day."""
    if country in of_the_days:
        return
    _, ((is_known,),) = state.query("report/known_country", country=country)
    if not is_known:
        some = ", ".join(of_the_days[:8]) or "none"
        raise SettingsError("--country", country, f"no hits from there; the lake has {some}")
