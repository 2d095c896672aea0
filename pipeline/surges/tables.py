"""The detector on the daily table: Arrow in, the tables ``expected`` and ``surges`` out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.surges.baseline import Floats, Ints
from pipeline.surges.detector import Judgement, judge_days
from pipeline.surges.episodes import Episode, episodes_of

EXPECTED_SCHEMA = pa.schema(
    [
        ("country", pa.string()),
        ("day", pa.date32()),
        ("observed", pa.int64()),
        ("expected", pa.float64()),
        ("upper", pa.float64()),
        ("score", pa.float64()),
        ("is_surge", pa.bool_()),
    ]
)
SURGES_SCHEMA = pa.schema(
    [
        ("country", pa.string()),
        ("start_day", pa.date32()),
        ("peak_day", pa.date32()),
        ("end_day", pa.date32()),
        ("days", pa.int64()),
        ("observed", pa.int64()),
        ("expected", pa.float64()),
        ("excess", pa.float64()),
        ("peak_sessions", pa.int64()),
        ("peak_ratio", pa.float64()),
        ("is_open", pa.bool_()),
    ]
)


def find_surges(daily: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the tables ``expected`` and ``surges`` of ``daily``, ordered by country and day.

    ``daily``: day (date32), country (string), sessions (int64), one row per country with any hit
    on that day. Every country is judged on every day that has hits: a country absent on it counts
    0; a day without any hit is missing. ``expected``, ``upper`` and ``score`` are null while there
    are fewer than 7 days of history in the last 42.
    """
    countries, days, counts = _to_matrix(daily)
    judged = judge_days(days, counts.astype(np.float64))
    return _expected_table(countries, days, counts, judged), _surges_table(
        countries, days, counts, judged
    )


def _to_matrix(daily: pa.Table) -> tuple[list[str], Ints, Ints]:
    """Return sorted countries, sorted days since 1970-01-01, and sessions, countries x days."""
    country_codes = pc.cast(daily["country"], pa.string()).to_pylist()
    countries = sorted(set(country_codes))
    number = {country: row for row, country in enumerate(countries)}
    rows = np.array([number[country] for country in country_codes], dtype=np.int64)
    day_numbers = pc.cast(pc.cast(daily["day"], pa.date32()), pa.int32()).to_numpy()
    days, columns = np.unique(day_numbers.astype(np.int64), return_inverse=True)
    counts = np.zeros((len(countries), len(days)), dtype=np.int64)
    np.add.at(counts, (rows, columns), pc.cast(daily["sessions"], pa.int64()).to_numpy())
    return countries, days, counts


def _expected_table(countries: list[str], days: Ints, counts: Ints, judged: Judgement) -> pa.Table:
    columns = [
        pa.array(np.repeat(np.array(countries, dtype=object), len(days)), pa.string()),
        pa.array(np.tile(days.astype(np.int32), len(countries)), pa.date32()),
        pa.array(counts.ravel(), pa.int64()),
        *(_nullable(values) for values in (judged.expected, judged.upper, judged.score)),
        pa.array(judged.is_surge.ravel(), pa.bool_()),
    ]
    return pa.table(columns, schema=EXPECTED_SCHEMA)


def _nullable(values: Floats) -> pa.Array:
    return pa.array(values.ravel(), pa.float64(), from_pandas=True)


def _surges_table(countries: list[str], days: Ints, counts: Ints, judged: Judgement) -> pa.Table:
    rows = [
        _surge_row(countries[row], days, counts[row], judged.expected[row], episode)
        for row in np.flatnonzero(judged.is_surge.any(axis=1))
        for episode in episodes_of(days, counts[row].astype(np.float64), judged.is_surge[row])
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(SURGES_SCHEMA)
    return pa.table(
        [
            pa.array(list(column), field.type)
            for column, field in zip(columns, SURGES_SCHEMA, strict=True)
        ],
        schema=SURGES_SCHEMA,
    )


def _surge_row(
    country: str, days: Ints, counts: Ints, expected: Floats, episode: Episode
) -> tuple[str | int | float | bool, ...]:
    """Sums run over the span's days with hits; a day that was never judged cannot be in it."""
    span = slice(episode.start, episode.end + 1)
    observed, usual = int(counts[span].sum()), round(float(expected[span].sum()), 3)
    start, peak, end = (int(days[at]) for at in (episode.start, episode.peak, episode.end))
    highest = int(counts[episode.peak])
    ratio = round(highest / float(expected[episode.peak]), 3)
    excess = round(observed - usual, 3)
    return (country, start, peak, end, end - start + 1, observed, usual, excess, highest, ratio,
            episode.is_open)  # fmt: skip
