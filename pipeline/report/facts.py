"""What the report says, asked of the lake: rows as values, and which country it is about.

Knows nothing of charts or HTML. Texts are as the lake has them; ``page`` makes them safe.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from pipeline.days import Span
from pipeline.definitions import NO_COUNTRY
from pipeline.errors import SettingsError
from pipeline.lake.query import State
from pipeline.report.history import KnownDay
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


def gather_facts(state: State, span: Span) -> Facts:
    """Ask the lake for what the report shows of all countries.

    Raises:
        SettingsError: it has days, and none of the span.
    """
    days = state.ask(Day, "report/days", **span.bound)
    (known,) = state.ask(KnownDay, "report/known_day", day=span.first)
    lake_span = Span(known.first_day or span.first, known.last_day or span.last)
    if known.first_day and not days:
        remedy = f"no hits of these days; the lake has {lake_span}"
        raise SettingsError("--from and --to", str(span), remedy)
    episodes = state.ask(SurgeEpisode, "queries/surges", country=None, **span.bound)
    return Facts(
        zone=state.lake.identity()["timezone"],
        span=lake_span,
        days=days,
        countries=state.ask(CountryTotal, "report/countries", **span.bound),
        episodes=sorted(episodes, key=lambda one: (-one.excess, one.country, one.start_day)),
    )


def choose_country(
    countries: Sequence[CountryTotal], episodes: Sequence[SurgeEpisode]
) -> str | None:
    """The country of the largest surge; else the one with most sessions.

    Addresses without a country come last in either order. None when there are no countries.
    """
    known = [total.country for total in countries]
    ranked = [episode.country for episode in episodes] + known
    return next((c for c in ranked if c != NO_COUNTRY), known[0] if known else None)


def focus_on(state: State, facts: Facts, wanted: str | None, span: Span) -> Focus | None:
    """What is to be said of one country; of that of the largest surge when none is wanted.

    None when no day was counted, or none was compared with its history.

    Raises:
        SettingsError: the lake has no hit of any day from there.
    """
    country = wanted or choose_country(facts.countries, facts.episodes)
    _, ((is_known,),) = state.query("report/known_country", country=country or "")
    if wanted and not is_known:
        some = ", ".join(total.country for total in facts.countries[:8]) or "none"
        raise SettingsError("--country", wanted, f"no hits from there; the lake has {some}")
    of_country = {"country": country or "", **span.bound}
    history = state.ask(HistoryDay, "report/history", **of_country)
    if not country or not history:
        return None
    own = [one for one in facts.episodes if one.country == country]
    peaks = {day.day: day for day in history}
    episode = next((one for one in own if one.peak_day in peaks), None)
    peak = peaks[episode.peak_day] if episode else max(history, key=lambda day: day.observed)
    beside = timedelta(DAYS_BESIDE_PEAK)
    first, last = max(peak.day - beside, history[0].day), min(peak.day + beside, history[-1].day)
    near = state.ask(
        Day, "report/days", first_day=first - timedelta(1), last_day=last + timedelta(1)
    )
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
        beside=own[0] if own and not episode else None,
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
        whole_days={day.day for day in near if not day.is_preliminary},
        entry_pages=state.ask(NameCount, "report/entry_pages", **named),
        referrers=state.ask(NameCount, "report/referrers", **named),
        robotlike=robotlike,
        restated=state.ask(RestatedFigure, "report/restated", **of_country),
        restatements=gather_restatements(state, country, span.first, span.last),
    )
