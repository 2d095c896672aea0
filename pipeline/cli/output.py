"""What the commands print: rows as table, CSV or JSON, and text that is safe for a terminal."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, tzinfo
from typing import Any

from rich.cells import cell_len

from pipeline.csv_cells import as_json, write_csv
from pipeline.language import ENGLISH, Language
from pipeline.text import escape


def _as_text(value: Any, language: Language) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, int):
        return language.count(value)
    if isinstance(value, float):
        return language.number(value, 1 if abs(value) >= 10 else 2)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    return escape(str(value))


@contextmanager
def until_closed() -> Iterator[None]:
    """Print to stdout until its reader has enough (``| head``), then end quietly."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def print_rows(  # noqa: PLR0913 rows, and how they are written
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    form: str = "table",
    *,
    raw_cells: bool = False,
    zone: tzinfo = UTC,
    language: Language = ENGLISH,
) -> None:
    """Print ``rows`` to stdout as ``table``, ``csv`` or ``json`` (a list of objects).

    In CSV a text that a spreadsheet would run has a ``'`` before it, except as ``raw_cells``.
    A table has times as the clocks of ``zone`` show them and numbers as ``language`` writes them;
    CSV and JSON have both for machines, in UTC.
    """
    with until_closed():
        if form == "csv":
            write_csv(columns, rows, sys.stdout, raw_cells=raw_cells)
        elif form == "json":
            objects = [dict(zip(columns, map(as_json, row), strict=True)) for row in rows]
            print(json.dumps(objects, indent=1, ensure_ascii=True))
        else:
            zoned = [[_in_zone(value, zone) for value in row] for row in rows]
            _print_table(columns, zoned, language)


def _in_zone(value: Any, zone: tzinfo) -> Any:
    if isinstance(value, datetime) and value.tzinfo:
        with suppress(OverflowError):  # the first and last day of all time
            return value.astimezone(zone)
    return value


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], language: Language) -> None:
    """Print a row a line, as wide as it must be: nothing is folded or cut to the terminal."""
    aligned = []
    for index, name in enumerate(columns):
        values = [row[index] for row in rows if row[index] is not None]
        is_numeric = bool(values) and all(isinstance(value, int | float) for value in values)
        cells = [escape(name), *(_as_text(row[index], language) for row in rows)]
        widths = [len(cell) if cell.isascii() else cell_len(cell) for cell in cells]
        widest = max(widths)
        pads = [" " * (widest - width) for width in widths]
        pairs = zip(cells, pads, strict=True)
        aligned.append([pad + cell if is_numeric else cell + pad for cell, pad in pairs])
    lines = ["   ".join(line) for line in zip(*aligned, strict=True)]
    width = cell_len(lines[0]) if lines else 0
    is_drawn = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    rule = ("\u2500" if is_drawn else "-") * width
    for line in ("", *lines[:1], rule, *lines[1:], ""):
        print(f" {line or ' ' * width} ")
