"""Simulated robots: declared ones, ones with an empty user agent, scanners, stray TLS handshakes.

None of their lines can make a session: every agent here is a robot by DESIGN's definition.
"""

from typing import Final

import numpy as np

from pipeline.storm.answers import answer, mix_statuses
from pipeline.storm.clock import DAYS, SERVERS, day_start, rotation
from pipeline.storm.lines import Lines, delay_writing, status_id
from pipeline.storm.world import World

LINES_PER_DAY: Final = 200_000
ROBOTS: Final = 4000
HOMES: Final = {"US": 0.55, "CN": 0.12, "RU": 0.08, "DE": 0.1, "FR": 0.1, "ZZ": 0.05}
UNNAMED: Final = 0.12  # of robots give no agent, or "-"
STATUSES: Final = mix_statuses({200: 80, 304: 10, 301: 5, 404: 5})


def draw_crawls(world: World, server: int, day: int) -> Lines:
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
    kinds = [kind < 0.004, kind < 0.07, kind < 0.2, kind < 0.42]
    request = np.select(kinds, [site.tls, site.robots_txt, scan, lookup], page)
    intended = STATUSES[rng.integers(0, len(STATUSES), count)]
    known = [status_id(400), status_id(200), status_id(404), intended]
    status, bytes_sent = answer(site, request, np.select(kinds, known, intended), at, rng)
    return Lines(
        at=at,
        written_at=delay_writing(at, rng),
        client=client,
        request=request,
        status=np.where(kinds[0], status_id(400), status),
        bytes_sent=np.where(kinds[0], 226, bytes_sent),
        referrer=np.zeros(count, np.int64),
        agent=np.where(kinds[0], agents.empty.start, agent),
    )


def _draw_robots(
    world: World, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
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
