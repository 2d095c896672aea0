"""Measured sessions beside the published figures. The only place where the two meet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.demo.storm.cells import ALL, DAY, MEAN, Cell, read_cells, scale_cell
from pipeline.language import Language

PUBLISHED = "published"
SCALED = "simulated cells, scaled"


@dataclass(frozen=True)
class Comparison:
    """One published figure: what was expected (by ``basis``), what was measured, and if equal.

    ``expected`` and ``measured`` are sessions; a mean is rounded to two decimals to be shown, but
    ``is_equal`` compares the sums of its days.
    """

    figure: Cell
    basis: str
    expected: float
    measured: float
    is_equal: bool

    def name(self, language: Language) -> str:
        """Of where and when the figure is, and which it is of several days."""
        own = self.figure
        is_all = own.country == ALL
        said = {
            "place": language.gettext("All countries") if is_all else language.country(own.country),
            "days": language.between(own.first_day, own.last_day),
        }
        if own.figure == DAY:
            return language.gettext("{place}, {days}", **said)
        if own.figure == MEAN:
            return language.gettext("{place}, {days}, average per day", **said)
        return language.gettext("{place}, {days}, together", **said)


def compare(sessions: Mapping[tuple[date, str], int], scale: float = 1.0) -> list[Comparison]:
    """Compare sessions by (local day, ``US`` or ``all``) with the five published figures.

    At scale 1 the figures are the published ones. At another scale they are made of the
    simulator's own rounded cells, and ``basis`` says so. A day that is absent counts 0.
    """
    cells = read_cells()
    return [_compare_figure(cell, cells, sessions, scale) for cell in cells if cell.is_published]


def _compare_figure(
    figure: Cell, cells: list[Cell], sessions: Mapping[tuple[date, str], int], scale: float
) -> Comparison:
    length = (figure.last_day - figure.first_day).days + 1
    days = [figure.first_day + timedelta(days=index) for index in range(length)]
    measured = sum(sessions.get((day, figure.country), 0) for day in days)
    divisor = length if figure.figure == MEAN else 1
    if scale == 1:
        expected = figure.sessions * divisor
    else:
        expected = sum(
            scale_cell(cell.sessions, scale)
            for cell in cells
            if cell.figure == DAY and cell.country == figure.country and cell.first_day in days
        )
    return Comparison(
        figure=figure,
        basis=PUBLISHED if scale == 1 else SCALED,
        expected=_divide(expected, divisor),
        measured=_divide(measured, divisor),
        is_equal=expected == measured,
    )


def _divide(total: int, divisor: int) -> float:
    return total // divisor if total % divisor == 0 else round(total / divisor, 2)
