"""What all simulated files of one scale and seed share: the plan, the people, the site."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipeline.demo.storm.address_pool import AddressPool, draw_pool
from pipeline.demo.storm.agents import Agents, make_agents
from pipeline.demo.storm.plan import plan_origins, plan_sessions, read_countries
from pipeline.demo.storm.site import Site, make_site
from pipeline.demo.storm.texts import Texts, make_texts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """``plan`` holds sessions per day as arrays (country, server, elapsed hour)."""

    scale: float
    seed: int
    plan: list[Ints]
    origins: list[tuple[Floats, Floats]]
    """Per day the storm's and the flood's part of the plan (country, elapsed hour)."""
    codes: list[str]
    pool: AddressPool
    site: Site
    agents: Agents
    request_texts: Texts
    referrer_texts: Texts
    line_ends: Texts


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
        origins=plan_origins(countries, scale, seed),
        codes=[country.code for country in countries],
        pool=draw_pool(countries, peaks, seed),
        site=site,
        agents=agents,
        request_texts=make_texts(site.requests),
        referrer_texts=make_texts([f' "{referrer}' for referrer in site.referrers]),
        line_ends=make_texts(agents.line_ends),
    )
