"""Sessions of one day counted anew from its hits, in NumPy, from docs/definitions.md alone.

Shares nothing with ``sql/sessions.sql`` but the formula of ``session_id``.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.enrich.visitors import hash_sessions

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LARGEST_BIGINT = 2**63 - 1
PLACE = ("path", "query", "method", "status", "bytes_sent", "referrer", "country", "subdivision",
         "source")  # fmt: skip
"""What decides between a visitor's hits of one instant, first to last; nulls first.

Of those alike the first is the one that lies first: they may have other networks, or none, where a
file was read before there was a database of networks.
"""
_SAFE_SUM = 2.0**62


@dataclass(frozen=True)
class Cut:
    """A day's visits in order of visitor and time, cut into sessions."""

    rows: pa.Table
    """The day's visits and those that may continue its sessions; single chunks."""
    row: Ints
    """Shape ``(n,)``: the row of each visit; negative for visits of the day before."""
    today: int
    """How many of the rows are the day's; they come first."""
    visitor_id: npt.NDArray[np.uint64]
    at: Ints
    """Microseconds since 1970."""
    first: Ints
    """Shape ``(m,)``: where each session starts among the ``n``; those of all days at hand."""
    is_own: Bools
    """Shape ``(m,)``: whether the session starts on the day itself."""

    @property
    def end(self) -> Ints:
        """Shape ``(m,)``: one past the last visit of each session."""
        return np.append(self.first[1:], len(self.row))


def cut_sessions(
    before: pa.Table, today: pa.Table, after: pa.Table, ends_at: int, timeout: int
) -> Cut:
    """Cut one day's visits (hits that are neither robots' nor assets) into sessions.

    Args:
        before: the end of the day before, at least its last ``timeout``.
        today: the day's.
        after: the following day's.
        ends_at: the end of the day, microseconds since 1970.
        timeout: the longest gap that still continues a session, in microseconds.
    """
    late = today["visitor_id"].filter(pc.greater_equal(_instants(today), ends_at - timeout))
    after = after.filter(pc.is_in(after["visitor_id"], value_set=late.combine_chunks()))
    rows = pa.concat_tables([today, after]).unify_dictionaries().combine_chunks()
    parts = (before, today, after)
    visitor_id = np.concatenate([part["visitor_id"].to_numpy() for part in parts])
    at = np.concatenate([_instants(part).to_numpy() for part in parts])
    day = np.repeat(np.array([-1, 0, 1], np.int8), [len(part) for part in parts])
    order = np.lexsort((at, visitor_id))
    visitor_id, at, day = visitor_id[order], at[order], day[order]
    starts = np.ones(len(order), np.bool_)
    # A gap that holds a whole day is a gap, even one that clocks made shorter than the timeout.
    starts[1:] = (
        (visitor_id[1:] != visitor_id[:-1])
        | (at[1:] - at[:-1] > timeout)
        | (day[1:] > day[:-1] + 1)
    )
    first = np.flatnonzero(starts)
    return Cut(rows, order - len(before), len(today), visitor_id, at, first, day[first] == 0)


def _instants(table: pa.Table) -> pa.ChunkedArray:
    return table["ts"].cast(pa.int64())


def make_sessions(cut: Cut, session_key: bytes, robotlike: npt.NDArray[np.uint64]) -> pa.Table:
    """The day's own sessions as the table ``sessions``, in no order; texts are dictionaries.

    ``robotlike``: the ids of the day's robot-like visitors.
    """
    own = cut.is_own
    first, end = cut.first[own], cut.end[own]
    entry, leaving = _find_ends(cut, first, end)
    visitor_id, started_at = cut.visitor_id[first], cut.at[first]
    names = ("country", "subdivision", "user_agent", "source", "asn", "as_org")
    texts = cut.rows.select(["path", "referrer", *names])
    entered, left = texts.take(pa.array(entry)), texts.select(["path"]).take(pa.array(leaving))
    instant = pa.timestamp("us", "UTC")
    return pa.table(
        {
            "session_id": hash_sessions(session_key, visitor_id, started_at),
            "visitor_id": visitor_id,
            "started_at": pa.array(started_at).cast(instant),
            "ended_at": pa.array(cut.at[end - 1]).cast(instant),
            "hits": end - first,
            **{name: sums[own] for name, sums in _sum_measures(cut).items()},
            "entry_path": entered["path"],
            "exit_path": left["path"],
            "referrer_host": _referrer_hosts(entered["referrer"]),
            "country": entered["country"],
            "subdivision": entered["subdivision"],
            "user_agent": entered["user_agent"],
            "is_robotlike": np.isin(visitor_id, robotlike),
            **{name: entered[name] for name in ("source", "asn", "as_org")},
        }
    )


def order_sessions(parts: list[pa.Table]) -> pa.Table:
    """Sessions of all visitors, ordered by ``started_at``, then ``session_id``."""
    table = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    keys = table["session_id"].to_numpy(), table["started_at"].cast(pa.int64()).to_numpy()
    return table.take(pa.array(np.lexsort(keys)))


def _sum_measures(cut: Cut) -> dict[str, Ints]:
    """Sums over every session of ``cut``, shape ``(m,)`` each."""
    if not len(cut.first):
        return {name: np.zeros(0, np.int64) for name in ("pages", "bytes_sent", "errors")}
    is_counted = cut.row >= 0
    row = np.maximum(cut.row, 0)

    def sums(values: npt.NDArray[np.generic]) -> Ints:
        chosen = np.where(is_counted, values.astype(np.int64)[row], 0)
        if np.abs(chosen.astype(np.float64)).sum() < _SAFE_SUM:
            return np.add.reduceat(chosen, cut.first)
        exact = np.add.reduceat(chosen.astype(object), cut.first)
        return np.minimum(exact, LARGEST_BIGINT).astype(np.int64)

    if not cut.rows.num_rows:  # nothing but the end of the day before
        nothing = np.zeros(len(cut.first), np.int64)
        return {"pages": nothing, "bytes_sent": nothing, "errors": nothing}
    return {
        "pages": sums(cut.rows["is_page"].to_numpy()),
        "bytes_sent": sums(cut.rows["bytes_sent"].fill_null(0).to_numpy()),
        "errors": sums(cut.rows["status"].to_numpy() >= 500),
    }


def _find_ends(cut: Cut, first: Ints, end: Ints) -> tuple[Ints, Ints]:
    """The rows that each session enters and leaves by, shape ``(m,)`` each.

    Where several visits share the first or the last instant, `PLACE` decides.
    """
    is_new = np.ones(len(cut.row), np.bool_)
    is_new[1:] = (cut.visitor_id[1:] != cut.visitor_id[:-1]) | (cut.at[1:] != cut.at[:-1])
    run_start = np.flatnonzero(is_new)
    run_end = np.append(run_start[1:], len(is_new))
    run = np.cumsum(is_new) - 1  # of each visit
    lowest, highest = run_start.copy(), run_end - 1
    wanted = np.zeros(len(run_start), np.bool_)
    wanted[run[first]] = wanted[run[end - 1]] = True
    tied = np.flatnonzero(wanted & (run_end - run_start > 1))
    if len(tied):
        lowest[tied], highest[tied] = _order_ties(cut, run_start[tied], run_end[tied])
    return cut.row[lowest[run[first]]], cut.row[highest[run[end - 1]]]


def _order_ties(cut: Cut, start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """The first and last visit, by `PLACE`, of each run of visits of one instant."""
    size = end - start
    offset = np.cumsum(size) - size
    visits = np.arange(size.sum()) - np.repeat(offset - start, size)
    run = np.repeat(np.arange(len(size)), size)
    rows = cut.rows.select(PLACE).take(pa.array(cut.row[visits]))
    keys = [_ranks(rows[name].combine_chunks()) for name in reversed(PLACE)]
    order = np.lexsort((*keys, run))
    return visits[order[offset]], visits[order[offset + size - 1]]


def _ranks(column: pa.Array) -> Ints:
    """Numbers in the order of the values, nulls first; texts are ordered by their bytes."""
    if not pa.types.is_dictionary(column.type):
        return np.asarray(column.cast(pa.int64()).fill_null(-1).to_numpy())
    ranks = np.empty(len(column.dictionary) + 1, np.int64)
    ranks[pc.sort_indices(column.dictionary).to_numpy()] = np.arange(len(column.dictionary))
    ranks[-1] = -1
    found: Ints = ranks[column.indices.fill_null(len(column.dictionary)).to_numpy()]
    return found


def _referrer_hosts(referrers: pa.ChunkedArray) -> pa.Array:
    column = referrers.combine_chunks()
    used = np.unique(column.indices.drop_null().to_numpy())
    hosts: list[str | None] = [None] * len(column.dictionary)
    for number, referrer in zip(
        used.tolist(), column.dictionary.take(pa.array(used)).to_pylist(), strict=True
    ):
        hosts[number] = referrer_host(referrer)
    return pa.array(hosts, pa.string()).dictionary_encode().take(column.indices)


@lru_cache(maxsize=50_000)
def referrer_host(referrer: str) -> str | None:
    """The host of an absolute http(s) URL, ASCII in lower case, without user and port."""
    scheme, _, rest = referrer.partition("://")
    if scheme.lower() not in {"http", "https"}:
        return None
    for mark in "/?#":
        rest = rest.partition(mark)[0]
    host = rest.rpartition("@")[2]
    if host.startswith("["):
        host = host[: host.find("]") + 1]
    else:
        host = host.partition(":")[0].partition("[")[0]
    return host.encode().lower().decode() or None
