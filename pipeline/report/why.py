"""What the lake says of why surges were, and whether they were people."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date
from math import inf
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from pipeline.days import ONE_DAY
from pipeline.definitions import HINDSIGHT_DAYS
from pipeline.lake.query import State
from pipeline.language import Language
from pipeline.report.facts import ExpectedDay, SurgeEpisode
from pipeline.report.history import KnownDay
from pipeline.report.wording import count_at_least, count_sessions, name_addresses
from pipeline.why.explain import Driver, explain, tell_lacking
from pipeline.why.people import Signal, find_machines, tell_people

MOST_OTHERS = 3
"""Elements of a dimension that are shown, besides the drivers."""


@dataclass(frozen=True)
class Element:
    """A row of ``drivers`` as it is shown, with its share of the sessions that were expected."""

    row: Driver
    usual_share: float | None


@dataclass(frozen=True)
class Reasons:
    """A surge with everything that is known of why it was."""

    surge: SurgeEpisode
    drivers: list[Driver]
    """The drivers first, by rank."""
    signals: list[Signal]
    part: SurgeEpisode | None = None
    """The one day of it that the rows are about, as if it were the surge."""
    is_to_be_told_again: bool = False
    """Whether its size will be told anew when days have come after it."""

    def what(self, language: Language) -> str:
        """The surge itself, or its day, in a sentence."""
        surge = self.part or self.surge
        counted = count_at_least if surge.is_at_least else count_sessions
        said = {
            "where": name_addresses(surge.country, language),
            "span": language.span(surge.start_day, surge.end_day),
            "sessions": counted(surge.observed, language),
            "expected": language.count(surge.expected),
        }
        if self.part:
            return language.gettext(
                "Surge {where}, {span}, in the surge {whole}: {sessions} where {expected} were"
                " expected.",
                **said,
                whole=language.span(self.surge.start_day, self.surge.end_day),
            )
        return language.gettext(
            "Surge {where}, {span}: {sessions} where {expected} were expected.", **said
        )

    def alike(self, language: Language) -> str:
        """That the other countries rose, too, in a sentence; empty where they did not."""
        if self.surge.others_ratio is None:
            return ""
        return language.gettext(
            "The other countries rose alike, to {times} times what is expected of them: it is no"
            " surge of this country's own.",
            times=language.number(self.surge.others_ratio, 1),
        )

    def relocated(self, language: Language) -> str:
        """That another database located its first day, in a sentence; empty if none did."""
        if self.surge.geo_before is None:
            return ""
        return language.gettext(
            "Its first day was located by another database of addresses than days before it, which"
            " had one built on {day}: a country can seem to surge by what a new one places"
            " otherwise.",
            day=self.surge.geo_before,
        )

    def told_again(self, language: Language) -> str:
        """That its expectation is not that of the days before it alone, in a sentence, if so."""
        if not (self.part or self.surge).in_hindsight:
            return ""
        return language.gettext(
            "What is expected of it was told anew from the days before and after it."
        )

    def why(self, language: Language) -> str:
        """What drove it, in a sentence, after those of what else may seem to have."""
        return _join(
            self.told_again(language),
            self.alike(language),
            self.relocated(language),
            explain(self.drivers, language),
        )

    def who(self, language: Language) -> str:
        """Whether it was people, in a sentence."""
        return tell_people(self.signals, self.drivers, language)

    @property
    def elements(self) -> dict[str, list[Element]]:
        """By dimension the drivers, then the largest others; those that drove most come first."""
        expected: dict[str, float] = defaultdict(float)
        for row in self.drivers:
            expected[row.dimension] += row.expected or 0
        shown: dict[str, list[Element]] = defaultdict(list)
        others: Counter[str] = Counter()
        for row in self.drivers:
            others[row.dimension] += row.rank is None
            if not row.is_other and others[row.dimension] <= MOST_OTHERS:
                whole = expected[row.dimension]
                usual = (row.expected or 0) / whole if whole else None
                shown[row.dimension].append(Element(row, usual))
        return shown

    def lacking(self, language: Language) -> str | None:
        """What was not looked at and what would bring it, in a sentence; None when nothing."""
        return tell_lacking(self.drivers, language)

    def may_change(self, language: Language) -> str | None:
        """That its size will be told anew, in a sentence; None where it stands, as of one day."""
        if self.part or not self.is_to_be_told_again:
            return None
        return language.ngettext(
            "How large it was is told anew, once, when it has been over for {count} day, from the"
            " days before and after it: its excess may change.",
            "How large it was is told anew, once, when it has been over for {count} days, from the"
            " days before and after it: its excess may change.",
            HINDSIGHT_DAYS,
        )

    def cause(self, language: Language) -> str:
        """What drove it, or that it was machines; empty if nothing is known."""
        said = ""
        if find_machines(self.signals, self.drivers, language):
            said = self.who(language)
        elif self.drivers:
            said = explain(self.drivers, language)
        return _join(self.relocated(language), said)

    def in_short(self, language: Language) -> str:
        """What a figure carries of it."""
        return _join(self.told_again(language), self.alike(language), self.cause(language))


def _join(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


class _OfSurge(Protocol):
    @property
    def country(self) -> str: ...
    @property
    def start_day(self) -> date: ...


_Row = TypeVar("_Row", bound=_OfSurge)


def find_reasons(
    state: State, country: str | None, first_day: date, last_day: date
) -> list[Reasons]:
    """The surges of a country, or of all, that touch a span of days: a country's own by excess."""
    span = {"country": country, "first_day": first_day, "last_day": last_day}
    surges = state.ask(SurgeEpisode, "queries/surges", **span)
    drivers = _by_surge(state.ask(Driver, "report/drivers", **span))
    signals = _by_surge(state.ask(Signal, "report/signals", **span))
    (known,) = state.ask(KnownDay, "report/known_day", day=first_day)
    newest = known.last_day or date.max
    return [
        Reasons(
            one,
            drivers[one.country, one.start_day],
            signals[one.country, one.start_day],
            is_to_be_told_again=not one.in_hindsight
            and newest < one.end_day + HINDSIGHT_DAYS * ONE_DAY,
        )
        for one in sorted(surges, key=lambda one: one.rank)
    ]


def find_reasons_of_day(state: State, country: str | None, day: date) -> list[Reasons]:
    """The same of the surges that have a day, of that day alone: counted from its sessions."""
    found = find_reasons(state, country, day, day)
    return [one if one.surge.days == 1 else _count_day(state, one.surge, day) for one in found]


def _count_day(state: State, surge: SurgeEpisode, day: date) -> Reasons:
    from pipeline.build.take_apart import count_surges, list_spans  # noqa: PLC0415 loads NumPy
    from pipeline.tables import SURGES  # noqa: PLC0415 loads Arrow

    span = {"country": surge.country, "first_day": day, "last_day": day}
    (judged,) = state.ask(ExpectedDay, "queries/expected", **span)
    expected = judged.observed if judged.expected is None else judged.expected
    part = replace(
        surge, start_day=day, peak_day=day, end_day=day, days=1, observed=judged.observed,
        expected=expected, excess=judged.observed - expected, peak_sessions=judged.observed,
        in_hindsight=False,
    )  # fmt: skip
    table = SURGES.empty_table().from_pylist([asdict(part)], SURGES)
    spans = list_spans(state.connection, table)
    is_of_surge = [surge.start_day <= other < day for other in spans["day"].to_pylist()]
    spans = spans.filter([not one for one in is_of_surge])
    zone = ZoneInfo(state.lake.identity()["timezone"])
    made = count_surges(state.connection, table, spans, zone)
    drivers = [Driver(**row) for row in made["drivers"].to_pylist()]
    drivers.sort(key=lambda row: (row.rank or inf, row.dimension, -(row.excess or 0)))
    signals = [Signal(**row) for row in made["signals"].to_pylist()]
    return Reasons(surge, drivers, signals, part)


def _by_surge(rows: Iterable[_Row]) -> dict[tuple[str, date], list[_Row]]:
    found: dict[tuple[str, date], list[_Row]] = defaultdict(list)
    for row in rows:
        found[row.country, row.start_day].append(row)
    return found
