"""Now and then side by side: rows of figures, and what becomes of surges."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from pipeline.compare.basis import Basis, Figures, Outcome
from pipeline.definitions import ALL, NO_COUNTRY
from pipeline.surges import find_surges

COLUMNS = ["day", "country", "variant", "sessions", "sessions_then", "difference", "percent",
           "is_surge", "is_surge_then", "share", "is_preliminary", "is_censored"]  # fmt: skip
_LARGEST = 5
_UNJUDGED = (None, None, None)
_DAILY = pa.schema([("day", pa.date32()), ("country", pa.string()), ("sessions", pa.int64())])

Flags = frozenset[tuple[date, str]] | None
"""The flagged days and countries; None where they can't be known."""


def largest_countries(basis: Basis) -> list[str]:
    """The countries with most sessions on the days compared, at most five."""
    days = set(basis.wanted)
    totals: dict[str, int] = {}
    for (day, country), sessions in basis.now.items():
        if day in days:
            totals[country] = totals.get(country, 0) + sessions
    return sorted(totals, key=lambda country: (-totals[country], country))[:_LARGEST]


def flags_then(basis: Basis, outcome: Outcome) -> Flags:
    """The surges that the figures would have; None unless all days are compared.

    Days left out keep the lake's figures, as a sealed day does, where days stay the same. A day of
    another zone counts as incomplete when the lake's day of that date is.
    """
    if not basis.is_all:
        return None
    then = outcome.figures
    if outcome.keeps_days:
        counted = {day for day, _ in then}
        then = {key: n for key, n in basis.now.items() if key[0] not in counted} | then
    columns = [[day for day, _ in then], [country for _, country in then], list(then.values())]
    daily = pa.table([pa.array(c, f.type) for c, f in zip(columns, _DAILY, strict=True)], _DAILY)
    ordered = daily.sort_by([("day", "ascending"), ("country", "ascending")])
    unlocated = basis.unlocated - {day for day, country in then if country != NO_COUNTRY}
    expected, _ = find_surges(ordered, basis.completeness, unlocated=unlocated)
    flagged = expected.filter(expected["is_surge"])
    return frozenset(zip(flagged["day"].to_pylist(), flagged["country"].to_pylist(), strict=True))


def make_rows(
    basis: Basis, outcomes: Sequence[Outcome], countries: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Rows of ``COLUMNS`` by day, country (all of them first) and variant."""
    now, flags = _with_totals(basis.now), [flags_then(basis, outcome) for outcome in outcomes]
    then = [_with_totals(outcome.figures) for outcome in outcomes]
    facts = {row.pop("day"): tuple(row.values()) for row in basis.completeness.to_pylist()}
    return [
        (
            day, country, outcome.label, *_compared(now.get((day, country), 0),
            figures.get((day, country), 0)),
            *_flags_of(basis, flagged, day, country), *facts.get(day, _UNJUDGED),
        )
        for day in basis.wanted
        for country in (ALL, *countries)
        for outcome, figures, flagged in zip(outcomes, then, flags, strict=True)
        if (day, ALL) in figures
    ]  # fmt: skip


def _with_totals(figures: Figures) -> Figures:
    totals: Figures = {}
    for (day, _), sessions in figures.items():
        totals[day, ALL] = totals.get((day, ALL), 0) + sessions
    return figures | totals


def _compared(now: int, then: int) -> tuple[int, int, int, float | None]:
    return now, then, then - now, 100 * (then - now) / now if now else None


def _flags_of(
    basis: Basis, then: Flags, day: date, country: str
) -> tuple[bool | None, bool | None]:
    """Whether a country's day is flagged now and then; all countries together are not judged."""
    if country == ALL:
        return None, None
    return (day, country) in basis.flagged, None if then is None else (day, country) in then
