"""What the report says, asked of the lake: rows as values, and which country it is about.

Knows nothing of charts or HTML. Texts are as the lake has them; ``page`` makes them safe.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from pipeline.definitions import NO_COUNTRY
from pipeline.errors import SettingsError
from pipeline.lake.query import State
from pipeline.report.restated import Restatement, gather_restatements

DAYS_BESIDE_PEAK = 3
"""Days shown on each side of the peak where local and UTC days are set side by side."""
LEAST_SESSIONS = 5
"""A page or referrer with fewer sessions is not shown: a path seen once may name a person."""


@dataclass(frozen=True)
class Day:
    """One local day of the whole site; ``error_share`` is the 5xx share of requests, 0 to 1."""

    day: date
    sources: int
    hits: int
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
class HistoryDay:
    """Sessions of one country and day; ``upper`` is the number that raises an alarm.

    Where logs are missing (``is_preliminary``) or visitors were turned away (``is_censored``) the
    sessions are a lower bound.
    """

    day: date
    observed: int
    expected: float | None
    upper: float | None
    is_surge: bool
    share: float = 1.0
    is_preliminary: bool = False
    is_censored: bool = False


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
    peak: HistoryDay
    history: list[HistoryDay]
    hours: list[Hour]
    both_days: list[BothDays]
    entry_pages: list[NameCount]
    referrers: list[NameCount]
    robotlike: list[RobotlikeDay]
    """The country's, on the judged ones of its surge's days, or of its highest day."""


@dataclass(frozen=True)
class Facts:
    """Everything the lake's tables tell the report."""

    zone: str
    days: list[Day]
    countries: list[CountryTotal]
    episodes: list[SurgeEpisode]
    focus: Focus | None
    restated: list[RestatedFigure]
    """Of the country in focus."""
    restatements: list[Restatement]

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


def gather_facts(state: State, country: str | None = None) -> Facts:
    """Ask the lake for everything the report shows.

    Args:
        state: of a lake, built or empty.
        country: code as the lake has it, in any case; by ``choose_country`` when not given.

    Raises:
        SettingsError: it has no hits from ``country``.
    """
    countries = state.ask(CountryTotal, "report/countries")
    episodes = state.ask(SurgeEpisode, "report/episodes")
    chosen = choose_country(countries, episodes, country)
    return Facts(
        zone=state.lake.identity()["timezone"],
        days=state.ask(Day, "report/days"),
        countries=countries,
        episodes=episodes,
        focus=_focus_on(state, chosen, episodes) if chosen else None,
        restated=state.ask(RestatedFigure, "report/restated", country=chosen or ""),
        restatements=gather_restatements(state, chosen or ""),
    )


def choose_country(
    countries: Sequence[CountryTotal], episodes: Sequence[SurgeEpisode], wanted: str | None = None
) -> str | None:
    """The country wanted; else that of the largest surge; else the one with most sessions.

    Addresses without a country come last in either order. None when there are no countries.

    Raises:
        SettingsError: no hits from the country wanted.
    """
    known = [total.country for total in countries]
    if wanted is None:
        ranked = [episode.country for episode in episodes] + known
        return next((c for c in ranked if c != NO_COUNTRY), known[0] if known else None)
    found = next((code for code in (wanted, wanted.upper()) if code in known), None)
    if found is None:
        some = ", ".join(known[:8]) or "none"
        raise SettingsError("--country", wanted, f"no hits from there; the lake has {some}")
    return found


def _focus_on(state: State, country: str, episodes: Sequence[SurgeEpisode]) -> Focus | None:
    history = state.ask(HistoryDay, "report/history", country=country)
    if not history:
        return None
    episode = next((e for e in episodes if e.country == country), None)
    if episode:
        peak = next(day for day in history if day.day == episode.peak_day)
    else:
        peak = max(history, key=lambda day: day.observed)
    beside = timedelta(DAYS_BESIDE_PEAK)
    first, last = max(peak.day - beside, history[0].day), min(peak.day + beside, history[-1].day)
    start, end = (episode.start_day, episode.end_day) if episode else (peak.day, peak.day)
    robotlike = state.ask(
        RobotlikeDay, "report/robotlike", country=country, first_day=start, last_day=end
    )
    named = {
        "country": country,
        "day": peak.day,
        "least": LEAST_SESSIONS,
        "with_robotlike": not any(r.is_left_out for r in robotlike if r.day == peak.day),
    }
    return Focus(
        country=country,
        episode=episode,
        peak=peak,
        history=history,
        hours=state.ask(
            Hour,
            "report/hours",
            country=country,
            first_day=peak.day - timedelta(1),
            last_day=peak.day,
        ),
        both_days=state.ask(
            BothDays, "report/local_and_utc_days", country=country, first_day=first, last_day=last
        ),
        entry_pages=state.ask(NameCount, "report/entry_pages", **named),
        referrers=state.ask(NameCount, "report/referrers", **named),
        robotlike=robotlike,
    )
