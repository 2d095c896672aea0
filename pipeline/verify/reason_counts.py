"""What is counted of a country's day for its reasons, session by session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


READ = ("visitor_id", "started_at", "hits", "pages", "errors", "entry_path", "referrer_host",
         "country", "subdivision", "user_agent", "is_robotlike", "source", "asn",
         "as_org")  # fmt: skip
GROWN = ("is_robotlike", "source", "asn", "as_org")
"""Of them those that an earlier version's sessions lack."""
_OF = {
    "entry page": "entry_path", "referring site": "referrer_host", "subdivision": "subdivision",
    "source server": "source",
}  # fmt: skip
_MINUTE_US = 60_000_000
_BROWSERS = (
    ("Facebook", "FBAN/", "FB_IAB/"), ("Edge", "Edg"), ("Opera", "OPR/", "Opera"),
    ("Samsung Internet", "SamsungBrowser/"), ("Firefox", "Firefox/", "FxiOS/"),
    ("Internet Explorer", "MSIE ", "Trident/"), ("Android WebView", "; wv)"),
    ("Chrome", "Chrome/", "CriOS/"), ("Safari", "Safari/"),
)  # fmt: skip


@dataclass
class CountedDay:
    """What is counted of a country's day."""

    elements: dict[str, Counter[str | None]]
    agents: Counter[str | None]
    visits: Counter[str]
    sessions: int
    names: dict[str, str]
    """What networks are called, by number."""


def count_day(sessions: pa.Table, all_hits: int, zone: ZoneInfo, *, leaves_out: bool) -> CountedDay:
    """Count a country's sessions of a day (``READ``), beside all its hits of it.

    ``leaves_out``: whether those of visitors whose day looks like a robot's do not count.
    """
    own_hits = pc.sum(sessions["hits"]).as_py() or 0
    if leaves_out:
        sessions = sessions.filter(pc.invert(sessions["is_robotlike"]))
    minutes = sessions["started_at"].cast(pa.int64()).to_numpy() // _MINUTE_US
    agents = _count(sessions["user_agent"])
    networks = sessions.select(["asn", "as_org"]).group_by(["asn", "as_org"]).aggregate([])
    pairs = zip(
        networks["asn"].cast(pa.string()).to_pylist(), networks["as_org"].to_pylist(), strict=True
    )

    def name_hour(minute: int) -> str:
        return f"{datetime.fromtimestamp(60 * minute, UTC).astimezone(zone):%H}"

    elements = {dimension: _count(sessions[name]) for dimension, name in _OF.items()}
    elements["network"] = _count(sessions["asn"].cast(pa.string()))
    # Zones change at whole minutes; and of a million sessions few differ in these.
    elements["hour"] = _name_each(Counter(minutes.tolist()), name_hour)
    elements["kind of agent"] = _name_each(agents, _name_agent)
    by_visitor = Counter(sessions["visitor_id"].to_pylist())
    visits = Counter(
        sessions=len(sessions),
        visitors=len(by_visitor),
        busiest=max(by_visitor.values(), default=0),
        one_hit=sum(hits == 1 for hits in sessions["hits"].to_pylist()),
        robotlike=sum(map(bool, sessions["is_robotlike"].to_pylist())),
        assets=max(all_hits - own_hits, 0),
        **{name: pc.sum(sessions[name]).as_py() or 0 for name in ("hits", "pages", "errors")},
    )
    return CountedDay(elements, agents, visits, len(sessions), name_networks(pairs))


def _count(column: pa.ChunkedArray) -> Counter[Any]:
    return Counter(column.to_pylist())


def _name_each(counts: Counter[Any], name: Callable[[Any], str | None]) -> Counter[str | None]:
    """The counts of what is called the same."""
    found = Counter[str | None]()
    for value, count in counts.items():
        found[name(value)] += count
    return found


def name_networks(pairs: Iterable[tuple[str | None, str | None]]) -> dict[str, str]:
    """Of each network the last of its names."""
    found: dict[str, str] = {}
    for number, name in pairs:
        if number is not None and name is not None:
            found[number] = max(found.get(number, name), name, key=str.encode)
    return found


def _name_agent(agent: str | None) -> str | None:
    if agent is None:
        return None
    own = (name for name, *marks in _BROWSERS if any(mark in agent for mark in marks))
    return f"{next(own, 'another browser')}, {_name_device(agent)}"


def _name_device(agent: str) -> str:
    is_android = "Android" in agent
    if "iPad" in agent or "Tablet" in agent or (is_android and "Mobile" not in agent):
        return "tablet"
    if is_android or "Mobi" in agent or "iPhone" in agent:
        return "phone"
    is_desktop = any(mark in agent for mark in ("Windows", "Macintosh", "X11"))
    return "desktop" if is_desktop else "another device"
