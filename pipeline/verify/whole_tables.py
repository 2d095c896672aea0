"""Proves the tables over all days: counted anew from their partitions and the ledger.

Completeness and surges are judged in Python anyway; the same judgement is asked again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.build.completeness import judge_completeness
from pipeline.build.source_days import SourceDay, list_source_days
from pipeline.definitions import CENSORED_SHARE
from pipeline.lake.ledger import FileRecord
from pipeline.lake.left_out import Missing
from pipeline.lake.records import sum_records
from pipeline.surges import find_surges
from pipeline.tables import TABLES
from pipeline.verify.differences import find_difference
from pipeline.verify.findings import Finding
from pipeline.verify.parquet import Shelf
from pipeline.verify.reasons import count_reasons

WHOLE_TABLES = ("days", "expected", "surges", "drivers", "signals")
_READ = {
    "daily": (
        *("day", "country", "sessions", "hits", "errors", "robot_hits", "geo_built"),
        "geo_is_late",
    ),
    "minutes": ("day", "source", "minute", "hits"),
}


@dataclass(frozen=True)
class Inputs:
    """What the tables are made of besides partitions."""

    days: tuple[str, ...]
    """ISO; those that have figures, in order."""
    records: tuple[FileRecord, ...]
    zone: ZoneInfo
    sources: Sequence[str]
    """The setting: those expected every day."""
    left_out: Sequence[Missing] = ()
    """What was there of the days and is not in the lake."""

    @cached_property
    def shares(self) -> list[SourceDay]:
        """What every source gave to which of the days."""
        return list_source_days(sum_records(self.records), self.records, set(self.days))


def prove_tables(shelf: Shelf, inputs: Inputs) -> Iterator[Finding]:
    """Count the tables anew and compare them."""
    daily = _read(shelf, "daily", inputs.days)
    minutes = _read(shelf, "minutes", inputs.days)
    counted: dict[str, pa.Table] = {}
    if daily is None or minutes is None:
        text = "not counted anew: a partition of daily or minutes is off"
        yield Finding("unproven", ", ".join(WHOLE_TABLES), text)
    else:
        completeness = judge_completeness(
            _by_minute(minutes), inputs.shares, inputs.zone, inputs.sources, inputs.left_out
        )
        days = count_days(daily, inputs.shares, completeness)
        expected, surges = find_surges(
            daily.select(["day", "country", "sessions"]),
            completeness,
            days.filter(days["is_censored"])["day"].to_pylist(),
            days.filter(days["geo_built"].is_null())["day"].to_pylist(),
        )
        counted = {"days": days, "expected": expected, "surges": surges}
        counted |= count_reasons(shelf, counted, daily, inputs.zone) or {}
    for name in WHOLE_TABLES:
        place = f"{name}/part.parquet"
        stored = shelf.read(place)
        if isinstance(stored, Finding):
            yield stored
        elif name in counted and (why := find_difference(stored, counted[name])):
            yield shelf.off(place, why)


def check_bytes(shelf: Shelf) -> Iterator[Finding]:
    """Compare at least the tables' bytes with their digests, when they are stale."""
    for name in WHOLE_TABLES:
        place = f"{name}/part.parquet"
        if place in shelf.digests and isinstance(found := shelf.read_bytes(place), Finding):
            yield found


def _read(shelf: Shelf, model: str, days: Iterable[str]) -> pa.Table | None:
    """All of a model's partitions with their ``day``, in order of days; None when one is off.

    One that was never written is no fault: a day sealed long ago may have no minutes.
    """
    columns = [*_READ[model]]
    parts = [TABLES[model].empty_table().select(columns)]
    for day in days:
        place = f"{model}/day={day}/part.parquet"
        if place not in shelf.digests and not (shelf.root / place).exists():
            continue
        part = shelf.read(place)
        if isinstance(part, Finding) or {*columns} - {*part.column_names, "day"}:
            return None
        its_day = pa.array([date.fromisoformat(day)] * len(part), pa.date32())
        parts.append(part.append_column("day", its_day).select(columns))
    return pa.concat_tables(parts).combine_chunks()


def _by_minute(minutes: pa.Table) -> pa.Table:
    since = minutes["minute"].cast(pa.int64()).to_numpy() // 60_000_000
    place = minutes.column_names.index("minute")
    return minutes.set_column(place, "minute", pa.array(since.astype(np.int32)))


def count_days(daily: pa.Table, shares: Iterable[SourceDay], completeness: pa.Table) -> pa.Table:
    """The table ``days``, ordered by day: what each day with figures and files adds up to."""
    sources: dict[date, list[int]] = {}
    for share in shares:
        sources.setdefault(share.day, []).append(share.files)
    daily = daily.filter(pc.is_in(daily["day"], value_set=pa.array(list(sources), pa.date32())))
    days = sorted(pc.unique(daily["day"]).to_pylist())
    row = pc.index_in(daily["day"], value_set=pa.array(days, pa.date32())).to_numpy()

    def sums(name: str) -> npt.NDArray[np.int64]:
        totals = np.zeros(len(days), np.int64)
        np.add.at(totals, row, daily[name].to_numpy())
        return totals

    hits, errors = sums("hits"), sums("errors")
    error_share = errors / np.where(hits == 0, 1, hits)
    by_day = [daily.filter(pc.equal(daily["day"], pa.scalar(day, pa.date32()))) for day in days]
    judged = completeness.take(
        pc.index_in(pa.array(days, pa.date32()), value_set=completeness["day"].combine_chunks())
    )
    return pa.table(
        {
            "day": pa.array(days, pa.date32()),
            "sources": pa.array([len(sources[day]) for day in days], pa.int64()),
            "files": pa.array([sum(sources[day]) for day in days], pa.int64()),
            "hits": hits + sums("robot_hits"),
            "robot_hits": sums("robot_hits"),
            "sessions": sums("sessions"),
            "error_share": pa.array(error_share, pa.float64(), mask=hits == 0),
            "geo_built": pa.array(map(_latest, by_day), pa.date32()),
            "geo_is_late": pa.array(map(_any, by_day), pa.bool_()),
            **{name: judged[name] for name in ("sources_expected", "share", "is_preliminary")},
            "is_censored": pa.array((hits > 0) & (error_share >= CENSORED_SHARE)),
            **{name: judged[name] for name in ("reasons", "sources_whole", "doubts")},
        }
    )


def _latest(daily: pa.Table) -> date | None:
    latest: date | None = pc.max(daily["geo_built"]).as_py()
    return latest


def _any(daily: pa.Table) -> bool:
    return bool(pc.any(daily["geo_is_late"]).as_py())
