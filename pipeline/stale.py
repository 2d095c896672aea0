"""Which days are stale: built from other raw files, settings or SQL than those of now.

A day's derived partitions are a pure function of what its fingerprint names.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta
from operator import itemgetter

import duckdb
import pyarrow as pa

from pipeline.definitions import DEFINITIONS_VERSION
from pipeline.lake import DayShare, FileRecord, Lake, read_json
from pipeline.models import read_model

PARTITIONED = {"sessions": "day, started_at, session_id", "daily": "day, country",
               "hourly": "day, hour, country"}  # fmt: skip
"""The models with one partition a day, and the total order each is written in."""
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class DayFiles:
    """One local day's raw files in the lake."""

    day: date
    file_keys: tuple[str, ...]
    geo_built: tuple[str | None, ...]
    """Which database located each file's hits."""
    rows: int
    geo_is_late: bool


def days_of(records: list[FileRecord]) -> dict[date, DayFiles]:
    """Each day's files, ordered by key."""
    found: dict[date, list[tuple[str, DayShare]]] = {}
    for record in records:
        for day, share in record.days.items():
            found.setdefault(date.fromisoformat(day), []).append((record.file_key, share))
    return {day: _join(day, sorted(entries, key=itemgetter(0))) for day, entries in found.items()}


def _join(day: date, entries: list[tuple[str, DayShare]]) -> DayFiles:
    return DayFiles(
        day,
        tuple(key for key, _ in entries),
        tuple(share.geo_built for _, share in entries),
        sum(share.hits for _, share in entries),
        any(share.geo_is_late for _, share in entries),
    )


def inputs_of(lake: Lake, timeout_minutes: int) -> list[object]:
    """What every day depends on: definitions, engines, SQL, settings, the lake's zone and key."""
    engines = (duckdb.__version__, pa.__version__)
    models = map(read_model, PARTITIONED)
    return [DEFINITIONS_VERSION, *engines, *models, timeout_minutes, lake.identity()]


def fingerprints(days: dict[date, DayFiles], fixed: list[object]) -> dict[str, str]:
    """Name each day's inputs: the raw files of it and its neighbours, and what all days share."""
    base = hashlib.sha256(json.dumps(fixed).encode()).hexdigest()

    def name(day: date) -> str:
        near = [days.get(day + n * _ONE_DAY) for n in (-1, 0, 1)]
        files = [beside.file_keys if beside else () for beside in near]
        inputs = json.dumps([base, files, days[day].geo_built, days[day].geo_is_late])
        return hashlib.sha256(inputs.encode()).hexdigest()[:32]

    return {str(day): name(day) for day in days}


@dataclass(frozen=True)
class Stock:
    """A lake's days as the ledger has them at one moment."""

    days: dict[date, DayFiles]
    wanted: dict[str, str]
    """What each day would be built from now, by fingerprint."""
    built: dict[str, str]
    """What each day was built from."""
    stale: list[date]
    """The days that a build would rebuild, in order; a sealed one is never among them."""


def take_stock(lake: Lake, timeout_minutes: int) -> Stock:
    """Read the ledger and find the stale days."""
    days = days_of(lake.files())
    wanted = fingerprints(days, inputs_of(lake, timeout_minutes))
    built = read_json(lake.ledger / "built.json")
    # `daily` stands for the three: sessions may rightly have no rows on a day with hits.
    # Sealed days come before all others (see `retention`): no stale day has one beside it whose
    # hits it needs and that are gone.
    sealed = lake.sealed()
    stale = [
        date.fromisoformat(day)
        for day, fingerprint in sorted(wanted.items())
        if day not in sealed
        and (built.get(day) != fingerprint or not lake.part_path("daily", day).exists())
    ]
    return Stock(days, wanted, built, stale)
