"""Values are numbered as they come: by compiled loops, and without them."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import compiled, numbers
from pipeline.formats.numbers import Numbers, are_full, first_rows

TEXTS = st.one_of(
    st.sampled_from(("", "a", "b", "aa", "a\0", "x" * 4096, "x" * 4097, "x" * 8192 + "y")),
    st.text(max_size=20),
)
INTEGERS = st.one_of(st.integers(0, 3), st.integers(-(2**63), 2**63 - 1))


BOTH = pytest.mark.parametrize(
    "make", [compiled.Texts, numbers._Dictionary], ids=["compiled", "not"]
)


def number(known: Numbers, blocks: list[list], kind: pa.DataType) -> list[int]:
    return [int(one) for block in blocks for one in known.number(pa.array(block, kind))]


@BOTH
@given(blocks=st.lists(st.one_of(st.lists(TEXTS, max_size=80), st.lists(INTEGERS, max_size=80))))
def test_the_same_value_has_one_number_in_all_blocks(
    make: Callable[[], Numbers], blocks: list[list]
) -> None:
    """From 0, in the order in which the values came first."""
    for kind, its in ((str, pa.string()), (int, pa.int64())):
        mine = [block for block in blocks if block and isinstance(block[0], kind)]
        values = [value for block in mine for value in block]
        known = make()
        order = list(dict.fromkeys(values))
        assert number(known, mine, its) == [order.index(value) for value in values]
        assert len(known) == len(order)
        assert not are_full(known)


@BOTH
def test_a_part_of_an_array_is_numbered_as_its_values(make: Callable[[], Numbers]) -> None:
    known = make()
    assert known.number(pa.array(["z", "a", "b", "a"])[1:]).tolist() == [0, 1, 0]
    assert known.number(pa.array([7, 8, 8])[1:]).tolist() == [2, 2]


@BOTH
def test_what_is_remembered_ends_with_its_bytes(
    make: Callable[[], Numbers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "_MOST_BYTES", 100)
    known = make()
    known.number(pa.array(["x" * 101]))
    assert are_full(known)


def test_first_rows() -> None:
    assert first_rows(np.array([4, 2, 5, 4, 3, 5], np.int32), 3, 6).tolist() == [4, 0, 2]
    assert first_rows(np.zeros(0, np.int32), 0, 0).tolist() == []
