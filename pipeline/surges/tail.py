"""Upper tail of the negative binomial given by mean and variance; knows no days and no surges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST_EXCESS_VARIANCE = 1e-6  # times the mean: nearer to a Poisson law the size overflows nothing
_LEAST_PROBABILITY = 1e-300


def upper_tail(counts: Floats, mean: Floats, variance: Floats) -> Floats:
    """Return P(Y >= counts) of a negative binomial, elementwise.

    ``mean`` > 0, ``variance`` >= ``mean``, ``counts`` >= 0; a count between two whole numbers gets
    a value between theirs, which makes the tail invertible. With size = mean^2 / (variance - mean)
    it is the regularised incomplete beta function I(mean / (mean + size); counts, size)
    (Abramowitz and Stegun 26.5.24).
    """
    from scipy.special import betainc  # noqa: PLC0415 - 0.3 s that other commands need not wait

    size = mean**2 / np.maximum(variance - mean, _LEAST_EXCESS_VARIANCE * mean)
    tail = betainc(np.maximum(counts, 1e-9), size, mean / (mean + size))
    return np.asarray(np.where(counts > 0, tail, 1.0), dtype=np.float64)


def deviate(probability: Floats) -> Floats:
    """Return the standard normal deviate that is exceeded with this ``probability``."""
    from scipy.special import ndtri  # noqa: PLC0415 - as above

    return np.asarray(-ndtri(np.clip(probability, _LEAST_PROBABILITY, 1 - 1e-9)), dtype=np.float64)


def upper_quantile(probability: float, mean: Floats, variance: Floats, at_least: Floats) -> Floats:
    """Return where ``upper_tail`` falls to ``probability``, or ``at_least`` when that is higher.

    Secant steps on the tail's logarithm, started from the Wilson-Hilferty cube; right to about
    one part in a million.
    """
    quantile = at_least.copy()
    open_ = np.flatnonzero(upper_tail(at_least, mean, variance) > probability)
    mean, variance = mean[open_], variance[open_]
    target, ninth = np.log(probability), variance / mean**2 / 9
    normal = float(deviate(np.array([probability]))[0])
    low = np.maximum(mean * (1 - ninth + normal * np.sqrt(ninth)) ** 3, at_least[open_])
    high = low * 1.02 + 0.5
    log_low = np.log(np.maximum(upper_tail(low, mean, variance), _LEAST_PROBABILITY))
    for _ in range(5):
        log_high = np.log(np.maximum(upper_tail(high, mean, variance), _LEAST_PROBABILITY))
        slope = np.minimum((log_high - log_low) / np.where(high == low, 1, high - low), -1e-12)
        step = np.where(np.abs(log_high - target) < 1e-9, 0, (target - log_high) / slope)
        low, log_low = high, log_high
        high = np.maximum(high + step, at_least[open_])
    quantile[open_] = high
    return quantile
