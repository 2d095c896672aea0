"""Lines that could not be read: how many there are among those of a day's files.

A rejected line has no time, so it counts for every day of which its file has hits.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.definitions import UNREAD_SHARE
from pipeline.lake.ledger import FileRecord

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


def count_unread(records: Iterable[FileRecord]) -> dict[str, Unread]:
    """The lines of each day's files, by ISO day."""
    found: dict[str, Unread] = {}
    for record in records:
        for day in record.days:
            known = found.get(day, Unread(0, 0))
            found[day] = Unread(known.lines + record.lines, known.rejected + record.rejected)
    return found
