"""Robot-like visitors of one day found anew from its hits, in NumPy.

The rule is docs/definitions.md's; shares nothing with ``sql/robotlike.sql``.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Visitors = npt.NDArray[np.uint64]
"""Distinct visitor ids, in order."""

_LEAST_PAGES = 10
_MOST_PAGES = 800
_LEAST_PER_MINUTE = 30
_MINUTE_US = 60_000_000
_AGENT_LENGTHS = (25, 400)
_MONOTONOUS_ABOVE = 100
_LEAST_DISTINCT = 0.2
_NO_ASSET = "/robots.txt"


def take_assets(hits: pa.Table) -> Visitors:
    """The visitors who took an asset other than ``/robots.txt``.

    ``hits`` has ``visitor_id``, ``path`` (a dictionary) and ``is_asset``, in single chunks.
    """
    path = hits["path"].combine_chunks()
    taken = pc.not_equal(pc.ascii_lower(path.dictionary), _NO_ASSET).take(path.indices)
    chosen = pc.and_(hits["is_asset"].combine_chunks(), pc.fill_null(taken, False))
    visitors: Visitors = np.unique(hits["visitor_id"].filter(chosen).to_numpy())
    return visitors


def find_robotlike(visits: pa.Table, with_assets: Visitors) -> Visitors:
    """The robot-like ones among the visitors of a day's visits, all of each one's.

    Args:
        visits: in single chunks, texts as dictionaries.
        with_assets: those who took an asset that day.
    """
    pages = visits.filter(visits["is_page"]).combine_chunks()
    ids, number, count = np.unique(
        pages["visitor_id"].to_numpy(), return_inverse=True, return_counts=True
    )
    is_busy = count >= _LEAST_PAGES
    if not is_busy.any():
        return ids[:0]
    rows = np.flatnonzero(is_busy[number])
    rows = rows[np.argsort(number[rows], kind="stable")]  # the pages of each one together
    ids, count = ids[is_busy], count[is_busy]
    start = np.cumsum(count) - count

    at = pages["ts"].cast(pa.int64()).to_numpy()[rows]
    span = np.maximum.reduceat(at, start) - np.minimum.reduceat(at, start)
    is_fast = count * _MINUTE_US >= _LEAST_PER_MINUTE * np.maximum(span, _MINUTE_US)

    agent = pages["user_agent"].combine_chunks().take(pa.array(rows[start]))
    length = pc.utf8_length(agent.dictionary).take(agent.indices)
    is_usual = pc.and_(
        pc.greater_equal(length, _AGENT_LENGTHS[0]), pc.less_equal(length, _AGENT_LENGTHS[1])
    )
    is_suspicious = ~pc.fill_null(is_usual, True).to_numpy(zero_copy_only=False)

    path = pages["path"].combine_chunks().indices.fill_null(-1).to_numpy()[rows]
    owner = np.repeat(np.arange(len(ids)), count)
    kinds = np.unique(np.stack([owner, path]), axis=1)[0]
    distinct = np.bincount(kinds, minlength=len(ids))
    is_monotonous = (
        (count > _MONOTONOUS_ABOVE)
        & (distinct / count < _LEAST_DISTINCT)
        & ~np.isin(ids, with_assets)
    )
    found: Visitors = ids[(count > _MOST_PAGES) | is_fast | is_suspicious | is_monotonous]
    return found
