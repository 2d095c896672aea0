"""The report's restatements: what each publication changed of what had been published, and why."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from pipeline.days import Span
from pipeline.lake.lake import Lake
from pipeline.lake.query import State
from pipeline.text import escape

MOST_RESTATEMENTS = 30
_SHOWN = 5
"""Days and countries of a restatement that are in sight at once."""
_SHOWN_FILES = 12
_LISTS_FILES = re.compile(r"(?:the day beside it, [0-9-]+, has )?([a-z][a-z ]+): (.+)", re.DOTALL)
_AND_MORE = re.compile(r" and [0-9]+ more$")


@dataclass(frozen=True)
class RestatedDay:
    """A day's total before and after, and how complete the day was; see the SQL of this name."""

    published_at: datetime
    day: date
    sessions_before: int
    was_preliminary: bool | None
    sources_before: int | None
    expected_before: int | None
    sessions_after: int
    is_preliminary: bool | None
    sources: int | None
    sources_expected: int | None
    reason: str
    all_publications: int


@dataclass(frozen=True)
class RestatedCountry:
    """A country's figures on the days restated, summed."""

    published_at: datetime
    country: str
    sessions_before: int
    sessions_after: int


@dataclass(frozen=True)
class Restatement:
    """One publication that changed figures."""

    published_at: datetime
    reasons: list[str]
    """Why, each file named once."""
    first_day: date
    last_day: date
    days: list[RestatedDay]
    """Those whose total moved most, in order of time; ``more_days`` are the others."""
    countries: list[RestatedCountry]
    """The report's country first, then who moved farthest; then come ``more_countries``."""
    more_days: list[RestatedDay]
    more_countries: list[RestatedCountry]


@dataclass(frozen=True)
class RestatedSpan:
    """What the newest restatements of a span changed of all countries together."""

    days: list[RestatedDay]
    file_names: set[str]
    """Of the lake's files, as reasons write them."""


def gather_restated(state: State, span: Span) -> RestatedSpan:
    """Ask for what pages of all countries say of restatements."""
    days = state.ask(RestatedDay, "report/restated_days", most=MOST_RESTATEMENTS, **span.bound)
    return RestatedSpan(days, set(_names_in(state.lake, (one.reason for one in days))))


def _names_in(lake: Lake, reasons: Iterable[str]) -> Iterator[str]:
    """The names of files that some reasons may list, as they write them; a lake has very many."""
    clauses = (clause for reason in set(reasons) for clause in reason.split("; "))
    said = {name for _, files, _ in filter(None, map(_part_list, clauses)) for name in files}
    if said:
        from pipeline.lake.records import read_records  # noqa: PLC0415 loads Arrow

        for names in read_records(lake.ledger, ["name"])["name"].chunks:
            yield from said.intersection(map(escape, names.to_pylist()))


def gather_restatements(
    state: State, restated: RestatedSpan, country: str, span: Span
) -> list[Restatement]:
    """The newest restatements of a span, the newest first; ``country`` is the report's."""
    if not restated.days:
        return []
    moved = state.ask(
        RestatedCountry, "report/restated_countries", country=country, most=MOST_RESTATEMENTS,
        **span.bound,
    )  # fmt: skip
    countries = {at: list(its) for at, its in groupby(moved, lambda one: one.published_at)}
    return [
        _join(list(its), countries.get(at, []), restated.file_names)
        for at, its in groupby(restated.days, lambda one: one.published_at)
    ]


def _join(
    days: list[RestatedDay], countries: list[RestatedCountry], names: Collection[str]
) -> Restatement:
    by_size = sorted(days, key=lambda one: -abs(one.sessions_after - one.sessions_before))
    # One row alone is not worth folding.
    shown = by_size[: _SHOWN if len(days) > _SHOWN + 1 else _SHOWN + 1]
    last = _SHOWN if len(countries) > _SHOWN + 1 else _SHOWN + 1
    return Restatement(
        days[0].published_at,
        name_files_once([one.reason for one in by_size], names),
        days[0].day,
        days[-1].day,
        days=[one for one in days if one in shown],
        countries=countries[:last],
        more_days=[one for one in days if one not in shown],
        more_countries=countries[last:],
    )


def name_files_once(reasons: Iterable[str], names: Collection[str]) -> list[str]:
    """The reasons of several days, what they say of files joined.

    Args:
        reasons: as they were published. One that cannot be taken apart stays as it is.
        names: of the lake's files, as reasons write them.
    """
    listed: dict[str, dict[str, None]] = {}
    others: dict[str, None] = {}
    is_cut: set[str] = set()
    for reason in dict.fromkeys(reasons):
        found = [_read_list(clause, names) for clause in reason.split("; ")]
        if None in found:
            others[reason] = None
            continue
        for what, files, has_more in filter(None, found):
            listed.setdefault(what, {}).update(dict.fromkeys(files))
            is_cut |= {what} if has_more else set()
    said = [_write_list(what, list(files), what in is_cut) for what, files in listed.items()]
    return said + list(others)


def _read_list(clause: str, names: Collection[str]) -> tuple[str, list[str], bool] | None:
    """What a clause says of which files, and whether of more; None when it lists no files."""
    found = _part_list(clause)
    return found if found and all(file in names for file in found[1]) else None


def _part_list(clause: str) -> tuple[str, list[str], bool] | None:
    """The same of what may be no files."""
    match = _LISTS_FILES.fullmatch(clause)
    if not match:
        return None
    has_more = bool(_AND_MORE.search(match[2]))
    return match[1], _AND_MORE.sub("", match[2]).split(", "), has_more


def _write_list(what: str, files: Sequence[str], is_cut: bool) -> str:
    more = len(files) - _SHOWN_FILES
    end = f" and {more:,} more" if more > 0 else " and more" if is_cut else ""
    return f"{what}: {', '.join(files[:_SHOWN_FILES])}{end}"
