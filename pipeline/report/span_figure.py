"""The figures of some days in a row together, asked of the lake. Writes no sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import pipeline
from pipeline.build.built import read_built, session_timeout
from pipeline.build.counted import refuse_lost
from pipeline.build.stale import list_uncounted
from pipeline.days import ONE_DAY, Span
from pipeline.definitions import ALL, NO_COUNTRY
from pipeline.errors import SettingsError
from pipeline.ingest.unheeded import list_private, list_unheeded, list_zoneless
from pipeline.ingest.unread import count_unread
from pipeline.lake.lake import Lake
from pipeline.lake.query import State, one_state
from pipeline.report.accounting import ReportSettings
from pipeline.report.facts import CountryDay, Day, ExpectedDay, PublishedFigure, RobotlikeDay
from pipeline.report.figure_basis import (
    READ_OF_FILES,
    Completeness,
    check_country,
    name_robot_lists,
    read_completeness,
    say_doubts,
)
from pipeline.report.gather import read_days
from pipeline.report.history import NOBODY_LOCATED, explain_no_days

_MOST_DAYS = 3660


@dataclass(frozen=True)
class PartOfSpan:
    """One day of it that has hits."""

    day: date
    sessions: int
    expected: float | None
    published: list[int]
    """Each value that was published, the first one first."""
    completeness: Completeness

    @property
    def is_restated(self) -> bool:
        """Whether another value was published before, be it the same again by now."""
        return len({*self.published}) > 1


@dataclass(frozen=True)
class SpanFigure:
    """The sessions of days in a row from one country, or from all, and what is known of them."""

    first_day: date
    last_day: date
    country: str
    sessions: int
    """The sum of its days: a session belongs to one of them."""
    all_sessions: int
    unlocated_sessions: int
    """Of all: from addresses that the databases give no country."""
    days: list[PartOfSpan]
    """Those that have hits."""
    missing_days: list[date]
    """Those of which the lake has none."""
    unbuilt_days: list[date]
    """Those of which it has hits that were not counted yet."""
    withdrawn_days: list[date]
    """Of the missing, days of which a figure was published: all their raw files were taken out."""
    unlocated_days: list[date]
    """Those on which nobody was located: they have no figure of a country."""
    robot_hits: int
    robotlike: list[RobotlikeDay]
    """Of those days whose sessions were judged by behaviour."""
    timezone: str
    session_timeouts: list[int]
    """In minutes."""
    is_simulated: bool
    databases: list[date]
    """When those were built that located addresses."""
    is_late: bool
    """Whether one of them is younger than a day."""
    robot_lists: str
    definitions: list[int]
    program: str
    doubts: list[str]
    """How the names of the days' sources can be read otherwise, in sentences."""
    proxied: list[str]
    """Sources most of whose requests a proxy passed on that counts as the visitor."""
    private: list[str]
    """Sources most of whose visitors have private addresses, which nobody can locate."""
    zoneless: list[str]
    """Sources whose times were taken for UTC, as nothing says their zone."""

    @property
    def is_lower_bound(self) -> bool:
        """Whether more would be counted, had nothing been lost and nobody turned away."""
        has_doubts = any(d.completeness.doubts or d.completeness.is_future for d in self.days)
        lacks = bool(self.missing_days or self.unbuilt_days or self.unlocated_days)
        return (lacks or any(d.completeness.is_lower_bound for d in self.days)) and not has_doubts

    @property
    def is_preliminary(self) -> bool:
        """Whether logs of a day are missing that may still come."""
        return any(one.completeness.is_preliminary for one in self.days)

    @property
    def overtaken_days(self) -> list[date]:
        """Those whose raw files are not those that they were counted from."""
        return [one.day for one in self.days if one.completeness.is_overtaken]

    @property
    def future_days(self) -> list[date]:
        """Those that have not begun yet."""
        return [one.day for one in self.days if one.completeness.is_future]

    @property
    def expected(self) -> float | None:
        """Of all its days; None where a day was not judged."""
        known = [one.expected for one in self.days if one.expected is not None]
        return None if self.unjudged_days else sum(known)

    @property
    def unjudged_days(self) -> list[date]:
        """Those for which nothing is expected, as there is no hit or too little history."""
        unjudged = [one.day for one in self.days if one.expected is None]
        return sorted([*self.missing_days, *self.unbuilt_days, *unjudged])


def find_span_figure(lake: Lake, how: ReportSettings, span: Span, country: str) -> SpanFigure:
    """Ask the lake for the sum of some days, and for what is known about each.

    Raises:
        LakeError: the lake is damaged.
        SettingsError: it has no hit of any of the days, nobody knows the country, or ``span`` has
            no end or more than ten years.
    """
    if (span.last - span.first).days >= _MOST_DAYS:
        raise SettingsError("--from and --to", str(span), "give both, at most ten years apart")
    with one_state(lake) as state:
        return _find(state, how, span, country)


def _find(state: State, how: ReportSettings, span: Span, country: str) -> SpanFigure:
    lake = state.lake
    days = read_days(state, span)
    if not days:
        why = explain_no_days(state, span, how.timeout_minutes)
        raise SettingsError("--from and --to", str(span), why)
    refuse_lost(lake, [day.day for day in days])
    rows = state.ask(CountryDay, "queries/daily", country=None, **span.bound)
    check_country(state, country, {row.country for row in rows})
    is_placed = country not in (ALL, NO_COUNTRY)
    unlocated = [day.day for day in days if is_placed and day.geo_built is None]
    if len(unlocated) == len(days):
        raise SettingsError("--country", country, NOBODY_LOCATED)
    counted = [row for row in rows if country in (ALL, row.country)]
    names = {str(day.day) for day in days}
    files = lake.records_of(names, READ_OF_FILES)
    built = read_built(lake)
    located = [day for day in days if day.geo_built]
    uncounted, published = _list_other_days(span, names), _list_published(state, span, country)
    known = {day for its in lake.sums() for day in its.days}
    missing = [day for day in uncounted if str(day) not in known]
    today, unread = how.today(lake), count_unread(files)
    overtaken = set(list_uncounted(lake, how.timeout_minutes).overtaken)
    return SpanFigure(
        first_day=span.first,
        last_day=span.last,
        country=country,
        sessions=sum(row.sessions for row in counted),
        all_sessions=sum(day.sessions for day in days),
        unlocated_sessions=sum(row.sessions for row in rows if row.country == NO_COUNTRY),
        days=_list_days(
            state,
            span,
            country,
            days,
            counted,
            published,
            lambda day: read_completeness(day, unread.get(str(day.day)), overtaken, today),
        ),
        missing_days=missing,
        unbuilt_days=[day for day in uncounted if str(day) in known],
        withdrawn_days=[day for day in missing if day in published],
        unlocated_days=unlocated,
        robot_hits=sum(row.robot_hits for row in counted),
        robotlike=state.ask(RobotlikeDay, "report/robotlike", country=country, **span.bound),
        timezone=lake.identity()["timezone"],
        session_timeouts=sorted(
            {session_timeout(built.get(name), how.timeout_minutes) for name in names}
        ),
        is_simulated=lake.is_simulated(),
        databases=sorted({day.geo_built for day in located if day.geo_built}),
        is_late=any(day.geo_is_late for day in located),
        robot_lists=name_robot_lists(files),
        definitions=sorted(files["definitions"].unique().to_pylist()),
        program=f"Tidegauge {pipeline.__version__}",
        doubts=say_doubts(lake, files),
        proxied=list_unheeded(files),
        private=list_private(files),
        zoneless=list_zoneless(files),
    )


def _list_other_days(span: Span, known: set[str]) -> list[date]:
    every = (span.first + n * ONE_DAY for n in range((span.last - span.first).days + 1))
    return [day for day in every if str(day) not in known]


def _list_days(  # noqa: PLR0913 what the parts are made of
    state: State,
    span: Span,
    country: str,
    days: list[Day],
    counted: list[CountryDay],
    published: dict[date, list[int]],
    judge: Callable[[Day], Completeness],
) -> list[PartOfSpan]:
    sessions: dict[date, int] = {}
    for row in counted:
        sessions[row.day] = sessions.get(row.day, 0) + row.sessions
    judged = state.ask(ExpectedDay, "queries/expected", country=country, **span.bound)
    expected = {one.day: one.expected for one in judged}
    return [
        PartOfSpan(
            day=day.day,
            sessions=sessions.get(day.day, 0),
            expected=expected.get(day.day),
            published=published.get(day.day, []),
            completeness=judge(day),
        )
        for day in days
    ]


def _list_published(state: State, span: Span, country: str) -> dict[date, list[int]]:
    """By day; a country that came to a day later was published with it as 0 at first."""
    found: dict[date, list[int]] = {}
    for code in dict.fromkeys((country, ALL)):
        rows = state.ask(
            PublishedFigure, "queries/history", country=code, only_changes=False, **span.bound
        )
        own: dict[date, list[PublishedFigure]] = {}
        for row in reversed(rows):
            own.setdefault(row.day, []).append(row)
        for day, values in own.items():
            if code != country:
                found.setdefault(day, [0])
            else:
                late = [0] if values[0].previous_sessions is not None else []
                found[day] = late + [one.sessions for one in values]
    return found
