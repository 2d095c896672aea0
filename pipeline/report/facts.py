"""What the report says, as values.

Knows nothing of charts or HTML. Texts are as the lake has them; ``rendering`` makes them safe.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from pipeline.days import Span
from pipeline.definitions import NO_COUNTRY
from pipeline.report.restated import RestatedSpan, Restatement


@dataclass(frozen=True)
class Day:
    """One local day of the whole site; ``error_share`` is the 5xx share of requests, 0 to 1."""

    day: date
    sources: int
    all_hits: int
    robot_hits: int
    sessions: int
    error_share: float | None
    geo_built: date | None
    geo_is_late: bool
    sources_expected: int | None
    share: float | None
    """What is there of what was expected of the day's sources, 0 to 1."""
    is_preliminary: bool | None
    """Null, as the two before, where nobody judged how complete the day is."""
    is_censored: bool
    reasons: list[str]
    """What is missing, in sentences."""
    sources_whole: int
    doubts: list[str]
    """What may be counted twice, in sentences."""


@dataclass(frozen=True)
class CountryDay:
    """What was counted of a country on a day."""

    day: date
    country: str
    sessions: int
    robot_hits: int


@dataclass(frozen=True)
class ExpectedDay:
    """Sessions of a country and day, and how many its history expects; null where it is short."""

    country: str
    day: date
    observed: int
    expected: float | None
    is_surge: bool


@dataclass(frozen=True)
class HistoryBefore:
    """What the lake has of the days that a country's day is judged by."""

    days: int
    """With hits."""
    unlocated: int
    """Of those, days on which nobody was located,"""
    lacking: int
    """of the others, incomplete ones,"""
    in_surges: int
    """and whole ones in a surge of the country."""


@dataclass(frozen=True)
class CountryTotal:
    """One country's sessions over all days."""

    country: str
    sessions: int


@dataclass(frozen=True)
class SurgeEpisode:
    """One row of ``surges``."""

    country: str
    start_day: date
    peak_day: date
    end_day: date
    days: int
    observed: int
    expected: float
    excess: float
    peak_sessions: int
    peak_ratio: float
    is_open: bool
    is_at_least: bool = False
    others_ratio: float | None = None
    geo_before: date | None = None
    """Of days before, where another database of addresses located the first: when built."""
    in_hindsight: bool | None = None
    """Whether ``expected`` is told from the days on both sides; null where built before it was."""

    @property
    def is_common(self) -> bool:
        """Whether the other countries rose alike, so that it is no surge of the country's own."""
        return self.others_ratio is not None

    @property
    def rank(self) -> tuple[bool, float, str, date]:
        """Those of a country's own come first, then the largest."""
        return self.is_common, -self.excess, self.country, self.start_day


@dataclass(frozen=True)
class RestatedFigure:
    """A figure of the report's country whose number was changed after it was published."""

    day: date
    first_sessions: int
    first_at: datetime
    was_preliminary: bool | None
    first_sources: int | None
    first_sources_expected: int | None
    last_sessions: int
    restated_at: datetime


@dataclass(frozen=True)
class Published:
    """A value of a figure that was published; see ``queries/history``."""

    published_at: datetime
    sessions: int
    previous_sessions: int | None
    """None: it is the first."""
    share: float | None
    sources: int | None
    sources_expected: int | None
    is_preliminary: bool | None
    reason: str


@dataclass(frozen=True)
class PublishedFigure(Published):
    """One of a country's, beside those of other days."""

    day: date

    @property
    def is_restated(self) -> bool:
        """Whether another number was published before."""
        return self.previous_sessions is not None and self.previous_sessions != self.sessions


@dataclass(frozen=True)
class HistoryDay:
    """Sessions of one country and day; ``upper`` is the number that raises an alarm.

    Where logs are missing (``is_preliminary``) or visitors were turned away (``is_censored``) the
    sessions are a lower bound.
    """

    country: str
    day: date
    observed: int
    expected: float | None
    upper: float | None
    is_surge: bool
    share: float = 1.0
    is_preliminary: bool = False
    is_censored: bool = False
    is_future: bool = False
    """Whether it has not begun yet: then it is no highest day and in no surge."""


@dataclass(frozen=True)
class Hour:
    """An hour by its start (UTC): the country's sessions, all countries' requests and 5xx."""

    hour: datetime
    sessions: int
    hits: int
    errors: int


@dataclass(frozen=True)
class BothDays:
    """The same sessions by local day and by UTC day."""

    day: date
    local_sessions: int
    utc_sessions: int


@dataclass(frozen=True)
class NameCount:
    """Sessions by entry path or referring host; ``name`` is as the log line has it."""

    name: str | None
    sessions: int


@dataclass(frozen=True)
class RobotlikeDay:
    """Sessions of a day, and those of visitors whose day looks like a robot's."""

    day: date
    sessions: int
    robotlike_sessions: int
    is_left_out: bool
    """Whether those do not count in the day's figures."""


@dataclass(frozen=True)
class Focus:
    """The country the report is about: its largest surge, or its highest day when it has none."""

    country: str
    episode: SurgeEpisode | None
    """The largest of which the peak is one of the days shown."""
    beside: SurgeEpisode | None
    """Where there is none: the largest that has a day in common with them."""
    peak: HistoryDay
    history: list[HistoryDay]
    hours: list[Hour]
    both_days: list[BothDays]
    whole_days: set[date]
    """Of those and the days beside them, the local days of which nothing is missing."""
    entry_pages: list[NameCount]
    referrers: list[NameCount]
    robotlike: list[RobotlikeDay]
    """The country's, on the judged ones of its surge's days, or of its highest day."""
    published: list[PublishedFigure]
    """By day, then in the order in which they were published."""
    restated: list[RestatedFigure]
    restatements: list[Restatement]


@dataclass(frozen=True)
class Facts:
    """What the lake's tables tell of all countries on the days of a span."""

    zone: str
    span: Span
    """All days that the lake has."""
    days: list[Day]
    countries: list[CountryTotal]
    episodes: list[SurgeEpisode]
    """Those with a day of the span, the one with the most sessions above expectation first."""
    restated: RestatedSpan
    today: date
    """By the clock, in the zone: later days have not begun."""

    @property
    def is_part(self) -> bool:
        """Whether the lake has other days, too."""
        return bool(self.days) and self.span != Span(self.days[0].day, self.days[-1].day)

    @property
    def sessions(self) -> int:
        """Sessions of all countries and days."""
        return sum(country.sessions for country in self.countries)

    @property
    def known_countries(self) -> int:
        """Countries with a session."""
        return sum(c.sessions > 0 and c.country != NO_COUNTRY for c in self.countries)

    @property
    def unlocated(self) -> int:
        """Sessions from addresses that the database gave no country."""
        return sum(c.sessions for c in self.countries if c.country == NO_COUNTRY)

    @property
    def missing_days(self) -> list[date]:
        """Days between the first and the last of which no hit is known."""
        known = [day.day for day in self.days]
        gaps = pairwise(known)
        return [a + timedelta(n) for a, b in gaps for n in range(1, (b - a).days)]
