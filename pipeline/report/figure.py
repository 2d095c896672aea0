"""A day's figure with everything that must be said beside it, asked of the lake."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pipeline
from pipeline.build.built import read_built, session_timeout
from pipeline.build.counted import refuse_lost
from pipeline.build.stale import list_uncounted
from pipeline.days import Span
from pipeline.definitions import ALL, LEVEL_DAYS, NO_COUNTRY
from pipeline.enrich.geo.databases import list_databases
from pipeline.errors import GeoError, SettingsError
from pipeline.ingest.unheeded import list_private, list_unheeded, list_zoneless
from pipeline.ingest.unread import count_unread
from pipeline.lake.lake import Lake
from pipeline.lake.query import State, one_state
from pipeline.language import Language
from pipeline.report.accounting import ReportSettings, credit_provider
from pipeline.report.facts import (
    CountryDay,
    Day,
    ExpectedDay,
    HistoryBefore,
    Published,
    RobotlikeDay,
)
from pipeline.report.figure_basis import (
    READ_OF_FILES,
    Completeness,
    check_country,
    name_robot_lists,
    read_completeness,
    say_doubts,
)
from pipeline.report.gather import read_days
from pipeline.report.history import NOBODY_LOCATED, KnownDay, explain_unpublished
from pipeline.report.why import find_reasons
from pipeline.text import keep

NOTHING_LEFT = keep("the lake has nothing of the day any more")


@dataclass(frozen=True)
class Database:
    """The address database in force; its type and credit are null when it is no longer at hand."""

    built: date
    is_late: bool
    database_type: str | None
    credit: str | None


@dataclass(frozen=True)
class Expectation:
    """What the country's own history expects of the day, and the surge that the day is part of."""

    expected: float | None
    start_day: date | None = None
    end_day: date | None = None
    surge_sessions: int | None = None
    surge_expected: float | None = None
    is_open: bool = False
    is_at_least: bool = False
    why: str = ""
    """What drove the surge, or that it was machines, in a sentence."""
    others_ratio: float | None = None
    """Where the other countries rose alike: their sessions for each expected one."""
    geo_before: date | None = None
    """Where another database located the surge's first day: when that of days before was built."""
    in_hindsight: bool | None = None
    """Whether what is expected in the surge is told from the days on both sides of it."""
    before: HistoryBefore | None = None
    """Where nothing is expected: why not. None where no hit of any judged day is from there."""


@dataclass(frozen=True)
class Robotlike:
    """The sessions of visitors whose day looks like a robot's."""

    sessions: int
    is_left_out: bool
    """Whether they do not count in the figure."""


@dataclass(frozen=True)
class Figure:
    """A day's sessions from one country, or from all, and what is known about them."""

    day: date
    country: str
    sessions: int | None
    """None of a day of which the lake has nothing any more; what was published is known."""
    all_sessions: int | None
    unlocated_sessions: int | None
    """Of all: from addresses that the database gives no country."""
    robot_hits: int
    robotlike: Robotlike | None
    """None where the day's sessions were not judged by behaviour."""
    timezone: str
    session_timeout_minutes: int
    is_simulated: bool
    completeness: Completeness
    published: list[Published]
    database: Database | None
    expectation: Expectation | None
    robot_lists: str
    definitions: list[int]
    program: str
    doubts: list[str] = field(default_factory=list)
    """How the names of the day's sources can be read otherwise, in sentences."""
    proxied: list[str] = field(default_factory=list)
    """Sources most of whose requests a proxy passed on that counts as the visitor."""
    private: list[str] = field(default_factory=list)
    """Sources most of whose visitors have private addresses, which nobody can locate."""
    zoneless: list[str] = field(default_factory=list)
    """Sources whose times were taken for UTC, as nothing says their zone."""


def find_figure(lake: Lake, how: ReportSettings, day: date, country: str) -> Figure:
    """Ask the lake for a figure and everything that is known about it.

    A country without a hit on a day that has hits is 0.

    Raises:
        LakeError: the lake is damaged.
        SettingsError: the lake has no hits of the day, nobody was located on it, or nobody knows
            the country.
    """
    with one_state(lake) as state:
        about = read_days(state, Span(day, day))
        if not about:
            return _recall_figure(state, how, day, country)
        return _find_figure(state, how, about[0], country)


def _find_figure(state: State, how: ReportSettings, about: Day, country: str) -> Figure:
    lake, day = state.lake, about.day
    refuse_lost(lake, [day])
    rows = state.ask(CountryDay, "queries/daily", country=None, first_day=day, last_day=day)
    check_country(state, country, {row.country for row in rows})
    if about.geo_built is None and country not in (ALL, NO_COUNTRY):
        raise SettingsError("--country", country, NOBODY_LOCATED)
    counted = [row for row in rows if country in (ALL, row.country)]
    files = lake.records_of({str(day)}, READ_OF_FILES)
    overtaken = list_uncounted(lake, how.timeout_minutes).overtaken
    unread, today = count_unread(files).get(str(day)), how.today(lake)
    completeness = read_completeness(about, unread, overtaken, today)
    return Figure(
        day=day,
        country=country,
        sessions=sum(row.sessions for row in counted),
        all_sessions=about.sessions,
        unlocated_sessions=sum(row.sessions for row in rows if row.country == NO_COUNTRY),
        robot_hits=sum(row.robot_hits for row in counted),
        robotlike=_count_robotlike(state, day, country),
        timezone=lake.identity()["timezone"],
        session_timeout_minutes=session_timeout(
            read_built(lake).get(str(day)), how.timeout_minutes
        ),
        is_simulated=lake.is_simulated(),
        completeness=completeness,
        published=_list_published(state, day, country),
        database=_find_database(how, about),
        expectation=_find_expectation(state, how.language, day, country, completeness),
        robot_lists=name_robot_lists(files),
        definitions=sorted(files["definitions"].unique().to_pylist()),
        program=f"Tidegauge {pipeline.__version__}",
        doubts=say_doubts(lake, files),
        proxied=list_unheeded(files),
        private=list_private(files),
        zoneless=list_zoneless(files),
    )


def _recall_figure(state: State, how: ReportSettings, day: date, country: str) -> Figure:
    """What was published of a day of which the lake has nothing any more.

    Raises:
        SettingsError: nothing was.
    """
    (known,) = state.ask(KnownDay, "report/known_day", day=day)
    if not known.is_published:
        why = explain_unpublished(state, known, day, how.timeout_minutes)
        raise SettingsError("--day", str(day), f"there is no figure, not even 0: {why}")
    check_country(state, country, set())
    return Figure(
        day=day,
        country=country,
        sessions=None,
        all_sessions=None,
        unlocated_sessions=None,
        robot_hits=0,
        robotlike=None,
        timezone=state.lake.identity()["timezone"],
        session_timeout_minutes=how.timeout_minutes,
        is_simulated=state.lake.is_simulated(),
        completeness=Completeness(0.0, 0, None, True, False, None, [NOTHING_LEFT], []),
        published=_list_published(state, day, country),
        database=None,
        expectation=None,
        robot_lists="",
        definitions=[],
        program=f"Tidegauge {pipeline.__version__}",
    )


def _count_robotlike(state: State, day: date, country: str) -> Robotlike | None:
    found = state.ask(
        RobotlikeDay, "report/robotlike", country=country, first_day=day, last_day=day
    )
    return Robotlike(found[0].robotlike_sessions, found[0].is_left_out) if found else None


def _list_published(state: State, day: date, country: str) -> list[Published]:
    """The published values of the figure, the first one first.

    A country that came to the day later was published with it as 0, without a row of its own.
    """
    bound = {"first_day": day, "last_day": day, "only_changes": False}
    published = state.ask(Published, "queries/history", country=country, **bound)[::-1]
    if not published or published[0].previous_sessions is not None:
        first = state.ask(Published, "queries/history", country=ALL, **bound)[-1:]
        published = [replace(one, sessions=0) for one in first] + published
    return published


def _find_database(how: ReportSettings, about: Day) -> Database | None:
    if about.geo_built is None:
        return None
    try:
        found = [d for d in list_databases(how.geo) if d.build_date == about.geo_built]
    except GeoError:
        found = []
    wanted = [d for d in found if how.geo_provider in (None, d.provider)]
    database = wanted[-1] if wanted else None
    return Database(
        built=about.geo_built,
        is_late=about.geo_is_late,
        database_type=database.database_type if database else None,
        credit=credit_provider(database.provider, how.language) if database else None,
    )


def _find_expectation(
    state: State, language: Language, day: date, country: str, completeness: Completeness
) -> Expectation | None:
    if country == ALL:
        return None
    bound = {"country": country, "first_day": day, "last_day": day}
    found = state.ask(ExpectedDay, "queries/expected", **bound)
    if not found:
        return Expectation(None)
    expected = found[0].expected
    before = None if expected is not None else read_history_before(state, country, day)
    reasons = find_reasons(state, country, day, day)
    if not reasons or completeness.is_future:  # a clock that is ahead makes no surge
        return Expectation(expected, before=before)
    surge = reasons[0].surge
    return Expectation(
        expected, surge.start_day, surge.end_day, surge.observed, surge.expected,
        is_open=surge.is_open, is_at_least=surge.is_at_least or completeness.is_lower_bound,
        why=reasons[0].in_short(language), others_ratio=surge.others_ratio,
        geo_before=surge.geo_before, in_hindsight=surge.in_hindsight, before=before,
    )  # fmt: skip


def read_history_before(state: State, country: str, day: date) -> HistoryBefore:
    """Count the days that a country's day is judged by."""
    span = {"first_day": day - timedelta(LEVEL_DAYS), "last_day": day - timedelta(1)}
    (before,) = state.ask(HistoryBefore, "report/history_before", country=country, **span)
    return before
