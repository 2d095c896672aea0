"""The tables over all days: ``days``, ``expected`` and ``surges``."""

import hashlib
import json
from datetime import date
from glob import escape
from pathlib import Path

import pyarrow as pa

import pipeline
from pipeline.database import connect
from pipeline.lake import Lake, put_in_place, read_json, write_json
from pipeline.models import read_model
from pipeline.partitions import write_table
from pipeline.surges import find_surges

_TABLES = ("days", "expected", "surges")


def build_summary(lake: Lake, built: dict[str, str], memory_mb: int) -> None:
    """Rewrite the three tables when any day (``built``: day to fingerprint) changed."""
    if is_current(lake, built):
        return
    with lake.staging() as staging:
        tables = dict(zip(_TABLES, _make_tables(lake, sorted(built), memory_mb), strict=True))
        staged: list[tuple[Path, Path]] = []
        for name, table in tables.items():
            write_table(staging / name, table)
            staged.append((staging / name, lake.part_path(name)))
        put_in_place(staged)
    write_json(lake.ledger / "summary.json", {"fingerprint": _fingerprint(built)})


def is_current(lake: Lake, built: dict[str, str]) -> bool:
    """Whether the three tables are those of the days ``built``."""
    known = read_json(lake.ledger / "summary.json").get("fingerprint")
    return known == _fingerprint(built) and all(lake.part_path(name).exists() for name in _TABLES)


def _fingerprint(built: dict[str, str]) -> str:
    # The detector is code: the program's version stands for it.
    inputs = [pipeline.__version__, sorted(built.items()), read_model("days")]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:32]


def _make_tables(
    lake: Lake, days: list[str], memory_mb: int
) -> tuple[pa.Table, pa.Table, pa.Table]:
    connection = connect(memory_mb=memory_mb)
    shares = [
        {"day": date.fromisoformat(day), "source": record.source, "file_key": record.file_key}
        for record in lake.files()
        for day in record.days
    ]
    schema = pa.schema([("day", pa.date32()), ("source", pa.string()), ("file_key", pa.string())])
    connection.register("shares", pa.Table.from_pylist(shares, schema))
    if days:
        files = [escape(str(lake.part_path("daily", day))) for day in days]
        connection.read_parquet(files, hive_partitioning=True).create_view("daily")
    else:
        connection.execute(
            "CREATE VIEW daily AS SELECT NULL::DATE AS day, NULL::VARCHAR AS country,"
            " 0::BIGINT AS sessions, 0::BIGINT AS hits, 0::BIGINT AS robot_hits,"
            " 0::BIGINT AS errors, NULL::DATE AS geo_built, false AS geo_is_late WHERE false"
        )
    totals = connection.execute(read_model("days")).to_arrow_table()
    daily = connection.execute(
        "SELECT day, country, sessions FROM daily ORDER BY day, country"
    ).to_arrow_table()
    expected, surges = find_surges(daily)
    return totals, expected, surges
