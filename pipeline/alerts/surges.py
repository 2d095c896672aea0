"""Alerts: a surge opened, a surge closed, a day failed; each said once.

What was said is kept in the lake's ledger, so that retries, backfills and other processes know;
who has not taken it yet, in the ``outbox``. Days further back than ``alert_days`` are silent unless
asked for.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from pipeline.alerts.common_rises import CommonRise, join_common, write_closed, write_opened
from pipeline.alerts.outbox import say_once
from pipeline.alerts.services import Alert, AlertSettings, name_country
from pipeline.definitions import CENSORED_SHARE
from pipeline.lake.query import one_state
from pipeline.lake.zone import open_lake
from pipeline.language import Language
from pipeline.report.facts import Day, SurgeEpisode
from pipeline.report.why import find_reasons
from pipeline.report.wording import count_sessions, lower_tenth
from pipeline.surges.episodes import LONGEST_STEP_DAYS
from pipeline.surges.results import last_settled_day

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Said:
    """What was said of one surge: where it lay when last looked at, and whether its end was said.

    A rebuilt episode may begin or end on other days; it is the same while the spans touch.
    """

    country: str
    start_day: str
    end_day: str
    is_closed: bool


def find_news(
    surges: Mapping[SurgeEpisode, str],
    last_day: date,
    said: list[Said],
    since: date,
    language: Language,
) -> tuple[list[Alert], list[Said]]:
    """What is new about the surges since what was said, and what will then have been said.

    Args:
        surges: by each, what is to be said of it besides, in sentences, a space before each: why
            it ``is_at_least`` of its size, when it is, and what drove it.
        last_day: the last day that lacks nothing: a surge is over when so many have passed that
            it can't go on any more.
        said: from an earlier call.
        since: surges that ended before are old news: nothing is said, and nothing remembered.
        language: of the alerts.
    """
    alerts: list[Alert] = []
    kept = list(said)
    for surge, because in surges.items():
        known = next((one for one in kept if _is_same(one, surge)), None)
        is_over = last_day - surge.end_day >= timedelta(days=LONGEST_STEP_DAYS)
        if known is None and surge.end_day < since:
            continue
        if known is None:
            alerts.append(_opened(surge, because, language))
        if is_over and not (known and known.is_closed):
            alerts.append(_closed(surge, because, language))
        is_over = is_over or bool(known and known.is_closed)
        kept = [one for one in kept if one is not known]
        days = (str(surge.start_day), str(surge.end_day))
        kept.append(Said(surge.country, *days, is_closed=is_over))
    return alerts, kept


def _is_same(said: Said, surge: SurgeEpisode) -> bool:
    return said.country == surge.country and _touch(
        date.fromisoformat(said.start_day), date.fromisoformat(said.end_day),
        surge.start_day, surge.end_day,
    )  # fmt: skip


def _touch(start: date, end: date, other_start: date, other_end: date) -> bool:
    step = timedelta(days=LONGEST_STEP_DAYS)
    return start - step <= other_end and other_start - step <= end


def _opened(surge: SurgeEpisode, because: str, language: Language) -> Alert:
    times = lower_tenth(surge.peak_ratio) if surge.is_at_least else surge.peak_ratio
    if isinstance(surge, CommonRise):
        return write_opened(surge, because, language)
    said = {
        "peak": _count_peak(surge, language),
        "country": name_country(surge.country, language),
        "peak_day": str(surge.peak_day),
        "times": language.number(times, 1),
        "observed": language.count(surge.observed),
        "span": _write_span(surge, language),
        "excess": language.count(surge.excess),
    }
    if surge.is_at_least:
        body = language.gettext(
            "At least {peak} from {country} on {peak_day}, at least {times} times what its own"
            " history expects; at least {observed} {span}, at least {excess} above the expected.",
            **said,
        )
    else:
        body = language.gettext(
            "{peak} from {country} on {peak_day}, {times} times what its own history expects;"
            " {observed} {span}, {excess} above the expected.",
            **said,
        )
    title = language.gettext(
        "Surge from {country} since {date}",
        country=name_country(surge.country, language),
        date=str(surge.start_day),
    )
    return Alert(title, body + because)


def _closed(surge: SurgeEpisode, because: str, language: Language) -> Alert:
    if isinstance(surge, CommonRise):
        return write_closed(surge, because, language)
    said = {
        "days": _write_days(surge, language),
        "peak_day": str(surge.peak_day),
        "peak": _count_peak(surge, language),
        "observed": count_sessions(surge.observed, language),
        "excess": language.count(surge.excess),
    }
    if surge.is_at_least:
        body = language.gettext(
            "It lasted {days}, with its peak on {peak_day} (at least {peak}); at least {observed}"
            " in all, at least {excess} above the expected.",
            **said,
        )
    else:
        body = language.gettext(
            "It lasted {days}, with its peak on {peak_day} ({peak}); {observed} in all, {excess}"
            " above the expected.",
            **said,
        )
    title = language.gettext(
        "Surge from {country} is over", country=name_country(surge.country, language)
    )
    return Alert(title, body + because)


def _count_peak(surge: SurgeEpisode, language: Language) -> str:
    return count_sessions(surge.peak_sessions, language)


def _write_days(surge: SurgeEpisode, language: Language) -> str:
    if surge.days == 1:
        return language.gettext("1 day, {date}", date=str(surge.start_day))
    return language.ngettext(
        "{count} day, {start} to {end}", "{count} days, {start} to {end}",
        surge.days, start=str(surge.start_day), end=str(surge.end_day),
    )  # fmt: skip


def _write_span(surge: SurgeEpisode, language: Language) -> str:
    if surge.start_day == surge.end_day:
        return language.gettext("on {date}", date=str(surge.start_day))
    return language.gettext(
        "from {start} to {end}", start=str(surge.start_day), end=str(surge.end_day)
    )


def _explain(surge: SurgeEpisode, days: Iterable[Day], language: Language) -> str:
    """Why a surge is at least that large, a space before each sentence; empty when it is not."""
    if not surge.is_at_least:
        return ""
    its = [one for one in days if surge.start_day <= one.day <= surge.end_day]
    said = []
    if any(one.is_preliminary for one in its):
        said.append(language.gettext("The logs of its days are not complete."))
    if any(one.is_censored for one in its):
        said.append(
            language.gettext(
                "Visitors were turned away: of a day's requests (robots left out) {limit} or more"
                " ended in a failure of the server (5xx).",
                limit=language.limit(CENSORED_SHARE),
            )
        )
    return "".join(f" {sentence}" for sentence in said)


def note_surges(how: AlertSettings, day: date, today: date, *, is_asked: bool) -> list[Alert]:
    """Write down as due what is new about the lake's surges; returns it.

    A part of today that the watch counted already can neither open a surge here nor end one; nor
    can a day that lacks a part end one.

    Args:
        how: whose lake, and where alerts go.
        day: the local day that was just counted.
        today: the local date now: the run of a day too far back is silent,
        is_asked: unless it was asked to speak; what is old is then told from ``day``.
    """
    if not how.speaks_of(day, today, is_asked=is_asked):
        return []
    since = (day if is_asked else today) - timedelta(days=how.days)
    span = {"first_day": date.min, "last_day": today - timedelta(days=1)}
    with one_state(open_lake(how.lake.place)) as state:
        found = state.ask(SurgeEpisode, "queries/surges", country=None, **span)
        days = state.ask(Day, "report/days", first_day=date.min, last_day=date.max)
        reasons = find_reasons(state, None, since, span["last_day"])
    why = {one.surge: f" {one.cause(how.language)}".rstrip() for one in reasons}
    own = [surge for surge in found if not surge.is_common]
    own.sort(key=lambda surge: (surge.country, surge.start_day))
    surges = {
        surge: _explain(surge, days, how.language) + why.get(causing, "")
        for surge, causing in [
            *((rise, rise.parts[0]) for rise in join_common(found)), *((one, one) for one in own)
        ]
    }  # fmt: skip
    is_partial = {one.day: bool(one.is_preliminary) for one in days}
    last_day = last_settled_day(is_partial, today) or day

    def find(content: dict[str, Any]) -> tuple[list[Alert], dict[str, Any]]:
        said = [Said(**one) for one in content.get("said", [])]
        alerts, then = find_news(surges, last_day, said, since, how.language)
        return alerts, {"said": [asdict(one) for one in then]} if then != said else content

    return say_once(how, "surges", today, find)
