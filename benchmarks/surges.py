"""The surge detector against simulated countries: false alarms, hits, lag, edges and size.

Run by ``make bench-surges``; ends with status 1 when a requirement is missed. Everything but the
two labelled series at the end is simulated (``surges_simulation.py``).
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from surges_corpus import report_corpus
from surges_measures import Outcome, Quiet, measure_early, measure_quiet, measure_surges
from surges_rivals import report_rivals
from surges_simulation import SHAPES, simulate_quiet, simulate_surges

ROOT = Path(__file__).resolve().parent.parent
DECADE_DAYS = 3653
SURGE_SERIES_DAYS = 1095
SURGES_A_SERIES = 3
EARLY_SERIES = 600


@dataclass(frozen=True)
class Row:
    """One line of the table; a bound is the most or the least that ``got`` may be."""

    measure: str
    got: float
    aim: float | None = None
    required: float | None = None
    unit: str = "%"
    is_upper_bound: bool = False

    def holds(self, bound: float | None) -> bool:
        """Whether ``got`` keeps to ``bound``."""
        return bound is None or (self.got <= bound if self.is_upper_bound else self.got >= bound)

    def line(self) -> str:
        """Return the row as text."""
        sign = "<=" if self.is_upper_bound else ">="
        required = "" if self.required is None else f"{sign} {self.required:g}"
        verdict = "" if self.required is None else ("yes" if self.holds(self.required) else "NO")
        aim = "" if self.aim is None else f"{sign} {self.aim:g}"
        aim += "" if self.holds(self.aim) else " (missed)"
        return f"{self.measure:<56}{self.got:>7.2f} {self.unit:<3}{required:>9}{verdict:>6}  {aim}"


def main() -> int:
    """Simulate, judge, print; return the exit status."""
    options = _options()
    rng = np.random.default_rng(options.seed)
    quiet_series = [simulate_quiet(rng, DECADE_DAYS) for _ in range(options.decades)]
    surge_series = [
        simulate_surges(rng, SURGE_SERIES_DAYS, SURGES_A_SERIES)
        for _ in range(-(-options.surges // SURGES_A_SERIES))
    ]
    began = time.perf_counter()
    quiet, outcomes = measure_quiet(quiet_series), measure_surges(surge_series)
    judged_years = sum(len(s.sessions) for s in quiet_series + surge_series) / 365.25
    elapsed = (time.perf_counter() - began) / judged_years * 1000
    rows = tabulate(quiet, outcomes)
    early = [simulate_surges(rng, 160, 1) for _ in range(EARLY_SERIES)]
    rows += [
        Row(f"detected, 15 sd and more, {days} days of history", _detected(found, 15))
        for days in (7, 14, 28)
        for found in [measure_early(early, days)]
    ]
    print(
        f"simulated, seed {options.seed}: {quiet.decades:.0f} quiet country-decades, "
        f"{len(outcomes)} surges; {elapsed:.1f} s per 1,000 series-years\n"
    )
    print(f"{'measure':<56}{'got':>7}{'required':>13}{'held':>6}  aim")
    for row in rows:
        print(row.line())
    for report in (
        report_rivals(np.random.default_rng(options.seed)),
        report_corpus(options.corpus),
    ):
        print()
        for line in report:
            print(line, flush=True)
    return 0 if all(row.holds(row.required) for row in rows) else 1


def tabulate(quiet: Quiet, outcomes: list[Outcome]) -> list[Row]:
    """Return the table; edges, inside and excess are of detected surges of 5 sd and more."""
    found = [o for o in outcomes if o.is_detected and o.size_sd >= 5]
    clear = [o for o in found if o.size_sd >= 8]
    prompt = [o.raised_after_days <= (5 if o.shape == "ramp" else 1) for o in clear]
    spikes = [abs(o.end_error_days) <= 1 for o in found if o.shape == "spike"]
    return [
        Row(
            "false episodes a country-decade",
            quiet.episodes / quiet.decades,
            aim=1.0,
            required=1.2,
            unit="",
            is_upper_bound=True,
        ),
        Row(
            "false days a quiet year",
            quiet.flagged_days / quiet.decades / 10,
            aim=0.4,
            unit="",
            is_upper_bound=True,
        ),
        Row("detected, surges of 5 sd and more", _detected(outcomes, 5), aim=85, required=85),
        Row("detected, 5 sd", _detected(outcomes, 5, 5), aim=55),
        Row("detected, 8 sd", _detected(outcomes, 8, 8), aim=93),
        Row("detected, 15 sd and more", _detected(outcomes, 15), aim=99, required=99),
        *(
            Row(
                f"detected, 5 sd and more, {shape}s",
                _detected([o for o in outcomes if o.shape == shape], 5),
            )
            for shape in SHAPES
        ),
        Row("raised within a day, ramps 5 days (detected >= 8 sd)", _share(prompt), aim=90),
        Row("days inside flagged", _share([o.inside_share for o in found]), aim=83),
        Row("start within a day", _share([abs(o.start_error_days) <= 1 for o in found]), aim=92),
        Row("end within a day", _share([abs(o.end_error_days) <= 1 for o in found]), aim=88),
        Row("end within a day, spikes alone", _share(spikes)),
        Row(
            "excess error, median",
            100 * float(np.median([o.excess_error for o in found])),
            aim=5,
            is_upper_bound=True,
        ),
        Row("added sessions in the excess' 90 % interval", _share([o.is_covered for o in found])),
    ]


def _detected(outcomes: list[Outcome], least_sd: float, most_sd: float = np.inf) -> float:
    return _share([o.is_detected for o in outcomes if least_sd <= o.size_sd <= most_sd])


def _share(values: list[bool] | list[float]) -> float:
    return 100 * float(np.mean(values))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20161108)
    parser.add_argument("--decades", type=int, default=100, help="quiet country-decades")
    parser.add_argument("--surges", type=int, default=1200)
    parser.add_argument("--corpus", type=Path, default=ROOT / "../shared/corpus/surge")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
