"""Text columns as Arrow arrays of bytes: looked up by ids, joined line by line."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Texts: TypeAlias = Any  # pa.BinaryArray; the stubs do not know what its methods return


def make_texts(texts: Sequence[str]) -> Texts:
    """Make a column of UTF-8 texts; ids are positions in it."""
    return pa.array(texts, pa.string()).cast(pa.binary())


def take_texts(texts: Texts, ids: npt.NDArray[np.integer[Any]]) -> Texts:
    """Look up a text for each id."""
    return texts.take(pa.array(ids))


def write_numbers(numbers: Ints, missing: int) -> Texts:
    """Write numbers in decimal, ``missing`` as ``-``."""
    column: Any = pa.array(numbers, mask=numbers == missing)
    return column.cast(pa.string()).fill_null("-").cast(pa.binary())


def join_texts(columns: Sequence[Texts], separator: bytes = b"") -> Texts:
    """Join the columns' texts row by row."""
    join: Any = pc.binary_join_element_wise
    return join(*columns, separator)


def view_bytes(texts: Texts) -> memoryview:
    """All texts of a column that starts at its first one, end to end, without a copy."""
    _, offsets, values = texts.buffers()
    last = np.frombuffer(offsets, np.int32)[len(texts)]
    return memoryview(values)[: int(last)]
