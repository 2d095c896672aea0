"""Simulated log lines as columns of numbers, before they are written as text."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

STATUSES = (200, 301, 302, 304, 400, 403, 404, 500, 502, 503, 504)
NO_BYTES = -1  # logged as "-"


def status_id(status: int) -> int:
    """Position of a status in ``STATUSES``."""
    return STATUSES.index(status)


@dataclass(frozen=True)
class LogLines:
    """LogLines, one position each: ``at`` and ``written_at`` in seconds of ``clock``, the rest ids.

    A server logs a request's start (``at``) when the request ends (``written_at``); files are in
    the order of the latter, so that their times step back now and then.
    """

    at: Ints
    written_at: Ints
    client: Ints
    request: Ints
    status: Ints
    bytes_sent: Ints
    referrer: Ints
    agent: Ints

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.at)

    def select(self, chosen: Mask | Ints) -> "LogLines":
        """Take lines by a mask, or by positions in that order."""
        return LogLines(*(getattr(self, field.name)[chosen] for field in fields(self)))


def join_lines(parts: list[LogLines]) -> LogLines:
    """Put parts one after the other."""
    names = [field.name for field in fields(LogLines)]
    return LogLines(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def delay_writing(at: Ints, rng: np.random.Generator) -> Ints:
    """When lines are written: 3 % of them 1-6 seconds after their time."""
    late = rng.random(len(at)) < 0.03
    return at + late * rng.integers(1, 7, len(at))
