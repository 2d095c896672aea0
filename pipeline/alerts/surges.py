"""Alerts: a surge opened, a surge closed, a day failed; each said once.

What was said is kept in the lake's ledger, so that retries, backfills and other processes know;
who has not taken it yet, in the ``outbox``. Days further back than ``alert_days`` are silent unless
asked for.
"""

import logging
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from pipeline.alerts.outbox import say_once
from pipeline.alerts.services import Alert
from pipeline.definitions import CENSORED_SHARE
from pipeline.lake.lake import Lake
from pipeline.lake.partitions import read_table
from pipeline.settings import Settings
from pipeline.surges.episodes import LONGEST_STEP_DAYS
from pipeline.surges.results import last_settled_day
from pipeline.text import write_limit, write_number_of

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
    surges: list[dict[str, Any]], last_day: date, said: list[Said], since: date
) -> tuple[list[Alert], list[Said]]:
    """What is new about the surges since what was said, and what will then have been said.

    Args:
        surges: rows of the table ``surges``, with ``expected`` of the span, and ``because``: why
            one ``is_at_least`` of its size, in sentences.
        last_day: the last day that lacks nothing: a surge is over when so many have passed that
            it can't go on any more.
        said: from an earlier call.
        since: surges that ended before are old news: nothing is said, and nothing remembered.
    """
    alerts: list[Alert] = []
    kept = list(said)
    for row in surges:
        known = next((one for one in kept if _is_same(one, row)), None)
        is_over = last_day - row["end_day"] >= timedelta(days=LONGEST_STEP_DAYS)
        if known is None and row["end_day"] < since:
            continue
        if known is None:
            alerts.append(_opened(row))
        if is_over and not (known and known.is_closed):
            alerts.append(_closed(row))
        is_over = is_over or bool(known and known.is_closed)
        kept = [one for one in kept if one is not known]
        days = (str(row["start_day"]), str(row["end_day"]))
        kept.append(Said(row["country"], *days, is_closed=is_over))
    return alerts, kept


def _is_same(said: Said, row: dict[str, Any]) -> bool:
    return said.country == row["country"] and _touch(
        date.fromisoformat(said.start_day), date.fromisoformat(said.end_day),
        row["start_day"], row["end_day"],
    )  # fmt: skip


def _touch(start: date, end: date, other_start: date, other_end: date) -> bool:
    step = timedelta(days=LONGEST_STEP_DAYS)
    return start - step <= other_end and other_start - step <= end


def _opened(row: dict[str, Any]) -> Alert:
    least = "at least " if row["is_at_least"] else ""
    body = (
        f"{least}{_count_peak(row)} from {row['country']} on {row['peak_day']},"
        f" {least}{row['peak_ratio']:.1f} times what its own history expects;"
        f" {least}{row['observed']:,} {_write_span(row)},"
        f" {least}{row['excess']:,.0f} above the expected.{row['because']}"
    )
    return Alert(
        f"Surge from {row['country']} since {row['start_day']}", body[0].upper() + body[1:]
    )


def _closed(row: dict[str, Any]) -> Alert:
    least = "at least " if row["is_at_least"] else ""
    observed = write_number_of(row["observed"], "session")
    return Alert(
        f"Surge from {row['country']} is over",
        f"It lasted {_write_days(row)}, with its peak on {row['peak_day']}"
        f" ({least}{_count_peak(row)}); {least}{observed} in all,"
        f" {least}{row['excess']:,.0f} above the expected.{row['because']}",
    )


def _count_peak(row: dict[str, Any]) -> str:
    return write_number_of(row["peak_sessions"], "session")


def _write_days(row: dict[str, Any]) -> str:
    span = row["start_day"] if row["days"] == 1 else f"{row['start_day']} to {row['end_day']}"
    return f"{write_number_of(row['days'], 'day')}, {span}"


def _write_span(row: dict[str, Any]) -> str:
    is_one = row["start_day"] == row["end_day"]
    return f"on {row['start_day']}" if is_one else f"from {row['start_day']} to {row['end_day']}"


def _explain(surge: dict[str, Any], days: list[dict[str, Any]]) -> str:
    """Why a surge is at least that large, a space before each sentence; empty when it is not."""
    if not surge["is_at_least"]:
        return ""
    its = [one for one in days if surge["start_day"] <= one["day"] <= surge["end_day"]]
    said = ""
    if any(one.get("is_preliminary") for one in its):
        said += " The logs of its days are not complete."
    if any(one.get("is_censored") for one in its):
        said += (
            " Visitors were turned away: of a day's requests (robots left out)"
            f" {write_limit(CENSORED_SHARE)} or more ended in a failure of the server (5xx)."
        )
    return said


def note_surges(settings: Settings, day: date, today: date, *, is_asked: bool) -> list[Alert]:
    """Write down as due what is new about the lake's surges; returns it.

    A part of today that the watch counted already can neither open a surge here nor end one; nor
    can a day that lacks a part end one.

    Args:
        settings: whose lake, and where alerts go.
        day: the local day that was just counted.
        today: the local date now: the run of a day too far back is silent,
        is_asked: unless it was asked to speak; what is old is then told from ``day``.
    """
    reach = timedelta(days=settings.alert_days)
    if not settings.alert_urls or (day < today - reach and not is_asked):
        return []
    lake = Lake(settings.lake)
    surges = read_table(lake.part_path("surges")).to_pylist()
    days = read_table(lake.part_path("days"))
    about = days.to_pylist()
    surges = [
        surge | {"because": _explain(surge, about)}
        for surge in surges
        if surge["start_day"] < today
    ]
    last_day = last_settled_day(days, today) or day
    since = (day if is_asked else today) - reach

    def find(content: dict[str, Any]) -> tuple[list[Alert], dict[str, Any]]:
        said = [Said(**one) for one in content.get("said", [])]
        alerts, then = find_news(surges, last_day, said, since)
        return alerts, {"said": [asdict(one) for one in then]} if then != said else content

    return say_once(settings, "surges", today, find)
