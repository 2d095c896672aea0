"""What the records of a sheet come to: sums, and a line a day, so that nobody need read them.

A pure function of the records. It stands in the sheet's footer, written with it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.days import EPOCH
from pipeline.lake.ledger import Located

KINDS = ("hits", "rejected", "blank", "directives", "duplicates")
"""Of which each line is one."""
COUNTED = ("lines", *KINDS)
READ_BY = (
    "robots", "definitions", "addresses", "proxies", "layout", "timezone", "erasures", "networks",
)  # fmt: skip
"""How a file was read; a day that is built of it depends on that."""
DOUBTS = ("flood_lines", "repeat_lines", "shared_lines")
"""How many lines a file may have that are another's, too."""
ENDED = ("replaced_by", "forgotten_at")
"""Of a file that is not in the lake any more."""
_TEXT_OF_TIME = "%Y-%m-%dT%H:%M:%S+00:00"


class DaySums(NamedTuple):
    """What a source's files come to on one local day."""

    files: int
    hits: int
    digest: str
    """Of all of them that a build of the day depends on."""


@dataclass(frozen=True)
class Sums:
    """Of a source's files that are in the lake; ``sum_up`` makes it."""

    source: str
    files: int
    files_with_hits: int
    told_by_name: int
    """Of those with hits: whose source is what their names say."""
    counted: dict[str, int]
    """The lines by outcome, ``COUNTED``."""
    reasons: dict[str, int]
    first_at: str | None
    """ISO 8601 in UTC, of those with hits; the last hit's likewise."""
    last_at: str | None
    damaged: list[str]
    """Their names."""
    doubted: int
    """How many are damaged, or may have lines of others."""
    is_old: bool
    """Whether an earlier version read any of them."""
    days: dict[str, DaySums]
    ways: str
    """The same as ``located``, as JSON: few ask, and a lake has as many as days of sources."""

    @property
    def located(self) -> list[Located]:
        """By what their hits of which days were located, each way once."""
        return [
            Located(tuple((day, built) for day, built in its), networks)
            for its, networks in json.loads(self.ways)
        ]

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(vars(self), separators=(",", ":"))


def read_sums(text: bytes) -> Sums:
    """Read them from JSON.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is of another shape.
    """
    known = json.loads(text)
    known["days"] = {day: DaySums(*its) for day, its in known["days"].items()}
    return Sums(**known)


def sum_up(source: str, table: pa.Table) -> Sums:
    """What the records of a sheet come to.

    Args:
        source: whose files they are.
        table: as ``SCHEMA`` of the sheets.
    """
    live = table.filter(pc.and_(*(pc.is_null(table[name]) for name in ENDED)))
    with_hits = live.filter(pc.greater(pc.list_value_length(live["days"]), 0))
    is_damaged = live["damage"].is_valid()
    are_doubted = [is_damaged, *(pc.greater(live[name], 0) for name in DOUBTS)]
    reasons: Counter[str] = Counter()
    for its in live["reasons"].to_pylist():
        reasons.update(dict(its))
    told = pc.fill_null(with_hits["source_by_name"], True)
    first, last = (
        pc.strftime(pc.cast(end(with_hits[name]), pa.timestamp("s", "UTC")), _TEXT_OF_TIME).as_py()
        for end, name in ((pc.min, "first_at"), (pc.max, "last_at"))
    )
    return Sums(
        source, len(live), len(with_hits), pc.sum(told).as_py() or 0,
        {name: pc.sum(live[name]).as_py() or 0 for name in COUNTED}, dict(sorted(reasons.items())),
        first, last, live.filter(is_damaged)["name"].to_pylist(),
        sum(any(its) for its in zip(*(one.to_pylist() for one in are_doubted), strict=True)),
        any(live[name].null_count > 0 for name in ("lies_in", "networks")),
        dict(_sum_days(with_hits)), _write_ways(live),
    )  # fmt: skip


def _sum_days(live: pa.Table) -> Iterator[tuple[str, DaySums]]:
    shares = live["days"].combine_chunks()
    names = ("file_key", "lies_in", *READ_BY)
    rows = list(zip(*(live[name].to_pylist() for name in names), strict=True))
    owner = np.repeat(np.arange(len(live)), np.diff(shares.offsets.to_numpy()))
    days = shares.values.field("day").cast(pa.int32()).to_numpy()
    order = np.argsort(days, kind="stable")
    given = shares.values.take(pa.array(order))
    hits, is_late = (given.field(name).to_pylist() for name in ("hits", "geo_is_late"))
    built = given.field("geo_built").cast(pa.string()).to_pylist()
    owner, days = owner[order].tolist(), days[order]
    starts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)] if len(days) else []
    for start, end in pairwise(starts):
        its = [(*rows[owner[n]], hits[n], is_late[n], built[n]) for n in range(start, end)]
        digest = hashlib.sha256(json.dumps(its).encode()).hexdigest()[:32]
        day = EPOCH + timedelta(days=int(days[start]))
        yield str(day), DaySums(end - start, sum(hits[start:end]), digest)


def _write_ways(live: pa.Table) -> str:
    ways = []
    for name in ("days", "whole_days"):
        shares = live[name].combine_chunks()
        days, built = (
            shares.values.field(one).cast(pa.string()).to_pylist() for one in ("day", "geo_built")
        )
        cuts = pairwise(shares.offsets.to_pylist())
        ways.append([tuple(zip(days[a:b], built[a:b], strict=True)) for a, b in cuts])
    given = zip(*ways, live["networks"].to_pylist(), strict=True)
    found = sorted({(whole or some, networks) for some, whole, networks in given}, key=str)
    return json.dumps(found, separators=(",", ":"))
