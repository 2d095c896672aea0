"""The slow ramp: small excesses that add up (CUSUM; Page, Biometrika 41, 1954)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipeline.surges.baseline import Bools, Floats

ALLOWANCE_SD = 1.0  # a day's excess below this lowers the sum; less flags what merely wanders
ALARM_SD = 4.2  # five days of 1.8 sd, or two of 3.1
LARGEST_STEP_SD = 4.0
DEVIATE_CLIP_SD = 2.5
RUN_KEPT = 0.8  # of the sum of past deviates, a day
HALF_LIFE_DAYS = 250
PRIOR_DAYS = 60  # of no persistence: fewer, and a ramp in the first month passes for it


class SlowRise:
    """The running sums of all countries, and how far each country's deviates hang together.

    In a series whose level wanders, high days follow high days without a surge. The alarm is
    raised by the factor by which such sums vary more than sums of independent days would.
    """

    def __init__(self, countries: int) -> None:
        """Start ``countries`` sums at zero."""
        self._sum = np.zeros(countries)
        self._start = np.zeros(countries, dtype=np.int64)
        self._recent = np.zeros(countries)
        self._product_sum = np.zeros(countries)
        self._product_weight = np.zeros(countries)

    def add(self, column: int, deviates: Floats, seen: Bools, is_open: Bools) -> Bools:
        """Add the day's standard ``deviates`` where ``seen``; return where the alarm is reached."""
        self._learn_persistence(np.clip(deviates, -DEVIATE_CLIP_SD, DEVIATE_CLIP_SD), seen, is_open)
        step = np.minimum(deviates, LARGEST_STEP_SD) - ALLOWANCE_SD
        moved = np.where(seen, np.maximum(self._sum + step, 0.0), self._sum)
        self._start[(self._sum == 0) & (moved > 0)] = column
        self._sum = moved
        return seen & (moved > ALARM_SD * self._inflation()) & (deviates > 0)

    def start_of(self, country: int) -> int:
        """Return the column at which the country's sum began to rise."""
        return int(self._start[country])

    def reset(self, countries: Bools) -> None:
        """Start these countries' sums anew."""
        self._sum[countries] = 0.0

    def _inflation(self) -> Floats:
        covariance = self._product_sum / (self._product_weight + PRIOR_DAYS)
        return np.asarray(np.maximum(1 + 2 * covariance, 1.0), dtype=np.float64)

    def _learn_persistence(self, deviates: Floats, seen: Bools, is_open: Bools) -> None:
        calm = seen & ~is_open
        keep = 0.5 ** (1 / HALF_LIFE_DAYS)
        product = np.clip(deviates * self._recent, -6.0, 6.0)
        self._product_sum = np.where(calm, keep * self._product_sum + product, self._product_sum)
        self._product_weight = np.where(calm, keep * self._product_weight + 1, self._product_weight)
        recent = np.where(calm, RUN_KEPT * self._recent + deviates, self._recent)
        self._recent = np.where(is_open, 0.0, recent)
