"""Upper tail of the negative binomial given by mean and variance; knows no days and no surges."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST_EXCESS_VARIANCE = 1e-6  # times the mean: nearer to a Poisson law the size overflows nothing
_LEAST_PROBABILITY = 1e-300
_MOST_STEPS = 12
_TOLERANCE = 1e-6
_loading = Lock()
"""No thread may take for the package what stands in its place meanwhile."""


@cache
def _scipy() -> Any:
    """SciPy's compiled functions, without what its package is besides: that takes 0.2 s."""
    name = "scipy.special"
    with _loading:
        if name not in sys.modules:
            package = ModuleType(name)
            package.__path__ = [f"{folder}/special" for folder in import_module("scipy").__path__]
            sys.modules[name] = package
            with suppress(ImportError):  # by a SciPy that has them elsewhere
                try:
                    return import_module(f"{name}._ufuncs")
                finally:
                    del sys.modules[name]
        return import_module(name)


def upper_tail(counts: Floats, mean: Floats, variance: Floats) -> Floats:
    """Return P(Y >= counts) of a negative binomial, elementwise.

    ``mean`` > 0, ``variance`` >= ``mean``, ``counts`` >= 0; a count between two whole numbers gets
    a value between theirs, which makes the tail invertible. With size = mean^2 / (variance - mean)
    it is the regularised incomplete beta function I(mean / (mean + size); counts, size)
    (Abramowitz and Stegun 26.5.24).
    """
    size = mean**2 / np.maximum(variance - mean, _LEAST_EXCESS_VARIANCE * mean)
    tail = _scipy().betainc(np.maximum(counts, 1e-9), size, mean / (mean + size))
    return np.asarray(np.where(counts > 0, tail, 1.0), dtype=np.float64)


def deviate(probability: Floats) -> Floats:
    """Return the standard normal deviate that is exceeded with this ``probability``."""
    return np.asarray(
        -_scipy().ndtri(np.clip(probability, _LEAST_PROBABILITY, 1 - 1e-9)), dtype=np.float64
    )


def chance_of(deviate: Floats) -> Floats:
    """Return the probability that a standard normal value exceeds ``deviate``."""
    return np.asarray(_scipy().ndtr(-deviate), dtype=np.float64)


def upper_quantile(probability: Floats, mean: Floats, variance: Floats, least: Floats) -> Floats:
    """Return where ``upper_tail`` falls to ``probability``, or ``least`` where that is higher.

    Secant steps on the tail's logarithm from the Wilson-Hilferty cube; right to one part in a
    million.
    """
    quantile = least.copy()
    beyond = np.flatnonzero(upper_tail(least, mean, variance) > probability)
    ninth = variance[beyond] / mean[beyond] ** 2 / 9
    cube = (1 - ninth + deviate(probability[beyond]) * np.sqrt(ninth)) ** 3
    low = np.maximum(mean[beyond] * cube, least[beyond])
    high = low * 1.01 + 0.1
    log_low = _log_ratio(low, mean[beyond], variance[beyond], probability[beyond])
    for _ in range(_MOST_STEPS):
        log_high = _log_ratio(high, mean[beyond], variance[beyond], probability[beyond])
        slope = np.minimum((log_high - log_low) / (high - low), -1e-300)
        closer = np.maximum(high - log_high / slope, least[beyond])
        quantile[beyond] = closer
        moving = np.abs(closer - high) > _TOLERANCE * high
        beyond, low, log_low, high = beyond[moving], high[moving], log_high[moving], closer[moving]
    return quantile


def _log_ratio(counts: Floats, mean: Floats, variance: Floats, probability: Floats) -> Floats:
    tail = np.maximum(upper_tail(counts, mean, variance), _LEAST_PROBABILITY)
    return np.asarray(np.log(tail / probability), dtype=np.float64)
