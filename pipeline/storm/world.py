"""What all simulated files of one scale and seed share: the plan, the people, the site."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.storm.addresses import AddressPool, draw_pool
from pipeline.storm.agents import Agents, make_agents
from pipeline.storm.plan import plan_sessions, read_countries
from pipeline.storm.site import Site, make_site

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """``plan`` holds sessions per day as arrays (country, server, elapsed hour)."""

    scale: float
    seed: int
    plan: list[Ints]
    codes: list[str]
    pool: AddressPool
    site: Site
    agents: Agents
    request_texts: pa.BinaryArray
    referrer_texts: pa.BinaryArray
    line_ends: pa.BinaryArray


@lru_cache(maxsize=1)
def make_world(scale: float, seed: int) -> World:
    """Make the world of one scale and seed, in seconds; the same in every process."""
    countries = read_countries()
    plan = plan_sessions(countries, scale, seed)
    peaks = np.max([day.sum(axis=(1, 2)) for day in plan], axis=0)
    site, agents = make_site(), make_agents()
    return World(
        scale=scale,
        seed=seed,
        plan=plan,
        codes=[country.code for country in countries],
        pool=draw_pool(countries, peaks, seed),
        site=site,
        agents=agents,
        request_texts=pa.array(site.requests).cast(pa.binary()),
        referrer_texts=pa.array([f' "{referrer}' for referrer in site.referrers]).cast(pa.binary()),
        line_ends=pa.array(agents.line_ends).cast(pa.binary()),
    )
