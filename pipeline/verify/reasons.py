"""Proves ``drivers`` and ``signals``: their counts anew from sessions, session by session.

What is made of counts is Python anyway; the same is asked again, as of surges.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables import SESSIONS
from pipeline.verify.findings import Finding
from pipeline.verify.parquet import Shelf, add_missing
from pipeline.verify.reason_counts import (
    GROWN,
    READ,
    CountedDay,
    count_day,
    name_networks,
)
from pipeline.why import thresholds
from pipeline.why.drivers import find_drivers
from pipeline.why.signals import find_signals

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_SATURDAY = 5


@dataclass
class _Part:
    """What is counted of one surge's days, or of those before it."""

    agents: Counter[str | None] = field(default_factory=Counter)
    visits: Counter[str] = field(default_factory=Counter)


def count_reasons(
    shelf: Shelf,
    tables: Mapping[str, pa.Table],
    daily: pa.Table,
    zone: ZoneInfo,
) -> dict[str, pa.Table] | None:
    """The two tables of ``days``, ``expected`` and ``surges``; None when sessions are off."""
    surges = tables["surges"]
    spans = list(_list_spans(tables))
    wanted: dict[date, set[str]] = defaultdict(set)
    for row in spans:
        wanted[row["day"]].add(row["country"])
    counted = dict(
        zip(tables["days"]["day"].to_pylist(), tables["days"]["sessions"].to_pylist(), strict=True)
    )
    keys = zip(daily["day"].to_pylist(), daily["country"].to_pylist(), strict=True)
    hits = dict(zip(keys, daily["hits"].to_pylist(), strict=True))
    found: dict[tuple[date, str], CountedDay] = {}
    for day, countries in sorted(wanted.items()):
        places = shelf.list_parts("sessions", day)
        if not places and not counted[day]:
            continue
        parts = [shelf.read(place, columns=READ) for place in places]
        read = [part for part in parts if not isinstance(part, Finding)]
        if not read or len(read) < len(parts):
            return None
        whole = [add_missing(part, GROWN, SESSIONS).select(READ) for part in read]
        sessions = pa.concat_tables(whole)
        leaves_out = len(sessions) > counted[day]
        for country in countries:
            own = sessions.filter(pc.equal(sessions["country"], country))
            all_hits = hits.get((day, country), 0)
            found[day, country] = count_day(own, all_hits, zone, leaves_out=leaves_out)
    elements, agents, visits = _add_up(len(surges), spans, found)
    kept = pa.Table.from_pylist(
        spans,
        pa.schema(
            [("surge", pa.int64()), ("country", pa.string()), ("day", pa.date32()),
             ("is_before", pa.bool_()), ("is_weekend", pa.bool_()), ("observed", pa.int64()),
             ("expected", pa.float64())]
        ),
    )  # fmt: skip
    return {
        "drivers": find_drivers(surges, kept, elements),
        "signals": find_signals(surges, kept, visits, agents, elements),
    }


def _list_spans(tables: Mapping[str, pa.Table]) -> Iterator[dict[str, Any]]:
    days = tables["days"]
    is_preliminary, built = (
        dict(zip(days["day"].to_pylist(), days[name].to_pylist(), strict=True))
        for name in ("is_preliminary", "geo_built")
    )
    by_country: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in tables["expected"].to_pylist():
        by_country[row["country"]].append(row)
    for number, surge in enumerate(tables["surges"].to_pylist()):
        is_unlocated = built[surge["start_day"]] is None
        own = [
            row for row in by_country[surge["country"]]
            if row["day"] in is_preliminary and (built[row["day"]] is None) == is_unlocated
        ]  # fmt: skip
        first = surge["start_day"] - timedelta(thresholds.REACH_DAYS)
        before = [
            row for row in own
            if first <= row["day"] < surge["start_day"]
            and not row["is_surge"] and is_preliminary[row["day"]] is False
        ][-thresholds.MOST_DAYS_BEFORE:]  # fmt: skip
        during = [row for row in own if surge["start_day"] <= row["day"] <= surge["end_day"]]
        for row in (*before, *during):
            yield {
                "surge": number, "country": surge["country"], "day": row["day"],
                "is_before": row["day"] < surge["start_day"],
                "is_weekend": row["day"].weekday() >= _SATURDAY,
                "observed": row["observed"], "expected": row["expected"],
            }  # fmt: skip


def _add_up(
    surges: int, spans: list[dict[str, Any]], found: Mapping[tuple[date, str], CountedDay]
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """The rows of ``sql/why/``: elements, agents and visits of each surge."""
    sums: dict[tuple[int, str], dict[str | None, list[int]]] = defaultdict(dict)
    networks: dict[int, dict[str, str]] = defaultdict(dict)
    parts = {(n, is_before): _Part() for n in range(surges) for is_before in (False, True)}
    for row in spans:
        day = found.get((row["day"], row["country"]))
        if day is None:
            continue
        part = parts[row["surge"], row["is_before"]]
        part.agents += day.agents
        part.visits += day.visits
        known = networks[row["surge"]]
        networks[row["surge"]] = name_networks([*known.items(), *day.names.items()])
        column = 1 + row["is_weekend"] if row["is_before"] else 0
        for dimension, counts in day.elements.items():
            own = sums[row["surge"], dimension]
            for element, count in counts.items():
                values = own.setdefault(element, [0] * 5)
                values[column] += count
                if column:
                    values[3] += count * count
                    values[4] += count * day.sessions
    elements = [
        (surge, dimension, *rest)
        for (surge, dimension), own in sorted(sums.items())
        if dimension not in {"source server", "network"} or None not in own
        for rest in _keep(dimension, own, networks[surge])
    ]
    visits = [
        (surge, is_before, *(part.visits[name] for name in _VISITS))
        for (surge, is_before), part in sorted(parts.items())
    ]
    agents = [
        (surge, *counts, times)
        for surge in range(surges)
        for counts, times in sorted(
            _pair_agents(parts[surge, False].agents, parts[surge, True].agents).items()
        )
    ]
    return (
        _table(elements, ("surge", "dimension", "element", "is_other", "observed",
                          "weekdays_before", "weekends_before", "squares", "products")),
        _table(agents, ("surge", "sessions", "sessions_before", "agents")),
        _table(visits, ("surge", "is_before", *_VISITS)),
    )  # fmt: skip


_VISITS = ("sessions", "visitors", "busiest", "hits", "pages", "errors", "one_hit", "robotlike",
           "assets")  # fmt: skip


def _keep(
    dimension: str, own: dict[str | None, list[int]], networks: Mapping[str, str]
) -> Iterator[tuple[Any, ...]]:
    """The elements that are named, in order, and the others as one."""
    before, during = (
        sum(values[1] + values[2] for values in own.values()),
        sum(values[0] for values in own.values()),
    )

    def change(element: str | None) -> tuple[int, bool, bytes]:
        values = own[element]
        moved = abs(values[0] * before - (values[1] + values[2]) * during)
        return -moved, element is None, (element or "").encode()

    ordered = sorted(own, key=change)
    kept = [
        one
        for one in ordered[: thresholds.MOST_ELEMENTS]
        if max(own[one][0], own[one][1] + own[one][2]) >= thresholds.LEAST_OF_AN_ELEMENT
    ]
    kept = [*own] if dimension == "hour" else kept
    others = [own[element] for element in own if element not in kept]
    shown = {element: element for element in kept}
    if dimension == "network":
        shown = {number: _show_network(number, networks) for number in kept}
    for element in sorted(kept, key=lambda e: (shown[e] is None, (shown[e] or "").encode())):
        yield shown[element], False, *own[element]
    if others:
        yield None, True, *map(sum, zip(*others, strict=True))


def _show_network(number: str | None, networks: Mapping[str, str]) -> str | None:
    if number in {None, "0"}:
        return None
    return " ".join([f"AS{number}", *([networks[number]] if number in networks else [])])


def _pair_agents(
    during: Counter[str | None], before: Counter[str | None]
) -> Counter[tuple[int, int]]:
    return Counter((during[agent], before[agent]) for agent in {*chain(during, before)})


def _table(rows: list[tuple[Any, ...]], names: tuple[str, ...]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    texts = {"dimension": pa.string(), "element": pa.string()}
    flags = {"is_other": pa.bool_(), "is_before": pa.bool_()}
    floats = {"squares": pa.float64(), "products": pa.float64()}
    kinds = texts | flags | floats
    return pa.table(
        {
            name: pa.array(values, kinds.get(name, pa.int64()))
            for name, values in zip(names, columns, strict=True)
        }
    )
