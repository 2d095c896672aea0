"""The tables that take surges apart: ``drivers`` and ``signals``.

A surge's rows are a function of its row, of the days that they are counted from, and of what counts
them. Those of the others stay as they are: a night with a surge reads that surge's days.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import pipeline
from pipeline.errors import LakeError
from pipeline.lake.change import Change
from pipeline.lake.database import connect
from pipeline.lake.day_files import read_partitions
from pipeline.lake.sql import read_model
from pipeline.lake.table_files import read_table
from pipeline.tables import TABLES
from pipeline.why import thresholds
from pipeline.why.drivers import find_drivers
from pipeline.why.signals import find_signals

REASONS = ("drivers", "signals")
_MODELS = ("spans", "left_out", "counted", "elements", "agents", "visits")
_SPANS = {"reach": thresholds.REACH_DAYS, "most": thresholds.MOST_DAYS_BEFORE}
_KEPT = {"kept": thresholds.MOST_ELEMENTS, "least": thresholds.LEAST_OF_AN_ELEMENT}


@dataclass(frozen=True)
class Judged:
    """The other tables over all days, and all days' sessions and hits by country."""

    days: pa.Table
    expected: pa.Table
    surges: pa.Table
    daily: pa.Table


def add_reasons(
    change: Change, judged: Judged, built: Mapping[str, str], zone: ZoneInfo, memory_mb: int
) -> tuple[dict[str, pa.Table], dict[str, str]]:
    """The two tables, and by each surge the name of what its rows were made of.

    ``built``: by day what its partitions were built from.
    """
    names = _name_surges(judged.surges)
    if not names:
        return {name: TABLES[name].empty_table() for name in REASONS}, {}
    with connect(memory_mb=memory_mb, spill=change.staging / "spill") as connection:
        for name in ("days", "expected", "daily"):
            connection.register(name, getattr(judged, name))
        spans = list_spans(connection, judged.surges)
        wanted = dict(zip(names, _name_inputs(judged.surges, spans, built), strict=True))
        known = _read_known(change, wanted)
        kept = {*_name_surges(known["drivers"])}
        is_new = np.array([name not in kept for name in names], bool)
        made = {name: TABLES[name].empty_table() for name in REASONS}
        if is_new.any():
            number = spans["surge"].to_numpy()
            spans = spans.set_column(0, "surge", pa.array((np.cumsum(is_new) - 1)[number]))
            spans = spans.filter(pa.array(is_new[number]))
            surges = judged.surges.filter(pa.array(is_new))
            made = _take_apart(connection, change, surges, spans, zone)
    return {
        name: pa.concat_tables([table, made[name]])
        .sort_by([("country", "ascending"), ("start_day", "ascending")])
        .combine_chunks()
        for name, table in known.items()
    }, wanted


def name_models() -> list[object]:
    """What the tables are made by."""
    return [*(read_model(f"why/{name}") for name in _MODELS), _SPANS, _KEPT]


def _name_surges(table: pa.Table) -> list[str]:
    """Each row's surge, as the ledger names it."""
    columns = (table[name].to_pylist() for name in ("country", "start_day"))
    return [f"{country} {day}" for country, day in zip(*columns, strict=True)]


def _name_inputs(surges: pa.Table, spans: pa.Table, built: Mapping[str, str]) -> list[str]:
    """By each surge, in order, the name of what its rows are made of."""
    inputs: list[list[object]] = [[pipeline.__version__, name_models()] for _ in range(len(surges))]
    for own, row in zip(inputs, surges.to_pylist(), strict=True):
        own.append({name: str(value) for name, value in row.items()})
    for row in spans.to_pylist():
        day = str(row["day"])
        inputs[row["surge"]].append([day, built[day], row["is_before"], row["expected"]])
    return [hashlib.sha256(json.dumps(own).encode()).hexdigest()[:32] for own in inputs]


def _read_known(change: Change, wanted: Mapping[str, str]) -> dict[str, pa.Table]:
    """The rows that there are of surges that are made of what they were made of then."""
    named = change.read_json(change.lake.ledger / "summary.json").get("reasons", {})
    kept = {name for name, made_of in wanted.items() if named.get(name) == made_of}
    paths = {name: change.find(change.lake.part_path(name)) for name in REASONS}
    try:
        tables = {name: read_table(path) for name, path in paths.items() if path}
    except LakeError:  # all of them are made anew
        tables = {}
    if {*tables} != {*REASONS}:
        return {name: TABLES[name].empty_table() for name in REASONS}
    return {
        name: table.filter(pa.array([one in kept for one in _name_surges(table)], pa.bool_()))
        for name, table in tables.items()
    }


def _take_apart(
    connection: duckdb.DuckDBPyConnection,
    change: Change,
    surges: pa.Table,
    spans: pa.Table,
    zone: ZoneInfo,
) -> dict[str, pa.Table]:
    """The rows of some surges, counted from the sessions of their days."""
    days = pc.unique(spans["day"]).to_pylist()
    paths = [path for day in days for path in change.parts("sessions", str(day))]
    read_partitions(connection, "sessions", paths).create_view("sessions")
    return count_surges(connection, surges, spans, zone)


def count_surges(
    connection: duckdb.DuckDBPyConnection, surges: pa.Table, spans: pa.Table, zone: ZoneInfo
) -> dict[str, pa.Table]:
    """The rows of ``surges`` in both tables, of the connection's ``sessions``, ``daily``, ``days``.

    ``spans``: the rows of ``sql/why/spans.sql``; their ``surge`` is the row of ``surges``.
    """
    connection.register("spans", spans)
    left_out = connection.execute(read_model("why/left_out")).to_arrow_table()["day"]
    leaves_out = pc.is_in(spans["day"], value_set=left_out.combine_chunks())
    connection.register("spans", spans.append_column("leaves_out", leaves_out))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE counted AS {read_model('why/counted')}")
    bound = {"elements": {"zone": zone.key, **_KEPT}, "agents": {}, "visits": {}}
    elements, agents, visits = (
        connection.execute(read_model(f"why/{name}"), values).to_arrow_table()
        for name, values in bound.items()
    )
    return {
        "drivers": find_drivers(surges, spans, elements),
        "signals": find_signals(surges, spans, visits, agents, elements),
    }


def list_spans(connection: duckdb.DuckDBPyConnection, surges: pa.Table) -> pa.Table:
    """The days of ``surges``, and those before them that say what is usual."""
    connection.register("spanned", surges.select(["country", "start_day", "end_day"]))
    return connection.execute(read_model("why/spans"), _SPANS).to_arrow_table()
