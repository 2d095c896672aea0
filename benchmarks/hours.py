"""How often the hourly watch is wrong on quiet countries, and how large a surge must be for it.

    python benchmarks/hours.py [years]

Simulated: 80 countries of 2 to 140,000 sessions a day, each with a rhythm of hours of its own and
of weekdays, negative-binomial with dispersion 0.05, every hour drawn by itself.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from surges_simulation import draw_counts, draw_weekdays

from pipeline.surges.finished_hours import HISTORY_DAYS, History, judge_hours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COUNTRIES = 80
DISPERSION = 0.05
YEAR_DAYS = 365
ALL_HOURS = np.arange(24)
DAILY_CLASSES = (100, 1_000, 10_000)
DELAY_ROUNDS = 20


@dataclass(frozen=True)
class Quiet:
    """Countries without surges: sessions and their means, countries x days x hours."""

    sessions: Floats
    mean: Floats


def simulate_quiet_hours(
    rng: np.random.Generator,
    days: int,
    *,
    dispersion: float = DISPERSION,
    day_noise: float = 0.0,
    clock_change: int | None = None,
) -> Quiet:
    """Draw quiet countries.

    ``day_noise``: standard deviation of a factor that all hours of a country's day share.
    ``clock_change``: a day from which every rhythm is an hour early, as when another part of
    the world changes its clocks.
    """
    levels = np.geomspace(2, 140_000, COUNTRIES)
    wave = np.cos(2 * np.pi * (ALL_HOURS[None, :] - rng.uniform(0, 24, (COUNTRIES, 1))) / 24)
    curve = np.exp(rng.uniform(0.5, 1.1, (COUNTRIES, 1)) * wave)
    curve /= curve.sum(axis=1, keepdims=True)
    weekdays = np.stack([draw_weekdays(rng, days) for _ in range(COUNTRIES)])
    noise = np.exp(rng.normal(0, day_noise, weekdays.shape))
    curves = np.repeat(curve[:, None, :], days, axis=1)
    if clock_change is not None:
        curves[:, clock_change:] = np.roll(curves[:, clock_change:], -1, axis=2)
    mean = levels[:, None, None] * (weekdays * noise)[:, :, None] * curves
    return Quiet(draw_counts(rng, mean, dispersion).astype(np.float64), mean)


def count_alarms(sessions: Floats) -> NDArray[np.int64]:
    """Alarms of each day (of all countries and hours), each judged by the days before it."""
    days = sessions.shape[1]
    alarms = np.zeros(days, dtype=np.int64)
    for day in range(1, days):
        history = history_of(sessions, day)
        judged = judge_hours(history, day % 7, ALL_HOURS, sessions[:, day])
        alarms[day] = judged.is_surge.sum()
    return alarms


def history_of(sessions: Floats, day: int) -> History:
    """What is known of the days before ``day``, none of them flagged."""
    earlier = sessions[:, max(0, day - HISTORY_DAYS) : day]
    usable = np.ones(earlier.shape[:2], dtype=bool)
    return History(earlier, usable, np.arange(max(0, day - HISTORY_DAYS), day) % 7)


def measure_detection(rng: np.random.Generator, days: int, times: float) -> Floats:
    """Share of one hour's surges of ``times`` the usual that raise an alarm, by hourly level."""
    quiet = simulate_quiet_hours(rng, days)
    history = history_of(quiet.sessions, days - 1)
    usual = quiet.mean[:, -1]
    found = np.zeros(usual.shape)
    rounds = 20
    for _ in range(rounds):
        surged = draw_counts(rng, usual * times, DISPERSION).astype(np.float64)
        found += judge_hours(history, (days - 1) % 7, ALL_HOURS, surged).is_surge
    classes = np.digitize(usual, [5, 20, 100, 1000])
    return np.array([found[classes == number].mean() / rounds for number in range(5)])


def measure_delay(rng: np.random.Generator, times: float) -> list[tuple[float, float]]:
    """Of surges that last 12 hours: share found, and median hours until one that tells is over.

    By sessions a day: under 100, 1,000, 10,000, and more. The surge begins with any of a day's
    first 12 hours; one hour is the least that it can take, as an hour is judged when it is over.
    """
    delays: list[list[float]] = [[] for _ in range(len(DAILY_CLASSES) + 1)]
    for _ in range(DELAY_ROUNDS):
        quiet = simulate_quiet_hours(rng, HISTORY_DAYS + 1)
        usual = quiet.mean[:, -1]
        begins = rng.integers(0, 12, (COUNTRIES, 1))
        is_surging = (begins <= ALL_HOURS) & (begins + 12 > ALL_HOURS)
        sessions = draw_counts(rng, usual * np.where(is_surging, times, 1.0), DISPERSION)
        history = history_of(quiet.sessions, HISTORY_DAYS)
        alarms = judge_hours(history, HISTORY_DAYS % 7, ALL_HOURS, sessions.astype(np.float64))
        found = alarms.is_surge & is_surging
        hours = np.where(found.any(axis=1), found.argmax(axis=1) - begins[:, 0] + 1.0, np.inf)
        for own, number in zip(hours, np.digitize(usual.sum(axis=1), DAILY_CLASSES), strict=True):
            delays[number].append(float(own))
    return [(float(np.isfinite(own).mean()), float(np.median(own))) for own in delays]


def main() -> None:
    """Print the rates."""
    years = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rng = np.random.default_rng(20161108)
    quiet = sum(
        int(count_alarms(simulate_quiet_hours(rng, YEAR_DAYS).sessions).sum()) for _ in range(years)
    )
    print(f"false alarm hours a year, all of {COUNTRIES} countries: {quiet / years:.2f}")
    month = sum(
        int(count_alarms(simulate_quiet_hours(rng, 30).sessions).sum()) for _ in range(years * 12)
    )
    print(f"false alarm hours a first month: {month / years / 12:.3f}")
    for name, changes in {
        "days vary by 20 % more": {"day_noise": 0.2},
        "dispersion 0.1": {"dispersion": 0.1},
    }.items():
        harder = sum(
            int(count_alarms(simulate_quiet_hours(rng, YEAR_DAYS, **changes).sessions).sum())
            for _ in range(years)
        )
        print(f"false alarm hours a year, {name}: {harder / years:.2f}")
    changed = sum(
        int(count_alarms(simulate_quiet_hours(rng, 70, clock_change=40).sessions)[40:].sum())
        for _ in range(years)
    )
    print(f"false alarm hours after all countries changed their clocks: {changed / years:.2f}")
    print("share of surging hours found, by usual sessions an hour (<5, <20, <100, <1000, more):")
    for days in (8, 60):
        for times in (3.0, 4.0, 5.0, 8.0, 12.0):
            shares = measure_detection(rng, days, times)
            shown = " ".join(f"{share:4.0%}" for share in shares)
            print(f"  {times:4.0f} times the usual, {days - 1} days of history: {shown}")
    print("surges of 12 hours, 28 days of history: found, and median hours until it is said, by")
    print("usual sessions a day (<100, <1,000, <10,000, more):")
    for times in (2.0, 3.0, 4.0, 6.0, 10.0):
        shown = "  ".join(
            f"{share:4.0%} {hours:4.1f} h" for share, hours in measure_delay(rng, times)
        )
        print(f"  {times:4.0f} times the usual: {shown}")


if __name__ == "__main__":
    main()
