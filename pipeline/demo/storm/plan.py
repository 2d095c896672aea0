"""How the sessions of ``cells.csv`` spread over countries, servers and hours, in exact integers.

Everything here but the cells is assumed; ``countries.csv`` holds the countries' assumed shares.
"""

import csv
from dataclasses import dataclass
from datetime import date
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from pipeline.demo.storm.assumed import FLOOD_COUNTRY, FLOOD_DAY, FLOOD_SESSIONS
from pipeline.demo.storm.cells import ALL, US, scaled_days
from pipeline.demo.storm.november import DAYS, SERVERS, wall_hours

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

STORM = DAYS[7:16]  # 8-16 November
# web01 and web02 together take 40 %.
SERVER_WEIGHTS = np.array([0.205, 0.195, 0.21, 0.2, 0.19])
# A country's quiet day by its own hours; the site is read at work and in the evening.
QUIET_HOURS = np.array([
    2.6, 1.8, 1.3, 1.0, 0.9, 1.1, 1.7, 2.8, 4.3, 5.6, 6.2, 6.4,
    6.2, 6.2, 6.3, 6.2, 5.9, 5.4, 5.0, 4.9, 5.0, 5.1, 4.5, 3.0,
])  # fmt: skip
# What came on top, by the hour in Toronto: over 200,000 users about 11 p.m. on election night.
STORM_HOURS = {
    date(2016, 11, 8): np.array([0] * 19 + [1, 3, 9, 29, 58]),
    date(2016, 11, 9): np.array([
        10, 7, 4.5, 2.5, 2, 2, 3.5, 5, 6, 6.5, 6.5, 6,
        5.5, 5, 4.5, 4, 4, 3.5, 3, 3, 3, 2.5, 2, 1.5,
    ]),
}  # fmt: skip
DAILY_NOISE = 0.03


@dataclass(frozen=True)
class Country:
    """A row of ``countries.csv``: shares of the sessions that are not U.S. ones, all assumed."""

    code: str
    quiet_share: float
    storm_share: float
    hours_ahead: float
    ipv6_share: float


def read_countries() -> list[Country]:
    """Read ``countries.csv``; the U.S. comes first, ``ZZ`` (no country in the database) last."""
    with files(__package__).joinpath("countries.csv").open(encoding="utf-8") as file:
        return [
            Country(
                code=row["country"],
                quiet_share=float(row["quiet_share"]),
                storm_share=float(row["storm_share"]),
                hours_ahead=float(row["hours_ahead"]),
                ipv6_share=float(row["ipv6_share"]),
            )
            for row in csv.DictReader(file)
        ]


@dataclass(frozen=True)
class Levels:
    """One day's sessions by what brings them, each by country, before they are whole numbers."""

    quiet: Floats
    storm: Floats
    flood: Floats

    @property
    def total(self) -> Floats:
        """All of them."""
        return self.quiet + self.storm + self.flood


def plan_sessions(countries: list[Country], scale: float, seed: int) -> list[Ints]:
    """Sessions to start, for each day an array (country, server, elapsed hour of the local day).

    Sums over servers and hours are the countries' sessions; over all, the day's scaled cell.
    """
    cells = scaled_days(scale)
    plans = []
    for index, day in enumerate(DAYS):
        rng = np.random.default_rng([seed, 2, index])
        levels = _split_countries(countries, cells, day, scale, rng)
        quiet, storm, flood = _hour_weights(countries, day, levels)
        totals = np.array([cells[day, US], *_others(cells, day, levels.total, rng)])
        by_server = apportion(totals, SERVER_WEIGHTS, rng.random(len(countries)))
        offsets = rng.random((len(countries), len(SERVERS)))
        plans.append(apportion(by_server, (quiet + storm + flood)[:, None, :], offsets))
    return plans


def plan_origins(countries: list[Country], scale: float, seed: int) -> list[tuple[Floats, Floats]]:
    """Which part of the sessions of ``plan_sessions`` is the storm's, and which the flood's.

    For each day by country and elapsed hour.
    """
    cells = scaled_days(scale)
    origins = []
    for index, day in enumerate(DAYS):
        rng = np.random.default_rng([seed, 2, index])
        levels = _split_countries(countries, cells, day, scale, rng)
        quiet, storm, flood = _hour_weights(countries, day, levels)
        total = quiet + storm + flood
        origins.append((storm / total, flood / total))
    return origins


def apportion(totals: Ints, weights: Floats, offsets: Floats) -> Ints:
    """Split each total by weights (last axis) into integers that sum to it exactly.

    Each part is within 1 of its exact share; ``offsets`` in [0, 1) decide who gets the remainders.
    """
    cumulated = np.cumsum(weights, axis=-1)
    cumulated = cumulated / cumulated[..., -1:]
    edges = np.floor(cumulated * totals[..., None] + offsets[..., None]).astype(np.int64)
    edges[..., -1] = totals
    parts: Ints = np.diff(edges, axis=-1, prepend=0)
    return parts


def _others(
    cells: dict[tuple[date, str], int], day: date, levels: Floats, rng: np.random.Generator
) -> Ints:
    total = np.array(cells[day, ALL] - cells[day, US])
    return apportion(total, levels[1:], np.array(rng.random()))


def _split_countries(
    countries: list[Country],
    cells: dict[tuple[date, str], int],
    day: date,
    scale: float,
    rng: np.random.Generator,
) -> Levels:
    """Levels of each country's sessions, with the noise of days on the quiet ones."""
    us_total = cells[day, US]
    others_total = cells[day, ALL] - us_total
    us_quiet = min(us_total, _quiet_level(cells, day, US))
    others_quiet = min(others_total, _quiet_level(cells, day, ALL) - _quiet_level(cells, day, US))
    quiet_share = np.array([country.quiet_share for country in countries])
    quiet = others_quiet * quiet_share / quiet_share.sum()
    spread = np.sqrt(DAILY_NOISE**2 + 1 / np.maximum(quiet, 1))
    quiet *= np.clip(1 + spread * rng.standard_normal(len(countries)), 0, 3)
    storm_share = np.array([country.storm_share for country in countries])
    storm = (others_total - others_quiet) * storm_share / storm_share.sum()
    quiet[0], storm[0] = us_quiet, us_total - us_quiet
    is_flooded = np.array([country.code == FLOOD_COUNTRY for country in countries])
    return Levels(quiet, storm, is_flooded * (day == FLOOD_DAY) * FLOOD_SESSIONS * scale)


def _quiet_level(cells: dict[tuple[date, str], int], day: date, country: str) -> float:
    """Mean of the same weekday outside the storm; every weekday has at least one such day."""
    same = [
        cells[other, country]
        for other in DAYS
        if other.weekday() == day.weekday() and other not in STORM
    ]
    return sum(same) / len(same)


def _hour_weights(
    countries: list[Country], day: date, levels: Levels
) -> tuple[Floats, Floats, Floats]:
    """How a country's quiet, storm and flood sessions spread over the elapsed hours of a day."""
    wall = np.array(wall_hours(DAYS.index(day)))
    ahead = np.array([country.hours_ahead for country in countries])
    local = (wall[None, :] + 0.5 + ahead[:, None]) % 24
    level = np.interp(local, np.arange(24) + 0.5, QUIET_HOURS, period=24)
    curve: Floats = level / level.sum(axis=1, keepdims=True)
    extra = STORM_HOURS.get(day)
    storm_curve = curve if extra is None else extra[None, wall] / extra[wall].sum()
    flat = np.full(len(wall), 1 / len(wall))
    return (
        levels.quiet[:, None] * curve + 1e-12,
        levels.storm[:, None] * storm_curve,
        levels.flood[:, None] * flat,
    )
