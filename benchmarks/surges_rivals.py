"""R's detectors of the package surveillance on the same simulated series as this one.

Its methods want a year of history and no day missing: surges lie after day 400, days without logs
have the sessions of the week before. Without R or the package nothing is run, and that is said.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from surges_measures import MONDAY
from surges_simulation import simulate_quiet, simulate_surges

from pipeline.surges import judge_days
from pipeline.surges.episodes import episodes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from surges_simulation import Series

SCRIPT = Path(__file__).with_suffix(".R")
DAYS = 1095
FIRST_JUDGED = 400
QUIET, SURGING = 15, 25  # series: R takes nine seconds for each
METHODS = ("farringtonFlexible", "EARS_C1", "EARS_C2", "glrnb")


def report_rivals(rng: np.random.Generator) -> Iterator[str]:
    """Yield a table of detectors, one a line; one line that says why there is none."""
    rscript = shutil.which("Rscript")
    has_package = (
        rscript
        and not subprocess.run(
            [rscript, "-e", "library(surveillance)"], capture_output=True, check=False
        ).returncode
    )
    if not rscript or not has_package:
        yield "R's detectors: R with the package surveillance is absent, nothing was run"
        return
    series = [simulate_quiet(rng, DAYS) for _ in range(QUIET)]
    series += [simulate_surges(rng, DAYS, 3, FIRST_JUDGED) for _ in range(SURGING)]
    counts = np.stack([_without_gaps(country.sessions) for country in series])
    days = np.arange(DAYS, dtype=np.int64) + MONDAY
    yield f"{'detector':<24}{'false episodes':>16}{'>= 5 sd':>10}{'days inside':>13}"
    ours = judge_days(days, counts).is_surge
    yield _line("this one", series, counts, ours)
    for name, flagged in _run_r(rscript, counts).items():
        yield _line(name, series, counts, flagged)


def _without_gaps(sessions: np.ndarray) -> np.ndarray:
    filled = sessions.copy()
    for day in np.flatnonzero(np.isnan(filled)):  # in order: a week that is missing repeats
        filled[day] = filled[day - 7] if day >= 7 else np.nanmedian(sessions[:28])
    return np.round(filled)


def _run_r(rscript: str, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return each method's flags, countries x days; none before the first day that it judges."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "counts.csv"
        names = ",".join(f"s{number}" for number in range(len(counts)))
        np.savetxt(table, counts.T, delimiter=",", header=names, comments="", fmt="%d")
        subprocess.run(
            [rscript, str(SCRIPT), str(table), str(FIRST_JUDGED + 1), folder],
            check=True,
            capture_output=True,
        )
        found = {}
        for name in METHODS:
            alarms = np.genfromtxt(Path(folder) / f"{name}.csv", delimiter=",", skip_header=1)
            found[name] = np.zeros(counts.shape, dtype=bool)
            found[name][:, FIRST_JUDGED:] = alarms.T == 1
    return found


def _line(name: str, series: list[Series], counts: np.ndarray, flagged: np.ndarray) -> str:
    days = np.arange(DAYS, dtype=np.int64)
    quiet = sum(
        episode.start >= FIRST_JUDGED
        for row in range(QUIET)
        for episode in episodes_of(days, counts[row], flagged[row])
    )
    decades = QUIET * (DAYS - FIRST_JUDGED) / 3652.5
    inside = [
        flagged[row, surge.days].mean()
        for row, country in enumerate(series)
        for surge in country.surges
        if surge.size_sd >= 5
    ]
    found = [share for share in inside if share]
    detected = 100 * len(found) / len(inside)
    return (
        f"{name:<24}{quiet / decades:>16.2f}{detected:>9.1f}%{100 * float(np.mean(found)):>12.1f}%"
    )
