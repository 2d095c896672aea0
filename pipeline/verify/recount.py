"""A day's derived tables counted anew, from its hits and those of the days beside it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.verify.counts import Grid, count_daily, count_hourly, count_minutes, count_visits
from pipeline.verify.robotlike import Visitors, find_robotlike, take_assets
from pipeline.verify.sessions import cut_sessions, make_sessions, order_sessions

TEXTS = (
    *("source", "country", "subdivision", "method", "path", "query", "referrer", "user_agent"),
    "as_org",
)
"""Columns of hits that are read as dictionaries."""
COUNTED = (
    *("ts", "source", "visitor_id", "country", "subdivision", "geo_built", "method", "path"),
    *("query", "status", "bytes_sent", "referrer", "user_agent", "is_robot", "is_asset", "is_page"),
    *("asn", "as_org"),
)
"""Columns of hits that anything derived depends on."""
VISITS_AT_ONCE = 500_000
"""Sessions of different visitors know nothing of each other: more are cut in parts."""
_TALLIED = (
    *("ts", "source", "country", "geo_built", "status", "bytes_sent", "is_robot", "is_page"),
)
_VISITS = tuple(name for name in COUNTED if name not in {"geo_built", "is_robot"})


@dataclass(frozen=True)
class CountingRules:
    """What sessions depend on besides hits."""

    timeout_minutes: int
    session_key: bytes
    drop_robotlike: bool = False
    """Whether robot-like visitors are in no sessions, visitors and pages of daily and hourly."""

    @property
    def timeout_us(self) -> int:
        """The longest gap within a session, in microseconds."""
        return self.timeout_minutes * 60_000_000


@dataclass(frozen=True)
class DayHits:
    """One day's hits in single chunks: all of them, and those neither robots' nor assets.

    Each with the columns that are counted, which bounds the memory: about 90 bytes a hit.
    """

    hits: pa.Table
    visits: pa.Table
    with_assets: Visitors
    """The visitors who took an asset."""

    @classmethod
    def of(cls, table: pa.Table) -> "DayHits":
        """Keep of one file's hits (with at least the columns ``COUNTED``) what is counted."""
        is_visit = pc.invert(pc.or_(table["is_robot"], table["is_asset"]))
        visits = table.select(_VISITS).filter(is_visit)
        return cls(table.select(_TALLIED), visits, take_assets(table))

    @classmethod
    def join(cls, parts: list["DayHits"]) -> "DayHits":
        """Join the day's files; takes them out of ``parts``, so that they go as they are joined."""
        hits = _join([part.hits for part in parts])
        visits = [part.visits for part in parts]
        with_assets = np.unique(np.concatenate([part.with_assets for part in parts]))
        parts.clear()
        return cls(hits, _join(visits), with_assets)

    def tail(self, since: int) -> pa.Table:
        """The visits from an instant on, in microseconds since 1970: what the next day needs."""
        visits = self.visits.select(["visitor_id", "ts"])
        return visits.filter(pc.greater_equal(visits["ts"].cast(pa.int64()), since))


def _join(parts: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


@dataclass(frozen=True)
class Recount:
    """One day's derived tables in their order; texts may be dictionaries."""

    sessions: pa.Table
    daily: pa.Table
    hourly: pa.Table
    minutes: pa.Table


def recount_day(  # noqa: PLR0913 a day depends on the days beside it
    before: pa.Table, today: DayHits, after: pa.Table, ends_at: int, rules: CountingRules, *,
    geo_is_late: bool,
) -> Recount:  # fmt: skip
    """Count a day anew.

    Args:
        before: the ``tail`` of the day before, from ``rules.timeout_us`` before its end on.
        today: the day's hits; none of another day.
        after: the visits of the following day.
        ends_at: the end of the day, microseconds since 1970.
        rules: the timeout, the key of the session ids, and whether robot-like visitors count.
        geo_is_late: whether any of its hits was located by a database of a later date.
    """
    grid = Grid(today.hits)
    by_country, by_hour = (np.zeros((2, size), np.int64) for size in grid.size)
    sessions: list[pa.Table] = []
    parts = 1 + len(today.visits) // VISITS_AT_ONCE
    for part in range(parts):
        ago, now, then = (_part_of(table, part, parts) for table in (before, today.visits, after))
        robotlike = find_robotlike(now, today.with_assets)
        left_out = robotlike if rules.drop_robotlike else robotlike[:0]
        cut = cut_sessions(ago, now, then, ends_at, rules.timeout_us)
        by_country += count_visits(cut, grid.countries_of(cut.rows), grid.size[0], left_out)
        by_hour += count_visits(cut, grid.hours_of(cut.rows), grid.size[1], left_out)
        sessions.append(make_sessions(cut, rules.session_key, robotlike))
    ordered = order_sessions(sessions)
    counted = ordered
    if rules.drop_robotlike:
        counted = ordered.filter(pc.invert(ordered["is_robotlike"])).combine_chunks()
    return Recount(
        ordered,
        count_daily(grid, today.hits, by_country, counted, geo_is_late=geo_is_late),
        count_hourly(grid, today.hits, by_hour, counted),
        count_minutes(today.hits),
    )


def _part_of(visits: pa.Table, part: int, parts: int) -> pa.Table:
    """The visits of one of several parts of all visitors."""
    if parts == 1:
        return visits
    is_in_part = visits["visitor_id"].to_numpy() % parts == part
    return visits.filter(pa.array(is_in_part)).combine_chunks()
