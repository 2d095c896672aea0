"""The same sessions by the days of another time zone.

Where a session begins does not depend on the zone (but for a timeout of over 23 hours on the day
that clocks go forward), so that the sessions of the lake are sorted into other days as they are:
also those whose hits are deleted.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.compare.basis import Basis, Figures, Outcome
from pipeline.compare.counting import OnDays
from pipeline.days import EPOCH, ONE_DAY, day_start
from pipeline.definitions import NO_COUNTRY
from pipeline.enrich.hits import local_days
from pipeline.lake.database import connect
from pipeline.lake.day_files import read_part

_DAYS_AT_ONCE = 31  # bounds the rows by minute and country in memory
_BY_MINUTE = "epoch_us(started_at) // 60_000_000 AS minute, country::VARCHAR AS country"


def count_other_days(basis: Basis, zone: ZoneInfo, label: str, on_days: OnDays) -> Outcome:
    """Count the lake's sessions by the days of ``zone``.

    A day that takes in hours of a day without figures is left out: a part of it is missing.
    """
    built = {day for day, _ in basis.now}
    left_out: dict[date, str] = {}
    for day in basis.wanted:
        if missing := sorted(_days_under(day, zone, basis.zone) - built):
            left_out[day] = f"some of its hours are of {missing[0]}, which has no figures"
        elif stale := sorted(_days_under(day, zone, basis.zone) & basis.stale):
            left_out[day] = f"some of its hours are of {stale[0]}, which is stale"
    whole = [day for day in basis.wanted if day not in left_out]
    figures: Figures = {}
    for start in range(0, len(whole), _DAYS_AT_ONCE):
        batch = whole[start : start + _DAYS_AT_ONCE]
        figures |= _count_batch(basis, batch, zone)
        on_days(len(batch))
    counted = {day for day, _ in figures}
    left_out |= {day: "no hits in its hours" for day in whole if day not in counted}
    on_days(len(basis.wanted) - len(whole))
    return Outcome(label, figures, left_out, keeps_days=False)


def _days_under(day: date, zone: ZoneInfo, lake_zone: ZoneInfo) -> set[date]:
    """The lake's days that have a moment in common with ``day`` in ``zone``."""
    first = day_start(day, zone).astimezone(lake_zone).date()
    last = (day_start(day + ONE_DAY, zone) - timedelta(microseconds=1)).astimezone(lake_zone)
    return {first + n * ONE_DAY for n in range((last.date() - first).days + 1)}


def _count_batch(basis: Basis, batch: list[date], zone: ZoneInfo) -> Figures:
    under = sorted({near for day in batch for near in _days_under(day, zone, basis.zone)})
    with connect(memory_mb=basis.memory_mb, spill=basis.workspace / "spill") as connection:
        figures: Figures = {}
        for hours in _read(connection, basis, "hourly", under):
            seconds = hours.project("epoch_us(hour) // 1_000_000 AS seconds").distinct()
            days = np.unique(local_days(seconds.fetchnumpy()["seconds"], zone))
            figures |= {(EPOCH + int(day) * ONE_DAY, NO_COUNTRY): 0 for day in days}
        for sessions in _read(connection, basis, "sessions", under):
            kept = sessions.filter("NOT is_robotlike") if basis.rules.drop_robotlike else sessions
            counted = kept.aggregate(f"{_BY_MINUTE}, count(*) AS sessions").to_arrow_table()
            figures |= _by_day(counted, zone)
    return {key: sessions for key, sessions in figures.items() if key[0] in set(batch)}


def _read(
    connection: duckdb.DuckDBPyConnection, basis: Basis, model: str, days: list[date]
) -> Iterator[duckdb.DuckDBPyRelation]:
    """The rows of a partitioned table on some days; nothing when it has none on any."""
    if files := [part for day in days for part in basis.lake.parts(model, str(day))]:
        yield read_part(connection, *files)


def _by_day(counted: pa.Table, zone: ZoneInfo) -> Figures:
    days = local_days(counted["minute"].to_numpy() * 60, zone)
    rows = counted.append_column("day", pa.array(days)).group_by(["day", "country"])
    summed = rows.aggregate([("sessions", "sum")]).to_pydict()
    return {
        (EPOCH + day * ONE_DAY, country): sessions
        for day, country, sessions in zip(
            summed["day"], summed["country"], summed["sessions_sum"], strict=True
        )
    }
