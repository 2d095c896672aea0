"""What a figure of a day and one of a span are told by: how complete, by which lists, in doubt."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pytz

from pipeline.definitions import ALL, NO_COUNTRY
from pipeline.errors import SettingsError
from pipeline.ingest import unheeded
from pipeline.ingest.source_names import list_doubts
from pipeline.ingest.unread import Unread
from pipeline.lake.lake import Lake
from pipeline.lake.query import State
from pipeline.report.facts import (
    Day,
)

READ_OF_FILES = (
    *("robots", "definitions", "lines", "rejected", "days"),
    *unheeded.READ_OF_FILES,
)


@dataclass(frozen=True)
class Completeness:
    """How much of the day's logs is in; null where it was not judged."""

    share: float | None
    sources: int
    sources_expected: int | None
    is_preliminary: bool | None
    is_censored: bool
    error_share: float | None
    reasons: list[str]
    doubts: list[str]
    """Which lines may be counted twice, in sentences."""
    lines: int = 0
    """Of the files that have hits of the day."""
    rejected_lines: int = 0
    """Of those, lines that could not be read: they have no time."""
    is_overtaken: bool = False
    """Whether raw files of the day or of one beside it came or went since it was counted."""
    is_future: bool = False
    """Whether the day has not begun yet where the figure is asked for."""

    @property
    def is_lower_bound(self) -> bool:
        """Whether more would be counted, had nothing been lost and nobody turned away."""
        lacks = bool(self.is_preliminary) or self.is_censored
        return lacks and not (self.doubts or self.is_future)


def say_doubts(lake: Lake, files: pa.Table) -> list[str]:
    """How the names of the files' sources can be read otherwise."""
    sources = set(files["source"].unique().to_pylist())
    return [f"{name}: {doubt}" for name, doubt in list_doubts(lake, sources).items()]


def check_country(state: State, country: str, of_the_days: set[str]) -> None:
    """Refuse a code that is none of ISO 3166-1, when no hit of any day is from there."""
    if country in of_the_days or country in (ALL, NO_COUNTRY) or country in pytz.country_names:
        return
    _, ((is_known,),) = state.query("report/known_country", country=country)
    if not is_known:
        remedy = "no country of ISO 3166-1, and no hit is from there; write a code such as US"
        raise SettingsError("--country", country, remedy)


def read_completeness(
    about: Day, unread: Unread | None, overtaken: Collection[date], today: date
) -> Completeness:
    """How much of a day is in, as ``read_days`` has it."""
    return Completeness(
        share=about.share,
        sources=about.sources_whole,
        sources_expected=about.sources_expected,
        is_preliminary=about.is_preliminary,
        is_censored=about.is_censored,
        error_share=about.error_share,
        reasons=about.reasons,
        doubts=about.doubts,
        lines=unread.lines if unread else 0,
        rejected_lines=unread.rejected if unread else 0,
        is_overtaken=about.day in overtaken,
        is_future=about.day > today,
    )


def name_robot_lists(files: pa.Table) -> str:
    """The lists by whose answers the day's robots were found: ``crawlerdetect 0.4.2 and ...``."""
    known = sorted(files["robots"].unique().to_pylist())
    named = [[" ".join(one.rsplit("-", 1)) for one in lists.split("_")] for lists in known]
    return "; ".join(" and ".join(lists) for lists in named)
