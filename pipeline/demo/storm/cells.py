"""The table of ``cells.csv``: sessions that the simulated logs must contain. Not a measurement."""

import csv
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from importlib.resources import files

from pipeline.errors import SettingsError

ALL = "all"
US = "US"
DAY = "day"
MEAN = "mean of days"


@dataclass(frozen=True)
class Cell:
    """One row: ``figure`` says whether ``sessions`` is one day's, or days' mean or sum."""

    first_day: date
    last_day: date
    country: str
    figure: str
    sessions: int
    is_published: bool


def read_cells() -> list[Cell]:
    """Read ``cells.csv`` in its order: two figures of several days, then 20 days of US and all."""
    with files(__package__).joinpath("cells.csv").open(encoding="utf-8") as file:
        return [
            Cell(
                first_day=date.fromisoformat(row["day"]),
                last_day=date.fromisoformat(row["last_day"]),
                country=row["country"],
                figure=row["figure"],
                sessions=int(row["sessions"]),
                is_published=row["source"] == "published",
            )
            for row in csv.DictReader(file)
        ]


def check_scale(scale: float) -> None:
    """Raise SettingsError unless ``0 < scale <= 4``, what the pool of addresses can carry."""
    if not 0 < scale <= 4:
        raise SettingsError("scale", scale, "a number above 0 and at most 4, such as 0.02 or 1")


def scale_cell(sessions: int, scale: float) -> int:
    """Multiply one cell by ``scale``; halves are rounded up, in decimal, so 2.5 becomes 3."""
    exact = Decimal(sessions) * Decimal(str(scale))
    return int(exact.to_integral_value(ROUND_HALF_UP))


def scaled_days(scale: float) -> dict[tuple[date, str], int]:
    """Sessions by (local day, ``US`` or ``all``), each cell scaled for itself."""
    return {
        (cell.first_day, cell.country): scale_cell(cell.sessions, scale)
        for cell in read_cells()
        if cell.figure == DAY
    }
