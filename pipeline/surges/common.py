"""Rises that countries share: what of a country's surge the others had on the same day.

A campaign, a link that the whole world follows, or a change in what is counted lifts every country
at once. Each is then far above its own history, and none is the reason. How far the others rose is
told from their median, so that no country, however large, and no minority moves it; a country is
none of its own others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.surges.tail import upper_tail

if TYPE_CHECKING:
    from pipeline.surges.baseline import Floats
    from pipeline.surges.detector import Judgement

LEAST_OTHERS = 8
LARGEST_NOISE = 0.5  # of the expected, in sd: beyond, a day of the country tells nothing
LEAST_RISE_SD = 4.0  # of the others' median: one day in 30,000 by chance
LEAST_PART = 0.5  # of the excess: less than half of it explains no surge
MEDIAN_SD = np.sqrt(np.pi / 2)  # of a median, in units of a mean's
MEDIAN_SQUARE = 0.455  # of a standard normal deviate


def rise_of_others(counts: Floats, judged: Judgement) -> Floats:
    """Return how many times their expected sessions the others had, where that explains an alarm.

    Countries x days; a count is NaN where a country has none. NaN where no alarm was raised and
    where the country stands out: fewer than 8 others can tell, they rose by no more than chance,
    its sessions would be an alarm beside theirs as well, or most of its excess is beyond what they
    had. Countries do not rise by the same factor; how far they differ is told from the others, too.
    """
    explained = np.full(counts.shape, np.nan)
    variance = judged.day_variance + judged.mean_variance
    for column in np.flatnonzero(judged.is_raised.any(axis=0)):
        count, mean, noise = counts[:, column], judged.expected[:, column], variance[:, column]
        tells = ~np.isnan(count) & (noise <= (LARGEST_NOISE * mean) ** 2)
        for row in np.flatnonzero(judged.is_raised[:, column]):
            others = tells & (np.arange(len(counts)) != row)
            rise, differ = _rise_and_spread(count[others], mean[others], noise[others])
            usual = rise * mean[row]
            beside = usual + rise**2 * (noise[row] - mean[row]) + differ * usual**2
            is_most_of_it = usual - mean[row] >= LEAST_PART * (count[row] - mean[row])
            alarm = judged.alarm_probability[row, column]
            if is_most_of_it and _chance(count[row], usual, beside) >= alarm:
                explained[row, column] = rise
    return explained


def _rise_and_spread(counts: Floats, mean: Floats, variance: Floats) -> tuple[float, float]:
    """The median of observed by expected, and the variance of countries around it beyond noise.

    The first is 1 where too few can tell, or where it is no rise beyond chance.
    """
    if len(counts) < LEAST_OTHERS:
        return 1.0, 0.0
    deviate = float(np.median((counts - mean) / np.sqrt(variance)))
    if deviate * np.sqrt(len(counts)) < LEAST_RISE_SD * MEDIAN_SD:
        return 1.0, 0.0
    rise = float(np.median(counts / mean))
    square = float(np.median((counts / (rise * mean) - 1) ** 2)) / MEDIAN_SQUARE
    own = float(np.median((variance - mean) / mean**2 + 1 / (rise * mean)))
    return rise, max(square - own, 0.0)


def _chance(count: float, mean: float, variance: float) -> float:
    return float(upper_tail(*(np.array([value]) for value in (count, mean, variance)))[0])
