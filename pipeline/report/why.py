"""What the lake says of why surges were, and whether they were people."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeVar

from pipeline.lake.query import State
from pipeline.report import wording
from pipeline.report.facts import SurgeEpisode
from pipeline.text import write_number_of
from pipeline.why.explain import MACHINES, Driver, Signal, explain, tell_people


@dataclass(frozen=True)
class Reasons:
    """A surge with everything that is known of why it was."""

    surge: SurgeEpisode
    drivers: list[Driver]
    """The drivers first, by rank."""
    signals: list[Signal]

    @property
    def what(self) -> str:
        """The surge itself, in a sentence."""
        surge = self.surge
        least = "at least " if surge.is_at_least else ""
        return (
            f"Surge {wording.name_addresses(surge.country)},"
            f" {wording.write_span(surge.start_day, surge.end_day)}: {least}"
            f"{write_number_of(surge.observed, 'session')} where"
            f" {wording.write_count(surge.expected)} were expected."
        )

    @property
    def why(self) -> str:
        """What drove it, in a sentence."""
        return explain(self.drivers)

    @property
    def who(self) -> str:
        """Whether it was people, in a sentence."""
        return tell_people(self.signals, self.drivers)

    @property
    def in_short(self) -> str:
        """The one sentence that a figure and an alert carry; empty where nothing was counted."""
        if not self.drivers:
            return ""
        return self.who if self.who.startswith(MACHINES) else self.why


class _OfSurge(Protocol):
    @property
    def country(self) -> str: ...
    @property
    def start_day(self) -> date: ...


_Row = TypeVar("_Row", bound=_OfSurge)


def find_reasons(
    state: State, country: str | None, first_day: date, last_day: date
) -> list[Reasons]:
    """The surges of a country, or of all, that touch a span of days, by excess, largest first."""
    span = {"country": country, "first_day": first_day, "last_day": last_day}
    surges = state.ask(SurgeEpisode, "queries/surges", **span)
    drivers = _by_surge(state.ask(Driver, "report/drivers", **span))
    signals = _by_surge(state.ask(Signal, "report/signals", **span))
    surges.sort(key=lambda one: (-one.excess, one.start_day, one.country))
    keys = [(one.country, one.start_day) for one in surges]
    return [Reasons(one, drivers[k], signals[k]) for one, k in zip(surges, keys, strict=True)]


def _by_surge(rows: Iterable[_Row]) -> dict[tuple[str, date], list[_Row]]:
    found: dict[tuple[str, date], list[_Row]] = defaultdict(list)
    for row in rows:
        found[row.country, row.start_day].append(row)
    return found
