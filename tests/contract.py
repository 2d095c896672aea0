"""The contract's tables, columns and types, as ``sql/tables.csv``: no word of the program's."""

import csv
from collections import defaultdict
from pathlib import Path

TABLES: dict[str, dict[str, str]] = defaultdict(dict)
"""By table: DuckDB's names of the types by column, in order; without the ``day`` of paths."""
with (Path(__file__).parent / "sql" / "tables.csv").open(newline="") as _file:
    for _row in csv.DictReader(_file):
        TABLES[_row["table"]][_row["column"]] = _row["type"]

IN_VIEWS = {
    "sessions": {
        "local_started_at": "TIMESTAMP", "local_ended_at": "TIMESTAMP", "duration_s": "DOUBLE",
        "is_bounce": "BOOLEAN",
    },
    "hourly": {"local_hour": "TIMESTAMP"},
}  # fmt: skip
"""Columns that a view has besides, at its end."""
