"""What weekdays that countries lend one another bring in the first weeks, against none lent.

    python benchmarks/surges_young.py [sites]

Simulated: sites of 80 countries of ``surges_simulation.py``, with a surge each after 24 days of
history, and as many without one over their first 70 days.
"""

from __future__ import annotations

import sys

import numpy as np
from surges_measures import Outcome, measure_early, measure_quiet
from surges_simulation import simulate_quiet, simulate_surges

from pipeline.surges import baseline

COUNTRIES, QUIET_DAYS, HISTORY_DAYS, SERIES_DAYS = 80, 70, 24, 160
SEED = 1917


def main() -> None:
    """Print a line with lent weekdays and one without."""
    sites = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    print(f"{sites} sites of {COUNTRIES} countries, seed {SEED}:")
    lent = baseline.POOLED_LEAST_COUNTRIES
    for label, least in (("lent", lent), ("not lent", COUNTRIES + 1)):
        baseline.POOLED_LEAST_COUNTRIES = least
        rng = np.random.default_rng(SEED)
        outcomes: list[Outcome] = []
        episodes = 0
        for _ in range(sites):
            surging = [simulate_surges(rng, SERIES_DAYS, 1) for _ in range(COUNTRIES)]
            outcomes += measure_early(surging, HISTORY_DAYS)
            quiet = [simulate_quiet(rng, QUIET_DAYS) for _ in range(COUNTRIES)]
            episodes += measure_quiet(quiet).episodes
        print(
            f"  weekdays {label}: detected {_detected(outcomes, 15):.1f} % of 15 sd and more,"
            f" {_detected(outcomes, 5):.1f} % of 5 sd and more ({HISTORY_DAYS} days of history);"
            f" {episodes} false episodes in the first {QUIET_DAYS} days",
            flush=True,
        )


def _detected(outcomes: list[Outcome], least_sd: float) -> float:
    return 100 * float(np.mean([o.is_detected for o in outcomes if o.size_sd >= least_sd]))


if __name__ == "__main__":
    main()
