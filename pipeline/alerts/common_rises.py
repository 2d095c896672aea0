"""Surges of countries that rose alike on the same days: one piece of news, not one each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from pipeline.alerts.services import Alert, name_country
from pipeline.definitions import ALL
from pipeline.language import Language
from pipeline.report.facts import SurgeEpisode
from pipeline.report.wording import count_at_least, count_sessions
from pipeline.surges.episodes import LONGEST_STEP_DAYS


@dataclass(frozen=True)
class CommonRise(SurgeEpisode):
    """Such surges as one of ``ALL``: sums of theirs; peak and ratio are the largest one's."""

    parts: tuple[SurgeEpisode, ...] = ()
    """The largest first."""


def join_common(found: Iterable[SurgeEpisode]) -> list[CommonRise]:
    """Join the surges that the others share where their days touch, in order of their days."""
    groups: list[list[SurgeEpisode]] = []
    last_day = date.min
    for one in sorted((one for one in found if one.is_common), key=lambda one: one.start_day):
        if not groups or one.start_day - last_day > timedelta(LONGEST_STEP_DAYS):
            groups.append([])
        groups[-1].append(one)
        last_day = max(last_day, one.end_day)
    return [_join(sorted(group, key=lambda one: one.rank)) for group in groups]


def _join(parts: list[SurgeEpisode]) -> CommonRise:
    start, end = min(one.start_day for one in parts), max(one.end_day for one in parts)
    return CommonRise(
        country=ALL,
        start_day=start,
        peak_day=parts[0].peak_day,
        end_day=end,
        days=(end - start).days + 1,
        observed=sum(one.observed for one in parts),
        expected=sum(one.expected for one in parts),
        excess=sum(one.excess for one in parts),
        peak_sessions=parts[0].peak_sessions,
        peak_ratio=parts[0].peak_ratio,
        is_open=any(one.is_open for one in parts),
        is_at_least=any(one.is_at_least for one in parts),
        others_ratio=median(one.others_ratio or 0 for one in parts),
        parts=tuple(parts),
    )


def write_opened(rise: CommonRise, because: str, language: Language) -> Alert:
    """Say that most countries rise alike, and from where most of it is."""
    body = language.ngettext(
        "{sessions} of {count} country {span}, where {expected} were expected. The others rose"
        " alike, to {times} times what is expected of them: it is no surge of one country's own."
        " Most of it is from {country}.",
        "{sessions} of {count} countries {span}, where {expected} were expected. They rose alike,"
        " to {times} times what is expected of them: it is no surge of one country's own. Most of"
        " it is from {country}.",
        len(rise.parts),
        sessions=language.begin(_count(rise, language)),
        span=language.span(rise.start_day, rise.end_day),
        expected=language.count(rise.expected),
        times=language.number(rise.others_ratio or 0, 1),
        country=name_country(rise.parts[0].country, language),
    )
    title = language.gettext(
        "Surge from most countries alike since {date}", date=str(rise.start_day)
    )
    return Alert(title, body + because)


def write_closed(rise: CommonRise, because: str, language: Language) -> Alert:
    """Say that it is over, and how large it was."""
    body = language.ngettext(
        "{sessions} of {count} country {span}, where {expected} were expected.",
        "{sessions} of {count} countries {span}, where {expected} were expected.",
        len(rise.parts),
        span=language.span(rise.start_day, rise.end_day),
        sessions=language.begin(_count(rise, language)),
        expected=language.count(rise.expected),
    )
    return Alert(language.gettext("Surge from most countries alike is over"), body + because)


def _count(rise: CommonRise, language: Language) -> str:
    counted = count_at_least if rise.is_at_least else count_sessions
    return counted(rise.observed, language)
