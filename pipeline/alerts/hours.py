"""The watch's alerts: hours far above the usual, said once a surge, while it is going on.

What was said is kept in the lake's ledger beside what ``alerts`` said. A surge that goes on over
midnight, or is found again by the next hours, is the same: nothing is said until a country has had
no such hour for as many days as end an episode. The night's "Surge from ... since ..." still
follows once, with counted figures.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from pipeline.alerts.outbox import say_once
from pipeline.alerts.services import Alert, AlertSettings, name_country
from pipeline.alerts.today import HourRow
from pipeline.days import ONE_HOUR
from pipeline.language import Language
from pipeline.surges.episodes import LONGEST_STEP_DAYS

_MOST_NAMED = 3
_MOST_LINES = 20


def find_new_hours(
    alarms: Iterable[HourRow], said: dict[str, str]
) -> tuple[list[HourRow], dict[str, str]]:
    """The latest hour of each country that nothing was said of, the largest excess first.

    Args:
        alarms: hours that are surges, in order of time.
        said: by country, the last day (ISO) on which it had such an hour.

    Returns:
        The hours, and what will then have been said.
    """
    latest = {row.country: row for row in alarms}
    then = dict(said)
    for country, row in latest.items():
        then[country] = max(str(row.hour.date()), said.get(country, ""))
    new = [row for row in latest.values() if not _is_known(row, said.get(row.country))]
    return sorted(new, key=lambda row: (row.expected or 0) - row.sessions), then


def _is_known(row: HourRow, last_day: str | None) -> bool:
    if last_day is None:
        return False
    return abs(row.hour.date() - date.fromisoformat(last_day)) <= timedelta(LONGEST_STEP_DAYS)


def write_alert(rows: Sequence[HourRow], language: Language) -> Alert:
    """One message for all countries that began to surge: at the height of a storm, dozens do."""
    names = [name_country(row.country, language) for row in rows[:_MOST_NAMED]]
    more = len(rows) - len(names)
    where = ", ".join(names)
    if more:
        where = language.ngettext(
            "{some} and {count} more", "{some} and {count} more", more, some=where
        )
    span = max(_span(row) for row in rows)
    lines = [
        language.ngettext(
            "{country}: {count} session from {hour}, {expected} expected, preliminary",
            "{country}: {count} sessions from {hour}, {expected} expected, preliminary",
            row.sessions, country=name_country(row.country, language), hour=_span(row),
            expected=language.count(row.expected or 0),
        )
        for row in rows[:_MOST_LINES]
    ]  # fmt: skip
    left = len(rows) - len(lines)
    if left:
        lines.append(
            language.ngettext("and {count} more country", "and {count} more countries", left)
        )
    return Alert(
        language.gettext("Surge from {countries} in the hour {hour}", countries=where, hour=span),
        "\n".join(lines),
    )


def _span(row: HourRow) -> str:
    end = row.hour + ONE_HOUR
    return f"{row.hour:%Y-%m-%d %H:%M}-{end:%H:%M}"


def note_hours(how: AlertSettings, alarms: Sequence[HourRow], today: date) -> list[Alert]:
    """Write down as due what is new about the hours that are surges; returns it.

    ``today``: the local date.
    """
    if not how.services or not alarms:
        return []

    def find_news(said: dict[str, str]) -> tuple[list[Alert], dict[str, Any]]:
        rows, then = find_new_hours(alarms, said)
        return [write_alert(rows, how.language)] if rows else [], then

    return say_once(how, "hours", today, find_news)
