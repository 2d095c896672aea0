"""Simulated people: sessions that the pipeline must find again, exactly as many as planned.

A part of a day is drawn on its own, from its own random numbers. Sessions cannot merge or split by
accident: a server's visitors in one part share no address with any other part or server, pairs of
address and user agent are unique within a part, a session lasts under two hours, and parts of the
same kind are further apart than that. Two sessions of one visitor are drawn on purpose.
"""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.demo.storm.answers import answer, mix_statuses
from pipeline.demo.storm.assumed import (
    FLOOD_PAGE,
    FLOOD_WIDTH,
    REGULAR_SHARE,
    REGULARS,
    draw_drivers,
)
from pipeline.demo.storm.log_lines import LogLines, delay_writing, join_lines, status_id
from pipeline.demo.storm.november import DAYS, HOUR, SERVERS, day_start, wall_hours
from pipeline.demo.storm.outage import failure_share
from pipeline.demo.storm.world import World

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

GAP: Final = 1800  # seconds; a longer one starts the next session
HITS: Final = np.repeat([1, 2, 3, 4, 5, 6, 7, 8, 10, 12], [620, 160, 90, 50, 30, 20, 12, 8, 6, 4])
LONGEST_STEP: Final = 400
PART_SHARES: Final = (0.0, 0.08, 0.8, 1.0)  # cumulated, of a server's addresses
CROWDED: Final = 0.15  # of visitors share a fiftieth of the addresses
RETURNS: Final = 0.06
SCANS: Final = 0.004
CUT_LINES: Final = 3e-4
HIT_STATUSES: Final = mix_statuses({200: 905, 304: 25, 301: 12, 302: 30, 404: 26, 403: 2})
SCAN_STATUSES: Final = mix_statuses({404: 93, 403: 5, 200: 2})
ASSET_STATUSES: Final = mix_statuses({200: 80, 304: 19, 404: 1})


class VisitPart(IntEnum):
    """Parts of a local day: its first hour, its last two, and what is between."""

    DAWN = 0
    DAYTIME = 1
    LATE = 2


@dataclass(frozen=True)
class Visits:
    """Sessions: who comes, where their hits start in the flat arrays ``owner`` and ``at``."""

    client: Ints
    agent: Ints
    is_storm: Mask
    is_flood: Mask
    is_scan: Mask
    is_cut: Mask
    first: Ints
    owner: Ints
    at: Ints
    bridges: Ints  # sessions that are followed by the same visitor's next one


def draw_visits(world: World, server: int, day: int, part: VisitPart) -> LogLines:
    """Draw the lines of all sessions that start in one part of a day on one server."""
    rng = np.random.default_rng([world.seed, 4, server, day, part])
    visits = _draw_sessions(world, server, day, part, rng)
    hits = _draw_hits(world, visits, DAYS[day], rng)
    assets, bridges = _draw_assets(world, visits, hits, rng), _draw_bridges(world, visits, rng)
    return join_lines([hits, assets, bridges])


def part_hours(day: int, part: VisitPart) -> range:
    """Elapsed hours of a local day that belong to a part."""
    hours = len(wall_hours(day))
    return (range(1), range(1, hours - 2), range(hours - 2, hours))[part]


def _draw_sessions(
    world: World, server: int, day: int, part: VisitPart, rng: np.random.Generator
) -> Visits:
    hours = part_hours(day, part)
    counts = world.plan[day][:, server, hours.start : hours.stop]
    cell = np.repeat(np.arange(counts.size), counts.ravel())
    country, hour = cell // len(hours), cell % len(hours) + hours.start
    start = day_start(day) + hour * HOUR + rng.integers(0, HOUR, len(cell))
    origins, regulars = rng.spawn(2)  # which leaves `rng` as it is
    is_storm, is_flood = _draw_origins(world, day, (country, hour), origins)
    is_cut = ~is_flood & (rng.random(len(cell)) < CUT_LINES)
    is_scan = ~is_cut & ~is_flood & (rng.random(len(cell)) < SCANS)
    lowest, width = _find_addresses(world, server, part, country)
    lowest[is_flood] = world.pool.starts[-1] + FLOOD_WIDTH * (len(VisitPart) * server + part)
    width[is_flood] = FLOOD_WIDTH
    client, agent = _draw_visitors(world, lowest, width, is_cut, is_flood, rng)
    known = np.random.default_rng([world.seed, 9, server, part])
    _let_regulars_come(world, known, client, agent, is_cut | is_flood, (lowest, width), regulars)
    owner, first, offset = _space_hits(is_scan, is_cut | is_flood, rng)
    again = _choose_returns(country, is_cut | is_flood, rng)
    last = np.append(first[1:], len(owner)) - 1
    pause = _draw_pauses(len(again), rng)
    later = start[again - 1] + offset[last[again - 1]] + pause
    in_time = later < day_start(day) + hours.stop * HOUR
    again, later = again[in_time], later[in_time]
    start[again], client[again], agent[again] = later, client[again - 1], agent[again - 1]
    return Visits(
        client, agent, is_storm, is_flood, is_scan, is_cut, first, owner, start[owner] + offset,
        again - 1,
    )  # fmt: skip


def _draw_origins(
    world: World, day: int, cell: tuple[Ints, Ints], rng: np.random.Generator
) -> tuple[Mask, Mask]:
    """Which sessions of a country and elapsed hour are the storm's, and which the flood's."""
    storm, flood = world.origins[day]
    lot = rng.random(len(cell[0]))
    return lot < storm[cell], lot >= 1 - flood[cell]


def _let_regulars_come(  # noqa: PLR0913 who comes, and where to
    world: World,
    known: np.random.Generator,
    client: Ints,
    agent: Ints,
    is_other: Mask,
    addresses: tuple[Ints, Ints],
    rng: np.random.Generator,
) -> None:
    """Make some visitors those who come on other days, too; no pair twice, as before.

    ``known`` draws the same ones every day; ``addresses``: see ``_find_addresses``.
    """
    lowest, width = addresses
    at, popular = known.random(REGULARS), world.agents.popular
    browser = popular[known.integers(0, len(popular), REGULARS)]
    who = np.flatnonzero(~is_other & (rng.random(len(client)) < REGULAR_SHARE))
    _, country, counts = np.unique(lowest, return_inverse=True, return_counts=True)
    circle = np.minimum(1 + counts // 4, REGULARS)[country[who]]
    regular = (circle * rng.random(len(who)) ** 2).astype(np.int64)
    clients = lowest[who] + (at[regular] * width[who]).astype(np.int64)
    agents = browser[regular]
    many = len(world.agents.line_ends)
    keys = clients * many + agents
    fresh = ~_are_among(keys, client * many + agent)
    fresh[_repeats(keys)] = False
    client[who[fresh]], agent[who[fresh]] = clients[fresh], agents[fresh]


def _find_addresses(world: World, server: int, part: VisitPart, country: Ints) -> tuple[Ints, Ints]:
    """First address of each visitor's country for one server and part, and how many there are."""
    starts = world.pool.starts
    share = (server + np.array(PART_SHARES)) / len(SERVERS)
    edges = (starts[:-1, None] + np.diff(starts)[:, None] * share).astype(np.int64)
    return edges[country, part], (edges[:, part + 1] - edges[:, part])[country]


def _draw_visitors(  # noqa: PLR0913 who they are
    world: World,
    lowest: Ints,
    width: Ints,
    is_cut: Mask,
    is_flood: Mask,
    rng: np.random.Generator,
) -> tuple[Ints, Ints]:
    """Addresses and user agents, no pair twice; many people behind some of the addresses.

    The flood takes all browsers alike.
    """
    crowded = rng.random(len(width)) < CROWDED
    reach = np.where(crowded, np.maximum(width // 50, 1), width)
    client = lowest + (rng.random(len(width)) * reach).astype(np.int64)
    popular, cut = world.agents.popular, world.agents.cut
    agent = popular[rng.integers(0, len(popular), len(width))]
    agent[is_cut] = rng.integers(cut.start, cut.stop, int(is_cut.sum()))
    agent[is_flood] = rng.integers(0, len(world.agents.browsers), int(is_flood.sum()))
    while len(twice := _repeats(client * len(world.agents.line_ends) + agent)):
        client[twice] = lowest[twice] + (rng.random(len(twice)) * width[twice]).astype(np.int64)
        fresh = rng.integers(0, len(world.agents.browsers), len(twice))
        agent[twice] = np.where(is_cut[twice], agent[twice], fresh)
    return client, agent


def _are_among(keys: Ints, others: Ints) -> Mask:
    """Which keys are among others: ``np.isin`` hashes them, several times slower than sorting."""
    rising = np.append(np.sort(others), -1)
    found: Mask = rising[np.searchsorted(rising[:-1], keys)] == keys
    return found


def _repeats(keys: Ints) -> Ints:
    """Positions of values that occurred before."""
    _, firsts = np.unique(keys, return_index=True)
    fresh = np.zeros(len(keys), dtype=bool)
    fresh[firsts] = True
    return np.flatnonzero(~fresh)


def _space_hits(
    is_scan: Mask, is_single: Mask, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """Owner of each hit, first hit of each session, and seconds from its session's start."""
    sessions = len(is_scan)
    count = HITS[rng.integers(0, len(HITS), sessions)]
    count = np.where(is_scan, rng.integers(12, 60, sessions), np.where(is_single, 1, count))
    owner = np.repeat(np.arange(sessions), count)
    first = np.cumsum(count) - count
    gap = 1 + np.minimum(rng.exponential(50, len(owner)), LONGEST_STEP - 1).astype(np.int64)
    gap = np.where(is_scan[owner], rng.integers(0, 3, len(owner)), gap)
    thinker = (count > 1) & ~is_scan & (rng.random(sessions) < 0.03)
    pauses = rng.choice([GAP - 1, GAP, GAP - 900], int(thinker.sum()))
    gap[first[thinker] + 1] = pauses
    gap[first] = 0
    total = np.cumsum(gap)
    return owner, first, total - total[first][owner]


def _choose_returns(country: Ints, is_alone: Mask, rng: np.random.Generator) -> Ints:
    """Sessions that become the second one of the visitor before them, of the same country."""
    chosen = rng.random(len(country)) < RETURNS
    chosen[:1] = False
    chosen[1:] &= (country[1:] == country[:-1]) & ~is_alone[1:] & ~is_alone[:-1]
    chosen[1:] &= ~chosen[:-1].copy()
    return np.flatnonzero(chosen)


def _draw_pauses(count: int, rng: np.random.Generator) -> Ints:
    """Seconds between two sessions of one visitor: often just too long to be one session."""
    kind = rng.random(count)
    longer = np.where(kind < 0.5, rng.integers(0, 60, count), rng.exponential(7200, count))
    return GAP + 1 + np.where(kind < 0.3, 0, longer).astype(np.int64)


def _draw_hits(world: World, visits: Visits, day: date, rng: np.random.Generator) -> LogLines:
    site, count = world.site, len(visits.owner)
    is_first = np.zeros(count, dtype=bool)
    is_first[visits.first] = True
    is_scan = visits.is_scan[visits.owner]
    request = _draw_requests(world, is_first, is_scan, rng)
    first, (drawn,) = visits.first, rng.spawn(1)
    is_storm = visits.is_storm & ~visits.is_scan & ~visits.is_cut
    request[first] = draw_drivers(site.driver_pages, day, request[first], is_storm, drawn)
    request[first[visits.is_flood]] = site.driver_pages[FLOOD_PAGE]
    intended = HIT_STATUSES[rng.integers(0, len(HIT_STATUSES), count)]
    scanned = SCAN_STATUSES[rng.integers(0, len(SCAN_STATUSES), count)]
    intended = np.where(is_scan, scanned, intended)
    status, bytes_sent = answer(site, request, intended, visits.at, rng)
    came_from = np.roll(site.first_page_referrer + site.pages[request], 1)
    arrival = _draw_arrivals(site.first_page_referrer, count, rng)
    arrival[first] = draw_drivers(site.driver_referrers, day, arrival[first], is_storm, drawn)
    arrival[first[visits.is_flood]] = 0
    referrer = np.where(is_first, arrival, came_from)
    return LogLines(
        at=visits.at,
        written_at=delay_writing(visits.at, rng),
        client=visits.client[visits.owner],
        request=request,
        status=status,
        bytes_sent=bytes_sent,
        referrer=np.where(is_scan, 0, referrer),
        agent=visits.agent[visits.owner],
    )


def _draw_requests(world: World, is_first: Mask, is_scan: Mask, rng: np.random.Generator) -> Ints:
    site, count = world.site, len(is_first)
    request = site.clicks[rng.integers(0, len(site.clicks), count)]
    entries = site.entries[rng.integers(0, len(site.entries), int(is_first.sum()))]
    request[is_first] = entries
    kind = rng.random(count)
    for chosen, ids in (
        (kind < 0.14, site.lookups),
        ((kind > 0.985) & ~is_first, site.forms),
        (is_scan, site.scans),
    ):
        request[chosen] = rng.integers(ids.start, ids.stop, int(chosen.sum()))
    return request


def _draw_arrivals(others: int, count: int, rng: np.random.Generator) -> Ints:
    """Referrers of first hits: a third none, most a bare search engine, some with a query."""
    kind = rng.random(count)
    usual, queried = rng.integers(1, 14, count), rng.integers(14, others, count)
    return np.where(kind < 0.35, 0, np.where(kind < 0.92, usual, queried))


def _draw_assets(
    world: World, visits: Visits, hits: LogLines, rng: np.random.Generator
) -> LogLines:
    """Images and scripts of some sessions' first pages; a site that is down serves few."""
    site, start = world.site, visits.at[visits.first]
    loads = rng.random(len(start)) < 0.3 * (1 - failure_share(start))
    loads &= ~visits.is_scan & ~visits.is_cut & ~visits.is_flood
    wanted = np.flatnonzero(loads)
    owner = np.repeat(wanted, rng.integers(1, 5, len(wanted)))
    count = len(owner)
    request = site.assets.start + (len(site.assets) * rng.random(count) ** 2).astype(np.int64)
    at = start[owner] + rng.integers(0, 4, count)
    intended = ASSET_STATUSES[rng.integers(0, len(ASSET_STATUSES), count)]
    status, bytes_sent = answer(site, request, intended, at, rng)
    shown = site.pages[hits.request[visits.first[owner]]]
    return LogLines(
        at=at,
        written_at=delay_writing(at, rng),
        client=visits.client[owner],
        request=request,
        status=status,
        bytes_sent=bytes_sent,
        referrer=site.first_page_referrer + shown,
        agent=visits.agent[owner],
    )


def _draw_bridges(world: World, visits: Visits, rng: np.random.Generator) -> LogLines:
    """Icons fetched between two sessions of a visitor: assets, so they do not join the two."""
    owner = visits.bridges[rng.random(len(visits.bridges)) < 0.3]
    last = np.append(visits.first[1:], len(visits.owner))[owner] - 1
    at = visits.at[last] + GAP // 2
    return LogLines(
        at=at,
        written_at=at.copy(),
        client=visits.client[owner],
        request=np.full(len(owner), world.site.assets.start),
        status=np.full(len(owner), status_id(200)),
        bytes_sent=np.full(len(owner), 1150),
        referrer=np.zeros(len(owner), np.int64),
        agent=visits.agent[owner],
    )
