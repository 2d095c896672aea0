"""Lines that could not be read: how many there are among those of a day's files.

A rejected line has no time, so it counts for every day of which its file has hits.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.definitions import UNREAD_SHARE

_LEAST_SHARE = 0.001


@dataclass(frozen=True)
class Unread:
    """The lines of some files, and how many of them were rejected."""

    lines: int
    rejected: int

    @property
    def share(self) -> float:
        """Of all lines, 0 to 1."""
        return self.rejected / self.lines if self.lines else 0.0

    @property
    def is_worth_saying(self) -> bool:
        """Whether a figure of these files says it: scanners send some garbage to every server."""
        return self.share >= _LEAST_SHARE

    @property
    def is_large(self) -> bool:
        """Whether so many are unknown that nobody may call the day whole."""
        return self.share >= UNREAD_SHARE


def count_unread(files: pa.Table) -> dict[str, Unread]:
    """The lines of each day's files, by ISO day.

    ``files``: ``days``, ``lines`` and ``rejected`` of ``tables.FILES``.
    """
    shares = files["days"].combine_chunks()
    counts = files.select(["lines", "rejected"]).take(pc.list_parent_indices(shares))
    days = pc.list_flatten(shares).field("day").cast(pa.string())
    by_day = counts.append_column("day", days).group_by("day")
    rows = by_day.aggregate([("lines", "sum"), ("rejected", "sum")]).to_pylist()
    return {row["day"]: Unread(row["lines_sum"], row["rejected_sum"]) for row in rows}
