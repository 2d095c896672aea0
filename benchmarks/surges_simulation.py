"""Simulated daily sessions of single countries, with and without surges, for ``surges.py``.

All of it is simulated and shares nothing with the detector. A day's mean is a product of a level
that wanders, swings back, and now and then shifts, a weekday rhythm, a yearly rhythm and fixed
holidays; the count is negative binomial; runs of days are missing. A surge adds Poisson sessions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]

YEAR_DAYS = 365.25
SHAPES = ("spike", "plateau", "ramp")
SIZES_SD = (2, 3, 5, 8, 15, 50)
LONGEST_DAYS = 14
LEAST_DAY_SD = 0.5


@dataclass(frozen=True)
class Surge:
    """One injected surge: indices of its first, highest and last day, and what was added."""

    start: int
    peak: int
    end: int
    size_sd: float
    shape: str
    added: Floats

    @property
    def days(self) -> slice:
        """The surge's days as a slice of the series."""
        return slice(self.start, self.end + 1)


@dataclass(frozen=True)
class Series:
    """Daily sessions from a Monday on (NaN: no logs), and the law they were drawn from."""

    sessions: Floats
    mean: Floats
    standard_deviation: Floats
    surges: list[Surge] = field(default_factory=list)


def simulate_quiet(rng: np.random.Generator, days: int) -> Series:
    """Draw a country without surges: ``days`` consecutive days."""
    base = np.exp(rng.uniform(np.log(2), np.log(40_000)))
    variation = np.exp(rng.uniform(np.log(0.03), np.log(0.4)))
    mean = base * _level(rng, days) * draw_weekdays(rng, days) * _seasons(rng, days)
    mean = np.maximum(mean, 0.3)
    sessions = draw_counts(rng, mean, variation**2).astype(np.float64)
    sessions[_gaps(rng, days)] = np.nan
    deviation = np.sqrt(mean + (variation * mean) ** 2)
    return Series(sessions, mean, deviation)


def simulate_surges(
    rng: np.random.Generator, days: int, surges: int, first_day: int = 60
) -> Series:
    """Draw a country with ``surges`` surges from ``first_day`` on, none where logs are missing."""
    quiet = simulate_quiet(rng, days)
    sessions, placed = quiet.sessions.copy(), []
    room = (days - first_day) // surges
    for number in range(surges):
        start = first_day + number * room + int(rng.integers(room - 40))
        while np.isnan(sessions[start : start + LONGEST_DAYS]).any():
            start += 1
        surge = _draw_surge(rng, start, quiet.standard_deviation)
        sessions[surge.days] += surge.added
        placed.append(surge)
    return Series(sessions, quiet.mean, quiet.standard_deviation, placed)


def _draw_surge(rng: np.random.Generator, start: int, standard_deviation: Floats) -> Surge:
    """Draw size, shape and length; days with under half an sd belong to the noise, not to it."""
    size = float(rng.choice(SIZES_SD))
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    profile = _profile(rng, shape, int(rng.integers(1, LONGEST_DAYS + 1)))
    counted = np.flatnonzero(profile * size >= LEAST_DAY_SD)
    profile = profile[: counted[-1] + 1]
    start, profile = start + int(counted[0]), profile[counted[0] :]
    peak = start + int(np.argmax(profile))
    added = rng.poisson(profile * size * standard_deviation[peak]).astype(np.float64)
    return Surge(start, peak, start + len(profile) - 1, size, shape, added)


def _profile(rng: np.random.Generator, shape: str, length: int) -> Floats:
    if shape == "plateau":
        return np.ones(length)
    if shape == "ramp":
        return np.arange(1, length + 1) / length
    return np.asarray(rng.uniform(0.2, 0.8) ** np.arange(length), dtype=np.float64)


def _level(rng: np.random.Generator, days: int) -> Floats:
    wander = np.cumsum(rng.normal(0, rng.uniform(0, 0.02), days))
    drift = rng.uniform(-0.1, 0.1) * np.arange(days) / YEAR_DAYS
    shifts = np.zeros(days)
    for at in rng.integers(0, days, rng.poisson(days / YEAR_DAYS / 4)):
        shifts[at:] += rng.normal(0, 0.15)
    persistence, swing = rng.uniform(0.3, 0.9), rng.uniform(0, 0.1)
    news = rng.normal(0, swing * np.sqrt(1 - persistence**2), days)
    interest = lfilter([1.0], [1.0, -persistence], news)
    trend = wander + interest + drift + shifts
    return np.asarray(np.exp(trend - trend.mean()), dtype=np.float64)


def draw_weekdays(rng: np.random.Generator, days: int) -> Floats:
    """Draw a rhythm of weekdays, weekends lower or a little higher, for each of ``days``."""
    factors = np.exp(rng.normal(0, 0.05, 7))
    factors[5:] *= rng.uniform(0.5, 1.15)
    factors *= 7 / factors.sum()
    return np.asarray(factors[np.arange(days) % 7], dtype=np.float64)


def _seasons(rng: np.random.Generator, days: int) -> Floats:
    phase = 2 * np.pi * (np.arange(days) / YEAR_DAYS + rng.random())
    swing = rng.uniform(0, 0.5) * np.sin(phase) + rng.uniform(0, 0.08) * np.sin(2 * phase + 1)
    factor = np.exp(swing)
    day_of_year = (np.arange(days) + rng.integers(365)) % 365
    for date in rng.integers(0, 365, 10):
        factor[day_of_year == date] *= rng.uniform(0.5, 1.05)
    return np.asarray(factor, dtype=np.float64)


def _gaps(rng: np.random.Generator, days: int) -> NDArray[np.bool_]:
    missing = np.zeros(days, dtype=bool)
    for at in rng.integers(0, days, rng.poisson(2 * days / YEAR_DAYS)):
        missing[at : at + rng.geometric(0.4)] = True
    return missing


def draw_counts(rng: np.random.Generator, mean: Floats, dispersion: float) -> NDArray[np.int64]:
    """Draw negative-binomial counts of variance ``mean + dispersion * mean^2``."""
    return rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, mean.shape))
