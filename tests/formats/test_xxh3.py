"""Lines are hashed by compiled loops as ``xxhash`` hashes each."""

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import compiled, xxh3

ENDS = st.sampled_from(("\n", "\r\n", "\r", "\n\n", ""))
LENGTHS = st.one_of(st.integers(0, 300), st.sampled_from((1023, 1024, 1025, 2048, 2049, 5000)))


def expected(line: str) -> int:
    """Without its end; of a short line none."""
    text = line.removesuffix("\n").removesuffix("\r").encode()
    return xxhash.xxh3_64_intdigest(text) if len(text) > xxh3.SHORTEST else 0


@pytest.mark.parametrize("part", range(8))
def test_every_length_is_hashed_as_by_the_library(part: int) -> None:
    random = np.random.default_rng(part)
    texts = ["".join(map(chr, random.integers(32, 127, n))) for n in range(part, 2200, 8)]
    assert compiled.hash_lines(pa.array(texts)).tolist() == list(map(expected, texts))


@given(st.lists(st.tuples(st.text(max_size=40), LENGTHS, ENDS), min_size=1, max_size=20))
def test_lines_are_hashed_without_their_ends(made: list[tuple[str, int, str]]) -> None:
    lines = [(text * (length + 1))[:length] + end for text, length, end in made]
    assert compiled.hash_lines(pa.array(lines)).tolist() == list(map(expected, lines))
    part = pa.array(lines)[len(lines) // 2 :]
    assert compiled.hash_lines(part).tolist() == list(map(expected, part.to_pylist()))
