"""The tables over all days: ``days``, ``expected``, ``surges`` and what takes these apart."""

import hashlib
import json
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

import pipeline
from pipeline.build.completeness import judge_completeness
from pipeline.build.source_days import list_doubted, list_source_days
from pipeline.build.take_apart import REASONS, Judged, add_reasons, name_models
from pipeline.definitions import CENSORED_SHARE
from pipeline.lake.change import Change
from pipeline.lake.database import connect
from pipeline.lake.day_files import read_partitions
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_json
from pipeline.lake.left_out import Missing, list_missing
from pipeline.lake.sql import read_model
from pipeline.lake.table_files import write_table
from pipeline.surges import find_surges

_TABLES = ("days", "expected", "surges", *REASONS)
_DOUBTED = (
    "file_key", "flood_lines", "flood_with", "repeat_lines", "repeat_with", "shared_lines",
    "shared_with", "damage",
)  # fmt: skip
_BOUND = {"censored_share": CENSORED_SHARE}
_MINUTES = 24 * 60
"""Of a source's day at most, but for that on which clocks are set back."""


def add_summary(
    change: Change, built: dict[str, str], zone: ZoneInfo, sources: Sequence[str], memory_mb: int
) -> None:
    """Let a change rewrite these tables, when any day (``built``: to fingerprint) is another.

    ``sources``: the setting; the sources expected every day.
    """
    lake = change.lake
    if is_current(lake, built, sources):
        return
    missing = list_missing(lake, built.keys() - lake.sealed())
    made = _make_tables(change, sorted(built), zone, sources, missing, memory_mb)
    reasons, named = add_reasons(change, made, built, zone, memory_mb)
    for name, table in {
        "days": made.days,
        "expected": made.expected,
        "surges": made.surges,
        **reasons,
    }.items():
        write_table(change.staging / name, table)
        change.replace(lake.part_path(name), change.staging / name)
    change.note_digests("tables", [lake.part_path(name) for name in _TABLES])
    fingerprint = _fingerprint(built, sources, lake, missing)
    made_of = {"fingerprint": fingerprint, "sources": list(sources), "reasons": named}
    change.write_json(lake.ledger / "summary.json", made_of)


def is_current(lake: Lake, built: dict[str, str], sources: Sequence[str] | None = None) -> bool:
    """Whether these tables are those of the days ``built``.

    ``sources``: the setting; when not given, whatever they were made with.
    """
    known = read_json(lake.ledger / "summary.json")
    sources = known.get("sources", []) if sources is None else sources
    missing = list_missing(lake, built.keys() - lake.sealed())
    is_same = known.get("fingerprint") == _fingerprint(built, sources, lake, missing)
    return is_same and all(lake.part_path(name).exists() for name in _TABLES)


def _fingerprint(
    built: dict[str, str],
    sources: Sequence[str],
    lake: Lake,
    missing: Sequence[Missing],
) -> str:
    # The detector is code: the program's version stands for it.
    records = lake.records(_DOUBTED, are_asked=lambda sums: sums.doubted > 0).sort_by("file_key")
    is_damaged = records["damage"].is_valid()
    damaged = records.filter(is_damaged)["file_key"].to_pylist()
    counts = [pc.greater(records[name], 0) for name in _DOUBTED if name.endswith("_lines")]
    told = records.filter(pc.or_(pc.or_(*counts[:2]), counts[2])).drop_columns("damage")
    doubted = told.to_pylist()
    days = sorted(built.items())
    inputs = [
        pipeline.__version__, days, read_model("days"), name_models(), _BOUND,
        sorted(set(sources)), damaged, doubted,
        [(str(one.day), one.source, one.text) for one in missing],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:32]


def _make_tables(  # noqa: PLR0913 what the tables are made of
    change: Change,
    days: list[str],
    zone: ZoneInfo,
    sources: Sequence[str],
    missing: Sequence[Missing],
    memory_mb: int,
) -> Judged:
    shares = list_source_days(change.lake.sums(), list_doubted(change.lake), set(days))
    rows = [{"day": s.day, "source": s.source, "files": s.files} for s in shares]
    schema = pa.schema([("day", pa.date32()), ("source", pa.string()), ("files", pa.int64())])
    with connect(rows=_MINUTES * len(shares), memory_mb=memory_mb) as connection:
        connection.register("shares", pa.Table.from_pylist(rows, schema))
        for model in ("daily", "minutes"):
            parts = [change.find(change.lake.part_path(model, day)) for day in days]
            files = [path for path in parts if path]  # a day sealed long ago may have no minutes
            read_partitions(connection, model, files).create_view(model)
        minutes = connection.execute(read_model("build/minutes")).to_arrow_table()
        completeness = judge_completeness(minutes, shares, zone, sources, missing)
        connection.register("completeness", completeness)
        totals = connection.execute(read_model("days"), _BOUND).to_arrow_table()
        columns = ("day", "country", "sessions", "hits")
        daily = connection.view("daily").select(*columns).to_arrow_table()
    censored = totals.filter(totals["is_censored"])["day"].to_pylist()
    unlocated = totals.filter(totals["geo_built"].is_null())["day"].to_pylist()
    expected, surges = find_surges(daily, completeness, censored, unlocated)
    return Judged(totals, expected, surges, daily)
