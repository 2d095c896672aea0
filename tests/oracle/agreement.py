"""Where two sets of tables differ, in a few lines that name no address."""

from collections import Counter
from collections.abc import Iterator

from .tables import COLUMNS, Row, Tables

SHOWN = 5


def differences(oracle: Tables, lake: Tables) -> list[str]:
    """Return what the tables disagree on, table by table; nothing when they agree."""
    found: list[str] = []
    for table in COLUMNS:
        by_oracle = Counter[Row](getattr(oracle, table))
        by_lake = Counter[Row](getattr(lake, table))
        found += shown(f"{table}: oracle alone", table, by_oracle - by_lake)
        found += shown(f"{table}: lake alone", table, by_lake - by_oracle)
    return found + list(visitor_differences(oracle, lake))


def shown(title: str, table: str, rows: Counter[Row]) -> list[str]:
    """Return the number of such rows and the first few; of rejects not their text."""
    if not rows:
        return []
    columns = [name for name in COLUMNS[table] if name != "line"]
    first = sorted(rows, key=repr)[:SHOWN]
    texts = [
        ", ".join(f"{name}={value!r:.80}" for name, value in zip(columns, row, strict=False))
        for row in first
    ]
    return [f"{title}: {rows.total()} rows", *texts]


def visitor_differences(oracle: Tables, lake: Tables) -> Iterator[str]:
    """Yield whether visitors and their ids are not one to one over the lines of both."""
    lines = oracle.visitors.keys() & lake.visitors.keys()
    pairs = {(oracle.visitors[line], lake.visitors[line]) for line in lines}
    visitors, ids = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    if not len(pairs) == len(visitors) == len(ids):
        yield f"visitors: {len(visitors)}, ids: {len(ids)}, pairs of them: {len(pairs)}"
