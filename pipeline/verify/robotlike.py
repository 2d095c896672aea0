"""Robot-like visitors of one day found anew from its hits, in NumPy.

The rule is docs/definitions.md's; shares its thresholds with
``sql/robotlike.sql``, and nothing else.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.definitions import ASSET_PATH, ROBOTLIKE
from pipeline.verify.counts import MINUTE_US

Visitors = npt.NDArray[np.uint64]
"""Distinct visitor ids, in order."""


def take_assets(hits: pa.Table) -> Visitors:
    """The visitors who took an asset other than ``/robots.txt``.

    ``hits`` has ``visitor_id``, ``path`` (a dictionary) and ``is_asset``, in single chunks.
    """
    path = hits["path"].combine_chunks()
    taken = pc.not_equal(pc.ascii_lower(path.dictionary), ASSET_PATH).take(path.indices)
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
    is_busy = count >= ROBOTLIKE["least_pages"]
    if not is_busy.any():
        return ids[:0]
    rows = np.flatnonzero(is_busy[number])
    rows = rows[np.argsort(number[rows], kind="stable")]  # the pages of each one together
    ids, count = ids[is_busy], count[is_busy]
    start = np.cumsum(count) - count

    at = pages["ts"].cast(pa.int64()).to_numpy()[rows]
    span = np.maximum.reduceat(at, start) - np.minimum.reduceat(at, start)
    is_fast = count * MINUTE_US >= ROBOTLIKE["most_pages_a_minute"] * np.maximum(span, MINUTE_US)

    agent = pages["user_agent"].combine_chunks().take(pa.array(rows[start]))
    length = pc.utf8_length(agent.dictionary).take(agent.indices)
    is_usual = pc.and_(
        pc.greater_equal(length, ROBOTLIKE["shortest_agent"]),
        pc.less_equal(length, ROBOTLIKE["longest_agent"]),
    )
    is_suspicious = ~pc.fill_null(is_usual, True).to_numpy(zero_copy_only=False)

    path = pages["path"].combine_chunks().indices.fill_null(-1).to_numpy()[rows]
    owner = np.repeat(np.arange(len(ids)), count)
    kinds = np.unique(owner << 32 | path + 1)
    distinct = np.bincount(kinds >> 32, minlength=len(ids))
    is_monotonous = (
        (count > ROBOTLIKE["many_pages"])
        & (distinct * ROBOTLIKE["many_pages_a_path"] < count)
        & ~np.isin(ids, with_assets)
    )
    is_heavy = count > ROBOTLIKE["most_pages"]
    found: Visitors = ids[is_heavy | is_fast | is_suspicious | is_monotonous]
    return found
