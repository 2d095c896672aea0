"""What drives the simulated storm, and a flood beside it: all of it assumed, see ``assumed.csv``.

The article names no shares: it says that people asked how to move, and that from 14 November on
pages about Express Entry were read. The flood is made up, so that the demo has one. Whose networks
the addresses were of is made up, too: ``assumed_networks.mmdb`` has one for each first octet.
"""

import csv
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NETWORKS: Final = Path(__file__).with_name("assumed_networks.mmdb")
"""Written by ``tests/demo/test_storm_package.py``, which tells how."""
FLOOD_COUNTRY: Final = "RO"
FLOOD_DAY: Final = date(2016, 11, 18)
FLOOD_SESSIONS: Final = 8000
"""At scale 1: of machines in one network that pose as all browsers in turn."""
FLOOD_PAGE: Final = "/english/department/fees/index.asp"
FLOOD_WIDTH: Final = 8
"""Addresses for each server and part of the day."""
REGULARS: Final = 4096
"""Of each country, server and part of the day as many at most come on several days."""
REGULAR_SHARE: Final = 0.1


@dataclass(frozen=True)
class StormDriver:
    """A page that the storm's visitors enter by, or the site that sent them; days included."""

    kind: str
    element: str
    share: float
    first_day: date
    last_day: date


def read_drivers() -> list[StormDriver]:
    """Read ``assumed.csv``."""
    with files(__package__).joinpath("assumed.csv").open(encoding="utf-8") as file:
        return [
            StormDriver(
                row["kind"],
                row["element"],
                float(row["share"]),
                date.fromisoformat(row["first_day"]),
                date.fromisoformat(row["last_day"]),
            )
            for row in csv.DictReader(file)
        ]


def draw_drivers(
    ids: dict[str, int], day: date, usual: Ints, is_storm: Mask, rng: np.random.Generator
) -> Ints:
    """Put the day's drivers among ``ids`` in the place of the ``usual`` ids of some of the storm.

    ``ids``: of the pages or of the referrers, by element.
    """
    lot = np.where(is_storm, rng.random(len(usual)), 1.0)
    drawn, start = usual.copy(), 0.0
    for driver in read_drivers():
        if driver.element in ids and driver.first_day <= day <= driver.last_day:
            drawn[(lot >= start) & (lot < start + driver.share)] = ids[driver.element]
            start += driver.share
    return drawn
