"""A day's derived tables counted anew, from its hits and those of the days beside it."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.verify.counts import count_daily, count_hourly, count_minutes
from pipeline.verify.sessions import cut_sessions, make_sessions

TEXTS = (
    *("source", "country", "subdivision", "method", "path", "query", "referrer", "user_agent"),
)
"""Columns of hits that are read as dictionaries."""
COUNTED = (
    *("ts", "source", "visitor_id", "country", "subdivision", "geo_built", "method", "path"),
    *("query", "status", "bytes_sent", "referrer", "user_agent", "is_robot", "is_asset", "is_page"),
)
"""Columns of hits that anything derived depends on."""
_TALLIED = (
    *("ts", "source", "country", "geo_built", "status", "bytes_sent", "is_robot", "is_page"),
)
_VISITS = tuple(name for name in COUNTED if name not in {"source", "geo_built", "is_robot"})


@dataclass(frozen=True)
class Rules:
    """What sessions depend on besides hits."""

    timeout_minutes: int
    session_key: bytes

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

    @classmethod
    def of(cls, parts: list[pa.Table]) -> "DayHits":
        """Join the day's files, each with at least the columns ``COUNTED``."""
        visits = [
            part.select(_VISITS).filter(pc.invert(pc.or_(part["is_robot"], part["is_asset"])))
            for part in parts
        ]
        return cls(_join([part.select(_TALLIED) for part in parts]), _join(visits))

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
    before: pa.Table, today: DayHits, after: pa.Table, ends_at: int, rules: Rules, *,
    geo_is_late: bool,
) -> Recount:  # fmt: skip
    """Count a day anew.

    Args:
        before: the ``tail`` of the day before, from ``rules.timeout_us`` before its end on.
        today: the day's hits; none of another day.
        after: the visits of the following day.
        ends_at: the end of the day, microseconds since 1970.
        rules: the timeout and the key of the session ids.
        geo_is_late: whether any of its hits was located by a database of a later date.
    """
    cut = cut_sessions(before, today.visits, after, ends_at, rules.timeout_us)
    sessions = make_sessions(cut, rules.session_key)
    return Recount(
        sessions,
        count_daily(today.hits, cut, sessions, geo_is_late=geo_is_late),
        count_hourly(today.hits, cut, sessions),
        count_minutes(today.hits),
    )
