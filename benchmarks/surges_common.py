"""Campaigns that lift every country of a site: how many surges they are, and how many of them own.

    python benchmarks/surges_common.py [sites]

Simulated: sites of 60 countries of ``surges_simulation.py``, without surges of their own, and three
days of a campaign after half a year. Then the same with seven times as much again in the largest
country, which must stay its own.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from surges_measures import MONDAY
from surges_simulation import simulate_quiet

from pipeline.surges import find_surges

if TYPE_CHECKING:
    from surges_simulation import Floats

COUNTRIES, DAYS = 60, 240
CAMPAIGN = slice(180, 183)
OWN_TIMES = 7.0
CASES = [(1.0, 0.0), (1.3, 0.0), (1.5, 0.0), (2.0, 0.0), (3.0, 0.0), (10.0, 0.0), (2.0, 0.3),
         (3.0, 0.3)]  # fmt: skip
"""How many times the usual, and how far countries are apart in it (sd of the logarithm)."""


@dataclass(frozen=True)
class Found:
    """Of a site, in the campaign's days but for ``elsewhere``."""

    surges: int
    alike: int
    elsewhere: int
    alike_elsewhere: int
    own_stays: bool


def measure(rng: np.random.Generator, times: float, apart: float) -> Found:
    """Judge one site without and with a surge of its largest country."""
    series = [simulate_quiet(rng, DAYS) for _ in range(COUNTRIES)]
    mean = np.stack([one.mean for one in series])
    drawn = np.stack([one.sessions for one in series])
    counts = np.where(np.isnan(drawn), rng.poisson(mean), drawn).astype(np.int64)
    factor = times * np.exp(rng.normal(0, apart, (COUNTRIES, 1)))
    counts[:, CAMPAIGN] += rng.poisson(mean[:, CAMPAIGN] * np.maximum(factor - 1, 0))
    inside, outside = _split(_find(counts))
    largest = int(mean[:, CAMPAIGN.start].argmax())
    counts[largest, CAMPAIGN] += rng.poisson((OWN_TIMES - 1) * times * mean[largest, CAMPAIGN])
    own = [row for row in _split(_find(counts))[0] if row["country"] == f"C{largest:02}"]
    return Found(
        len(inside),
        sum(row["others_ratio"] is not None for row in inside),
        len(outside),
        sum(row["others_ratio"] is not None for row in outside),
        own_stays=[row["others_ratio"] for row in own] == [None],
    )


def _find(counts: Floats) -> list[dict[str, Any]]:
    days = np.tile(np.arange(DAYS, dtype=np.int32) + MONDAY, COUNTRIES)
    names = np.repeat([f"C{number:02}" for number in range(COUNTRIES)], DAYS)
    columns = [pa.array(days.astype(np.int32), pa.date32()), pa.array(names), counts.ravel()]
    _, surges = find_surges(pa.table(columns, ["day", "country", "sessions"]))
    rows: list[dict[str, Any]] = surges.to_pylist()
    return rows


def _split(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    first = date(1970, 1, 1) + timedelta(MONDAY + CAMPAIGN.start)
    last = first + timedelta(CAMPAIGN.stop - CAMPAIGN.start - 1)
    touching = [row["start_day"] <= last and row["end_day"] >= first for row in rows]
    return (
        [row for row, touches in zip(rows, touching, strict=True) if touches],
        [row for row, touches in zip(rows, touching, strict=True) if not touches],
    )


def main() -> None:
    """Print a line a case."""
    sites = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    print(f"{sites} sites of {COUNTRIES} countries, three days of a campaign:")
    for times, apart in CASES:
        rng = np.random.default_rng(20161108)
        found = [measure(rng, times, apart) for _ in range(sites)]
        surges, alike, elsewhere, wrong = (
            sum(getattr(one, name) for one in found) / sites
            for name in ("surges", "alike", "elsewhere", "alike_elsewhere")
        )
        print(
            f"  {times:4.1f} times, apart by {apart:3.0%}: {surges:5.1f} surges a site,"
            f" {alike:5.1f} alike; elsewhere {elsewhere:4.1f}, {wrong:3.1f} alike;"
            f" the largest's own stays in {sum(one.own_stays for one in found)} of {sites}",
            flush=True,
        )


if __name__ == "__main__":
    main()
