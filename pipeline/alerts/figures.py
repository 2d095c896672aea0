"""Alerts about published figures: a day is incomplete, a figure was restated; each said once.

Only written down here, as those about surges are: what was said is kept in the lake's ledger, and
days further back than ``alert_days`` are silent unless asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow.compute as pc

from pipeline.alerts.outbox import say_once
from pipeline.alerts.services import Alert, AlertSettings, name_country
from pipeline.build.restatements import read_restatements
from pipeline.definitions import ALL
from pipeline.lake.query import one_state
from pipeline.lake.zone import open_lake
from pipeline.language import Language
from pipeline.report.facts import Day
from pipeline.report.wording import write_sources
from pipeline.text import escape

LEAST_SESSIONS = 100
"""A country's figure that was never that large raises no alert: a few sessions are many percent."""
_SHOWN_COUNTRIES = 5
_LONGEST_REASON = 500


@dataclass(frozen=True)
class FigureChange:
    """A published figure that moved: from the value last said, or the first one, to that of now."""

    day: date
    country: str
    before: int
    after: int
    reason: str

    @property
    def key(self) -> str:
        """How the ledger names the figure."""
        return f"{self.day} {self.country}"

    def is_larger_than(self, share: float) -> bool:
        """Whether it moved by more than ``share`` of what it was, and is large enough to matter."""
        is_large = self.country == ALL or max(self.before, self.after) >= LEAST_SESSIONS
        return is_large and abs(self.after - self.before) > share * self.before


def find_changes(rows: Iterable[dict[str, Any]], said: dict[str, int]) -> list[FigureChange]:
    """What moved among the figures.

    Args:
        rows: of ``restatements``, ordered by day, country and time.
        said: the value of each figure when an alert last spoke of it, by ``FigureChange.key``.
    """
    changes = []
    for (day, country), group in groupby(rows, itemgetter("day", "country")):
        values = list(group)
        moved = [row for row in values if row["previous_sessions"] not in (None, row["sessions"])]
        if not moved:
            continue
        first = values[0]["previous_sessions"]  # 0: it came later to a day published without it
        first = values[0]["sessions"] if first is None else first
        before = said.get(f"{day} {country}", first)
        changes.append(
            FigureChange(day, country, before, values[-1]["sessions"], moved[-1]["reason"])
        )
    return changes


def note_restatements(how: AlertSettings, day: date, today: date, *, is_asked: bool) -> list[Alert]:
    """Write down as due, once a day restated, which figures moved by more than the setting allows.

    A figure that creeps is announced when it has moved so far in all. Arguments are those of
    ``surges.note_surges``; returns what is due.
    """
    span = _find_span(how, day, today, is_asked=is_asked)
    if span is None:
        return []
    lake = how.lake
    table = read_restatements(lake)
    is_near = pc.and_(pc.greater_equal(table["day"], span[0]), pc.less_equal(table["day"], span[1]))
    rows = table.filter(is_near).to_pylist()

    def find_news(said: dict[str, int]) -> tuple[list[Alert], dict[str, Any]]:
        large = [
            change
            for change in find_changes(rows, said)
            if change.is_larger_than(how.restated_share)
        ]
        days = groupby(large, lambda change: change.day)
        alerts = [_restated(restated, list(changes), how.language) for restated, changes in days]
        return alerts, said | {change.key: change.after for change in large}

    return say_once(how, "restatements", today, find_news)


def _restated(day: date, changes: list[FigureChange], language: Language) -> Alert:
    ordered = sorted(
        changes, key=lambda one: (one.country != ALL, -abs(one.after - one.before), one.country)
    )
    listed = ", ".join(
        _write_change(change, language) for change in ordered[: _SHOWN_COUNTRIES + 1]
    )
    more = len(ordered) - _SHOWN_COUNTRIES - 1
    if more > 0:
        listed = language.ngettext(
            "{some}, and {count} more", "{some}, and {count} more", more, some=listed
        )
    reason = escape(language.retell(ordered[0].reason))
    if len(reason) > _LONGEST_REASON:
        reason = reason[:_LONGEST_REASON] + " ..."
    return Alert(
        language.gettext("Figures of {date} were restated", date=str(day)),
        language.gettext("Sessions: {figures}. Why: {reason}.", figures=listed, reason=reason),
    )


def _write_change(change: FigureChange, language: Language) -> str:
    is_total = change.country == ALL
    said = {
        "country": language.gettext("all countries")
        if is_total
        else escape(name_country(change.country, language)),
        "before": change.before,
        "after": change.after,
    }
    if not change.before:
        return language.gettext("{country} {before} to {after}", **said)
    moved = (change.after - change.before) / change.before
    sign = "+" if moved >= 0 else "-"
    percent = f"{sign}{language.number(100 * abs(moved), 1)}"
    return language.gettext("{country} {before} to {after} ({percent} %)", **said, percent=percent)


def note_incomplete(how: AlertSettings, day: date, today: date, *, is_asked: bool) -> list[Alert]:
    """Write down as due, once a day, that a day's logs are incomplete; arguments as above.

    Not of days that were not published: what one file brings of a neighbouring day is none.
    """
    span = _find_span(how, day, today, is_asked=is_asked)
    if span is None:
        return []
    with one_state(open_lake(how.lake.place)) as state:
        published = set(read_restatements(state.lake)["day"].to_pylist())
        days = {
            str(one.day): one
            for one in state.ask(Day, "report/days", first_day=span[0], last_day=span[1])
            if one.is_preliminary and one.day in published
        }

    def find_news(said: dict[str, Any]) -> tuple[list[Alert], dict[str, Any]]:
        new = {name: one for name, one in days.items() if name not in said}
        alerts = [_incomplete(one, how.language) for one in new.values()]
        return alerts, said | {name: {"share": one.share} for name, one in new.items()}

    return say_once(how, "incomplete", today, find_news)


def _incomplete(about: Day, language: Language) -> Alert:
    sources = write_sources(about.sources_whole, about.sources_expected, language)
    if about.share is None:
        body = language.gettext(
            "Logs of {sources} are in: its figures are preliminary.", sources=sources
        )
    else:
        body = language.gettext(
            "Logs of {sources} are in ({share} of what was expected): its figures are preliminary.",
            sources=sources, share=language.share(about.share),
        )  # fmt: skip
    because = escape("; ".join(map(language.retell, about.reasons)))[:_LONGEST_REASON]
    if because:
        body += " " + language.gettext("Why: {reasons}.", reasons=because)
    return Alert(language.gettext("{date} is incomplete", date=str(about.day)), body)


def _find_span(
    how: AlertSettings, day: date, today: date, *, is_asked: bool
) -> tuple[date, date] | None:
    """The first and the last day to speak of; None when nothing is to be said."""
    if not how.speaks_of(day, today, is_asked=is_asked):
        return None
    reach = timedelta(days=how.days)
    last = day if is_asked else today - timedelta(days=1)
    return last - reach, last
