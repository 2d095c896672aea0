"""What is said to have driven simulated surges, against what did, and beside other ways to say it.

Run by ``make bench-surges``; ends with status 1 when a requirement is missed. The surges are
simulated (``why_simulation.py``).
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from zoneinfo import ZoneInfo

import numpy as np
from why_simulation import MACHINES, PEOPLE, Batch, Planted, simulate

from pipeline.build.take_apart import count_surges
from pipeline.lake.database import connect
from pipeline.language import ENGLISH
from pipeline.why.explain import CIRCUMSTANCES, Driver, explain
from pipeline.why.people import Signal, tell_people

Rows = list[Driver]
SEED = 20161114
LEAST_SUPPORT = 5
T_EEP, T_EP = 0.1, 0.67
"""Adtributor's thresholds, as its authors set them."""
REQUIRED = 95.0
MOST_PEOPLE_CALLED_MACHINES = 1.0


def take_apart(batch: Batch) -> list[tuple[Rows, list[Signal]]]:
    """The rows of both tables, by surge."""
    with connect(threads=2) as connection:
        for name in ("sessions", "daily"):
            connection.register(name, getattr(batch, name))
        connection.execute(
            "CREATE VIEW days AS SELECT day, count(*) AS sessions FROM sessions GROUP BY day"
        )
        made = count_surges(connection, batch.surges, batch.spans, ZoneInfo("UTC"))
    found: dict[str, tuple[Rows, list[Signal]]] = defaultdict(lambda: ([], []))
    for at, (name, row) in enumerate((("drivers", Driver), ("signals", Signal))):
        for values in made[name].to_pylist():
            found[values["country"]][at].append(row(**values))
    return [found[code] for code in batch.surges["country"].to_pylist()]


def ours(rows: Rows) -> list[Driver]:
    """The drivers by rank."""
    return sorted((row for row in rows if row.rank), key=lambda row: row.rank or 0)


def by_absolute(rows: Rows) -> list[Driver]:
    """The largest excess first."""
    return sorted(_causes(rows), key=lambda row: -(row.excess or 0))


def by_relative(rows: Rows) -> list[Driver]:
    """The largest ratio to the expected first, of those with a few sessions."""
    own = (row for row in _causes(rows) if row.observed >= LEAST_SUPPORT)
    return sorted(own, key=lambda row: -row.observed / ((row.expected or 0) + 0.5))


def by_adtributor(rows: Rows) -> list[Driver]:
    """As published: by the surprise of each dimension's few elements that explain two thirds."""
    dimensions = []
    for dimension in {row.dimension for row in rows}:
        own = [row for row in rows if row.dimension == dimension]
        observed, expected = sum(row.observed for row in own), sum(row.expected or 0 for row in own)

        def surprise(row: Driver, observed: int = observed, expected: float = expected) -> float:
            p, q = (row.expected or 0) / expected, row.observed / observed
            terms = (part * np.log(2 * part / (p + q)) for part in (p, q) if part > 0)
            return float(0.5 * sum(terms))

        chosen, explained = [], 0.0
        for row in sorted((r for r in own if not r.is_other), key=lambda r: -surprise(r)):
            if (row.share or 0) > T_EEP:
                chosen.append(row)
                explained += row.share or 0
            if explained > T_EP:
                dimensions.append((sum(map(surprise, chosen)), chosen))
                break
    dimensions.sort(key=lambda one: -one[0])
    return [row for _, chosen in dimensions for row in chosen if row.dimension not in CIRCUMSTANCES]


def _causes(rows: Rows) -> Iterable[Driver]:
    return (row for row in rows if row.dimension not in CIRCUMSTANCES and not row.is_other)


RANKINGS: dict[str, Callable[[Rows], list[Driver]]] = {
    "tidegauge": ours,
    "largest absolute change": by_absolute,
    "largest relative change": by_relative,
    "plain Adtributor": by_adtributor,
}


def is_right(planted: Planted, found: list[Driver]) -> bool:
    """Whether the planted drivers come first, in any order; or nothing but an hour does."""
    named = [(row.dimension, row.element) for row in found if row.dimension not in CIRCUMSTANCES]
    if planted.kind == "uniform":
        return not named
    if planted.kind == "one user agent":
        return bool(named) and named[0][0] == "kind of agent"
    return {*planted.drivers} == {*named[: len(planted.drivers)]}


def measure(batch: Batch) -> dict[str, dict[str, float]]:
    """By kind of surge, per cent: each ranking that is right, and who was called machines."""
    counts: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for planted, (rows, signals) in zip(batch.planted, take_apart(batch), strict=True):
        own = counts[planted.kind]
        if planted.kind != "flood behind many agents":
            for name, rank in RANKINGS.items():
                own[name].append(is_right(planted, rank(rows)))
        said = tell_people(signals, rows, ENGLISH)
        own["called machines"].append(said.startswith("It looks like machines"))
        own["called people"].append(said.startswith("It looks like people"))
        own["said alike"].append(explain(rows, ENGLISH).startswith("Everything rose alike"))
    return {
        kind: {name: 100 * float(np.mean(values)) for name, values in own.items()}
        for kind, own in counts.items()
    }


def main() -> int:
    """Simulate, take apart, print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--surges", type=int, default=480)
    options = parser.parse_args()
    got = measure(simulate(np.random.default_rng(options.seed), options.surges))
    names = [*RANKINGS, "called machines", "called people"]
    print(f"{options.surges} surges with planted drivers (seed {options.seed}), per cent right\n")
    print(f"{'planted':<26}" + "".join(f"{name:>25}" for name in names))
    for kind, own in got.items():
        cells = (f"{own[name]:.1f}" if name in own else "" for name in names)
        print(f"{kind:<26}" + "".join(f"{cell:>25}" for cell in cells))
    missed = list_missed(got)
    print("\n" + ("\n".join(missed) or "every requirement is met"))
    return bool(missed)


def list_missed(got: dict[str, dict[str, float]]) -> list[str]:
    """The requirements that are missed, in words."""
    missed = [
        f"{kind}: the planted driver is first in {own['tidegauge']:.1f} %, required {REQUIRED} %"
        for kind, own in got.items()
        if own.get("tidegauge", 100.0) < REQUIRED
    ]
    missed += [
        f"{kind}: called machines in {got[kind]['called machines']:.1f} %, required {REQUIRED} %"
        for kind in MACHINES
        if got[kind]["called machines"] < REQUIRED
    ]
    people = float(np.mean([got[kind]["called machines"] for kind in PEOPLE]))
    if people > MOST_PEOPLE_CALLED_MACHINES:
        missed.append(f"people are called machines in {people:.1f} %, at most 1 %")
    return missed


if __name__ == "__main__":
    sys.exit(main())
