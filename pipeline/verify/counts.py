"""Daily, hourly and minutes of one day counted anew from its hits and recounted sessions."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.verify.sessions import LARGEST_BIGINT, Bools, Cut, Ints

_OF_VISITS = ("visitors", "pages")
_LIMB_BITS = 20
_HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
_INSTANT = pa.timestamp("us", "UTC")
_NO_DATE = -(2**31)


class Grid:
    """The cells that a day's hits are counted into: its countries, and its hours times these."""

    def __init__(self, hits: pa.Table) -> None:
        """Lay out for all hits of a day, in single chunks, texts as dictionaries."""
        self.countries = sorted(pc.unique(hits["country"].cast(pa.string())).to_pylist())
        self.first_hour, self.hours = _span(_floor(hits["ts"], _HOUR_US))

    @property
    def size(self) -> tuple[int, int]:
        """How many countries there are, and how many hours times these."""
        return len(self.countries), self.hours * len(self.countries)

    def countries_of(self, table: pa.Table) -> Ints:
        """Each row's country among ``countries``."""
        return _codes_in(table["country"], self.countries)

    def hours_of(self, table: pa.Table, instants: str = "ts") -> Ints:
        """Each row's hour and country as one number."""
        since = _floor(table[instants], _HOUR_US) - self.first_hour
        return since * len(self.countries) + self.countries_of(table)


def count_daily(
    grid: Grid, hits: pa.Table, visits: Ints, sessions: pa.Table, *, geo_is_late: bool
) -> pa.Table:
    """The day's table ``daily``, ordered by country.

    Args:
        grid: of the day.
        hits: all of the day's, in single chunks, texts as dictionaries.
        visits: distinct visitors and pages, shape ``(2, countries)``.
        sessions: those of the day that count.
        geo_is_late: whether any of its hits was located by a database of a later date.
    """
    code, cells = grid.countries_of(hits), grid.size[0]
    return pa.table(
        {
            "country": pa.array(grid.countries, pa.string()),
            "sessions": np.bincount(grid.countries_of(sessions), minlength=cells),
            **dict(zip(_OF_VISITS, visits, strict=True)),
            **_measure(hits, code, cells),
            "geo_built": _latest(hits["geo_built"], code, cells),
            "geo_is_late": pa.array([geo_is_late] * cells, pa.bool_()),
        }
    )


def count_hourly(grid: Grid, hits: pa.Table, visits: Ints, sessions: pa.Table) -> pa.Table:
    """The day's table ``hourly``, ordered by hour and country; arguments as `count_daily`'s."""
    cell, cells = grid.hours_of(hits), grid.size[1]
    used = np.flatnonzero(np.bincount(cell, minlength=cells))
    columns: dict[str, Ints] = {
        "sessions": np.bincount(grid.hours_of(sessions, "started_at"), minlength=cells),
        **dict(zip(_OF_VISITS, visits, strict=True)),
        **_measure(hits, cell, cells),
    }
    countries = len(grid.countries)
    starts = (grid.first_hour + used // max(countries, 1)) * _HOUR_US
    return pa.table(
        {
            "hour": pa.array(starts).cast(_INSTANT),
            "country": pa.array(grid.countries, pa.string()).take(
                pa.array(used % max(countries, 1))
            ),
            **{name: values[used] for name, values in columns.items()},
        }
    )


def count_minutes(hits: pa.Table) -> pa.Table:
    """The day's table ``minutes``, ordered by source and minute: hits of each, robots' too."""
    sources = sorted(pc.unique(hits["source"].cast(pa.string())).to_pylist())
    minute = _floor(hits["ts"], MINUTE_US)
    earliest, minutes = _span(minute)
    cell = _codes_in(hits["source"], sources) * minutes + (minute - earliest)
    counted = np.bincount(cell, minlength=len(sources) * minutes)
    used = np.flatnonzero(counted)
    return pa.table(
        {
            "source": pa.array(sources, pa.string()).take(pa.array(used // minutes)),
            "minute": pa.array((earliest + used % minutes) * MINUTE_US).cast(_INSTANT),
            "hits": counted[used],
        }
    )


def _codes_in(column: pa.ChunkedArray, values: list[str]) -> Ints:
    """The place of each of a dictionary column's values among ``values``; -1 when it has none."""
    coded = column.combine_chunks()
    places = pc.index_in(coded.dictionary, value_set=pa.array(values, pa.string()))
    place = np.append(places.fill_null(-1).to_numpy(zero_copy_only=False), -1).astype(np.int64)
    found: Ints = place[coded.indices.fill_null(len(place) - 1).to_numpy()]
    return found


def _floor(instants: pa.ChunkedArray, unit: int) -> Ints:
    return np.asarray(instants.cast(pa.int64()).to_numpy()) // unit


def _span(units: Ints) -> tuple[int, int]:
    """The lowest, and how many from it to the highest."""
    if not len(units):
        return 0, 0
    return int(units.min()), int(units.max() - units.min()) + 1


def _measure(hits: pa.Table, cell: Ints, cells: int) -> dict[str, Ints]:
    is_robot = hits["is_robot"].to_numpy()

    def tally(chosen: Bools) -> Ints:
        return np.bincount(cell[chosen], minlength=cells)

    sent = hits["bytes_sent"].fill_null(0).to_numpy()
    return {
        "hits": tally(~is_robot),
        "bytes_sent": _sum_cells(cell[~is_robot], sent[~is_robot], cells),
        "errors": tally(~is_robot & (hits["status"].to_numpy() >= 500)),
        "robot_hits": tally(is_robot),
    }


def _sum_cells(cell: Ints, values: Ints, cells: int) -> Ints:
    """Exact sums a cell, at most the largest BIGINT: in limbs that floating point adds exactly."""
    totals = np.zeros(cells, object)
    for shift in range(0, 63, _LIMB_BITS):
        above = values >> shift
        if not above.any():
            break
        limb = above if shift + _LIMB_BITS > 63 else above & ((1 << _LIMB_BITS) - 1)
        totals += np.bincount(cell, limb, cells).astype(np.int64).astype(object) << shift
    return np.minimum(totals, LARGEST_BIGINT).astype(np.int64)


def count_visits(cut: Cut, cell: Ints, cells: int, left_out: npt.NDArray[np.uint64]) -> Ints:
    """Distinct visitors and pages a cell, of the day's own visits; shape ``(2, cells)``.

    Args:
        cut: the visits in order.
        cell: of each of ``cut.rows``.
        cells: how many there are.
        left_out: ids of visitors that do not count.
    """
    own = (cut.row >= 0) & (cut.row < cut.today)
    if len(left_out):
        own &= ~np.isin(cut.visitor_id, left_out)
    is_page = cut.rows["is_page"].to_numpy()[cut.row[own]]
    pages = np.bincount(cell[cut.row[own][is_page]], minlength=cells)
    return np.stack([_count_visitors(cut, cell, cells, own), pages])


def _count_visitors(cut: Cut, cell: Ints, cells: int, own: Bools) -> Ints:
    visitor, mine = cut.visitor_id[own], cell[cut.row[own]]
    changes = np.ones(len(visitor), np.bool_)  # most of a visitor's visits fall into one cell
    changes[1:] = (visitor[1:] != visitor[:-1]) | (mine[1:] != mine[:-1])
    visitor, mine = visitor[changes], mine[changes]
    order = np.lexsort((visitor, mine))
    visitor, mine = visitor[order], mine[order]
    is_new = np.ones(len(visitor), np.bool_)
    is_new[1:] = (visitor[1:] != visitor[:-1]) | (mine[1:] != mine[:-1])
    return np.bincount(mine[is_new], minlength=cells)


def _latest(built: pa.ChunkedArray, code: Ints, cells: int) -> pa.Array:
    """The latest date a cell; null when it has none."""
    latest = np.full(cells, _NO_DATE, np.int64)
    days = built.cast(pa.int32()).fill_null(_NO_DATE).to_numpy()
    for day in np.unique(days):  # few: one database a file; the latest last
        latest[code[days == day]] = day
    none = latest == _NO_DATE
    return pa.array(np.where(none, 0, latest).astype(np.int32), mask=none).cast(pa.date32())
