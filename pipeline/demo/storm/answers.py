"""What the simulated site answers: statuses, failures while it is down, and bytes."""

from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.demo.storm.log_lines import NO_BYTES, STATUSES, status_id
from pipeline.demo.storm.outage import failure_share
from pipeline.demo.storm.site import Site

Ints = npt.NDArray[np.int64]

# Of the statuses with a page of their own; 200 has the size of what was asked for.
USUAL_BYTES: Final = {301: 324, 302: 289, 304: NO_BYTES, 400: 226, 403: 218, 404: 1245,
                      500: 612, 502: 537, 503: 323, 504: 537}  # fmt: skip
OK: Final = status_id(200)
FAILURES: Final = np.repeat([status_id(status) for status in (503, 502, 504, 500)], [14, 3, 2, 1])


def mix_statuses(shares: dict[int, int]) -> Ints:
    """Table of status ids to draw from at random, each as often as its share."""
    return np.repeat([status_id(status) for status in shares], list(shares.values()))


def answer(
    site: Site, request: Ints, intended: Ints, at: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Status ids and bytes of answers at ``at``; ``intended`` is what an unbroken site says."""
    fails = rng.random(len(at)) < failure_share(at)
    status = np.where(fails, FAILURES[rng.integers(0, len(FAILURES), len(at))], intended)
    usual = np.array([USUAL_BYTES.get(code, 0) for code in STATUSES])
    changed = rng.random(len(at)) < 0.25
    size = site.sizes[request] + changed * rng.integers(0, 4000, len(at))
    return status, np.where(status == OK, size, usual[status])
