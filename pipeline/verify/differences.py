"""Compares a stored table with one counted anew, row for row and value for value."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.text import write_number_of


def find_difference(stored: pa.Table, counted: pa.Table) -> str | None:
    """Where two tables differ, in a sentence; None when they are the same, in the same order.

    Texts may be dictionaries in either. A differing cell is shown with its row's first column.
    """
    if stored.column_names != counted.column_names:
        return (
            f"its columns are {', '.join(stored.column_names)},"
            f" not {', '.join(counted.column_names)}"
        )
    for name in stored.column_names:
        kinds = [_plain_type(table[name].type) for table in (stored, counted)]
        if kinds[0] != kinds[1]:
            return f"column {name} is {kinds[0]}, not {kinds[1]}"
    shared = min(len(stored), len(counted))
    rows: list[tuple[int, str, int]] = []
    for name in stored.column_names:
        mine, other = stored[name].slice(0, shared), counted[name].slice(0, shared)
        if not _are_equal(mine, other):
            unlike = pc.indices_nonzero(_unlike(_plain(mine), _plain(other)))
            if len(unlike):
                rows.append((unlike[0].as_py(), name, len(unlike)))
    counts = f"has {write_number_of(len(stored), 'row')}, counted anew {len(counted):,}"
    if not rows:
        return None if len(stored) == len(counted) else counts
    at, name, count = min(rows)
    where = f"{stored.column_names[0]} {_shown(stored, stored.column_names[0], at)}"
    values = f"{_shown(stored, name, at)}, counted anew {_shown(counted, name, at)}"
    cell = f"{name} is {values} in row {at + 1} ({where})"
    if len(stored) != len(counted):
        return f"{counts}; first, {cell}"
    return f"{cell}; {write_number_of(count, 'row differs', 'rows differ')} in {name}"


def _are_equal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    if not (pa.types.is_dictionary(one.type) and pa.types.is_dictionary(other.type)):
        return bool(_plain(one).equals(_plain(other)))
    mine, others = one.combine_chunks(), other.combine_chunks()  # compare codes, not texts
    code = pc.index_in(mine.dictionary, value_set=others.dictionary).fill_null(-1)
    return bool(code.take(mine.indices).equals(others.indices))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(_plain_type(column.type))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _unlike(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    if pa.types.is_list(one.type):  # Arrow compares no lists
        pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
        return pa.array([mine != theirs for mine, theirs in pairs])
    same = pc.fill_null(pc.equal(one, other), False)
    both_null = pc.and_(pc.is_null(one), pc.is_null(other))
    return pc.invert(pc.or_(same, both_null))


def _shown(table: pa.Table, name: str, row: int) -> str:
    value = table[name][row].as_py()
    return "null" if value is None else str(value)
