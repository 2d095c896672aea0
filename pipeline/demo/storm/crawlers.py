"""Simulated robots: declared ones, ones with an empty user agent, scanners, stray TLS handshakes.

None of their lines can make a session: every agent here is a robot by definition.
"""

from typing import Final

import numpy as np

from pipeline.demo.storm.answers import answer, mix_statuses
from pipeline.demo.storm.log_lines import Ints, LogLines, delay_writing, status_id
from pipeline.demo.storm.november import DAYS, SERVERS, day_start, rotation
from pipeline.demo.storm.world import World

LINES_PER_DAY: Final = 200_000
ROBOTS: Final = 4000
HOMES: Final = {"US": 0.55, "CN": 0.12, "RU": 0.08, "DE": 0.1, "FR": 0.1, "ZZ": 0.05}
UNNAMED: Final = 0.12  # of robots give no agent, or "-"
STATUSES: Final = mix_statuses({200: 80, 304: 10, 301: 5, 404: 5})


def draw_crawls(world: World, server: int, day: int) -> LogLines:
    """Draw the robots' lines of one file, from its first second to its last."""
    rng = np.random.default_rng([world.seed, 5, server, day])
    begin = rotation(world.seed, server, day)
    end = min(rotation(world.seed, server, day + 1), day_start(len(DAYS)))
    count = round(LINES_PER_DAY * world.scale / len(SERVERS) * (end - begin) / 86_400)
    at = rng.integers(begin, end, count)
    client, agent = _draw_robots(world, count, rng)
    site, agents = world.site, world.agents
    kind = rng.random(count)
    page = site.clicks[rng.integers(0, len(site.clicks), count)]
    lookup = rng.integers(site.lookups.start, site.lookups.stop, count)
    scan = rng.integers(site.scans.start, site.scans.stop, count)
    is_tls, is_scan = kind < 0.004, (kind >= 0.07) & (kind < 0.2)
    request = np.where(kind < 0.07, site.robots_txt, np.where(kind < 0.42, lookup, page))
    request = np.where(is_tls, site.tls, np.where(is_scan, scan, request))
    intended = STATUSES[rng.integers(0, len(STATUSES), count)]
    intended = np.where(is_scan, status_id(404), intended)
    status, bytes_sent = answer(site, request, intended, at, rng)
    return LogLines(
        at=at,
        written_at=delay_writing(at, rng),
        client=client,
        request=request,
        status=np.where(is_tls, status_id(400), status),
        bytes_sent=np.where(is_tls, 226, bytes_sent),
        referrer=np.zeros(count, np.int64),
        agent=np.where(is_tls, agents.empty.start, agent),
    )


def _draw_robots(world: World, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Address and user agent of each line; the robots are the same on every server and day."""
    known = np.random.default_rng([world.seed, 6])
    homes = [world.codes.index(code) for code in HOMES]
    country = known.choice(homes, ROBOTS, p=list(HOMES.values()))
    starts = world.pool.starts
    clients = known.integers(starts[country], starts[country + 1])
    agents = world.agents
    named = known.integers(agents.robots.start, agents.robots.stop, ROBOTS)
    unnamed = known.integers(agents.empty.start, agents.empty.stop, ROBOTS)
    kinds = np.where(known.random(ROBOTS) < UNNAMED, unnamed, named)
    robot = (ROBOTS * rng.random(count) ** 2).astype(np.int64)
    return clients[robot], kinds[robot]
