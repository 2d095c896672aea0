"""The compiled loops of SHA-256 give the digests that ``hashlib`` does."""

import hashlib
import hmac

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.formats import compiled, sha256

EDGES = [n + more for n in (0, 64, 128, 192) for more in (0, 1, 54, 55, 56, 57, 63)]
"""Lengths about which a block, or what stands behind a message, ends."""
TEXTS = st.text("aé\0", max_size=300) | st.sampled_from(EDGES).map(lambda n: "x" * n)
IDS = st.integers(0, 2**64 - 1) | st.integers(0, 110)
STARTS = st.integers(-(2**62), 2**62) | st.integers(-1, 110)


def pads_of(secret: bytes) -> tuple[bytes, bytes]:
    """The key's inner and outer block, by RFC 2104."""
    key = secret.ljust(64, b"\0")
    return bytes(byte ^ 0x36 for byte in key), bytes(byte ^ 0x5C for byte in key)


@pytest.mark.parametrize("message", [b"", b"abc", b"a" * 1_000, b"\xff" * 119], ids=len)
def test_a_digest_is_that_of_hashlib(message: bytes) -> None:
    text, ends = np.frombuffer(message or b"-", np.uint8), np.array([0, len(message)], np.int32)
    digests = np.empty((1, 8), np.uint32)
    with np.errstate(over="ignore"):
        sha256.digest(text, ends, np.zeros(1, np.int64), sha256.START, 0, digests)
    assert digests.astype(">u4").tobytes() == hashlib.sha256(message).digest()


@settings(max_examples=20)
@given(messages=st.lists(TEXTS, max_size=140), secret=st.binary(min_size=1, max_size=64))
@example(["x" * n for n in EDGES], b"key")
def test_messages_are_hashed_as_hmac_does(messages: list[str], secret: bytes) -> None:
    """More than go side by side, of all lengths, in their order."""
    wanted = [
        int.from_bytes(hmac.digest(secret, message.encode(), "sha256")[:8]) for message in messages
    ]
    texts = pa.array(["before", *messages], pa.string()).slice(1)
    assert compiled.hash_messages(texts, pads_of(secret)).tolist() == wanted


@settings(max_examples=60)
@given(sessions=st.lists(st.tuples(IDS, STARTS), max_size=140), key=st.binary(max_size=16))
def test_sessions_are_hashed_as_they_are_written(
    sessions: list[tuple[int, int]], key: bytes
) -> None:
    wanted = [
        int.from_bytes(hashlib.sha256(key + f"{visitor}-{start}".encode()).digest()[:8])
        for visitor, start in sessions
    ]
    visitors = np.array([visitor for visitor, _ in sessions], np.uint64)
    starts = np.array([start for _, start in sessions], np.int64)
    assert compiled.hash_sessions(key, visitors, starts).tolist() == wanted
