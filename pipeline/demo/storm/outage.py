"""When the simulated site fails: down late on 8 November 2016, unsteady on the 9th (assumed)."""

from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.demo.storm.november import at

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Local time and share of requests that fail from there on, joined by straight lines.
FAILURES: Final = (
    (8, 0.0, 0.0008), (8, 20.0, 0.0008), (8, 21.5, 0.05), (8, 22.0, 0.55), (8, 22.5, 0.82),
    (8, 23.6, 0.85), (9, 0.3, 0.62), (9, 0.6, 0.75), (9, 1.2, 0.5), (9, 2.0, 0.12), (9, 6.0, 0.03),
    (9, 9.0, 0.09), (9, 12.0, 0.07), (9, 20.0, 0.03), (10, 0.0, 0.01), (11, 0.0, 0.0008),
)  # fmt: skip


def failure_share(seconds: Ints) -> Floats:
    """Share of requests answered by a 5xx, for times in seconds of ``clock``."""
    times = [at(date(2016, 11, day), hour) for day, hour, _ in FAILURES]
    return np.interp(seconds, times, [share for _, _, share in FAILURES])
