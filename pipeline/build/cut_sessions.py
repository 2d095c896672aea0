"""Stretches become sessions without ids, and the visitors of hours and days: what models read."""

from concurrent.futures import ThreadPoolExecutor

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.build.stretches import Bools, Ints, Stretches, add_up, changes, read_stretches

_AT_ONCE = 2
"""So many threads cut. NumPy has most of the time there, and lets them run side by side."""
_CHUNK_ROWS = 122_880
_SINCE_1969_US = 31_536_000_000_000


def cut_sessions(connection: duckdb.DuckDBPyConnection, timeout_minutes: int, at_once: int) -> None:
    """Make the tables ``cut_sessions``, ``visitors_of_hours`` and ``visitors_of_days``.

    ``cut_sessions`` are a visitor's stretches put together where no gap between is longer than the
    timeout, up to the end of the day behind the one they begin on. Their first and last hits are
    named by ``row_no``; ``is_tied``: another hit may share the instant of one of these. The others
    have a visitor of an hour and of a day once a country.

    Args:
        connection: with ``hits`` and ``days``.
        timeout_minutes: the longest gap within a session.
        at_once: so many visits are in memory, about.
    """
    timeout_us = timeout_minutes * 60_000_000
    days = connection.table("days").filter("is_built").select("day").to_arrow_table()["day"]
    built = days.cast(pa.int32()).to_numpy()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        stretches, names = read_stretches(connection, timeout_us, at_once, pool)
        countries = pa.array(names, pa.string())

        def make(its: Stretches) -> dict[str, pa.Table]:
            tables = _count_visitors(its.take(np.isin(its.day, built)), countries)
            return tables | {"cut_sessions": _cut(its, timeout_us, built, countries)}

        parts = list(pool.map(make, stretches))
    for name in parts[0]:
        table = pa.concat_tables(part[name] for part in parts)
        # In pieces, which threads take in turn.
        connection.register(
            name, pa.Table.from_batches(table.to_batches(_CHUNK_ROWS), table.schema)
        )
    del stretches
    pa.default_memory_pool().release_unused()  # what visits and stretches were in


def _cut(
    stretches: Stretches, timeout_us: int, built: npt.NDArray[np.int32], countries: pa.Array
) -> pa.Table:
    its = stretches
    starts = its.is_new
    reached = _reach(its.ended_at, starts)
    starts[1:] |= (its.started_at[1:] - reached[:-1] > timeout_us) | (np.diff(its.day) > 1)
    first = np.flatnonzero(starts)
    start_day = np.repeat(its.day[first], np.diff(first, append=len(starts)))
    is_own = np.isin(start_day, built) & (its.day <= start_day + 1)
    its, first = its.take(is_own), np.flatnonzero(starts[is_own])
    counts = np.diff(first, append=len(its.day))
    ended_at = np.maximum.reduceat(its.ended_at, first) if len(first) else its.ended_at
    is_last = its.ended_at == np.repeat(ended_at, counts)
    last = np.flatnonzero(is_last)
    last = last[np.cumsum(add_up(is_last, first)) - 1]  # of each session
    second = np.minimum(first + 1, first + counts - 1)
    is_tied = (
        its.is_first_tied[first]
        | its.is_last_tied[last]
        | ((counts > 1) & (its.started_at[second] == its.started_at[first]))
        | (add_up(is_last, first) > 1)
    )
    return pa.table(
        {
            "day": _days(its.day[first]),
            "visitor_id": its.visitor_id[first],
            "started_at": _instants(its.started_at[first]),
            "ended_at": _instants(ended_at),
            "hits": add_up(its.hits, first),
            "pages": add_up(its.pages, first),
            "bytes_sent": add_up(its.bytes_sent, first),
            "errors": add_up(its.errors, first),
            "country": _coded(its.country[first], countries),
            "first_row": its.first_row[first],
            "last_row": its.last_row[last],
            "is_tied": is_tied,
        }
    )


def _reach(ended_at: Ints, is_new: Bools) -> Ints:
    """The latest end of a visitor's stretches up to each one: those of several batches overlap."""
    reached = ended_at.copy()
    group = np.cumsum(is_new)
    step = 1
    while (reached[1:] < reached[:-1])[~is_new[1:]].any():
        same = group[step:] == group[:-step]
        reached[step:] = np.where(same, np.maximum(reached[step:], reached[:-step]), reached[step:])
        step *= 2
    return reached


def _count_visitors(stretches: Stretches, countries: pa.Array) -> dict[str, pa.Table]:
    """Whom hours and days had, once a country, and their pages; ``day_pages``: of all countries."""
    its = stretches
    if (changes(its.country) & ~its.is_new).any():  # some visitor came from several
        its = its.take(np.lexsort((its.started_at, its.country, its.day, its.visitor_id)))
    day, of_day = (
        np.flatnonzero(changes(its.visitor_id, its.day, *more)) for more in ((its.country,), ())
    )
    hour = np.flatnonzero(changes(its.visitor_id, its.day, its.country, its.hour))
    day_pages = add_up(its.pages, of_day)

    def table(first: Ints, **more: npt.NDArray[np.generic]) -> pa.Table:
        return pa.table(
            {
                "day": _days(its.day[first]),
                "visitor_id": its.visitor_id[first],
                "country": _coded(its.country[first], countries),
                "pages": add_up(its.pages, first),
                **more,
            }
        )

    return {
        "visitors_of_hours": table(hour, hours_since_1969=its.hour[hour]),
        "visitors_of_days": table(
            day, day_pages=day_pages[np.searchsorted(of_day, day, "right") - 1]
        ),
    }


def _days(numbers: npt.NDArray[np.int32]) -> pa.Array:
    return pa.array(numbers).cast(pa.date32())


def _instants(us_since_1969: Ints) -> pa.Array:
    return pa.array(us_since_1969 - _SINCE_1969_US).cast(pa.timestamp("us", "UTC"))


def _coded(codes: npt.NDArray[np.int32], names: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(codes, names)
