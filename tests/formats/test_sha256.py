"""SHA-256 by compiled loops is hashlib's."""

import hashlib
import hmac

import numpy as np
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.formats import compiled

# A block's words, and its padding, end at such lengths.
LENGTHS = (0, 1, 3, 4, 54, 55, 56, 57, 63, 64, 65, 118, 119, 120, 127, 128, 129, 300)
TEXTS = st.lists(
    st.one_of(st.binary(max_size=20), st.sampled_from(LENGTHS).map(lambda size: b"\xa5" * size)),
    max_size=40,
)
BEGINNINGS = st.sampled_from((0, 64, 128)).flatmap(
    lambda size: st.binary(min_size=size, max_size=size)
)


@given(texts=TEXTS, beginning=BEGINNINGS, first=st.integers(0, 3))
@example(texts=[b"x" * size for size in LENGTHS], beginning=b"", first=0)
def test_each_text_has_the_hash_of_all_its_bytes(
    texts: list[bytes], beginning: bytes, first: int
) -> None:
    """Behind the same beginning, whatever hashes of others are made together with it."""
    digests = compiled.hash_sha256(pa.array(texts, pa.binary())[first:], beginning)
    expected = [hashlib.sha256(beginning + text).digest() for text in texts[first:]]
    assert [row.astype(">u4").tobytes() for row in digests] == expected


@given(texts=TEXTS, key=st.binary(min_size=64, max_size=64))
def test_a_message_has_its_hmac(texts: list[bytes], key: bytes) -> None:
    blocks = [bytes(byte ^ pad for byte in key) for pad in (0x36, 0x5C)]
    made = compiled.first_64_bits(compiled.hmac_sha256(*blocks, pa.array(texts, pa.binary())))
    expected = [int.from_bytes(hmac.digest(key, text, "sha256")[:8]) for text in texts]
    assert made.dtype == np.uint64
    assert made.tolist() == expected
