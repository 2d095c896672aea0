"""Values as JSON and CSV have them: no cell steers a terminal or runs in a spreadsheet."""

import csv
import json
import math
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TextIO

from pipeline.text import escape

_FORMULA_MARKS = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20", "\\x09", "\\x0d", "\\x0a")
"""What a spreadsheet's formula begins with, also in full width; controls as ``escape`` writes."""


def as_json(value: Any) -> Any:  # noqa: PLR0911 one kind of value a line
    """A value as JSON knows it; numbers that JSON has no word for become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return escape(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {str(key): as_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(inner) for inner in value]
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)


def _as_cell(value: Any) -> Any:
    plain = as_json(value)
    if isinstance(plain, dict | list):
        plain = json.dumps(plain)
    return escape(plain) if isinstance(plain, str) else plain


def _as_inert_cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    cell = _as_cell(value)
    is_run = isinstance(cell, str) and cell.startswith(_FORMULA_MARKS)
    return f"'{cell}" if is_run else cell


def write_csv(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], out: TextIO, *, raw_cells: bool = False
) -> None:
    """Write ``rows`` below their names; what a spreadsheet would run, only as ``raw_cells``."""
    write = _as_cell if raw_cells else _as_inert_cell
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(write, columns))
    writer.writerows(map(write, row) for row in rows)
