"""What must be known of rows of days: said beside them, and in JSON by each row itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pipeline.days import ALL_DAYS, Span
from pipeline.definitions import LEAST_HISTORY_DAYS, UNREAD_SHARE
from pipeline.language import ENGLISH, Language
from pipeline.report.wording import say_future, say_overtaken, say_unbuilt
from pipeline.text import write_number_of

if TYPE_CHECKING:
    from pipeline.lake.query import State

_Wording = Callable[[Sequence[date], Language], str]


@dataclass
class Caveats:
    """Sentences by the days that they are about, and those about every row."""

    by_days: list[tuple[_Wording, list[date]]]
    of_all: list[str] = field(default_factory=list)

    def say(
        self, language: Language = ENGLISH, about: Sequence[Span] = (ALL_DAYS,)
    ) -> Iterator[str]:
        """Each of them once, of the days asked about.

        Days that were not counted, or are lost, are in no row, so that every row has theirs.
        """
        for wording, days in self.by_days:
            is_of_any = wording in (say_unbuilt, _say_lost)
            if its := [day for day in days if is_of_any or any(day in span for span in about)]:
                yield wording(its, language)
        yield from self.of_all

    def add_to(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        language: Language = ENGLISH,
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Rows with one value more, ``caveats``: what is to be known of the row's own days."""
        first, last = (
            columns.index(name if name in columns else "day") for name in ("start_day", "end_day")
        )
        known: dict[Span, list[str]] = {}
        told = []
        for row in rows:
            span = Span(row[first], row[last])
            if span not in known:
                known[span] = [*self.say(language, [span])]
            told.append((*row, known[span]))
        return [*columns, "caveats"], told


def find_caveats(
    state: State, timeout_minutes: int, present: datetime, span: Span = ALL_DAYS
) -> Caveats:
    """Days of a span that were counted of other raw files than the lake has now, or not yet.

    And those that may have lines twice, have not begun by the clock, which says ``present``, or of
    which files were left out since they were judged (rows say it of the others), or of whose files
    many lines are unread or most visitors may be proxies.
    """
    from pipeline.build.counted import find_uncounted, list_lost
    from pipeline.lake.left_out import list_missing

    found = find_uncounted(state, timeout_minutes)
    columns, rows = state.query("report/days", **span.bound)
    named = [dict(zip(columns, row, strict=True)) for row in rows]
    today = present.astimezone(ZoneInfo(state.lake.identity()["timezone"])).date()
    future = [row["day"] for row in named if row["day"] > today]
    reasons = {row["day"]: row["reasons"] for row in named}
    left_out = {
        one.day
        for one in list_missing(state.lake, map(str, reasons))
        if f"{one.source}: {one.text}" not in reasons[one.day]
    }
    _, doubtful = state.query("report/doubtful_files", unread_share=UNREAD_SHARE, **span.bound)
    doubted = [row["day"] for row in named if row["doubts"]]
    every: list[tuple[_Wording, list[date]]] = [
        (say_overtaken, found.overtaken), (say_unbuilt, found.unbuilt), (_say_doubted, doubted),
        (say_future, future),
        (_say_lost, list_lost(state.lake, (row["day"] for row in named))),
        (_say_left_out, sorted(left_out)),
        (_say_unread, [day for day, is_unread, _, _ in doubtful if is_unread]),
        (_say_proxied, [day for day, _, is_proxied, _ in doubtful if is_proxied]),
        (_say_zoneless, [day for day, _, _, is_zoneless in doubtful if is_zoneless]),
    ]  # fmt: skip
    within = ((wording, [day for day in days if day in span]) for wording, days in every)
    return Caveats([(wording, days) for wording, days in within if days])


def _say_lost(days: Sequence[date], language: Language) -> str:
    return language.gettext(
        "The lake lacks figures of {days}, as a copy does that is not whole: copy it again, or"
        " {command} counts them anew.",
        days=language.days(days), command="`tidegauge build`",
    )  # fmt: skip


def _say_left_out(days: Sequence[date], language: Language) -> str:
    return language.gettext(
        "Raw files of {days} were there and are not in the lake: {command} names them.",
        days=language.days(days), command="`tidegauge status`",
    )  # fmt: skip


def _say_unread(days: Sequence[date], language: Language) -> str:
    return language.gettext(
        "{limit} or more of the lines of the files of {days} could not be read and are not"
        " counted: {command} says how many.",
        limit=language.limit(UNREAD_SHARE), days=language.days(days),
        command="`tidegauge figure --day`",
    )  # fmt: skip


def _say_proxied(days: Sequence[date], language: Language) -> str:
    return language.gettext(
        "Most visitors of a source of {days} are proxies that are not trusted, or have private"
        " addresses: {command} says of which.",
        days=language.days(days), command="`tidegauge figure --day`",
    )  # fmt: skip


def _say_zoneless(days: Sequence[date], language: Language) -> str:
    return language.gettext(
        "Times of a source of {days} have no offset and were taken for UTC: {command} says of"
        " which.",
        days=language.days(days), command="`tidegauge figure --day`",
    )  # fmt: skip


def _say_doubted(days: Sequence[date], language: Language) -> str:
    return language.gettext(
        "Some lines of {days} may be counted twice: {command} says which.",
        days=language.days(days), command="`tidegauge figure --day`",
    )  # fmt: skip


def say_lack_of_history(state: State) -> str:
    """That no day could be judged yet; nothing where one was."""
    _, ((whole_days, judged),) = state.query("report/known_history")
    if judged:
        return ""
    return (
        "No country has enough history yet: the lake has"
        f" {write_number_of(whole_days, 'whole day')}, and a day is judged by"
        f" {LEAST_HISTORY_DAYS} before it at least."
    )
