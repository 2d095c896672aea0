"""What is compared: the lake's figures as they are, on the days asked.

Only reads the lake; nothing here counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

import pyarrow as pa

from pipeline.build.build import shown_days
from pipeline.build.built import Built, read_built
from pipeline.build.causes import Cause
from pipeline.build.files_of_days import DayFiles, days_of
from pipeline.build.stale import SessionRules, take_stock
from pipeline.days import ONE_DAY
from pipeline.errors import DataError
from pipeline.lake.database import connect_reader
from pipeline.lake.day_files import read_days, read_part
from pipeline.lake.lake import Lake
from pipeline.text import write_number_of

Figures: TypeAlias = dict[tuple[date, str], int]
"""Sessions by day and country; a day with hits has a row even when it has no sessions."""

_UPGRADE = ("definitions", True)
"""The kind of cause, and that it waits, of a day built before the program changed."""


@dataclass(frozen=True)
class Basis:
    """A lake as it is, and the days that are compared with it."""

    lake: Lake
    zone: ZoneInfo
    rules: SessionRules
    """What the lake's newest day was counted by."""
    memory_mb: int
    files: dict[date, DayFiles]
    """Every day's raw files, as the ledger has them."""
    now: Figures
    """All of the lake's figures, also of days not compared."""
    flagged: frozenset[tuple[date, str]]
    """The days and countries that the lake has as surges."""
    completeness: pa.Table
    """Columns ``day``, ``share``, ``is_preliminary`` and ``is_censored`` of the lake's days."""
    unlocated: frozenset[date]
    """The days on which the lake located nobody."""
    stale: frozenset[date]
    """The days whose figures are not those of the lake's present hits."""
    wanted: list[date]
    """The days to compare, in order: those asked whose figures are of the lake's present hits."""
    is_all: bool
    """Whether all days were asked, so that surges can be judged anew."""
    workspace: Path
    """A folder outside the lake, for what does not fit into memory."""


@dataclass(frozen=True)
class Outcome:
    """What the figures would be under one changed setting."""

    label: str
    figures: Figures
    """Of the days that could be counted."""
    left_out: dict[date, str] = field(default_factory=dict)
    """Days that could not, and why."""
    keeps_days: bool = True
    """Whether a day is the same stretch of time as in the lake."""


def read_basis(  # noqa: PLR0913 what is read, and with what means
    lake: Lake,
    rules: SessionRules,
    memory_mb: int,
    first: date | None,
    last: date | None,
    workspace: Path,
) -> tuple[Basis, dict[date, str]]:
    """Read the lake's figures; returns them and the days asked that can't be compared, with why.

    ``rules`` are those of a lake that says nothing of its own.

    Raises:
        DataError: the lake has no figures in the span asked.
    """
    built = read_built(lake)
    days = sorted(map(date.fromisoformat, shown_days(lake, built)))
    newest = _newest_with_settings(built)
    rules = SessionRules(
        newest.settings[0] if newest else rules.timeout_minutes,
        newest.drops_robotlike if newest else rules.drop_robotlike,
    )
    stock = take_stock(lake, rules)
    asked = [day for day in days if (first or date.min) <= day <= (last or date.max)]
    stale = {day: why for day, causes in stock.causes.items() if (why := _why_stale(causes))}
    left_out = {day: stale[day] for day in asked if day in stale}
    wanted = [day for day in asked if day not in left_out]
    if not wanted:
        raise DataError(f"lake {lake.name}: {_nothing(days, asked)}")
    now, flagged, completeness, unlocated = _read_figures(lake, days)
    basis = Basis(
        lake, ZoneInfo(lake.identity()["timezone"]), rules, memory_mb,
        days_of(lake), now, flagged, completeness, unlocated, frozenset(stale), wanted,
        is_all=first is None and last is None, workspace=workspace,
    )  # fmt: skip
    return basis, left_out


def _newest_with_settings(built: dict[str, Built]) -> Built | None:
    """What the newest day was built with, whatever is set by now."""
    known = [built[day] for day in sorted(built) if built[day].settings]
    return known[-1] if known else None


def _why_stale(causes: Iterable[Cause]) -> str | None:
    """Why a day's figures are not those of the lake's hits; other SQL or versions do not matter."""
    mattering = [cause.text for cause in causes if (cause.kind, cause.waits) != _UPGRADE]
    return f"stale, `tidegauge build` first: {'; '.join(mattering)}" if mattering else None


def _nothing(days: list[date], asked: list[date]) -> str:
    if not days:
        return "no day is built yet: `tidegauge build` first"
    if not asked:
        return f"no figures of the days asked; it has {days[0]} to {days[-1]}"
    return (
        f"all {write_number_of(len(asked), 'day')} asked are stale, so there is nothing to compare"
        " with: `tidegauge build` first"
    )


def _read_figures(
    lake: Lake, days: list[date]
) -> tuple[Figures, frozenset[tuple[date, str]], pa.Table, frozenset[date]]:
    with connect_reader() as connection:
        daily = read_days(connection, [lake.part_path("daily", str(day)) for day in days])
        now = {(d, c): n for d, c, n in daily.project("day, country, sessions").fetchall()}
        expected, totals = (
            read_part(connection, lake.part_path(table)) for table in ("expected", "days")
        )
        flagged = expected.filter("is_surge").project("day, country").fetchall()
        completeness = totals.project("day, share, is_preliminary, is_censored").to_arrow_table()
        unlocated = totals.filter("geo_built IS NULL").project("day").fetchall()
        return now, frozenset(flagged), completeness, frozenset(day for (day,) in unlocated)


def without_hits(basis: Basis) -> dict[date, str]:
    """The wanted days that can't be counted from hits any more, and why.

    The sessions of a day need its hits and the last ones of the day before.
    """
    sealed = basis.lake.sealed()

    near = {day - n * ONE_DAY for day in basis.wanted for n in (0, 1)} & basis.files.keys()
    gone = {day for day in near if not has_hits(basis, day)}
    left_out = {}
    for day in basis.wanted:
        if str(day) in sealed:
            left_out[day] = "sealed: what it was counted from is deleted"
        elif day in gone or day not in basis.files:
            left_out[day] = "its hits are gone from the lake"
        elif day - ONE_DAY in gone:
            left_out[day] = "the hits of the day before are gone from the lake"
    return left_out


def has_hits(basis: Basis, day: date) -> bool:
    """Whether the hits of all of a day's raw files are there."""
    stems = basis.files[day].stems
    return all(basis.lake.hits_path(str(day), stem).exists() for stem in stems)
