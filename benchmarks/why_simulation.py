"""Simulated surges whose drivers are planted: a country's sessions on its days and on 28 before.

A country has pages, referring sites, subdivisions, networks, user agents and hours with shares of
its own, which wander from day to day (Dirichlet) and are others on weekends; its visitors load
assets, return and leave after one hit as the country's do. A surge's excess is drawn from the same,
but for what is planted. Nothing here is a measurement of a real site.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.demo.storm.agents import make_agents
from pipeline.tables import SURGES

Rng = np.random.Generator
Floats = NDArray[np.float64]

DAYS_BEFORE = 28
PEOPLE = ("one page", "one referrer", "one state", "one network", "two mixed", "uniform")
MACHINES = ("one user agent", "flood behind many agents")
KINDS = (*PEOPLE, *MACHINES)
NOON = np.array([2, 1, 1, 1, 1, 1, 2, 3, 4, 6, 6, 6, 6, 6, 6, 6, 6, 5, 5, 5, 5, 5, 4, 3], float)
EPOCH = date(1970, 1, 1)
NO_NETWORK = "0"


@dataclass(frozen=True)
class Planted:
    """What drives a surge: dimension and element of each driver; none when all rises alike."""

    kind: str
    drivers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Country:
    """Shares of what sessions are made of; the first referrer, subdivision and network are none."""

    level: float
    wander: float
    """How far shares wander from day to day: the correlation of a day's sessions."""
    shares: dict[str, Floats]
    names: dict[str, list[str | None]]
    weekend: dict[str, Floats]
    one_hit: float
    assets: float
    returns: float


@dataclass(frozen=True)
class Batch:
    """Some surges as the tables of a lake; ``planted`` by surge."""

    sessions: pa.Table
    daily: pa.Table
    surges: pa.Table
    spans: pa.Table
    planted: list[Planted]


def simulate(rng: Rng, count: int) -> Batch:
    """``count`` surges, each of a country of its own, the kinds in turn."""
    browsers = [*make_agents().browsers]
    sessions: list[dict[str, Any]] = []
    daily, surges, spans, planted = [], [], [], []
    for number in range(count):
        code = f"C{number:04}"
        country = _draw_country(rng, browsers)
        start = date(2020, 1, 1) + timedelta(int(rng.integers(0, 7)))
        lasts = int(rng.choice([1, 1, 1, 2, 3, 5, 9]))
        kind = KINDS[number % len(KINDS)]
        usual = country.level * np.exp(rng.normal(0, 0.06, DAYS_BEFORE + lasts))
        days = [start + timedelta(n - DAYS_BEFORE) for n in range(DAYS_BEFORE + lasts)]
        usual *= [0.75 if day.weekday() >= 5 else 1 for day in days]
        counts = rng.poisson(usual)
        least = max(60.0, 5 * np.sqrt(country.level + (0.06 * country.level) ** 2))
        size = lasts * least * np.exp(rng.uniform(0, np.log(40)))
        extra = rng.multinomial(int(size), np.full(lasts, 1 / lasts))
        plant = _draw_plant(rng, kind, country)
        flood = _draw_flood(rng, country) if kind == "flood behind many agents" else None
        planted.append(plant[0])
        observed = []
        for n, day in enumerate(days):
            drawn = _draw_sessions(rng, country, day, int(counts[n]))
            if n >= DAYS_BEFORE:
                more = _draw_excess(rng, country, day, int(extra[n - DAYS_BEFORE]), plant)
                if flood:
                    _replace(rng, more, flood)
                drawn = {name: np.concatenate([drawn[name], more[name]]) for name in drawn}
            total = len(drawn["hits"])
            observed.append(total)
            sessions.append(drawn | {"country": code, "day": day, "count": total})
            daily.append((day, code, int((drawn["hits"] + drawn["assets"]).sum())))
            is_before = n < DAYS_BEFORE
            guess = None if is_before else round(float(usual[n] * np.exp(rng.normal(0, 0.03))), 3)
            spans.append((number, code, day, is_before, day.weekday() >= 5, total, guess))
        expected = round(sum(row[6] for row in spans[-lasts:]), 3)
        own = sum(observed[DAYS_BEFORE:])
        surges.append({
            "country": code, "start_day": start, "peak_day": start, "end_day": days[-1],
            "days": lasts, "observed": own, "expected": expected, "excess": own - expected,
            "peak_sessions": own, "peak_ratio": own / expected, "is_open": False,
            "is_at_least": False,
        })  # fmt: skip
    return Batch(
        _join(sessions),
        _rows(daily, ("day", "country", "hits")),
        pa.Table.from_pylist(surges, SURGES),
        _rows(
            spans,
            ("surge", "country", "day", "is_before", "is_weekend", "observed", "expected"),
        ),
        planted,
    )


def _rows(rows: list[tuple[Any, ...]], names: tuple[str, ...]) -> pa.Table:
    return pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))


def _draw_country(rng: Rng, browsers: list[str]) -> Country:
    pages = int(rng.integers(40, 1500))
    states = int(rng.integers(4, 52))
    agents = int(rng.integers(200, 3000))
    networks = int(rng.integers(8, 400))
    names: dict[str, list[str | None]] = {
        "entry_path": ["/", *(f"/page/{n}" for n in range(1, pages))],
        "referrer_host": [None, *(f"site{n}.example" for n in range(1, 25))],
        "subdivision": [None, *(f"S{n}" for n in range(1, states))],
        "asn": [str(n) for n in range(networks)],
        "user_agent": [browsers[n] for n in rng.permutation(len(browsers))[:agents]],
        "hour": [str(n) for n in range(24)],
    }  # fmt: skip
    shares = {
        name: _zipf(rng, len(own), float(rng.uniform(0.8, 1.3)))
        for name, own in names.items()
        if name != "hour"
    }
    shares["hour"] = np.roll(NOON, int(rng.integers(0, 24))) / NOON.sum()
    weekend = {name: own * np.exp(rng.normal(0, 0.15, len(own))) for name, own in shares.items()}
    return Country(
        level=float(np.exp(rng.uniform(np.log(8), np.log(900)))),
        wander=float(np.exp(rng.uniform(np.log(1e-4), np.log(5e-3)))),
        shares=shares,
        names=names,
        weekend={name: own / own.sum() for name, own in weekend.items()},
        one_hit=float(rng.uniform(0.3, 0.75)),
        assets=float(rng.choice([0.0, 0.5, 2.0, 6.0], p=[0.1, 0.3, 0.3, 0.3])),
        returns=float(rng.uniform(0.02, 0.2)),
    )


def _zipf(rng: Rng, count: int, steepness: float) -> Floats:
    weights = 1 / (np.arange(count) + float(rng.uniform(1, 4))) ** steepness
    return np.asarray(weights / weights.sum())


def _wander(rng: Rng, shares: Floats, wander: float) -> Floats:
    drawn = rng.gamma(np.maximum(shares * (1 / wander - 1), 1e-6))
    return np.asarray(drawn / drawn.sum())


def _draw_sessions(rng: Rng, country: Country, day: date, count: int) -> dict[str, Any]:
    """Sessions of people as they come to the country's site."""
    usual = country.weekend if day.weekday() >= 5 else country.shares
    drawn: dict[str, Any] = {}
    for name, own in usual.items():
        places = rng.choice(len(own), count, p=_wander(rng, own, country.wander))
        drawn[name] = np.array(country.names[name], dtype=object)[places]
    again = rng.random(count) < country.returns
    visitor = rng.integers(1, 1 << 62, count)
    again[:1] = False
    visitor[again] = visitor[np.flatnonzero(again) - 1]
    hits = np.where(rng.random(count) < country.one_hit, 1, 2 + rng.geometric(0.4, count))
    drawn |= {
        "visitor_id": visitor,
        "hits": hits,
        "pages": np.maximum(hits - rng.binomial(hits, 0.1), 0),
    }
    loads = rng.random(count) < 0.6
    drawn["assets"] = loads * rng.poisson(country.assets / 0.6, count)
    drawn["errors"] = rng.binomial(hits, 0.005)
    return drawn


Plant = tuple[Planted, dict[str, tuple[int, float]]]
"""And by column the place of the planted element, and its part of the excess."""


def _draw_plant(rng: Rng, kind: str, country: Country) -> Plant:
    def choose(column: str) -> int:
        """Any element, but none so common that nobody could tell."""
        fair = np.flatnonzero(country.shares[column] < 0.4)
        names = country.names[column]
        fair = np.array([n for n in fair if names[n] not in {None, NO_NETWORK}] or [1])
        return int(rng.choice(fair)) if rng.random() < 0.5 else int(rng.choice(fair[:10]))

    dimension = {"entry_path": "entry page", "referrer_host": "referring site",
                 "subdivision": "subdivision", "asn": "network"}  # fmt: skip
    columns = {"one page": ["entry_path"], "one referrer": ["referrer_host"],
               "one state": ["subdivision"], "one network": ["asn"],
               "two mixed": ["entry_path", "referrer_host"],
               "one user agent": ["user_agent"]}.get(kind, [])  # fmt: skip
    least, most = (0.4, 0.5) if len(columns) > 1 else (0.7 if kind in MACHINES else 0.5, 1)
    part = float(rng.uniform(least, most))
    planted = {column: (choose(column), part) for column in columns}
    drivers = tuple(
        (dimension[column], _show(column, country.names[column][place]))
        for column, (place, _) in planted.items()
        if column in dimension
    )
    return Planted(kind, drivers), planted


def _show(column: str, element: str | None) -> str:
    return f"AS{element} Network {element}" if column == "asn" else str(element)


def _draw_excess(rng: Rng, country: Country, day: date, count: int, plant: Plant) -> dict[str, Any]:
    """The sessions beyond the usual ones, people's or a machine's."""
    drawn = _draw_sessions(rng, country, day, count)
    drawn["assets"] = rng.binomial(drawn["assets"], float(rng.uniform(0.75, 1)))
    kind, start = plant[0].kind, 0.0
    lot = rng.random(count)
    for column, (place, part) in plant[1].items():
        chosen = (lot >= start) & (lot < start + part)
        drawn[column][chosen] = country.names[column][place]
        start += part if len(plant[1]) > 1 else 0
        if kind == "one user agent":
            drawn["assets"][chosen] = 0
    return drawn


@dataclass(frozen=True)
class Flood:
    """One client: where it is, the pages it asks for, the agents it poses as, hits a session."""

    subdivision: str | None
    network: str | None
    pages: list[str | None]
    agents: list[str | None]
    """Made up for each session when there are none."""
    hits: int


def _draw_flood(rng: Rng, country: Country) -> Flood:
    names = country.names
    return Flood(
        rng.choice(names["subdivision"]),
        rng.choice(names["asn"]),
        [*rng.choice(names["entry_path"], 3)],
        [*rng.choice(names["user_agent"], int(rng.integers(30, 800)))] * (rng.random() < 0.5),
        1 if rng.random() < 0.7 else int(rng.integers(2, 6)),
    )


def _replace(rng: Rng, drawn: dict[str, Any], flood: Flood) -> None:
    """Make sessions the client's: from no site, at any hour, without assets."""
    count = len(drawn["hits"])
    drawn["subdivision"][:] = flood.subdivision
    drawn["asn"][:] = flood.network
    drawn["referrer_host"][:] = None
    drawn["entry_path"][:] = np.array(flood.pages, object)[rng.integers(0, len(flood.pages), count)]
    drawn["hour"][:] = rng.integers(0, 24, count).astype(str)
    if flood.agents:
        place = rng.integers(0, len(flood.agents), count)
        drawn["user_agent"][:] = np.array(flood.agents, object)[place]
        drawn["visitor_id"] = place + rng.integers(1, 1 << 40)
    else:
        drawn["user_agent"][:] = [
            f"Mozilla/5.0 (Windows NT 10.0) Chrome/{n // 1000}.{n % 1000} Safari/537.36"
            for n in rng.integers(0, 10**6, count).tolist()
        ]
        drawn["visitor_id"] = rng.integers(1, 1 << 62, count)
    drawn["hits"][:] = drawn["pages"][:] = flood.hits
    drawn["assets"][:] = drawn["errors"][:] = 0


def _join(parts: list[dict[str, Any]]) -> pa.Table:
    """The table ``sessions``, as far as it is asked."""
    counts = [part["count"] for part in parts]
    joined = {
        name: np.concatenate([part[name] for part in parts])
        for name in parts[0]
        if name not in ("country", "day", "count")
    }
    day = np.repeat([(part["day"] - EPOCH).days for part in parts], counts)
    started = (day * 24 + joined.pop("hour").astype(np.int64)) * 3_600_000_000
    joined.pop("assets")
    number = joined["asn"].astype(np.int64)
    joined["as_org"] = np.where(number > 0, [f"Network {n}" for n in number.tolist()], None)
    texts = ("as_org", "entry_path", "referrer_host", "subdivision", "user_agent")
    return pa.table(
        {name: pa.array(joined[name], pa.string()) for name in texts}
        | {name: pa.array(joined[name].astype(np.int64)) for name in ("hits", "pages", "errors")}
        | {
            "visitor_id": pa.array(joined["visitor_id"].astype(np.uint64)),
            "asn": pa.array(number),
            "country": pa.array(np.repeat([part["country"] for part in parts], counts)),
            "day": pa.array(day.astype(np.int32), pa.date32()),
            "started_at": pa.array(started, pa.timestamp("us", "UTC")),
            "is_robotlike": pa.array(np.zeros(len(day), bool)),
            "source": pa.array(np.array(["web01", "web02", "web03"])[joined["hits"] % 3]),
        }
    )
