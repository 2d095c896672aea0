"""Times without an offset, of which no layout and no setting says the zone: they are taken for UTC.

What a layout's product writes in UTC (W3C logs, CloudFront's) is no guess.
"""

from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.layouts import BlockLayout
from pipeline.formats.pattern import Pattern

LOOKED_AT = 20
"""So many lines of a block are looked at for a first hit."""
_ELSEWHERE = ZoneInfo("Etc/GMT+1")


def find_zoneless(
    connection: duckdb.DuckDBPyConnection, layout: BlockLayout, lines: pa.Array
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Read lines as in two zones.

    Returns:
        Which lines (from 0, rising) are hits, and whether the time of each hangs on the zone; none
        of a layout whose times have offsets or a zone in any case.
    """
    if not isinstance(layout, Pattern | JsonLayout) or layout.times.zone or not len(lines):
        return np.zeros(0, np.int64), np.zeros(0, np.bool_)
    numbers = np.arange(len(lines))
    here, there = (
        made.read_block(connection, numbers, lines).hits.select(["line_no", "ts"])
        for made in (layout, layout.in_zone(_ELSEWHERE))
    )
    instants = [read["ts"].cast(pa.int64()).to_numpy() for read in (here, there)]
    return here["line_no"].to_numpy(), instants[0] != instants[1]
